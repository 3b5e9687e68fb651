// Why a command is refused although it is well-formed, before anything is sent.

#ifndef GEMEL_PROXY_SESSION_REFUSAL_H_
#define GEMEL_PROXY_SESSION_REFUSAL_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "backend/command/second_copy.h"
#include "proxy/dispatch/pool.h"

namespace gemel {

inline constexpr std::string_view kCrossSlot =
    "CROSSSLOT Keys in request don't hash to the same slot";

// An allocation of the size of what was asked for has failed.
inline constexpr std::string_view kNoMemory = "ERR there is no memory for this request";

// The shard has copies that this write might change differently.
inline bool RefusedAsWrite(const Pool& pool, SecondCopy second, uint32_t shard) {
  return second == SecondCopy::kNotYet && pool.OfSlot(shard).copies > 1;
}

// The error (without '-') that a session gives to this invocation in place of planning it; empty if
// it plans it. `keys` are those that FindKeys has found in it. For who asks without sending: the
// session itself finds out on its way.
std::string WhyRefused(const Pool& pool, const CommandRow& row,
                       std::span<const std::string_view> args, std::span<const uint32_t> keys);

}  // namespace gemel

#endif  // GEMEL_PROXY_SESSION_REFUSAL_H_
