#include "proxy/peers/peer_seats.h"

#include <algorithm>
#include <utility>

namespace gemel {

uint32_t PeerSeats::Take(SeatHolder* holder, uint32_t worker) {
  auto place = std::find_if(places_.begin(), places_.end(),
                            [](const Place& candidate) { return !candidate.taken; });
  if (place == places_.end()) place = places_.insert(place, Place());
  *place = {true, holder, worker, nullptr};
  return static_cast<uint32_t>(place - places_.begin() + 1) * workers_ + worker_;
}

void PeerSeats::Free(uint32_t seat) {
  Place& place = PlaceOf(seat);
  place.taken = false;
  place.emptied.reset();
}

RequestSink* PeerSeats::Empty(uint32_t seat, std::unique_ptr<RequestSink> sink) {
  Place& place = PlaceOf(seat);
  place.emptied = std::move(sink);
  return place.emptied.get();
}

size_t PeerSeats::taken() const {
  return static_cast<size_t>(std::count_if(places_.begin(), places_.end(),
                                           [](const Place& place) { return place.taken; }));
}

PeerSeats::Place* PeerSeats::Find(uint32_t seat) {
  if (seat < workers_ || seat / workers_ > places_.size()) return nullptr;
  Place& place = PlaceOf(seat);
  return place.holder == nullptr ? nullptr : &place;
}

void PeerSeats::OnMessages(uint32_t seat, std::string_view messages) {
  if (Place* place = Find(seat)) place->holder->OnSeatMessages(place->worker, messages);
}

void PeerSeats::OnChanges(uint32_t seat, const TrackingBatch& batch) {
  if (Place* place = Find(seat)) place->holder->OnSeatChanges(place->worker, batch);
}

}  // namespace gemel
