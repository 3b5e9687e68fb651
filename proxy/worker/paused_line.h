// Those that are not read from, in the order in which they are tried again.

#ifndef GEMEL_PROXY_WORKER_PAUSED_LINE_H_
#define GEMEL_PROXY_WORKER_PAUSED_LINE_H_

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace gemel {

// What became of one that was tried.
enum class Tried : uint8_t {
  kResumed,   // it waits no more; if it does again, it was added anew meanwhile
  kStays,     // it did not get on
  kAdvanced,  // it got on, and waits again
};

// Of pointers to T, which whoever goes takes out. Those who waited longest are tried, and who gets
// on and waits again is last from then on: room for a few large replies is not to go to the same
// one each time. The others have their turn in the turns that follow, or thousands of them would
// make every turn a long one.
template <typename T>
class PausedLine {
 public:
  static constexpr size_t kTriedATurn = 256;

  bool empty() const { return line_.empty(); }
  size_t size() const { return line_.size(); }
  void Add(T* one) { line_.push_back(one); }
  void Remove(T* one) { std::erase(line_, one); }
  void Clear() { line_.clear(); }

  // `attempt(T*)` returns a Tried, may add, and removes nobody.
  template <typename Attempt>
  void Try(Attempt attempt) {
    if (line_.empty()) return;
    std::vector<T*> tried = std::exchange(line_, {});
    std::vector<T*> rest;
    if (tried.size() > kTriedATurn) {
      rest.assign(tried.begin() + kTriedATurn, tried.end());
      tried.resize(kTriedATurn);
    }
    std::vector<T*> advanced;
    for (T* one : tried) {
      const Tried outcome = attempt(one);
      if (outcome == Tried::kStays) rest.push_back(one);
      if (outcome == Tried::kAdvanced) advanced.push_back(one);
    }
    // Who was added meanwhile got on, too.
    line_.insert(line_.begin(), rest.begin(), rest.end());
    line_.insert(line_.end(), advanced.begin(), advanced.end());
  }

 private:
  std::vector<T*> line_;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_WORKER_PAUSED_LINE_H_
