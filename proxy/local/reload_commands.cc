// PROXY RELOAD, PROXY STATUS, and CONFIG SET and REWRITE: what concerns the process's config.

#include <algorithm>

#include "backend/command/ascii.h"
#include "backend/resp/resp_writer.h"
#include "config/config_names.h"
#include "config/config_options.h"
#include "proxy/local/local_commands.h"
#include "proxy/local/worker_orders.h"
#include "proxy/log/event_log.h"
#include "proxy/log/printable.h"
#include "proxy/reload/reload_status.h"
#include "proxy/session/gather.h"
#include "proxy/session/session.h"

namespace gemel {

namespace {

// An order waits for others: none of a client's choice of size.
constexpr size_t kMaxOrder = 64 * 1024;
// Of what a client sent, in an answer to it.
constexpr size_t kMaxQuotedName = 100;

std::string Error(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  std::string reply;
  AppendError(&reply, "ERR " + text);
  return reply;
}

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

bool IsTooLarge(Session& session, LocalArgs args) {
  size_t bytes = 0;
  for (const std::string_view arg : args) bytes += arg.size();
  if (bytes <= kMaxOrder) return false;
  session.ReplyError("ERR an order to the proxy takes " + std::to_string(kMaxOrder) +
                     " bytes at most");
  return true;
}

// Worker 0 keeps the config. It answers when the order is carried out, and drops an order whose
// client has left before its turn. A client has one order at a time.
void SendToProcess(Session& session, const CommandRow& row, ReloadOrder order,
                   std::string (*reply)(const ReloadOutcome&)) {
  Request* place = session.Reserve(&row);
  session.Await(place);
  order.local = session.state().access.local_peer();
  order.gone = session.replies().Gone();
  GatherPtr gather = Gather::Make(session.context().dispatcher, place,
                                  [reply](const std::vector<PartReply>& parts, std::string* out) {
                                    const auto& sent =
                                        static_cast<const WorkerOrder&>(*parts[0].cargo);
                                    out->append(reply(std::get<ProcessOrder>(sent.what).outcome));
                                  });
  gather->AddWorker(0, std::make_unique<WorkerOrder>(ProcessOrder{std::move(order)}));
  Gather::Launch(std::move(gather));
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
  SendToProcess(session, row, std::move(order), [](const ReloadOutcome& outcome) {
    return outcome.ok ? Lines(outcome.text) : Error(outcome.text);
  });
}

void ConfigSet(LocalCommands&, Session& session, const CommandRow& row, LocalArgs args) {
  if (args.size() % 2 != 0) {
    session.ReplyError("ERR syntax error");
    return;
  }
  if (IsTooLarge(session, args)) return;
  ReloadOrder order;
  order.cause = "CONFIG SET";
  // As Redis does it: first all names are looked at, then the values.
  std::vector<const OptionInfo*> options;
  std::vector<std::string> names;
  const auto fail = [&session](const std::string& name, const std::string& why) {
    session.ReplyNow(
        Error("CONFIG SET failed (possibly related to argument '" + name + "') - " + why));
  };
  for (size_t i = 2; i + 1 < args.size(); i += 2) {
    std::string name(FileOption(args[i]));
    const OptionInfo* option = FindOption(name);
    if (option == nullptr) {
      session.ReplyNow(Error("Unknown option or number of arguments for CONFIG SET - '" +
                             std::string(args[i].substr(0, kMaxQuotedName)) +
                             "'; CONFIG GET * names them"));
      return;
    }
    if (std::find(options.begin(), options.end(), option) != options.end()) {
      return fail(std::string(args[i]), "duplicate parameter");
    }
    options.push_back(option);
    names.push_back(std::move(name));
  }
  for (size_t i = 0; i < options.size(); ++i) {
    std::string& name = names[i];
    std::string error;
    std::optional<std::string> value =
        TomlValue(options[i]->kind, FileValue(args[2 + 2 * i], args[3 + 2 * i]), &error);
    if (!value) return fail(name, error);
    order.cause += " " + name;
    order.sets.emplace_back(name, *std::move(value));
  }
  SendToProcess(session, row, std::move(order), [](const ReloadOutcome& outcome) {
    return outcome.ok ? "+OK\r\n" : Error("CONFIG SET failed - " + outcome.text);
  });
}

void ConfigRewrite(LocalCommands&, Session& session, const CommandRow& row, LocalArgs) {
  ReloadOrder order;
  order.cause = "CONFIG REWRITE";
  order.rewrite = true;
  SendToProcess(session, row, std::move(order), [](const ReloadOutcome& outcome) {
    return outcome.ok ? "+OK\r\n" : Error("Rewriting config file: " + outcome.text);
  });
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
