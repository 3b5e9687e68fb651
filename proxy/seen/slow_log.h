// The commands of all workers' clients that took long: SLOWLOG.

#ifndef GEMEL_PROXY_SEEN_SLOW_LOG_H_
#define GEMEL_PROXY_SEEN_SLOW_LOG_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>

#include "proxy/seen/time_split.h"

namespace gemel {

// Any thread.
class SlowLog {
 public:
  struct Entry {
    uint64_t id = 0;
    int64_t unix_s = 0;
    uint64_t took_us = 0;
    std::string args;  // an array of RESP (shown_args.h)
    std::string peer;
    std::string name;
    TimeSplit split = {};
  };

  // It is given its id, behind those of `others` that are not kept. The oldest go, until there are
  // no more than `most`.
  void Add(Entry entry, size_t most, uint64_t others = 0);
  size_t size() const;
  void Reset();
  // Appends the reply to SLOWLOG GET: so many, the newest first.
  void AppendReply(size_t count, std::string* out) const;
  // The same with where the time went, each a map: PROXY SLOWLOG. (To SLOWLOG GET nothing may be
  // added: some clients would take it for the next entry.)
  void AppendSplitReply(size_t count, std::string* out) const;

 private:
  mutable std::mutex mutex_;   // guards what follows
  std::deque<Entry> entries_;  // the newest first
  uint64_t next_id_ = 0;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SEEN_SLOW_LOG_H_
