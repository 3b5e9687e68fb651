// CLIENT and its subcommands.

#include <algorithm>
#include <memory>

#include "backend/command/ascii.h"
#include "backend/resp/resp_writer.h"
#include "proxy/local/help_reply.h"
#include "proxy/local/local_commands.h"
#include "proxy/local/worker_orders.h"
#include "proxy/session/gather.h"
#include "proxy/session/session.h"

namespace gemel {

namespace {

// CLIENT LIST holds all of them at once.
constexpr size_t kMaxClientName = 1024;
// A century: what comes to more of a client's number than the clock can take.
constexpr uint64_t kLongestPauseMs = uint64_t{100} * 365 * 24 * 3600 * 1000;

std::string ClientFlags(const Session& session) {
  std::string flags;
  if (session.state().monitoring.on()) flags += 'O';
  if (session.state().subscriptions.any()) flags += 'P';
  if (session.state().transaction.open()) flags += 'x';
  if (session.waits().active() || session.reading().held_by_pause()) flags += 'b';
  if (session.state().tracking.on()) flags += 't';
  if (session.state().tracking.broken()) flags += 'R';
  if (session.state().tracking.on() && session.state().tracking.options().bcast) flags += 'B';
  if (session.facts().peer.starts_with("unix:")) flags += 'U';
  return flags.empty() ? "N" : flags;
}

// One client as CLIENT LIST shows it, in Redis's own fields. `handled`: bytes of the command of its
// own that asks for this, which Redis has in its buffer still.
std::string DescribeClient(Session& session, uint64_t now_ms, size_t handled) {
  const SessionFacts& facts = session.facts();
  const SessionState& state = session.state();
  const auto seconds = [now_ms](uint64_t since_ms) {
    return std::to_string(now_ms > since_ms ? (now_ms - since_ms) / 1000 : 0);
  };
  std::string line =
      "id=" + std::to_string(facts.id) + " addr=" + facts.peer + " laddr=" + facts.local +
      " fd=0 name=" + std::string(state.client_name.view()) + " age=" + seconds(facts.created_ms) +
      " idle=" + seconds(facts.active_ms) + " flags=" + ClientFlags(session) +
      " db=" + std::to_string(state.database.index()) +
      " sub=" + std::to_string(state.subscriptions.channels()) +
      " psub=" + std::to_string(state.subscriptions.patterns()) +
      " ssub=" + std::to_string(state.subscriptions.shard_channels()) +
      " multi=" + std::to_string(state.transaction.queued()) +
      " qbuf=" + std::to_string(session.input().size() + handled) +
      " qbuf-free=0 argv-mem=0 multi-mem=0 rbs=0 rbp=0 obl=0 oll=" +
      (session.replies().out().bytes() > 0 ? "1" : "0") +
      " omem=" + std::to_string(session.replies().out().bytes()) +
      " tot-mem=" + std::to_string(session.Held()) +
      " events=" + (session.reading().paused() ? "" : "r") + " cmd=";
  line += facts.last_command == nullptr ? "NULL" : facts.last_command->name;
  line += " user=" + state.access.user() + " redir=" + std::to_string(state.tracking.redirect()) +
          " resp=" + std::to_string(state.protocol.version());
  if (state.library.known()) {
    line += " lib-name=" + std::string(state.library.name()) +
            " lib-ver=" + std::string(state.library.version());
  }
  return line;
}

void ClientId(LocalCommands&, Session& session, const CommandRow&, LocalArgs) {
  std::string out;
  AppendInteger(&out, static_cast<int64_t>(session.facts().id));
  session.ReplyNow(out);
}

// Of the command at hand; where more is kept, it is in that.
size_t OwnSize(const Session& session) {
  return session.input().empty() ? session.input().reader().frame().size() : 0;
}

void ClientInfo(LocalCommands&, Session& session, const CommandRow&, LocalArgs) {
  std::string out;
  AppendVerbatim(&out, DescribeClient(session, session.context().now_ms, OwnSize(session)) + "\n");
  session.ReplyNow(out);
}

void ClientGetName(LocalCommands&, Session& session, const CommandRow&, LocalArgs) {
  const std::string_view name = session.state().client_name.view();
  std::string out;
  name.empty() ? AppendNull(&out) : AppendBulk(&out, name);
  session.ReplyNow(out);
}

void ClientSetName(LocalCommands&, Session& session, const CommandRow&, LocalArgs args) {
  if (!CheckClientName(session, args[2])) return;
  session.state().client_name.Set(args[2]);
  session.ReplyNow("+OK\r\n");
}

// Of Redis 7.2: libraries say so at each connection.
void ClientSetInfo(LocalCommands&, Session& session, const CommandRow&, LocalArgs args) {
  const bool name = EqualsLower(args[2], "lib-name");
  if (!name && !EqualsLower(args[2], "lib-ver")) {
    session.ReplyError("ERR Unrecognized option '" +
                       std::string(args[2].substr(0, kMaxClientName)) + "'");
    return;
  }
  const bool fits =
      std::all_of(args[3].begin(), args[3].end(), [](char c) { return c >= '!' && c <= '~'; });
  if (!fits || args[3].size() > kMaxClientName) {
    session.ReplyError("ERR " + std::string(name ? "lib-name" : "lib-ver") +
                       " cannot contain spaces, newlines or special characters.");
    return;
  }
  LibraryInfo& library = session.state().library;
  name ? library.SetName(args[3]) : library.SetVersion(args[3]);
  session.ReplyNow("+OK\r\n");
}

void ClientNoEvict(LocalCommands&, Session& session, const CommandRow&, LocalArgs args) {
  if (EqualsLower(args[2], "on") || EqualsLower(args[2], "off")) {
    session.ReplyNow("+OK\r\n");
  } else {
    session.ReplyError("ERR syntax error");
  }
}

void ClientReply(LocalCommands&, Session& session, const CommandRow&, LocalArgs args) {
  ReplyMode& mode = session.state().reply_mode;
  if (EqualsLower(args[2], "on")) {
    mode.Reset();
  } else if (EqualsLower(args[2], "off")) {
    mode.TurnOff();
  } else if (EqualsLower(args[2], "skip")) {
    mode.Skip();
  } else {
    session.ReplyError("ERR syntax error");
    return;
  }
  session.ReplyNow("+OK\r\n");  // by the new mode
}

// Null if the client has been told what is wrong with it.
std::shared_ptr<const ClientFilter> ReadFilter(Session& session, LocalArgs args, bool kill) {
  auto filter = std::make_shared<ClientFilter>();
  const std::string wrong =
      kill ? filter->ReadKill(args, session.facts().id, session.context().pool->users())
           : filter->ReadList(args);
  if (wrong.empty()) return filter;
  session.ReplyError(wrong);
  return nullptr;
}

void AskWorkers(Session& session, const CommandRow& row, const WorkerOrder::What& order,
                Gather::Finish finish) {
  Dispatcher* dispatcher = session.context().dispatcher;
  GatherPtr gather = Gather::Make(dispatcher, session.Reserve(&row), std::move(finish));
  for (uint32_t i = 0; i < dispatcher->workers(); ++i) {
    gather->AddWorker(i, std::make_unique<WorkerOrder>(order));
  }
  Gather::Launch(std::move(gather));
}

void OrderPause(Session& session, const CommandRow& row, const PauseClientsOrder& order) {
  AskWorkers(session, row, order,
             [](const std::vector<PartReply>&, std::string* out) { AppendSimple(out, "OK"); });
}

void ClientPause(LocalCommands&, Session& session, const CommandRow& row, LocalArgs args) {
  const bool writes = args.size() == 4 && EqualsLower(args[3], "write");
  int64_t for_ms = 0;
  if (args.size() > 4) {
    session.ReplyError(SubcommandSyntaxError(args));
  } else if (args.size() == 4 && !writes && !EqualsLower(args[3], "all")) {
    session.ReplyError("ERR CLIENT PAUSE mode must be WRITE or ALL");
  } else if (!ParseInteger(args[2], &for_ms)) {
    session.ReplyError("ERR timeout is not an integer or out of range");
  } else if (for_ms < 0) {
    session.ReplyError("ERR timeout is negative");
  } else {
    OrderPause(session, row, {true, static_cast<uint64_t>(for_ms), !writes});
  }
}

void ClientUnpause(LocalCommands&, Session& session, const CommandRow& row, LocalArgs) {
  OrderPause(session, row, {false});
}

void ClientList(LocalCommands&, Session& session, const CommandRow& row, LocalArgs args) {
  const auto filter = ReadFilter(session, args, /*kill=*/false);
  if (filter == nullptr) return;
  AskWorkers(session, row, ListClientsOrder{filter, session.facts().id, OwnSize(session)},
             [](const std::vector<PartReply>& parts, std::string* out) {
               std::string text;
               for (const PartReply& part : parts) text += part.reply;
               AppendVerbatim(out, text);
             });
}

void ClientKill(LocalCommands&, Session& session, const CommandRow& row, LocalArgs args) {
  const auto filter = ReadFilter(session, args, /*kill=*/true);
  if (filter == nullptr) return;
  AskWorkers(
      session, row, KillClientsOrder{filter, session.facts().id},
      [old_form = filter->old_form()](const std::vector<PartReply>& parts, std::string* out) {
        uint64_t killed = 0;
        for (const PartReply& part : parts) {
          const auto& order = static_cast<const WorkerOrder&>(*part.cargo);
          killed += std::get<KillClientsOrder>(order.what).killed;
        }
        if (!old_form) {
          AppendInteger(out, static_cast<int64_t>(killed));
        } else if (killed > 0) {
          AppendSimple(out, "OK");
        } else {
          AppendError(out, "ERR No such client");
        }
      });
}

void ClientUnblock(LocalCommands&, Session& session, const CommandRow& row, LocalArgs args) {
  const bool error = args.size() == 4 && EqualsLower(args[3], "error");
  if (args.size() > 4) {
    session.ReplyError(SubcommandSyntaxError(args));
    return;
  }
  if (args.size() == 4 && !error && !EqualsLower(args[3], "timeout")) {
    session.ReplyError("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR");
    return;
  }
  int64_t id = 0;
  if (!ParseInteger(args[2], &id)) {
    session.ReplyError("ERR value is not an integer or out of range");
    return;
  }
  AskWorkers(session, row, UnblockClientOrder{static_cast<uint64_t>(id), error},
             [](const std::vector<PartReply>& parts, std::string* out) {
               int64_t done = 0;
               for (const PartReply& part : parts) {
                 const auto& order = static_cast<const WorkerOrder&>(*part.cargo);
                 done += std::get<UnblockClientOrder>(order.what).done ? 1 : 0;
               }
               AppendInteger(out, done);
             });
}

void ClientHelp(LocalCommands&, Session& session, const CommandRow&, LocalArgs) {
  session.ReplyNow(HelpReply(
      "CLIENT", {"CACHING (YES|NO)",
                 "    Enable/disable tracking of the keys for next command in OPTIN/OPTOUT modes.",
                 "GETREDIR",
                 "    Return the client ID we are redirecting to when tracking is enabled.",
                 "GETNAME",
                 "    Return the name of the current connection.",
                 "ID",
                 "    Return the ID of the current connection.",
                 "INFO",
                 "    Return information about the current client connection.",
                 "KILL <ip:port>",
                 "    Kill connection made from <ip:port>.",
                 "KILL <option> <value> [<option> <value> [...]]",
                 "    Kill connections. Options are:",
                 "    * ADDR (<ip:port>|<unixsocket>:0)",
                 "      Kill connections made from the specified address",
                 "    * LADDR (<ip:port>|<unixsocket>:0)",
                 "      Kill connections made to specified local address",
                 "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
                 "      Kill connections by type.",
                 "    * USER <username>",
                 "      Kill connections authenticated by <username>.",
                 "    * SKIPME (YES|NO)",
                 "      Skip killing current connection (default: yes).",
                 "LIST [options ...]",
                 "    Return information about client connections. Options:",
                 "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
                 "      Return clients of specified type.",
                 "UNPAUSE",
                 "    Stop the current client pause, resuming traffic.",
                 "PAUSE <timeout> [WRITE|ALL]",
                 "    Suspend all, or just write, clients for <timeout> milliseconds.",
                 "REPLY (ON|OFF|SKIP)",
                 "    Control the replies sent to the current connection.",
                 "SETNAME <name>",
                 "    Assign the name <name> to the current connection.",
                 "UNBLOCK <clientid> [TIMEOUT|ERROR]",
                 "    Unblock the specified blocked client.",
                 "TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> [...]]",
                 "         [OPTIN] [OPTOUT] [NOLOOP]",
                 "    Control server assisted client side caching.",
                 "TRACKINGINFO",
                 "    Report tracking status for the current connection.",
                 "NO-EVICT (ON|OFF)",
                 "    Protect current client connection from eviction."}));
}

}  // namespace

std::string LocalCommands::Describe(Session& session) {
  return DescribeClient(session, session.context().now_ms, OwnSize(session));
}

void PauseClients(LocalCommands& local, const PauseClientsOrder& order) {
  SessionContext& context = local.directory().session_context();
  if (order.pause) {
    context.pause.Begin(context.now_ms + std::min(order.for_ms, kLongestPauseMs), order.all);
  } else {
    context.pause.End();
  }
}

bool CheckClientName(Session& session, std::string_view name) {
  if (name.size() > kMaxClientName) {
    session.ReplyError("ERR Client names cannot be longer than " + std::to_string(kMaxClientName) +
                       " bytes here");
    return false;
  }
  for (char c : name) {
    if (c < '!' || c > '~') {
      session.ReplyError("ERR Client names cannot contain spaces, newlines or special characters.");
      return false;
    }
  }
  return true;
}

std::string ListClients(LocalCommands& local, const ListClientsOrder& order) {
  std::string text;
  local.directory().ForEachSession([&](Session& session) {
    if (!order.filter->Matches(session)) return;
    const size_t handled = session.facts().id == order.own_id ? order.own_size : 0;
    text += DescribeClient(session, session.context().now_ms, handled) + "\n";
  });
  return text;
}

uint64_t KillClients(LocalCommands& local, const ClientFilter& filter, uint64_t own_id) {
  std::vector<Session*> chosen;
  local.directory().ForEachSession([&](Session& session) {
    if (filter.Matches(session)) chosen.push_back(&session);
  });
  for (Session* session : chosen) {
    if (session->facts().id == own_id) {
      session->CloseAfterReplies();
    } else {
      local.directory().KillSession(*session);
    }
  }
  return chosen.size();
}

bool UnblockClient(LocalCommands& local, uint64_t id, bool error) {
  bool done = false;
  local.directory().ForEachSession([&](Session& session) {
    if (session.facts().id != id || !session.waits().active()) return;
    session.commands().Unblock(error ? UnblockCargo::Why::kError : UnblockCargo::Why::kTimeout);
    done = true;
  });
  return done;
}

LocalHandler ClientHandler(LocalCommand command) {
  switch (command) {
    case LocalCommand::kClientId:
      return ClientId;
    case LocalCommand::kClientInfo:
      return ClientInfo;
    case LocalCommand::kClientList:
      return ClientList;
    case LocalCommand::kClientKill:
      return ClientKill;
    case LocalCommand::kClientGetName:
      return ClientGetName;
    case LocalCommand::kClientSetName:
      return ClientSetName;
    case LocalCommand::kClientSetInfo:
      return ClientSetInfo;
    case LocalCommand::kClientNoEvict:
      return ClientNoEvict;
    case LocalCommand::kClientReply:
      return ClientReply;
    case LocalCommand::kClientPause:
      return ClientPause;
    case LocalCommand::kClientUnpause:
      return ClientUnpause;
    case LocalCommand::kClientUnblock:
      return ClientUnblock;
    case LocalCommand::kClientHelp:
      return ClientHelp;
    default:
      return nullptr;
  }
}

}  // namespace gemel
