// Where a command goes and what becomes of it, as data: made from the pool, the command's row and
// its arguments, and from nothing else. The session carries a plan out (plan_runner.h), PROXY
// EXPLAIN prints it: what a command depends on is asked here and nowhere else.

#ifndef GEMEL_PROXY_SESSION_PLAN_H_
#define GEMEL_PROXY_SESSION_PLAN_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backend/command/command_table.h"
#include "backend/command/second_copy.h"
#include "backend/shard/request.h"
#include "proxy/dispatch/pool.h"

namespace gemel {

// What one shard gets of a command that is cut up by key: the keys whose places among all keys are
// Plan::places[begin, end), in argument order. Of one that goes whole to each shard, none.
struct PlanPart {
  uint32_t shard;
  uint32_t begin;
  uint32_t end;
};

struct Plan {
  enum class Kind : uint8_t {
    kLocal,      // the proxy answers it itself
    kRefused,    // `error` is the answer
    kAnswered,   // `answer` is: a SCAN that has gone behind the last shard
    kOneShard,   // whole, to `shard`
    kByKey,      // cut up: each of `parts` gets its keys
    kEachShard,  // whole, to the shard of each of `parts`; how the replies merge makes it a sum, a
                 // list, or the one of any shard
    kCursor,     // to `shard`, with that shard's cursor in args[1]
  };

  Kind kind = Kind::kRefused;
  RequestKind request = RequestKind::kRead;  // what the shards are sent it as
  // Only then a request can be told apart from others by its keys.
  bool names_all_keys = true;
  SecondCopy second_copy = SecondCopy::kNone;  // what the copies after the first are to be sent
  uint32_t shard = 0;                          // the slot
  uint64_t shard_cursor = 0;                   // kCursor: what that shard is asked from
  uint32_t next_shard = 0;                     // kCursor: the slot after it
  bool last_shard = false;                     // kCursor: there is none
  std::string error;                           // without "-"
  bool by_cursor = false;                      // a script that may read with one: primary only
  bool confined = false;                       // sent as the row's `confine` makes it
  bool refused_at_exec = false;                // in a transaction it is queued: Redis says so then
  std::string_view answer;                     // a whole reply
  bool may_wait = false;                       // in the shard, for what a key will have,
  uint64_t timeout_ms = 0;                     // for so long; 0: for ever
  // The keys' indexes in the arguments and the slots of their shards. Of a command that is refused,
  // too, as far as they can be found; of a local one none.
  std::vector<uint32_t> keys;
  std::vector<uint32_t> key_shards;
  std::vector<PlanPart> parts;
  std::vector<uint32_t> places;
  std::vector<uint32_t> part_of_slot;  // MakePlan's own

  bool write() const { return request != RequestKind::kRead; }
  // Empty, and what was allocated is kept.
  void Clear();
};

// Sets *plan, whatever it was. `args` fit the row's arity and outlive the plan's use. Allocates
// nothing once *plan is warm, but for an error.
void MakePlan(const Pool& pool, const CommandRow& row, std::span<const std::string_view> args,
              Plan* plan);

// What becomes of a command by what the copies after the first are to be sent: how the shard is
// asked,
inline RequestKind RequestKindFor(SecondCopy second) {
  if (second == SecondCopy::kNone) return RequestKind::kRead;
  return OneCopyFirst(second) ? RequestKind::kFirstWrite : RequestKind::kWrite;
}
// and whether it is refused: the shard has copies that this write might change differently.
inline bool RefusedAsWrite(const Pool& pool, SecondCopy second, uint32_t shard) {
  return second == SecondCopy::kNotYet && pool.OfSlot(shard).copies > 1;
}
// Whether the keys of a command are those that its client reads and may keep (CLIENT TRACKING): of
// a script it is not known which it reads.
inline bool ReadsForClient(const CommandRow& row) {
  return (row.flags & kCmdReadonly) != 0 || row.script != ScriptRule::kNone;
}
// The error for such a write.
std::string RefusalAsWrite(const CommandRow& row);

// The short way, for rows of which nothing else can be said: one key, and no other argument counts.
// A few values instead of a Plan; MakePlan makes its own of them.
inline bool HasShortPlan(const CommandRow& row) {
  return row.split == Split::kOneShard && row.HasOneKey() && row.arg_rule == ArgRule::kNone;
}
struct ShortPlan {
  uint32_t shard;  // the slot
  RequestKind request;
  bool refused;  // with RefusalAsWrite
};
inline ShortPlan MakeShortPlan(const Pool& pool, const CommandRow& row, std::string_view key) {
  const uint32_t shard = pool.ShardOf(key);
  return {shard, RequestKindFor(row.second_copy), RefusedAsWrite(pool, row.second_copy, shard)};
}

}  // namespace gemel

#endif  // GEMEL_PROXY_SESSION_PLAN_H_
