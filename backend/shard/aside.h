// What one client asks must not hurt the others that share its links: large replies, commands that
// end connections, arguments that a node does not take. Who goes over a link of its own
// (side_reads.h), who waits for room, who is refused.

#ifndef GEMEL_BACKEND_SHARD_ASIDE_H_
#define GEMEL_BACKEND_SHARD_ASIDE_H_

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "backend/figures/figures.h"
#include "backend/link/node_limits.h"
#include "backend/shard/frame_keys.h"
#include "backend/shard/heavy_reads.h"
#include "backend/shard/shard_parts.h"
#include "backend/shard/side_reads.h"

namespace gemel {

// Logic only, the shard's thread.
class Aside : private SideReads::Host {
 public:
  explicit Aside(ShardParts* parts) : parts_(parts), side_(this, parts->pool) {}

  void AddCopy(uint32_t copy, const LinkOptions& node);
  void RemoveCopy(uint32_t copy) { side_.StopLink(copy); }
  void SetOptions(uint32_t copy, const LinkOptions& node) { side_.SetOptions(copy, node); }
  // Whoever waits for that node's answer on a side link waits for nothing.
  void OnNodeDown(uint32_t copy, const std::string& why) { side_.OnNodeDown(copy, why); }
  void Tick(uint64_t now_ms, uint32_t random);
  void Stop();
  // Everything is over: what is here waits with what is held, whether it was sent or not.
  void GiveBack();
  // The copy's second link, made when it is needed; without a transport it is never used.
  Link& link(uint32_t copy) { return *side_.link(copy); }

  // --- reads ---
  // It may go where the writes go. What is not known (0) counts as large.
  bool IsPlain(const Request& request) const {
    return static_cast<uint8_t>(request.reply_log2 - 1) < plain_log2_;
  }
  // Frames below it have no argument that a node refuses, and are not remembered as large.
  uint64_t plain_bytes() const { return plain_bytes_; }
  // Sends it over a side link if its reply is known to be large, or to end connections, or where it
  // is not known to be small and that matters, or if one that its session sent before it is there:
  // it must not see less than that one. False: it is to be sent as any other.
  bool Take(Request* request);
  // A connection ended with the read in line, which may be why. False: there is no side link.
  bool TakeSuspect(Request* request, std::string_view frame);
  // A read of its session is on a side link. Another one joins it there, a write waits.
  bool MustWaitFor(const Request& request) const {
    return request.kind != RequestKind::kRead && side_.HasSession(request.session);
  }
  // Nothing is there, and nothing known that belongs there.
  bool idle() const { return side_.empty() && heavy_.empty(); }
  bool empty() const { return side_.empty(); }
  // A node has closed a link with reads in line: for a while reads that may be large go aside, or
  // those that come next would end the link to the next copy.
  void BeCareful();

  // --- sizes ---
  // One of its arguments is longer than the nodes take: it is to be refused (and counted).
  bool IsTooLong(const Request& request);
  // A write may answer with what it replaces or takes. What the values in flight may bring is
  // bounded where nodes bound it; one may always go. True: it must wait; else *room_mb is what it
  // takes.
  bool NeedsRoom(const Request& request, uint32_t* room_mb);
  // A write is being sent.
  void OnSent(const Request& request);
  // It brought, or holds, so many bytes.
  void NoteSize(const CommandRow* row, std::string_view frame, size_t bytes);
  // Known to bring so much that a node may be busy for long with the copying alone.
  bool IsGiant(const CommandRow* row, std::string_view frame);
  // What all members take, and the least that one keeps for a client.
  void LearnLimits();
  // The node did not take an argument: its limit lies below the longest one.
  void LearnFromRefusal(uint32_t copy, std::string_view reply, std::string_view frame);
  // Bytes of replies that may be outstanding on a link.
  uint64_t reply_room() const {
    return std::min(SideReads::kRoom, least_output_ / SideReads::kPartOfOutput);
  }
  void Trim() { frame_.Trim(); }

 private:
  static constexpr uint16_t kAnyLog2 = 256;

  std::string_view HeavyName(const CommandRow* row, std::string_view frame);
  void UpdatePlainReads();

  // SideReads::Host
  int PickForSideRead(const Request& request, CopyMask tried) override;
  bool MaySendSideRead(const Request& request) override;
  bool IsDoubtfulReply(uint32_t copy, const Reply& reply) override;
  bool MustWaitForAnother(uint32_t copy) override;
  const Link& MainLink(uint32_t copy) const override;
  bool MaySideTakeLonger(const Link& link, uint64_t overdue_ms) override;
  bool IsGone(uint32_t session) const override { return parts_->env->IsGone(session); }
  bool MayAnswerLater() const override;
  std::string WhyNobodyAnswers() const override;
  void RefuseSideRead(Request* request, const std::string& text) override;
  void SendOnMainLink(uint32_t copy, Request* request) override;
  std::string_view SideFrame(uint32_t copy, const Request& request) override;
  void OnSideReply(uint32_t copy, Request* request, const Reply& reply) override;
  void OnBlamed(const Request& request) override;
  void OnSideSessionDone() override { parts_->shard->Refresh(); }

  ShardParts* parts_;
  SideReads side_;
  HeavyReads heavy_;
  FrameKeys frame_{parts_->table};
  uint64_t careful_until_ms_ = 0;
  uint16_t plain_log2_ = kAnyLog2;
  uint64_t plain_bytes_ = HeavyReads::kLarge;
  uint64_t largest_argument_ = NodeLimits::kNone;  // that all members take
  uint64_t least_output_ = NodeLimits::kNone;      // that some member keeps for one client
  std::vector<uint64_t> learnt_argument_;  // by copy: where the node does not tell its limit
  Figure side_reads_{parts_->figures,
                     "side_reads",
                     "Reads sent over a connection of their own",
                     {"stats", "side_reads"}};
  Figure blamed_reads_{parts_->figures,
                       "blamed_reads",
                       "Reads refused because connections ended because of them",
                       {"stats", "blamed_reads"}};
  Figure refused_large_{parts_->figures,
                        "refused_large",
                        "Requests with an argument longer than the nodes take",
                        {"stats", "refused_large"}};
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_ASIDE_H_
