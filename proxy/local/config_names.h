// The options that CONFIG GET shows: under Redis's names where one exists, and under the file's
// dotted names.

#ifndef GEMEL_PROXY_LOCAL_CONFIG_NAMES_H_
#define GEMEL_PROXY_LOCAL_CONFIG_NAMES_H_

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

// Redis's glob: * ? [a-c] [^a] and \ , letters' case ignored. Bounded work for any pattern.
bool GlobMatches(std::string_view pattern, std::string_view text);

}  // namespace gemel

#endif  // GEMEL_PROXY_LOCAL_CONFIG_NAMES_H_
