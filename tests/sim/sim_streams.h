// Which runs write streams, too: an XADD is followed by what its reply tells, where MIX is followed
// by the key's state.

#ifndef GEMEL_TESTS_SIM_SIM_STREAMS_H_
#define GEMEL_TESTS_SIM_SIM_STREAMS_H_

#include <cstdint>

#include "tests/sim/sim_loop.h"

namespace gemel::sim {

inline bool WritesStreams(uint64_t seed) { return Loop(seed ^ 0x57ea6).Chance(50); }

}  // namespace gemel::sim

#endif  // GEMEL_TESTS_SIM_SIM_STREAMS_H_
