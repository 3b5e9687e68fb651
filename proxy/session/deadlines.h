// Who does not wait for ever: told when it is time. One thread's.

#ifndef GEMEL_PROXY_SESSION_DEADLINES_H_
#define GEMEL_PROXY_SESSION_DEADLINES_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace gemel {

class Deadline {
 public:
  virtual ~Deadline() = default;
  virtual void OnDeadline() = 0;
};

class Deadlines {
 public:
  // It is told once, soon after that time, unless it is removed before.
  void Add(uint64_t at_ms, Deadline* deadline) { entries_.push_back({at_ms, deadline}); }
  void Remove(Deadline* deadline) {
    std::erase_if(entries_, [deadline](const Entry& entry) { return entry.deadline == deadline; });
  }
  void Tick(uint64_t now_ms) {
    for (size_t i = 0; i < entries_.size();) {
      if (entries_[i].at_ms > now_ms) {
        ++i;
        continue;
      }
      Deadline* due = entries_[i].deadline;
      entries_.erase(entries_.begin() + static_cast<ptrdiff_t>(i));
      due->OnDeadline();
      i = 0;  // it may have changed the list
    }
  }

 private:
  struct Entry {
    uint64_t at_ms;
    Deadline* deadline;
  };
  std::vector<Entry> entries_;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SESSION_DEADLINES_H_
