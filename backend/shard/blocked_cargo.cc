#include "backend/shard/blocked_cargo.h"

namespace gemel {

namespace {

const std::string kByClient = "-" + std::string(kUnblockedByClient) + "\r\n";

}  // namespace

std::string_view UnblockedText(UnblockCargo::Why why) {
  switch (why) {
    case UnblockCargo::Why::kTimeout:
      return kBlockedForNothing;
    case UnblockCargo::Why::kError:
      return kByClient;
    case UnblockCargo::Why::kStopping:
      return "-UNBLOCKED force unblock from blocking operation: gemel is being stopped\r\n";
    case UnblockCargo::Why::kHandedOver:
      return kBlockedHandedOver;
    case UnblockCargo::Why::kGone:
      break;
  }
  return kBlockedIsGone;
}

}  // namespace gemel
