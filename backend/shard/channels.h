// Which channels workers want of the shard, and what its nodes publish in them. Each copy's node is
// subscribed to all of them (backend/channels), so that nothing is missing when another one becomes
// the primary; but a message counts if it is the primary's, for what several copies are sent each
// of them may publish (keyspace notifications, a transaction with PUBLISH).
//
// Of several shards that have a database each of one server, one passes on what is published there
// (server_voices.h), but for what is about keys: of these each shard its own.
//
// A node is connected to while anything is wanted, and a moment longer. Where the shard has a
// database of its nodes for itself, names are the client's everywhere but on the feeds
// (keyspace_name.h).

#ifndef GEMEL_BACKEND_SHARD_CHANNELS_H_
#define GEMEL_BACKEND_SHARD_CHANNELS_H_

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "backend/channels/channel_feed.h"
#include "backend/figures/figures.h"
#include "backend/shard/request.h"
#include "backend/shard/shard_parts.h"

namespace gemel {

// Of a request of kind kChannels: that worker wants to hear of the names (channel_name.h), or does
// not any more; both hold until the other is said, however often. Answered with OK once all
// copies in sync tell of all of them, but for those that cannot be asked just now (of one that is
// being connected to it is not known yet), in a second at the latest; or with the
// primary's error, and what it refused is not wanted. With `barrier` it is answered once all that
// the primary has published by now was handed on (or cannot be any more), and no names are in it.
// With `all`, and without `wanted`, it is of every name that the worker has wanted.
struct ChannelsCargo : RequestCargo {
  uint32_t worker = 0;
  bool wanted = true;
  bool barrier = false;
  bool all = false;
  std::vector<std::string> names;
};

// Logic only, the shard's thread.
class Channels : private ChannelFeed::Host {
 public:
  explicit Channels(ShardParts* parts) : parts_(parts) {}

  void AddCopy(uint32_t copy, const LinkOptions& node);
  void RemoveCopy(uint32_t copy) { feeds_[copy]->Stop(); }
  void SetOptions(uint32_t copy, const LinkOptions& node) { feeds_[copy]->SetOptions(node); }
  // The copy's link that carries the requests is up.
  void OnMainUp(uint32_t copy);
  // The link of the copy's feed; without a transport it is never used.
  Link& link(uint32_t copy) { return feeds_[copy]->link(); }
  void Tick(uint64_t now_ms, uint32_t random);
  // Answers who waits.
  void Stop();

  // Takes a request of kind kChannels.
  void Submit(Request* request);
  // The shard was another process's before. Those who listen have until then to say so here.
  void AwaitListeners(uint64_t until_ms);
  // Another copy may be the primary.
  void OnRoles();
  // False for that time, and for a moment after the primary's link has come up, or it has become
  // the primary: what it was sent now nobody would hear, though somebody wants to.
  bool MayPublish() const { return !catching_up_; }
  // The same of a request that is no PUBLISH, for what its node tells of keys, and what it
  // publishes among other things.
  bool MayBeSent(const Request& request) const {
    return !catching_up_ || wanted_.empty() || (of_keys_ == 0 && !MayPublishToo(request));
  }

  // What the copies in sync have published until it was begun; before another one is the primary.
  struct Rest {
    bool begun = false;
    bool asked = false;
    uint64_t until_ms = 0;
    uint64_t mark = 0;            // in the primary's line
    std::vector<uint64_t> pings;  // by copy
  };
  // All of that is handed on, or will not be any more. Begins it if that was not done.
  bool IsHeard(Rest* rest);

 private:
  struct Waiting {
    Request* request;
    std::vector<std::string> names;  // that not all tell of yet
    uint64_t until_ms;
    std::string error;
    uint32_t copy = 0;  // that has not answered
    uint64_t ping = 0;
  };
  using Workers = std::vector<uint32_t>;

  // ChannelFeed::Host
  void OnMessage(uint32_t copy, std::string_view message) override;
  void OnMessagesEnd(uint32_t copy) override;
  void OnSubscribed(uint32_t copy, std::string_view name, std::string_view error) override;
  void OnFeedUp(uint32_t copy) override;
  void OnPong(uint32_t) override { settle_ = true; }
  bool IsSilent(uint32_t copy) override;

  void Want(const ChannelsCargo& cargo);
  void Drop(const ChannelsCargo& cargo);
  void Drop(uint32_t worker, const std::string& name);
  void StartFeeds(uint64_t now_ms);
  // Answers those that need not wait any more. Whoever is answered may submit something.
  void Settle(uint64_t now_ms);
  // The one that came last, if it need not.
  void SettleLast(uint64_t now_ms);
  bool NeedsNoWait(Waiting* waiting, uint64_t now_ms) const;
  static void Answer(const Waiting& done);
  bool NeedsNoWait(const std::string& name) const;
  // Its node is connected to, or it is not known yet that it cannot be.
  bool MayBeThere(uint32_t copy) const;
  static bool MayPublishToo(const Request& request);
  // Looks who passes on what the primary's server publishes.
  void LookWhoSpeaks();
  // Splits the message into args_.
  bool PassesOn(std::string_view name, std::string_view message);
  // The database that the shard has for itself; 0: it has all.
  bool IsHidden(std::string_view name, std::string_view message);
  uint32_t OwnDatabase() const;
  // A name as the nodes have it; empty: nothing of it is the shard's.
  std::string OnNodes(const std::string& name) const;
  std::string OfNodes(std::string_view name) const;
  // Begins the time in which nothing may be published, if the primary's feed is not ready.
  void BeginCatchingUp(uint64_t now_ms);
  // Ends it, if it is over.
  void LookWhetherCaughtUp(uint64_t now_ms);

  ShardParts* parts_;
  std::vector<std::unique_ptr<ChannelFeed>> feeds_;  // by copy
  std::unordered_map<std::string, Workers> wanted_;
  size_t of_keys_ = 0;  // of these: that may be about keys
  std::list<Waiting> waiting_;
  bool settle_ = false;   // a node has confirmed or refused something
  uint32_t primary_ = 0;  // as it was seen last
  bool catching_up_ = false;
  uint64_t catch_up_until_ms_ = 0;
  uint64_t listeners_until_ms_ = 0;
  std::vector<std::string_view> args_;  // scratch: of a message
  bool speaks_ = true;
  bool looked_ = false;           // who does, since what came last was handed on
  uint64_t used_ms_ = 0;          // when anything was wanted last
  std::vector<std::string> out_;  // by worker: what came together
  Figure messages_{parts_->figures, "messages", "Messages of channels that were passed on"};
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_CHANNELS_H_
