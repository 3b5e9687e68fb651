// Hostile clients beside polite ones, for a while: the polite ones notice nothing but that there is
// more to do. scripts/faults --soak --hostile does it for longer, with more kinds, and also judges
// how long the polite ones wait.

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <random>
#include <string>
#include <thread>

#include "tests/e2e/asan_option.h"
#include "tests/e2e/cluster.h"
#include "tests/e2e/hostile_clients.h"
#include "tests/e2e/load.h"

namespace gemel::e2e::hostile_soak_test {
namespace {

unsigned NumberFromEnvironment(const char* name, unsigned otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : static_cast<unsigned>(std::stoul(text));
}

// What may be resident: [limits] buffered, and what everything else takes. A sanitizer keeps what
// is freed for a while.
constexpr uint64_t kBuffered = 64u << 20;
uint64_t MostBeside() {
  return ProxySanitizer() == Sanitizer::kNone ? uint64_t{64} << 20 : uint64_t{700} << 20;
}

// What the polite clients get done in some time: with a sanitizer the proxy is many times slower.
int Some() { return ProxySanitizer() == Sanitizer::kNone ? 500 : 50; }

// Where a sanitizer makes the proxy take all of the cores, a node may have none for half a second.
std::string Health() {
  if (ProxySanitizer() == Sanitizer::kNone) return "interval_ms = 500";
  return "interval_ms = 500\ntimeout_ms = 5000\nmin_timeout_ms = 5000";
}

// GEMEL_SOAK_SECONDS: how long (14); GEMEL_SOAK_SEED: as in a failure that is to be seen again.
TEST(Soak, HostileClientsBesidePoliteOnesThreaded) {
  const std::chrono::seconds length(NumberFromEnvironment("GEMEL_SOAK_SECONDS", 14));
  const unsigned seed = NumberFromEnvironment("GEMEL_SOAK_SEED", std::random_device{}());
  SCOPED_TRACE("seed " + std::to_string(seed));
  const AsanOption keep_little("quarantine_size_mb=32");
  Cluster cluster(
      {.shards = 2,
       .workers = 2,
       .sections = {{"limits", "buffered = \"64mb\"\nclient_output = \"4mb\""},
                    {"health", Health()}},
       .redis_options = {"--client-output-buffer-limit", "normal 256mb 128mb 60",
                         "--maxmemory-clients", "100mb", "--proto-max-bulk-len", "1mb"}});
  const uint16_t port = cluster.proxy().port();
  HostileClients::Fill(port);
  Load load(port, {.threads = 4, .pipeline = 4});
  ASSERT_TRUE(load.WaitForMore(500));
  uint64_t highest = 0;
  {
    HostileClients hostile(port, seed);
    const auto end = std::chrono::steady_clock::now() + length;
    while (std::chrono::steady_clock::now() < end && cluster.proxy().running()) {
      highest = std::max(highest, cluster.proxy().ResidentBytes());
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    // With a sanitizer the proxy may be too slow to serve all of them beside the polite ones.
    if (ProxySanitizer() == Sanitizer::kNone) {
      EXPECT_TRUE(Eventually([&] { return hostile.Unseen().empty(); }, 3 * kPatience))
          << hostile.Unseen();
    }
    EXPECT_TRUE(load.WaitForMore(Some(), 3 * kPatience));
  }
  EXPECT_TRUE(load.WaitForMore(Some(), 3 * kPatience));
  EXPECT_LE(highest, kBuffered + MostBeside());
  load.Stop();
  load.Verify(port);
  EXPECT_EQ(cluster.Connect()("GET", "hostile:http"), "(nil)");
  for (const ShardStatus& shard : cluster.Status()) {
    EXPECT_EQ(shard.primary, shard.config_primary) << "a promotion without a death";
  }
  cluster.ExpectCopiesEqual();
}

}  // namespace
}  // namespace gemel::e2e::hostile_soak_test
