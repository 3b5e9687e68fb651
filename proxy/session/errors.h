// Sentences that sessions and gatherers give to a client.

#ifndef GEMEL_PROXY_SESSION_ERRORS_H_
#define GEMEL_PROXY_SESSION_ERRORS_H_

#include <string_view>

namespace gemel {

inline constexpr std::string_view kCrossSlot =
    "CROSSSLOT Keys in request don't hash to the same slot";

// An allocation of the size of what was asked for has failed.
inline constexpr std::string_view kNoMemory = "ERR there is no memory for this request";

inline constexpr std::string_view kUserIsFull =
    "ERR max number of clients reached for this user ([[user]] max_clients)";

}  // namespace gemel

#endif  // GEMEL_PROXY_SESSION_ERRORS_H_
