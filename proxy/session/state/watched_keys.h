// What a client has WATCHed: EXEC does nothing if one of these keys was touched since. The shard's
// owner finds that out (backend/shard/watches.h); that a key has expired is found out here, by what
// its node said of it when it began to be watched.

#ifndef GEMEL_PROXY_SESSION_STATE_WATCHED_KEYS_H_
#define GEMEL_PROXY_SESSION_STATE_WATCHED_KEYS_H_

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "backend/shard/watches.h"

namespace gemel {

// The session's thread.
class WatchedKeys {
 public:
  struct Key {
    std::string name;  // key_name.h
    bool existed = false;
    uint64_t expires_ms = 0;  // of the session's clock; 0: never
  };

  WatchedKeys() = default;
  ~WatchedKeys() { Reset(); }
  WatchedKeys(const WatchedKeys&) = delete;
  WatchedKeys& operator=(const WatchedKeys&) = delete;

  bool any() const { return set_ != nullptr; }
  // The slot of the shard that they all belong to; none, if there are none.
  std::optional<uint32_t> shard() const {
    return set_ != nullptr ? std::optional(set_->shard) : std::nullopt;
  }
  size_t size() const { return set_ != nullptr ? set_->keys.size() : 0; }
  // Keys of that shard will be watched, too.
  const std::shared_ptr<WatchTicket>& Begin(uint32_t shard) {
    if (set_ == nullptr) {
      set_ = std::make_unique<Set>();
      set_->ticket = std::make_shared<WatchTicket>();
      set_->shard = shard;
    }
    return set_->ticket;
  }
  const std::shared_ptr<WatchTicket>& ticket() const { return set_->ticket; }
  const std::vector<Key>& keys() const { return set_->keys; }
  // That one is.
  void Add(Key key) { set_->keys.push_back(std::move(key)); }
  // One that was there has expired.
  bool Expired(uint64_t now_ms) const {
    return set_ != nullptr &&
           std::any_of(set_->keys.begin(), set_->keys.end(), [now_ms](const Key& key) {
             return key.expires_ms != 0 && now_ms >= key.expires_ms;
           });
  }
  // What is watched is told by its ticket alone from now on: whoever has it drops it.
  std::shared_ptr<WatchTicket> TakeTicket() {
    std::shared_ptr<WatchTicket> ticket = std::move(set_->ticket);
    set_.reset();
    return ticket;
  }
  void Reset() {
    if (set_ != nullptr) set_->ticket->dropped = true;
    set_.reset();
  }

 private:
  struct Set {
    std::shared_ptr<WatchTicket> ticket;
    uint32_t shard = 0;
    std::vector<Key> keys;
  };
  std::unique_ptr<Set> set_;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SESSION_STATE_WATCHED_KEYS_H_
