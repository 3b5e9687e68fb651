#include "backend/paxos/paxos_value.h"

#include "backend/paxos/ballot.h"

namespace gemel {

namespace {

constexpr size_t kNumber = 20;
constexpr size_t kHead = 3 * kNumber;

}  // namespace

std::string PaxosValue::Encode() const {
  if (version == 0) return {};
  return PaddedNumber(version) + PaddedNumber(writer) + PaddedNumber(write) + text;
}

bool PaxosValue::Decode(std::string_view bytes, PaxosValue* value) {
  *value = {};
  if (bytes.empty()) return true;
  if (bytes.size() < kHead || !ParsePaddedNumber(bytes.substr(0, kNumber), &value->version) ||
      !ParsePaddedNumber(bytes.substr(kNumber, kNumber), &value->writer) ||
      !ParsePaddedNumber(bytes.substr(2 * kNumber, kNumber), &value->write)) {
    *value = {};
    return false;
  }
  value->text = bytes.substr(kHead);
  return value->version > 0;
}

}  // namespace gemel
