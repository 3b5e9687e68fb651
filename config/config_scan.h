// A look at a TOML text before it is parsed. Private to config.

#ifndef GEMEL_CONFIG_CONFIG_SCAN_H_
#define GEMEL_CONFIG_CONFIG_SCAN_H_

#include <optional>
#include <string>
#include <string_view>

#include "config/config_mistakes.h"

namespace gemel {

// What toml++ 3.3 must not be given, or what it reports without a place.
struct Unsafe {
  Place place;
  std::string message;
};

// The first of these in `text`, or nothing:
// - A byte that is not UTF-8: toml++ names the place of another.
// - Keys or brackets that nest deep: toml++ bounds the nesting of values but not of a key's parts,
//   and frees its tree by recursion, so that a long key overflows the stack.
// - A non-ASCII character where toml++ looks for white space (outside strings and comments, where
//   TOML allows none, and after a backslash): its test for white space is undefined for many.
std::optional<Unsafe> FindUnsafe(std::string_view text);

}  // namespace gemel

#endif  // GEMEL_CONFIG_CONFIG_SCAN_H_
