// Pushes that are to come behind replies which stand in line still: a client must have a value
// before it is told that it is old, and know of its subscription before it gets a message of it.

#ifndef GEMEL_PROXY_SESSION_HELD_PUSHES_H_
#define GEMEL_PROXY_SESSION_HELD_PUSHES_H_

#include <algorithm>
#include <cstddef>
#include <deque>
#include <string>
#include <string_view>
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
  void Add(size_t ahead, std::string_view push) { Add(ahead, push, false); }
  // So many of those in line go out before the client knows that it has subscribed to these names
  // (channel_name.h).
  void AwaitConfirmation(size_t ahead, const std::vector<std::string>& names) {
    for (const std::string& name : names) {
      bytes_ += name.size();
      Budget::Take(name.size());
      unconfirmed_.push_back({ahead, name});
    }
  }
  bool any_unconfirmed() const { return !unconfirmed_.empty(); }
  // A message of that name. False: it may come now.
  bool AddMessage(const std::string& name, std::string_view message) {
    for (const Unconfirmed& of : unconfirmed_) {
      if (of.name != name) continue;
      Add(of.ahead, message, true);
      return true;
    }
    // Nor does one of another name overtake it.
    if (unconfirmed_.empty() || pushes_.empty()) return false;
    Add(0, message, false);
    return true;
  }
  // Nothing came of what was not confirmed yet: it is forgotten, and its messages.
  void DropUnconfirmed() {
    for (const Unconfirmed& of : unconfirmed_) Gone(of.name.size());
    unconfirmed_.clear();
    std::erase_if(pushes_, [this](const Push& push) {
      if (push.unconfirmed) Gone(push.bytes.size());
      return push.unconfirmed;
    });
  }
  // So many have gone out. Calls out(push) for each whose turn has come.
  template <typename Out>
  void OnGone(size_t count, Out out) {
    std::erase_if(unconfirmed_, [this, count](Unconfirmed& of) {
      of.ahead -= std::min(of.ahead, count);
      if (of.ahead == 0) Gone(of.name.size());
      return of.ahead == 0;
    });
    for (Push& push : pushes_) push.ahead -= std::min(push.ahead, count);
    while (!pushes_.empty() && pushes_.front().ahead == 0) {
      out(std::string_view(pushes_.front().bytes));
      Gone(pushes_.front().bytes.size());
      pushes_.pop_front();
    }
  }

 private:
  struct Push {
    size_t ahead;
    bool unconfirmed;  // of a subscription that was not
    std::string bytes;
  };
  struct Unconfirmed {
    size_t ahead;
    std::string name;
  };

  void Add(size_t ahead, std::string_view push, bool unconfirmed) {
    if (!pushes_.empty()) ahead = std::max(ahead, pushes_.back().ahead);
    pushes_.push_back({ahead, unconfirmed, std::string(push)});
    bytes_ += push.size();
    Budget::Take(push.size());
  }
  void Gone(size_t bytes) {
    bytes_ -= bytes;
    Budget::Give(bytes);
  }

  std::deque<Push> pushes_;
  std::vector<Unconfirmed> unconfirmed_;
  size_t bytes_ = 0;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SESSION_HELD_PUSHES_H_
