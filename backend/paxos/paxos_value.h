// What acceptors keep of a register: its text, its version, and whose write that was.

#ifndef GEMEL_BACKEND_PAXOS_PAXOS_VALUE_H_
#define GEMEL_BACKEND_PAXOS_PAXOS_VALUE_H_

#include <cstdint>
#include <string>
#include <string_view>

namespace gemel {

struct PaxosValue {
  uint64_t version = 0;  // 0: never written; each write counts one more
  // Of the write, so that who made it knows it again when an earlier attempt of theirs was carried
  // out by somebody else's round.
  uint64_t writer = 0;
  uint64_t write = 0;
  std::string text;

  bool operator==(const PaxosValue&) const = default;

  std::string Encode() const;  // of version 0 nothing
  // False: it is no value.
  static bool Decode(std::string_view bytes, PaxosValue* value);
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_PAXOS_PAXOS_VALUE_H_
