// Where a transaction goes, as data: made command by command as they are queued, each with its own
// plan. All of it goes to one shard.

#ifndef GEMEL_PROXY_SESSION_BLOCK_PLAN_H_
#define GEMEL_PROXY_SESSION_BLOCK_PLAN_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backend/command/command_table.h"
#include "backend/shard/request.h"
#include "proxy/dispatch/pool.h"
#include "proxy/session/plan.h"
#include "proxy/session/read_fence.h"

namespace gemel {

class BlockPlan {
 public:
  // `shard`: the slot of the one whose keys are watched, if any are.
  explicit BlockPlan(std::optional<uint32_t> shard = std::nullopt) : shard_(shard) {}

  // One command more, whose own plan that is. Empty; or the error (without "-") for which it cannot
  // be queued.
  std::string Add(const Pool& pool, const CommandRow& row, std::span<const std::string_view> args,
                  const Plan& plan);

  // The slot; the first shard's if no command has keys.
  uint32_t Shard(const Pool& pool) const { return shard_.value_or(pool.shards()[0].slot); }
  // What the shard is sent it as.
  RequestKind request() const { return request_; }
  // That of its commands which may take longest; null: it has none for the nodes.
  const CommandRow* row() const { return row_; }
  bool primary_only() const { return primary_only_; }
  // A script or function without keys is in it, which can change nothing there.
  bool confined() const { return confined_; }
  // The proxy answers some of it itself.
  bool has_local() const { return has_local_; }
  // A cursor of SCAN is in it.
  bool has_cursor() const { return has_cursor_; }
  // Its keys for the fence: all of them, or kAnyKey.
  const std::vector<ReadFence::Mark>& marks() const { return marks_; }

 private:
  void AddMarks(std::span<const std::string_view> args, const Plan& plan);

  std::optional<uint32_t> shard_;
  RequestKind request_ = RequestKind::kRead;
  const CommandRow* row_ = nullptr;
  bool primary_only_ = false;
  bool has_local_ = false;
  bool has_cursor_ = false;
  bool confined_ = false;     // a script or function without keys is in it
  bool of_all_keys_ = false;  // a write that names no keys
  std::vector<ReadFence::Mark> marks_;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SESSION_BLOCK_PLAN_H_
