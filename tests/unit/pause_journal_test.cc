// What changes on single copies while writes are paused for the hand-over to another one: that one
// has it, too, once it is in sync.

#include <gtest/gtest.h>

#include <string>

#include "tests/unit/removals_world.h"

namespace gemel::pause_journal_test {
namespace {

class PauseJournalTest : public RemovalsWorld {
 protected:
  // Of three copies the last one is about to be handed over to.
  void BeginResync() {
    Begin(3);
    Record();
    shard_->removals().set_audit([this](const std::string& why) { audit_ = why; });
    Lose(2, /*refused=*/true);
    RunEdits();
    ASSERT_EQ(Durable().copies[2].state, CopyState::kStale);
    Up(2, "another");
    Follow(2, 0, "another");
    PassBarriers();
    Forget();
  }
  void Forget() {
    for (uint32_t i = 0; i < 3; ++i) Sent(i);
  }
  void Write(const std::string& key) {
    Ask({"SADD", key, "m"});
    Forget();
    Reply(0, ":1\r\n");
    Reply(1, ":1\r\n");
  }
  void Pause() {
    drained_ = false;
    shard_->ports().resync.Pause([this] { drained_ = true; });
  }
  void Enter() {
    shard_->ports().resync.ProposeInSync(2, [](bool) {});
    RunEdits();
    ASSERT_EQ(Durable().copies[2].state, CopyState::kInSync);
    shard_->ports().resync.Resume();
  }
  // The key is asked for where it is right, and put right on the copy that came in sync.
  void ExpectMadeEqual(const std::string& key) {
    Asked* read = Ask({"SMEMBERS", key});
    EndBarrier();
    for (uint32_t i = 0; i < 2; ++i) {
      EXPECT_EQ(Sent(i), Command({"DUMP", key})) << i;
      Reply(i, "$3\r\nabc\r\n");
    }
    ExpectRepair(0, key);
    Reply(0, "$3\r\nabc\r\n:-1\r\n");
    const std::string restore = Command({"RESTORE", key, "0", "abc", "REPLACE"});
    EXPECT_EQ(Sent(2), restore);
    EXPECT_EQ(Sent(1), restore);
    EXPECT_EQ(read->told, "") << "once all have it";
    Reply(1, "+OK\r\n");
    Reply(2, "+OK\r\n");
    EXPECT_EQ(Sent(0), Command({"SMEMBERS", key}));
    Reply(0, "*0\r\n");
    EXPECT_TRUE(shard_->Idle());
  }

  bool drained_ = false;
  std::string audit_;
};

TEST_F(PauseJournalTest, AKeyThatWasMadeEqualInThePauseIsSoOnWhoEnters) {
  BeginResync();
  Write("a");
  Tell(1, {"a"}, "evicted");
  ExpectRepairOnceHeard(1, "a");
  Pause();
  EXPECT_TRUE(drained_);
  Reply(1, "$3\r\nabc\r\n:-1\r\n");
  EXPECT_EQ(Sent(0), Command({"RESTORE", "a", "0", "abc", "REPLACE"}));
  EXPECT_EQ(Sent(2), "") << "nobody knows whether it follows the primary still";
  Reply(0, "+OK\r\n");
  Enter();
  ExpectMadeEqual("a");
}

TEST_F(PauseJournalTest, SoIsOneWhoseRepairOutlastsThePause) {
  BeginResync();
  Write("a");
  Tell(1, {"a"}, "evicted");
  ExpectRepairOnceHeard(1, "a");
  Pause();
  Reply(1, "$3\r\nabc\r\n:-1\r\n");
  Sent(0);
  Enter();
  EXPECT_EQ(Sent(2), "");
  Reply(0, "+OK\r\n");
  ExpectMadeEqual("a");
}

TEST_F(PauseJournalTest, WhoIsRepairedBeforeThePauseIsNotRepairedAgain) {
  BeginResync();
  Write("a");
  Tell(1, {"a"}, "evicted");
  ExpectRepairOnceHeard(1, "a");
  Reply(1, "$3\r\nabc\r\n:-1\r\n");
  Sent(0);
  Reply(0, "+OK\r\n");
  Pause();
  Enter();
  EndBarrier();
  EXPECT_EQ(Sent(0) + Sent(1) + Sent(2), "");
}

TEST_F(PauseJournalTest, ThePrimaryIsAtRestOnlyOnceItHasDeletedWhatItWasToldTo) {
  BeginResync();
  Tell(1, {"a"}, "evicted");
  EXPECT_EQ(Sent(0), Command({"DEL", "a"}));
  Pause();
  EXPECT_FALSE(drained_);
  Reply(0, ":1\r\n");
  EXPECT_TRUE(drained_);
  // And where the connection is lost instead.
  shard_->ports().resync.Resume();
  Tell(1, {"b"}, "evicted");
  Pause();
  EXPECT_FALSE(drained_);
  Lose(0, /*refused=*/true);
  EXPECT_TRUE(drained_);
}

TEST_F(PauseJournalTest, WhatNobodyHeardOfInThePauseIsLookedForOnceTheCopyIsInSync) {
  BeginResync();
  Pause();
  shard_->feed_link(2)->OnClosed("reset", false, now_ms_);
  Follow(2, 3, "another");
  EXPECT_EQ(audit_, "") << "it does not count yet";
  Enter();
  EXPECT_EQ(audit_, "node n2 has evicted keys while its notifications were not heard");
}

TEST_F(PauseJournalTest, WhatNobodyHeardOfBeforeThePauseIsNotLookedFor) {
  BeginResync();
  shard_->feed_link(2)->OnClosed("reset", false, now_ms_);
  Follow(2, 3, "another");
  Pause();
  Enter();
  EXPECT_EQ(audit_, "") << "it has got all since";
}

}  // namespace
}  // namespace gemel::pause_journal_test
