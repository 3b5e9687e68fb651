// The options of the file by their dotted names, such as "health.timeout_ms", and what kind of
// value each has.

#ifndef GEMEL_CONFIG_CONFIG_OPTIONS_H_
#define GEMEL_CONFIG_CONFIG_OPTIONS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"

namespace gemel {

enum class OptionKind : uint8_t {
  kText,    // a string: a word, a path, a name
  kSecret,  // a string that no message may show
  kFlag,    // true or false
  kNumber,  // an integer
  kSize,    // an integer, or a string with a unit: "64mb"
  kList,    // an array of strings
};

// What CONFIG SET needs for it.
enum class Guard : uint8_t {
  kNone,
  kProtected,  // leave from the file: [proxy] protected_configs
  kFileOnly,   // only the file says it
};

struct OptionInfo {
  std::string name;
  OptionKind kind;
  Guard guard = Guard::kNone;
  std::string value = {};  // as it was when the option was asked for; of a secret nothing
};

// All options of the sections that a file has once (so none of [[shard]] and [[command]]). They are
// those that the reader of the file asks for, in its order. Any thread.
const std::vector<OptionInfo>& KnownOptions();

// The same with the values of that config. Any thread.
std::vector<OptionInfo> OptionsOf(const Config& config);

// The option of that name, or null. Valid for ever.
const OptionInfo* FindOption(std::string_view name);

// Why a client, `local` or not, may not set the option: the end of a sentence; empty if it may.
// `leave` is that of the file in effect. Any thread.
std::string WhyProtected(const OptionInfo& option, ProtectedConfigs leave, bool local);

// The TOML value that stands for one argument of a command: "yes" becomes true, "64mb" a string,
// "a:1 b:2" of a list an array. Nothing and *error, a sentence without the name, if it is none of
// the kind; whether the value is in its range only the reader of the file tells.
std::optional<std::string> TomlValue(OptionKind kind, std::string_view argument,
                                     std::string* error);

}  // namespace gemel

#endif  // GEMEL_CONFIG_CONFIG_OPTIONS_H_
