// What the copies' links tell: whose answer it is, and who must know that a node came or went.

#ifndef GEMEL_BACKEND_SHARD_LINK_EVENTS_H_
#define GEMEL_BACKEND_SHARD_LINK_EVENTS_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "backend/link/link.h"
#include "backend/shard/op.h"
#include "backend/shard/shard_parts.h"

namespace gemel {

// Logic only, the shard's thread. Decides nothing itself.
class LinkEvents : public LinkOwner {
 public:
  explicit LinkEvents(ShardParts* parts) : parts_(parts) {}
  LinkEvents(const LinkEvents&) = delete;
  LinkEvents& operator=(const LinkEvents&) = delete;

  std::string WhyNot(const Link& link, const NodeIdentity& identity) override;
  void OnLinkUp(Link* link, const NodeIdentity& identity) override;
  void OnLinkReply(Link* link, LinkItem* item, const Reply& reply, std::string_view frame) override;
  void OnLinkLost(Link* link, LinkItem* item, std::string_view frame) override;
  void OnLinkDown(Link* link, const std::string& reason, bool refused) override;
  bool MayTakeLonger(const Link& link, uint64_t overdue_ms) override;
  void OnLinkHeard(Link* link) override;

 private:
  void OnMisplaced(const Link& link, const LinkItem& item, std::string_view frame);
  // `reply`: null if it was lost.
  void OnRepair(uint32_t copy, Op* op, const Reply* reply);

  ShardParts* parts_;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_LINK_EVENTS_H_
