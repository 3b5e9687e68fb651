// A worker's requests for shards that other members own, a line for each shard: they go to the
// owner in the order in which they came, whoever that is by then.
//
// A line has those that wait (for an owner, a link, or room on it) behind those that are on their
// way. One that comes back, as the member that it was sent to does not own the shard any more,
// stands in front of all that wait; and nothing is sent before all that are on their way have been
// answered or are back, so that each stands where it stood. Then a new round of the shard begins,
// and the member that refused one of a round refuses all that it still gets of it.
//
// Those who listen to a shard, for what is published and for keys that change, are known to its
// owner by the link. When either is another one, they are told to say it anew (World::on_anew).
//
// While a line's way is open, nothing waits and nothing comes back, what is new is put on the link
// at once.
//
// Requests whose answer may take long (BLPOP, WAIT, orders to the shard) are not waited for: no
// other depends on their place.

#ifndef GEMEL_PROXY_PEERS_PEER_LINES_H_
#define GEMEL_PROXY_PEERS_PEER_LINES_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "backend/shard/request.h"
#include "backend/shard/tracking_sink.h"
#include "proxy/peers/peer_link.h"
#include "proxy/peers/peer_owner.h"

namespace gemel {

// The links to other members.
class PeerRoads {
 public:
  virtual ~PeerRoads() = default;
  // The link to the owner, which is not mine; null: there is none yet. It is made if there is none.
  virtual PeerLink* LinkTo(const PeerOwner& owner) = 0;
  // The same, but none is made.
  virtual PeerLink* Find(const PeerOwner& owner) const = 0;
  // Why there is none, a phrase; empty: it is not known.
  virtual std::string TroubleWith(const PeerOwner& owner) const = 0;
  // Ends that link: another member has what its member had, which says nothing.
  virtual void GiveUp(PeerLink* link) = 0;
  // All links that are up.
  virtual const std::vector<PeerLink*>& links() const = 0;
};

// Logic only, the worker's thread.
class PeerLines : public PeerLinkHost {
 public:
  struct World {
    PeerRoads* roads = nullptr;
    std::function<PeerOwner(std::string_view shard)> owner;
    // Takes over a request whose shard is this process's by now: to its worker's own shard. False:
    // that is not there yet, or no more. OnOwners tells of it.
    std::function<bool(Request*)> come_home;
    // Why nobody may own anything just now, a phrase; empty: nothing is wrong. Null: never.
    std::function<std::string()> trouble = {};
    std::function<void()> want_flush;
    std::function<uint64_t()> now_ms;
    // What comes outside of replies, for one of this process's workers, of so many.
    uint32_t workers = 1;
    std::function<void(uint32_t worker, std::string_view messages)> on_messages;
    TrackingSink* tracking = nullptr;
    // Whoever has the shard of that slot now does not know who of this process listens to it. Null:
    // nobody does.
    std::function<void(uint32_t slot)> on_anew;
    // Somebody does listen, to channels or for keys: links are kept for that.
    std::function<bool()> listens;
    // What goes with kLibraries (LibrariesCargo); null: nothing does.
    std::function<std::string()> libraries;
    // So long a request waits for an owner that can be reached.
    uint64_t wait_ms = 5000;
  };
  // Its parts outlive it.
  explicit PeerLines(World world) : world_(std::move(world)) {}
  PeerLines(const PeerLines&) = delete;
  PeerLines& operator=(const PeerLines&) = delete;

  // The names of the shards by slot; empty: the slot has none. What was found by another route than
  // this one is not sent any more, but answered with an error.
  void SetNames(std::vector<std::string> names, uint64_t route);
  // See Elsewhere::Submit.
  void Submit(Request* request);
  // Requests of that slot are held here or on their way: one that is submitted elsewhere now may
  // overtake them.
  bool Has(uint32_t slot) const;
  // Somebody else may own a shard.
  void OnOwners();
  // A link is up, or is no more.
  void OnRoad();
  // A link has room again that had none.
  void OnRoom();
  // Sends what can be sent, brings home what is at home, and answers what is to be answered.
  void Flush();
  bool dirty() const { return sent_ || HasWork(); }
  // A few times a second: who has waited too long is answered with an error, and what is with a
  // member that is silent, and has lost the shard, is waited for no longer.
  void Tick();
  // Answers all that waits.
  void Stop();

  // --- PeerLinkHost ---
  void OnPeerReply(Request* request, const PeerPlace& place, std::string_view bytes) override;
  void OnPeerBack(Request* request, const PeerPlace& place, bool refused) override;
  void OnPeerUnknown(Request* request, const PeerPlace& place, const std::string& member) override;
  bool OnPeerPush(std::string_view body) override;
  void OnPeerLost(const PeerLink* link) override;

 private:
  // Where those who listen to a shard have said so.
  struct Stage {
    PeerOwner owner;
    const PeerLink* link = nullptr;
    bool known = false;
    bool lost = false;  // they are not heard there any more
  };
  struct Waiting {
    Request* request = nullptr;
    PeerPlace place;
    uint64_t held_ms = 0;  // since when
  };
  struct Line {
    std::string name;
    std::deque<Waiting> waiting;
    uint32_t on_way = 0;       // of those that are waited for
    PeerLink* link = nullptr;  // theirs
    PeerLink* open = nullptr;  // the same while the way is open
    bool used = false;         // since the last Tick, without a look at the link
    uint32_t on_way_late = 0;  // of the others
    uint32_t round = 0;        // no other of the worker's lines has it
    bool returning = false;    // some have come back
    bool dirty = false;
    bool full = false;  // its link has no room
    bool looked = false;
    PeerOwner owner;
    PeerOwner refused_by;  // which said that it does not own the shard
    uint64_t refused_ms = 0;
    Stage stage;
  };
  // Answers that are not to be given inside Submit.
  struct Ripe {
    Request* request = nullptr;
    std::string bytes;
  };

  bool HasWork() const { return !dirty_.empty() || !ripe_.empty(); }
  // Is it waited for, and does its place count?
  static bool IsPrompt(const Request& request) { return request.submitted; }
  Line& LineOf(uint32_t slot);
  // Before something is to be done that a flush does.
  void WantFlush() {
    if (!dirty()) world_.want_flush();
  }
  void Mark(Line* line, uint32_t slot);
  void MarkAll();
  void Drive(uint32_t slot);
  void SendWaiting(Line* line, PeerLink* link);
  void SendOn(Line* line, PeerLink* link, Waiting next, uint64_t now_ms);
  void BringHome(Line* line);
  bool IsOfOldRoute(const Waiting& waiting) const;
  void DropOldRoute(Line* line);
  void GiveUpSilent(uint64_t now_ms);
  void LeaveWay(Line* line, const Request& request);
  // One has not been carried out there, or may not have been: what comes back stands where it
  // stood.
  void TurnBack(Line* line, uint32_t slot);
  void Insert(Line* line, Request* request, const PeerPlace& place);
  void Unblock(Request* request);
  void Answer(Request* request, std::string bytes);
  std::string WhyNot(const Line& line) const;
  // Where shards are with another owner, or another link, all who listen are to say so anew.
  void LookWhoOwns();
  void LookAtStage(Line* line, uint32_t slot, bool listens);

  World world_;
  std::deque<Line> lines_;  // by slot
  std::vector<uint32_t> dirty_;
  std::vector<Ripe> ripe_;
  bool sent_ = false;  // a link was given something outside of Flush
  uint64_t last_number_ = 0;
  uint64_t route_ = 1;
  uint32_t last_round_ = 0;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_PEERS_PEER_LINES_H_
