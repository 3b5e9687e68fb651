// What REPLICAOF does not copy though nobody refuses it, against nodes of a model: it is noticed,
// gives its place back, and is copied key by key.

#include <gtest/gtest.h>

#include <string>

#include "backend/resync/diskless_delay.h"
#include "tests/unit/resync_world.h"

namespace gemel::resync_test::resync_by_keys_test {
namespace {

TEST(ResyncByKeys, ACopyThatDoesNotBeginGivesItsPlaceBack) {
  ResyncBoard board(1);
  World world({.board = &board});
  world.model.nodes[1].as_replica.reaches = false;
  world.Start();
  ASSERT_TRUE(world.RunUntil([&] { return world.model.nodes[1].as_replica.on; }));
  EXPECT_FALSE(world.RunUntil([&] { return board.running().empty(); }, 200)) << "four seconds";
  ASSERT_TRUE(world.RunUntil([&] { return board.running().empty(); }, 100));
  // Others have a second to take it.
  std::string why;
  EXPECT_FALSE(world.RunUntil([&] { return !board.running().empty(); }, 50));
  const auto other = board.Take("b", "10.0.1.1:7000", "10.0.1.2:7000", true, &why);
  ASSERT_NE(other, nullptr);
  EXPECT_TRUE(world.RunUntil([&] { return world.InSync() && !world.resync->active(); }, 500))
      << "beside it";
  EXPECT_FALSE(world.model.nodes[1].as_replica.on);
  EXPECT_EQ(world.Count("1 REPLICAOF 10.0.0.1 7000"), 1U);
  EXPECT_EQ(world.Noted("10.0.0.2:7000 does not begin to copy from 10.0.0.1:7000 (REPLICAOF "
                        "10.0.0.1 7000)"),
            2U);
  EXPECT_EQ(board.totals().done, 1U);
}

TEST(ResyncByKeys, ItIsRememberedForAWhile) {
  World world({});
  world.model.nodes[1].as_replica.reaches = false;
  world.Start();
  ASSERT_TRUE(world.RunUntil([&] { return world.InSync() && !world.resync->active(); }));
  world.Restart(1);
  ASSERT_TRUE(world.RunUntil([&] { return world.shard().figures().Get("resyncs") == 2; }, 200))
      << "at once";
  EXPECT_TRUE(world.InSync());
  EXPECT_EQ(world.Count("1 REPLICAOF 10.0.0.1 7000"), 1U);
}

TEST(ResyncByKeys, ACopyForWhichASnapshotIsToBeMadeHasMoreTime) {
  World world({});
  world.model.nodes[1].as_replica.reaches = false;
  world.model.nodes[0].waits_bgsave = true;
  world.Start();
  EXPECT_FALSE(world.RunUntil([&] { return world.Noted("key by key") > 0; }, 700));
  world.model.nodes[1].as_replica.reaches = true;
  world.model.nodes[0].waits_bgsave = false;
  EXPECT_TRUE(world.RunUntil([&] { return world.InSync(); }));
  EXPECT_EQ(world.Noted("key by key"), 0U);
}

TEST(ResyncByKeys, ButNotWithoutEnd) {
  World world({});
  world.model.nodes[1].as_replica.reaches = false;
  world.model.nodes[0].waits_bgsave = true;
  world.Start();
  EXPECT_TRUE(world.RunUntil([&] { return world.InSync(); }, 2000));
  EXPECT_GT(world.Noted("10.0.0.1:7000 makes no snapshot for 10.0.0.2:7000"), 0U);
}

TEST(ResyncByKeys, ACopyThatSaysItCopiesAndGetsNothing) {
  World world({});
  world.model.start_sync_polls = 1 << 20;
  world.model.nodes[1].as_replica.gets_nothing = true;
  world.Start();
  EXPECT_TRUE(world.RunUntil([&] { return world.InSync(); }, 500));
}

TEST(ResyncByKeys, ACopyThatBeginsAgainAndAgain) {
  World world({});
  world.model.start_sync_polls = 10;
  world.model.nodes[1].as_replica.goes_round = true;
  world.Start();
  EXPECT_TRUE(world.RunUntil([&] { return world.InSync(); }, 2000));
  EXPECT_GT(world.Noted("the copying from 10.0.0.1:7000 to 10.0.0.2:7000 begins again and again"),
            0U);
}

TEST(ResyncByKeys, AnOlderCopyIsNotMadeAReplicaOfANewerOne) {
  World world({});
  world.model.nodes[0].version = "7.2.4";
  world.Start();
  EXPECT_TRUE(world.RunUntil([&] { return world.InSync(); }));
  EXPECT_EQ(world.Count("1 REPLICAOF 10.0.0.1 7000"), 0U);
  EXPECT_EQ(world.Noted("10.0.0.2:7000 (Redis 7.0.15) cannot read the replication of "
                        "10.0.0.1:7000 (Redis 7.2.4): it is copied key by key"),
            1U);
}

TEST(ResyncByKeys, ANodeThatHidesInfo) {
  World world({});
  world.model.nodes[1].refuses_info =
      "NOPERM this user has no permissions to run the 'info' command";
  world.Start();
  EXPECT_FALSE(world.RunUntil([&] { return world.InSync(); }, 200))
      << "an earlier connection may have left something there";
  EXPECT_TRUE(world.RunUntil([&] { return world.InSync(); }, 200));
  EXPECT_EQ(world.Noted("10.0.0.2:7000 refuses INFO (NOPERM"), 1U);
  EXPECT_EQ(world.Count("1 REPLICAOF 10.0.0.1 7000"), 0U);
}

TEST(ResyncByKeys, WhatREPLICAOFNeedsIsRefused) {
  World world({.user = "gemel", .password = "secret"});
  world.model.nodes[1].refuses_replicaof = "ERR Something that no version said so far";
  world.Start();
  EXPECT_TRUE(world.RunUntil([&] { return world.InSync(); }));
  EXPECT_EQ(world.Noted("refuses REPLICAOF (ERR Something that"), 1U);
}

// What the primary's waiting for further replicas is, and that it comes back.
class DisklessDelayTest : public ::testing::Test, public ControlPort {
 protected:
  void Command(uint32_t copy, Words args, ControlDone done) override {
    EXPECT_EQ(copy, 3U);
    const std::string command = Join(args);
    log_.push_back(command);
    if (args[1] == "GET") {
      done({true, false, "", config_});
    } else {
      done(ControlReply{set_error_.empty(), !set_error_.empty(), set_error_, ""});
    }
  }
  void TakeAway() {
    bool next = false;
    delay_.TakeAway(3, [&] { next = true; });
    EXPECT_TRUE(next);
  }

