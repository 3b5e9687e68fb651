// Job queue libraries of npm at their normal work while nodes are killed: no job is lost.

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <string>
#include <thread>

#include "tests/e2e/client_script.h"
#include "tests/e2e/cluster.h"
#include "tests/e2e/look.h"
#include "tests/e2e/wait.h"

namespace gemel::e2e::job_queue_test {
namespace {

// GEMEL_JOBS_S: for so many seconds.
int Seconds() {
  const char* text = std::getenv("GEMEL_JOBS_S");
  return text == nullptr ? 6 : std::stoi(text);
}

class JobQueue : public testing::TestWithParam<int> {};  // workers
INSTANTIATE_TEST_SUITE_P(Workers, JobQueue, testing::Values(1, 2),
                         [](const auto& info) { return info.param == 1 ? "One" : "TwoThreaded"; });

// One after the other, of each shard its primary and its replica.
void KillNodes(Cluster* cluster, int shards) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(Seconds());
  for (int round = 0; std::chrono::steady_clock::now() < end; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(700));
    RedisNode& node = cluster->node(round / 2 % shards, round % 2);
    const size_t before = cluster->proxy().Log().size();
    node.Kill();
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    node.Start();
    // A busy proxy may not know yet that it was gone.
    ASSERT_TRUE(Eventually([&] {
      return Has(cluster->proxy().Log().substr(before), node.address() + " is stale");
    }));
    ASSERT_TRUE(cluster->WaitUntilInSync());
  }
}

TEST_P(JobQueue, BeeQueueWhileNodesAreKilled) {
  ASSERT_NO_FATAL_FAILURE(UseModule("bee-queue"));
  Cluster cluster({.workers = GetParam(), .sections = {{"health", kImpatientProbes}}});
  Script jobs("node", "bee_queue_client.js", cluster.proxy().port());
  ASSERT_NO_FATAL_FAILURE(KillNodes(&cluster, 2));
  jobs.ExpectGood();
  cluster.ExpectCopiesEqual();
}

// Its scripts make the names of most keys that they write. By its own prefix these are anywhere, so
// there is one shard.
TEST_P(JobQueue, BullMqOnOneShardWhileNodesAreKilled) {
  ASSERT_NO_FATAL_FAILURE(UseModule("bullmq"));
  Cluster cluster({.shards = 1, .workers = GetParam(), .sections = {{"health", kImpatientProbes}}});
  Script jobs("node", "bullmq_client.js", cluster.proxy().port(), {"bull"});
  ASSERT_NO_FATAL_FAILURE(KillNodes(&cluster, 1));
  jobs.ExpectGood();
  cluster.ExpectCopiesEqual();
}

TEST_P(JobQueue, BullMqByAHashTagWhileNodesAreKilled) {
  ASSERT_NO_FATAL_FAILURE(UseModule("bullmq"));
  Cluster cluster({.workers = GetParam(), .sections = {{"health", kImpatientProbes}}});
  Script jobs("node", "bullmq_client.js", cluster.proxy().port(), {"{bull}"});
  ASSERT_NO_FATAL_FAILURE(KillNodes(&cluster, 2));
  jobs.ExpectGood();
  cluster.ExpectCopiesEqual();
}

}  // namespace
}  // namespace gemel::e2e::job_queue_test
