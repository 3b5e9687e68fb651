// SLOWLOG. Source: slowlog.c of Redis 7.0.

#include "backend/resp/request_reader.h"
#include "backend/resp/resp_writer.h"
#include "proxy/local/help_reply.h"
#include "proxy/local/local_commands.h"
#include "proxy/seen/slow_log.h"
#include "proxy/session/session.h"

namespace gemel {

namespace {

constexpr int64_t kShownByDefault = 10;

void SlowlogGet(LocalCommands& local, Session& session, const CommandRow&, LocalArgs args) {
  int64_t count = kShownByDefault;
  if (args.size() > 3) {
    session.ReplyError(SubcommandSyntaxError(args));
    return;
  }
  if (args.size() == 3 && (!ParseInteger(args[2], &count) || count < -1)) {
    session.ReplyError("ERR count should be greater than or equal to -1");
    return;
  }
  std::string out;
  local.process().slow_log->AppendReply(count < 0 ? SIZE_MAX : static_cast<size_t>(count), &out);
  session.ReplyNow(out);
}

void SlowlogLen(LocalCommands& local, Session& session, const CommandRow&, LocalArgs) {
  std::string out;
  AppendInteger(&out, static_cast<int64_t>(local.process().slow_log->size()));
  session.ReplyNow(out);
}

void SlowlogReset(LocalCommands& local, Session& session, const CommandRow&, LocalArgs) {
  local.process().slow_log->Reset();
  session.ReplyNow("+OK\r\n");
}

void SlowlogHelp(LocalCommands&, Session& session, const CommandRow&, LocalArgs) {
  session.ReplyNow(HelpReply(
      "SLOWLOG", {"GET [<count>]",
                  "    Return top <count> entries from the slowlog (default: 10, -1 mean all).",
                  "    Entries are made of:",
                  "    id, timestamp, time in microseconds, arguments array, client IP and port,",
                  "    client name", "LEN", "    Return the length of the slowlog.", "RESET",
                  "    Reset the slowlog."}));
}

}  // namespace

LocalHandler SlowlogHandler(LocalCommand command) {
  switch (command) {
    case LocalCommand::kSlowlogGet:
      return SlowlogGet;
    case LocalCommand::kSlowlogLen:
      return SlowlogLen;
    case LocalCommand::kSlowlogReset:
      return SlowlogReset;
    case LocalCommand::kSlowlogHelp:
      return SlowlogHelp;
    default:
      return nullptr;
  }
}

}  // namespace gemel
