#include "backend/shard/audience.h"

namespace gemel {

Audience::Audience(ShardParts* parts)
    : watches_(parts), tracked_(parts), blocked_(parts), syncs_(parts), channels_(parts) {
  parts->audience = this;
  parts->watches = &watches_;
  parts->tracked = &tracked_;
  parts->blocked = &blocked_;
}

void Audience::Tick(uint64_t now_ms, uint32_t random) {
  watches_.Tick(now_ms);
  tracked_.Tick(now_ms);
  TickBlocked(now_ms);
  channels_.Tick(now_ms, random);
}

void Audience::TickBlocked(uint64_t now_ms) {
  if (!blocked_.idle()) blocked_.Tick(now_ms);
  if (!syncs_.idle()) syncs_.Tick(now_ms);
}

void Audience::Stop() {
  blocked_.Stop();
  syncs_.Stop();
  channels_.Stop();
  tracked_.Stop();
}

}  // namespace gemel
