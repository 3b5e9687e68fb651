// Commands that are about more databases than the one that the client has selected: MOVE, COPY with
// DB, SWAPDB.

#ifndef GEMEL_BACKEND_COMMAND_OTHER_DATABASE_H_
#define GEMEL_BACKEND_COMMAND_OTHER_DATABASE_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "backend/command/command_table.h"

namespace gemel {

// Indexes of databases are less than this in all of gemel: one byte in what is remembered of keys.
inline constexpr uint32_t kMostDatabases = 256;

struct OtherDatabase {
  int64_t index = -1;     // -1: none is named, or not by a number
  bool same_key = false;  // the command's key is written there, too (MOVE); else its last key alone
  bool any() const { return index >= 0; }
};

// Defined for rows of which arg_rule says that there may be one.
OtherDatabase OtherDatabaseByArgs(const CommandRow& row, std::span<const std::string_view> args);

// Where a command with keys has one in another database than the selected one.
inline OtherDatabase FindOtherDatabase(const CommandRow& row,
                                       std::span<const std::string_view> args) {
  if (row.arg_rule != ArgRule::kCopy && row.arg_rule != ArgRule::kMove) [[likely]]
    return {};
  return OtherDatabaseByArgs(row, args);
}

// Whether it exchanges whole databases, so that what is known of keys by their database is not
// true any more.
inline bool SwapsDatabases(const CommandRow& row) { return row.arg_rule == ArgRule::kSwapDb; }

// The highest index that it names; -1: none.
int64_t HighestDatabase(const CommandRow& row, std::span<const std::string_view> args);

// Reads an index as Redis does. Empty; or what is wrong with it, the text of an error.
std::string ParseDatabase(std::string_view text, int64_t* index);

inline constexpr std::string_view kNoSuchDatabase = "ERR DB index is out of range";

// What Redis says of a command that names a database that there is not.
std::string NoSuchDatabaseError(const CommandRow& row, std::span<const std::string_view> args);

}  // namespace gemel

#endif  // GEMEL_BACKEND_COMMAND_OTHER_DATABASE_H_
