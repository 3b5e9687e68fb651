// PROXY SHARDS and PROXY EXPLAIN: they send nothing to any node.

#include <algorithm>
#include <cstdio>

#include "backend/resp/resp_writer.h"
#include "proxy/local/local_commands.h"
#include "proxy/session/gather.h"
#include "proxy/session/plan.h"
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
  gather->AddEachShard(*context.pool, RequestKind::kReport, nullptr, "");
  Gather::Launch(std::move(gather));
}

std::string Hex(uint64_t value) {
  char text[20];
  std::snprintf(text, sizeof(text), "%016llx", static_cast<unsigned long long>(value));
  return text;
}

void AppendFields(std::string* out,
                  std::initializer_list<std::pair<std::string_view, std::string_view>> fields) {
  for (const auto& [field, value] : fields) {
    AppendBulk(out, field);
    AppendBulk(out, value);
  }
}

// Everything about a key that the ring knows: the head of what is told of it.
std::string DescribeKey(const Pool& pool, std::string_view key) {
  const std::string_view hashed = HashedPart(key, pool.config().ring.hash_tag);
  const uint64_t hash = HashKey(hashed);
  std::string head;
  AppendMapHeader(&head, 8);
  AppendFields(&head, {{"key", key},
                       {"hashed", hashed},
                       {"hash", Hex(hash)},
                       {"point", Hex(pool.ring().FindPoint(hash).position)}});
  return head;
}

// In place of what the shard would add.
void AppendNowhere(std::string* out, std::string_view shard, std::string_view refusal) {
  AppendFields(out, {{"shard", shard}});
  AppendBulk(out, "write_to");
  AppendArrayHeader(out, 0);
  AppendFields(out, {{"read_from", ""}, {"why", "refused: " + std::string(refusal)}});
}

void ReplyRefused(Session& session, const Pool& pool, const Plan& plan,
                  std::vector<std::string> heads) {
  if (heads.empty()) {
    session.ReplyError(plan.error);
    return;
  }
  std::string reply;
  AppendArrayHeader(&reply, static_cast<int64_t>(heads.size()));
  for (size_t i = 0; i < heads.size(); ++i) {
    AppendNowhere(&heads[i], pool.OfSlot(plan.key_shards[i]).name, plan.error);
    reply += heads[i];
  }
  session.ReplyNow(reply);
}

// Each key's shard adds where it goes there.
void AskShards(Session& session, const CommandRow& row, const CommandRow& asked, const Plan& plan,
               std::vector<std::string> heads) {
  GatherPtr gather = Gather::Make(
      session.context().dispatcher, session.Reserve(&row),
      [heads = std::move(heads)](const std::vector<PartReply>& parts, std::string* out) {
        AppendArrayHeader(out, static_cast<int64_t>(parts.size()));
        for (size_t i = 0; i < parts.size(); ++i) {
          const std::string_view told = parts[i].reply;
          out->append(heads[i]);
          // Of a fleet: whoever has the shard may not be reached.
          if (told.starts_with('-')) {
            AppendNowhere(out, parts[i].shard, told.substr(1, told.size() - 3));
          } else {
            out->append(told);
          }
        }
      });
  const std::string_view frame = plan.request == RequestKind::kFirstWrite ? kExplainFirstWrite
                                 : plan.write()                           ? kExplainWrite
                                                                          : std::string_view();
  for (const uint32_t shard : plan.key_shards) {
    gather->AddShard(shard, RequestKind::kExplain, &asked, frame);
  }
  Gather::Launch(std::move(gather));
}

void ProxyExplain(LocalCommands&, Session& session, const CommandRow& row, LocalArgs all_args) {
  const Pool& pool = *session.context().pool;
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
  Plan plan;
  MakePlan(pool, *asked, args, &plan);
  if (plan.keys.size() > kMaxExplained) {
    session.ReplyError("ERR PROXY EXPLAIN takes a command of at most " +
                       std::to_string(kMaxExplained) + " keys");
    return;
  }
  std::vector<std::string> heads;
  for (const uint32_t key : plan.keys) heads.push_back(DescribeKey(pool, args[key]));
  if (plan.kind == Plan::Kind::kRefused) {
    ReplyRefused(session, pool, plan, std::move(heads));
  } else {
    AskShards(session, row, *asked, plan, std::move(heads));
  }
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
