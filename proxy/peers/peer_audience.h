// Who of another member listens to this process's shards over one link: its workers, each in a seat
// (peer_seats.h), for channels; its clients for keys that they track.

#ifndef GEMEL_PROXY_PEERS_PEER_AUDIENCE_H_
#define GEMEL_PROXY_PEERS_PEER_AUDIENCE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>

#include "backend/shard/channels.h"
#include "backend/shard/request.h"
#include "backend/shard/tracked_keys.h"
#include "proxy/dispatch/dispatcher.h"
#include "proxy/peers/peer_seats.h"

namespace gemel {

// The thread of the link's worker.
class PeerAudience {
 public:
  // All outlive it, and `seats` and `dispatcher` what it sends in End as well. `seats` null: nobody
  // may listen.
  PeerAudience(PeerSeats* seats, SeatHolder* holder, Dispatcher* dispatcher)
      : seats_(seats), holder_(holder), dispatcher_(dispatcher) {}
  PeerAudience(const PeerAudience&) = delete;
  PeerAudience& operator=(const PeerAudience&) = delete;

  bool MayListen() const { return seats_ != nullptr; }
  // The cargo of a request for that shard is made this process's own: its worker becomes the seat.
  // False: the other member has no such worker.
  bool Seat(const std::string& shard, ChannelsCargo* cargo);
  // The same; the asker's session becomes `session`, which is the same one till it tracks no more.
  bool Seat(const std::string& shard, uint32_t session, TrackingCargo* cargo);

  // A client of the asker's tracks, and so keeps its number here.
  bool Tracks(uint32_t from) const { return tracking_.contains(from); }
  // The asker's number of a session that tracks; 0: it is none.
  uint32_t NumberOf(uint32_t session) const {
    const auto found = numbers_.find(session);
    return found != numbers_.end() ? found->second : 0;
  }

  // The link is lost: the shards are told that nobody there listens any more, by submit(request),
  // and the seats are free once they know.
  void End(const std::function<void(Request*)>& submit);

 private:
  struct SeatOf {
    uint32_t seat = 0;
    std::set<std::string, std::less<>> shards;  // that may know it
  };
  struct Tracker {
    uint32_t session = 0;
    std::set<std::string, std::less<>> shards;
  };

  // Null: there may be none.
  SeatOf* SeatFor(uint32_t worker);
  Request* NewRequest(std::string_view shard, RequestKind kind, std::unique_ptr<RequestCargo> cargo,
                      RequestSink* sink) const;

  PeerSeats* seats_;
  SeatHolder* holder_;
  Dispatcher* dispatcher_;
  std::map<uint32_t, SeatOf> by_worker_;
  std::map<uint32_t, Tracker> tracking_;            // by the asker's session
  std::unordered_map<uint32_t, uint32_t> numbers_;  // the other way round
};

}  // namespace gemel

#endif  // GEMEL_PROXY_PEERS_PEER_AUDIENCE_H_
