// Any bytes from another end of a peer link, before and after the handshake: no crash, and nothing
// is taken for more than it is.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "backend/peer/peer_handshake.h"
#include "backend/served/nodes_order.h"
#include "proxy/peers/peer_cargo.h"
#include "proxy/peers/peer_codec.h"
#include "proxy/peers/peer_input.h"

namespace {

void Check(bool holds) {
  if (!holds) std::abort();
}

// Nobody who does not know the secret gets in.
void Shake(gemel::PeerHandshake::Side side, std::string_view bytes) {
  gemel::PeerHandshake shaking(side, {"fleet", "a", "b"}, "secret",
                               std::string(gemel::PeerHandshake::kNonce, 'n'), 0);
  std::string out;
  size_t used = 0;
  if (side == gemel::PeerHandshake::Side::kDials) shaking.Begin(&out);
  shaking.OnBytes(bytes, &used, &out);
  Check(used <= bytes.size());
  Check(shaking.state() != gemel::PeerHandshake::State::kDone);
  Check(out.size() <= 4 * gemel::PeerHandshake::kMostFrame);
}

void OnRequest(std::string_view body) {
  gemel::PeerRequest request;
  if (!gemel::ReadPeerRequest(body, &request)) return;
  std::string again;
  gemel::AppendPeerRequest(request, &again);
  again.append(request.frame);
  Check(std::string_view(again).substr(gemel::PeerInput::kHeader) == body);
  gemel::PeerCargo cargo;
  gemel::ReadPeerCargo(request.kind, request.guarded, request.cargo, &cargo);
}

void OnReply(std::string_view body) {
  gemel::PeerReply reply;
  if (!gemel::ReadPeerReply(body, &reply)) return;
  Check(!reply.not_here || reply.bytes.empty());
  gemel::Request asked;
  asked.kind = gemel::RequestKind::kNodes;
  asked.Extra().cargo = std::make_unique<gemel::NodesOrder>();
  gemel::ReadPeerAnswers(reply.cargo, &asked);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  Shake(gemel::PeerHandshake::Side::kDials, bytes);
  Shake(gemel::PeerHandshake::Side::kServes, bytes);
  gemel::PeerInput input(4096);
  input.Feed(bytes, [](std::string_view body) {
    if (gemel::PeerFrameOf(body) == gemel::PeerFrame::kRequest) OnRequest(body);
    if (gemel::PeerFrameOf(body) == gemel::PeerFrame::kReply) OnReply(body);
    uint64_t number = 0;
    gemel::ReadPeerNumber(body, &number);
    return true;
  });
  return 0;
}
