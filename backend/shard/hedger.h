// Reads that wait on a silent copy are sent to another one too, and the first good answer wins.

#ifndef GEMEL_BACKEND_SHARD_HEDGER_H_
#define GEMEL_BACKEND_SHARD_HEDGER_H_

#include <cstdint>
#include <string_view>

#include "backend/bytes/block_pool.h"
#include "backend/figures/figures.h"
#include "backend/link/link.h"
#include "backend/shard/hedge.h"
#include "backend/shard/shard_parts.h"

namespace gemel {

// Logic only, the shard's thread.
class Hedger {
 public:
  // From here on a command has so many keys, or members, that it may take long.
  static constexpr size_t kManyBytes = ChunkPool::kStandard;

  explicit Hedger(ShardParts* parts) : parts_(parts) {}

  void AddCopy(uint32_t copy) {
    silent_ &= ~Bit(copy);
    hedged_ &= ~Bit(copy);
  }
  // Called at each tick, after NodeWatch's. A copy whose line has not moved for hedge_ms is silent
  // until it moves again: the reads in it are sent to another copy too, and new ones there alone.
  void Tick(uint64_t reads);
  // Their line does not move: read from only if all are.
  CopyMask silent() const { return silent_; }

  // A command that may keep a node busy for long: by its row, or by the many keys of its frame.
  static bool MayTakeLong(const CommandRow& row, std::string_view frame);
  // One that may take long would make the other copy silent, too, and then nobody is left who
  // answers what is short.
  static bool StaysWhereItIs(const Request& request, std::string_view frame);

  // Memory that a burst took is given back. Called now and then.
  void Trim() { hedges_.Trim(); }
  void OnReply(uint32_t copy, Hedge* hedge, const Reply& reply, std::string_view frame);
  void OnLost(const Link& link, Hedge* hedge, std::string_view frame, bool suspect);

 private:
  void HedgeLine(uint32_t copy);
  // Sends it to a second copy. What is to stand in the line of the first one.
  LinkItem* HedgeRead(Request* request, std::string_view frame, uint32_t from);

  ShardParts* parts_;
  BlockPool<Hedge, 1> hedges_;
  HedgeBudget budget_;
  CopyMask silent_ = 0;
  CopyMask hedged_ = 0;  // of these, those whose reads were sent to others too
  Figure hedged_reads_{parts_->figures,
                       "hedged",
                       "Reads sent to a second copy because the first was silent",
                       {"stats", "hedged_reads"}};
  Figure wins_{parts_->figures,
               "hedge_wins",
               "Hedged reads that the second copy answered",
               {"stats", "hedge_wins"}};
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_HEDGER_H_
