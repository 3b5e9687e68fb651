#include "backend/paxos/ballot.h"

#include <charconv>

namespace gemel {

namespace {

constexpr size_t kDigits = 20;

}  // namespace

std::string PaddedNumber(uint64_t number) {
  const std::string digits = std::to_string(number);
  return std::string(kDigits - digits.size(), '0') + digits;
}

bool ParsePaddedNumber(std::string_view text, uint64_t* number) {
  const char* const end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, *number);
  return error == std::errc() && at == end;
}

std::string Ballot::ToText() const {
  return counter == 0 ? std::string() : PaddedNumber(counter) + PaddedNumber(proposer);
}

Ballot Ballot::FromText(std::string_view text) {
  Ballot ballot;
  if (text.size() != 2 * kDigits || !ParsePaddedNumber(text.substr(0, kDigits), &ballot.counter) ||
      !ParsePaddedNumber(text.substr(kDigits), &ballot.proposer)) {
    return {};
  }
  return ballot;
}

}  // namespace gemel
