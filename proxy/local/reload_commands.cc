// PROXY RELOAD, PROXY UPGRADE and PROXY STATUS.

#include <algorithm>
#include <string>
#include <vector>

#include "backend/bytes/printable.h"
#include "backend/command/ascii.h"
#include "backend/resp/resp_writer.h"
#include "proxy/local/local_commands.h"
#include "proxy/local/order_process.h"
#include "proxy/log/event_log.h"
#include "proxy/reload/reload_status.h"
#include "proxy/session/session.h"

namespace gemel {

namespace {

// One line of the reply for each line.
std::string Lines(const std::string& text) {
  std::vector<std::string_view> lines;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    lines.push_back(std::string_view(text).substr(at, end - at));
    at = end + 1;
  }
  std::string reply;
  AppendArrayHeader(&reply, static_cast<int64_t>(lines.size()));
  for (const std::string_view line : lines) AppendBulk(&reply, line);
  return reply;
}

void ProxyReload(LocalCommands&, Session& session, const CommandRow& row, LocalArgs args) {
  ReloadOrder order;
  order.cause = "PROXY RELOAD";
  for (const std::string_view word : args.subspan(2)) {
    const bool dry_run = EqualsLower(word, "dryrun");
    if (!dry_run && !EqualsLower(word, "force")) {
      session.ReplyError("ERR expected PROXY RELOAD [DRYRUN] [FORCE]");
      return;
    }
    (dry_run ? order.dry_run : order.force) = true;
  }
  Request* place = session.Reserve(&row);
  session.Await(place);
  OrderProcess(session, place, std::move(order), [](const ReloadOutcome& outcome) {
    return outcome.ok ? Lines(outcome.text) : OrderError(outcome.text);
  });
}

// What takes over answers, if it comes to that.
void ProxyUpgrade(LocalCommands&, Session& session, const CommandRow& row, LocalArgs args) {
  if (args.size() > 3) {
    session.ReplyError("ERR expected PROXY UPGRADE [path of the binary]");
    return;
  }
  if (session.replies().stops().awaits_order()) {
    session.ReplyError("ERR PROXY UPGRADE isn't allowed within a transaction");
    return;
  }
  if (!FitsAnOrder(session, args)) return;
  ReloadOrder order;
  order.cause = "PROXY UPGRADE";
  order.upgrade = true;
  if (args.size() == 3) order.binary = args[2];
  Request* place = session.Reserve(&row);
  session.Await(place);
  OrderProcess(session, place, std::move(order),
               [](const ReloadOutcome& outcome) { return OrderError(outcome.text); });
}

void ProxyStatus(LocalCommands& local, Session& session, const CommandRow&, LocalArgs) {
  const ProcessInfo& process = local.process();
  const SessionContext& context = session.context();
  ReloadStatus::Values reloads;
  if (process.reloads != nullptr) reloads = process.reloads->Get();
  uint64_t clients = 0;
  for (const WorkerStats* stats : process.stats) clients += stats->clients.Get();
  const auto number = [](uint64_t value) { return std::to_string(value); };
  const std::pair<std::string_view, std::string> fields[] = {
      {"version", process.version},
      {"pid", number(process.pid)},
      {"uptime_s", number(process.uptime_s())},
      {"workers", number(context.config->workers)},
      {"clients", number(clients)},
      {"shards", number(context.pool->shards().size())},
      {"config_file", context.config->file},
      {"config_loaded", IsoTime(reloads.loaded_unix_us)},
      {"reloads", number(reloads.done)},
      {"reloads_refused", number(reloads.refused)},
      {"last_reload", reloads.tried_unix_us == 0 ? "" : IsoTime(reloads.tried_unix_us)},
      {"last_reload_error", Printable(reloads.error)},
  };
  std::string out;
  AppendMapHeader(&out, static_cast<int64_t>(std::size(fields)));
  for (const auto& [name, value] : fields) {
    AppendBulk(&out, name);
    AppendBulk(&out, value);
  }
  session.ReplyNow(out);
}

}  // namespace

LocalHandler ReloadHandler(LocalCommand command) {
  switch (command) {
    case LocalCommand::kProxyReload:
      return ProxyReload;
    case LocalCommand::kProxyUpgrade:
      return ProxyUpgrade;
    case LocalCommand::kProxyStatus:
      return ProxyStatus;
    default:
      return nullptr;
  }
}

}  // namespace gemel
