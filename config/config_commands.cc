#include "config/config_commands.h"

#include <string>
#include <tuple>
#include <utility>

#include "config/config_text.h"

namespace gemel {

namespace {

constexpr char kDisabled[] = "an array of commands such as [\"flushall\", \"config|set\"]";
constexpr char kRenamed[] = "an array such as [\"keys=slow-keys\"]";
// What is called otherwise is a secret between the operator and some clients: `alias` is not shown.
std::string ShownNames(const CommandsConfig& commands, bool renamed) {
  std::string shown;
  for (const CommandAlias& name : commands.names) {
    if (name.alias.empty() != renamed) shown += (shown.empty() ? "" : " ") + name.command;
  }
  return shown;
}

// A command's name as the table has it: in lower case, a bar before a subcommand.
std::string TableName(std::string text) {
  for (char& c : text) c = c == ' ' ? '|' : c;
  return LowerCase(text);
}

// The keys' positions must fit one another and, where the arity is fixed, the arguments.
void CheckKeys(TableReader& table, const ExtraCommand& command, std::optional<Place> last,
               std::optional<Place> step) {
  if (table.IsWrong("first_key")) return;
  if (command.first_key == 0) {
    for (auto [key, place, value] : {std::tuple("last_key", last, command.last_key),
                                     std::tuple("key_step", step, command.key_step)}) {
      if (place && value != 0) {
        table.Reject(key, *place, "expected 0 or nothing, because first_key = 0 means no keys");
      }
    }
    return;
  }
  if (step && command.key_step == 0) {
    table.Reject("key_step", *step, "expected at least 1, because the command has keys");
  }
  if (last && command.last_key >= 0 && command.last_key < command.first_key) {
    table.Reject("last_key", *last,
                 "expected at least first_key (" + std::to_string(command.first_key) +
                     "), or a negative number, which counts from the end");
  }
}

}  // namespace

void ReadCommands(TableReader table, CommandsConfig* commands) {
  for (const bool renamed : {false, true}) {
    const char* key = renamed ? "renamed" : "disabled";
    const char* expected = renamed ? kRenamed : kDisabled;
    std::vector<TableReader::Item> items;
    table.Strings(key, expected, kMaxConfigCommands, &items);
    table.Protect(key, Guard::kFileOnly);
    for (const TableReader::Item& item : items) {
      const size_t equals = renamed ? item.text.find('=') : item.text.size();
      CommandAlias name{
          TableName(item.text.substr(0, equals)), {}, item.place.line, item.place.column};
      if (renamed && equals != std::string::npos) name.alias = item.text.substr(equals + 1);
      const bool alias_ok = name.alias.size() <= kMaxConfigName && !HasControl(name.alias) &&
                            name.alias.find_first_of(" |\"") == std::string::npos;
      const bool subcommand = name.command.find('|') != std::string::npos;
      if (name.command.empty() || !alias_ok || (renamed && (name.alias.empty() || subcommand))) {
        table.Reject(key, item.place, std::string("expected ") + expected);
      }
      commands->names.push_back(std::move(name));
    }
    table.Show(ShownNames(*commands, renamed));
  }
  table.Choice<DebugFor>(
      "debug", {{"no", DebugFor::kNo}, {"yes", DebugFor::kYes}, {"local", DebugFor::kLocal}},
      &commands->debug);
  table.Protect("debug", Guard::kFileOnly);
  table.Bool("node_options", &commands->node_options);
  table.Protect("node_options", Guard::kFileOnly);
  table.Finish();
}

void ReadCommand(TableReader table, ExtraCommand* command, Place* name_place) {
  constexpr int kMaxArgs = 1024;
  if (auto place = table.String("name", "a string", &command->name)) {
    *name_place = *place;
    if (!IsName(command->name, "_.-", false)) {
      table.Reject("name", *place,
                   "bad command name " + Quote(command->name) +
                       ", expected 1 to 64 of the characters a-z 0-9 _ . - (lower case)");
    } else if (command->name == "post") {
      table.Reject("name", *place,
                   "bad command name \"post\", expected another: browsers begin with it, and who "
                   "sends it is cut off");
    }
  } else if (!table.Has("name")) {
    table.Missing("name", "the name of a command in lower case");
  }
  auto arity = table.Integer("arity", -kMaxArgs, kMaxArgs, &command->arity);
  if (arity && command->arity == 0) {
    table.Reject("arity", *arity,
                 "expected the number of arguments with the name, or if negative the least number, "
                 "but not 0");
  }
  table.Bool("write", &command->write);
  auto first = table.Integer("first_key", 0, kMaxArgs, &command->first_key);
  auto last = table.Integer("last_key", -kMaxArgs, kMaxArgs, &command->last_key);
  auto step = table.Integer("key_step", 0, kMaxArgs, &command->key_step);
  CheckKeys(table, *command, last, step);
  if (!last || command->first_key == 0) command->last_key = command->first_key;
  if (command->first_key == 0) command->key_step = 0;
  if (arity && command->arity > 0 && !table.IsWrong("first_key") && !table.IsWrong("last_key")) {
    const int args = command->arity - 1;
    if (const bool first_out = command->first_key > args; first_out || command->last_key > args) {
      table.Reject(first_out ? "first_key" : "last_key",
                   first_out ? first.value_or(*arity) : last.value_or(*arity),
                   "expected at most " + std::to_string(args) + ", because arity = " +
                       std::to_string(command->arity) + " leaves no more arguments");
    }
  }
  auto deterministic = table.Bool("deterministic", &command->deterministic);
  if (deterministic && command->deterministic && !command->write && !table.IsWrong("write")) {
    table.Reject("deterministic", *deterministic,
                 "expected write = true beside it, because it says what a write does");
  }
  table.Finish();
}

}  // namespace gemel
