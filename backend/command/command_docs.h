// What COMMAND DOCS says of each built-in command: apart from the rows, which requests read.

#ifndef GEMEL_BACKEND_COMMAND_COMMAND_DOCS_H_
#define GEMEL_BACKEND_COMMAND_COMMAND_DOCS_H_

#include <string_view>

namespace gemel {

struct CommandDoc {
  std::string_view name;   // as in the row: "get", "config|get"
  std::string_view group;  // Redis's, or "proxy"
  std::string_view since;  // the version of Redis, or of gemel, that brought it
  std::string_view summary;
};

// The doc of a built-in row; null for the operator's commands. `name` is in lower case.
const CommandDoc* FindCommandDoc(std::string_view name);

}  // namespace gemel

#endif  // GEMEL_BACKEND_COMMAND_COMMAND_DOCS_H_
