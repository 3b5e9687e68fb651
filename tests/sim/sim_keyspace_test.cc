// That a simulated node expires keys as Redis does (7.0, measured).

#include <gtest/gtest.h>

#include <utility>

#include "tests/sim/sim_key_commands.h"

namespace gemel::sim {
namespace {

class KeyspaceTest : public testing::Test {
 protected:
  std::string Do(const KeyCommands::Args& args) {
    return commands_.Execute(args).value_or("(unknown)");
  }
  std::string At(int64_t ms) {
    return std::to_string(Keyspace::kEpochMs + static_cast<uint64_t>(ms));
  }
  void Pass(uint64_t ms) { loop_.RunUntil(loop_.now_us() + ms * 1000); }

  Loop loop_{1};
  std::vector<std::pair<Gone, std::string>> gone_;
  Keyspace keys_{&loop_,
                 [this](Gone how, const std::string& key) { gone_.emplace_back(how, key); }};
  KeyCommands commands_{&loop_, &keys_};
};

using Went = std::vector<std::pair<Gone, std::string>>;

TEST_F(KeyspaceTest, ExpiresByItsOwnClock) {
  keys_.set_clock_ahead_ms(500);
  Do({"SET", "relative", "1", "PX", "100"});
  Do({"SET", "absolute", "1", "PXAT", At(600)});
  Pass(101);
  EXPECT_EQ(Do({"GET", "relative"}), "$-1\r\n");
  EXPECT_EQ(Do({"GET", "absolute"}), "$-1\r\n");
  EXPECT_EQ(gone_, (Went{{Gone::kExpired, "relative"}, {Gone::kExpired, "absolute"}}));
}

TEST_F(KeyspaceTest, WhatKeepsTheTimeAndWhatTakesIt) {
  Do({"SET", "k", "1", "PX", "100"});
  Do({"SADD", "k", "2"});
  Do({"SET", "k", "1", "KEEPTTL"});
  Do({"COPY", "k", "copy", "REPLACE"});
  EXPECT_EQ(Do({"PTTL", "k"}), ":100\r\n");
  EXPECT_EQ(Do({"PTTL", "copy"}), ":100\r\n");
  EXPECT_EQ(Do({"SET", "k", "other", "NX", "PX", "5"}), "$-1\r\n");
  EXPECT_EQ(Do({"PERSIST", "copy"}), ":1\r\n");
  Do({"SET", "k", "1"});
  Pass(101);
  keys_.RemoveExpired();
  EXPECT_EQ(gone_, Went());
  Do({"DEL", "k"});
  Do({"SADD", "k", "2"});
  EXPECT_EQ(Do({"PTTL", "k"}), ":-1\r\n");
}

TEST_F(KeyspaceTest, ATimeThatIsPastIsADeletionOrNotAWord) {
  Do({"SET", "k", "1"});
  EXPECT_EQ(Do({"PEXPIREAT", "k", At(-1000)}), ":1\r\n");
  EXPECT_EQ(Do({"RESTORE", "new", At(-1000), "dump:1", "REPLACE", "ABSTTL"}), "+OK\r\n");
  Do({"SET", "k", "1"});
  EXPECT_EQ(Do({"RESTORE", "k", At(-1000), "dump:1", "REPLACE", "ABSTTL"}), "+OK\r\n");
  EXPECT_EQ(Do({"SET", "stored", "1", "PXAT", At(-1000)}), "+OK\r\n");
  EXPECT_EQ(gone_, (Went{{Gone::kPast, "k"}, {Gone::kUnsaid, "new"}, {Gone::kPast, "k"}}));
  EXPECT_EQ(Do({"DBSIZE"}), ":1\r\n");
  keys_.RemoveExpired();
  EXPECT_EQ(gone_.back(), std::pair(Gone::kExpired, std::string("stored")));
}

TEST_F(KeyspaceTest, AReplicaRemovesNothing) {
  keys_.set_is_replica(true);
  Do({"RESTORE", "k", At(-1000), "dump:1", "REPLACE", "ABSTTL"});
  keys_.RemoveExpired();
  EXPECT_EQ(keys_.values().count("k"), 1u);
  keys_.set_is_replica(false);
  keys_.RemoveExpired();
  EXPECT_EQ(gone_, (Went{{Gone::kExpired, "k"}}));
}

TEST_F(KeyspaceTest, EvictsWhatMayGo) {
  Do({"SET", "a", "1"});
  Do({"SET", "b", "1"});
  Loop dice(1);
  const auto is_b = [](const std::string& key) { return key == "b"; };
  EXPECT_TRUE(keys_.EvictOne(&dice, is_b));
  EXPECT_FALSE(keys_.EvictOne(&dice, is_b));
  EXPECT_EQ(gone_, (Went{{Gone::kEvicted, "b"}}));
}

}  // namespace
}  // namespace gemel::sim
