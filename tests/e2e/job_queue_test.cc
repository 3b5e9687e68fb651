// A job queue library of npm at its normal work while nodes are killed: no job is lost.

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <string>
#include <thread>

#include "tests/e2e/client_script.h"
#include "tests/e2e/cluster.h"

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

TEST_P(JobQueue, BeeQueueWhileNodesAreKilled) {
  ASSERT_NO_FATAL_FAILURE(UseModule("bee-queue"));
  Cluster cluster({.workers = GetParam(), .sections = {{"health", kImpatientProbes}}});
  Script jobs("node", "bee_queue_client.js", cluster.proxy().port());
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(Seconds());
  for (int round = 0; std::chrono::steady_clock::now() < end; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(700));
    RedisNode& node = cluster.node(round / 2 % 2, round % 2);
    node.Kill();
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    node.Start();
    ASSERT_TRUE(cluster.WaitUntilInSync());
  }
  jobs.ExpectGood();
  cluster.ExpectCopiesEqual();
}

}  // namespace
}  // namespace gemel::e2e::job_queue_test
