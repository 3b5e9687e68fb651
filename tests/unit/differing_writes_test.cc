// Writes that the copies answered differently: for which keys they wait, and whose answer is the
// client's.

#include "backend/shard/differing_writes.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/removals_world.h"

namespace gemel::differing_writes_test {
namespace {

// An op with the primary's reply.
struct Answered : Op {
  explicit Answered(std::string_view reply) { KeepReply(Reply{reply, nullptr}); }
};

TEST(DifferingWrites, TheReplyOfTheSourceIsKept) {
  DifferingWrites writes;
  Answered op(":0\r\n"), other(":0\r\n");
  writes.Keep(&op, Bit(1), ":1\r\n");
  writes.Keep(&op, Bit(2), ":2\r\n");
  writes.Keep(&other, Bit(1), ":3\r\n");
  writes.OnSource("a", 1);
  EXPECT_EQ(op.reply(), ":0\r\n") << "it does not wait for that key";
  writes.Await(&op, "a");
  writes.Await(&other, "b");
  writes.OnSource("b", 2);
  EXPECT_EQ(other.reply(), ":0\r\n") << "as the primary's";
  EXPECT_EQ(op.reply(), ":0\r\n");
  writes.OnSource("a", 2);
  EXPECT_EQ(op.reply(), ":2\r\n");
  writes.OnSource("a", 1);
  EXPECT_EQ(op.reply(), ":2\r\n") << "the first one counts";
}

// One of the keys was gone on a copy, and the other one equal on all.
TEST(DifferingWrites, OfSeveralKeysTheOneThatAnotherCopyHasRightCounts) {
  DifferingWrites writes;
  Answered op(":0\r\n");
  writes.Keep(&op, Bit(1), ":1\r\n");
  writes.Await(&op, "a");
  writes.Await(&op, "b");
  writes.OnSource("a", 0);
  writes.OnSource("b", 1);
  EXPECT_EQ(op.reply(), ":1\r\n");
}

TEST(DifferingWrites, ThePrimarysIsKeptIfThatIsTheSource) {
  DifferingWrites writes;
  Answered op(":0\r\n");
  writes.Keep(&op, Bit(1), ":1\r\n");
  writes.Await(&op, "a");
  writes.OnSource("a", 0);
  EXPECT_EQ(op.reply(), ":0\r\n");
}

TEST(DifferingWrites, ALargeReplyIsNotKeptBesideThePrimarys) {
  DifferingWrites writes;
  Answered op(":0\r\n");
  writes.Keep(&op, Bit(1), std::string(64 * 1024 + 1, 'x'));
  EXPECT_TRUE(writes.empty());
  const std::string most(64 * 1024, 'x');
  writes.Keep(&op, Bit(2), most);
  writes.Await(&op, "a");
  writes.OnSource("a", 2);
  EXPECT_EQ(op.reply(), most);
}

TEST(DifferingWrites, EachWaitsForItsKeysAlone) {
  DifferingWrites writes;
  Answered first(":0\r\n"), second(":0\r\n");
  writes.Keep(&first, Bit(1), ":1\r\n");
  EXPECT_FALSE(writes.Waits(&first));
  writes.Await(&first, "a");
  writes.Await(&first, "b");
  writes.Await(&second, "b");
  EXPECT_TRUE(writes.Waits(&first));
  std::vector<Op*> settled;
  const auto settle = [&](std::string_view key) {
    settled.clear();
    writes.OnSettled(key, [&](Op* op) { settled.push_back(op); });
  };
  settle("c");
  EXPECT_EQ(settled, std::vector<Op*>());
  settle("b");
  EXPECT_EQ(settled, std::vector<Op*>{&second});
  EXPECT_TRUE(writes.Waits(&first));
  EXPECT_FALSE(writes.Waits(&second));
  settle("a");
  EXPECT_EQ(settled, std::vector<Op*>{&first});
  settle("a");
  EXPECT_EQ(settled, std::vector<Op*>()) << "once";
}

TEST(DifferingWrites, WhatIsOverIsForgotten) {
  DifferingWrites writes;
  Answered op(":0\r\n");
  writes.Keep(&op, Bit(1), ":1\r\n");
  writes.Await(&op, "a");
  writes.Forget(&op);
  EXPECT_TRUE(writes.empty());
  writes.Await(&op, "b");  // another one in its place
  writes.OnSource("b", 1);
  EXPECT_EQ(op.reply(), ":0\r\n");
}

// In a shard whose nodes tell what they remove.
class DifferingWritesTest : public RemovalsWorld {
 protected:
  // A write that each copy answers with that number.
  Asked* Differ(const std::vector<int>& replies, const std::string& key = "a") {
    Asked* write = Ask({"SADD", key, "m"});
    for (uint32_t i = 0; i < replies.size(); ++i) {
      EXPECT_EQ(Sent(i), Command({"SADD", key, "m"}));
    }
    // From the last one on.
    for (uint32_t i = static_cast<uint32_t>(replies.size()); i-- > 0;) {
      Reply(i, ":" + std::to_string(replies[i]) + "\r\n");
    }
    return write;
  }
  void MakeEqual(uint32_t source, const std::string& key = "a") {
    Reply(source, "$3\r\nabc\r\n:-1\r\n");
    for (uint32_t i = 0; i < feeds_.size(); ++i) {
      if (i == source) continue;
      EXPECT_EQ(Sent(i), Command({"RESTORE", key, "0", "abc", "REPLACE"}));
      Reply(i, "+OK\r\n");
    }
  }
};

TEST_F(DifferingWritesTest, TheClientGetsTheAnswerOfTheCopyThatHadRemovedTheKey) {
  for (const bool primary_first : {true, false}) {
    Anew();
    BeginSeenElsewhere(2);
    Asked* write = nullptr;
    if (primary_first) {
      write = Ask({"SADD", "a", "m"});
      Sent(0);
      Sent(1);
      Reply(0, ":0\r\n");
      Reply(1, ":1\r\n");
    } else {
      write = Differ({0, 1});
    }
    EXPECT_EQ(Sent(1), "") << "who has removed it is on its way to be told";
    Tell(1, {"a"}, "evicted");
    ExpectRepairOnceHeard(1, "a");
    Asked* read = Ask({"SCARD", "a"});
    EXPECT_EQ(write->told, "") << "until the copies are equal";
    MakeEqual(1);
    EXPECT_EQ(write->told, ":1\r\n");
    EXPECT_EQ(Sent(1), Command({"SCARD", "a"}));
    Reply(1, ":1\r\n");
    EXPECT_EQ(read->told, ":1\r\n");
    EXPECT_TRUE(shard_->Idle());
    EXPECT_EQ(edits_, "");
  }
}

TEST_F(DifferingWritesTest, ThePrimarysIfNobodyHas) {
  Begin(2);
  Record();
  Asked* write = Differ({0, 1});
  ExpectRepairOnceHeard(0, "a");
  EXPECT_EQ(write->told, "");
  MakeEqual(0);
  EXPECT_EQ(write->told, ":0\r\n");
  EXPECT_TRUE(shard_->Idle());
  EXPECT_EQ(edits_, "");
}

TEST_F(DifferingWritesTest, ThePrimarysIfThatHas) {
  Begin(2);
  Record();
  Asked* write = Differ({1, 0});
  Tell(0, {"a"});
  ExpectRepairOnceHeard(0, "a");
  MakeEqual(0);
  EXPECT_EQ(write->told, ":1\r\n");
}

// It expired there just as the repair came, and that is told while the repair is under way.
TEST_F(DifferingWritesTest, ThePrimarysThoughACopyTellsWhatTheRepairReplaced) {
  BeginSeenElsewhere(2);
  Asked* write = Differ({1, 0});
  Tell(0, {"a"});
  ExpectRepairOnceHeard(0, "a");
  Reply(0, "$3\r\nabc\r\n:-1\r\n");
  EXPECT_EQ(Sent(1), Command({"RESTORE", "a", "0", "abc", "REPLACE"}));
  Tell(1, {"a"});
  Reply(1, "+OK\r\n");
  EXPECT_EQ(write->told, "") << "it may be otherwise on that copy again";
  ExpectRepairOnceHeard(1, "a");
  MakeEqual(1);
  EXPECT_EQ(write->told, ":1\r\n");
}

TEST_F(DifferingWritesTest, ThePrimarysIfItIsDeletedOnAll) {
  BeginSeenElsewhere(2);
  Asked* write = Differ({0, 1});
  Tell(0, {"a"}, "evicted");
  Tell(1, {"a"}, "evicted");
  EndBarrier();
  for (uint32_t i = 0; i < 2; ++i) {
    EXPECT_EQ(Sent(i), Command({"DUMP", "a"}));
    Reply(i, "$-1\r\n");
  }
  EXPECT_EQ(Sent(1), Command({"DEL", "a"}));
  EXPECT_EQ(write->told, ":0\r\n");
}

TEST_F(DifferingWritesTest, EachOfSeveralCopiesHasAnAnswerOfItsOwn) {
  for (uint32_t source = 0; source < 3; ++source) {
    Anew();
    BeginSeenElsewhere(3);
    Asked* write = Differ({5, 6, 7});
    Tell(source, {"a"});
    ExpectRepairOnceHeard(source, "a");
    MakeEqual(source);
    EXPECT_EQ(write->told, ":" + std::to_string(5 + source) + "\r\n");
  }
  Anew();
  BeginSeenElsewhere(3);
  Asked* write = Differ({5, 5, 7});
  Tell(1, {"a"});
  ExpectRepairOnceHeard(1, "a");
  MakeEqual(1);
  EXPECT_EQ(write->told, ":5\r\n") << "as the primary";
}

TEST_F(DifferingWritesTest, OneWaitsForItsOwnKeyAlone) {
  Begin(2);
  Record();
  Asked* write = Differ({0, 1});
  ExpectRepairOnceHeard(0, "a");
  shard_->removals().doubts().Ask("b");
  EXPECT_TRUE(shard_->removals().doubts().Has("b"));
  MakeEqual(0);
  EXPECT_EQ(write->told, ":0\r\n");
  EXPECT_TRUE(shard_->removals().doubts().Has("b"));
  ExpectRepairOnceHeard(0, "b");
}

TEST_F(DifferingWritesTest, OneOfTwoKeysWaitsForBoth) {
  Begin(2);
  Record();
  Asked* write = Ask({"RENAMENX", "a", "b"});
  Sent(0);
  Sent(1);
  Reply(0, ":1\r\n");
  Reply(1, ":0\r\n");
  EndBarrier();
  const std::string asked = Sent(0);
  const std::string a = Command({"MEMORY", "USAGE", "a"});
  const std::string b = Command({"MEMORY", "USAGE", "b"});
  EXPECT_TRUE(asked == a + b || asked == b + a) << asked;
  Reply(0, ":100\r\n:100\r\n");
  Sent(0);
  Reply(0, "$-1\r\n:-2\r\n$-1\r\n:-2\r\n");
  const std::string deleted = Sent(1);
  EXPECT_NE(deleted.find(Command({"DEL", "a"})), std::string::npos);
  EXPECT_NE(deleted.find(Command({"DEL", "b"})), std::string::npos);
  Reply(1, ":1\r\n");
  EXPECT_EQ(write->told, "") << "one is not equal yet";
  Reply(1, ":1\r\n");
  EXPECT_EQ(write->told, ":1\r\n");
  EXPECT_TRUE(shard_->Idle());
}

TEST_F(DifferingWritesTest, OneThatWasAnsweredAlreadyIsNotAnsweredAgain) {
  BeginSeenElsewhere(2, Ack::kPrimary);
  Asked* write = Ask({"SADD", "a", "m"});
  Sent(0);
  Sent(1);
  Reply(0, ":0\r\n");
  EXPECT_EQ(write->told, ":0\r\n");
  Reply(1, ":1\r\n");
  Tell(1, {"a"});
  ExpectRepairOnceHeard(1, "a");
  MakeEqual(1);
  EXPECT_EQ(write->told, ":0\r\n");
  EXPECT_TRUE(shard_->Idle());
}

TEST_F(DifferingWritesTest, TheCopyThatIsLeftHasTheAnswer) {
  for (uint32_t lost = 0; lost < 2; ++lost) {
    Anew();
    Begin(2);
    Record();
    Asked* write = Differ({0, 1});
    shard_->feed_link(lost)->OnClosed("reset", false, now_ms_);
    Lose(lost, /*refused=*/true);
    RunEdits();
    EndBarrier();
    EXPECT_EQ(write->told, lost == 0 ? ":1\r\n" : ":0\r\n");
    EXPECT_TRUE(shard_->removals().doubts().settled());
  }
}

}  // namespace
}  // namespace gemel::differing_writes_test
