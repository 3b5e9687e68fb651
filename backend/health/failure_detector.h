// Is a node up? A pure function of what was seen and when.
//
// Hard evidence (refused, reset, unreachable; a hang with requests waiting) counts at once. Soft
// evidence (a probe without an answer in time) must come `failures` times in a row. An answer
// clears both, and nothing else does: a node that is down stays so until it answers.

#ifndef GEMEL_BACKEND_HEALTH_FAILURE_DETECTOR_H_
#define GEMEL_BACKEND_HEALTH_FAILURE_DETECTOR_H_

#include <cstdint>
#include <string_view>

namespace gemel {

enum class NodeHealth : uint8_t {
  kUnknown,  // nothing seen yet
  kUp,
  kSuspect,  // some probes failed, not enough of them
  kDown,
};

std::string_view NodeHealthName(NodeHealth health);

class FailureDetector {
 public:
  // `failures` is at least 1.
  explicit FailureDetector(uint32_t failures);
  void set_failures(uint32_t failures) { threshold_ = failures; }

  // Each returns the health after it. Times are milliseconds of the running clock.
  NodeHealth OnAnswer(uint64_t now_ms);   // an answer to a probe, whatever it says
  NodeHealth OnTimeout(uint64_t now_ms);  // a probe was not answered in time
  NodeHealth OnBusy(uint64_t now_ms);     // the same, and it may be busy: no evidence, worth a look
  NodeHealth OnHardError(uint64_t now_ms);  // refused, reset, no route
  NodeHealth OnHang(uint64_t now_ms);       // as hang_detector.h judged

  NodeHealth health() const { return health_; }
  uint32_t failures_in_row() const { return failures_in_row_; }  // soft and hard ones
  uint64_t since_ms() const { return since_ms_; }  // when health last changed; 0 while unknown

 private:
  void CountFailure();
  NodeHealth Set(NodeHealth health, uint64_t now_ms);
  uint32_t threshold_;
  uint32_t failures_in_row_ = 0;
  NodeHealth health_ = NodeHealth::kUnknown;
  uint64_t since_ms_ = 0;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_HEALTH_FAILURE_DETECTOR_H_
