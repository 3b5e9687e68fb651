// The asking side of a connection to another member, once they have shaken hands: what was sent and
// is not answered, and what becomes of that when the connection is lost.

#ifndef GEMEL_PROXY_PEERS_PEER_LINK_H_
#define GEMEL_PROXY_PEERS_PEER_LINK_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "backend/bytes/out_queue.h"
#include "backend/shard/blocked_cargo.h"
#include "backend/shard/request.h"
#include "backend/shard/sync_waits.h"
#include "backend/shard/watches.h"
#include "proxy/dispatch/gone_sessions.h"
#include "proxy/peers/peer_codec.h"
#include "proxy/peers/peer_input.h"

namespace gemel {

// Where a request stands in the line of its shard (PeerLines).
struct PeerPlace {
  uint64_t number = 0;    // grows with each request of the worker
  uint64_t since_ms = 0;  // when it came
  uint32_t slot = 0;
  uint32_t waited_ms = 0;  // for a member to send it to, each time before the last
  uint64_t route = 1;      // by which its shard was found (FleetPlan)
};

class PeerLink;

// Who gave the link its requests. Called with each once.
class PeerLinkHost {
 public:
  virtual ~PeerLinkHost() = default;
  // It is answered. `bytes` is valid during the call.
  virtual void OnPeerReply(Request* request, const PeerPlace& place, std::string_view bytes) = 0;
  // It was not carried out, and will not be: `refused`, as the shard is not that member's; else as
  // it never got there, or only reads.
  virtual void OnPeerBack(Request* request, const PeerPlace& place, bool refused) = 0;
  // The link to that member is lost, and it may have been carried out.
  virtual void OnPeerUnknown(Request* request, const PeerPlace& place,
                             const std::string& member) = 0;
  // What comes outside of replies (peer_push.h), a frame without its length. False: it is bad.
  virtual bool OnPeerPush(std::string_view body) = 0;
  // Whoever listens over it does not any more. Before all that is given back by its Lost.
  virtual void OnPeerLost(const PeerLink* link) = 0;
};

// Logic only, one thread. Nothing of the host is called inside Send.
class PeerLink {
 public:
  // Beyond these nothing more is sent before something is answered, or taken by the socket.
  static constexpr size_t kMostCounted = 16 * 1024;
  static constexpr size_t kMostQueued = size_t{8} << 20;
  // So long silence is borne, and so often it asks whether the other end is there, which answers at
  // once: one that hears nothing is as silent as one that does not speak.
  static constexpr uint64_t kSilenceMs = 3000;
  static constexpr uint64_t kAliveMs = 400;
  // Beyond this it has missed an answer to that, unless it just says something else, behind which
  // the answer may stand.
  static constexpr uint64_t kMissedMs = kAliveMs + 200;
  static constexpr uint64_t kQuietMs = 200;

  // `host`, `pool` and `gone` (null: nobody leaves) outlive it.
  PeerLink(std::string member, PeerLinkHost* host, ChunkPool* pool, const GoneSessions* gone,
           uint64_t now_ms);
  ~PeerLink();
  PeerLink(const PeerLink&) = delete;
  PeerLink& operator=(const PeerLink&) = delete;

  const std::string& member() const { return member_; }
  // There is room for another request.
  bool Takes() const { return counted_ < kMostCounted && out_.bytes() < kMostQueued; }
  // Somebody has more than it takes: HasRoomAgain() is true once, when it takes some.
  void WantRoom() { wants_room_ = true; }
  bool HasRoomAgain() { return wants_room_ && Takes() && std::exchange(wants_room_, false); }
  // Sends a request, whose frame stays where it is until it is answered. kUnblock: only if Waits()
  // says that its ticket is here.
  void Send(Request* request, const PeerPlace& place, std::string_view shard, uint32_t round,
            uint64_t now_ms);
  // Who waits by that ticket was sent here, and is not answered.
  bool Waits(const BlockTicket* ticket) const { return blocked_.contains(ticket); }
  size_t outstanding() const { return outstanding_; }

  // What is to go out; whoever sends it says how much was taken.
  OutQueue& out() { return out_; }
  void OnTaken(size_t bytes) { taken_ += bytes; }

  // False: what came is no part of the protocol, as error() says, and the link is to be ended.
  bool OnBytes(std::string_view bytes, uint64_t now_ms);
  bool IsSilent(uint64_t now_ms) const {
    return now_ms > there_ms_ + kMissedMs && now_ms > heard_ms_ + kQuietMs;
  }
  // False: it is lost, as error() says. Called a few times a second.
  bool Tick(uint64_t now_ms);
  // The connection is over: gives back or ends all that is not answered, in the order in which it
  // was sent.
  void Lost();
  const std::string& error() const { return error_; }

 private:
  struct Entry {
    Request* request = nullptr;
    PeerPlace place;
    uint32_t generation = 1;
    bool counted = false;
    bool end_told = false;  // of a WAIT: that it is to be answered
    uint64_t begin = 0;     // of its frame, in all that was queued
    uint64_t end = 0;
  };

  bool OnFrame(std::string_view body);
  bool OnReply(const PeerReply& reply);
  uint64_t TicketOf(const Request& request, uint64_t id);
  uint64_t NumberOf(const std::shared_ptr<WatchTicket>& ticket);
  void Release(uint32_t index);
  void Forget(const Request& request);
  // The members' part of what happened to sessions and tickets since.
  void TellGone();
  void TellEnded();
  void TellDropped();
  void Queue(std::string_view bytes);
  // It can be asked once more, though it may have been carried out.
  static bool MayAskAgain(const Request& request);

  const std::string member_;
  PeerLinkHost* host_;
  const GoneSessions* gone_;
  OutQueue out_;
  PeerInput input_;
  std::string error_;
  std::string text_;   // scratch: the head of a frame
  std::string cargo_;  // scratch
  std::vector<Entry> entries_;
  std::vector<uint32_t> free_;
  bool wants_room_ = false;
  size_t outstanding_ = 0;
  size_t counted_ = 0;
  size_t syncs_ = 0;
  uint64_t queued_ = 0;  // bytes in all
  uint64_t taken_ = 0;
  uint64_t heard_ms_;
  uint64_t there_ms_;                                         // it answered that it is
  uint64_t asked_ms_;                                         // whether it is there
  std::unordered_map<const BlockTicket*, uint64_t> blocked_;  // the ids of those that wait
  struct Watched {
    std::shared_ptr<WatchTicket> ticket;
    uint64_t number = 0;
  };
  std::unordered_map<const WatchTicket*, Watched> watched_;
  uint64_t last_watch_ = 0;
  uint64_t route_ = 1;  // that the other end knows of
  std::unordered_set<uint32_t> told_gone_;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_PEERS_PEER_LINK_H_
