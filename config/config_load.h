// Reads a Config from TOML (with toml++) and says exactly where a bad file is wrong.

#ifndef GEMEL_CONFIG_CONFIG_LOAD_H_
#define GEMEL_CONFIG_CONFIG_LOAD_H_

#include <optional>
#include <string>
#include <string_view>

#include "config/config.h"

namespace gemel {

// One mistake in a file. Lines and columns count from 1; 0 means that the place is the whole file.
struct ConfigError {
  std::string file;
  uint32_t line = 0;
  uint32_t column = 0;
  std::string message;  // one sentence: what is wrong and what was expected

  // "FILE:LINE:COLUMN: message", or "FILE: message" where there is no line.
  std::string ToString() const;
};

// A larger text is none of a config.
inline constexpr size_t kMaxConfigBytes = size_t{16} << 20;
// The message of that mistake.
std::string ConfigTooLarge();

// Reads and checks the text of a file; `file` names it in messages and gives the folder for
// relative paths. Returns the config, or nothing and *error filled. Does no I/O: resolves no names
// and binds nothing (see the proxy's config check).
std::optional<Config> LoadConfigText(std::string_view text, const std::string& file,
                                     ConfigError* error);

}  // namespace gemel

#endif  // GEMEL_CONFIG_CONFIG_LOAD_H_
