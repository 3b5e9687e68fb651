// The seats of a worker: numbers by which this process's shards call workers of other members, as
// they call the process's own by theirs. A seat says which worker of this process passes on what is
// for it: the one that has the peer link.

#ifndef GEMEL_PROXY_PEERS_PEER_SEATS_H_
#define GEMEL_PROXY_PEERS_PEER_SEATS_H_

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "backend/shard/request.h"
#include "proxy/tracking/tracking_batch.h"

namespace gemel {

// The link's side of its seats.
class SeatHolder {
 public:
  virtual ~SeatHolder() = default;
  // For that worker of the other member. Nobody is called back.
  virtual void OnSeatMessages(uint32_t worker, std::string_view messages) = 0;
  virtual void OnSeatChanges(uint32_t worker, const TrackingBatch& batch) = 0;
};

// One worker's, on its thread.
class PeerSeats {
 public:
  // Of that worker of so many.
  PeerSeats(uint32_t worker, uint32_t workers) : worker_(worker), workers_(workers) {}
  PeerSeats(const PeerSeats&) = delete;
  PeerSeats& operator=(const PeerSeats&) = delete;

  static bool IsSeat(uint32_t number, uint32_t workers) { return number >= workers; }
  // Which of the process's workers has it.
  static uint32_t HomeOf(uint32_t seat, uint32_t workers) { return seat % workers; }

  // A seat for that worker of the other member; the lowest that is free. `holder` outlives its
  // Leave.
  uint32_t Take(SeatHolder* holder, uint32_t worker);
  // The link is lost: what comes is told to nobody. The number is not given again before Free.
  void Leave(uint32_t seat) { PlaceOf(seat).holder = nullptr; }
  // No shard knows it any more.
  void Free(uint32_t seat);
  // Keeps who waits for the shards to forget it, and Frees it then; gives it back.
  RequestSink* Empty(uint32_t seat, std::unique_ptr<RequestSink> sink);
  size_t taken() const;

  void OnMessages(uint32_t seat, std::string_view messages);
  void OnChanges(uint32_t seat, const TrackingBatch& batch);

 private:
  struct Place {
    bool taken = false;
    SeatHolder* holder = nullptr;
    uint32_t worker = 0;  // the other member's
    std::unique_ptr<RequestSink> emptied;
  };
  Place& PlaceOf(uint32_t seat) { return places_[seat / workers_ - 1]; }
  // Null: nobody sits there.
  Place* Find(uint32_t seat);

  const uint32_t worker_;
  const uint32_t workers_;
  std::vector<Place> places_;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_PEERS_PEER_SEATS_H_
