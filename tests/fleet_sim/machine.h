// What of a member of the fleet outlives its processes: its name, its clock, its port.

#ifndef GEMEL_TESTS_FLEET_SIM_MACHINE_H_
#define GEMEL_TESTS_FLEET_SIM_MACHINE_H_

#include <cstdint>
#include <functional>
#include <string>

#include "tests/sim/sim_wire.h"

namespace gemel::fleet_sim {

struct Machine {
  Machine(sim::Loop* loop_in, size_t number_in, double rate_in)
      : number(number_in),
        name("m" + std::to_string(number_in)),
        address("10.8.0." + std::to_string(number_in + 1) + ":7000"),
        rate(rate_in),
        offset_ms(loop_in->Random(1000000)),
        loop(loop_in),
        condition(loop_in),
        wire(loop_in, &condition, [this](const sim::ConnectionPtr& connection) {
          if (on_bytes) on_bytes(connection);
        }) {
    condition.Die();
  }
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  uint64_t ClockMs() const {
    return offset_ms + static_cast<uint64_t>(static_cast<double>(loop->now_us()) * rate / 1000);
  }

  const size_t number;
  const std::string name;
  const std::string address;  // where it takes requests of other members
  const double rate;
  const uint64_t offset_ms;
  sim::Loop* const loop;
  sim::Condition condition;  // of its process
  sim::Wire wire;            // connections that others have made to it
  // Some have come on one of those.
  std::function<void(const sim::ConnectionPtr&)> on_bytes;
};

}  // namespace gemel::fleet_sim

#endif  // GEMEL_TESTS_FLEET_SIM_MACHINE_H_
