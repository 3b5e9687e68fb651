#include "backend/resync/resync_board.h"

#include <algorithm>

namespace gemel {

std::unique_ptr<ResyncBoard::Place> ResyncBoard::Take(const std::string& shard,
                                                      const std::string& source,
                                                      const std::string& copy, bool copying,
                                                      std::string* why, bool by_keys) {
  const std::lock_guard lock(mutex_);
  uint32_t count = 0;
  for (const Running& other : running_) {
    if (!copying || !other.copying) continue;
    if (other.by_keys == by_keys) ++count;
    // Shards may share a server, each with a database of its own, and Redis copies whole servers.
    for (const std::string* node : {&source, &copy}) {
      if (other.source == *node || other.copy == *node) {
        *why = *node + " has a part in the resync of shard '" + other.shard + "'";
        return nullptr;
      }
    }
  }
  if (count >= max_parallel_) {
    *why = "as many as may copy already (max_parallel)";
    return nullptr;
  }
  running_.push_back({shard, source, copy, copying, by_keys, {}});
  return std::unique_ptr<Place>(new Place(this, std::prev(running_.end())));
}

ResyncBoard::Place::~Place() {
  const std::lock_guard lock(board_->mutex_);
  if (!done_) ++board_->totals_.put_off;
  board_->running_.erase(running_);
}

void ResyncBoard::Place::Show(const ResyncProgress& progress) {
  const std::lock_guard lock(board_->mutex_);
  running_->progress = progress;
}

void ResyncBoard::Place::Done() {
  const std::lock_guard lock(board_->mutex_);
  done_ = true;
  ++board_->totals_.done;
}

void ResyncBoard::Place::Paused(uint64_t pause_ms) {
  const std::lock_guard lock(board_->mutex_);
  Totals& totals = board_->totals_;
  ++totals.pauses;
  totals.last_pause_ms = pause_ms;
  totals.longest_pause_ms = std::max(totals.longest_pause_ms, pause_ms);
}

void ResyncBoard::set_max_parallel(uint32_t max_parallel) {
  const std::lock_guard lock(mutex_);
  max_parallel_ = max_parallel;
}

std::vector<ResyncBoard::Running> ResyncBoard::running() const {
  const std::lock_guard lock(mutex_);
  return {running_.begin(), running_.end()};
}

ResyncBoard::Totals ResyncBoard::totals() const {
  const std::lock_guard lock(mutex_);
  return totals_;
}

}  // namespace gemel
