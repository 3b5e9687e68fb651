// Patterns such as those of CONFIG GET.

#ifndef GEMEL_PROXY_LOCAL_GLOB_H_
#define GEMEL_PROXY_LOCAL_GLOB_H_

#include <string_view>

namespace gemel {

// Redis's glob: * ? [a-c] [^a] and \ , letters' case ignored. Bounded work for any pattern.
bool GlobMatches(std::string_view pattern, std::string_view text);

}  // namespace gemel

#endif  // GEMEL_PROXY_LOCAL_GLOB_H_
