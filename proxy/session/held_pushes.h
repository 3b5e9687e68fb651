// Pushes that are to come behind replies which stand in line still: a client must have a value
// before it is told that it is old, and know of its subscription before it gets a message of it.

#ifndef GEMEL_PROXY_SESSION_HELD_PUSHES_H_
#define GEMEL_PROXY_SESSION_HELD_PUSHES_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "backend/bytes/budget.h"

namespace gemel {

// One thread. What it holds is counted (Budget).
class HeldPushes {
 public:
  HeldPushes() = default;
  ~HeldPushes() { Budget::Give(bytes_); }
  HeldPushes(const HeldPushes&) = delete;
  HeldPushes& operator=(const HeldPushes&) = delete;

  bool empty() const { return pushes_.empty() && unconfirmed_.empty(); }
  size_t bytes() const { return bytes_; }
  // It comes once so many of those in line have gone out, and behind the pushes before it.
  void Add(size_t ahead, std::string_view push) { Add(gone_ + ahead, {}, push); }
  // So many of those in line go out before the client knows that it has subscribed to these names
  // (channel_name.h). Not fewer than the last time.
  void AwaitConfirmation(size_t ahead, const std::vector<std::string>& names) {
    for (const std::string& name : names) {
      confirmations_.push_back({gone_ + ahead, name});
      if (!unconfirmed_.insert_or_assign(name, gone_ + ahead).second) continue;
      bytes_ += name.size();
      Budget::Take(name.size());
    }
  }
  bool any_unconfirmed() const { return !unconfirmed_.empty(); }
  bool IsUnconfirmed(const std::string& name) const { return unconfirmed_.contains(name); }
  // A message of that name. False: it may come now.
  bool AddMessage(const std::string& name, std::string_view message) {
    const auto of = unconfirmed_.find(name);
    if (of != unconfirmed_.end()) {
      Add(of->second, name, message);
      return true;
    }
    // Nor does one of another name overtake it.
    if (unconfirmed_.empty() || pushes_.empty()) return false;
    Add(gone_, {}, message);
    return true;
  }
  // Nothing came of these of what was not confirmed yet: they are forgotten, and their messages.
  void DropUnconfirmed(const std::vector<std::string>& names) {
    for (const std::string& name : names) {
      if (unconfirmed_.erase(name) > 0) Gone(name.size());
    }
    std::erase_if(pushes_, [this, &names](const Push& push) {
      const bool drop = !push.unconfirmed.empty() &&
                        std::find(names.begin(), names.end(), push.unconfirmed) != names.end();
      if (drop) Gone(push.bytes.size());
      return drop;
    });
  }
  // So many have gone out. Calls out(push) for each whose turn has come.
  template <typename Out>
  void OnGone(size_t count, Out out) {
    gone_ += count;
    for (; !confirmations_.empty() && confirmations_.front().behind <= gone_;
         confirmations_.pop_front()) {
      const auto of = unconfirmed_.find(confirmations_.front().name);
      if (of == unconfirmed_.end() || of->second > gone_) continue;  // it was dropped
      Gone(of->first.size());
      unconfirmed_.erase(of);
    }
    while (!pushes_.empty() && pushes_.front().behind <= gone_) {
      out(std::string_view(pushes_.front().bytes));
      Gone(pushes_.front().bytes.size());
      pushes_.pop_front();
    }
  }

 private:
  // `behind`: how many have gone out then, of all since this was made.
  struct Push {
    uint64_t behind;
    std::string unconfirmed;  // of a subscription that was not; else empty
    std::string bytes;
  };
  struct Confirmation {
    uint64_t behind;
    std::string name;
  };

  void Add(uint64_t behind, const std::string& unconfirmed, std::string_view push) {
    if (!pushes_.empty()) behind = std::max(behind, pushes_.back().behind);
    pushes_.push_back({behind, unconfirmed, std::string(push)});
    bytes_ += push.size();
    Budget::Take(push.size());
  }
  void Gone(size_t bytes) {
    bytes_ -= bytes;
    Budget::Give(bytes);
  }

  uint64_t gone_ = 0;
  std::deque<Push> pushes_;
  std::unordered_map<std::string, uint64_t> unconfirmed_;  // behind how many
  std::deque<Confirmation> confirmations_;                 // of these, and of what was dropped
  size_t bytes_ = 0;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SESSION_HELD_PUSHES_H_
