#include "proxy/local/local_commands.h"

#include <array>

#include "proxy/local/command_replies.h"
#include "proxy/local/worker_orders.h"
#include "proxy/session/session.h"

namespace gemel {

namespace {

void CommandReply(LocalCommands&, Session& session, const CommandRow& row, LocalArgs args) {
  std::string out;
  if (AppendCommandReply(session.context().pool->table(), row.local, args, &out)) {
    session.ReplyNow(out);
  } else {
    session.ReplyError("ERR " + std::string(row.name) + " has no handler");
  }
}

LocalHandler HandlerOf(LocalCommand command) {
  for (auto group : {ConnectionHandler, ClientHandler, ServerHandler, ProxyHandler, ControlHandler,
                     AuditHandler, ReloadHandler, TransactionHandler, ScriptHandler,
                     FunctionHandler, WaitHandler, ClusterHandler, ChannelHandler}) {
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
    reply = ListClients(*this, *list->filter);
  } else if (auto* kill = std::get_if<KillClientsOrder>(&order)) {
    kill->killed = KillClients(*this, *kill->filter, kill->own_id);
  } else if (auto* unblock = std::get_if<UnblockClientOrder>(&order)) {
    unblock->done = UnblockClient(*this, unblock->id, unblock->error);
  } else if (auto* pause = std::get_if<PauseClientsOrder>(&order)) {
    PauseClients(*this, *pause);
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
