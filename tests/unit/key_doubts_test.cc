// Keys in doubt: from which copy each is made equal, or whether it is deleted on all.

#include "tests/unit/key_doubts_world.h"

namespace gemel::key_doubts_test {
namespace {

TEST_F(KeyDoubtsTest, NothingIsDecidedBeforeTheNodesHaveAnsweredWhatWasSent) {
  Begin(2);
  Record();
  Add("a");
  Ask({"SET", "b", "1"});
  Sent(0);
  Sent(1);
  Tell(0, {"a"});
  Reply(0, "+OK\r\n");
  EndBarrier();
  EXPECT_EQ(Sent(0), "") << "copy 1 may be about to remove it, too";
  Reply(1, "+OK\r\n");
  EXPECT_EQ(Sent(0), "") << "and about to tell it";
  EndBarrier();
  ExpectMadeEqual(0, "a");
}

// What was read behind such a write may be what it did on the primary.
TEST_F(KeyDoubtsTest, WhereRepliesDifferWhatClientsHaveSeenOfThePrimaryStands) {
  for (const std::vector<uint32_t>& told : {std::vector<uint32_t>{2}, {0, 2}, {0}}) {
    for (const char* event : {"expired", "evicted"}) {
      Anew();
      Begin(3);
      Record();
      Add("a");
      if (told.size() == 1) Tell(told[0], {"a"}, event);
      shard_->removals().doubts().Ask("a");
      EXPECT_TRUE(shard_->removals().doubts().Has("a"));
      if (told.size() > 1) Tell(told[0], {"a"}, event);
      if (told.size() > 1) Tell(told[1], {"a"}, event);
      EndBarrier();
      ExpectMadeEqual(0, "a");
    }
  }
}

TEST_F(KeyDoubtsTest, WhereRepliesDifferTheAnswerIsWhatThePrimaryDid) {
  Begin(2);
  Record();
  Asked* write = Ask({"SADD", "a", "m"});
  Asked* read = Ask({"SCARD", "a"});
  EXPECT_EQ(Sent(0), Command({"SADD", "a", "m"}) + Command({"SCARD", "a"}));
  Sent(1);
  Reply(0, ":0\r\n:7\r\n");
  EXPECT_EQ(read->told, ":7\r\n");
  Reply(1, ":1\r\n");
  Tell(1, {"a"});
  EndBarrier();
  ExpectMadeEqual(0, "a");
  EXPECT_EQ(write->told, ":0\r\n");
}

TEST_F(KeyDoubtsTest, OneThatTellsWhileThisIsWaitedForHasItRightIfItMayHaveBeenRead) {
  for (const bool long_ago : {false, true}) {
    Anew();
    BeginSeenElsewhere(3);
    if (long_ago) shard_->Tick(now_ms_ += 10'000, 0);
    PassBarriers();
    Add("a");
    shard_->removals().doubts().Ask("a");
    Tell(2, {"a"}, "evicted");
    EndBarrier();
    ExpectMadeEqual(long_ago ? 0 : 2, "a");
  }
}

TEST_F(KeyDoubtsTest, OneThatTellsHasItRightWhereAnyCopyAnswers) {
  Begin(3, Ack::kAny);
  Record();
  Add("a");
  shard_->removals().doubts().Ask("a");
  Tell(2, {"a"}, "evicted");
  EndBarrier();
  ExpectMadeEqual(2, "a");
}

TEST_F(KeyDoubtsTest, IfNobodyTellsThePrimaryHasItRight) {
  Begin(3);
  shard_->removals().doubts().Ask("a");
  EXPECT_EQ(Sent(0), "");
  EndBarrier();
  ExpectMadeEqual(0, "a");
}

TEST_F(KeyDoubtsTest, OfSeveralWhereOneHasNothingItIsDeletedOnAll) {
  for (const char* event : {"expired", "evicted"}) {
    for (const bool first : {true, false}) {
      Doubt(3, {1, 2}, event);
      ExpectWeighed({1, 2});
      Reply(1, first ? "$-1\r\n" : Dump("abc"));
      for (uint32_t i = 0; i < 3; ++i) EXPECT_EQ(Sent(i), "") << "the other may have less yet";
      Reply(2, first ? Dump("abc") : "$-1\r\n");
      ExpectDeleted("a", {0, 1, 2});
    }
  }
}

TEST_F(KeyDoubtsTest, OfSeveralTheShortestDumpCounts) {
  for (const char* event : {"expired", "evicted"}) {
    for (const bool first : {true, false}) {
      Doubt(3, {0, 2}, event);
      ExpectWeighed({0, 2});
      if (!first) Reply(0, Dump("abcde"));
      Reply(2, Dump("xyz"));
      if (first) Reply(0, Dump("abcde"));
      ExpectMadeEqual(2, "a");
    }
  }
}

TEST_F(KeyDoubtsTest, OfSeveralThatAreEqualOneCounts) {
  Doubt(2, {0, 1}, "evicted");
  ExpectWeighed({0, 1});
  Reply(1, Dump("abc"));
  Reply(0, Dump("abc"));
  ExpectMadeEqual(0, "a");
}

TEST_F(KeyDoubtsTest, EvictedOnesOfOneLengthThatDifferAreDeleted) {
  Doubt(3, {1, 2}, "evicted");
  ExpectWeighed({1, 2});
  Reply(1, Dump("abc"));
  Reply(2, Dump("xyz"));
  ExpectDeleted("a", {0, 1, 2});
  // Whoever answers last.
  Doubt(3, {0, 1, 2}, "evicted");
  ExpectWeighed({0, 1, 2});
  Reply(1, Dump("abc"));
  Reply(2, Dump("xyz"));
  Reply(0, Dump("abc"));
  ExpectDeleted("a", {0, 1, 2});
  // Unless another has less.
  Doubt(3, {0, 1, 2}, "evicted");
  ExpectWeighed({0, 1, 2});
  Reply(1, Dump("abc"));
  Reply(2, Dump("xyz"));
  Reply(0, Dump("x"));
  ExpectMadeEqual(0, "a");
}

TEST_F(KeyDoubtsTest, OfExpiredOnesOfOneLengthThatDifferThePrimaryCounts) {
  for (const bool first : {true, false}) {
    Doubt(2, {0, 1}, "expired");
    ExpectWeighed({0, 1});
    if (first) Reply(0, Dump("abc"));
    Reply(1, Dump("xyz"));
    if (!first) Reply(0, Dump("abc"));
    ExpectMadeEqual(0, "a");
  }
}

TEST_F(KeyDoubtsTest, OneThatDoesNotSayWhatItHasMayHaveWhatWasGone) {
  Doubt(3, {1, 2}, "evicted");
  ExpectWeighed({1, 2});
  Reply(1, "-NOPERM no\r\n");
  Reply(2, Dump("abc"));
  ExpectDeleted("a", {0, 1, 2});
  Doubt(3, {1, 2}, "expired");
  ExpectWeighed({1, 2});
  Reply(1, Dump("abc"));
  Reply(2, "-NOPERM no\r\n");
  EXPECT_EQ(Sent(0), Command({"PTTL", "a"}));
}

TEST_F(KeyDoubtsTest, OneThatIsAwayWhileItIsAskedIsAskedAgain) {
  base_.grace_ms = 400;
  Doubt(3, {1, 2}, "evicted");
  ExpectWeighed({1, 2});
  Lose(2);
  Reply(1, Dump("abcde"));
  for (uint32_t i = 0; i < 2; ++i) EXPECT_EQ(Sent(i), "") << "the other may have less";
  Up(2, "r2");
  EXPECT_EQ(Sent(1), Command({"DUMP", "a"}));
  EXPECT_EQ(shard_->link(2)->line().size(), 1u);
  Sent(2);
  Reply(1, Dump("abcde"));
  Reply(2, Dump("xyz"));
  ExpectMadeEqual(2, "a");
}

TEST_F(KeyDoubtsTest, WhoIsLostWhileItIsAskedIsLostWithWhatItHadRight) {
  for (const bool evicted : {true, false}) {
    Doubt(3, {1, 2}, evicted ? "evicted" : "expired");
    ExpectWeighed({1, 2});
    Lose(2, /*refused=*/true);
    RunEdits();
    Reply(1, Dump("abcde"));
    if (evicted) {
      EXPECT_EQ(Sent(0), Command({"DEL", "a"}));
      EXPECT_EQ(Sent(1), Command({"DEL", "a"}));
    } else {
      ExpectRepair(1, "a");
    }
  }
}

TEST_F(KeyDoubtsTest, WhatIsDeletedOnAllWaitsForOneThatIsAwayForAMoment) {
  base_.grace_ms = 400;
  Doubt(4, {1, 2}, "evicted");
  ExpectWeighed({1, 2});
  Lose(3);
  Reply(1, "$-1\r\n");
  Reply(2, "$-1\r\n");
  for (uint32_t i = 0; i < 3; ++i) EXPECT_EQ(Sent(i), "") << "it would be back with the key";
  Up(3, "r3");
  EXPECT_EQ(shard_->link(3)->line().size(), 1u);
  Sent(3);
  Reply(3, ":1\r\n");
  ExpectDeleted("a", {0, 1, 2});
}

TEST_F(KeyDoubtsTest, WhatAReplicaHadEvictedIsDeletedIfThatIsLost) {
  for (const bool repairing : {true, false}) {
    Doubt(2, {1}, "evicted");
    if (repairing) ExpectRepair(1, "a");
    Asked* read = Ask({"SCARD", "a"});
    Lose(1, /*refused=*/true);
    RunEdits();
    EXPECT_EQ(Durable().copies[1].state, CopyState::kStale);
    EXPECT_EQ(Sent(0), Command({"DEL", "a"}) + Command({"SCARD", "a"}));
    Reply(0, ":1\r\n:0\r\n");
    EXPECT_EQ(read->told, ":0\r\n");
  }
}

TEST_F(KeyDoubtsTest, WhatExpiredOnAReplicaThatIsLostIsJudged) {
  Doubt(2, {1}, "expired");
  ExpectRepair(1, "a");
  Lose(1, /*refused=*/true);
  RunEdits();
  EXPECT_EQ(Sent(0), Command({"PTTL", "a"}));
  Reply(0, ":-2\r\n");
  EXPECT_EQ(Sent(0), Command({"DEL", "a"}));
}

// What it had removed may not be told yet.
TEST_F(KeyDoubtsTest, WhatACopyThatIsAwayForAMomentTellsIsWaitedFor) {
  base_.grace_ms = 400;
  BeginSeenElsewhere(2);
  Add("a");
  shard_->removals().doubts().Ask("a");
  shard_->Tick(now_ms_ += 5, 0);
  EXPECT_EQ(FeedSent(0), Command({"PING"}));
  EXPECT_EQ(FeedSent(1), Command({"PING"}));
  Lose(1);
  Pong(0);
  Pass(20);
  EXPECT_EQ(FeedSent(0), Command({"PING"}));
  EXPECT_EQ(FeedSent(1), "");
  Up(1, "r1");
  Pong(0);
  Pass(20);
  EXPECT_EQ(Sent(0), "") << "it has not answered";
  EXPECT_EQ(FeedSent(0), Command({"PING"}));
  EXPECT_EQ(FeedSent(1), Command({"PING"}));
  Pong(0);
  Pong(1);
  Pass(20);
  EXPECT_EQ(Sent(0), "") << "that was the answer to what it was asked before";
  Tell(1, {"a"}, "evicted");
  Pong(1);
  ExpectMadeEqual(1, "a");
}

TEST_F(KeyDoubtsTest, WhoToldHasItRightAlsoOfATimeThatIsNow) {
  Begin(2);
  unix_ms_ = 1'000'000'000'000;
  Ask({"EXPIREAT", "near", "1000000000"});
  Asked* read = Ask({"GET", "near"});
  for (uint32_t i = 0; i < 2; ++i) {
    EXPECT_EQ(Sent(i), Command({"EXPIREAT", "near", "1000000000"}));
    Reply(i, ":1\r\n");
  }
  Tell(1, {"near"});
  ExpectRepairOnceHeard(1, "near");
  Reply(1, "$-1\r\n:-2\r\n");
  EXPECT_EQ(Sent(0), Command({"DEL", "near"}));
  Reply(0, ":1\r\n");
  EXPECT_EQ(Sent(0), Command({"GET", "near"}));
  Reply(0, "$-1\r\n");
  EXPECT_EQ(read->told, "$-1\r\n");
  EXPECT_TRUE(shard_->Idle());
}

// By the lost primary's clock it may have been past. As a part of a state it came to the others
// with that, and the one that is left may have none of it.
TEST_F(KeyDoubtsTest, ATimeThatIsNowIsJudgedIfThePrimaryIsLost) {
  for (const bool state : {true, false}) {
    Anew();
    Begin(2);
    Record();
    unix_ms_ = 1'000'000'000'000;
    if (state) {
      SendState(unix_ms_ + 500);
    } else {
      Ask({"EXPIREAT", "k", "1000000000"});
      for (uint32_t i = 0; i < 2; ++i) {
        Sent(i);
        Reply(i, ":1\r\n");
      }
    }
    EXPECT_TRUE(shard_->removals().doubts().Has("k"));
    shard_->feed_link(0)->OnClosed("reset", false, now_ms_);
    Lose(0, /*refused=*/true);
    RunEdits();
    EXPECT_EQ(Durable().primary, 1u);
    EndBarrier();
    EXPECT_EQ(Sent(1), state ? "" : Command({"PTTL", "k"}));
    EXPECT_EQ(shard_->removals().doubts().Has("k"), !state);
  }
}

}  // namespace
}  // namespace gemel::key_doubts_test
