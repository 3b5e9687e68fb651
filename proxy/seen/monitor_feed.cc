#include "proxy/seen/monitor_feed.h"

#include <new>
#include <utility>

namespace gemel {

void MonitorFeed::Enter(Watcher* watcher, size_t* place) {
  *place = watchers_.size();
  watchers_.push_back({watcher, place});
  counts_->workers_[worker_].watchers.fetch_add(1, std::memory_order_relaxed);
  counts_->all_.fetch_add(1, std::memory_order_relaxed);
}

void MonitorFeed::Leave(size_t place) {
  *watchers_.back().place = place;
  watchers_[place] = watchers_.back();
  watchers_.pop_back();
  counts_->workers_[worker_].watchers.fetch_sub(1, std::memory_order_relaxed);
  counts_->all_.fetch_sub(1, std::memory_order_relaxed);
}

void MonitorFeed::Tell(std::string_view head) try {
  lines_ += head;
  lines_ += draft_;
  draft_.clear();
} catch (const std::bad_alloc&) {
  for (const Entry& entry : watchers_) entry.watcher->OnLinesLost();
}

std::string MonitorFeed::Take() {
  std::string lines = std::exchange(lines_, {});
  for (const Entry& entry : watchers_) entry.watcher->OnLines(lines);
  return lines;
}

bool MonitorFeed::Send(uint32_t worker, size_t bytes, uint64_t most) {
  WatcherCounts::Worker& other = counts_->workers_[worker];
  if (other.on_the_way.load(std::memory_order_relaxed) > most) {
    other.lost.store(true, std::memory_order_relaxed);
    return false;
  }
  other.on_the_way.fetch_add(bytes, std::memory_order_relaxed);
  return true;
}

void MonitorFeed::OnSent(std::string_view lines) {
  WatcherCounts::Worker& own = counts_->workers_[worker_];
  own.on_the_way.fetch_sub(lines.size(), std::memory_order_relaxed);
  for (const Entry& entry : watchers_) entry.watcher->OnLines(lines);
  if (!own.lost.exchange(false, std::memory_order_relaxed)) return;
  for (const Entry& entry : watchers_) entry.watcher->OnLinesLost();
}

}  // namespace gemel
