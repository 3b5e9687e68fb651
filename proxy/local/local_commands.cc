#include "proxy/local/local_commands.h"

#include <array>

#include "backend/resp/resp_writer.h"
#include "proxy/local/command_replies.h"
#include "proxy/local/worker_orders.h"
#include "proxy/seen/worker_seen.h"
#include "proxy/session/gather.h"
#include "proxy/session/session.h"

namespace gemel {

namespace {

void CommandReply(LocalCommands&, Session& session, const CommandRow& row, LocalArgs args) {
  std::string out;
  if (AppendCommandReply(session.context().pool->names(), row.local, args, &out)) {
    session.ReplyNow(out);
  } else {
    session.ReplyError("ERR " + std::string(row.name) + " has no handler");
  }
}

// A node knows the arguments, the complexity and the history of its commands.
void CommandDocs(LocalCommands&, Session& session, const CommandRow& row, LocalArgs args) {
  SessionContext& context = session.context();
  std::vector<std::string> asked(args.begin() + 2, args.end());
  GatherPtr gather = Gather::Make(
      context.dispatcher, session.Reserve(&row),
      [&context, asked = std::move(asked)](const std::vector<PartReply>& parts, std::string* out) {
        const std::vector<std::string_view> names(asked.begin(), asked.end());
        AppendCommandDocs(context.pool->names(), names, parts[0].reply, out);
      });
  gather->AddShard(context.pool->shards()[0].slot, RequestKind::kRead, &row,
                   CommandFrame({args.begin(), args.end()}));
  Gather::Launch(std::move(gather));
}

LocalHandler HandlerOf(LocalCommand command) {
  if (command == LocalCommand::kCommandDocs) return CommandDocs;
  for (auto group :
       {AclHandler,         AclChangeHandler, ConnectionHandler, FleetHandler,   ClientHandler,
        ServerHandler,      ProxyHandler,     ControlHandler,    AuditHandler,   ReloadHandler,
        TransactionHandler, ScriptHandler,    FunctionHandler,   WaitHandler,    ClusterHandler,
        ChannelHandler,     ConfigHandler,    SaveHandler,       DebugHandler,   TrackingHandler,
        InfoHandler,        SlowlogHandler,   LatencyHandler,    MonitorHandler, TraceHandler,
        KeyHandler}) {
    if (LocalHandler handler = group(command)) return handler;
  }
  return CommandReply;
}

constexpr size_t kCount = static_cast<size_t>(LocalCommand::kCount);

std::array<LocalHandler, kCount> MakeHandlers() {
  std::array<LocalHandler, kCount> handlers{};
  for (size_t i = 0; i < kCount; ++i) handlers[i] = HandlerOf(static_cast<LocalCommand>(i));
  return handlers;
}

}  // namespace

LocalCommands::LocalCommands(const ProcessInfo* process, SessionDirectory* directory)
    : process_(process), directory_(directory) {}

void LocalCommands::Run(Session& session, const CommandRow& row, LocalArgs args) {
  static const std::array<LocalHandler, kCount> kHandlers = MakeHandlers();
  kHandlers[static_cast<size_t>(row.local)](*this, session, row, args);
}

void LocalCommands::RunWorkerOrder(Request* request) {
  WorkerOrder::What& order = static_cast<WorkerOrder&>(*request->extra->cargo).what;
  std::string reply;
  if (auto* list = std::get_if<ListClientsOrder>(&order)) {
    reply = ListClients(*this, *list);
  } else if (auto* kill = std::get_if<KillClientsOrder>(&order)) {
    kill->killed = KillClients(*this, *kill->filter, kill->own_id);
  } else if (auto* unblock = std::get_if<UnblockClientOrder>(&order)) {
    unblock->done = UnblockClient(*this, unblock->id, unblock->error);
  } else if (auto* redirect = std::get_if<RedirectOrder>(&order)) {
    redirect->found = BecomeRedirect(*this, redirect->id);
  } else if (auto* pause = std::get_if<PauseClientsOrder>(&order)) {
    PauseClients(*this, *pause);
  } else if (std::holds_alternative<ResetStatsOrder>(order)) {
    directory_->seen().Reset();
  } else {
    auto* process = std::get_if<ProcessOrder>(&order);
    on_process_order_(std::move(process->order), [request, process](const ReloadOutcome& outcome) {
      process->outcome = outcome;
      request->sink->OnReply(request, Reply{{}, nullptr});
    });
    return;
  }
  request->sink->OnReply(request, Reply{reply, nullptr});
}

}  // namespace gemel
