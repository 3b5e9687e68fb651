// The owner's side of a connection from another member, once they have shaken hands: its requests
// go to their shards as a client's would, and their replies go back, in whatever order they come.
//
// What its workers and clients listen to (peer_audience.h) comes between the replies, in the order
// in which the shards say it. Who does not take it is cut off, as a subscriber is.
//
// Requests of a shard carry the number of a round. Once one of them has been answered with "not
// here", all that come later of that shard and round are, too, though the shard may be here again:
// so the asker can put them all back in their order, and begins a new round with them.
//
// The asker's sessions are called by numbers of this process's own. What they have here (who waits,
// what is watched) ends with the link.

#ifndef GEMEL_PROXY_PEERS_PEER_GUEST_H_
#define GEMEL_PROXY_PEERS_PEER_GUEST_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "backend/bytes/block_pool.h"
#include "backend/bytes/out_queue.h"
#include "backend/resp/request_reader.h"
#include "backend/shard/blocked_cargo.h"
#include "backend/shard/sync_waits.h"
#include "backend/shard/watches.h"
#include "proxy/dispatch/dispatcher.h"
#include "proxy/dispatch/gone_sessions.h"
#include "proxy/peers/peer_audience.h"
#include "proxy/peers/peer_cargo.h"
#include "proxy/peers/peer_codec.h"
#include "proxy/peers/peer_input.h"
#include "proxy/peers/peer_lookup.h"

namespace gemel {

// Logic only, the thread of a worker.
class PeerGuest : private SeatHolder {
 public:
  // It is not read from while so much is not answered, or not taken.
  static constexpr size_t kMostCounted = 8 * 1024;
  static constexpr size_t kMostBytes = size_t{64} << 20;
  static constexpr size_t kMostQueued = size_t{8} << 20;
  // Of requests that may take long, more are refused.
  static constexpr size_t kMostLate = 256 * 1024;

  // What it lives in; all outlives it.
  struct World {
    Dispatcher* dispatcher = nullptr;
    ChunkPool* chunks = nullptr;
    GoneSessions* gone = nullptr;            // null: who has left is served all the same
    std::function<uint32_t()> next_session;  // a number that no other session of the process has
    std::function<void()> want_flush;
    // What another member keeps (LibrariesCargo); null: it is not looked at.
    std::function<void(std::string_view shared)> on_libraries = {};
    // Null: nobody may listen to channels or track keys.
    PeerSeats* seats = nullptr;
    // Instead of the dispatcher's Submit or SubmitApart, where it is not null.
    std::function<void(Request*)> submit = {};
  };
  PeerGuest(std::string member, World world, uint64_t now_ms);
  // It is Finished, or no shard has any of its requests any more.
  ~PeerGuest() override;
  PeerGuest(const PeerGuest&) = delete;
  PeerGuest& operator=(const PeerGuest&) = delete;

  // The member that asks.
  const std::string& member() const { return member_; }
  // Takes bytes; while it is Full() those are held that were read already. False: they are no part
  // of the protocol, as error() says, and the connection is to be ended.
  bool OnBytes(std::string_view bytes, uint64_t now_ms);
  // Goes on with what is held; false as above.
  bool Resume() { return OnBytes({}, now_ms_); }
  bool Full() const {
    return counted_ > kMostCounted || bytes_ > kMostBytes || out_.bytes() > kMostQueued;
  }
  OutQueue& out() { return out_; }
  // So many of its requests count as pending at the dispatcher.
  size_t counted() const { return counted_; }
  // False: nothing has come for too long, as error() says. Called a few times a second.
  bool Tick(uint64_t now_ms);
  const std::string& error() const { return error_; }

  // The connection is over. Its requests end by themselves; it may be destroyed once it is
  // Finished.
  void Lost();
  bool Finished() const { return lost_ && pending_ == 0; }

