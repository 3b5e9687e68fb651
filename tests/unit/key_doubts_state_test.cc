// Keys in doubt whose state has been replaced meanwhile, or is just being judged.

#include "tests/unit/key_doubts_world.h"

namespace gemel::key_doubts_test {
namespace {

TEST_F(KeyDoubtsTest, WhatWasEvictedWhereItsStateHasBeenReplacedIsDeletedOnAll) {
  Begin(2);
  Record();
  SendState();
  Tell(1, {"k"}, "evicted");
  Asked* read = Ask({"XLEN", "k"});
  EndBarrier();
  EXPECT_EQ(Sent(0), Command({"DEL", "k"}) + Command({"XLEN", "k"}));
  EXPECT_EQ(Sent(1), Command({"DEL", "k"}));
  Reply(0, ":1\r\n:0\r\n");
  Reply(1, ":1\r\n");
  EXPECT_EQ(read->told, ":0\r\n");
  EXPECT_TRUE(shard_->Idle());
}

TEST_F(KeyDoubtsTest, WhatExpiredWhereItsStateHasBeenReplacedIsJudgedByHowLongItLives) {
  for (const std::string left :
       {":200\r\n", ":-2\r\n", ":-1\r\n", ":60000\r\n", "-NOPERM no\r\n"}) {
    Anew();
    Begin(3);
    Record();
    SendState();
    Tell(1, {"k"});
    EndBarrier();
    EXPECT_EQ(Sent(0), Command({"PTTL", "k"})) << left;
    Reply(0, left);
    if (left == ":-1\r\n" || left == ":60000\r\n") {
      ExpectMadeEqual(0, "k");
    } else {
      ExpectDeleted("k", {0, 1, 2});
    }
  }
}

// A script takes a lock that has just expired everywhere: that it lives for a moment only does not
// say that it is the one of before.
TEST_F(KeyDoubtsTest, WhatExpiredOnThePrimaryTooIsWhatWasWrittenSince) {
  for (const std::vector<uint32_t>& told : {std::vector<uint32_t>{0, 1}, {1, 0}, {1, 2, 0}}) {
    Anew();
    Begin(3);
    Record();
    SendState(200);
    for (const uint32_t copy : told) Tell(copy, {"k"});
    EndBarrier();
    ExpectMadeEqual(0, "k");
  }
}

TEST_F(KeyDoubtsTest, SoIsWhatThePrimaryRemovedBeforeItWasWritten) {
  Begin(2);
  Record();
  Tell(0, {"k"});
  EXPECT_EQ(Sent(1), Command({"DEL", "k"}));
  Reply(1, ":0\r\n");
  SendState(200);
  Tell(1, {"k"});
  EndBarrier();
  ExpectMadeEqual(0, "k");
}

// The replica removes what is left of before when it gets the state, and tells of it late: the
// primary has been taken at its word by then.
TEST_F(KeyDoubtsTest, SoIsWhatThePrimaryRemovedBeforeTheOthersTell) {
  Begin(2);
  Record();
  Ask({"MIX", "k", "*", "f", "v"});
  EXPECT_EQ(Sent(0), Command({"MEMORY", "USAGE", "k"}));
  Reply(0, ":100\r\n");
  Sent(0);
  Tell(0, {"k"});
  Reply(0, "+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*3\r\n$3\r\n1-1\r\n$1\r\nD\r\n:200\r\n");
  EXPECT_NE(Sent(1).find("RESTORE"), std::string::npos);
  EndBarrier();
  ExpectRepair(0, "k");
  Reply(1, "+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n");
  Tell(1, {"k"});
  Reply(0, "$3\r\nabc\r\n:200\r\n");
  EXPECT_EQ(Sent(1), Command({"RESTORE", "k", "200", "abc", "REPLACE", "ABSTTL"}));
  Reply(1, "+OK\r\n");
  EndBarrier();
  ExpectMadeEqual(0, "k");
}

// What makes the replica equal removes what had expired there, which is told behind the barrier
// that the repair had waited for; and the key is written again by then.
TEST_F(KeyDoubtsTest, SoIsWhatIsWrittenBehindARepairFromThePrimary) {
  Begin(2);
  Record();
  Add("k");
  Tell(0, {"k"});
  EndBarrier();
  ExpectRepair(0, "k");
  Reply(0, "$-1\r\n:-2\r\n");
  EXPECT_EQ(Sent(1), Command({"DEL", "k"}));
  Reply(1, ":0\r\n");
  SendState(200);
  Tell(1, {"k"});
  EndBarrier();
  ExpectMadeEqual(0, "k");
}

// The same of what was deleted on all.
TEST_F(KeyDoubtsTest, SoIsWhatIsWrittenBehindADeletionOnAll) {
  Begin(2);
  Record();
  SendState();
  Tell(1, {"k"}, "evicted");
  EndBarrier();
  ExpectDeleted("k", {0, 1});
  SendState(200);
  Tell(1, {"k"});
  EndBarrier();
  ExpectMadeEqual(0, "k");
}

TEST_F(KeyDoubtsTest, OfWhatIsBeingJudgedNothingIsDoneBeforeTheAnswer) {
  Begin(2);
  Record();
  SendState();
  Tell(1, {"k"});
  EndBarrier();
  EXPECT_EQ(Sent(0), Command({"PTTL", "k"}));
  Tell(1, {"k"}, "evicted");
  EXPECT_EQ(Sent(1), "") << "the answer would be taken for one about the next time";
  Reply(0, ":-1\r\n");
  ExpectDeleted("k", {0, 1});
}

// It is from the primary that the others got their state.
TEST_F(KeyDoubtsTest, ThePrimarysStateIsReplacedByNobody) {
  Begin(2);
  Record();
  SendState();
  Tell(0, {"k"}, "evicted");
  EndBarrier();
  ExpectMadeEqual(0, "k");
}

TEST_F(KeyDoubtsTest, TheRepairOfAnAuditReplacesTheState) {
  for (const bool ended : {true, false}) {
    Anew();
    Begin(2);
    Record();
    EXPECT_TRUE(shard_->ports().audit.RepairKey("a", Bit(1)));
    ExpectRepair(0, "a");
    if (!ended) Tell(1, {"a"}, "evicted");
    Reply(0, "$3\r\nabc\r\n:-1\r\n");
    EXPECT_EQ(Sent(1), Command({"RESTORE", "a", "0", "abc", "REPLACE"}));
    Reply(1, "+OK\r\n");
    if (ended) Tell(1, {"a"}, "evicted");
    EndBarrier();
    ExpectDeleted("a", {0, 1});
  }
}

TEST_F(KeyDoubtsTest, TheRepairOfAKeyInDoubtReplacesNothingThatAnybodyHasSeen) {
  Doubt(2, {0}, "evicted");
  ExpectMadeEqual(0, "a");
  Tell(1, {"a"}, "evicted");
  EndBarrier();
  ExpectMadeEqual(1, "a");
}

}  // namespace
}  // namespace gemel::key_doubts_test
