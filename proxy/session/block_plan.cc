#include "proxy/session/block_plan.h"

#include <algorithm>

#include "backend/command/block.h"
#include "proxy/session/errors.h"

namespace gemel {

namespace {

std::string NotInTransaction(const CommandRow& row, std::string_view why) {
  return "ERR " + std::string(row.name) +
         " is not supported by gemel in a transaction: " + std::string(why);
}

}  // namespace

std::string BlockPlan::Add(const Pool& pool, const CommandRow& row,
                           std::span<const std::string_view> args, const Plan& plan) {
  switch (plan.kind) {
    case Plan::Kind::kLocal:
      has_local_ = true;
      return {};
    case Plan::Kind::kRefused:
      has_local_ |= plan.refused_at_exec;
      return plan.refused_at_exec ? std::string() : plan.error;
    case Plan::Kind::kAnswered:
    case Plan::Kind::kCursor:
      if (pool.shards().size() > 1) {
        return NotInTransaction(row, "it goes through all shards, and a transaction goes to one");
      }
      if (plan.kind == Plan::Kind::kCursor) {
        has_cursor_ = true;
        break;
      }
      has_local_ = true;
      return {};
    case Plan::Kind::kEachShard:
      return NotInTransaction(row, "it is about all shards, and a transaction goes to one");
    case Plan::Kind::kByKey:
      return std::string(kCrossSlot);
    case Plan::Kind::kOneShard:
      break;
  }
  if (!plan.keys.empty()) {
    if (shard_ && *shard_ != plan.shard) return std::string(kCrossSlot);
    shard_ = plan.shard;
  }
  const bool of_all_keys = plan.write() && plan.keys.empty();
  // A script without keys may say something else on every copy.
  const bool confined = confined_ || plan.confined;
  RequestKind request = std::max(request_, plan.request);
  if (confined && request == RequestKind::kWrite) request = RequestKind::kFirstWrite;
  static_assert(RequestKind::kRead < RequestKind::kWrite &&
                RequestKind::kWrite < RequestKind::kFirstWrite);
  if (request == RequestKind::kFirstWrite && (of_all_keys_ || of_all_keys) &&
      pool.OfSlot(Shard(pool)).copies > 1) {
    return NotInTransaction(row,
                            "on a shard of several copies, a write of all keys and one whose "
                            "outcome may differ from copy to copy cannot be in the same one");
  }
  of_all_keys_ |= of_all_keys;
  request_ = request;
  confined_ = confined;
  row_ = SlowerOf(row_, &row);
  primary_only_ |= plan.by_cursor || (row.flags & kCmdPrimaryOnly) != 0;
  AddMarks(args, plan);
  return {};
}

void BlockPlan::AddMarks(std::span<const std::string_view> args, const Plan& plan) {
  if (!marks_.empty() && marks_[0] == ReadFence::kAnyKey) return;
  if (plan.keys.empty() || !plan.names_all_keys ||
      marks_.size() + plan.keys.size() > ReadFence::kMostKeys) {
    marks_.assign(1, ReadFence::kAnyKey);
    return;
  }
  for (const uint32_t key : plan.keys) marks_.push_back(ReadFence::MarkOf(args[key]));
}

}  // namespace gemel
