// What a client has subscribed to: channels, patterns, channels of shards.

#ifndef GEMEL_PROXY_SESSION_STATE_SUBSCRIPTIONS_H_
#define GEMEL_PROXY_SESSION_STATE_SUBSCRIPTIONS_H_

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "backend/channels/channel_name.h"
#include "proxy/channels/channel_registry.h"

namespace gemel {

// Names are those of channel_name.h. What has none takes no memory.
class Subscriptions {
 public:
  Subscriptions() = default;
  ~Subscriptions() { Reset(); }
  Subscriptions(const Subscriptions&) = delete;
  Subscriptions& operator=(const Subscriptions&) = delete;

  bool any() const { return rep_ != nullptr; }
  uint64_t channels() const { return CountOf(ChannelKind::kChannel); }
  uint64_t patterns() const { return CountOf(ChannelKind::kPattern); }
  uint64_t shard_channels() const { return CountOf(ChannelKind::kShardChannel); }
  // As the answer to a command of that kind counts.
  uint64_t Told(ChannelKind kind) const {
    return kind == ChannelKind::kShardChannel ? shard_channels() : channels() + patterns();
  }
  bool Has(const std::string& name) const { return rep_ != nullptr && rep_->places.contains(name); }
  std::vector<std::string> Names(ChannelKind kind) const;
  size_t size() const { return rep_ == nullptr ? 0 : rep_->places.size(); }
  // Bytes that are held for them, counted (Budget).
  size_t Held() const { return rep_ == nullptr ? 0 : rep_->bytes; }

  // It is entered in the registry, where the name is held for it already. Not if it Has that.
  void Enter(ChannelRegistry* registry, Subscriber* subscriber, const std::string& name);
  // And leaves; what it left is to be given back (ChannelRegistry::Give). False: it had not that.
  bool Leave(const std::string& name);
  // Leaves all, and gives it back.
  void Reset();

  // What was asked for last (proxy/local/subscribe_wish.h), as long as that is.
  std::weak_ptr<void> asked_last;
  // When it had more than the soft limit of messages that it has not taken; 0: it has not.
  uint64_t slow_since_ms = 0;

 private:
  struct Rep {
    ChannelRegistry* registry;
    std::unordered_map<std::string, size_t> places;  // in the registry
    uint64_t counts[3] = {};
    size_t bytes = 0;
  };
  static size_t CostOf(const std::string& name) { return name.size() + 96; }
  uint64_t CountOf(ChannelKind kind) const {
    return rep_ == nullptr ? 0 : rep_->counts[static_cast<size_t>(kind)];
  }

  std::unique_ptr<Rep> rep_;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SESSION_STATE_SUBSCRIPTIONS_H_
