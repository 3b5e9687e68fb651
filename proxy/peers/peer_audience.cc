#include "proxy/peers/peer_audience.h"

#include <memory>
#include <utility>
#include <vector>

#include "proxy/peers/peer_push.h"

namespace gemel {

namespace {

// Frees a seat, and itself with it, when all shards have answered that it is empty.
class EmptySeat : public RequestSink {
 public:
  EmptySeat(Dispatcher* dispatcher, PeerSeats* seats, uint32_t seat, size_t left)
      : dispatcher_(dispatcher), seats_(seats), seat_(seat), left_(left) {}

 private:
  void OnReply(Request* request, const Reply&) override {
    dispatcher_->Free(request);
    if (--left_ == 0) seats_->Free(seat_);
  }

  Dispatcher* dispatcher_;
  PeerSeats* seats_;
  const uint32_t seat_;
  size_t left_;
};

}  // namespace

PeerAudience::SeatOf* PeerAudience::SeatFor(uint32_t worker) {
  if (seats_ == nullptr || worker >= kMostPeerWorkers) return nullptr;
  SeatOf& seat = by_worker_[worker];
  if (seat.seat == 0) seat.seat = seats_->Take(holder_, worker);
  return &seat;
}

bool PeerAudience::Seat(const std::string& shard, ChannelsCargo* cargo) {
  SeatOf* seat = SeatFor(cargo->worker);
  if (seat == nullptr) return false;
  if (cargo->wanted && !cargo->barrier) seat->shards.insert(shard);
  cargo->worker = seat->seat;
  return true;
}

bool PeerAudience::Seat(const std::string& shard, uint32_t session, TrackingCargo* cargo) {
  SeatOf* seat = SeatFor(cargo->worker);
  if (seat == nullptr) return false;
  cargo->worker = seat->seat;
  const uint32_t from = std::exchange(cargo->session, session);
  if (cargo->on) {
    // What is told of keys needs the seat as channels do.
    seat->shards.insert(shard);
    Tracker& tracker = tracking_[from];
    tracker.session = session;
    tracker.shards.insert(shard);
    numbers_[session] = from;
  } else if (const auto found = tracking_.find(from); found != tracking_.end()) {
    found->second.shards.erase(shard);
    if (!found->second.shards.empty()) return true;
    numbers_.erase(found->second.session);
    tracking_.erase(found);
  }
  return true;
}

Request* PeerAudience::NewRequest(std::string_view shard, RequestKind kind,
                                  std::unique_ptr<RequestCargo> cargo, RequestSink* sink) const {
  Request* request = dispatcher_->New();
  request->kind = kind;
  request->guest = true;
  request->frame = {};
  request->shard = static_cast<uint16_t>(dispatcher_->pool().Find(shard)->slot);
  request->Extra().cargo = std::move(cargo);
  request->sink = sink;
  return request;
}

// First the clients, so that nothing is for the seat when it is free.
void PeerAudience::End(const std::function<void(Request*)>& submit) {
  const Pool& pool = dispatcher_->pool();
  for (const auto& [from, tracker] : std::exchange(tracking_, {})) {
    for (const std::string& shard : tracker.shards) {
      if (pool.Find(shard) == nullptr) continue;
      auto cargo = std::make_unique<TrackingCargo>();
      cargo->session = tracker.session;
      submit(
          NewRequest(shard, RequestKind::kTracking, std::move(cargo), dispatcher_->unanswered()));
    }
  }
  numbers_.clear();
  for (auto& [worker, seat] : std::exchange(by_worker_, {})) {
    seats_->Leave(seat.seat);
    std::erase_if(seat.shards,
                  [&pool](const std::string& shard) { return pool.Find(shard) == nullptr; });
    if (seat.shards.empty()) {
      seats_->Free(seat.seat);
      continue;
    }
    RequestSink* sink = seats_->Empty(
        seat.seat, std::make_unique<EmptySeat>(dispatcher_, seats_, seat.seat, seat.shards.size()));
    for (const std::string& shard : seat.shards) {
      auto cargo = std::make_unique<ChannelsCargo>();
      cargo->worker = seat.seat;
      cargo->wanted = false;
      cargo->all = true;
      submit(NewRequest(shard, RequestKind::kChannels, std::move(cargo), sink));
    }
  }
}

}  // namespace gemel
