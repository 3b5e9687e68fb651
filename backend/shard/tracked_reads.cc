#include "backend/shard/tracked_reads.h"

#include <utility>

namespace gemel {

void TrackedReads::Begin(Request* request, uint64_t number, std::vector<std::string> keys,
                         bool changed) {
  flights_.emplace_front();
  Flight& flight = flights_.front();
  flight.self = flights_.begin();
  flight.owner = this;
  flight.request = request;
  flight.sink = std::exchange(request->sink, &flight);
  flight.number = number;
  flight.landed = {request->session, std::move(keys), {}};
  flight.landed.changed.assign(flight.landed.keys.size(), changed);
  for (size_t i = 0; i < flight.landed.keys.size(); ++i) {
    by_key_.emplace(flight.landed.keys[i], Place{&flight, i});
  }
}

void TrackedReads::OnChanged(std::string_view key, uint64_t before, uint32_t but) {
  const auto [begin, end] = by_key_.equal_range(key);
  for (auto it = begin; it != end; ++it) {
    const Place& place = it->second;
    Landed& landed = place.flight->landed;
    if (place.flight->number < before && landed.session != but) landed.changed[place.key] = true;
  }
}

void TrackedReads::OnAllChanged(uint64_t before) {
  for (Flight& flight : flights_) {
    if (flight.number >= before) continue;
    flight.landed.changed.assign(flight.landed.keys.size(), true);
  }
}

void TrackedReads::ReleaseAll() {
  for (Flight& flight : flights_) {
    flight.request->sink = flight.sink;
    flight.request->kind = RequestKind::kTracked;
  }
  by_key_.clear();
  flights_.clear();
}

// What its client is told of it comes behind the reply.
void TrackedReads::Land(Flight* flight, Request* request, const Reply& reply) {
  request->sink = flight->sink;
  request->sink->OnReply(request, reply);
  for (const std::string& key : flight->landed.keys) {
    const auto [begin, end] = by_key_.equal_range(key);
    for (auto it = begin; it != end; ++it) {
      if (it->second.flight != flight) continue;
      by_key_.erase(it);
      break;
    }
  }
  const Landed landed = std::move(flight->landed);
  flights_.erase(flight->self);
  on_landed_(landed);
}

}  // namespace gemel
