// The simulator's coordinator keeps to what any has to.

#include "tests/sim/sim_coordinator.h"

#include "tests/coordinator_conformance.h"

namespace gemel::sim {
namespace {

struct SimHarness {
  void Make(const Topology& initial) {
    service_ =
        std::make_unique<SimCoordinator>(&loop_, &disk_, std::make_shared<const Topology>(initial));
  }
  CoordinatorService* service() { return service_.get(); }
  CoordinatorService::PostBack Post() {
    return [this](std::function<void()> task) { loop_.After(0, std::move(task)); };
  }
  bool TurnUntil(const std::function<bool()>& condition) {
    for (int i = 0; i < 100000 && !condition(); ++i) loop_.RunUntil(loop_.now_us() + 10);
    return condition();
  }
  void End() { service_.reset(); }
  std::optional<Topology> Kept() { return disk_.durable; }
  void set_broken(bool broken) { disk_.full = broken; }

 private:
  Loop loop_{1};
  Disk disk_;
  std::unique_ptr<SimCoordinator> service_;
};

}  // namespace
}  // namespace gemel::sim

namespace gemel::conformance {
INSTANTIATE_TYPED_TEST_SUITE_P(Simulated, CoordinatorConformance, sim::SimHarness);
}  // namespace gemel::conformance
