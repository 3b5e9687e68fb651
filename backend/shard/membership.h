// Brings the members of a shard to what the config says, step by step and however long it takes: a
// node that is new becomes a stale copy and is made equal like any other; one that the config has
// no more leaves once a copy that stays is in sync, after a hand-over if it is the primary. A node
// that another shard has still is waited for, and what leaves does so meanwhile: two shards may
// wait for each other's nodes.
//
// Logic only, on the shard's thread. Each step is an edit that is durable before it takes effect,
// so that a crash in the middle leaves a shard that the next start brings on in the same way.

#ifndef GEMEL_BACKEND_SHARD_MEMBERSHIP_H_
#define GEMEL_BACKEND_SHARD_MEMBERSHIP_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "backend/life/alive.h"
#include "backend/shard/shard.h"

namespace gemel {

class Membership {
 public:
  // Owns what belongs to a copy beside the shard: its transport, its probe.
  class Host {
   public:
    virtual ~Host() = default;
    // A copy has come, at a free index: gives its link a transport. The link is started afterwards.
    virtual void OnCopyAdded(uint32_t copy, const LinkOptions& node) = 0;
    // A copy is gone. Its link is stopped, and never started again.
    virtual void OnCopyRemoved(uint32_t copy) = 0;
  };

  // All outlive it.
  Membership(Shard* shard, ShardEnv* env, Host* host);
  ~Membership();
  Membership(const Membership&) = delete;
  Membership& operator=(const Membership&) = delete;

  // The nodes that the shard should have, in the order of the config. `force`: even if the only
  // copy in sync is among those that leave and cannot be reached: then a copy that stays is
  // promoted with what it has. It holds until the members are what they should be, or others are
  // wanted.
  void SetNodes(std::vector<LinkOptions> nodes, bool force);
  void Tick(uint64_t now_ms);
  // No step comes after this.
  void Stop() { stopped_ = true; }
  // The members are what they should be.
  bool settled() const { return settled_; }
  // What is still to be done, as a phrase; empty if settled.
  std::string Outstanding() const;

 private:
  void Advance(uint64_t now_ms);
  bool Wanted(std::string_view node) const;
  // A copy that stays has everything and answers.
  bool SomebodyStays() const;
  bool IsInTopology(uint32_t copy) const;
  void Add(const LinkOptions& node);
  void OnAdded(const LinkOptions& node, const EditResult& result);
  bool Remove();
  void LetGo(uint32_t copy);
  void Ask(ShardOrder::Verb verb, uint32_t copy);
  void OnOrder(ShardOrder::Verb verb, uint32_t copy, const OrderResult& result);
  void Tell(const std::string& why);

  Shard* shard_;
  ShardEnv* env_;
  Host* host_;
  std::vector<LinkOptions> nodes_;
  bool force_ = false;
  bool settled_ = true;
  bool stopped_ = false;
  bool busy_ = false;                 // an edit or an order is under way
  std::vector<std::string> not_yet_;  // nodes that could not be added since the last wait
  uint64_t retry_at_ms_ = 0;
  std::string noted_;  // what failed last, which is told once
  Alive alive_;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_MEMBERSHIP_H_
