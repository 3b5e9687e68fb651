// SCRIPT LOAD, EXISTS and FLUSH, on the scripts that gemel keeps; and SCRIPT KILL.

#include <utility>

#include "backend/command/ascii.h"
#include "backend/resp/resp_writer.h"
#include "proxy/local/local_commands.h"
#include "proxy/scripts/script_cache.h"
#include "proxy/session/gather.h"
#include "proxy/session/session.h"

namespace gemel {

namespace {

// A node says whether it can be compiled.
void ScriptLoad(LocalCommands&, Session& session, const CommandRow& row, LocalArgs args) {
  SessionContext& context = session.context();
  ScriptCache* scripts = context.scripts;
  Request* place = session.Reserve(&row);
  session.Await(place);  // what comes behind it may name it
  GatherPtr gather = Gather::Make(context.dispatcher, place,
                                  [scripts, text = std::string(args[2])](
                                      const std::vector<PartReply>& parts, std::string* out) {
                                    if (!parts[0].reply.starts_with('-')) scripts->Add(text);
                                    out->append(parts[0].reply);
                                  });
  gather->AddShard(context.pool->shards()[0].slot, RequestKind::kRead, &row,
                   CommandFrame({args.begin(), args.end()}));
  Gather::Launch(std::move(gather));
}

void ScriptExists(LocalCommands&, Session& session, const CommandRow&, LocalArgs args) {
  std::string out;
  AppendArrayHeader(&out, static_cast<int64_t>(args.size() - 2));
  for (const std::string_view sha1 : args.subspan(2)) {
    AppendInteger(&out, session.context().scripts->Has(sha1) ? 1 : 0);
  }
  session.ReplyNow(out);
}

// The nodes forget what they were shown as well: each script takes memory there.
void ScriptFlush(LocalCommands&, Session& session, const CommandRow& row, LocalArgs args) {
  if (args.size() > 3 || !SaysHowToFlush(args)) {
    session.ReplyError("ERR SCRIPT FLUSH only support SYNC|ASYNC option");
    return;
  }
  SessionContext& context = session.context();
  context.scripts->Clear();
  GatherPtr gather =
      Gather::Make(context.dispatcher, session.Reserve(&row),
                   [](const std::vector<PartReply>&, std::string* out) { out->append("+OK\r\n"); });
  gather->AddEachShard(*context.pool, RequestKind::kLibraries, nullptr,
                       CommandFrame({"SCRIPT", "FLUSH", "ASYNC"}));
  Gather::Launch(std::move(gather));
}

// On whatever shard runs one. It is ended, or it cannot be, or there is none.
void FinishKill(const std::vector<PartReply>& parts, std::string* out) {
  std::string_view answer = parts[0].reply;
  for (const PartReply& part : parts) {
    const bool ended = part.reply.starts_with('+');
    if (ended || (answer.starts_with("-NOTBUSY") && !part.reply.starts_with("-NOTBUSY"))) {
      answer = part.reply;
    }
    if (ended) break;
  }
  out->append(answer);
}

// SCRIPT KILL and FUNCTION KILL.
void ScriptKill(LocalCommands&, Session& session, const CommandRow& row, LocalArgs args) {
  SessionContext& context = session.context();
  GatherPtr gather = Gather::Make(context.dispatcher, session.Reserve(&row), FinishKill);
  gather->AddEachShard(*context.pool, RequestKind::kKill, nullptr, args[0]);
  Gather::Launch(std::move(gather));
}

}  // namespace

bool SaysHowToFlush(LocalArgs args) {
  return args.size() < 3 || EqualsLower(args[2], "async") || EqualsLower(args[2], "sync");
}

LocalHandler ScriptHandler(LocalCommand command) {
  switch (command) {
    case LocalCommand::kScriptLoad:
      return ScriptLoad;
    case LocalCommand::kScriptExists:
      return ScriptExists;
    case LocalCommand::kScriptFlush:
      return ScriptFlush;
    case LocalCommand::kScriptKill:
      return ScriptKill;
    default:
      return nullptr;
  }
}

}  // namespace gemel
