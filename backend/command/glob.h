// Patterns such as those of CONFIG GET and PSUBSCRIBE.

#ifndef GEMEL_BACKEND_COMMAND_GLOB_H_
#define GEMEL_BACKEND_COMMAND_GLOB_H_

#include <string_view>

namespace gemel {

// Redis's glob: * ? [a-c] [^a] and \ , letters' case ignored. Bounded work for any pattern.
bool GlobMatches(std::string_view pattern, std::string_view text);
// The same with letters' case, as of channels.
bool GlobMatchesExactly(std::string_view pattern, std::string_view text);

}  // namespace gemel

#endif  // GEMEL_BACKEND_COMMAND_GLOB_H_
