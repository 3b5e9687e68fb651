// What COMMAND INFO says of Redis's commands beside their rows: ACL categories, tips for clients of
// clusters, key specifications. Nothing of gemel's depends on it.
// Source: https://redis.io/docs/reference/command-tips/ and .../key-specs/

#ifndef GEMEL_BACKEND_COMMAND_COMMAND_FACTS_H_
#define GEMEL_BACKEND_COMMAND_COMMAND_FACTS_H_

#include <string_view>

namespace gemel {

struct CommandFacts {
  std::string_view name;        // the row's
  std::string_view categories;  // words, without "@"
  std::string_view tips;        // words
  // One behind the other, with "|" between: "flags;begin;find;notes". `begin` is "i INDEX",
  // "k KEYWORD STARTFROM" or "u" (unknown), `find` is "r LASTKEY KEYSTEP LIMIT", "n KEYNUMIDX
  // FIRSTKEY KEYSTEP" or "u"; notes may be missing.
  std::string_view key_specs;
};

// Null: it is none of Redis's.
const CommandFacts* FindCommandFacts(std::string_view name);

}  // namespace gemel

#endif  // GEMEL_BACKEND_COMMAND_COMMAND_FACTS_H_