 private:
  struct Client {
    uint32_t session = 0;  // this process's number
    uint32_t pending = 0;
    bool gone = false;
    uint64_t used_ms = 0;
  };
  // A request that is not answered. It is the request's sink.
  struct Pending : RequestSink {
    void OnReply(Request* request, const Reply& reply) override {
      guest->OnAnswer(this, request, reply);
    }
    bool Wanted() const override { return !guest->lost_; }

    PeerGuest* guest = nullptr;
    uint64_t id = 0;
    uint32_t from = 0;         // the asker's session
    Client* client = nullptr;  // which stays where it is while something is pending
    uint32_t round = 0;
    uint64_t bytes = 0;  // of its frame, if it is counted
    bool counted = false;
    std::string shard;
    std::shared_ptr<BlockTicket> blocked;
    std::shared_ptr<SyncTicket> sync;
  };

  bool OnFrame(std::string_view body);
  bool OnRequest(const PeerRequest& asked);
  // The shard; null: it is not here, or it was found by another route.
  const PoolShard* ShardOf(const PeerRequest& asked);
  bool OnNumber(PeerFrame frame, uint64_t number);
  bool Bad(std::string_view why);
  // What comes of an earlier refusal.
  bool IsRefused(const PeerRequest& asked);
  // Can a shard be given that frame for that row?
  bool IsFit(const PeerRequest& asked, const CommandRow* row);
  bool IsCommand(std::string_view frame, const CommandRow* row);
  bool IsBlock(std::string_view frame);
  // Gives the cargo the ticket of that number.
  void SetTicket(RequestKind kind, uint64_t number, RequestCargo* cargo, Pending* pending);
  void Send(const PeerRequest& asked, const CommandRow* row, uint32_t slot, PeerCargo cargo);
  void Deliver(Request* request, bool counted);
  Client& ClientOf(uint32_t from);
  void LeaveSession(Pending* pending);
  void SetGone(uint32_t from, Client* client);
  // Gives a request that asks to listen its place in the audience. False: it may not.
  bool TakeSeat(const PeerRequest& asked, RequestCargo* cargo);
  // What comes outside of replies.
  void OnSeatMessages(uint32_t worker, std::string_view messages) override;
  void OnSeatChanges(uint32_t worker, const TrackingBatch& batch) override;
  void Push();  // what is in text_
  void OnAnswer(Pending* pending, Request* request, const Reply& reply);
  void Say(const PeerReply& reply, ByteBuffer* buffer);
  void SayNotHere(uint64_t id);
  void SayError(uint64_t id, std::string_view text);
  void SayAlive();
  void WantFlush();

  const std::string member_;
  World world_;
  OutQueue out_;
  PeerInput input_;
  RequestReader reader_;
  std::vector<std::string_view> args_;  // scratch
  std::string text_;                    // scratch
  std::string cargo_;                   // scratch
  std::string error_;
  BlockPool<Pending, 1> pool_;
  size_t pending_ = 0;
  std::unordered_map<uint32_t, Client> clients_;  // by the asker's numbers; 0 is nobody
  // Who asked last, for it mostly goes on; null: nobody that is known.
  Client* last_client_ = nullptr;
  uint32_t last_from_ = 0;
  std::unordered_map<uint64_t, std::shared_ptr<WatchTicket>> watched_;
  std::unordered_map<uint64_t, Pending*> late_;        // by id: those that may wait long
  std::unordered_map<std::string, uint32_t> refused_;  // by shard: the round that was refused last
  size_t counted_ = 0;
  uint64_t bytes_ = 0;  // of those that are counted
  uint64_t heard_ms_;
  uint64_t said_ms_;
  PeerLookup lookup_;
  uint64_t route_ = 1;  // that the asker goes by
  uint64_t now_ms_;
  bool lost_ = false;
  PeerAudience audience_;
  uint64_t pushed_ = 0;  // of what is queued so many bytes at most are no replies
};

}  // namespace gemel

#endif  // GEMEL_PROXY_PEERS_PEER_GUEST_H_
