// What goes with a request beside its frame (Request's cargo), on a peer link. Tickets, by which
// requests refer to each other, become numbers; what has no meaning elsewhere does not travel.

#ifndef GEMEL_PROXY_PEERS_PEER_CARGO_H_
#define GEMEL_PROXY_PEERS_PEER_CARGO_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "backend/shard/request.h"

namespace gemel {

// Of a request of kind kLibraries that goes to another member: FunctionStore::Shared.
struct LibrariesCargo : RequestCargo {
  std::string shared;
};

// Appends the cargo of a request. `ticket`: the number of its ticket, where it has
// one (kWatch and guarded: of the watch; kUnblock: of the request that waits). `waited_ms`: so much
// of its timeout has passed.
void AppendPeerCargo(const Request& request, uint64_t ticket, uint64_t waited_ms, std::string* out);

// The same read, of a request that is `kind` once it is tracked: `cargo` null for a request that
// has none. Its ticket is set by who knows it.
struct PeerCargo {
  std::unique_ptr<RequestCargo> cargo;
  uint64_t ticket = 0;
};
// False: it is bad.
bool ReadPeerCargo(RequestKind kind, bool guarded, std::string_view bytes, PeerCargo* read);

// What the cargo of an answered request says back, and the same put into the asker's. False: bad.
void AppendPeerAnswers(const Request& request, std::string* out);
bool ReadPeerAnswers(std::string_view bytes, Request* request);

}  // namespace gemel

#endif  // GEMEL_PROXY_PEERS_PEER_CARGO_H_
