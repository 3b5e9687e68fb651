// A worker's subscribers, by what they have subscribed to. A name (channel_name.h) is wanted of the
// shards while anybody here holds it.

#ifndef GEMEL_PROXY_CHANNELS_CHANNEL_REGISTRY_H_
#define GEMEL_PROXY_CHANNELS_CHANNEL_REGISTRY_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
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

// Of a request to a worker: who publishes that, in that shard (none: in any), waits until it would
// be heard by the clients of the worker (ChannelRegistry::WhenTold).
struct WhenToldCargo : RequestCargo {
  Published published;
  std::optional<uint32_t> shard;
};

// The worker's thread.
class ChannelRegistry {
 public:
  // All outlive it.
  ChannelRegistry(Dispatcher* dispatcher, ChunkPool* pool, ChannelCounts* counts)
      : dispatcher_(dispatcher), pool_(pool), counts_(counts) {}
  ~ChannelRegistry();
  ChannelRegistry(const ChannelRegistry&) = delete;
  ChannelRegistry& operator=(const ChannelRegistry&) = delete;

  // Somebody wants it; each call is to be made up for by one name of Give. With the last of these
  // the shards are told that it is not wanted any more.
  void Take(const std::string& name);
  void Give(const std::vector<std::string>& names);

  // The shards have said that they tell of it. SetTold: if it is held still.
  bool IsTold(const std::string& name) const;
  void SetTold(const std::string& name);
  // While a client waits until they do.
  void BeginAsking(const std::string& name);
  void EndAsking(const std::string& name);
  // What a shard is to be asked, and the slots of those to ask.
  std::unique_ptr<ChannelsCargo> Question(bool wanted, std::vector<std::string> names) const;
  std::vector<uint32_t> ShardsOf(const std::string& name) const;

  // One that holds the name gets its messages from now on, until Leave. *place is written when
  // others leave.
  void Enter(const std::string& name, Subscriber* subscriber, size_t* place);
  void Leave(const std::string& name, size_t place);

  // done() runs, maybe at once, when what is published in that shard (none: in any) would come to
  // those here that had asked for it by now; or if it cannot, as far as a SUBSCRIBE waits for that.
  void WhenTold(const Published& published, std::optional<uint32_t> shard,
                std::function<void()> done);

  // A request to this worker: true if it was one with a WhenToldCargo, which will be answered: once
  // all is read that had come for the worker when it was sent, and is told.
  bool Take(Request* request);
  // All is read that had come when the loop polled last. True: another turn is to come at once.
  bool AfterReading();
  const SubscriptionsUnderWay& under_way() const { return counts_->under_way(); }

  // The pool will be another one, and is: shards that are new are asked for all that is wanted, and
  // so is who has a channel of shards now. Who subscribes from now on waits for them.
  void BeginChange();
  void OnPool();
  // Whoever has that shard now does not know what is wanted here: it is asked for that again, and
  // who subscribes or publishes meanwhile waits for it. Retry, now and then: what could not be
  // asked is.
  void OnShardAnew(uint32_t slot);
  void Retry();
  // Messages of a shard: whole arrays of RESP2, one behind the other.
  void Deliver(std::string_view messages);

 private:
  struct Member {
    Subscriber* subscriber;
    size_t* place;
  };
  struct Entry {
    uint32_t holders = 0;
    std::vector<Member> members;
  };
  using Questions = std::map<uint32_t, std::vector<std::string>>;  // by shard
  struct Late {
    Published published;
    std::optional<uint32_t> shard;
    std::function<void()> done;
  };

  std::set<std::string, std::less<>> ShardNames() const;
  void Tell(uint32_t shard, std::unique_ptr<ChannelsCargo> question, RequestSink* sink);
  // done() runs when all are answered.
  void Ask(Questions questions, std::function<void()> done);
  // The names are untold till all changes that have begun are told of.
  void BeginAnew(const std::vector<std::string>& names);
  void EndAnew();

  Dispatcher* dispatcher_;
  ChunkPool* pool_;
  ChannelCounts* counts_;
  std::unordered_map<std::string, Entry> entries_;
  std::set<std::string> untold_;  // of these: the shards have not said that they tell of it
  size_t of_keys_ = 0;            // entries that may be about keys
  bool changing_ = false;         // between BeginChange and OnPool
  bool change_told_ = true;       // all shards tell of all that was wanted when they changed last
  uint32_t changes_ = 0;          // of pools and shards, of which that is still to come
  std::set<std::string> anew_;    // what is asked for in these
  std::set<uint32_t> again_;      // shards that could not be asked
  std::vector<Late> late_;        // that came then
  // Asked since the loop polled last, when what came before them need not have been there; before.
  std::vector<Request*> asked_;
  std::vector<Request*> ripe_;
  std::set<std::string, std::less<>> shards_ = ShardNames();  // of the pool
};

}  // namespace gemel

#endif  // GEMEL_PROXY_CHANNELS_CHANNEL_REGISTRY_H_
