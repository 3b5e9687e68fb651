// Which ring was in effect when, and when a key may have been forgotten because of a change: told
// apart from the code under test, by looking every key up in every ring.

#ifndef GEMEL_TESTS_SIM_SIM_RING_LOG_H_
#define GEMEL_TESTS_SIM_SIM_RING_LOG_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "backend/topology/topology.h"
#include "tests/sim/sim_history.h"

namespace gemel::sim {

class RingLog {
 public:
  // Requests are routed by this ring from now on.
  void OnRouted(const RingSpec& ring, uint64_t now_us);
  // A proxy begins: what it remembered of keys that were asked for is gone.
  void OnStart(const Topology& durable, uint64_t now_us);
  // The durable state changed. A shard that is unswept again looks at all its keys again.
  void OnDurable(const Topology& durable, uint64_t now_us);

  KeyResets Of(const std::string& key) const;
  // By the last ring.
  std::string Owner(const std::string& key) const;
  // How often another ring took the place of one.
  uint64_t changes() const;

 private:
  struct Made {
    explicit Made(const RingSpec& from) : spec(from), ring(MakeRing(from)) {}
    const std::string& Owner(const std::string& key) const;
    RingSpec spec;
    Ring ring;
  };
  struct Doubt {
    uint64_t from_us;
    uint64_t to_us;
    std::vector<Made> kept;  // the rings that are remembered then
  };
  void AddDoubt(const Topology& durable, uint64_t from_us, uint64_t to_us);

  std::vector<std::pair<uint64_t, Made>> routed_;
  std::vector<Doubt> doubts_;
  std::vector<std::pair<std::string, uint64_t>> swept_;  // of each shard
};

}  // namespace gemel::sim

#endif  // GEMEL_TESTS_SIM_SIM_RING_LOG_H_
