// How two members of a fleet find out, before anything else is said on a connection, that the other
// one is who it says and knows the fleet's secret. Each proves it by a HMAC-SHA256 over both names,
// the fleet, both nonces and its own role, so that what one has said is of no use to anybody, on
// another connection or in the other direction.
//
//   who dials: hello (version, fleet, its name, whom it wants, nonce)
//   who serves:                                   challenge (nonce)
//   who dials: proof (HMAC)
//   who serves:                                   welcome (HMAC), or instead of either: a refusal
//
// Who serves says nothing that depends on the secret before the other has proved to know it. What
// is said afterwards is neither signed nor encrypted: the network between members is trusted.

#ifndef GEMEL_BACKEND_PEER_PEER_HANDSHAKE_H_
#define GEMEL_BACKEND_PEER_PEER_HANDSHAKE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "backend/peer/peer_wire.h"

namespace gemel {

// Logic only: bytes in, bytes out. Of one connection.
class PeerHandshake {
 public:
  static constexpr uint16_t kVersion = 1;
  static constexpr size_t kNonce = 32;
  static constexpr size_t kMostName = 128;
  static constexpr size_t kMostFrame = 1024;
  // So long it may take.
  static constexpr uint64_t kMostMs = 5000;

  enum class Side : uint8_t { kDials, kServes };
  enum class State : uint8_t {
    kUnderWay,
    kDone,     // the other one is peer()
    kRefused,  // by either: error() says why. What is still to be sent is sent, and no more is read
  };

  struct Names {
    std::string fleet;
    std::string self;
    std::string other = {};  // kDials: whom it wants
  };

  // `nonce`: kNonce random bytes that were never used before. Without a secret all is refused.
  PeerHandshake(Side side, Names names, std::string secret, std::string nonce, uint64_t now_ms);

  // Takes what came; *used bytes were its own, and what is behind them once it is done is the
  // link's. Appends what is to be sent to *out; kDials: the first bytes are appended by Begin.
  State OnBytes(std::string_view bytes, size_t* used, std::string* out);
  void Begin(std::string* out);
  // Refuses whom it has taken too long.
  State Tick(uint64_t now_ms);

  State state() const { return state_; }
  // Once it is done.
  const std::string& peer() const { return names_.other; }
  // A sentence without a full stop.
  const std::string& error() const { return error_; }

 private:
  enum class Frame : uint8_t { kHello = 101, kChallenge, kProof, kWelcome, kRefusal };

  void OnFrame(std::string_view body, std::string* out);
  void OnHello(WireReader reader, std::string* out);
  void OnChallenge(WireReader reader, std::string* out);
  void OnProof(WireReader reader, std::string* out);
  void OnWelcome(WireReader reader);
  // Ends it; `out`, if given: who dialled is told.
  void Refuse(std::string why, std::string* out);
  // Of that side, over all that both have said.
  std::string Proof(Side of) const;
  bool IsProof(Side of, std::string_view given) const;
  static void Send(Frame frame, std::string_view content, std::string* out);

  const Side side_;
  Names names_;
  const std::string secret_;
  const std::string nonce_;
  const uint64_t begun_ms_;
  std::string other_nonce_;
  std::string held_;  // of a frame that is not whole
  std::string error_;
  State state_ = State::kUnderWay;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_PEER_PEER_HANDSHAKE_H_
