// What became of a probe, which travels outside the data path.

#ifndef GEMEL_BACKEND_HEALTH_PROBE_OUTCOME_H_
#define GEMEL_BACKEND_HEALTH_PROBE_OUTCOME_H_

#include <cstdint>

namespace gemel {

enum class ProbeOutcome : uint8_t {
  kSent,
  kAnswer,
  kBusy,     // the answer is that it runs a script for longer than it should
  kTimeout,  // no answer in time: it is still waited for
  kHardError,
  kVoid,  // this process could not probe
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_HEALTH_PROBE_OUTCOME_H_
