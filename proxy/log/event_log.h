// The last events of the shards, in memory, for PROXY EVENTS: what the log says of them too, but
// kept in a bounded number and asked for over any connection.

#ifndef GEMEL_PROXY_LOG_EVENT_LOG_H_
#define GEMEL_PROXY_LOG_EVENT_LOG_H_

#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "backend/events/note.h"

namespace gemel {

struct Event {
  int64_t unix_us = 0;
  NoteLevel level = NoteLevel::kInfo;
  std::string shard;  // empty: it concerns no single one
  std::string text;
};

// Any thread.
class EventLog {
 public:
  static constexpr size_t kKept = 1000;
  static constexpr size_t kMaxText =
      1024;  // of one event, before it is made printable; longer ones are cut

  // `note`: a line for the log. The shard of one that begins with "shard 'NAME': " is set apart.
  void Add(int64_t unix_us, NoteLevel level, std::string_view note);
  // The last `count` that are kept, the newest last.
  std::vector<Event> Last(size_t count) const;

 private:
  mutable std::mutex mutex_;
  std::deque<Event> events_;
};

std::string_view NoteLevelName(NoteLevel level);
// "2026-11-21T07:45:01.123Z"
std::string IsoTime(int64_t unix_us);

}  // namespace gemel

#endif  // GEMEL_PROXY_LOG_EVENT_LOG_H_
