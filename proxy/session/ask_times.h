// When the requests in line were read, oldest first. All that were read in one loop turn have the
// same time, and take one place.

#ifndef GEMEL_PROXY_SESSION_ASK_TIMES_H_
#define GEMEL_PROXY_SESSION_ASK_TIMES_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace gemel {

class AskTimes {
 public:
  void Push(uint64_t us) {
    Run& last = begin_ == rest_.size() ? first_ : rest_.back();
    if (last.count > 0 && last.us == us) {
      ++last.count;
    } else if (first_.count == 0) {
      first_ = {us, 1};
    } else {
      rest_.push_back({us, 1});
    }
  }
  // Not of none.
  uint64_t front() const { return first_.us; }
  void Pop() {
    if (--first_.count == 0 && begin_ < rest_.size()) [[unlikely]]
      Next();
  }
  // Gives back what an idle session need not hold.
  void ReleaseMemory() {
    if (first_.count == 0) std::vector<Run>().swap(rest_);
  }

 private:
  struct Run {
    uint64_t us = 0;
    uint32_t count = 0;
  };
  // What is used up in front goes when it is half of it all.
  void Next() {
    first_ = rest_[begin_++];
    if (begin_ * 2 < rest_.size()) return;
    rest_.erase(rest_.begin(), rest_.begin() + static_cast<ptrdiff_t>(begin_));
    begin_ = 0;
  }

  Run first_;
  std::vector<Run> rest_;
  size_t begin_ = 0;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SESSION_ASK_TIMES_H_
