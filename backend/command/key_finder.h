// Finds the keys among a command's arguments, by its row.

#ifndef GEMEL_BACKEND_COMMAND_KEY_FINDER_H_
#define GEMEL_BACKEND_COMMAND_KEY_FINDER_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backend/command/command_table.h"

namespace gemel {

// Sets *keys to the indexes in `args` of the command's keys, in argument order (as COMMAND GETKEYS
// gives them). Returns false where the arguments are malformed (numkeys not a number, negative or
// past the end; STREAMS with an odd rest; ...): such a command goes to no shard, and *keys is
// empty. An empty result with true means a legal command without keys. Allocates nothing once *keys
// is warm.
bool FindKeys(const CommandRow& row, std::span<const std::string_view> args,
              std::vector<uint32_t>* keys);

// The error for a command of which FindKeys said false: Redis's own sentence or close to it.
std::string MalformedKeysError(const CommandRow& row, std::span<const std::string_view> args);

}  // namespace gemel

#endif  // GEMEL_BACKEND_COMMAND_KEY_FINDER_H_
