// Keys that a change of the ring gives to another shard: a client may miss them, but it never sees
// what they were before, whatever happens until the old copies are deleted.

#include <gtest/gtest.h>

#include <set>

#include "tests/e2e/moving_load.h"
#include "tests/e2e/reload_world.h"

namespace gemel::e2e::reload_forget_test {
namespace {

class ReloadForget : public testing::TestWithParam<int> {  // workers
 protected:
  ReloadForget() : world_({.workers = GetParam()}) {}
  ConfigFile& file() { return world_.file(); }
  // Whether a shard still deletes what moved away.
  bool Sweeps() const {
    for (const Reply& shard : world_.Connect()("PROXY", "SHARDS").items) {
      if (!shard.Field("sweep").bytes.empty()) return true;
    }
    return false;
  }
  void KillProxy() {
    world_.proxy().Kill();
    world_.proxy().Restart();
    ASSERT_TRUE(world_.WaitUntilSettled());
  }
  ReloadWorld world_;
};
INSTANTIATE_TEST_SUITE_P(Workers, ReloadForget, testing::Values(1, 2), [](const auto& info) {
  return std::string(info.param == 1 ? "One" : "TwoThreaded");
});

TEST_P(ReloadForget, ThereAndBackUnderLoad) {
  MovingLoad load(world_.port());
  ASSERT_TRUE(load.WaitForMore(300));
  const std::vector<std::string> nodes = {world_.NewNode(), world_.NewNode()};
  for (int round = 0; round < 4; ++round) {
    for (const char* weight : {"4", "1"}) {
      file().shard("b").weight = std::stoi(weight);
      load.WhileOwnersChange([&] { EXPECT_FALSE(world_.Reload().starts_with("-")); });
      ASSERT_TRUE(load.WaitForMore(100)) << load.Errors();
    }
    // The same shard, with what its nodes had before.
    file().shards.push_back({"c", nodes});
    load.WhileOwnersChange([&] { EXPECT_FALSE(world_.PatientReload().starts_with("-")); });
    ASSERT_TRUE(load.WaitForMore(100)) << load.Errors();
    file().RemoveShard("c");
    load.WhileOwnersChange([&] { EXPECT_FALSE(world_.PatientReload().starts_with("-")); });
    ASSERT_TRUE(load.WaitForMore(100)) << load.Errors();
    file().options["ring"]["points"] = round % 2 == 0 ? "200" : "1024";
    load.WhileOwnersChange([&] { EXPECT_FALSE(world_.Reload().starts_with("-")); });
  }
  EXPECT_TRUE(load.WaitForMore(300));
  load.Stop();
  load.Verify();
  world_.ExpectCopiesEqual();
  EXPECT_GT(load.allowed_misses(), 0u);
}

// Keys that are there when the ring changes, and again when it is changed back. Of three one is
// written anew meanwhile, one is deleted, and one is not touched.
class KeysThatMove {
 public:
  explicit KeysThatMove(ReloadWorld* world) : world_(world), client_(world->Connect()) {}

  void Write() {
    client_("FLUSHALL");
    for (int i = 0; i < kKeys; ++i) {
      EXPECT_EQ(client_("SET", Name(i), "old"), "OK");
      owners_.push_back(world_->Owner(Name(i)));
    }
  }

  void ChangeAfterMove() {
    int moved = 0;
    for (int i = 0; i < kKeys; ++i) {
      const bool other = world_->Owner(Name(i)) != owners_[static_cast<size_t>(i)];
      moved += other ? 1 : 0;
      EXPECT_EQ(client_("GET", Name(i)), other ? "(nil)" : "old");
      if (i % 3 == 0) {
        EXPECT_EQ(client_("SET", Name(i), "new"), "OK");
      }
      if (i % 3 == 1) client_("DEL", Name(i));
    }
    EXPECT_GT(moved, 50);
  }

  void ExpectNothingOldIsBack() {
    Client client = world_->Connect();
    for (int i = 0; i < kKeys; ++i) {
      const std::string seen = client("GET", Name(i)).Text();
      if (i % 3 == 0) {
        EXPECT_TRUE(seen == "new" || seen == "(nil)") << Name(i) << " is " << seen;
      }
      if (i % 3 == 1) {
        EXPECT_EQ(seen, "(nil)") << Name(i);
      }
      if (i % 3 == 2) {
        EXPECT_TRUE(seen == "old" || seen == "(nil)") << Name(i) << " is " << seen;
      }
    }
  }

