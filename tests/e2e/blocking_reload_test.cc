// Clients that wait while the config changes.

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/e2e/reload_world.h"
#include "tests/e2e/wait.h"

namespace gemel::e2e::blocking_reload_test {
namespace {

// Workers.
class BlockingReload : public ::testing::TestWithParam<int> {};

// Who waits for a key that a change of the config gives to another shard is told, as by a Redis
// Cluster; who waits for another goes on waiting.
TEST_P(BlockingReload, AReloadThatMovesTheKey) {
  constexpr int kKeys = 60;
  ReloadWorld world({.workers = GetParam()});
  Client act = world.Connect();
  const auto waiting = [&] {
    int count = 0;
    for (const Reply& shard : act("PROXY", "SHARDS").items) {
      count += std::stoi(shard.Field("blocked_clients").Text().substr(1));
    }
    return count;
  };
  std::vector<std::unique_ptr<Client>> clients;
  std::vector<std::string> owners;
  for (int i = 0; i < kKeys; ++i) {
    const std::string key = "q" + std::to_string(i);
    owners.push_back(world.Owner(key));
    clients.push_back(std::make_unique<Client>(world.port()));
    clients.back()->Append({"BLPOP", key, "0"});
    clients.back()->Flush();
  }
  ASSERT_TRUE(Eventually([&] { return waiting() == kKeys; }));
  world.file().options["timeouts"]["request_ms"] = "4000";  // nobody's owner changes
  world.ReloadAndSettle();
  EXPECT_EQ(waiting(), kKeys);
  world.file().shards.push_back({"c", {world.NewNode(), world.NewNode()}});
  world.ReloadAndSettle();
  int moved = 0;
  for (int i = 0; i < kKeys; ++i) {
    moved += world.Owner("q" + std::to_string(i)) != owners[static_cast<size_t>(i)] ? 1 : 0;
  }
  EXPECT_GT(moved, 0);
  EXPECT_LT(moved, kKeys);
  EXPECT_TRUE(Eventually([&] { return waiting() == kKeys - moved; })) << waiting();
  for (int i = 0; i < kKeys; ++i) {
    const std::string key = "q" + std::to_string(i);
    const bool moves = world.Owner(key) != owners[static_cast<size_t>(i)];
    EXPECT_EQ(act("RPUSH", key, "v"), ":1");
    const std::string told = clients[static_cast<size_t>(i)]->Read().Text();
    if (moves) {
      EXPECT_TRUE(told.starts_with("-UNBLOCKED ")) << told;
    } else {
      EXPECT_EQ(told, "[" + key + " v]");
    }
    EXPECT_EQ(act("LLEN", key), moves ? ":1" : ":0");
  }
  world.ExpectCopiesEqual();
}

INSTANTIATE_TEST_SUITE_P(Workers, BlockingReload, ::testing::Values(1, 2),
                         [](const auto& info) { return info.param == 1 ? "One" : "TwoThreaded"; });

}  // namespace
}  // namespace gemel::e2e::blocking_reload_test
