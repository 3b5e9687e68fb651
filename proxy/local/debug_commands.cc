// DEBUG where gemel answers it: SLEEP, ERROR, PROTOCOL and HELP. What reads keys
// goes to their shard like any read.

#include <algorithm>
#include <cmath>
#include <exception>
#include <memory>
#include <string>

#include "backend/command/ascii.h"
#include "backend/resp/resp_writer.h"
#include "proxy/local/ask_nodes.h"
#include "proxy/local/help_reply.h"
#include "proxy/local/local_commands.h"
#include "proxy/session/gather.h"
#include "proxy/session/session.h"

namespace gemel {

namespace {

// The client alone sleeps, and what it asks behind it waits: others are served.
void Sleep(Session& session, const CommandRow& row, LocalArgs args) {
  double seconds = 0;
  try {
    seconds = std::stod(std::string(args[2]));
  } catch (const std::exception&) {
    seconds = 0;  // as Redis reads it
  }
  if (!(seconds > 0)) {
    session.ReplyNow("+OK\r\n");
    return;
  }
  Request* place = session.Reserve(&row);
  session.Await(place);
  NodesOrder order;
  order.delay_ms = static_cast<uint64_t>(std::ceil(std::min(seconds, 1e9) * 1000));
  SessionContext& context = session.context();
  GatherPtr gather =
      Gather::Make(context.dispatcher, place,
                   [](const std::vector<PartReply>&, std::string* out) { *out += "+OK\r\n"; });
  gather->AddApart(context.pool->shards()[0].slot, RequestKind::kNodes,
                   std::make_unique<NodesOrder>(order));
  Gather::Launch(std::move(gather));
}

void Error(Session& session, const CommandRow&, LocalArgs args) {
  session.ReplyError(args[2]);  // which becomes one line
}

// A reply of each type.
struct Sample {
  std::string_view name;
  std::string_view reply;
};
constexpr Sample kSamples[] = {
    {"string", "$11\r\nHello World\r\n"},
    {"integer", ":12345\r\n"},
    {"double", ",3.141\r\n"},
    {"null", "_\r\n"},
    {"array", "*3\r\n:0\r\n:1\r\n:2\r\n"},
    {"set", "~3\r\n:0\r\n:1\r\n:2\r\n"},
    {"map", "%3\r\n:0\r\n#f\r\n:1\r\n#t\r\n:2\r\n#f\r\n"},
    {"bignum", "(1234567999999999999999999999999999999\r\n"},
    {"true", "#t\r\n"},
    {"false", "#f\r\n"},
    {"verbatim", "=29\r\ntxt:This is a verbatim\nstring\r\n"},
};

void Protocol(Session& session, const CommandRow&, LocalArgs args) {
  for (const Sample& sample : kSamples) {
    if (EqualsLower(args[2], sample.name)) {
      session.ReplyNow(sample.reply);
      return;
    }
  }
  session.ReplyError(
      "ERR Wrong protocol type name. Please use one of the following: "
      "string|integer|double|null|array|set|map|bignum|verbatim|true|false");
}

void Help(Session& session, const CommandRow&, LocalArgs) {
  session.ReplyNow(HelpReply(
      "DEBUG",
      {"DIGEST", "XOR.", "DIGEST-VALUE <key> [<key> ...]",
       "    Return a hex signature of the values of all the specified keys.", "ERROR <string>",
       "    Return a Redis protocol error with <string> as message.", "HTSTATS-KEY <key>",
       "    Like HTSTATS, but for the hash table stored at <key>'s value.", "LISTPACK <key>",
       "    Show low level info about the listpack encoding of <key>.", "OBJECT <key>",
       "    Show low level info about <key> and associated value, on its primary.",
       "PROTOCOL <type>", "    Reply with a test value of the specified type.", "SDSLEN <key>",
       "    Show low level SDS string info representing <key> and value.", "SLEEP <seconds>",
       "    Let this client wait. Decimals allowed."}));
}

struct Subcommand {
  std::string_view name;
  void (*run)(Session&, const CommandRow&, LocalArgs);
};
constexpr Subcommand kSubcommands[] = {
    {"debug|error", Error},
    {"debug|help", Help},
    {"debug|protocol", Protocol},
    {"debug|sleep", Sleep},
};

void Debug(LocalCommands&, Session& session, const CommandRow& row, LocalArgs args) {
  for (const Subcommand& subcommand : kSubcommands) {
    if (subcommand.name == row.name) return subcommand.run(session, row, args);
  }
  session.ReplyError("ERR " + std::string(row.name) + " has no handler");
}

}  // namespace

LocalHandler DebugHandler(LocalCommand command) {
  return command == LocalCommand::kDebug ? Debug : nullptr;
}

}  // namespace gemel
