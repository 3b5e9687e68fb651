// Keys that were read from one copy, told to the others.

#include "backend/shard/read_sample.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/unit/shard_world.h"

namespace gemel::read_sample_test {
namespace {

class ReadSampleTest : public ShardWorld {
 protected:
  void Begin(ReadFrom from = ReadFrom::kPrimary, uint32_t copies = 2) {
    MakeUp(copies, Ack::kAll, from);
    Clear();
  }
  void Clear() {
    for (uint32_t i = 0; i < shard_->copy_count(); ++i) Sent(i);
  }
  void Tell(CopyMask copies) { shard_->ports().settings.set_told_of_reads(copies); }
  // So many reads, of keys k0, k1, ...; each is answered.
  void Read(int times) {
    for (int i = 0; i < times; ++i) {
      const std::string key = "k" + std::to_string(next_++);
      const Asked* asked = Ask({"GET", key});
      for (uint32_t copy = 0; copy < shard_->copy_count(); ++copy) {
        if (asked->tried != Bit(copy)) continue;
        // What stands before it in line are TOUCHes.
        while (asked->told.empty() && !shard_->link(copy)->line().empty()) Reply(copy, ":1\r\n");
      }
    }
    shard_->Tick(now_ms_, 0);
  }
  static size_t Count(const std::string& text, const std::string& part) {
    size_t count = 0;
    for (size_t at = 0; (at = text.find(part, at)) != std::string::npos; ++at) ++count;
    return count;
  }
  static size_t Touches(const std::string& sent) { return Count(sent, "TOUCH\r\n"); }
  uint64_t Touched() { return shard_->figures().Get("touched_keys"); }

  int next_ = 0;
};

TEST_F(ReadSampleTest, NobodyIsToldUnlessItIsOfUse) {
  Begin();
  Read(1000);
  EXPECT_EQ(Touches(Sent(0)) + Touches(Sent(1)), 0u);
  EXPECT_EQ(Touched(), 0u);
  Tell(Bit(1));
  Read(1000);
  EXPECT_GT(Touched(), 0u);
  const uint64_t until_now = Touched();
  Tell(0);
  Clear();
  Read(1000);
  EXPECT_EQ(Touches(Sent(1)), 0u);
  EXPECT_EQ(Touched(), until_now);
}

TEST_F(ReadSampleTest, OneOfEightOrSoIsToldInBatches) {
  Begin();
  Tell(Bit(0) | Bit(1));
  std::string sent;
  for (int i = 0; i < 100; ++i) {
    Read(80);
    const std::string batch = Sent(1);
    EXPECT_LE(Touches(batch), 1u);
    if (Touches(batch) == 1) Reply(1, ":5\r\n");
    sent += batch;
  }
  EXPECT_GT(Touched(), 8000u / 8 * 8 / 10);
  EXPECT_LT(Touched(), 8000u / 8 * 12 / 10);
  EXPECT_EQ(Count(sent, "\r\nk"), Touched());
  EXPECT_GE(Touches(sent), 90u);
  EXPECT_EQ(Touches(Sent(0)), 0u) << "it knows what was read there";
  EXPECT_TRUE(notes_.find("TOUCH") == std::string::npos);
  EXPECT_EQ(shard_->figures().Get("writes"), 0u);
}

TEST_F(ReadSampleTest, ABatchIsBounded) {
  Begin();
  Tell(Bit(1));
  Read(2000);
  const std::string sent = Sent(1);
  EXPECT_EQ(Touches(sent), 1u) << "no more before it is answered";
  EXPECT_TRUE(sent.starts_with("*65\r\n$5\r\nTOUCH\r\n")) << sent.substr(0, 30);
  EXPECT_EQ(Touched(), 64u);
  Reply(1, ":64\r\n");
  Read(20);
  EXPECT_EQ(Touches(Sent(1)), 1u);
}

TEST_F(ReadSampleTest, WhatIsReadElsewhereIsToldToThePrimaryMoreOften) {
  Begin(ReadFrom::kReplica);
  Tell(Bit(0) | Bit(1));
  for (int i = 0; i < 100; ++i) {
    Read(40);
    if (Touches(Sent(0)) == 1) Reply(0, ":1\r\n");
    EXPECT_EQ(Touches(Sent(1)), 0u);
  }
  EXPECT_GT(Touched(), 4000u / 2 * 8 / 10);
  EXPECT_LT(Touched(), 4000u / 2 * 12 / 10);
}

TEST_F(ReadSampleTest, WhatIsReadHereAndThereIsToldToAll) {
  Begin(ReadFrom::kBalanced);
  Tell(Bit(0) | Bit(1));
  for (int i = 0; i < 40; ++i) {
    Ask({"GET", "a" + std::to_string(i)});  // not answered: the next one goes to the other copy
  }
  shard_->Tick(now_ms_, 0);
  EXPECT_EQ(Touches(Sent(0)), 1u);
  EXPECT_EQ(Touches(Sent(1)), 1u);
}

TEST_F(ReadSampleTest, AStaleCopyIsNotTold) {
  Begin(ReadFrom::kPrimary, 3);
  Tell(Bit(1) | Bit(2));
  Lose(1, true);
  RunEdits();
  ASSERT_EQ(Durable().copies[1].state, CopyState::kStale);
  Clear();
  Read(100);
  EXPECT_EQ(Touches(Sent(1)), 0u);
  EXPECT_EQ(Touches(Sent(2)), 1u);
}

TEST_F(ReadSampleTest, WhatIsLostIsNotMissed) {
  base_.grace_ms = 1000;
  Begin();
  Tell(Bit(1));
  Read(100);
  ASSERT_EQ(Touches(Sent(1)), 1u);
  Lose(1);
  shard_->Tick(now_ms_ += 10, 0);
  Up(1, "r1");
  RunEdits();
  EXPECT_EQ(Durable().copies[1].state, CopyState::kInSync) << "no write was in its line";
  Clear();
  Read(100);
  EXPECT_EQ(Touches(Sent(1)), 1u) << "it is told again";
  EXPECT_EQ(shard_->figures().Get("side_reads"), 0u) << "and nobody is careful for it";
}

TEST_F(ReadSampleTest, WhoMayNotIsNotAskedOnAndOn) {
  Begin();
  Tell(Bit(1));
  Read(100);
  ASSERT_EQ(Touches(Sent(1)), 1u);
  Reply(1, "-NOPERM this user has no permissions to run the 'touch' command\r\n");
  Read(1000);
  EXPECT_EQ(Touches(Sent(1)), 0u);
  Tell(0);
  Tell(Bit(1));
  Read(100);
  EXPECT_EQ(Touches(Sent(1)), 1u) << "it may be another connection";
}

TEST_F(ReadSampleTest, WithoutAKeyOrTooLargeItIsNotTold) {
  Begin();
  Tell(Bit(1));
  const std::string large(2000, 'x');
  for (int i = 0; i < 100; ++i) {
    Ask({"DBSIZE"});
    Ask({"GET", large});
  }
  shard_->Tick(now_ms_, 0);
  EXPECT_EQ(Touches(Sent(1)), 0u);
  for (int i = 0; i < 100; ++i) Ask({"MGET", "first", "second"});
  shard_->Tick(now_ms_, 0);
  const std::string sent = Sent(1);
  EXPECT_EQ(Touches(sent), 1u);
  EXPECT_GT(Count(sent, "first"), 0u);
}

}  // namespace
}  // namespace gemel::read_sample_test
