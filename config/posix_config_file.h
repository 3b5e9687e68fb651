// Reads the config's file.

#ifndef GEMEL_CONFIG_POSIX_CONFIG_FILE_H_
#define GEMEL_CONFIG_POSIX_CONFIG_FILE_H_

#include <optional>
#include <string>

#include "config/config_load.h"

namespace gemel {

// The file's text as it stands, or nothing and *error filled: it cannot be read, or is far too
// large for a config.
std::optional<std::string> ReadConfigFile(const std::string& path, ConfigError* error);

// The config, which was read from its file, has a password in clear, and the file may be read by
// everybody on the machine: what is wrong then, unless the config allows it. (Its group may: that
// is how a service reads a file that root owns.)
std::optional<ConfigError> CheckSecretFile(const Config& config);

// ReadConfigFile, and reads and checks the text (LoadConfigText).
std::optional<Config> LoadConfigFile(const std::string& path, ConfigError* error);

}  // namespace gemel

#endif  // GEMEL_CONFIG_POSIX_CONFIG_FILE_H_
