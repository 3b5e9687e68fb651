// What a worker's clients asked as each user, and got.

#ifndef GEMEL_PROXY_SEEN_USERS_SEEN_H_
#define GEMEL_PROXY_SEEN_USERS_SEEN_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include "backend/acl/acl_users.h"
#include "backend/figures/latency_buckets.h"

namespace gemel {

struct UserSeen {
  uint64_t failed = 0;       // answered with an error
  uint64_t reply_bytes = 0;  // of all answers
  uint64_t clients = 0;      // now; of readings alone
  LatencyBuckets times;      // of all commands
};
// By name.
using UserSeenMap = std::map<std::string, UserSeen, std::less<>>;

// One worker's, on its thread.
class UsersSeen {
 public:
  // Users are made by the config and by ACL SETUSER: beyond so many they are counted as one, "...".
  static constexpr size_t kMost = 256;

  // A command of that user was answered after so long.
  void OnDone(const AclUserPtr& user, uint64_t took_us, size_t reply_bytes, bool failed) {
    if (user != last_) [[unlikely]]
      TurnTo(user);
    if (seen_ == nullptr) return;
    seen_->times.Add(took_us);
    seen_->reply_bytes += reply_bytes;
    seen_->failed += failed ? 1 : 0;
  }
  // Nobody wants to know any more.
  void Forget() {
    last_.reset();
    seen_ = nullptr;
    users_.clear();
  }
  const UserSeenMap& all() const { return users_; }

 private:
  void TurnTo(const AclUserPtr& user);

  UserSeenMap users_;
  AclUserPtr last_;
  UserSeen* seen_ = nullptr;  // of the last; null: there was no memory
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SEEN_USERS_SEEN_H_
