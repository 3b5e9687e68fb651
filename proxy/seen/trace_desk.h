// Which requests are traced, and what was seen of them: PROXY TRACE.

#ifndef GEMEL_PROXY_SEEN_TRACE_DESK_H_
#define GEMEL_PROXY_SEEN_TRACE_DESK_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "proxy/seen/time_split.h"

namespace gemel {

struct TracedRequest {
  int64_t unix_us = 0;  // when it was answered
  std::string peer;
  std::string args;  // an array of RESP (shown_args.h)
  uint64_t took_us = 0;
  TimeSplit split;
  uint32_t key_place = 0;  // of its first key in the arguments; 0: it has none, or none there
};

// One trace at a time, of all workers. Any thread.
class TraceDesk {
 public:
  struct Trace {
    std::string pattern;  // of Redis's glob: the name or an argument matches it
    size_t most = 0;      // so many requests are seen, and then no more
  };
  struct Seen {
    std::vector<TracedRequest> requests;  // as they were answered
    uint64_t looked_at = 0;
    uint64_t passed_over = 0;  // not looked at: there were too many at a time
  };

  // Nothing, if one is under way.
  std::optional<uint64_t> Begin(Trace trace);
  // Has it seen all that it may?
  bool Full(uint64_t id) const;
  // What it saw; it is over.
  Seen End(uint64_t id);

  // --- for the workers ---
  // Changes when a trace begins or ends; 0: there is none. Costs no lock.
  uint64_t under_way() const { return id_.load(std::memory_order_relaxed); }
  // The trace of that number; null: it is over.
  std::shared_ptr<const Trace> Find(uint64_t id) const;
  // One that matches. False: there is no room for more.
  bool Add(uint64_t id, TracedRequest request);
  void Count(uint64_t id, uint64_t looked_at, uint64_t passed_over);

 private:
  std::atomic<uint64_t> id_{0};
  mutable std::mutex mutex_;  // guards what follows
  uint64_t last_id_ = 0;
  std::shared_ptr<const Trace> trace_;
  Seen seen_;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SEEN_TRACE_DESK_H_
