// [commands] and [[command]] of the config file. Private to config.

#ifndef GEMEL_CONFIG_CONFIG_COMMANDS_H_
#define GEMEL_CONFIG_CONFIG_COMMANDS_H_

#include "config/config.h"
#include "config/config_table.h"

namespace gemel {

// Of either.
constexpr size_t kMaxConfigCommands = 4096;

// [commands], over its defaults.
void ReadCommands(TableReader table, CommandsConfig* commands);

// One [[command]].
void ReadCommand(TableReader table, ExtraCommand* command, Place* name_place);

}  // namespace gemel

#endif  // GEMEL_CONFIG_CONFIG_COMMANDS_H_
