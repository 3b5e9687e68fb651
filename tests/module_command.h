// A command of no server, as an operator may name one of a module: MIX key * field value, whose
// outcome nobody can tell beforehand, so that the others get its key's state.

#ifndef GEMEL_TESTS_MODULE_COMMAND_H_
#define GEMEL_TESTS_MODULE_COMMAND_H_

#include <vector>

#include "config/config.h"

namespace gemel {

inline std::vector<ExtraCommand> ModuleCommands() {
  ExtraCommand mix;
  mix.name = "mix";
  mix.arity = -5;
  mix.write = true;
  return {mix};
}

}  // namespace gemel

#endif  // GEMEL_TESTS_MODULE_COMMAND_H_
