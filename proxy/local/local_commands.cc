#include "proxy/local/local_commands.h"

#include <array>

#include "proxy/local/command_replies.h"
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
                     AuditHandler, ReloadHandler}) {
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

std::string LocalCommands::RunForOtherWorker(LocalArgs args) {
  // The frame is the client's own: CLIENT LIST ... or CLIENT KILL ...
  return args.size() > 1 && (args[1][0] == 'k' || args[1][0] == 'K') ? KillClients(*this, args)
                                                                     : ListClients(*this, args);
}

}  // namespace gemel
