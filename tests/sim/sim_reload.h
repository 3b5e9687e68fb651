// The reload that is under way in a simulated proxy.

#ifndef GEMEL_TESTS_SIM_SIM_RELOAD_H_
#define GEMEL_TESTS_SIM_SIM_RELOAD_H_

#include <functional>
#include <memory>
#include <string>

#include "tests/sim/sim_proxy.h"

namespace gemel::sim {

struct SimProxy::Job {
  ProxyOptions next;
  bool force = false;
  std::function<void(const std::string&)> done;
  std::shared_ptr<const RingHistory> rings;  // null: they are what they were
};

}  // namespace gemel::sim

#endif  // GEMEL_TESTS_SIM_SIM_RELOAD_H_
