#include "backend/command/other_database.h"

#include <algorithm>
#include <limits>

#include "backend/command/ascii.h"
#include "backend/resp/request_reader.h"

namespace gemel {

namespace {

// A node refuses what is no number, or none of its databases.
int64_t IndexOf(std::string_view text) {
  int64_t index = 0;
  return ParseInteger(text, &index) && index >= 0 ? index : -1;
}

}  // namespace

OtherDatabase OtherDatabaseByArgs(const CommandRow& row, std::span<const std::string_view> args) {
  if (row.arg_rule == ArgRule::kMove) return {IndexOf(args[2]), true};
  // COPY source destination [DB index] [REPLACE]: of several the last counts.
  OtherDatabase other;
  for (size_t i = 3; i + 1 < args.size(); ++i) {
    if (EqualsLower(args[i], "db")) other.index = IndexOf(args[++i]);
  }
  return other;
}

std::string ParseDatabase(std::string_view text, int64_t* index) {
  using Limits = std::numeric_limits<int32_t>;
  if (!ParseInteger(text, index)) return "ERR value is not an integer or out of range";
  if (*index >= Limits::min() && *index <= Limits::max()) return {};
  return "ERR value is out of range, value must between " + std::to_string(Limits::min()) +
         " and " + std::to_string(Limits::max());
}

std::string NoSuchDatabaseError(const CommandRow& row, std::span<const std::string_view> args) {
  int64_t index = 0;
  if (SwapsDatabases(row)) {
    if (!ParseDatabase(args[1], &index).empty()) return "ERR invalid first DB index";
    if (!ParseDatabase(args[2], &index).empty()) return "ERR invalid second DB index";
  } else if (const std::string wrong =
                 ParseDatabase(std::to_string(FindOtherDatabase(row, args).index), &index);
             !wrong.empty()) {
    return wrong;
  }
  return std::string(kNoSuchDatabase);
}

int64_t HighestDatabase(const CommandRow& row, std::span<const std::string_view> args) {
  if (SwapsDatabases(row)) return std::max(IndexOf(args[1]), IndexOf(args[2]));
  return FindOtherDatabase(row, args).index;
}

}  // namespace gemel
