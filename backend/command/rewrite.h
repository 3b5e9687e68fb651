// What the other copies are sent where the first one's reply tells what came of a write: a function
// each, named in the row (CommandRow::rewrite), as Redis's own replication rewrites such commands.

#ifndef GEMEL_BACKEND_COMMAND_REWRITE_H_
#define GEMEL_BACKEND_COMMAND_REWRITE_H_

#include <span>
#include <string>
#include <string_view>

namespace gemel {

// SPOP key [count]: SREM of what was popped.
bool RewriteSpop(std::span<const std::string_view> args, std::string_view reply,
                 std::string* frame);

}  // namespace gemel

#endif  // GEMEL_BACKEND_COMMAND_REWRITE_H_
