#include "proxy/session/plan.h"

#include <algorithm>

#include "backend/command/blocking.h"
#include "backend/command/key_finder.h"
#include "backend/command/other_database.h"
#include "backend/command/second_copy.h"
#include "backend/keys/cursor.h"
#include "proxy/session/errors.h"
#include "proxy/session/merge.h"

namespace gemel {

namespace {

using Args = std::span<const std::string_view>;

void Refuse(std::string error, Plan* plan) {
  plan->kind = Plan::Kind::kRefused;
  plan->error = std::move(error);
}

void FindAllKeys(const Pool& pool, Args args, Plan* plan) {
  for (const uint32_t key : plan->keys) plan->key_shards.push_back(pool.ShardOf(args[key]));
}

void PlanOneShard(const Pool& pool, const CommandRow& row, uint32_t shard, Plan* plan) {
  plan->kind = Plan::Kind::kOneShard;
  plan->shard = shard;
  if (RefusedAsWrite(pool, plan->second_copy, shard)) Refuse(RefusalAsWrite(row), plan);
  if (plan->second_copy != SecondCopy::kConfined) return;
  plan->confined = pool.OfSlot(shard).copies > 1;
  // With one copy it may do what it likes; but not on a copy that is added before it is sent.
  plan->request = plan->confined ? RequestKind::kRead : RequestKind::kFirstWrite;
}

// The keys are sorted by shard, in the order in which the shards come first; those of one shard
// stay in theirs.
void CutByKey(const Pool& pool, const CommandRow& row, Plan* plan) {
  plan->kind = Plan::Kind::kByKey;
  constexpr uint32_t kNone = ~uint32_t{0};
  plan->part_of_slot.assign(pool.slot_count(), kNone);
  for (const uint32_t shard : plan->key_shards) {
    uint32_t& part = plan->part_of_slot[shard];
    if (part == kNone) {
      if (RefusedAsWrite(pool, plan->second_copy, shard)) return Refuse(RefusalAsWrite(row), plan);
      part = static_cast<uint32_t>(plan->parts.size());
      plan->parts.push_back({shard, 0, 0});
    }
    ++plan->parts[part].end;  // a count, for now
  }
  uint32_t before = 0;
  for (PlanPart& part : plan->parts) {
    const uint32_t count = part.end;
    part.begin = part.end = before;
    before += count;
  }
  plan->places.resize(plan->keys.size());
  for (uint32_t i = 0; i < plan->keys.size(); ++i) {
    plan->places[plan->parts[plan->part_of_slot[plan->key_shards[i]]].end++] = i;
  }
}

// Without keys the first shard gets it.
void PlanByKeys(const Pool& pool, const CommandRow& row, Plan* plan) {
  const uint32_t first = plan->keys.empty() ? pool.shards()[0].slot : plan->key_shards[0];
  const bool one = std::all_of(plan->key_shards.begin(), plan->key_shards.end(),
                               [first](uint32_t shard) { return shard == first; });
  if (one) {
    PlanOneShard(pool, row, first, plan);
  } else if (row.split == Split::kEachKey) {
    CutByKey(pool, row, plan);
  } else {
    Refuse(std::string(kCrossSlot), plan);
  }
}

void PlanEachShard(const Pool& pool, const CommandRow& row, Plan* plan) {
  if (pool.shards().size() == 1 || row.merge == Merge::kNone) {
    return PlanOneShard(pool, row, pool.shards()[0].slot, plan);
  }
  plan->kind = Plan::Kind::kEachShard;
  for (const PoolShard& shard : pool.shards()) {
    if (RefusedAsWrite(pool, plan->second_copy, shard.slot)) {
      return Refuse(RefusalAsWrite(row), plan);
    }
    plan->parts.push_back({shard.slot, 0, 0});
  }
}

void PlanCursor(const Pool& pool, Args args, Plan* plan) {
  uint32_t asked = 0;
  if (!DecodeCursor(args[1], &plan->shard_cursor, &asked)) {
    plan->refused_at_exec = true;
    return Refuse("ERR invalid cursor", plan);
  }
  const bool of_script = asked == kScriptCursorSlot && plan->shard_cursor != 0;
  if (of_script) asked = 0;
  plan->shard = pool.SlotFrom(asked);
  if (plan->shard == pool.slot_count()) {
    plan->kind = Plan::Kind::kAnswered;
    plan->answer = "*2\r\n$1\r\n0\r\n*0\r\n";
    return;
  }
  // That shard is gone; or a script gave it, on whichever shard.
  if (plan->shard != asked || of_script) plan->shard_cursor = 0;
  plan->kind = Plan::Kind::kCursor;
  plan->next_shard = pool.SlotFrom(plan->shard + 1);
  plan->last_shard = plan->next_shard == pool.slot_count();
}

// The other databases that a command names, if any, are the clients' to use.
bool MayName(const PoolConfig& config, const CommandRow& row, Args args) {
  const int64_t highest = HighestDatabase(row, args);
  return highest < 0 || (highest < config.databases && config.ShardWithDatabase() == nullptr);
}

// The shard of the key has what the patterns of this SORT name, too: by their hash tag, so that it
// stays true whatever becomes of the ring.
bool HasAllItReads(const Pool& pool, Args args) {
  const std::string_view tag = pool.config().ring.hash_tag;
  const std::string_view wanted = HashedPart(args[1], tag);
  return UnnamedKeysBegin(args, [&](std::string_view begin) {
    const std::string_view part = HashedPart(begin, tag);
    return part.size() < begin.size() && part == wanted;
  });
}

}  // namespace

std::string RefusalAsWrite(const CommandRow& row) { return "ERR " + std::string(row.refusal); }

void Plan::Clear() {
  kind = Kind::kRefused;
  request = RequestKind::kRead;
  names_all_keys = true;
  second_copy = SecondCopy::kNone;
  shard = next_shard = 0;
  shard_cursor = 0;
  last_shard = false;
  error.clear();
  by_cursor = confined = false;
  refused_at_exec = false;
  answer = {};
  may_wait = false;
  keys.clear();
  key_shards.clear();
  parts.clear();
  places.clear();
}

void MakePlan(const Pool& pool, const CommandRow& row, Args args, Plan* plan) {
  plan->Clear();
  if (row.split == Split::kLocal) {
    plan->kind = Plan::Kind::kLocal;
    return;
  }
  if (HasShortPlan(row)) {
    const ShortPlan one = MakeShortPlan(pool, row, args[1]);
    plan->keys.push_back(1);
    plan->key_shards.push_back(one.shard);
    plan->second_copy = row.second_copy;
    plan->request = one.request;
    plan->kind = Plan::Kind::kOneShard;
    plan->shard = one.shard;
    if (one.refused) Refuse(RefusalAsWrite(row), plan);
    return;
  }
  const bool well_formed = FindKeys(row, args, &plan->keys);
  FindAllKeys(pool, args, plan);
  plan->names_all_keys = !ReadsUnnamedKeys(row, args);
  plan->second_copy = SecondCopyFor(row, args);
  plan->request = RequestKindFor(plan->second_copy);
  if (row.split == Split::kNotSupported) {
    return Refuse("ERR " + std::string(row.refusal), plan);
  }
  if (!well_formed) {
    plan->refused_at_exec = true;
    return Refuse(MalformedKeysError(row, args), plan);
  }
  if (!MayName(pool.config(), row, args)) {
    plan->refused_at_exec = true;
    return Refuse(NoSuchDatabaseError(row, args), plan);
  }
  plan->may_wait = MayWait(row, args);
  if (std::string wrong;
      plan->may_wait && !ReadBlockingTimeout(row, args, &plan->timeout_ms, &wrong)) {
    plan->refused_at_exec = true;
    return Refuse(std::move(wrong), plan);
  }
  if (pool.shards().size() > 1 && !plan->names_all_keys && !HasAllItReads(pool, args)) {
    return Refuse("ERR " + std::string(kUnnamedKeysRefusal), plan);
  }
  switch (row.split) {
    case Split::kOneShard:
    case Split::kEachKey:
      return PlanByKeys(pool, row, plan);
    case Split::kEachShard:
    case Split::kAnyShard:
      return PlanEachShard(pool, row, plan);
    case Split::kCursor:
      return PlanCursor(pool, args, plan);
    case Split::kLocal:
    case Split::kNotSupported:
      return;  // told above
  }
}

}  // namespace gemel
