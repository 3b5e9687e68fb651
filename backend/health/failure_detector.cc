#include "backend/health/failure_detector.h"

#include <algorithm>
#include <limits>

namespace gemel {

std::string_view NodeHealthName(NodeHealth health) {
  switch (health) {
    case NodeHealth::kUnknown:
      return "unknown";
    case NodeHealth::kUp:
      return "up";
    case NodeHealth::kSuspect:
      return "suspect";
    case NodeHealth::kDown:
      return "down";
  }
  return "?";
}

FailureDetector::FailureDetector(uint32_t failures) : threshold_(std::max(failures, 1U)) {}

NodeHealth FailureDetector::OnAnswer(uint64_t now_ms) {
  failures_in_row_ = 0;
  return Set(NodeHealth::kUp, now_ms);
}

NodeHealth FailureDetector::OnTimeout(uint64_t now_ms) {
  CountFailure();
  // Only an answer brings a node up again, so a node that is down is never merely suspect.
  const bool down = health_ == NodeHealth::kDown || failures_in_row_ >= threshold_;
  return Set(down ? NodeHealth::kDown : NodeHealth::kSuspect, now_ms);
}

NodeHealth FailureDetector::OnBusy(uint64_t now_ms) {
  return Set(health_ == NodeHealth::kDown ? NodeHealth::kDown : NodeHealth::kSuspect, now_ms);
}

NodeHealth FailureDetector::OnHardError(uint64_t now_ms) {
  CountFailure();
  return Set(NodeHealth::kDown, now_ms);
}

NodeHealth FailureDetector::OnHang(uint64_t now_ms) { return OnHardError(now_ms); }

void FailureDetector::CountFailure() {
  if (failures_in_row_ < std::numeric_limits<uint32_t>::max()) ++failures_in_row_;
}

NodeHealth FailureDetector::Set(NodeHealth health, uint64_t now_ms) {
  if (health != health_) {
    health_ = health;
    since_ms_ = now_ms;
  }
  return health_;
}

}  // namespace gemel
