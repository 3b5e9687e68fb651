// What passes between a session that waits for what a key will have (blocked_clients.h) and the
// owner of the shard.

#ifndef GEMEL_BACKEND_SHARD_BLOCKED_CARGO_H_
#define GEMEL_BACKEND_SHARD_BLOCKED_CARGO_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "backend/command/blocking.h"
#include "backend/shard/request.h"

namespace gemel {

// Between a session that waits and the owner of the shard.
struct BlockTicket {
  void* waiter = nullptr;  // the owner's own
};

// Of a request of kind kBlocking.
struct BlockingCargo : RequestCargo {
  std::shared_ptr<BlockTicket> ticket;
  uint64_t timeout_ms = 0;  // 0: for ever
};

// Of one of kind kUnblock. Answered at once.
struct UnblockCargo : RequestCargo {
  // kHandedOver: another process will carry it out again.
  enum class Why : uint8_t { kTimeout, kError, kGone, kStopping, kHandedOver };
  std::shared_ptr<BlockTicket> ticket;
  Why why = Why::kTimeout;
};

// What who waited is told: nothing came, the client is gone, and so on.
inline constexpr std::string_view kBlockedForNothing = "_\r\n";
inline constexpr std::string_view kBlockedIsGone = "-ERR the client is gone\r\n";
inline constexpr std::string_view kBlockedHandedOver = "-ERR the wait is handed over\r\n";
std::string_view UnblockedText(UnblockCargo::Why why);

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_BLOCKED_CARGO_H_
