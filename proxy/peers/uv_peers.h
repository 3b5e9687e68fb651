// A worker's connections to and from other members of the fleet: what its process does not own goes
// to the owner and comes back, and what others ask for goes to this process's shards.

#ifndef GEMEL_PROXY_PEERS_UV_PEERS_H_
#define GEMEL_PROXY_PEERS_UV_PEERS_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "backend/files/unique_fd.h"
#include "proxy/dispatch/dispatcher.h"
#include "proxy/dispatch/elsewhere.h"
#include "proxy/dispatch/gone_sessions.h"
#include "proxy/peers/peer_lines.h"
#include "proxy/peers/peer_owner.h"
#include "proxy/peers/peer_seats.h"
#include "proxy/peers/uv_peer_base.h"
#include "proxy/peers/uv_peer_guest.h"
#include "proxy/peers/uv_peer_link.h"
#include "proxy/scripts/function_store.h"

namespace gemel {

// One worker's, on its thread. The worker calls Flush at the end of each turn in which dirty() is
// true, before its streams send, and Tick every few dozen milliseconds.
class UvPeers : public Elsewhere, private PeerRoads {
 public:
  struct Options {
    std::string fleet;   // its id
    std::string member;  // this process's name in it
    std::string secret;  // that all members know; empty: no other is believed
    UvStreamGroup* streams = nullptr;
    ChunkPool* chunks = nullptr;
    Dispatcher* dispatcher = nullptr;
    GoneSessions* gone = nullptr;
    // A number that no other session of the process has.
    std::function<uint32_t()> next_session;
    // Who owns a shard. Asked again for each that is waited for, so it must be cheap.
    std::function<PeerOwner(std::string_view shard)> owner;
    // See PeerLines::World.
    std::function<std::string()> trouble = {};
    // A request whose shard is this process's by now. It was counted when it was submitted. False:
    // the shard is not there yet, or no more.
    std::function<bool(Request*)> come_home;
    // One line for the log.
    std::function<void(const std::string& text)> note = {};
    // See PeerLines::World.
    std::function<void(uint32_t worker, std::string_view messages)> on_messages = {};
    TrackingSink* tracking = nullptr;
    std::function<void(uint32_t slot)> on_anew = {};
    std::function<bool()> listens = {};
    FunctionStore* functions = nullptr;  // that other members are told of, and tell of; or null
    uint64_t wait_ms = 5000;             // so long a request waits for an owner that can be reached
    uint32_t keepalive_s = 60;
    // For tests: instead of the dispatcher's Submit, for what other members ask.
    std::function<void(Request*)> submit = {};
  };

  // All that the options point to outlives it. It is destroyed after Stop, once no shard has a
  // request of a guest any more.
  explicit UvPeers(Options options);
  ~UvPeers() override;
  UvPeers(const UvPeers&) = delete;
  UvPeers& operator=(const UvPeers&) = delete;

  // --- Elsewhere ---
  void Submit(Request* request) override;
  // They are held, or on their way to another member.
  bool Has(uint32_t slot) const override { return lines_.Has(slot); }

  // Another pool is in effect.
  void OnPool(const Pool* pool);
  // Another member may own a shard, or this process.
  void OnOwners() { lines_.OnOwners(); }
  // A connection that another member made, or a stranger: non-blocking, just accepted.
  void Accept(UniqueFd socket, bool unix_socket = false, bool tls = false);

  // What the process's shards say to workers of other members, by the seats of this worker.
  PeerSeats& seats() { return seats_; }

  bool dirty() const { return dirty_; }
  void Flush();
  void Tick(uint64_t now_ms);
  // Ends all connections, and answers all that waits with an error. Nothing more may be submitted.
  void Stop();

  // For reports: members that are connected to, and connections from members.
  size_t links_up() const { return up_.size(); }
  size_t guests() const;
  // So many requests of other members count as pending at the dispatcher.
  size_t counted() const;

 private:
  // So many connections at a time may not have said yet who they are.
  static constexpr size_t kMostStrangers = 64;

  // --- PeerRoads ---
  PeerLink* LinkTo(const PeerOwner& owner) override;
  PeerLink* Find(const PeerOwner& owner) const override;
  std::string TroubleWith(const PeerOwner& owner) const override;
  void GiveUp(PeerLink* link) override;
  const std::vector<PeerLink*>& links() const override { return up_; }

  PeerLines::World LinesWorld();
  void FindUp();
  void Reap();
  void Note(const std::string& text);

  Options options_;
  UvPeerBase base_;
  PeerSeats seats_;
  PeerLines lines_;
  std::map<std::string, std::unique_ptr<UvPeerLink>, std::less<>> links_;  // by member
  std::vector<PeerLink*> up_;
  std::vector<std::unique_ptr<UvPeerGuest>> guests_;  // in the order in which they came
  bool dirty_ = false;
  bool stopped_ = false;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_PEERS_UV_PEERS_H_
