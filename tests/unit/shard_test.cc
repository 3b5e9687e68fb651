// A shard on fake transports: who is asked, when a client is answered, and what a fault leads to.

#include <gtest/gtest.h>

#include "tests/unit/shard_world.h"

namespace gemel::shard_test {
namespace {

using ShardTest = ShardWorld;

TEST_F(ShardTest, WritesToAllAndAnswersWhenAllHaveIt) {
  MakeUp(2);
  Asked* set = Ask({"SET", "k", "v"});
  EXPECT_EQ(Sent(0), Command({"SET", "k", "v"}));
  EXPECT_EQ(Sent(1), Command({"SET", "k", "v"}));
  Reply(1, "+OK\r\n");
  EXPECT_EQ(set->told, "");
  Reply(0, "+OK\r\n");
  EXPECT_EQ(set->told, "+OK\r\n");
}

TEST_F(ShardTest, AnswersEarlierIfToldTo) {
  MakeUp(2, Ack::kPrimary);
  Asked* one = Ask({"SET", "k", "v"});
  Reply(1, "+OK\r\n");
  EXPECT_EQ(one->told, "");
  Reply(0, "+OK\r\n");
  EXPECT_EQ(one->told, "+OK\r\n");
  MakeUp(2, Ack::kAny);
  Asked* two = Ask({"SET", "k", "v"});
  Reply(1, "+OK\r\n");
  EXPECT_EQ(two->told, "+OK\r\n");
  Reply(0, "+OK\r\n");
}

TEST_F(ShardTest, ReadsByPolicy) {
  MakeUp(3, Ack::kAll, ReadFrom::kPrimary);
  Ask({"GET", "k"});
  EXPECT_NE(Sent(0), "");
  MakeUp(3, Ack::kAll, ReadFrom::kReplica);
  Ask({"GET", "k"});
  Ask({"GET", "k"});
  EXPECT_EQ(Sent(0), "");
  EXPECT_EQ(Sent(1), Command({"GET", "k"}));  // the one with the fewest pending
  EXPECT_EQ(Sent(2), Command({"GET", "k"}));
  MakeUp(3, Ack::kAll, ReadFrom::kBalanced);
  for (int i = 0; i < 3; ++i) Ask({"GET", "k"});
  for (uint32_t i = 0; i < 3; ++i) EXPECT_EQ(Sent(i), Command({"GET", "k"}));
}

TEST_F(ShardTest, ReadsElsewhereIfTheFirstIsNotFit) {
  MakeUp(2);
  for (const std::string code :
       {"LOADING", "MASTERDOWN", "READONLY", "OOM", "MISCONF", "NOREPLICAS", "BUSY"}) {
    Asked* get = Ask({"GET", "k"});
    Reply(0, "-" + code + " not now\r\n");
    EXPECT_EQ(get->told, "") << code;
    EXPECT_EQ(Sent(1), Command({"GET", "k"}));
    Reply(1, "-" + code + " too\r\n");
    EXPECT_EQ(get->told, "-" + code + " too\r\n");
  }
  Asked* lost = Ask({"GET", "k"});
  Lose(0);
  EXPECT_EQ(Sent(1), Command({"GET", "k"}));
  Reply(1, "$1\r\nv\r\n");
  EXPECT_EQ(lost->told, "$1\r\nv\r\n");
}

TEST_F(ShardTest, MarksStaleBeforeItAnswers) {
  MakeUp(2);
  Asked* set = Ask({"SET", "k", "v"});
  Lose(1);
  Reply(0, "+OK\r\n");
  EXPECT_EQ(set->told, "");
  EXPECT_EQ(Durable().copies[1].state, CopyState::kInSync);
  RunEdits();
  EXPECT_EQ(Durable().copies[1].state, CopyState::kStale);
  EXPECT_EQ(set->told, "+OK\r\n");
  Asked* next = Ask({"SET", "k", "w"});
  Reply(0, "+OK\r\n");
  EXPECT_EQ(next->told, "+OK\r\n");
}

TEST_F(ShardTest, PromotesTheReplica) {
  MakeUp(2);
  Asked* set = Ask({"SET", "k", "v"});
  Lose(0);
  Asked* held = Ask({"SET", "k", "w"});
  Sent(1);
  Reply(1, "+OK\r\n");
  EXPECT_EQ(set->told, "");
  RunEdits();
  EXPECT_EQ(set->told, "+OK\r\n");
  EXPECT_EQ(Durable().primary, 1u);
  EXPECT_EQ(Durable().copies[0].state, CopyState::kStale);
  EXPECT_EQ(Sent(1), Command({"SET", "k", "w"}));
  Reply(1, "+OK\r\n");
  EXPECT_EQ(held->told, "+OK\r\n");
  EXPECT_EQ(shard_->figures().Get("promotions"), 1u);
}

TEST_F(ShardTest, AnEditDecidedOnOldKnowledgeIsRefused) {
  MakeUp(2);
  // Somebody else changes the shard.
  queue_->Add({EditKind::kAddCopy, "a", "n9", "", ""}, [](const EditResult&) {});
  RunEdits();
  Ask({"SET", "k", "v"});
  Lose(0);
  RunEdits();
  EXPECT_EQ(Durable().primary, 0u);
  EXPECT_NE(notes_.find("could not promote n1: it was decided on epoch 1 of shard \"a\", which is "
                        "at epoch 2 now"),
            std::string::npos)
      << notes_;
}

TEST_F(ShardTest, ALostIdleConnectionIsNoReasonToLeave) {
  base_.grace_ms = 40;
  MakeUp(2);
  Lose(1);
  Asked* set = Ask({"SET", "k", "v"});
  EXPECT_EQ(Sent(0), "");  // it waits
  Up(1, "r1");
  EXPECT_EQ(Sent(0), Command({"SET", "k", "v"}));
  EXPECT_EQ(Sent(1), Command({"SET", "k", "v"}));
  Reply(0, "+OK\r\n");
  Reply(1, "+OK\r\n");
  EXPECT_EQ(set->told, "+OK\r\n");
  EXPECT_TRUE(queue_->idle());
}

TEST_F(ShardTest, ARestartedNodeHasLostItsData) {
  MakeUp(2);
  Lose(0);
  Up(0, "another", 0);
  RunEdits();
  EXPECT_EQ(Durable().primary, 1u);
  Asked* get = Ask({"GET", "k"});
  EXPECT_EQ(Sent(0), "");
  EXPECT_EQ(Sent(1), Command({"GET", "k"}));
  Reply(1, "$-1\r\n");
  EXPECT_EQ(get->told, "$-1\r\n");
  // Once it is made equal it takes part again.
  EXPECT_EQ(shard_->ports().resync.CopyToResync(), 0);
  bool drained = false;
  shard_->ports().resync.Pause([&] { drained = true; });
  EXPECT_TRUE(drained);
  bool done = false;
  shard_->ports().resync.ProposeInSync(0, [&](bool ok) { done = ok; });
  RunEdits();
  shard_->ports().resync.Resume();
  EXPECT_TRUE(done);
  Asked* set = Ask({"SET", "k", "v"});
  Reply(0, "+OK\r\n");
  Reply(1, "+OK\r\n");
  EXPECT_EQ(set->told, "+OK\r\n");
}

TEST_F(ShardTest, WhatWasEmptyOnceIsNotTakenForAnEmptyCopy) {
  Make(2);
  Up(0, "r0", 0);
  Up(1, "r1", 0);
  Ask({"SET", "k", "v"});
  Reply(0, "+OK\r\n");
  Reply(1, "+OK\r\n");
  Lose(0);
  Up(0, "r0", 1);
  Lose(0);
  Up(0, "another", 0);
  RunEdits();
  EXPECT_EQ(Durable().primary, 1u);
  EXPECT_EQ(Durable().copies[0].state, CopyState::kStale);
}

TEST_F(ShardTest, EmptyCopiesAreEqual) {
  Make(2);
  Up(0, "r0");
  Up(1, "another", 0);
  RunEdits();
  EXPECT_EQ(Durable().copies[1].state, CopyState::kStale);  // the primary is not empty
  Make(2);
  Up(1, "another", 0);
  Up(0, "r0", 0);
  RunEdits();
  EXPECT_EQ(Durable().copies[1].state, CopyState::kInSync);
  EXPECT_EQ(Durable().copies[1].run_id, "another");
}

TEST_F(ShardTest, RepairsAKeyWhoseCopiesDiffer) {
  MakeUp(2);
  Asked* incr = Ask({"INCR", "k"});
  Sent(0);
  Sent(1);
  Reply(0, ":5\r\n");
  Reply(1, ":4\r\n");
  EXPECT_EQ(incr->told, "");  // the replica does not have it yet
  ExpectRepair(0, "k");
  Asked* held = Ask({"GET", "k"}, 2);
  Asked* other = Ask({"GET", "other"}, 3);
  EXPECT_EQ(Sent(0), Command({"GET", "other"}));
  Reply(0, "$3\r\nabc\r\n:-1\r\n$-1\r\n");
  EXPECT_EQ(other->told, "$-1\r\n");
  EXPECT_EQ(Sent(1), Command({"RESTORE", "k", "0", "abc", "REPLACE"}));
  EXPECT_EQ(held->told, "");
  Reply(1, "+OK\r\n");
  EXPECT_EQ(incr->told, ":5\r\n");
  EXPECT_EQ(Sent(0), Command({"GET", "k"}));
  EXPECT_EQ(shard_->figures().Get("repaired"), 1u);
  EXPECT_TRUE(queue_->idle());
}

TEST_F(ShardTest, AKeyThatCannotBeRepairedCostsTheCopyItsPlace) {
  MakeUp(2);
  Asked* incr = Ask({"INCR", "k"});
  Reply(0, ":5\r\n");
  Reply(1, ":4\r\n");
  Reply(0, ":100\r\n$3\r\nabc\r\n:-1\r\n");
  Reply(1, "-OOM command not allowed\r\n");
  EXPECT_EQ(incr->told, "");
  RunEdits();
  EXPECT_EQ(incr->told, ":5\r\n");
  EXPECT_EQ(Durable().copies[1].state, CopyState::kStale);
}

// Each refused a write that the other applied: one of them is the truth, and serves.
TEST_F(ShardTest, CrossedRefusalsLeaveOneCopyThatServes) {
  MakeUp(2);
  Asked* one = Ask({"SET", "k", "1"});
  Asked* two = Ask({"SET", "k", "2"}, 2);
  Reply(0, "-OOM command not allowed\r\n+OK\r\n");
  Reply(1, "+OK\r\n-OOM command not allowed\r\n");
  for (int i = 0; i < 20; ++i) {
    RunEdits();
    Pass(10);
  }
  EXPECT_NE(one->told, "");
  EXPECT_TRUE(two->told.starts_with("-")) << two->told;
  const uint32_t left = Durable().primary;
  EXPECT_EQ(Durable().copies[left].state, CopyState::kInSync);
  EXPECT_EQ(Durable().copies[1 - left].state, CopyState::kStale);
  Sent(0);
  Sent(1);
  Asked* get = Ask({"GET", "other"}, 3);
  EXPECT_EQ(Sent(left), Command({"GET", "other"}));
  // The other joins, and the key is repaired.
  Reply(left, ":100\r\n$1\r\n1\r\n");
  EXPECT_EQ(get->told, "$1\r\n1\r\n");
  Reply(left, "$4\r\ndump\r\n:-1\r\n");
  EXPECT_EQ(Sent(1 - left), Command({"RESTORE", "k", "0", "dump", "REPLACE"}));
  Reply(1 - left, "+OK\r\n");
  Sent(left);
  Asked* set = Ask({"SET", "k", "3"}, 3);
  EXPECT_EQ(Sent(left), Command({"SET", "k", "3"}));
  Reply(left, "+OK\r\n");
  Reply(1 - left, "+OK\r\n");
  EXPECT_EQ(set->told, "+OK\r\n");
}

TEST_F(ShardTest, OneServerUnderTwoNamesIsOneCopy) {
  Make(2);
  Up(0, "r0");
  Up(1, "r0");
  EXPECT_TRUE(shard_->link(0)->up());
  EXPECT_FALSE(shard_->link(1)->up());
  EXPECT_NE(shard_->link(1)->last_error().find("the same server as n0"), std::string::npos);
  EXPECT_NE(notes_.find("n1 is not used: it is the same server as n0"), std::string::npos);
  for (int i = 0; i < 100; ++i) {
    Pass(20);
    RunEdits();
    if (shard_->link(1)->state() == Link::State::kConnecting) Up(1, "r0");
    EXPECT_FALSE(shard_->link(1)->up());
  }
  EXPECT_EQ(Durable().copies[1].state, CopyState::kStale);
  Sent(0);
  Ask({"INCR", "k"});
  EXPECT_EQ(Sent(0), Command({"INCR", "k"}));
  EXPECT_EQ(Sent(1), "");
}

TEST_F(ShardTest, SaysThatItIsDown) {
  MakeUp(1);
  Asked* lost = Ask({"SET", "k", "v"});
  Lose(0);
  EXPECT_EQ(
      lost->told,
      "-CLUSTERDOWN shard 'a': the connection to n0 was lost before it answered; the write may "
      "or may not have been applied\r\n");
  Asked* held = Ask({"GET", "k"});
  EXPECT_EQ(held->told, "");
  shard_->Tick(now_ms_, 0);
  Lose(0, true);
  EXPECT_EQ(held->told,
            "-CLUSTERDOWN shard 'a' is down: n0 (primary) cannot be reached: refused\r\n");
  EXPECT_EQ(Ask({"GET", "k"})->told, held->told);
}

TEST_F(ShardTest, SaysThatTheStateCannotBeSaved) {
  MakeUp(2);
  Asked* set = Ask({"SET", "k", "v"});
  Lose(1);
  Reply(0, "+OK\r\n");
  RunEdits(false);
  EXPECT_EQ(set->told, "");
  const std::string& told = Ask({"SET", "k", "w"})->told;
  EXPECT_TRUE(told.ends_with("; the state cannot be saved: the disk is full\r\n")) << told;
  EXPECT_EQ(shard_->edits().error(), "the disk is full");
  EXPECT_EQ(shard_->figures().Get("edits_failed"), 1u);
  shard_->Tick(now_ms_ += 1500, 0);
  RunEdits();
  EXPECT_EQ(set->told, "+OK\r\n");
  EXPECT_EQ(shard_->edits().error(), "");
  EXPECT_EQ(shard_->figures().Get("edits_failed"), 1u);
}

constexpr const char* kRefusals[] = {"-OOM no memory\r\n",         "-MISCONF cannot save\r\n",
                                     "-NOREPLICAS not enough\r\n", "-BUSY a script runs\r\n",
                                     "-READONLY a replica\r\n",    "-LOADING\r\n"};

TEST_F(ShardTest, OneRefusesAndTheWriteStandsOnTheOther) {
  for (const char* refusal : kRefusals) {
    for (const uint32_t refuser : {0u, 1u}) {
      SCOPED_TRACE(refusal + std::to_string(refuser));
      const uint32_t other = 1 - refuser;
      MakeUp(2);
      Asked* one = Ask({"SET", "k", "v"});
      Asked* two = Ask({"INCR", "n"});
      Reply(refuser, refusal);
      Reply(refuser, refusal);
      Reply(other, "+OK\r\n:1\r\n");
      EXPECT_EQ(one->told, "");  // not before the mark is durable
      RunEdits();
      EXPECT_EQ(one->told, "+OK\r\n");
      EXPECT_EQ(two->told, ":1\r\n");
      EXPECT_EQ(Durable().copies[refuser].state, CopyState::kStale);
      EXPECT_EQ(Durable().primary, other);
      Sent(refuser);
      EXPECT_EQ(Ask({"GET", "k"})->told, "");
      EXPECT_EQ(Sent(refuser), "");
      Reply(other, "$1\r\nv\r\n");
    }
  }
}

TEST_F(ShardTest, WhoRefusedComesBackByTheKeysThatItMissed) {
  MakeUp(2);
  Asked* set = Ask({"SET", "k", "v"});
  Reply(0, "+OK\r\n");
  Reply(1, "-OOM no memory\r\n");
  RunEdits();
  EXPECT_EQ(set->told, "+OK\r\n");
  Sent(0);
  Sent(1);
  Pass(1000);
  ExpectRepair(0, "k");
  Reply(0, "$3\r\nabc\r\n:-1\r\n");
  EXPECT_EQ(Sent(1), Command({"RESTORE", "k", "0", "abc", "REPLACE"}));
  Reply(1, "+OK\r\n");
  Pass(100);
  RunEdits();
  EXPECT_EQ(Durable().copies[1].state, CopyState::kInSync);
}

// It was joining when the write was sent, and is in sync when the primary refuses it.
TEST_F(ShardTest, WhatACopyThatHasJoinedAppliedStands) {
  for (const bool primary_first : {false, true}) {
    MakeUp(2);
    Ask({"SET", "k", "v"});
    Reply(0, "+OK\r\n");
    Lose(1);
    RunEdits();
    Sent(0);
    Up(1, "r1");
    Pass(10);
    ExpectRepair(0, "k");
    Reply(0, "$3\r\nabc\r\n:-1\r\n");
    Asked* set = Ask({"SET", "other", "w"}, 2);
    EXPECT_NE(Sent(1).find(Command({"SET", "other", "w"})), std::string::npos);
    Reply(1, "+OK\r\n");  // to the RESTORE: its journal is empty
    Pass(10);
    if (!primary_first) Reply(1, "+OK\r\n");
    RunEdits();
    ASSERT_EQ(Durable().copies[1].state, CopyState::kInSync);
    Reply(0, "-OOM no memory\r\n");
    if (primary_first) Reply(1, "+OK\r\n");
    EXPECT_EQ(set->told, "");
    RunEdits();
    EXPECT_EQ(set->told, "+OK\r\n");
    EXPECT_EQ(Durable().primary, 1u);
    EXPECT_EQ(Durable().copies[0].state, CopyState::kStale);
  }
}

TEST_F(ShardTest, AllRefuseAndNobodyLeaves) {
  for (const char* refusal : kRefusals) {
    SCOPED_TRACE(refusal);
    MakeUp(2);
    Asked* one = Ask({"SET", "k", "v"});
    Asked* two = Ask({"INCR", "n"});
    Reply(0, refusal);
    Reply(1, refusal);
    EXPECT_EQ(one->told, refusal);
    EXPECT_EQ(two->told, "");
    Reply(1, refusal);
    Reply(0, refusal);
    EXPECT_EQ(two->told, refusal);
    EXPECT_TRUE(queue_->idle());
    EXPECT_EQ(Durable().copies[0].state, CopyState::kInSync);
    EXPECT_EQ(Durable().copies[1].state, CopyState::kInSync);
    // And both go on.
    Asked* get = Ask({"GET", "k"});
    Asked* set = Ask({"SET", "k", "w"});
    Reply(0, "$-1\r\n+OK\r\n");
    Reply(1, "+OK\r\n");
    EXPECT_EQ(get->told, "$-1\r\n");
    EXPECT_EQ(set->told, "+OK\r\n");
    EXPECT_TRUE(queue_->idle());
  }
}

TEST_F(ShardTest, WaitsWithABound) {
  MakeUp(2);
  Lose(1);
  Asked* held = Ask({"SET", "k", "v"});
  Asked* behind = Ask({"GET", "k"});  // of the same session: it may not overtake
  EXPECT_EQ(Ask({"GET", "k"}, 2)->told, "");
  EXPECT_EQ(Sent(0), Command({"GET", "k"}));
  shard_->Tick(now_ms_ += 5000, 0);
  EXPECT_TRUE(held->told.starts_with("-CLUSTERDOWN"));
  EXPECT_TRUE(behind->told.starts_with("-CLUSTERDOWN"));
}

TEST_F(ShardTest, AnswersAllWhenItStops) {
  MakeUp(2);
  Asked* half = Ask({"SET", "k", "v"});
  Asked* read = Ask({"GET", "k"});
  Reply(0, "+OK\r\n");
  shard_->ports().resync.Pause([] {});
  Asked* held = Ask({"SET", "k", "w"});
  shard_->Stop();
  for (Asked* request : {half, read, held}) {
    EXPECT_TRUE(request->told.starts_with("-CLUSTERDOWN")) << request->told;
  }
}

// Balanced, with nobody waiting: asking does not change who is next.
TEST_F(ShardTest, ExplainNamesTheCopyThatTheNextReadGoesTo) {
  MakeUp(3, Ack::kAll, ReadFrom::kBalanced);
  for (int i = 0; i < 7; ++i) {
    const std::string told = Explain(false);
    EXPECT_EQ(told, Explain(false));
    for (uint32_t copy = 0; copy < 3; ++copy) Sent(copy);
    Asked* get = Ask({"GET", "k"});
    for (uint32_t copy = 0; copy < 3; ++copy) {
      const bool asked = !Sent(copy).empty();
      const std::string node = "read_from\r\n$2\r\nn" + std::to_string(copy) + "\r\n";
      EXPECT_EQ(asked, told.find(node) != std::string::npos) << told;
      if (asked) Reply(copy, "$1\r\nv\r\n");
    }
    EXPECT_EQ(get->told, "$1\r\nv\r\n");
  }
}

// Another member of a fleet marks the replica stale: it is neither read nor waited for any more.
TEST_F(ShardTest, GoesByEditsThatOthersMade) {
  MakeUp(2, Ack::kAll, ReadFrom::kReplica);
  ShardInfo info = Durable();
  info.epoch += 1;
  info.copies[1].state = CopyState::kStale;
  info.copies[1].reason = "another member says so";
  Asked* set = Ask({"SET", "k", "v"});
  Reply(0, "+OK\r\n");
  EXPECT_EQ(set->told, "");
  shard_->edits().OnTopology(info);
  EXPECT_EQ(shard_->copies().stage(1), CopyStage::kUnknown);
  Sent(0);
  Sent(1);
  Ask({"GET", "k"});
  EXPECT_EQ(Sent(0), Command({"GET", "k"}));
  EXPECT_EQ(Sent(1), "");
  Lose(1);
  EXPECT_EQ(set->told, "+OK\r\n");
  // One that is older than what is known is not heard.
  info.epoch -= 1;
  info.copies[1] = Durable().copies[1];
  shard_->edits().OnTopology(info);
  EXPECT_FALSE(shard_->copies().InSync(1));
}

}  // namespace
}  // namespace gemel::shard_test