  std::string config_ =
      "repl-diskless-sync-max-replicas\n2\nrepl-diskless-sync\nyes\nrepl-diskless-sync-delay\n5";
  std::string set_error_;
  Words log_;
  DisklessDelay delay_{this};
};

TEST_F(DisklessDelayTest, IsTakenAwayAndPutBack) {
  TakeAway();
  EXPECT_EQ(log_.back(),
            "CONFIG SET repl-diskless-sync-delay 0 repl-diskless-sync-max-replicas 1000005002");
  delay_.PutBack();
  EXPECT_EQ(log_.back(), "CONFIG SET repl-diskless-sync-delay 5 repl-diskless-sync-max-replicas 2");
  delay_.PutBack();
  EXPECT_EQ(log_.size(), 3U);
}

TEST_F(DisklessDelayTest, IsTakenAwayOnceMoreWhereItIsBack) {
  delay_.TakeAgain();
  EXPECT_TRUE(log_.empty());
  TakeAway();
  config_ =
      "repl-diskless-sync-max-replicas\n1000005002\nrepl-diskless-sync\nyes\n"
      "repl-diskless-sync-delay\n0";
  delay_.TakeAgain();
  EXPECT_EQ(log_.size(), 3U) << "it is away";
  config_ =
      "repl-diskless-sync-max-replicas\n2\nrepl-diskless-sync\nyes\nrepl-diskless-sync-delay\n5";
  delay_.TakeAgain();
  EXPECT_EQ(log_.back(),
            "CONFIG SET repl-diskless-sync-delay 0 repl-diskless-sync-max-replicas 1000005002");
  delay_.PutBack();
  EXPECT_EQ(log_.back(), "CONFIG SET repl-diskless-sync-delay 5 repl-diskless-sync-max-replicas 2");
  // Once it is put back it stays so.
  delay_.TakeAgain();
  EXPECT_EQ(log_.size(), 6U);
}

TEST_F(DisklessDelayTest, OfARedisThatKnowsNoMaxReplicas) {
  config_ = "repl-diskless-sync\nyes\nrepl-diskless-sync-delay\n5";
  TakeAway();
  EXPECT_EQ(log_.back(), "CONFIG SET repl-diskless-sync-delay 0");
  delay_.PutBack();
  EXPECT_EQ(log_.back(), "CONFIG SET repl-diskless-sync-delay 5");
}

TEST_F(DisklessDelayTest, NothingToTakeAway) {
  for (const char* config :
       {"", "repl-diskless-sync\nno\nrepl-diskless-sync-delay\n5",
        "repl-diskless-sync\nyes\nrepl-diskless-sync-delay\n0", "\n\n\n", "a"}) {
    config_ = config;
    TakeAway();
    delay_.PutBack();
  }
  EXPECT_EQ(log_, Words(5, "CONFIG GET repl-diskless-sync*"));
}

TEST_F(DisklessDelayTest, ThatMayNotBeSet) {
  set_error_ = "NOPERM no CONFIG SET";
  TakeAway();
  delay_.PutBack();
  EXPECT_EQ(log_.size(), 2U);
}

TEST_F(DisklessDelayTest, LeftByAProcessThatWasKilled) {
  config_ = "repl-diskless-sync-max-replicas\n1000005002";
  DisklessDelay::Heal(this, 3);
  EXPECT_EQ(log_.back(), "CONFIG SET repl-diskless-sync-delay 5 repl-diskless-sync-max-replicas 2");
  config_ = "repl-diskless-sync-max-replicas\n7";
  DisklessDelay::Heal(this, 3);
  EXPECT_EQ(log_.size(), 3U) << "that is the operator's";
  // And by one that another takes over from.
  config_ =
      "repl-diskless-sync\nyes\nrepl-diskless-sync-max-replicas\n1000005002\n"
      "repl-diskless-sync-delay\n0";
  TakeAway();
  delay_.PutBack();
  EXPECT_EQ(log_.back(), "CONFIG SET repl-diskless-sync-delay 5 repl-diskless-sync-max-replicas 2");
}

}  // namespace
}  // namespace gemel::resync_test::resync_by_keys_test
