// A worker's subscribers, by what they have subscribed to. A name (channel_name.h) is wanted of the
// shards while anybody here holds it.

#ifndef GEMEL_PROXY_CHANNELS_CHANNEL_REGISTRY_H_
#define GEMEL_PROXY_CHANNELS_CHANNEL_REGISTRY_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "backend/bytes/chunk.h"
#include "backend/shard/channels.h"
#include "proxy/channels/channel_counts.h"
#include "proxy/channels/channel_message.h"
#include "proxy/dispatch/dispatcher.h"

namespace gemel {

// The worker's thread.
class ChannelRegistry {
 public:
  // All outlive it.
  ChannelRegistry(Dispatcher* dispatcher, ChunkPool* pool, ChannelCounts* counts)
      : dispatcher_(dispatcher), pool_(pool), counts_(counts) {}
  ChannelRegistry(const ChannelRegistry&) = delete;
  ChannelRegistry& operator=(const ChannelRegistry&) = delete;

  // Somebody wants it; each call is to be made up for by one name of Give. With the last of these
  // the shards are told that it is not wanted any more.
  void Take(const std::string& name) { ++entries_[name].holders; }
  void Give(const std::vector<std::string>& names);

  // The shards have said that they tell of it; only while it is held.
  bool IsTold(const std::string& name) const;
  void SetTold(const std::string& name) { entries_.at(name).told = true; }
  // What a shard is to be asked, and the slots of those to ask.
  std::unique_ptr<ChannelsCargo> Question(bool wanted, std::vector<std::string> names) const;
  std::vector<uint32_t> ShardsOf(const std::string& name) const;

  // One that holds the name gets its messages from now on, until Leave. *place is written when
  // others leave.
  void Enter(const std::string& name, Subscriber* subscriber, size_t* place);
  void Leave(const std::string& name, size_t place);

  // The pool is another one: shards that are new are asked for all that is wanted, and so is who
  // has a channel of shards now. Who subscribes from now on waits for them.
  void OnPool();
  // Messages of a shard: whole arrays of RESP2, one behind the other.
  void Deliver(std::string_view messages);

 private:
  struct Member {
    Subscriber* subscriber;
    size_t* place;
  };
  struct Entry {
    uint32_t holders = 0;
    bool told = false;
    std::vector<Member> members;
  };

  std::set<std::string, std::less<>> ShardNames() const;
  void Tell(uint32_t shard, bool wanted, std::vector<std::string> names);

  Dispatcher* dispatcher_;
  ChunkPool* pool_;
  ChannelCounts* counts_;
  std::unordered_map<std::string, Entry> entries_;
  std::set<std::string, std::less<>> shards_ = ShardNames();  // of the pool
};

}  // namespace gemel

#endif  // GEMEL_PROXY_CHANNELS_CHANNEL_REGISTRY_H_
