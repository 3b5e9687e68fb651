#include "backend/command/expiry_time.h"

#include <limits>

#include "backend/command/ascii.h"
#include "backend/resp/request_reader.h"

namespace gemel {

namespace {

int64_t TimeIn(std::string_view number, int64_t unit_ms) {
  int64_t value = 0;
  if (!ParseInteger(number, &value) || value < 0) return -1;
  if (value > std::numeric_limits<int64_t>::max() / unit_ms) return -1;
  return value * unit_ms;
}

}  // namespace

int64_t ExpiryTimeMs(const CommandRow& row, std::span<const std::string_view> args) {
  if (row.expiry == ExpiryRule::kNone || args.size() < 3) return -1;
  switch (row.expiry) {
    case ExpiryRule::kNone:
      break;
    case ExpiryRule::kSeconds:
      return TimeIn(args[2], 1000);
    case ExpiryRule::kMs:
      return TimeIn(args[2], 1);
    case ExpiryRule::kOption:
      for (size_t i = 2; i + 1 < args.size(); ++i) {
        if (EqualsLower(args[i], "exat")) return TimeIn(args[i + 1], 1000);
        if (EqualsLower(args[i], "pxat")) return TimeIn(args[i + 1], 1);
      }
      break;
    case ExpiryRule::kAbsTtl:
      for (size_t i = 4; i < args.size(); ++i) {
        if (EqualsLower(args[i], "absttl")) return TimeIn(args[2], 1);
      }
      break;
  }
  return -1;
}

}  // namespace gemel
