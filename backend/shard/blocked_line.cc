#include "backend/shard/blocked_line.h"

namespace gemel {

void BlockedLine::Join(BlockedPlace* place) {
  place->before = last;
  (last != nullptr ? last->behind : first) = place;
  last = place;
  if (place->waiter->of_stream()) ++of_streams;
}

void BlockedLine::Leave(BlockedPlace* place) {
  (place->before != nullptr ? place->before->behind : first) = place->behind;
  (place->behind != nullptr ? place->behind->before : last) = place->before;
  if (place->waiter->of_stream()) --of_streams;
}

bool BlockedWaiter::MayWaitAtOnce() const {
  const CommandRow& row = *request->row;
  if (places.size() != 1 || row.blocking != Blocking::kTimeoutLast || row.put_back.empty()) {
    return false;
  }
  // Who is before it is in line, too, else it might be told of something that comes later.
  const BlockedPlace& place = places[0];
  return place.line->empty && place.before != nullptr && place.before->waiter->in_line;
}

BlockedLine* BlockedQuestion::line() const {
  for (const BlockedPlace& place : waiter->places) {
    if (waiter->places.size() == 1 || place.line->key == key) return place.line;
  }
  return nullptr;
}

}  // namespace gemel
