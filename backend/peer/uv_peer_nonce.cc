#include "backend/peer/uv_peer_nonce.h"

#include <openssl/rand.h>

#include "backend/peer/peer_handshake.h"

namespace gemel {

std::string PeerNonce() {
  std::string nonce(PeerHandshake::kNonce, '\0');
  const bool made = RAND_bytes(reinterpret_cast<unsigned char*>(nonce.data()),
                               static_cast<int>(nonce.size())) == 1;
  return made ? nonce : std::string();
}

}  // namespace gemel
