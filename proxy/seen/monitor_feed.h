// Who monitors (MONITOR), on each worker and in all, and the lines on their way to them.

#ifndef GEMEL_PROXY_SEEN_MONITOR_FEED_H_
#define GEMEL_PROXY_SEEN_MONITOR_FEED_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace gemel {

// Gets lines, whole ones.
class Watcher {
 public:
  virtual ~Watcher() = default;
  // Between two replies. Calls nobody back.
  virtual void OnLines(std::string_view lines) = 0;
  // It was so slow that lines were lost: it is to be cut off.
  virtual void OnLinesLost() = 0;
};

// How many there are, of all workers. Any thread.
class WatcherCounts {
 public:
  explicit WatcherCounts(uint32_t workers) : workers_(workers) {}

  bool any() const { return all_.load(std::memory_order_relaxed) > 0; }
  bool AnyOn(uint32_t worker) const {
    return workers_[worker].watchers.load(std::memory_order_relaxed) > 0;
  }
  uint32_t count() const { return all_.load(std::memory_order_relaxed); }

 private:
  friend class MonitorFeed;
  struct Worker {
    std::atomic<uint32_t> watchers{0};
    std::atomic<uint64_t> on_the_way{0};  // bytes
    std::atomic<bool> lost{false};        // lines: more than may be were on the way
  };
  std::atomic<uint32_t> all_{0};
  std::vector<Worker> workers_;
};

// One worker's, used on its thread.
class MonitorFeed {
 public:
  // `counts` outlives it.
  MonitorFeed(WatcherCounts* counts, uint32_t worker) : counts_(counts), worker_(worker) {}
  MonitorFeed(const MonitorFeed&) = delete;
  MonitorFeed& operator=(const MonitorFeed&) = delete;

  // Does anybody watch, on any worker?
  bool any() const { return counts_->any(); }
  // It gets the lines that come from now on, until Leave. *place is written when others leave.
  void Enter(Watcher* watcher, size_t* place);
  void Leave(size_t place);

  // What a client of this worker has asked: the arguments (monitor_line.h) are to be written here,
  // and Tell puts the line's head in front of them. Dropped: it was not carried out.
  std::string& draft() { return draft_; }
  void Tell(std::string_view head);
  void Drop() { draft_.clear(); }

  // --- the end of a loop turn ---
  bool empty() const { return lines_.empty(); }
  // The lines that were told since the last time: its own watchers have them now.
  std::string Take();
  // May they go to that worker, which has watchers? Of what waits for it there may be `most` bytes;
  // above it its watchers are cut off.
  bool Send(uint32_t worker, size_t bytes, uint64_t most);
  // Lines of another worker.
  void OnSent(std::string_view lines);

 private:
  struct Entry {
    Watcher* watcher;
    size_t* place;
  };

  WatcherCounts* counts_;
  const uint32_t worker_;
  std::vector<Entry> watchers_;
  std::string draft_;
  std::string lines_;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SEEN_MONITOR_FEED_H_
