#include "backend/command/command_names.h"

#include <algorithm>
#include <set>

#include "backend/command/ascii.h"

namespace gemel {

CommandNames::CommandNames(const CommandTable* table, const CommandsConfig& config)
    : table_(table), debug_local_(config.debug == DebugFor::kLocal) {
  if (config.names.empty() && config.debug == DebugFor::kYes) return;
  const std::span<const CommandRow> rows = table->rows();
  hidden_.assign(rows.size(), Hidden::kNot);
  for (size_t i = 0; i < rows.size() && config.debug != DebugFor::kYes; ++i) {
    if ((rows[i].flags & kCmdDebug) != 0) hidden_[i] = Hidden::kDebug;
  }
  // Renamed ones first: of a command that is disabled as well nothing is left.
  for (const bool disabled : {false, true}) {
    for (const CommandAlias& name : config.names) {
      const CommandRow* row = table->FindByName(name.command);
      if (row == nullptr || name.alias.empty() != disabled) continue;
      if (!disabled) renamed_.emplace(InLowerCase(name.alias), row->name);
      const std::string subcommands = std::string(row->name) + "|";
      for (size_t i = 0; i < rows.size(); ++i) {
        const bool of_it = &rows[i] == row || rows[i].name.starts_with(subcommands);
        if (of_it) hidden_[i] = disabled ? Hidden::kDisabled : Hidden::kRenamed;
      }
    }
  }
}

const CommandRow* CommandNames::FindOtherwise(std::vector<std::string_view>* args,
                                              bool local) const {
  if (hidden_.empty()) return nullptr;
  if (const CommandRow* row = table_->Find(*args);
      row != nullptr && hidden_[IndexOf(*row)] == Hidden::kDebug) {
    return debug_local_ && local ? row : nullptr;
  }
  const auto found = renamed_.find(InLowerCase((*args)[0]));
  if (found == renamed_.end()) return nullptr;
  const std::string_view asked = (*args)[0];
  (*args)[0] = found->second;
  const CommandRow* row = table_->Find(*args);
  if (row != nullptr && hidden_[IndexOf(*row)] == Hidden::kRenamed) return row;
  (*args)[0] = asked;
  return nullptr;
}

std::string CommandNames::NotFoundError(std::span<const std::string_view> args) const {
  const CommandRow* row = table_->Find(args);
  if (row == nullptr && args.size() > 1) row = table_->Find(args.first(1));
  if (row == nullptr || !IsHidden(*row)) return table_->NotFoundError(args);
  if (hidden_[IndexOf(*row)] == Hidden::kRenamed) return UnknownCommandError(args);
  if (hidden_[IndexOf(*row)] == Hidden::kDebug) {
    return "ERR DEBUG command not allowed: the config of gemel would have to say [commands] debug "
           "= "
           "\"local\", for connections from this machine, or \"yes\"";
  }
  std::string name(row->name);
  std::replace(name.begin(), name.end(), '|', ' ');
  return "ERR unknown command '" + name +
         "': it is disabled here, by [commands] disabled in the config of gemel";
}

std::optional<ConfigError> CheckCommandNames(const Config& config) {
  const CommandTable table(config.pool().commands);
  std::set<std::string> aliases;
  std::set<std::string_view> taken_away;
  for (const CommandAlias& name : config.pool().command_rules.names)
    taken_away.insert(name.command);
  for (const CommandAlias& name : config.pool().command_rules.names) {
    const char* key = name.alias.empty() ? "[commands] disabled: " : "[commands] renamed: ";
    const auto wrong = [&](const std::string& what) {
      return ConfigError{config.file, name.line, name.column, key + what};
    };
    if (table.FindByName(name.command) == nullptr) {
      return wrong("there is no command \"" + name.command + "\"; COMMAND LIST names them");
    }
    if (name.alias.empty()) continue;
    const std::string alias = InLowerCase(name.alias);
    if (table.FindByName(alias) != nullptr && !taken_away.contains(alias)) {
      return wrong("the second name of \"" + name.command +
                   "\" is that of another command, expected one that none has");
    }
    if (!aliases.insert(alias).second) {
      return wrong("the second name of \"" + name.command +
                   "\" was given to a command before, expected each one once");
    }
  }
  return std::nullopt;
}

}  // namespace gemel
