// PROXY RELOAD, PROXY STATUS, and CONFIG SET and REWRITE: what concerns the process's config.

#include "backend/command/ascii.h"
#include "backend/resp/resp_writer.h"
#include "proxy/local/local_commands.h"
#include "proxy/log/event_log.h"
#include "proxy/log/printable.h"
#include "proxy/reload/reload_status.h"
#include "proxy/session/gather.h"
#include "proxy/session/session.h"

namespace gemel {

namespace {

// An order is copied from thread to thread and waits for others: none of a client's choice of size.
constexpr size_t kMaxOrder = 64 * 1024;

// Worker 0 keeps the config. It answers when the order is carried out, and drops an order whose
// client has left before its turn. A client has one order at a time.
void SendToProcess(Session& session, const CommandRow& row, LocalArgs args) {
  std::string frame;
  std::vector<std::string_view> words(args.begin(), args.end());
  words.push_back(session.state().access.local_peer() ? kAskedLocally : kAskedFromAfar);
  AppendCommand(&frame, words);
  if (frame.size() > kMaxOrder) {
    session.ReplyError("ERR an order to the proxy takes " + std::to_string(kMaxOrder) +
                       " bytes at most");
    return;
  }
  Request* order = session.Reserve(&row);
  session.replies().AwaitOrder(order);
  GatherPtr gather = Gather::Make(
      session.context().dispatcher, order,
      [](const std::vector<PartReply>& parts, std::string* out) { out->append(parts[0].reply); });
  gather->AddWorker(0, frame, session.replies().Gone());
  Gather::Launch(std::move(gather));
}

void ProxyReload(LocalCommands&, Session& session, const CommandRow& row, LocalArgs args) {
  for (const std::string_view word : args.subspan(2)) {
    if (EqualsLower(word, "dryrun") || EqualsLower(word, "force")) continue;
    session.ReplyError("ERR expected PROXY RELOAD [DRYRUN] [FORCE]");
    return;
  }
  SendToProcess(session, row, args);
}

void ConfigSet(LocalCommands&, Session& session, const CommandRow& row, LocalArgs args) {
  if (args.size() % 2 != 0) {
    session.ReplyError("ERR wrong number of arguments for 'config|set' command");
    return;
  }
  SendToProcess(session, row, args);
}

void ConfigRewrite(LocalCommands&, Session& session, const CommandRow& row, LocalArgs args) {
  SendToProcess(session, row, args);
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
  AppendArrayHeader(&out, static_cast<int64_t>(2 * std::size(fields)));
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
    case LocalCommand::kProxyStatus:
      return ProxyStatus;
    case LocalCommand::kConfigSet:
      return ConfigSet;
    case LocalCommand::kConfigRewrite:
      return ConfigRewrite;
    default:
      return nullptr;
  }
}

}  // namespace gemel
