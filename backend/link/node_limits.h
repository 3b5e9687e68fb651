// What a node allows one client: the proxy is one, for all of its own.

#ifndef GEMEL_BACKEND_LINK_NODE_LIMITS_H_
#define GEMEL_BACKEND_LINK_NODE_LIMITS_H_

#include <cstdint>
#include <string_view>

namespace gemel {

struct NodeLimits {
  static constexpr uint64_t kNone = ~uint64_t{0};

  // Bytes of one argument: proto-max-bulk-len, or client-query-buffer-limit if that is less. A
  // longer one ends the connection.
  uint64_t argument = kNone;
  // Bytes of replies that may wait for a client, of all its requests together
  // (client-output-buffer-limit normal, hard or soft; maxmemory-clients): more end the connection.
  uint64_t output = kNone;

  // Takes what a reply to CONFIG GET says of limits: pairs of names and values, in any order. An
  // error, or options that the node does not have, change nothing. An argument of
  // maxmemory-clients in percent is taken of `maxmemory`, if that is among the pairs.
  void Learn(std::string_view reply);
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_LINK_NODE_LIMITS_H_
