#include "tests/e2e/reply_oracle_grammar.h"

#include <algorithm>
#include <stdexcept>

#include "tests/e2e/reply_oracle_value.h"
#include "tests/e2e/wire.h"

namespace gemel::e2e::reply_oracle_test {
namespace {

// Null if there is none.
const Value* Find(const Value& map, std::string_view name) {
  for (size_t i = 0; i + 1 < map.items.size(); i += 2) {
    if (map.items[i].text == name) return &map.items[i + 1];
  }
  return nullptr;
}

std::string TextOf(const Value& map, std::string_view name) {
  const Value* found = Find(map, name);
  return found == nullptr ? "" : found->text;
}

bool HasFlag(const Value& argument, std::string_view flag) {
  const Value* flags = Find(argument, "flags");
  if (flags == nullptr) return false;
  return std::any_of(flags->items.begin(), flags->items.end(),
                     [&](const Value& item) { return item.text == flag; });
}

std::vector<Argument> ReadArguments(const Value& of) {
  std::vector<Argument> arguments;
  const Value* list = Find(of, "arguments");
  if (list == nullptr) return arguments;
  for (const Value& item : list->items) {
    Argument argument;
    argument.name = TextOf(item, "name");
    argument.type = TextOf(item, "type");
    argument.token = TextOf(item, "token");
    argument.optional = HasFlag(item, "optional");
    argument.multiple = HasFlag(item, "multiple");
    argument.repeats_token = HasFlag(item, "multiple_token");
    argument.parts = ReadArguments(item);
    arguments.push_back(std::move(argument));
  }
  return arguments;
}

void ReadCommands(const Value& docs, std::vector<Grammar>* grammars) {
  for (size_t i = 0; i + 1 < docs.items.size(); i += 2) {
    const Value& doc = docs.items[i + 1];
    if (const Value* subcommands = Find(doc, "subcommands"); subcommands != nullptr) {
      ReadCommands(*subcommands, grammars);
    }
    grammars->push_back({docs.items[i].text, TextOf(doc, "group"), ReadArguments(doc)});
  }
}

}  // namespace

Words Grammar::Name() const {
  const size_t bar = row.find('|');
  if (bar == std::string::npos) return {row};
  return {row.substr(0, bar), row.substr(bar + 1)};
}

std::vector<Grammar> ReadGrammars(uint16_t redis) {
  std::vector<Grammar> grammars;
  const std::string reply = Wire(redis).Ask({"COMMAND", "DOCS"});
  ReadCommands(ParseReply(reply), &grammars);
  if (grammars.empty()) throw std::runtime_error("COMMAND DOCS says nothing");
  // Each server has its own order: a seed means the same on all of them.
  std::sort(grammars.begin(), grammars.end(),
            [](const Grammar& a, const Grammar& b) { return a.row < b.row; });
  return grammars;
}

}  // namespace gemel::e2e::reply_oracle_test
