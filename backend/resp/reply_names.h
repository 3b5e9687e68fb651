// Takes a prefix off the names of keys in a reply, for who knows the keys without it.

#ifndef GEMEL_BACKEND_RESP_REPLY_NAMES_H_
#define GEMEL_BACKEND_RESP_REPLY_NAMES_H_

#include <cstdint>
#include <string>
#include <string_view>

namespace gemel {

// Where in a reply keys are named.
enum class ReplyNames : uint8_t {
  kNone,
  kInError,   // nowhere but in NOGROUP errors, as of all that follow
  kElements,  // each element: KEYS
  kLastList,  // the elements of its last element: SCAN
  kFirst,     // the first element: BLPOP
  kMapKeys,   // a map's names, or the first of each pair: XREAD
};

// Appends `reply`, one whole valid frame of RESP2 or RESP3, with the prefix taken off. Of lists
// those are left out that do not begin with it; what else does not stays as it is.
void AppendWithoutPrefix(std::string_view reply, ReplyNames names, std::string_view prefix,
                         std::string* out);

}  // namespace gemel

#endif  // GEMEL_BACKEND_RESP_REPLY_NAMES_H_
