// Hedged reads: which go to a second copy, whose answer counts, and what a fault does to them.

#include <gtest/gtest.h>

#include "tests/unit/shard_world.h"

namespace gemel::shard_hedge_test {
namespace {

class ShardHedgeTest : public ShardWorld {
 protected:
  ShardHedgeTest() { base_.hedge_ms = 50; }
};

TEST_F(ShardHedgeTest, TheFirstGoodAnswerWins) {
  MakeUp(2);
  Asked* get = Ask({"GET", "k"});
  EXPECT_EQ(Sent(0), Command({"GET", "k"}));
  Pass(40);
  EXPECT_EQ(Sent(1), "");
  Pass(20);
  EXPECT_EQ(Sent(1), Command({"GET", "k"}));
  Pass(200);
  EXPECT_EQ(Sent(1), "");  // once
  Reply(1, "$1\r\nv\r\n");
  EXPECT_EQ(get->told, "$1\r\nv\r\n");
  Reply(0, "$1\r\nw\r\n");  // dropped
  EXPECT_EQ(get->told, "$1\r\nv\r\n");
  EXPECT_EQ(shard_->figures().Get("hedged"), 1u);
  EXPECT_EQ(shard_->figures().Get("hedge_wins"), 1u);
}

TEST_F(ShardHedgeTest, TheFirstCopyMayStillWin) {
  MakeUp(2);
  Asked* get = Ask({"GET", "k"});
  Pass(60);
  Reply(0, "$1\r\nv\r\n");
  EXPECT_EQ(get->told, "$1\r\nv\r\n");
  Reply(1, "$1\r\nv\r\n");
  EXPECT_EQ(shard_->figures().Get("hedged"), 1u);
  EXPECT_EQ(shard_->figures().Get("hedge_wins"), 0u);
}

TEST_F(ShardHedgeTest, TheSilentCopyIsAvoidedUntilItAnswers) {
  MakeUp(2);
  Ask({"GET", "k"});
  Pass(60);
  Sent(0);
  Sent(1);
  const std::string told = Explain(false);
  EXPECT_NE(told.find("read_from\r\n$2\r\nn1"), std::string::npos) << told;
  EXPECT_NE(told.find("another copy has not answered for a while"), std::string::npos) << told;
  Asked* next = Ask({"GET", "l"});
  EXPECT_EQ(Sent(0), "");
  EXPECT_EQ(Sent(1), Command({"GET", "l"}));
  Reply(1, "$1\r\nv\r\n$1\r\nw\r\n");
  EXPECT_EQ(next->told, "$1\r\nw\r\n");
  Reply(0, "$1\r\nv\r\n");
  Pass(10);
  Ask({"GET", "k"});
  EXPECT_EQ(Sent(0), Command({"GET", "k"}));
}

TEST_F(ShardHedgeTest, ProgressIsNoSilence) {
  MakeUp(2);
  for (int i = 0; i < 10; ++i) Ask({"GET", "k"});
  for (int i = 0; i < 10; ++i) {
    Pass(40);
    Reply(0, "$1\r\nv\r\n");
  }
  EXPECT_EQ(Sent(1), "");
  EXPECT_EQ(shard_->figures().Get("hedged"), 0u);
}

TEST_F(ShardHedgeTest, KeepsTheOrderOfOneSession) {
  MakeUp(2);
  Ask({"GET", "before"}, 1);  // the session sees to it that no write of this key follows
  Ask({"SET", "k", "v"}, 1);
  Ask({"GET", "k"}, 1);
  Ask({"GET", "l"}, 2);
  Sent(0);
  EXPECT_EQ(Sent(1), Command({"SET", "k", "v"}));
  Reply(1, "+OK\r\n");
  Pass(60);
  // In their order, behind the write.
  EXPECT_EQ(Sent(1), Command({"GET", "before"}) + Command({"GET", "k"}) + Command({"GET", "l"}));
  EXPECT_EQ(shard_->figures().Get("hedged"), 3u);
}

TEST_F(ShardHedgeTest, ReadsThatAreLeftAlone) {
  MakeUp(2);
  // They would only make the other copy silent, too.
  Ask({"KEYS", "*"});
  Ask({"LRANGE", "l", "0", "-1"});
  Ask({"ZUNION", "2", "a", "b"});
  Asked scan;  // its cursor belongs to one copy
  scan.sink = this;
  scan.primary_only = true;
  const std::string frame = Command({"HSCAN", "h", "0"});
  scan.frame = frame;
  shard_->Submit(&scan);
  Pass(60);
  EXPECT_EQ(Sent(1), "");
  Reply(0, "*0\r\n*0\r\n*0\r\n*0\r\n");
  Make(1);
  Up(0, "r0");
  Ask({"GET", "k"});
  Pass(500);
  EXPECT_EQ(shard_->figures().Get("hedged"), 0u);
}

TEST_F(ShardHedgeTest, OneThatMayTakeLongDoesNotTakeTheLastFreeCopy) {
  for (ReadFrom from : {ReadFrom::kPrimary, ReadFrom::kReplica}) {
    MakeUp(2, Ack::kAll, from);
    const uint32_t busy = from == ReadFrom::kPrimary ? 0 : 1;
    Ask({"SORT_RO", "l"});
    Pass(60);
    Sent(busy);
    Ask({"SORT_RO", "l"}, 2);
    EXPECT_EQ(Sent(busy), Command({"SORT_RO", "l"}));
    Ask({"GET", "k"}, 3);
    EXPECT_EQ(Sent(1 - busy), Command({"GET", "k"}));
  }
  // Of two that are free it may take one.
  MakeUp(3);
  Ask({"SORT_RO", "l"});
  Pass(60);
  Sent(0);
  Ask({"SORT_RO", "l"}, 2);
  EXPECT_EQ(Sent(0), "");
  // Nor is it kept from where it goes anyway.
  MakeUp(2, Ack::kPrimary);
  Ask({"SET", "k", "v"});
  Reply(0, "+OK\r\n");
  Pass(60);
  Sent(0);
  Ask({"SORT_RO", "l"}, 2);
  EXPECT_EQ(Sent(0), Command({"SORT_RO", "l"}));
}

TEST_F(ShardHedgeTest, HasABudget) {
  HedgeBudget budget;
  for (uint64_t i = 0; i < HedgeBudget::kMost; ++i) ASSERT_TRUE(budget.Take(0));
  EXPECT_FALSE(budget.Take(0));
  budget.Earn(HedgeBudget::kReadsEach * 3 - 1);
  EXPECT_TRUE(budget.Take(0));
  EXPECT_FALSE(budget.Take(HedgeBudget::kMost));  // too many are under way
  EXPECT_TRUE(budget.Take(0));
  EXPECT_FALSE(budget.Take(0));
  budget.Earn(HedgeBudget::kReadsEach * 3);
  EXPECT_TRUE(budget.Take(0));
  EXPECT_FALSE(budget.Take(0));

  // More reads than may be sent twice: the oldest are.
  base_.hang = {100000, 100000};
  MakeUp(2);
  for (uint64_t i = 0; i < HedgeBudget::kMost + 1000; ++i) Ask({"GET", "k"});
  Pass(60);
  EXPECT_LE(shard_->figures().Get("hedged"), HedgeBudget::kMost);
  EXPECT_GE(shard_->figures().Get("hedged"), HedgeBudget::kMost - 1000);
  std::string replies;
  for (uint64_t i = 0; i < HedgeBudget::kMost + 1000; ++i) replies += "$-1\r\n";
  Reply(0, replies);
  for (const Asked& asked : asked_) ASSERT_EQ(asked.told, "$-1\r\n");
}

TEST_F(ShardHedgeTest, CanBeTurnedOff) {
  base_.hedge_ms = 0;
  MakeUp(2);
  Ask({"GET", "k"});
  Pass(400);
  EXPECT_EQ(Sent(1), "");
}

TEST_F(ShardHedgeTest, AnErrorOfACopyThatIsNotReadyDoesNotWin) {
  MakeUp(2);
  Asked* get = Ask({"GET", "k"});
  Pass(60);
  Reply(1, "-LOADING Redis is loading the dataset in memory\r\n");
  EXPECT_EQ(get->told, "");
  Reply(0, "$1\r\nv\r\n");
  EXPECT_EQ(get->told, "$1\r\nv\r\n");

  Asked* both = Ask({"GET", "k"});
  Pass(60);
  Reply(1, "-LOADING one\r\n");
  Reply(0, "-LOADING two\r\n");
  EXPECT_EQ(both->told, "-LOADING two\r\n");

  Asked* wrong = Ask({"GET", "k"});
  Pass(60);
  Reply(1, "-WRONGTYPE it is a list\r\n");
  EXPECT_EQ(wrong->told, "-WRONGTYPE it is a list\r\n");
  Reply(0, "-WRONGTYPE it is a list\r\n");
}

TEST_F(ShardHedgeTest, AThirdCopyIsAskedIfTwoAreNotReady) {
  MakeUp(3);
  Asked* get = Ask({"GET", "k"});
  Pass(60);
  const uint32_t second = Sent(1).empty() ? 2 : 1;
  Reply(second, "-LOADING one\r\n");
  Reply(0, "-LOADING two\r\n");
  EXPECT_EQ(get->told, "");
  Reply(3 - second, "$1\r\nv\r\n");
  EXPECT_EQ(get->told, "$1\r\nv\r\n");
}

TEST_F(ShardHedgeTest, LostOnOneLinkItWaitsForTheOther) {
  MakeUp(2);
  Asked* get = Ask({"GET", "k"});
  Pass(60);
  Sent(1);
  Lose(0);
  EXPECT_EQ(Sent(1), "");  // not a third time
  Reply(1, "$1\r\nv\r\n");
  EXPECT_EQ(get->told, "$1\r\nv\r\n");

  MakeUp(2);
  get = Ask({"GET", "k"});
  Pass(60);
  Lose(1);
  EXPECT_EQ(get->told, "");
  Reply(0, "$1\r\nv\r\n");
  EXPECT_EQ(get->told, "$1\r\nv\r\n");
}

TEST_F(ShardHedgeTest, LostOnBothItIsHeldLikeAnyRead) {
  MakeUp(2);
  Asked* get = Ask({"GET", "k"});
  Pass(60);
  Sent(0);
  Lose(1);
  Lose(0);
  EXPECT_EQ(get->told, "");
  Up(0, "r0");
  EXPECT_EQ(Sent(0), Command({"GET", "k"}));
  Reply(0, "$1\r\nv\r\n");
  EXPECT_EQ(get->told, "$1\r\nv\r\n");
}

TEST_F(ShardHedgeTest, LostAfterTheAnswerItIsNobodysBusiness) {
  MakeUp(2);
  Asked* get = Ask({"GET", "k"});
  Pass(60);
  Reply(1, "$1\r\nv\r\n");
  EXPECT_EQ(get->told, "$1\r\nv\r\n");
  Lose(0);
  EXPECT_EQ(get->told, "$1\r\nv\r\n");
  EXPECT_EQ(shard_->figures().Get("fallbacks"), 0u);
}

TEST_F(ShardHedgeTest, AStaleCopyIsNeverAsked) {
  base_.journal_keys = 0;  // or it would come back by itself
  MakeUp(2);
  Ask({"SET", "k", "v"});
  Lose(1);
  Reply(0, "+OK\r\n");
  RunEdits();
  Up(1, "r1");
  Sent(1);
  Ask({"GET", "k"});
  Pass(400);
  EXPECT_EQ(Sent(1), "");
  // Once it is in sync again, what still waits is sent to it.
  shard_->ports().resync.Pause([] {});
  shard_->ports().resync.ProposeInSync(1, [](bool) {});
  RunEdits();
  shard_->ports().resync.Resume();
  Pass(10);
  EXPECT_EQ(Sent(1), Command({"GET", "k"}));
}

TEST_F(ShardHedgeTest, WhenAllAreSilentNobodyIsAvoided) {
  MakeUp(2);
  Ask({"GET", "k"});
  Ask({"SET", "k", "v"}, 2);
  Pass(60);
  Asked* later = Ask({"GET", "k"}, 3);
  EXPECT_EQ(shard_->figures().Get("hedged"), 0u);
  Pass(100);
  Sent(1);
  Reply(1, "+OK\r\n");  // one of them answers: it gets what waits on the other
  Pass(10);
  EXPECT_EQ(Sent(1), Command({"GET", "k"}) + Command({"GET", "k"}));
  Reply(1, "$1\r\nv\r\n$1\r\nw\r\n");
  EXPECT_EQ(later->told, "$1\r\nw\r\n");
}

TEST_F(ShardHedgeTest, AKeyThatIsBeingRepairedIsReadWhereItWasAsked) {
  MakeUp(2);
  Asked* incr = Ask({"INCR", "k"});
  Ask({"GET", "k"}, 2);
  Ask({"GET", "other"}, 3);
  Sent(1);
  Reply(1, ":4\r\n");
  Reply(0, ":5\r\n");
  Sent(0);
  Pass(60);
  EXPECT_EQ(Sent(1), Command({"GET", "other"}));
  EXPECT_EQ(incr->told, "");
  shard_->Stop();
}

TEST_F(ShardHedgeTest, ThousandsInLine) {
  MakeUp(2, Ack::kAll, ReadFrom::kPrimary);
  std::vector<Asked*> reads;
  for (int i = 0; i < 5000; ++i) reads.push_back(Ask({"GET", "k" + std::to_string(i)}));
  Pass(60);
  EXPECT_EQ(shard_->figures().Get("hedged"), 5000u);
  std::string replies;
  for (int i = 0; i < 5000; ++i) replies += ":" + std::to_string(i) + "\r\n";
  Reply(1, replies);
  Reply(0, replies);
  for (int i = 0; i < 5000; ++i) {
    ASSERT_EQ(reads[static_cast<size_t>(i)]->told, ":" + std::to_string(i) + "\r\n");
  }
  EXPECT_EQ(shard_->figures().Get("hedge_wins"), 5000u);
}

}  // namespace
}  // namespace gemel::shard_hedge_test
