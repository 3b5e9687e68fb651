// Who owns a shard, as far as this process knows.

#ifndef GEMEL_PROXY_PEERS_PEER_OWNER_H_
#define GEMEL_PROXY_PEERS_PEER_OWNER_H_

#include <cstdint>
#include <string>

namespace gemel {

struct PeerOwner {
  bool mine = false;    // this process does
  std::string member;   // else who does,
  std::string address;  // and where it listens for other members (config/address.h)
  uint64_t epoch = 0;   // of the ownership
  bool known = false;   // false: nobody, or it is not known who

  bool operator==(const PeerOwner&) const = default;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_PEERS_PEER_OWNER_H_
