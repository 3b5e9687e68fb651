// The bytes of clients and nodes go with io_uring or without, and change from one to the other.

#include <gtest/gtest.h>

#include <filesystem>

#include "tests/e2e/cluster.h"
#include "tests/e2e/load.h"

namespace gemel::e2e::io_uring_test {
namespace {

// How many rings the proxy has.
int Rings(pid_t pid) {
  int rings = 0;
  std::error_code gone;
  for (const auto& entry :
       std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/fd", gone)) {
    const auto target = std::filesystem::read_symlink(entry.path(), gone);
    if (target.string().find("[io_uring]") != std::string::npos) ++rings;
  }
  return rings;
}

class IoUring : public testing::TestWithParam<int> {};  // workers
INSTANTIATE_TEST_SUITE_P(Workers, IoUring, testing::Values(1, 2), [](const auto& info) {
  return std::string(info.param == 1 ? "One" : "TwoThreaded");
});

TEST_P(IoUring, ServesWithoutIt) {
  Cluster cluster({.workers = GetParam(), .sections = {{"proxy", "io_uring = false"}}});
  EXPECT_EQ(Rings(cluster.proxy().pid()), 0);
  Load load(cluster.proxy().port(), {.threads = 4, .pipeline = 8});
  EXPECT_TRUE(load.WaitForMore(2000));
  load.Stop();
  load.Verify(cluster.proxy().port());
  cluster.ExpectCopiesEqual();
}

TEST_P(IoUring, ChangesUnderLoad) {
  Cluster cluster({.workers = GetParam()});
  EXPECT_TRUE(cluster.proxy().Logs(" serves "));
  const bool there = cluster.proxy().Log().find("io_uring is not used") == std::string::npos;
  Client client = cluster.Connect();
  Load load(cluster.proxy().port(), {.threads = 4, .pipeline = 8});
  for (int round = 0; round < 10; ++round) {
    const bool on = round % 2 == 1;
    EXPECT_TRUE(load.WaitForMore(300));
    EXPECT_EQ(client("CONFIG", "SET", "proxy.io_uring", on ? "true" : "false"), "OK");
    EXPECT_EQ(Rings(cluster.proxy().pid()), on && there ? GetParam() : 0);
  }
  EXPECT_TRUE(load.WaitForMore(300));
  load.Stop();
  load.Verify(cluster.proxy().port());
  cluster.ExpectCopiesEqual();
}

}  // namespace
}  // namespace gemel::e2e::io_uring_test
