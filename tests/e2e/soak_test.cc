// Random faults of one node after the other under load, for a while, and the proxy killed in the
// middle of it; its memory and its open files stay what they are. scripts/faults --soak does it
// for longer, with more kinds of faults.

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "tests/e2e/cluster.h"
#include "tests/e2e/load.h"
#include "tests/e2e/raw_socket.h"

namespace gemel::e2e::soak_test {
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
        // NOREPLICAS. Not OOM: the least maxmemory of the copies is the shard's, so that its
        // clients may see it.
        node.Connect()("CONFIG", "SET", "min-replicas-to-write", "1");
        Pause(300);
        node.Connect()("CONFIG", "SET", "min-replicas-to-write", "0");
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

// What the proxy takes of the machine while all is well, again and again.
class Resources {
 public:
  void Sample(const ProxyProcess& proxy) {
    resident_.push_back(proxy.ResidentBytes());
    const auto folder = "/proc/" + std::to_string(proxy.pid()) + "/fd";
    files_.push_back(
        static_cast<size_t>(std::distance(std::filesystem::directory_iterator(folder), {})));
  }
  void ExpectFlat() const {
    // A sanitizer keeps what is freed for a while.
    const size_t slack = ProxySanitizer() == Sanitizer::kNone ? 16u << 20 : 400u << 20;
    ExpectFlat("resident bytes", resident_, slack);
    // The load's connections, which come back, and those to nodes that were just made anew.
    ExpectFlat("open files", files_, 16);
  }

 private:
  static void ExpectFlat(const char* what, const std::vector<size_t>& values, size_t slack) {
    if (values.size() < 4) return;  // a machine that is as slow as this says nothing
    const auto middle = values.begin() + static_cast<ptrdiff_t>(values.size() / 2);
    const size_t first = *std::max_element(values.begin(), middle);
    const size_t second = *std::max_element(middle, values.end());
    EXPECT_LE(second, first + slack)
        << what << " grow: at most " << first << " in the first half of the run";
  }

  std::vector<size_t> resident_;
  std::vector<size_t> files_;
};

// Writes that nobody waits for are under way when the proxy is killed; it comes back.
void KillProxy(Cluster* cluster) {
  RawSocket socket(cluster->proxy().port());
  std::string burst;
  for (int i = 0; i < 5000; ++i) {
    burst += Encode({"RPUSH", "burst:" + std::to_string(i % 50), std::to_string(i)});
  }
  socket.Send(burst);
  cluster->proxy().Kill();
  cluster->proxy().Restart();
}

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
  for (int life = 0; life < 2; ++life) {
    Resources resources;
    Load load(cluster.proxy().port(), {.threads = 4, .pipeline = 4});
    const auto end = std::chrono::steady_clock::now() + length / 2;
    do {
      const int shard = static_cast<int>(faults.Below(2));
      const int copy = static_cast<int>(faults.Below(2));
      history += "\n  shard " + std::to_string(shard) + ", copy " + std::to_string(copy) + ": ";
      history += faults.Strike(cluster.node(shard, copy));
      ASSERT_TRUE(load.WaitForMore(200)) << history;
      ASSERT_TRUE(cluster.WaitUntilInSync()) << history << cluster.Connect()("PROXY", "SHARDS");
      resources.Sample(cluster.proxy());
    } while (std::chrono::steady_clock::now() < end);
    load.Stop();
    SCOPED_TRACE(history);
    resources.ExpectFlat();
    if (life == 0) KillProxy(&cluster);
    load.Verify(cluster.proxy().port());
    cluster.ExpectCopiesEqual();
    EXPECT_EQ(cluster.Connect()("FLUSHALL"), "OK");  // the next load begins with nothing
  }
}

}  // namespace
}  // namespace gemel::e2e::soak_test
