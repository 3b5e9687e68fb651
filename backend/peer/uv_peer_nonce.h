// Bytes that were never used before, for the handshake between members.

#ifndef GEMEL_BACKEND_PEER_UV_PEER_NONCE_H_
#define GEMEL_BACKEND_PEER_UV_PEER_NONCE_H_

#include <string>

namespace gemel {

// PeerHandshake::kNonce bytes of the system's randomness; empty: it gives none. Any thread.
std::string PeerNonce();

}  // namespace gemel

#endif  // GEMEL_BACKEND_PEER_UV_PEER_NONCE_H_
