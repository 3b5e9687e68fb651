#include "proxy/seen/users_seen.h"

#include <new>

namespace gemel {

void UsersSeen::TurnTo(const AclUserPtr& user) try {
  last_ = user;
  seen_ = nullptr;
  if (user == nullptr) return;
  const auto known = users_.find(user->name());
  if (known != users_.end()) {
    seen_ = &known->second;
  } else {
    seen_ = &users_[users_.size() < kMost ? user->name() : "..."];
  }
} catch (const std::bad_alloc&) {  // it is not counted
}

}  // namespace gemel
