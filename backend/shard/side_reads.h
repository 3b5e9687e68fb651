// Reads that might end the connection that they are asked on, or fill it for long, and so go over
// one of their own, where that hurts nobody else: the side link of a copy.
//
//  - Those that were in line when a connection ended: it is not known which of them ended it.
//  - Those whose reply was large, or ended a connection, the last time (see HeavyReads).
//
// The first goes alone. As long as they are answered twice as many go together, until their replies
// are large: then so many as fit into the room that the node has for one client. A read in which a
// connection ended for the second time, the second time with no other read beside it, is answered
// with an error; who was beside it is asked again.
//
// A read on a side link sees every write that was sent before it: it waits until the copy has
// answered what stood in its main link's line when the read came. What its session reads later goes
// here, too, and what it writes later waits (HasSession).
//
// Logic only, the shard's thread. A request that was added is answered once: through its sink, or
// by Host::RefuseSideRead, or goes back by Host::SendOnMainLink.

#ifndef GEMEL_BACKEND_SHARD_SIDE_READS_H_
#define GEMEL_BACKEND_SHARD_SIDE_READS_H_

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "backend/link/link.h"
#include "backend/shard/op.h"
#include "backend/shard/request.h"

namespace gemel {

class SideReads : private LinkOwner {
 public:
  // What it needs of the shard.
  class Host {
   public:
    virtual ~Host() = default;
    // The copy that may answer the read now, none of `tried`; -1: none.
    virtual int PickForSideRead(const Request& request, CopyMask tried) = 0;
    // It may be sent now: none of its keys is being changed by a repair.
    virtual bool MaySendSideRead(const Request& request) = 0;
    // The copy is in doubt, or says that it cannot answer now.
    virtual bool IsDoubtfulReply(uint32_t copy, const Reply& reply) = 0;
    // What it answers may be old, and somebody may answer soon.
    virtual bool MustWaitForAnother(uint32_t copy) = 0;
    virtual const Link& MainLink(uint32_t copy) const = 0;
    // See LinkOwner::MayTakeLonger.
    virtual bool MaySideTakeLonger(const Link& link, uint64_t overdue_ms) = 0;
    // The client is gone: nobody waits for the answer.
    virtual bool IsGone(uint32_t session) const = 0;
    // Somebody may answer it soon, though nobody can now.
    virtual bool MayAnswerLater() const = 0;
    virtual std::string WhyNobodyAnswers() const = 0;
    virtual void RefuseSideRead(Request* request, const std::string& text) = 0;
    virtual void SendOnMainLink(uint32_t copy, Request* request) = 0;
    // As that copy is to be sent it; valid until the next call.
    virtual std::string_view SideFrame(uint32_t copy, const Request& request) = 0;
    // That copy's reply: the request is over, and something was learnt of the command.
    virtual void OnSideReply(uint32_t copy, Request* request, const Reply& reply) = 0;
    virtual void OnBlamed(const Request& request) = 0;
    // A session has no read here any more.
    virtual void OnSideSessionDone() = 0;
  };

  // Replies that may be under way on a side link, where the node allows as much.
  static constexpr uint64_t kRoom = uint64_t{16} << 20;
  // Of what a node keeps for its clients: the main link, the side link and unknown sizes share it.
  static constexpr uint64_t kPartOfOutput = 8;
  static constexpr uint32_t kMostAtOnce = 1024;
  // An unused side link is ended after so long.
  static constexpr uint64_t kIdleMs = 10 * 1000;

  // Both outlive it.
  SideReads(Host* host, ChunkPool* pool) : host_(host), pool_(pool) {}

  // The copy's side link, made anew; give it a transport before it is needed, or it is not used.
  Link* MakeLink(uint32_t copy, LinkOptions options);
  Link* link(uint32_t copy) { return lanes_[copy]->link.get(); }
  const Link* link(uint32_t copy) const { return lanes_[copy]->link.get(); }
  void SetOptions(uint32_t copy, LinkOptions options);
  // The copy is removed.
  void StopLink(uint32_t copy);
  // The copy's node is down: what was sent to it there is asked again elsewhere, at once.
  void OnNodeDown(uint32_t copy, const std::string& why);
  // False where side links have no transport.
  bool usable(uint32_t copy) const {
    return copy < lanes_.size() && lanes_[copy] != nullptr && lanes_[copy]->link->has_transport();
  }

  // Takes a read. `ends`: how many connections ended with it in line. `bytes`: what its reply may
  // bring; 0: not known. Its frame is copied, unless it owns it.
  void Add(Request* request, uint32_t ends, uint64_t bytes, uint64_t now_ms);
  bool empty() const { return line_.empty(); }
  size_t size() const { return line_.size(); }
  bool HasSession(uint32_t session) const { return sessions_.contains(session); }
  // `wait_ms`: the longest that a read waits until it is sent.
  void Tick(uint64_t now_ms, uint32_t random, uint32_t wait_ms);
  // Ends the links, and has all that is here taken by who asks, in its order.
  std::vector<Request*> TakeAll();
  // Answers all with that error.
  void Stop(const std::string& text);

 private:
  struct Entry {
    Request* request = nullptr;
    uint32_t ends = 0;
    uint64_t bytes = 0;
    uint64_t since_ms = 0;
    int copy = -1;      // chosen
    bool sent = false;  // stands in the line of its side link
    // Of the chosen copy's main link, when it was chosen: the connection and the end of its line.
    uint64_t connection = 0;
    uint64_t behind = 0;
  };
  using Line = std::list<Entry>;
  struct Lane {
    std::unique_ptr<Link> link;
    bool started = false;
    bool stopping = false;
    uint32_t out = 0;        // reads in line
    uint64_t out_bytes = 0;  // of replies that they may bring
    uint32_t lost = 0;       // of them, when the connection ended
    uint32_t window = 1;
    uint32_t failures = 0;  // connections that could not be made, in a row
    uint64_t used_ms = 0;
  };

  std::string WhyNot(const Link& link, const NodeIdentity& identity) override;
  void OnLinkUp(Link* link, const NodeIdentity& identity) override;
  void OnLinkReply(Link* link, LinkItem* item, const Reply& reply, std::string_view frame) override;
  void OnLinkLost(Link* link, LinkItem* item, std::string_view frame) override;
  void OnLinkDown(Link* link, const std::string& reason, bool refused) override;
  bool MayTakeLonger(const Link& link, uint64_t overdue_ms) override {
    return host_->MaySideTakeLonger(link, overdue_ms);
  }

  void Step();
  void TellDone();
  // False: those behind it wait, too.
  bool StepOne(Line::iterator entry);
  bool Choose(Entry* entry);
  void Send(Line::iterator entry, Lane* lane);
  void Unsend(Entry* entry, Lane* lane);
  uint64_t RoomOf(uint32_t copy) const;
  // Takes it out of the line.
  Request* Take(Line::iterator entry);
  void Refuse(Line::iterator entry, const std::string& text);

  Host* host_;
  ChunkPool* pool_;
  std::vector<std::unique_ptr<Lane>> lanes_;  // by copy
  Line line_;
  std::unordered_map<const LinkItem*, Line::iterator> sent_;
  std::unordered_map<uint32_t, uint32_t> sessions_;
  uint64_t now_ms_ = 0;
  bool stepping_ = false;
  bool again_ = false;
  bool session_done_ = false;
  bool stopped_ = false;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_SIDE_READS_H_
