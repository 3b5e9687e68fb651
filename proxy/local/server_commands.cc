// ROLE, TIME, LOLWUT.

#include <algorithm>

#include "backend/command/ascii.h"
#include "backend/resp/request_reader.h"
#include "backend/resp/resp_writer.h"
#include "proxy/local/local_commands.h"
#include "proxy/session/session.h"

namespace gemel {

namespace {

void Time(LocalCommands& local, Session& session, const CommandRow&, LocalArgs) {
  const int64_t now_us = local.process().unix_time_us();
  std::string out;
  AppendArrayHeader(&out, 2);
  AppendBulk(&out, std::to_string(now_us / 1000000));
  AppendBulk(&out, std::to_string(now_us % 1000000));
  session.ReplyNow(out);
}

// To its clients it is a master without replicas, as INFO says, too: which node has which role is
// nobody's business but an operator's (PROXY SHARDS).
void Role(LocalCommands&, Session& session, const CommandRow&, LocalArgs) {
  std::string out;
  AppendArrayHeader(&out, 3);
  AppendBulk(&out, "master");
  AppendInteger(&out, 0);
  AppendArrayHeader(&out, 0);
  session.ReplyNow(out);
}

void Lolwut(LocalCommands& local, Session& session, const CommandRow&, LocalArgs args) {
  // Those of versions 5 and 6 take three and two numbers.
  if (args.size() > 2 && EqualsLower(args[1], "version")) {
    int64_t version = 0;
    int64_t size = 0;
    bool numbers = ParseInteger(args[2], &version);
    const size_t taken = version == 5 ? 3 : version == 6 ? 2 : 0;
    for (size_t i = 3; numbers && i < std::min(args.size(), 3 + taken); ++i) {
      numbers = ParseInteger(args[i], &size);
    }
    if (!numbers) {
      session.ReplyError("ERR value is not an integer or out of range");
      return;
    }
  }
  std::string out;
  AppendVerbatim(&out,
                 "  ( )( )\n\nTwo rings made as one. gemel " + local.process().version + "\n");
  session.ReplyNow(out);
}

}  // namespace

LocalHandler ServerHandler(LocalCommand command) {
  switch (command) {
    case LocalCommand::kRole:
      return Role;
    case LocalCommand::kTime:
      return Time;
    case LocalCommand::kLolwut:
      return Lolwut;
    default:
      return nullptr;
  }
}

}  // namespace gemel
