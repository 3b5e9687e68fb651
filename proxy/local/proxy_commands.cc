// PROXY SHARDS and PROXY EXPLAIN: they send nothing to any node.

#include <algorithm>
#include <cstdio>

#include "backend/command/key_finder.h"
#include "backend/command/second_copy.h"
#include "backend/resp/resp_writer.h"
#include "proxy/local/local_commands.h"
#include "proxy/session/gather.h"
#include "proxy/session/refusal.h"
#include "proxy/session/session.h"

namespace gemel {

namespace {

// Each is told in many lines, made here.
constexpr size_t kMaxExplained = 1024;

void ProxyShards(LocalCommands&, Session& session, const CommandRow& row, LocalArgs) {
  const SessionContext& context = session.context();
  GatherPtr gather = Gather::Make(context.dispatcher, session.Reserve(&row),
                                  [](const std::vector<PartReply>& parts, std::string* out) {
                                    AppendArrayHeader(out, static_cast<int64_t>(parts.size()));
                                    for (const PartReply& part : parts) out->append(part.reply);
                                  });
  for (const PoolShard& shard : context.pool->shards()) {
    gather->AddShard(shard.slot, RequestKind::kReport, nullptr, "");
  }
  Gather::Launch(std::move(gather));
}

std::string Hex(uint64_t value) {
  char text[20];
  std::snprintf(text, sizeof(text), "%016llx", static_cast<unsigned long long>(value));
  return text;
}

// What a shard would say of a key, if the command came to it.
void AppendNowhere(std::string* out, std::string_view shard, const std::string& refusal) {
  AppendBulk(out, "shard");
  AppendBulk(out, shard);
  AppendBulk(out, "write_to");
  AppendArrayHeader(out, 0);
  AppendBulk(out, "read_from");
  AppendBulk(out, "");
  AppendBulk(out, "why");
  AppendBulk(out, "refused: " + refusal);
}

void ProxyExplain(LocalCommands&, Session& session, const CommandRow& row, LocalArgs all_args) {
  const SessionContext& context = session.context();
  const Pool& pool = *context.pool;
  const LocalArgs args = all_args.subspan(2);
  const CommandRow* asked = pool.table().Find(args);
  if (asked == nullptr) {
    session.ReplyError(pool.table().NotFoundError(args));
    return;
  }
  if (!ArityFits(*asked, args.size())) {
    session.ReplyError(ArityError(*asked));
    return;
  }
  std::vector<uint32_t> keys;
  if (!FindKeys(*asked, args, &keys)) {
    const std::string_view never = RefusalFor(*asked, args);
    session.ReplyError(never.empty() ? MalformedKeysError(*asked, args)
                                     : "ERR " + std::string(never));
    return;
  }
  if (keys.size() > kMaxExplained) {
    session.ReplyError("ERR PROXY EXPLAIN takes a command of at most " +
                       std::to_string(kMaxExplained) + " keys");
    return;
  }
  const std::string refusal = WhyRefused(pool, *asked, args, keys);
  if (!refusal.empty() && keys.empty()) {
    session.ReplyError(refusal);
    return;
  }
  // Everything about a key that the ring knows; the shard adds the rest.
  std::vector<std::string> heads;
  std::vector<uint32_t> shards;
  for (uint32_t key : keys) {
    const std::string_view name = args[key];
    const std::string_view hashed = HashedPart(name, pool.config().ring.hash_tag);
    const uint64_t hash = HashKey(hashed);
    std::string head;
    AppendArrayHeader(&head, 16);
    for (const auto& [field, value] :
         {std::pair<std::string_view, std::string>{"key", std::string(name)},
          {"hashed", std::string(hashed)},
          {"hash", Hex(hash)},
          {"point", Hex(pool.ring().FindPoint(hash).position)}}) {
      AppendBulk(&head, field);
      AppendBulk(&head, value);
    }
    shards.push_back(pool.ShardOf(name));
    if (!refusal.empty()) AppendNowhere(&head, pool.OfSlot(shards.back()).name, refusal);
    heads.push_back(std::move(head));
  }
  if (!refusal.empty()) {
    std::string reply;
    AppendArrayHeader(&reply, static_cast<int64_t>(heads.size()));
    for (const std::string& head : heads) reply += head;
    session.ReplyNow(reply);
    return;
  }
  GatherPtr gather = Gather::Make(context.dispatcher, session.Reserve(&row),
                                  [heads](const std::vector<PartReply>& parts, std::string* out) {
                                    AppendArrayHeader(out, static_cast<int64_t>(parts.size()));
                                    for (size_t i = 0; i < parts.size(); ++i) {
                                      out->append(heads[i]);
                                      out->append(parts[i].reply);
                                    }
                                  });
  const std::string_view frame = IsWriteFor(*asked, args) ? kExplainWrite : std::string_view();
  for (uint32_t shard : shards) gather->AddShard(shard, RequestKind::kExplain, asked, frame);
  Gather::Launch(std::move(gather));
}

}  // namespace

LocalHandler ProxyHandler(LocalCommand command) {
  switch (command) {
    case LocalCommand::kProxyShards:
      return ProxyShards;
    case LocalCommand::kProxyExplain:
      return ProxyExplain;
    default:
      return nullptr;
  }
}

}  // namespace gemel
