// PROXY AUDIT: each shard compares its copies key by key, and the answer comes when all have.

#include <optional>

#include "backend/events/printable_key.h"
#include "backend/resp/resp_writer.h"
#include "proxy/local/local_commands.h"
#include "proxy/session/gather.h"
#include "proxy/session/session.h"

namespace gemel {

namespace {

// "a, b, c" or "a, b, ... (40 in all)".
std::string Names(const std::vector<PoolShard>& shards) {
  constexpr size_t kMost = 8;
  std::string text;
  for (size_t i = 0; i < shards.size() && i < kMost; ++i) {
    text += (i > 0 ? ", " : "") + shards[i].name;
  }
  if (shards.size() > kMost) text += ", ... (" + std::to_string(shards.size()) + " in all)";
  return text;
}

void ProxyAudit(LocalCommands&, Session& session, const CommandRow& row, LocalArgs args) {
  const SessionContext& context = session.context();
  const std::vector<PoolShard>& shards = context.pool->shards();
  if (args.size() > 3) {
    session.ReplyError("ERR wrong number of arguments for 'proxy|audit' command");
    return;
  }
  std::optional<uint32_t> only;
  for (uint32_t i = 0; i < shards.size() && args.size() == 3; ++i) {
    if (shards[i].name == args[2]) only = i;
  }
  if (args.size() == 3 && !only) {
    session.ReplyError("ERR there is no shard " + PrintableKey(args[2]) + ", expected one of " +
                       Names(shards));
    return;
  }
  const bool one = only.has_value();
  GatherPtr gather = Gather::Make(context.dispatcher, session.Reserve(&row),
                                  [one](const std::vector<PartReply>& parts, std::string* out) {
                                    // A shard that cannot be audited has its error in its place;
                                    // asked for alone, the error is the answer.
                                    if (!one || parts[0].reply[0] != '-') {
                                      AppendArrayHeader(out, static_cast<int64_t>(parts.size()));
                                    }
                                    for (const PartReply& part : parts) out->append(part.reply);
                                  });
  for (uint32_t i = only.value_or(0); i < (one ? *only + 1 : shards.size()); ++i) {
    gather->AddShard(shards[i].slot, RequestKind::kAudit, nullptr, "");
  }
  Gather::Launch(std::move(gather));
}

}  // namespace

LocalHandler AuditHandler(LocalCommand command) {
  return command == LocalCommand::kProxyAudit ? ProxyAudit : nullptr;
}

}  // namespace gemel