 private:
  static constexpr int kKeys = 600;
  static std::string Name(int i) { return "key:" + std::to_string(i); }

  ReloadWorld* world_;
  Client client_;
  std::vector<std::string> owners_;
};

// The old copies are deleted so slowly that they are there all the time.
TEST_P(ReloadForget, ReversedWhileDeletionsRun) {
  for (const bool killed : {false, true}) {
    SCOPED_TRACE(killed);
    file().options["ring"]["forget_keys_per_s"] = "1";
    file().shard("b").weight = 1;
    world_.ReloadAndSettle();
    KeysThatMove keys(&world_);
    keys.Write();
    file().shard("b").weight = 5;
    ASSERT_FALSE(world_.Reload().starts_with("-"));
    keys.ChangeAfterMove();
    if (killed) {
      ASSERT_NO_FATAL_FAILURE(KillProxy());
    }
    EXPECT_TRUE(Sweeps());
    file().shard("b").weight = 1;
    ASSERT_FALSE(world_.Reload().starts_with("-"));
    if (killed) {
      ASSERT_NO_FATAL_FAILURE(KillProxy());
    }
    keys.ExpectNothingOldIsBack();
  }
  file().options["ring"].erase("forget_keys_per_s");
  ASSERT_FALSE(world_.Reload().starts_with("-"));
  // In the end every node has its own keys only.
  EXPECT_TRUE(Eventually([&] {
    for (const ConfigFile::Shard& shard : file().shards) {
      for (const Reply& key : world_.node(shard.name, 0).Connect()("KEYS", "*").items) {
        if (world_.Owner(key.bytes) != shard.name) return false;
      }
    }
    return true;
  }));
  EXPECT_TRUE(Eventually([&] { return !Sweeps(); }));  // deletions are writes
  world_.ExpectCopiesEqual();
}

// As many rings are kept as it takes, but not more than some. What is refused leaves nothing
// behind.
TEST_P(ReloadForget, NoMoreRingsThanMayBeKept) {
  file().options["ring"]["forget_keys_per_s"] = "1";
  world_.ReloadAndSettle();
  Client client = world_.Connect();
  for (int i = 0; i < 3000; ++i) client.Append({"SET", "key:" + std::to_string(i), "v"});
  for (int i = 0; i < 3000; ++i) ASSERT_EQ(client.Read(), "OK");
  std::string answer;
  for (int weight = 2; weight < 50 && !answer.starts_with("-"); ++weight) {
    file().shard("b").weight = weight;
    answer = world_.Reload();
  }
  EXPECT_NE(answer.find("32 rings wait until"), std::string::npos) << answer;
  --file().shard("b").weight;
  EXPECT_EQ(world_.Reload(), "nothing changes\n");
  const std::vector<std::string> nodes = {world_.NewNode(), world_.NewNode()};
  file().shards.push_back({"c", nodes});
  answer = world_.Reload();
  EXPECT_NE(answer.find("32 rings wait until"), std::string::npos) << answer;
  answer = world_.AskReload({"DRYRUN"});
  EXPECT_NE(answer.find("shard c added"), std::string::npos) << answer;
  EXPECT_NE(answer.find("refused: "), std::string::npos) << answer;
  // Its nodes are free for others at once.
  file().RemoveShard("c");
  file().shard("a").nodes.push_back(nodes[0]);
  world_.ReloadAndSettle();
  EXPECT_TRUE(Sweeps());
  file().options["ring"].erase("forget_keys_per_s");
  ASSERT_FALSE(world_.Reload().starts_with("-"));
  EXPECT_TRUE(Eventually([&] { return !Sweeps(); }));
  file().shards.push_back({"c", {nodes[1]}});
  world_.ReloadAndSettle();
  EXPECT_TRUE(Eventually([&] { return !Sweeps(); }));
  world_.ExpectCopiesEqual();
}

}  // namespace
}  // namespace gemel::e2e::reload_forget_test
