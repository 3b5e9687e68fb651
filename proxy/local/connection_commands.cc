// PING, ECHO, QUIT, RESET, SELECT, AUTH and HELLO.

#include <utility>

#include "backend/acl/password_hash.h"
#include "backend/command/ascii.h"
#include "backend/command/other_database.h"
#include "backend/resp/request_reader.h"
#include "backend/resp/resp_writer.h"
#include "proxy/local/local_commands.h"
#include "proxy/session/errors.h"
#include "proxy/session/rights.h"
#include "proxy/session/session.h"

namespace gemel {

namespace {

// Of what a client sent, in an answer to it.
constexpr size_t kMaxQuotedOption = 300;

void Ok(Session& session) { session.ReplyNow("+OK\r\n"); }

void Ping(LocalCommands&, Session& session, const CommandRow& row, LocalArgs args) {
  if (args.size() > 2) {
    session.ReplyError(ArityError(row));
  } else if (session.state().subscriptions.any() && !session.state().protocol.is_resp3()) {
    // So that no reply is taken for one to something else.
    std::string out;
    AppendArrayHeader(&out, 2);
    AppendBulk(&out, "pong");
    AppendBulk(&out, args.size() == 2 ? args[1] : std::string_view());
    session.ReplyNow(out);
  } else if (args.size() == 2) {
    std::string out;
    AppendBulk(&out, args[1]);
    session.ReplyNow(out);
  } else {
    session.ReplyNow("+PONG\r\n");
  }
}

void Echo(LocalCommands&, Session& session, const CommandRow&, LocalArgs args) {
  std::string out;
  AppendBulk(&out, args[1]);
  session.ReplyNow(out);
}

void Quit(LocalCommands&, Session& session, const CommandRow&, LocalArgs) {
  Ok(session);
  session.CloseAfterReplies();
}

void Reset(LocalCommands&, Session& session, const CommandRow&, LocalArgs) {
  session.state().Reset();
  if (session.state().access.full()) {
    session.ReplyError(kUserIsFull);
    session.CloseAfterReplies();
    return;
  }
  session.ReplyNow("+RESET\r\n");
}

// Why there is no database but the first, though Redis would have it; empty: there are more.
std::string WhyNoDatabases(LocalCommands& local, const PoolConfig& config) {
  if (const ShardConfig* shard = config.ShardWithDatabase(); shard != nullptr) {
    return "shard '" + shard->name +
           "' has one database of its nodes for itself ([[shard]] database): there is no other";
  }
  const NodeAbilities* abilities = local.process().abilities;
  const std::optional<ServerUser> poor =
      abilities == nullptr ? std::nullopt : abilities->WithoutDatabases();
  if (!poor) return {};
  return poor->node + " of shard '" + poor->shard +
         "' has fewer than [proxy] databases = " + std::to_string(config.databases) +
         ", or does not allow SELECT";
}

void Select(LocalCommands& local, Session& session, const CommandRow&, LocalArgs args) {
  int64_t database = 0;
  if (const std::string why = WhyNotSelect(local, session, args[1], &database); !why.empty()) {
    session.ReplyError(why);
    return;
  }
  session.state().database.Select(database);
  Ok(session);
}

// False: the client has been answered.
bool Authenticate(Session& session, std::string_view user, std::string_view password) {
  const AclUsers& users = session.context().pool->users();
  const bool right = users.Authenticates(user, password);
  WipePassword(password);
  if (right) {
    if (session.state().access.Right(users.Find(user))) return true;
    session.ReplyError(kUserIsFull);
    return false;
  }
  session.state().access.Wrong();
  NoteDenied(&session, AclDenied::kNothing, session.context().args[0], user);
  session.ReplyError("WRONGPASS invalid username-password pair or user is disabled.");
  return false;
}

void Auth(LocalCommands&, Session& session, const CommandRow&, LocalArgs args) {
  if (args.size() > 3) {
    session.ReplyError("ERR syntax error");
    return;
  }
  const AclUser& first = *session.context().pool->users().first();
  if (args.size() == 2 && first.nopass()) {
    session.ReplyError(
        "ERR AUTH <password> called without any password configured for the default user. Are you "
        "sure your configuration is correct?");
    return;
  }
  const std::string_view user = args.size() == 3 ? args[1] : std::string_view(first.name());
  if (session.state().access.PutOff()) return;  // the command comes again
  if (Authenticate(session, user, args.back())) Ok(session);
}

// Whether the client may speak it from now on; else it has been told why not.
bool CheckProtocol(LocalCommands& local, Session& session, int64_t version) {
  if (!Protocol::IsSpoken(version)) {
    session.ReplyError("NOPROTO unsupported protocol version");
    return false;
  }
  const NodeAbilities* abilities = local.process().abilities;
  if (version == Protocol::kFirst || abilities == nullptr) return true;
  const std::optional<ServerUser> old = abilities->WithoutResp3();
  if (!old) return true;
  session.ReplyError("NOPROTO unsupported protocol version: " + old->node + " of shard '" +
                     old->shard + "' speaks RESP2 alone, or does not allow HELLO");
  return false;
}

void Hello(LocalCommands& local, Session& session, const CommandRow&, LocalArgs args) {
  size_t at = 1;
  int64_t version = session.state().protocol.version();
  if (args.size() > 1) {
    if (!ParseInteger(args[1], &version)) {
      session.ReplyError("ERR Protocol version is not an integer or out of range");
      return;
    }
    if (!CheckProtocol(local, session, version)) return;
    at = 2;
  }
  bool guesses = false;
  while (at < args.size()) {
    if (EqualsLower(args[at], "auth") && at + 2 < args.size()) {
      // As Redis: in their order, and what was set before an error stays. It waits once, whatever
      // how many it has: the first wrong one ends it.
      if (!std::exchange(guesses, true) && session.state().access.PutOff()) return;
      if (!Authenticate(session, args[at + 1], args[at + 2])) return;
      at += 3;
    } else if (EqualsLower(args[at], "setname") && at + 1 < args.size()) {
      if (!CheckClientName(session, args[at + 1])) return;
      session.state().client_name.Set(args[at + 1]);
      at += 2;
    } else {
      session.ReplyError("ERR Syntax error in HELLO option '" +
                         std::string(args[at].substr(0, kMaxQuotedOption)) + "'");
      return;
    }
  }
  if (!session.state().access.authenticated()) {
    session.ReplyError(
        "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO "
        "<proto> AUTH <user> <pass> option can be used to authenticate the client and select the "
        "RESP protocol version at the same time");
    return;
  }
  session.state().protocol.Choose(version);
  std::string out;
  AppendMapHeader(&out, 7);
  AppendBulk(&out, "server");
  AppendBulk(&out, "redis");
  AppendBulk(&out, "version");
  AppendBulk(&out, kRedisVersion);
  AppendBulk(&out, "proto");
  AppendInteger(&out, version);
  AppendBulk(&out, "id");
  AppendInteger(&out, static_cast<int64_t>(session.facts().id));
  AppendBulk(&out, "mode");
  AppendBulk(&out, ModeName(session.context().pool->config()));
  AppendBulk(&out, "role");
  AppendBulk(&out, "master");
  AppendBulk(&out, "modules");
  AppendArrayHeader(&out, 0);
  session.ReplyNow(out);
}

}  // namespace

std::string WhyNotSelect(LocalCommands& local, Session& session, std::string_view index,
                         int64_t* database) {
  if (std::string wrong = ParseDatabase(index, database); !wrong.empty()) return wrong;
  const PoolConfig& config = session.context().pool->config();
  if (*database > 0 && *database < config.databases) {
    if (const std::string why = WhyNoDatabases(local, config); !why.empty()) {
      return std::string(kNoSuchDatabase) + ": " + why;
    }
  }
  if (*database < 0 || *database >= config.Databases()) return std::string(kNoSuchDatabase);
  return {};
}

LocalHandler ConnectionHandler(LocalCommand command) {
  switch (command) {
    case LocalCommand::kPing:
      return Ping;
    case LocalCommand::kEcho:
      return Echo;
    case LocalCommand::kQuit:
      return Quit;
    case LocalCommand::kReset:
      return Reset;
    case LocalCommand::kSelect:
      return Select;
    case LocalCommand::kAuth:
      return Auth;
    case LocalCommand::kHello:
      return Hello;
    default:
      return nullptr;
  }
}

}  // namespace gemel
