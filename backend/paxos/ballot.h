// What orders the attempts to change a register.

#ifndef GEMEL_BACKEND_PAXOS_BALLOT_H_
#define GEMEL_BACKEND_PAXOS_BALLOT_H_

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

namespace gemel {

// No two attempts have the same: a proposer counts, and no two proposers have the same number.
struct Ballot {
  uint64_t counter = 0;  // 0: no ballot
  uint64_t proposer = 0;

  auto operator<=>(const Ballot&) const = default;

  // 40 digits, which compare as texts as the ballots do, in any locale; of no ballot nothing.
  std::string ToText() const;
  // No ballot if it is not such a text.
  static Ballot FromText(std::string_view text);
};

// 20 digits with leading zeros, for the same reason.
std::string PaddedNumber(uint64_t number);
// Digits alone, all of the text; false: it is no such number.
bool ParsePaddedNumber(std::string_view text, uint64_t* number);

}  // namespace gemel

#endif  // GEMEL_BACKEND_PAXOS_BALLOT_H_
