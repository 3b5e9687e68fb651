// Where a transaction goes, and what cannot be part of it.

#include "proxy/session/block_plan.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "config/config_load.h"

namespace gemel::block_plan_test {
namespace {

using Args = std::vector<std::string_view>;

Config MakeConfig(int shards, int copies) {
  std::string text;
  for (int i = 0; i < shards; ++i) {
    const std::string number = std::to_string(i);
    text += "[[shard]]\nname = \"s" + number + "\"\nprimary = \"127.0.0.1:700" + number + "\"\n";
    if (copies > 1) text += "replicas = [\"127.0.0.1:800" + number + "\"]\n";
  }
  ConfigError error;
  return *LoadConfigText(text, "/tmp/gemel.toml", &error);
}

class BlockPlanTest : public ::testing::Test {
 protected:
  void Make(int shards, int copies = 2) {
    config_ = MakeConfig(shards, copies);
    pool_ = std::make_unique<Pool>(config_.pool(), 1);
    plan_ = BlockPlan();
  }
  std::string Add(const Args& args) {
    const CommandRow* row = pool_->table().Find(args);
    MakePlan(*pool_, *row, args, &command_);
    return plan_.Add(*pool_, *row, args, command_);
  }
  // A key of another shard than `key`.
  std::string Elsewhere(const std::string& key) {
    for (int i = 0;; ++i) {
      const std::string other = "other" + std::to_string(i);
      if (pool_->ShardOf(other) != pool_->ShardOf(key)) return other;
    }
  }

  Config config_;
  std::unique_ptr<Pool> pool_;
  BlockPlan plan_;
  Plan command_;
};

TEST_F(BlockPlanTest, GoesToTheShardOfItsKeys) {
  Make(3);
  EXPECT_EQ(plan_.Shard(*pool_), pool_->shards()[0].slot);
  EXPECT_EQ(Add({"PING"}), "");
  EXPECT_TRUE(plan_.has_local());
  EXPECT_EQ(plan_.row(), nullptr);
  EXPECT_EQ(Add({"GET", "k"}), "");
  EXPECT_EQ(plan_.Shard(*pool_), pool_->ShardOf("k"));
  EXPECT_EQ(plan_.request(), RequestKind::kRead);
  const std::string other = Elsewhere("k");
  EXPECT_EQ(Add({"GET", other}), "CROSSSLOT Keys in request don't hash to the same slot");
  EXPECT_EQ(Add({"MGET", "k", other}), "CROSSSLOT Keys in request don't hash to the same slot");
  EXPECT_EQ(Add({"SET", "k", "v"}), "");
  EXPECT_EQ(plan_.request(), RequestKind::kWrite);
  EXPECT_EQ(Add({"SPOP", "k"}), "");
  EXPECT_EQ(plan_.request(), RequestKind::kFirstWrite);
  EXPECT_EQ(Add({"GET", "k"}), "");
  EXPECT_EQ(plan_.request(), RequestKind::kFirstWrite);
}

TEST_F(BlockPlanTest, GoesWhereItsWatchedKeysAre) {
  Make(3);
  const std::string other = Elsewhere("k");
  plan_ = BlockPlan(pool_->ShardOf("k"));
  EXPECT_EQ(Add({"GET", other}), "CROSSSLOT Keys in request don't hash to the same slot");
  EXPECT_EQ(Add({"GET", "k"}), "");
}

TEST_F(BlockPlanTest, WhatIsAboutAllShardsIsNoPartOfIt) {
  Make(2);
  for (const Args& args :
       std::vector<Args>{{"DBSIZE"}, {"FLUSHALL"}, {"KEYS", "*"}, {"RANDOMKEY"}}) {
    EXPECT_NE(Add(args).find("it is about all shards, and a transaction goes to one"),
              std::string::npos)
        << args[0];
  }
  EXPECT_NE(Add({"SCAN", "0"}).find("it goes through all shards"), std::string::npos);
  Make(1);
  EXPECT_EQ(Add({"DBSIZE"}), "");
  EXPECT_EQ(Add({"FLUSHALL"}), "");
  EXPECT_FALSE(plan_.has_cursor());
  EXPECT_EQ(Add({"SCAN", "0"}), "");
  EXPECT_TRUE(plan_.has_cursor());
  EXPECT_TRUE(plan_.primary_only());
  EXPECT_FALSE(plan_.has_local());
  EXPECT_EQ(Add({"SCAN", "1"}), "");  // behind the last shard: gemel knows the answer
  EXPECT_TRUE(plan_.has_local());
}

// It can change nothing, but it may say something else on every copy.
TEST_F(BlockPlanTest, AScriptWithoutKeysIsOneCopysToExecute) {
  Make(1);
  EXPECT_EQ(Add({"EVAL", "return 1", "0"}), "");
  EXPECT_EQ(plan_.request(), RequestKind::kRead);
  EXPECT_EQ(Add({"SET", "k", "v"}), "");
  EXPECT_EQ(plan_.request(), RequestKind::kFirstWrite);
  EXPECT_NE(Add({"FLUSHALL"}), "");
  Make(1);
  EXPECT_EQ(Add({"SET", "k", "v"}), "");
  EXPECT_EQ(Add({"EVAL", "return 1", "0"}), "");
  EXPECT_EQ(plan_.request(), RequestKind::kFirstWrite);
  Make(1, 1);
  EXPECT_EQ(Add({"EVAL", "return 1", "0"}), "");
}

TEST_F(BlockPlanTest, AllKeysAndARandomEffectDoNotGoTogether) {
  for (const bool flush_first : {true, false}) {
    Make(1);
    EXPECT_EQ(Add(flush_first ? Args{"FLUSHALL"} : Args{"SPOP", "k"}), "");
    EXPECT_NE(Add(flush_first ? Args{"SPOP", "k"} : Args{"FLUSHALL"}).find("cannot be in the same"),
              std::string::npos);
    Make(1, 1);
    EXPECT_EQ(Add({"FLUSHALL"}), "");
    EXPECT_EQ(Add({"SPOP", "k"}), "");
  }
}

TEST_F(BlockPlanTest, ItsKeysAreKnownToTheFence) {
  Make(1);
  EXPECT_EQ(Add({"GET", "a"}), "");
  EXPECT_EQ(Add({"SET", "b", "v"}), "");
  EXPECT_EQ(plan_.marks(),
            (std::vector<ReadFence::Mark>{ReadFence::MarkOf("a"), ReadFence::MarkOf("b")}));
  for (int i = 0; i < 20; ++i) EXPECT_EQ(Add({"GET", std::to_string(i)}), "");
  EXPECT_EQ(plan_.marks(), std::vector<ReadFence::Mark>{ReadFence::kAnyKey});
}

TEST_F(BlockPlanTest, WhatACommandIsRefusedForRefusesIt) {
  Make(1);
  EXPECT_NE(Add({"FAILOVER"}).find("not supported"), std::string::npos);
  // This is found out when it is executed.
  EXPECT_EQ(Add({"COPY", "a", "b", "DB", "99"}), "");
  EXPECT_TRUE(plan_.has_local());
  EXPECT_EQ(plan_.row(), nullptr);
}

}  // namespace
}  // namespace gemel::block_plan_test
