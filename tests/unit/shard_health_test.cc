// What a shard does about nodes that hang, and about probes.

#include <gtest/gtest.h>

#include "tests/unit/shard_world.h"

namespace gemel::shard_health_test {
namespace {

using Probe = ProbeOutcome;

class ShardHealthTest : public ShardWorld {
 protected:
  ShardHealthTest() {
    base_.hang = {200, 400};
    base_.hedge_ms = 0;
  }
  // Ticks until the link of the copy is down, at most so long. How long that took.
  uint64_t UntilDown(uint32_t copy, uint64_t most_ms) {
    const uint64_t start_ms = now_ms_;
    while (shard_->link(copy)->up() && now_ms_ < start_ms + most_ms) {
      Pass(10);
      for (uint32_t i = 0; i < shard_->copy_count(); ++i) {
        if (!shard_->nodes().TakeProbeWish(i)) continue;
        shard_->nodes().OnProbe(i, Probe::kSent, now_ms_);
        if (answers_probes_) shard_->nodes().OnProbe(i, Probe::kAnswer, now_ms_);
        ++probes_;
      }
    }
    return now_ms_ - start_ms;
  }
  using Commands = std::vector<std::vector<std::string_view>>;
  bool answers_probes_ = false;
  int probes_ = 0;
};

TEST_F(ShardHealthTest, APrimaryThatHangsIsReplaced) {
  MakeUp(2);
  Asked* set = Ask({"SET", "k", "v"});
  Asked* get = Ask({"GET", "k"});
  Reply(1, "+OK\r\n");
  const uint64_t took_ms = UntilDown(0, 1000);
  EXPECT_GE(took_ms, 200u);
  EXPECT_LE(took_ms, 240u);
  EXPECT_EQ(probes_, 1);
  EXPECT_EQ(shard_->nodes().HealthOf(0), NodeHealth::kDown);
  RunEdits();
  EXPECT_EQ(Durable().primary, 1u);
  EXPECT_EQ(set->told, "+OK\r\n");
  Reply(1, "$1\r\nv\r\n");
  EXPECT_EQ(get->told, "$1\r\nv\r\n");
  EXPECT_NE(notes_.find("no answer to requests and health checks for 2"), std::string::npos)
      << notes_;
}

TEST_F(ShardHealthTest, AReplicaThatHangsIsStale) {
  MakeUp(2);
  Asked* set = Ask({"SET", "k", "v"});
  Reply(0, "+OK\r\n");
  EXPECT_LE(UntilDown(1, 1000), 240u);
  RunEdits();
  EXPECT_EQ(Durable().primary, 0u);
  EXPECT_EQ(Durable().copies[1].state, CopyState::kStale);
  EXPECT_EQ(set->told, "+OK\r\n");
}

TEST_F(ShardHealthTest, ANodeThatAnswersProbesDoesNotHang) {
  MakeUp(2);
  Ask({"SET", "k", "v"});
  Reply(1, "+OK\r\n");
  answers_probes_ = true;
  EXPECT_EQ(UntilDown(0, 3000), 3000u);
  EXPECT_GT(probes_, 10);
  EXPECT_TRUE(queue_->idle());
}

TEST_F(ShardHealthTest, ALongWriteThatOthersHaveDoneIsGivenTheWholeTimeout) {
  MakeUp(2);
  for (int i = 0; i < 20; ++i) Ask({"GET", "k"});
  Ask({"DEL", "big"});
  Ask({"GET", "k"});
  Reply(1, ":1\r\n");
  const uint64_t took_ms = UntilDown(0, 1000);
  EXPECT_GE(took_ms, 400u);
  EXPECT_LE(took_ms, 440u);
  for (const auto& command : Commands{{"SET", "k", "v"}, {"GETRANGE", "k", "0", "1"}}) {
    MakeUp(2);
    Ask(command);
    if (command[0] == "SET") Reply(1, "+OK\r\n");
    EXPECT_LE(UntilDown(0, 1000), 240u) << command[0];
  }
}

// An audit must not make the end of a node last longer.
TEST_F(ShardHealthTest, WhatAComparisonKnowsToBeBriefIsNotWaitedForAnyLonger) {
  class Sink : public CompareSink {
    void OnCompareReply(uint32_t, uint32_t, std::string_view) override {}
    void OnCompareEnd(bool) override {}
  };
  for (const bool brief : {true, false}) {
    Sink sink;
    MakeUp(2);
    const CompareRead read{Command({"MEMORY", "USAGE", "k"}), 0, brief};
    ASSERT_TRUE(shard_->ports().audit.Compare({&read, 1}, Bit(0) | Bit(1), &sink));
    Reply(0, ":100\r\n");
    const uint64_t took_ms = UntilDown(1, 1000);
    EXPECT_EQ(took_ms < 250, brief) << took_ms;
    RunEdits();
  }
}

TEST_F(ShardHealthTest, ALongReadIsWaitedForUntilTheRequestTimeout) {
  const std::string large(20000, 'x');
  for (const auto& command : Commands{{"KEYS", "*"},
                                      {"LRANGE", "l", "0", "-1"},
                                      {"SORT_RO", "l"},
                                      {"EVAL_RO", "return 1", "0"},
                                      {"SMISMEMBER", "s", large}}) {
    MakeUp(2);
    for (int i = 0; i < 20; ++i) Ask({"GET", "k"});
    Ask(command);
    Ask({"SET", "k", "v"});
    Reply(1, "+OK\r\n");
    const uint64_t took_ms = UntilDown(0, 9000);
    // A script may be ended by then, and the link go on.
    const uint64_t more_ms = command[0] == "EVAL_RO" ? 1000 : 0;
    EXPECT_GE(took_ms, 5000u + more_ms) << command[0];
    EXPECT_LE(took_ms, 5040u + more_ms) << command[0];
  }
  // One that came to a line that was silent already is not what the node works on.
  MakeUp(2);
  Ask({"GET", "k"});
  Pass(100);
  Ask({"KEYS", "*"});
  EXPECT_LE(UntilDown(0, 9000), 140u);
}

TEST_F(ShardHealthTest, ARepairOfASmallKeyIsNoLongWork) {
  for (const bool is_small : {true, false}) {
    MakeUp(2);
    Ask({"APPEND", "k", "v"});
    Reply(0, ":1\r\n");
    Reply(1, ":2\r\n");
    Sent(0);
    Reply(0, is_small ? ":100\r\n" : ":3000000\r\n");
    EXPECT_NE(Sent(0).find("DUMP"), std::string::npos);
    const uint64_t took_ms = UntilDown(0, 9000);
    if (is_small) {
      EXPECT_LE(took_ms, 240u);
    } else {
      EXPECT_GE(took_ms, 5000u);
    }
  }
  MakeUp(2);
  Ask({"APPEND", "k", "v"});
  Reply(0, ":1\r\n");
  Reply(1, ":2\r\n");
  EXPECT_LE(UntilDown(0, 9000), 240u) << "how large it is, is soon said";
}

TEST_F(ShardHealthTest, AReadThatIsKnownToBringVeryMuchIsALongOne) {
  MakeUp(2);
  std::string giant;
  AppendBulk(&giant, std::string(40u << 20, 'x'));
  Ask({"GET", "giant"});
  Reply(0, giant);
  Ask({"GET", "giant"});
  Ask({"SET", "k", "v"});
  Reply(1, "+OK\r\n");
  EXPECT_GE(UntilDown(0, 9000), 5000u);
}

TEST_F(ShardHealthTest, ALongWriteTakesACopyAsLongAsTheOtherAndMore) {
  MakeUp(2);
  Asked* store = Ask({"ZUNIONSTORE", "d", "1", "s"});
  Asked* get = Ask({"GET", "k"}, 2);
  EXPECT_EQ(UntilDown(0, 2000), 2000u);  // both are busy
  EXPECT_TRUE(shard_->link(1)->up());
  Reply(1, ":9\r\n");
  EXPECT_EQ(UntilDown(0, 2000), 2000u);
  Reply(0, ":9\r\n$1\r\nv\r\n");
  EXPECT_EQ(store->told, ":9\r\n");
  EXPECT_EQ(get->told, "$1\r\nv\r\n");
  EXPECT_EQ(edits_, "");
}

TEST_F(ShardHealthTest, ProbesThatQueueBehindRequestsAreNoEvidence) {
  MakeUp(1);
  Asked* set = Ask({"ZUNIONSTORE", "d", "1", "s"});
  for (int i = 0; i < 20; ++i) {
    shard_->nodes().OnProbe(0, Probe::kSent, now_ms_);
    const uint64_t began_ms = now_ms_;
    Pass(100);
    shard_->nodes().OnProbe(0, Probe::kTimeout, began_ms);
  }
  EXPECT_TRUE(shard_->link(0)->up());
  EXPECT_EQ(shard_->nodes().HealthOf(0), NodeHealth::kSuspect);
  Reply(0, ":1\r\n");
  EXPECT_EQ(set->told, ":1\r\n");
  shard_->nodes().OnProbe(0, Probe::kAnswer, now_ms_);
  EXPECT_EQ(shard_->nodes().HealthOf(0), NodeHealth::kUp);
}

TEST_F(ShardHealthTest, ProbesAloneEndNoLinkThatHeardFromTheNode) {
  MakeUp(2);
  for (int i = 0; i < 10; ++i) {
    shard_->nodes().OnProbe(0, Probe::kSent, now_ms_);
    const uint64_t began_ms = now_ms_;
    Pass(100);
    Ask({"GET", "k"});
    Reply(0, "$-1\r\n");
    shard_->nodes().OnProbe(0, Probe::kTimeout, began_ms);
  }
  EXPECT_TRUE(shard_->link(0)->up());
  EXPECT_EQ(edits_, "");
}

TEST_F(ShardHealthTest, IdleProbesDoNotEndWhatNobodyCanReplace) {
  for (uint32_t copies : {1u, 2u}) {
    MakeUp(copies);
    for (int i = 0; i < 10; ++i) {
      for (uint32_t copy = 0; copy < copies; ++copy)
        shard_->nodes().OnProbe(copy, Probe::kSent, now_ms_);
      const uint64_t began_ms = now_ms_;
      Pass(400);
      for (uint32_t copy = 0; copy < copies; ++copy) {
        shard_->nodes().OnProbe(copy, Probe::kTimeout, began_ms);
      }
    }
    for (uint32_t copy = 0; copy < copies; ++copy) EXPECT_TRUE(shard_->link(copy)->up());
    EXPECT_EQ(edits_, "");
  }
  // One of them answers again: the other one is given up as ever.
  shard_->nodes().OnProbe(1, Probe::kAnswer, now_ms_);
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(shard_->link(0)->up());
    shard_->nodes().OnProbe(0, Probe::kTimeout, now_ms_);
  }
  EXPECT_FALSE(shard_->link(0)->up());
}

TEST_F(ShardHealthTest, APauseIsRemembered) {
  MakeUp(2);
  for (int i = 0; i < 3; ++i) {
    Ask({"GET", "k"});
    EXPECT_EQ(UntilDown(0, 180), 180u);
    shard_->nodes().OnProbe(0, Probe::kAnswer, now_ms_);
    Reply(0, "$-1\r\n");
    Pass(1000);
  }
  Ask({"GET", "k"});
  EXPECT_EQ(UntilDown(0, 330), 330u);
}

TEST_F(ShardHealthTest, AnIdleNodeIsDownAfterSoManyProbes) {
  MakeUp(2);
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(shard_->link(0)->up());
    shard_->nodes().OnProbe(0, Probe::kSent, now_ms_);
    Pass(400);
    shard_->nodes().OnProbe(0, Probe::kTimeout, now_ms_ - 400);
  }
  EXPECT_FALSE(shard_->link(0)->up());
  RunEdits();
  EXPECT_EQ(Durable().primary, 1u);
}

