// A command of a user who has a key space of its own ([[user]] prefix), in words for the nodes: the
// keys with the prefix, and patterns of keys.

#ifndef GEMEL_BACKEND_SPACES_SPACE_ARGS_H_
#define GEMEL_BACKEND_SPACES_SPACE_ARGS_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backend/command/command_table.h"

namespace gemel {

// What becomes of the row's commands, whatever their arguments are. A script could make up names,
// so that it is refused, as is what Redis calls @admin, unless it is about keys that it names.
SpaceRule SpaceRuleOf(const CommandRow& row);

// Why such a user may not have the command at all, an error without "-"; empty: it may.
std::string RefusalInSpace(const CommandRow& row);

// Sets *frame to the command with the prefix in it. `args` fit the row's arity; `keys` is scratch.
// Empty; or why it cannot be said so. Where the keys are malformed the frame is as it was: such a
// command goes to no shard.
std::string IntoSpace(const CommandRow& row, std::span<const std::string_view> args,
                      std::string_view prefix, std::vector<uint32_t>* keys, std::string* frame);

// Of args that are in the space already: the keys and channels as its client calls them, in `args`
// themselves. `room` is where what is new lies.
void OutOfSpace(const CommandRow& row, std::string_view prefix, std::vector<uint32_t>* keys,
                std::vector<std::string_view>* args, std::vector<std::string>* room);

}  // namespace gemel

#endif  // GEMEL_BACKEND_SPACES_SPACE_ARGS_H_
