// Random faults of one node after the other under load, for a while. scripts/faults --soak does it
// for longer, with more kinds of faults, and looks at memory.

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <random>
#include <string>
#include <thread>

#include "tests/e2e/cluster.h"
#include "tests/e2e/load.h"

namespace gemel::e2e {
namespace {

unsigned NumberFromEnvironment(const char* name, unsigned otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : static_cast<unsigned>(std::stoul(text));
}

class Faults {
 public:
  explicit Faults(unsigned seed) : random_(seed) {}

  // What happens to the node is over when this returns; it is healthy then, or heals. Returns what
  // it was.
  std::string Strike(RedisNode& node) {
    switch (Below(6)) {
      case 0:
        node.Kill();
        Pause(1000);
        node.Start();
        return "killed, restarted later";
      case 1:
        node.Kill();
        node.Start();
        return "killed, restarted at once";
      case 2:
        node.Pause();
        Pause(2000);
        node.Resume();
        return "hung";
      case 3:
        node.Pause();
        Pause(50);
        node.Resume();
        return "hung for a moment";
      case 4:
        for (unsigned i = Below(3) + 1; i > 0; --i) {
          node.Connect()("CLIENT", "KILL", "TYPE", "normal");
          Pause(100);
        }
        return "lost its connections";
      default:
        node.Connect()("CONFIG", "SET", "maxmemory", "1");
        Pause(300);
        node.Connect()("CONFIG", "SET", "maxmemory", "0");
        return "refused writes";
    }
  }

  unsigned Below(unsigned bound) { return static_cast<unsigned>(random_()) % bound; }

 private:
  // Up to so long: the length of a fault, nothing is waited for.
  void Pause(unsigned most_ms) {
    std::this_thread::sleep_for(std::chrono::milliseconds(Below(most_ms)));
  }

  std::mt19937 random_;
};

// GEMEL_SOAK_SECONDS: how long (20); GEMEL_SOAK_SEED: as in a failure that is to be seen again.
TEST(Soak, RandomFaultsThreaded) {
  const std::chrono::seconds length(NumberFromEnvironment("GEMEL_SOAK_SECONDS", 20));
  const unsigned seed = NumberFromEnvironment("GEMEL_SOAK_SEED", std::random_device{}());
  std::string history = "seed " + std::to_string(seed) + ":";
  Faults faults(seed);
  Cluster cluster({.shards = 2,
                   .workers = 2,
                   .sections = {{"health", kImpatientProbes},
                                {"timeouts", "request_ms = 30000\nreconnect_max_ms = 100"}}});
  Load load(cluster.proxy().port(), {.threads = 4, .pipeline = 4});
  const auto end = std::chrono::steady_clock::now() + length;
  do {
    const int shard = static_cast<int>(faults.Below(2));
    const int copy = static_cast<int>(faults.Below(2));
    history += "\n  shard " + std::to_string(shard) + ", copy " + std::to_string(copy) + ": ";
    history += faults.Strike(cluster.node(shard, copy));
    ASSERT_TRUE(load.WaitForMore(200)) << history;
    ASSERT_TRUE(cluster.WaitUntilInSync()) << history << cluster.Connect()("PROXY", "SHARDS");
  } while (std::chrono::steady_clock::now() < end);
  load.Stop();
  SCOPED_TRACE(history);
  load.Verify(cluster.proxy().port());
  cluster.ExpectCopiesEqual();
}

}  // namespace
}  // namespace gemel::e2e
