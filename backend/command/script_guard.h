// A client's script or library of functions, made so that it can change no keys but those that are
// declared to it: only those are copied to the other copies when one copy has run it.

#ifndef GEMEL_BACKEND_COMMAND_SCRIPT_GUARD_H_
#define GEMEL_BACKEND_COMMAND_SCRIPT_GUARD_H_

#include <span>
#include <string>
#include <string_view>

namespace gemel {

// EVAL script numkeys ...: the same with the guard in front of the script's first line (the second,
// if the first is a "#!"), so that its line numbers stay. With no key it can change nothing. It
// needs a server in whose Lua no other way leads to redis.call: CanConfine.
std::string ConfineScript(std::span<const std::string_view> args);

// Is that script of EVAL guarded so?
bool IsConfined(std::string_view script);

// The code of FUNCTION LOAD, likewise: each function that it registers can change no keys but those
// that it is called with. It must be code that a server loads as it is.
std::string ConfineLibrary(std::string_view code);

// Redis 7.0 or later, by the version of its DUMP.
inline bool CanConfine(int dump_version) { return dump_version >= 10; }
inline constexpr std::string_view kCannotConfine =
    "ERR scripts are not supported by gemel on a shard of several copies whose nodes are older "
    "than "
    "Redis 7.0: what they change could not be told";

}  // namespace gemel

#endif  // GEMEL_BACKEND_COMMAND_SCRIPT_GUARD_H_
