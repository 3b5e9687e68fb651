// A client's script, made so that it can change no keys but those that it declares: only those are
// copied to the other copies when one copy has run it.

#ifndef GEMEL_BACKEND_COMMAND_SCRIPT_GUARD_H_
#define GEMEL_BACKEND_COMMAND_SCRIPT_GUARD_H_

#include <span>
#include <string>
#include <string_view>

namespace gemel {

// EVAL script numkeys ...: the same with the guard in front of the script's first line (the second,
// if the first is a "#!"), so that its line numbers stay. It needs a server of Redis 7.0 or later,
// in whose Lua no other way leads to redis.call.
std::string ConfineScript(std::span<const std::string_view> args);

}  // namespace gemel

#endif  // GEMEL_BACKEND_COMMAND_SCRIPT_GUARD_H_
