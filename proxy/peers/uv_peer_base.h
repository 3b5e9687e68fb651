// What the connections of a worker to and from other members share.

#ifndef GEMEL_PROXY_PEERS_UV_PEER_BASE_H_
#define GEMEL_PROXY_PEERS_UV_PEER_BASE_H_

#include <cstdint>
#include <functional>
#include <string>

#include "backend/bytes/chunk.h"
#include "backend/peer/peer_handshake.h"
#include "backend/uv/uv_clock.h"
#include "backend/uv/uv_stream_group.h"

namespace gemel {

struct UvPeerBase {
  std::string fleet;
  std::string member;  // this one
  std::string secret;
  UvStreamGroup* streams = nullptr;
  ChunkPool* chunks = nullptr;
  uint32_t keepalive_s = 60;
  std::function<void()> want_flush;

  uint64_t NowMs() const { return UvClock::NowMs(streams->loop()); }
};

}  // namespace gemel

#endif  // GEMEL_PROXY_PEERS_UV_PEER_BASE_H_
