// Keys that a node removed by itself: gone on every copy, and what was written meanwhile is made
// equal by state.

#include <gtest/gtest.h>

#include "tests/unit/removals_world.h"

namespace gemel::removals_test {
namespace {

class RemovalsTest : public RemovalsWorld {
 protected:
  // The repair of "near" has got what it is, which it will be for a moment only. Returns a GET that
  // waits for that.
  Asked* BeginRepairOfOneThatExpires() {
    Begin(2);
    unix_ms_ = 1'000'000'000'000;
    Ask({"EXPIREAT", "near", "999999999"});
    Asked* read = Ask({"GET", "near"});
    Sent(0);
    Sent(1);
    Reply(0, ":1\r\n");
    Reply(1, ":1\r\n");
    ExpectRepairOnceHeard(0, "near");
    Reply(0, "$3\r\nabc\r\n:1000000000002\r\n");
    return read;
  }
};

TEST_F(RemovalsTest, WhatIsGoneOnOneCopyIsDeletedOnTheOthers) {
  Begin(3);
  Record();
  Tell(0, {"a", "b"});
  EXPECT_EQ(Sent(0), "") << "it has done so itself";
  const std::string deleted = Sent(1);
  EXPECT_TRUE(deleted == Command({"DEL", "a", "b"}) || deleted == Command({"DEL", "b", "a"}));
  EXPECT_EQ(Sent(2), deleted);
  Reply(1, ":2\r\n");
  Reply(2, ":0\r\n");
  EXPECT_TRUE(shard_->Idle());
  EXPECT_EQ(edits_, "");
  // The same of one that is not the primary.
  Tell(2, {"c"}, "evicted");
  EXPECT_EQ(Sent(0), Command({"DEL", "c"}));
  EXPECT_EQ(Sent(1), Command({"DEL", "c"}));
  EXPECT_EQ(Sent(2), "");
}

TEST_F(RemovalsTest, WhatAllHaveRemovedIsNotDeletedAgain) {
  Begin(2);
  Record();
  Tell(0, {"a"});
  EXPECT_EQ(Sent(1), Command({"DEL", "a"}));
  Tell(1, {"a"});
  EXPECT_EQ(Sent(0), "") << "the primary has told it first";
  EXPECT_EQ(Sent(1), "");
  Tell(0, {"a"});
  EXPECT_EQ(Sent(1), "");
}

TEST_F(RemovalsTest, ADeletionIsBehindWhatWasSentAndBeforeWhatComes) {
  Begin(2);
  Record();
  Ask({"SET", "b", "1"});
  Tell(0, {"a"});
  Ask({"SET", "a", "2"});
  EXPECT_EQ(Sent(1),
            Command({"SET", "b", "1"}) + Command({"DEL", "a"}) + Command({"SET", "a", "2"}));
  EXPECT_EQ(Sent(0), Command({"SET", "b", "1"}) + Command({"SET", "a", "2"}));
}

TEST_F(RemovalsTest, WhatWasWrittenMeanwhileIsMadeEqualByState) {
  Begin(2);
  Record();
  Asked* write = Ask({"HSET", "a", "f", "1"});
  Sent(0);
  Sent(1);
  Reply(0, ":1\r\n");
  Reply(1, ":1\r\n");
  EXPECT_EQ(write->told, ":1\r\n");
  Tell(0, {"a"});  // before or behind the write: nobody knows
  EXPECT_EQ(Sent(1), "");
  ExpectRepairOnceHeard(0, "a");
  Asked* read = Ask({"HGETALL", "a"});
  EXPECT_EQ(Sent(0), "") << "until the copies are equal";
  Reply(0, "$3\r\nabc\r\n:-1\r\n");
  EXPECT_EQ(Sent(1), Command({"RESTORE", "a", "0", "abc", "REPLACE"}));
  Reply(1, "+OK\r\n");
  EXPECT_EQ(Sent(0), Command({"HGETALL", "a"}));
  Reply(0, "*0\r\n");
  EXPECT_EQ(read->told, "*0\r\n");
  EXPECT_EQ(edits_, "") << "nobody leaves";
  EXPECT_TRUE(shard_->Idle());
}

TEST_F(RemovalsTest, AWriteIsOldOnceTheNodeHasAnsweredItAndTheFeedAPingBehindIt) {
  Begin(2);
  Record();
  Ask({"HSET", "a", "f", "1"});
  Sent(0);
  Sent(1);
  shard_->Tick(now_ms_ += 20, 0);
  EXPECT_EQ(FeedSent(0), "") << "the write is not answered";
  Reply(0, ":1\r\n");
  EXPECT_EQ(FeedSent(0), Command({"PING"})) << "as soon as it is";
  EXPECT_EQ(FeedSent(1), "") << "here it is not";
  Reply(1, ":1\r\n");
  EXPECT_EQ(FeedSent(1), Command({"PING"}));
  Pong(1);
  Tell(0, {"a"});
  EXPECT_EQ(Sent(1), "") << "the write may be younger";
  Pong(0);
  ExpectRepairOnceHeard(0, "a");
  Reply(0, "$-1\r\n:-2\r\n");
  EXPECT_EQ(Sent(1), Command({"DEL", "a"}));
  Reply(1, ":1\r\n");
  PassBarriers();
  PassBarriers();
  Tell(0, {"a"});
  EXPECT_EQ(Sent(1), Command({"DEL", "a"}));
  EXPECT_EQ(Sent(0), "");
}

TEST_F(RemovalsTest, TheFirstRemovalMayBeOlderThanWritesThatNobodyRecorded) {
  Begin(2);
  Tell(0, {"a"});
  ExpectRepairOnceHeard(0, "a");
}

TEST_F(RemovalsTest, ADoubtSpreadsToTheOtherKeysOfAWrite) {
  Begin(2);
  Record();
  Ask({"RENAME", "a", "b"});
  Ask({"RENAME", "c", "d"});
  Sent(0);
  Sent(1);
  Tell(0, {"a"});
  Reply(0, "+OK\r\n+OK\r\n");
  Reply(1, "+OK\r\n+OK\r\n");
  EXPECT_EQ(Sent(0), "") << "not all is heard";
  EndBarrier();
  const std::string asked = Sent(0);
  EXPECT_NE(asked.find(Command({"MEMORY", "USAGE", "a"})), std::string::npos);
  EXPECT_NE(asked.find(Command({"MEMORY", "USAGE", "b"})), std::string::npos);
  EXPECT_EQ(asked.find(Command({"MEMORY", "USAGE", "c"})), std::string::npos);
}

TEST_F(RemovalsTest, WritesOfSeveralKeysAreKnownThoughNothingWasRemovedForLong) {
  Begin(2);
  Ask({"RENAME", "a", "b"});
  Sent(0);
  Sent(1);
  Tell(0, {"a"});
  Reply(0, "+OK\r\n");
  Reply(1, "+OK\r\n");
  EXPECT_EQ(Sent(0), "") << "not all is heard";
  EndBarrier();
  EXPECT_NE(Sent(0).find(Command({"MEMORY", "USAGE", "b"})), std::string::npos);
}

TEST_F(RemovalsTest, ADeletionIsNoLongWork) {
  base_.hang = {200, 400};
  Begin(2);
  Record();
  Tell(0, {"a"});
  EXPECT_EQ(Sent(1), Command({"DEL", "a"}));
  const uint64_t start_ms = now_ms_;
  while (shard_->link(1)->up() && now_ms_ < start_ms + 9000) {
    Pass(10);
    if (shard_->nodes().TakeProbeWish(1)) {
      shard_->nodes().OnProbe(1, ProbeOutcome::kSent, now_ms_);
    }
  }
  EXPECT_LE(now_ms_, start_ms + 240) << "a node that hangs with it is found as soon as ever";
}

TEST_F(RemovalsTest, TheDoubtfulIsDeletedIfThePrimaryIsLost) {
  Begin(2);
  Record();
  Ask({"HSET", "a", "f", "1"});
  Sent(0);
  Sent(1);
  Reply(0, ":1\r\n");
  Reply(1, ":1\r\n");
  Tell(0, {"a"}, "evicted");
  ExpectRepairOnceHeard(0, "a");
  shard_->feed_link(0)->OnClosed("reset", false, now_ms_);
  Lose(0, /*refused=*/true);
  Asked* read = Ask({"HGETALL", "a"});
  RunEdits();
  EXPECT_EQ(Durable().primary, 1u);
  const std::string sent = Sent(1);
  EXPECT_EQ(sent, Command({"DEL", "a"}) + Command({"HGETALL", "a"})) << "nothing old comes back";
  Reply(1, ":1\r\n*0\r\n");
  EXPECT_EQ(read->told, "*0\r\n");
}

// It has what was written since, and nothing of before; a client may have read it there.
TEST_F(RemovalsTest, TheCopyThatRemovedItHasItRight) {
  Begin(2);
  Record();
  Ask({"SADD", "a", "m"});
  Sent(0);
  Sent(1);
  Reply(0, ":1\r\n");
  Reply(1, ":1\r\n");
  Tell(1, {"a"}, "evicted");
  ExpectRepairOnceHeard(1, "a");
  Reply(1, "$3\r\nabc\r\n:-1\r\n");
  EXPECT_EQ(Sent(0), Command({"RESTORE", "a", "0", "abc", "REPLACE"}));
  Reply(0, "-ERR no\r\n");
  // Better the other way round than without the primary.
  shard_->Tick(now_ms_ += 10, 0);
  ExpectRepair(0, "a");
  Reply(0, "$3\r\nxyz\r\n:-1\r\n");
  EXPECT_EQ(Sent(1), Command({"RESTORE", "a", "0", "xyz", "REPLACE"}));
  Reply(1, "+OK\r\n");
  EXPECT_TRUE(shard_->Idle());
  EXPECT_EQ(edits_, "");
}

TEST_F(RemovalsTest, ACopyThatTakesNoWritesJustNowGetsTime) {
  Begin(2);
  Record();
  Tell(0, {"a"});
  EXPECT_EQ(Sent(1), Command({"DEL", "a"}));
  Reply(1, "-READONLY You can't write against a read only replica.\r\n");
  Asked* read = Ask({"GET", "a"});
  EXPECT_EQ(Sent(0), "") << "until it is gone everywhere";
  for (int i = 0; i < 3; ++i) {
    Pass(20);
    AnswerPings();
    ExpectRepair(0, "a");
    Reply(0, "$-1\r\n:-2\r\n");
    EXPECT_EQ(Sent(1), Command({"DEL", "a"}));
    Reply(1, i < 2 ? "-MISCONF no\r\n" : ":1\r\n");
  }
  EXPECT_EQ(Sent(0), Command({"GET", "a"}));
  Reply(0, "$-1\r\n");
  EXPECT_EQ(read->told, "$-1\r\n");
  EXPECT_EQ(edits_, "");
}

TEST_F(RemovalsTest, WhoLeavesWhileAKeyIsInDoubtMayHaveItWrong) {
  Begin(2);
  Record();
  Lose(1);
  Tell(0, {"a"});
  EXPECT_EQ(Sent(0), "") << "the other copy may be back";
  Pass(100);
  RunEdits();
  EXPECT_EQ(Durable().copies[1].state, CopyState::kStale);
  PassBarriers();
  Up(1, "r1");
  Pass(600);
  EXPECT_NE(Sent(0).find(Command({"MEMORY", "USAGE", "a"})), std::string::npos);
}

TEST_F(RemovalsTest, WhatAJoiningCopyRemovesOfKeysThatItHasRightIsFollowed) {
  Begin(2);
  Record();
  Ask({"SET", "x", "1"});
  Sent(0);
  Sent(1);
  Lose(1, /*refused=*/true);
  RunEdits();
  Reply(0, "+OK\r\n");
  Up(1, "r1");
  Pass(600);
  PassBarriers();
  PassBarriers();
  Sent(0);
  Sent(1);
  Tell(1, {"a"}, "evicted");
  EXPECT_EQ(Sent(0), Command({"DEL", "a"}));
  Tell(1, {"x"}, "evicted");
  EXPECT_EQ(Sent(0), "") << "that is not right there yet";
}

// Between the two nobody has read it.
TEST_F(RemovalsTest, WhatIsRemovedWhileItIsBeingRepairedIsMadeEqualFromThere) {
  Begin(2);
  Record();
  Ask({"SADD", "a", "m"});
  Sent(0);
  Sent(1);
  Reply(0, ":1\r\n");
  Reply(1, ":1\r\n");
  Tell(1, {"a"}, "evicted");
  ExpectRepairOnceHeard(1, "a");
  Tell(0, {"a"}, "evicted");
  Reply(1, "$3\r\nabc\r\n:-1\r\n");
  EXPECT_EQ(Sent(0), Command({"RESTORE", "a", "0", "abc", "REPLACE"}));
  Reply(0, "+OK\r\n");
  ExpectRepairOnceHeard(0, "a");
}

// What expired on the lost primary, and was written since, is on the other copy in one with what it
// was before: if that is about to expire there as well, nothing that counts is lost with it.
TEST_F(RemovalsTest, WhatExpiredOnTheLostPrimaryIsJudgedByHowLongItLives) {
  for (const std::string left : {":200\r\n", ":-2\r\n", ":-1\r\n", ":60000\r\n"}) {
    const bool lives = left == ":-1\r\n" || left == ":60000\r\n";
    Anew();
    Begin(2);
    Record();
    Ask({"SET", "a", "1"});
    Sent(0);
    Sent(1);
    Reply(0, "+OK\r\n");
    Reply(1, "+OK\r\n");
    Tell(0, {"a"});
    ExpectRepairOnceHeard(0, "a");
    shard_->feed_link(0)->OnClosed("reset", false, now_ms_);
    Lose(0, /*refused=*/true);
    Asked* read = Ask({"GET", "a"});
    RunEdits();
    EXPECT_EQ(Sent(1), Command({"PTTL", "a"})) << left;
    Reply(1, left);
    EXPECT_EQ(Sent(1), (lives ? "" : Command({"DEL", "a"})) + Command({"GET", "a"})) << left;
    Reply(1, std::string(lives ? "" : ":1\r\n") + "$1\r\n1\r\n");
    EXPECT_EQ(read->told, "$1\r\n1\r\n");
  }
}

TEST_F(RemovalsTest, WhatADeadPrimaryHadToldIsHeardBeforeAnotherTakesItsPlace) {
  Begin(2);
  Record();
  Lose(0, /*refused=*/true);
  EXPECT_EQ(edits_, "");
  Tell(0, {"a"});
  EXPECT_EQ(Sent(1), Command({"DEL", "a"}));
  shard_->feed_link(0)->OnClosed("reset", false, now_ms_);
  EXPECT_NE(edits_.find("promote n1"), std::string::npos);
}

TEST_F(RemovalsTest, AFeedThatStaysOpenHoldsUpAPromotionForAMomentOnly) {
  Begin(2);
  Record();
  Lose(0, /*refused=*/true);
  EXPECT_EQ(edits_, "");
  Pass(30);
  EXPECT_NE(edits_.find("promote n1"), std::string::npos);
}

TEST_F(RemovalsTest, OfAStaleCopyItGoesToTheJournal) {
  Begin(2);
  Record();
  Ask({"SET", "x", "1"});
  Sent(0);
  Sent(1);
  Lose(1, /*refused=*/true);
  RunEdits();
  Tell(1, {"a"});
  EXPECT_EQ(Sent(0), "") << "what is gone on a copy that does not count is not gone";
  // And what is gone on the primary meanwhile, too.
  Reply(0, "+OK\r\n");
  PassBarriers();
  PassBarriers();
  Tell(0, {"b"});
  Up(1, "r1");
  Pass(600);
  const std::string sent = Sent(0);
  for (const char* key : {"a", "b", "x"}) {
    EXPECT_NE(sent.find(Command({"MEMORY", "USAGE", key})), std::string::npos) << key;
  }
}

TEST_F(RemovalsTest, ADeletionThatIsLostMakesTheKeyDoubtful) {
  base_.grace_ms = 40;
  Begin(2);
  Record();
  Tell(0, {"a"});
  EXPECT_EQ(Sent(1), Command({"DEL", "a"}));
  Lose(1);
  Up(1, "r1");
  ExpectRepairOnceHeard(0, "a");
  EXPECT_EQ(edits_, "");
}

// Where many keys go there is always one.
TEST_F(RemovalsTest, ADeletionInFlightKeepsNobodyFromBeingMendedInPlace) {
  base_.grace_ms = 400;
  Begin(3);
  Record();
  Ask({"SET", "k", "v"});
  Lose(1);
  Reply(0, "+OK\r\n");
  Reply(2, "+OK\r\n");
  Sent(0);
  Tell(2, {"gone"}, "evicted");
  EXPECT_EQ(Sent(0), Command({"DEL", "gone"}));
  Up(1, "r1");
  Pass(20);
  EXPECT_EQ(edits_, "");
  const std::string asked = Sent(0);
  for (const char* key : {"k", "gone"}) {  // what it missed while it was away, too
    EXPECT_NE(asked.find(Command({"MEMORY", "USAGE", key})), std::string::npos) << key;
  }
}

TEST_F(RemovalsTest, ARefusedDeletionCostsTheCopyItsPlace) {
  Begin(2);
  Record();
  Tell(0, {"a"});
  Sent(1);
  Reply(1, "-NOPERM no\r\n");
  EXPECT_NE(edits_.find("mark stale n1: it refused to delete"), std::string::npos) << edits_;
}

TEST_F(RemovalsTest, AKeyThatIsBeingRepairedIsRepairedAgain) {
  Begin(2);
  Record();
  Ask({"SET", "a", "1"});
  Sent(0);
  Sent(1);
  Reply(0, "+OK\r\n");
  Reply(1, "+OK\r\n");
  Tell(0, {"a"});
  ExpectRepairOnceHeard(0, "a");
  Tell(0, {"a"});  // was that before the DUMP?
  Reply(0, "$3\r\nabc\r\n:-1\r\n");
  EXPECT_EQ(Sent(1), Command({"RESTORE", "a", "0", "abc", "REPLACE"}));
  Reply(1, "+OK\r\n");
  ExpectRepairOnceHeard(0, "a");
}

// A node whose clock is past it deletes the key at once, which is no removal of its own.
TEST_F(RemovalsTest, AKeyThatExpiresNowByTheWallClockIsMadeEqual) {
  Begin(2);
  unix_ms_ = 1'000'000'000'000;
  Ask({"PEXPIREAT", "far", "1000000004000"});
  Ask({"EXPIREAT", "near", "999999999"});
  Asked* read = Ask({"GET", "near"});
  const std::string sent =
      Command({"PEXPIREAT", "far", "1000000004000"}) + Command({"EXPIREAT", "near", "999999999"});
  EXPECT_EQ(Sent(0), sent);
  EXPECT_EQ(Sent(1), sent);
  Reply(0, ":1\r\n:1\r\n");
  Reply(1, ":1\r\n:1\r\n");
  ExpectRepairOnceHeard(0, "near");
  // What the key has left by the primary's clock counts, whatever the replica's says.
  Reply(0, "$3\r\nabc\r\n:1000000000500\r\n");
  EXPECT_EQ(Sent(0), Command({"PTTL", "near"}));
  Reply(0, ":400\r\n");
  EXPECT_EQ(Sent(1), Command({"RESTORE", "near", "400", "abc", "REPLACE"}));
  EXPECT_EQ(Sent(0), "");
  Reply(1, "+OK\r\n");
  EXPECT_EQ(Sent(0), Command({"GET", "near"}));
  Reply(0, "$1\r\nv\r\n");
  EXPECT_EQ(read->told, "$1\r\nv\r\n");
  EXPECT_TRUE(shard_->Idle());
}

// On the copy it would live for as long as the repair takes to get there: a write that comes then
// would find it there, and nothing on the primary.
TEST_F(RemovalsTest, AKeyThatIsJustExpiringIsWaitedFor) {
  Asked* read = BeginRepairOfOneThatExpires();
  for (const char* left : {":10\r\n", ":1\r\n", ":0\r\n", ":-2\r\n"}) {
    EXPECT_EQ(Sent(0), Command({"PTTL", "near"})) << left;
    EXPECT_EQ(Sent(1), "") << left;
    Reply(0, left);
  }
  EXPECT_EQ(Sent(1), Command({"DEL", "near"}));
  Reply(1, ":1\r\n");
  EXPECT_EQ(Sent(0), Command({"GET", "near"}));
  Reply(0, "$-1\r\n");
  EXPECT_EQ(read->told, "$-1\r\n");
  EXPECT_TRUE(shard_->Idle());
}

// Should its clock stand still.
TEST_F(RemovalsTest, ButNotForEver) {
  Asked* read = BeginRepairOfOneThatExpires();
  int asked = 0;
  for (; Sent(0) == Command({"PTTL", "near"}) && asked < 2000; ++asked) Reply(0, ":2\r\n");
  EXPECT_LT(asked, 2000);
  EXPECT_EQ(Sent(1), Command({"RESTORE", "near", "2", "abc", "REPLACE"}));
  Reply(1, "+OK\r\n");
  EXPECT_EQ(Sent(0), Command({"GET", "near"}));
  Reply(0, "$3\r\nabc\r\n");
  EXPECT_EQ(read->told, "$3\r\nabc\r\n");
  EXPECT_TRUE(shard_->Idle());
}

}  // namespace
}  // namespace gemel::removals_test
