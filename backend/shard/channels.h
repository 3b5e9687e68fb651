// Which channels workers want of the shard, and what its nodes publish in them. Each copy's node is
// subscribed to all of them (backend/channels), so that nothing is missing when another one becomes
// the primary; but a message counts if it is the primary's, for what several copies are sent each
// of them may publish (keyspace notifications, a transaction with PUBLISH).
//
// Of several shards that have a database each of one server, one passes on what is published there
// (server_voices.h), but for what is about keys: of these each shard its own.
//
// A node is connected to while anything is wanted, and a moment longer.

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
// copies in sync tell of all of them, but for those that cannot be asked just now; or with the
// primary's error, and what it refused is not wanted.
struct ChannelsCargo : RequestCargo {
  uint32_t worker = 0;
  bool wanted = true;
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
  void OnMainUp(uint32_t copy) { feeds_[copy]->OnMainUp(parts_->env->NowMs()); }
  // The link of the copy's feed; without a transport it is never used.
  Link& link(uint32_t copy) { return feeds_[copy]->link(); }
  void Tick(uint64_t now_ms, uint32_t random);
  // Answers who waits.
  void Stop();

  // Takes a request of kind kChannels.
  void Submit(Request* request);

 private:
  struct Waiting {
    Request* request;
    std::vector<std::string> names;  // that not all tell of yet
    uint64_t until_ms;
    std::string error;
  };
  using Workers = std::vector<uint32_t>;

  // ChannelFeed::Host
  void OnMessage(uint32_t copy, std::string_view message) override;
  void OnMessagesEnd(uint32_t copy) override;
  void OnSubscribed(uint32_t copy, std::string_view name, std::string_view error) override;
  void OnFeedUp(uint32_t copy) override;
  bool IsSilent(uint32_t copy) override;

  void Want(const ChannelsCargo& cargo);
  void Drop(const ChannelsCargo& cargo);
  void Drop(uint32_t worker, const std::string& name);
  void StartFeeds(uint64_t now_ms);
  // Answers those that need not wait any more; that one, if it need not.
  void Settle(uint64_t now_ms);
  void SettleOne(std::list<Waiting>::iterator waiting, uint64_t now_ms);
  bool NeedsNoWait(const std::string& name) const;
  // Looks who passes on what the primary's server publishes.
  void LookWhoSpeaks();
  bool PassesOn(std::string_view name, std::string_view message) const;

  ShardParts* parts_;
  std::vector<std::unique_ptr<ChannelFeed>> feeds_;  // by copy
  std::unordered_map<std::string, Workers> wanted_;
  std::list<Waiting> waiting_;
  bool settle_ = false;  // a node has confirmed or refused something
  bool speaks_ = true;
  bool looked_ = false;           // who does, since what came last was handed on
  uint64_t used_ms_ = 0;          // when anything was wanted last
  std::vector<std::string> out_;  // by worker: what came together
  Figure messages_{parts_->figures, "messages", "Messages of channels that were passed on"};
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_CHANNELS_H_
