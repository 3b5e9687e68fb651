// What a node publishes: a connection that is subscribed to the channels and patterns that are
// wanted (https://redis.io/docs/manual/pubsub/).

#ifndef GEMEL_BACKEND_CHANNELS_CHANNEL_FEED_H_
#define GEMEL_BACKEND_CHANNELS_CHANNEL_FEED_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "backend/link/link.h"

namespace gemel {

// Logic only, the shard's thread.
class ChannelFeed : private LinkOwner {
 public:
  class Host {
   public:
    virtual ~Host() = default;
    // A whole message, an array of RESP2. Good during the call.
    virtual void OnMessage(uint32_t copy, std::string_view message) = 0;
    // All that came with it has been told.
    virtual void OnMessagesEnd(uint32_t copy) = 0;
    // What is published there under that name is told from now on; or `error`, a whole reply, is
    // why it is not.
    virtual void OnSubscribed(uint32_t copy, std::string_view name, std::string_view error) = 0;
    // The connection is there: all that is wanted is to be given to Add.
    virtual void OnFeedUp(uint32_t copy) = 0;
    // A Ping has been answered, or never will be.
    virtual void OnPong(uint32_t copy) = 0;
    // The node answers nobody just now, so that silence is no sign that the feed is dead.
    virtual bool IsSilent(uint32_t copy) = 0;
  };

  // `host` and `pool` outlive it. Without a transport the link is never used.
  ChannelFeed(Host* host, uint32_t copy, ChunkPool* pool, const LinkOptions& node);
  ChannelFeed(const ChannelFeed&) = delete;
  ChannelFeed& operator=(const ChannelFeed&) = delete;

  Link& link() { return link_; }
  void SetOptions(const LinkOptions& node);
  // Connects, and goes on trying, until Stop. No-op if it is doing so, or without a transport.
  void Start(uint64_t now_ms);
  void Stop();
  // The node's main link is connected: so will this one be, at once.
  void OnMainUp(uint64_t now_ms);
  void Tick(uint64_t now_ms, uint32_t random);

  // Names are those of channel_name.h. No-ops while the connection is not there.
  void Add(const std::string& name);
  void Remove(const std::string& name);
  // Behind all that the node has published by now; that one is over once IsAnswered, when all of
  // that has been told, or nothing more of it will be.
  uint64_t Ping();
  bool IsAnswered(uint64_t ping) const { return answered_ >= ping; }
  // It could not be connected. One that was lost is not given up before it is tried again, nor is
  // one whose node's main link has come up since.
  bool failed() const { return failed_; }
  // What is published there is told, or refused.
  bool IsSettled(const std::string& name) const;
  // All that is wanted of it is.
  bool AllSettled() const { return link_.up() && unsettled_ == 0; }

 private:
  struct Subscription {
    uint32_t asked = 0;  // times that were not answered yet
    bool wanted = false;
    bool refused = false;
  };
  void AskAgain(uint64_t now_ms);
  void OnAnswer(const std::string& name, std::string_view reply);

  // LinkOwner
  void OnLinkUp(Link* link, const NodeIdentity& identity) override;
  void OnLinkReply(Link* link, LinkItem* item, const Reply& reply, std::string_view frame) override;
  void OnLinkLost(Link*, LinkItem*, std::string_view) override {}
  void OnLinkDown(Link* link, const std::string& reason, bool refused) override;
  bool MayTakeLonger(const Link&, uint64_t) override { return host_->IsSilent(copy_); }
  void OnLinkPush(Link*, std::string_view push) override { host_->OnMessage(copy_, push); }
  void OnLinkHeard(Link*) override { host_->OnMessagesEnd(copy_); }

  Host* host_;
  const uint32_t copy_;
  Link link_;
  bool started_ = false;
  bool failed_ = false;
  LinkItem item_{LinkItem::Kind::kRepair};  // of all that is asked: the frame says what
  std::unordered_map<std::string, Subscription> subscriptions_;
  uint32_t unsettled_ = 0;  // of these: that were asked for, and have not been answered
  uint64_t pings_ = 0;
  uint64_t answered_ = 0;  // of these, in their order
  bool any_refused_ = false;
  uint64_t retry_ms_ = 0;               // of these
  std::vector<std::string_view> args_;  // scratch
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_CHANNELS_CHANNEL_FEED_H_
