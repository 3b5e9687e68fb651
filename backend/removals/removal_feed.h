// What a node tells of the keys that it removes by itself: a connection that is subscribed to its
// keyevent notifications (https://redis.io/docs/manual/keyspace-notifications/).

#ifndef GEMEL_BACKEND_REMOVALS_REMOVAL_FEED_H_
#define GEMEL_BACKEND_REMOVALS_REMOVAL_FEED_H_

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "backend/link/link.h"

namespace gemel {

// Logic only, the shard's thread.
class RemovalFeed : private LinkOwner {
 public:
  class Host {
   public:
    virtual ~Host() = default;
    // The key, of the copy's database, is gone there: evicted, or expired.
    virtual void OnRemoved(uint32_t copy, std::string_view key, bool evicted) = 0;
    // All that came with it has been told.
    virtual void OnRemovedEnd(uint32_t copy) = 0;
    // All that the node had removed when Ping was called last has been told.
    virtual void OnPong(uint32_t copy) = 0;
    // What the node removes from now on is told. `missed`: the same process has evicted keys that
    // were not told, since the feed was there before, or ever if this is the first time.
    virtual void OnFollowing(uint32_t copy, bool missed) = 0;
    // Nothing is told until the next OnFollowing.
    virtual void OnFeedEnd(uint32_t copy) = 0;
    // The node answers nobody just now, so that silence is no sign that the feed is dead.
    virtual bool IsSilent(uint32_t copy) = 0;
  };

  // `host` and `pool` outlive it. Without a transport the link is never used.
  RemovalFeed(Host* host, uint32_t copy, ChunkPool* pool, const LinkOptions& node);
  RemovalFeed(const RemovalFeed&) = delete;
  RemovalFeed& operator=(const RemovalFeed&) = delete;

  Link& link() { return link_; }
  void SetOptions(const LinkOptions& node);
  // Connects, and goes on trying, until Stop. No-op if it is doing so, or without a transport.
  // `known`: what the node was when its main link was connected.
  void Start(uint64_t now_ms, const NodeIdentity& known);
  void Stop();
  // The node's main link is connected: what it is. The feed may come to that process by itself.
  void OnMainUp(const NodeIdentity& known);
  // What it told so far may not have been all: it is made anew, and its counter compared.
  void Restart(uint64_t now_ms, const NodeIdentity& known);
  void Tick(uint64_t now_ms, uint32_t random);

  bool started() const { return started_; }
  // Subscribed.
  bool following() const { return following_; }
  // The node refuses it (a sentence without a full stop); empty: it does not.
  const std::string& refusal() const { return refusal_; }
  // Asks for OnPong; only while following.
  void Ping();
  // Keys that the node evicted, as far as they were told or counted.
  uint64_t evicted() const { return evicted_; }

 private:
  enum class Step : uint8_t { kMulti, kInfo, kExpired, kEvicted, kExec, kPing, kAlive };
  static constexpr size_t kSteps = 7;
  struct Item : LinkItem {
    Item() : LinkItem(Kind::kRepair) {}
    Step step = Step::kMulti;
  };

  void Ask(Step step, const std::vector<std::string_view>& args);
  // The counter, and the subscriptions, as the reply to EXEC has them.
  void OnSubscribed(std::string_view reply);
  void Refuse(std::string_view why);
  int64_t DatabaseOfChannel(std::string_view channel) const;

  // LinkOwner
  void OnLinkUp(Link* link, const NodeIdentity& identity) override;
  void OnLinkReply(Link* link, LinkItem* item, const Reply& reply, std::string_view frame) override;
  void OnLinkLost(Link*, LinkItem*, std::string_view) override {}
  void OnLinkDown(Link* link, const std::string& reason, bool refused) override;
  bool MayTakeLonger(const Link&, uint64_t) override { return host_->IsSilent(copy_); }
  void OnLinkPush(Link* link, std::string_view push) override;
  void OnLinkHeard(Link* link) override;

  Host* host_;
  const uint32_t copy_;
  Link link_;
  uint32_t database_ = 0;  // the only one; 0: any
  std::array<Item, kSteps> items_;
  std::vector<std::string_view> parts_;  // scratch
  bool started_ = false;
  bool following_ = false;
  bool told_ = false;   // something, since the last OnRemovedEnd
  uint32_t pings_ = 0;  // not answered yet
  std::string refusal_;
  uint64_t retry_ms_ = 0;
  uint64_t now_ms_ = 0;
  std::string process_;  // whose counter it is
  uint64_t evicted_ = 0;
  // The process that the main link met last, and its counter then.
  std::string came_;
  uint64_t came_evicted_ = 0;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_REMOVALS_REMOVAL_FEED_H_
