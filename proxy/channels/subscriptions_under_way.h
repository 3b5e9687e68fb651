// What clients have asked to subscribe to and the shards do not tell of yet, of all workers. What
// is published behind such a wish is to be heard by who has it: so it waits, and asks the worker of
// that client when it may go on (ChannelRegistry::WhenTold). So does a write, of which the nodes
// publish themselves (keyspace notifications), while such a wish is about keys.

#ifndef GEMEL_PROXY_CHANNELS_SUBSCRIPTIONS_UNDER_WAY_H_
#define GEMEL_PROXY_CHANNELS_SUBSCRIPTIONS_UNDER_WAY_H_

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "backend/channels/channel_name.h"

namespace gemel {

// What a command publishes.
struct Published {
  bool unknown = false;  // of a script it is not known to which channels
  // Kinds kChannel and kShardChannel.
  std::vector<std::pair<ChannelKind, std::string>> channels;
  bool of_keys = false;  // it may write: what nodes tell of keys

  bool any() const { return unknown || of_keys || !channels.empty(); }
  // Who has subscribed to that name may get something of it.
  bool IsFor(std::string_view name) const;
};

// Any thread. Names are those of channel_name.h.
class SubscriptionsUnderWay {
 public:
  // Costs next to nothing.
  bool any() const { return count_.load(std::memory_order_acquire) != 0; }
  // Any that writes are to wait for. The same.
  bool about_keys() const { return of_keys_.load(std::memory_order_acquire) != 0; }

  // Each Begin is made up for by one End.
  void Begin(uint32_t worker, const std::string& name);
  void End(uint32_t worker, const std::string& name);
  // The pool of shards becomes another one on that worker: whatever is wanted there may not be told
  // of by shards that are new. `of_keys`: something about keys is. Any number of times.
  void BeginChange(uint32_t worker, bool of_keys);
  void EndChange(uint32_t worker);

  // The workers that have something under way that it is for.
  std::vector<uint32_t> WorkersFor(const Published& published) const;

 private:
  using Names = std::map<std::string, std::map<uint32_t, uint32_t>>;  // how often, by worker
  using Counts = std::map<uint32_t, uint64_t>;                        // by worker

  void AddMatching(const std::string& channel, std::set<uint32_t>* workers) const;

  std::atomic<uint64_t> count_{0};
  std::atomic<uint64_t> of_keys_{0};  // of these
  mutable std::mutex mutex_;          // guards what follows
  Names names_;
  Counts by_worker_;                   // how many of these
  Counts of_keys_by_worker_;           // how many of these may be about keys
  std::map<uint32_t, bool> changing_;  // which workers; with something about keys?
};

}  // namespace gemel

#endif  // GEMEL_PROXY_CHANNELS_SUBSCRIPTIONS_UNDER_WAY_H_