TEST_F(ShardHealthTest, AStaleNodeThatIsBusyKeepsItsLink) {
  MakeUp(2);
  Ask({"SET", "k", "v"});
  Lose(1);
  Reply(0, "+OK\r\n");
  RunEdits();
  Up(1, "r1");
  for (int i = 0; i < 5; ++i) shard_->nodes().OnProbe(1, Probe::kTimeout, now_ms_);
  EXPECT_EQ(shard_->nodes().HealthOf(1), NodeHealth::kDown);
  EXPECT_TRUE(shard_->link(1)->up());
  shard_->nodes().OnProbe(1, Probe::kAnswer, now_ms_);
  EXPECT_EQ(shard_->nodes().HealthOf(1), NodeHealth::kUp);
}

TEST_F(ShardHealthTest, ACopyThatNobodyCanReplaceIsWaitedFor) {
  MakeUp(1);
  Asked* set = Ask({"SET", "k", "v"});
  EXPECT_EQ(UntilDown(0, 1000), 1000u);
  Reply(0, "+OK\r\n");
  EXPECT_EQ(set->told, "+OK\r\n");

  MakeUp(2);
  set = Ask({"SET", "k", "v"});  // both are silent: more likely a matter of this side
  EXPECT_EQ(UntilDown(0, 1000), 1000u);
  EXPECT_TRUE(shard_->link(1)->up());
  Reply(1, "+OK\r\n");
  const uint64_t took_ms = UntilDown(0, 1000);  // now there is somebody: its time begins
  EXPECT_GE(took_ms, 200u);
  EXPECT_LE(took_ms, 240u);
  RunEdits();
  EXPECT_EQ(set->told, "+OK\r\n");
}

TEST_F(ShardHealthTest, AHardErrorOfAnOlderAttemptIsNoEvidence) {
  base_.grace_ms = 40;
  MakeUp(2);
  Lose(0);
  const uint64_t began_ms = now_ms_;
  now_ms_ += 5;
  Up(0, "r0");
  shard_->nodes().OnProbe(0, Probe::kHardError, began_ms);
  EXPECT_TRUE(shard_->link(0)->up());
  EXPECT_EQ(edits_, "");
  now_ms_ += 5;
  shard_->nodes().OnProbe(0, Probe::kHardError, now_ms_);
  EXPECT_FALSE(shard_->link(0)->up());
}

TEST_F(ShardHealthTest, SaysWhenItMustBeLookedAtOften) {
  MakeUp(2);
  EXPECT_FALSE(shard_->nodes().Waiting());
  Ask({"GET", "k"});
  EXPECT_TRUE(shard_->nodes().Waiting());
  Reply(0, "$-1\r\n");
  EXPECT_FALSE(shard_->nodes().Waiting());
}

}  // namespace
}  // namespace gemel::shard_health_test
