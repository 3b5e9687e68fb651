// What clients call commands by: the table's names, but for those that [commands] of the config
// takes away (disabled) or replaces by others (renamed, as Redis's rename-command does). The nodes
// know nothing of it.

#ifndef GEMEL_BACKEND_COMMAND_COMMAND_NAMES_H_
#define GEMEL_BACKEND_COMMAND_COMMAND_NAMES_H_

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backend/command/command_table.h"
#include "config/config.h"
#include "config/config_load.h"

namespace gemel {

// Immutable once made: any thread.
class CommandNames {
 public:
  // `table` outlives it. What it does not know of the config's names counts for nothing (see
  // CheckCommandNames).
  explicit CommandNames(const CommandTable* table, const CommandsConfig& config = {});

  const CommandTable& table() const { return *table_; }
  // As the table's, of what a client may call so. Allocates nothing.
  const CommandRow* Find(std::span<const std::string_view> args) const {
    const CommandRow* row = table_->Find(args);
    return hidden_.empty() || row == nullptr || !IsHidden(*row) ? row : nullptr;
  }
  // Where Find knows none. If args[0] is a name that a command was given, it becomes the command's
  // own, and its row is returned; or what only some clients may call, `local`: this one is on this
  // machine. Else null, and args is as it was.
  const CommandRow* FindOtherwise(std::vector<std::string_view>* args, bool local) const;
  // The error for what neither knows.
  std::string NotFoundError(std::span<const std::string_view> args) const;
  // It cannot be called by its own name.
  bool IsHidden(const CommandRow& row) const {
    return !hidden_.empty() && hidden_[IndexOf(row)] != Hidden::kNot;
  }

 private:
  enum class Hidden : uint8_t { kNot, kDisabled, kRenamed, kDebug };
  size_t IndexOf(const CommandRow& row) const {
    return static_cast<size_t>(&row - table_->rows().data());
  }

  const CommandTable* table_;
  bool debug_local_;
  std::vector<Hidden> hidden_;                                    // by row; empty: none is
  std::map<std::string, std::string_view, std::less<>> renamed_;  // in lower case, to the own name
};

// What is wrong with the config's [commands], with its place: a name that no command has, or a
// second name that one has already. Nothing if all is well.
std::optional<ConfigError> CheckCommandNames(const Config& config);

}  // namespace gemel

#endif  // GEMEL_BACKEND_COMMAND_COMMAND_NAMES_H_
