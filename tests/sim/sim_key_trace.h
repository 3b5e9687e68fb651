// What nodes do with the key that SIM_KEY names, told line by line.

#ifndef GEMEL_TESTS_SIM_SIM_KEY_TRACE_H_
#define GEMEL_TESTS_SIM_SIM_KEY_TRACE_H_

#include <string>
#include <vector>

#include "tests/sim/sim_loop.h"

namespace gemel::sim {

// `node`: its address.
void TraceKey(const Loop& loop, const std::string& node, const std::vector<std::string>& args,
              const std::string& reply);

}  // namespace gemel::sim

#endif  // GEMEL_TESTS_SIM_SIM_KEY_TRACE_H_
