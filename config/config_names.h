// The options by the names that CONFIG GET and CONFIG SET know, with their values: under Redis's
// names where one exists, and under the file's dotted names.

#ifndef GEMEL_CONFIG_CONFIG_NAMES_H_
#define GEMEL_CONFIG_CONFIG_NAMES_H_

#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"

namespace gemel {

struct ConfigValue {
  std::string name;
  std::string value;
};

// All options with their values in effect. Passwords are not shown.
std::vector<ConfigValue> ConfigValues(const Config& config, const PoolConfig& pool);

// An option that gemel gives a value of its own only to say that it has none: the nodes' is what
// counts.
bool IsNodesOption(std::string_view name);

// The file's dotted name of the option that a command calls `name`: itself, or what Redis's name
// stands for; letters' case does not count. Empty if no option of the file has that name, as with
// Redis's "save" or "port" (which is a part of proxy.listen).
std::string_view FileOption(std::string_view name);

// The value that an option of Redis's is given, in the file's words: Redis's log levels are others.
// Any other value is returned as it is.
std::string_view FileValue(std::string_view redis_name, std::string_view value);

}  // namespace gemel

#endif  // GEMEL_CONFIG_CONFIG_NAMES_H_
