// What COMMAND DOCS of the installed redis-server says of a command's arguments.

#ifndef GEMEL_TESTS_E2E_REPLY_ORACLE_GRAMMAR_H_
#define GEMEL_TESTS_E2E_REPLY_ORACLE_GRAMMAR_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tests/e2e/client.h"

namespace gemel::e2e::reply_oracle_test {

struct Argument {
  std::string name;
  std::string type;  // "key", "integer", "pure-token", "oneof", "block", ...
  std::string token;
  bool optional = false;
  bool multiple = false;
  bool repeats_token = false;
  std::vector<Argument> parts;  // of a oneof or a block
};

struct Grammar {
  std::string row;  // "get", "object|encoding"
  std::string group;
  std::vector<Argument> arguments;

  Words Name() const;  // as it is sent
};

// Of all commands and subcommands that redis-server documents.
std::vector<Grammar> ReadGrammars(uint16_t redis);

}  // namespace gemel::e2e::reply_oracle_test

#endif  // GEMEL_TESTS_E2E_REPLY_ORACLE_GRAMMAR_H_
