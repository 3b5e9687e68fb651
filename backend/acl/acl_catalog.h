// What the users' rules know of the commands: a number for each, its categories, its subcommands,
// what it does with its keys and channels. Made once for a command table.

#ifndef GEMEL_BACKEND_ACL_ACL_CATALOG_H_
#define GEMEL_BACKEND_ACL_ACL_CATALOG_H_

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "backend/command/command_table.h"

namespace gemel {

// What is done with a key; of a pattern, what may be.
enum : uint8_t { kAclRead = 1, kAclWrite = 2, kAclReadWrite = 3 };

// Immutable once made: any thread.
class AclCatalog {
 public:
  static constexpr uint32_t kNone = UINT32_MAX;

  enum class Channels : uint8_t { kNone, kNames, kPatterns, kFirst };

  struct Command {
    const CommandRow* row;
    uint32_t categories;
    uint32_t end;  // those from its own number + 1 to this one are its subcommands
    bool subcommand;
    bool redis;  // of Redis 7.0: not gemel's own, nor a module's
    // Of its first key and of the others, where these do not depend on the arguments.
    uint8_t first_key;
    uint8_t other_keys;
    bool has_keys;
    Channels channels;
  };

  // `table` outlives it.
  explicit AclCatalog(const CommandTable* table);

  // The table's rows, by name. What Redis takes for an argument and gemel has rows for (DEBUG
  // OBJECT) is among them, and belongs to no category.
  std::span<const Command> commands() const { return commands_; }
  // The command whose rights count for the row: of "debug|object" that of "debug".
  uint32_t NumberOf(const CommandRow& row) const {
    return counts_for_[static_cast<size_t>(&row - rows_.data())];
  }
  // The number of "get" or "config|get", whatever the letters' case; or kNone.
  uint32_t Find(std::string_view name) const;
  // What the command does with its first key and with the others.
  uint8_t FirstKey(uint32_t number, std::span<const std::string_view> args) const;
  uint8_t OtherKeys(uint32_t number, std::span<const std::string_view> args) const;

 private:
  const CommandTable* table_;
  std::span<const CommandRow> rows_;
  std::vector<Command> commands_;
  std::vector<uint32_t> counts_for_;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_ACL_ACL_CATALOG_H_
