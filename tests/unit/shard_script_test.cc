// Scripts that take longer than a request may.

#include <gtest/gtest.h>

#include "tests/unit/shard_world.h"

namespace gemel::shard_script_test {
namespace {

using Probe = ProbeOutcome;

const std::string kNotAgain =
    "-ERR the node gave no answer to this script in time ([timeouts] request_ms) and its "
    "connection was ended; it is not run on another copy\r\n";

class ShardScriptTest : public ShardWorld {
 protected:
  ShardScriptTest() {
    base_.hang = {200, 400};
    base_.hedge_ms = 0;
  }
  void Begin(uint32_t copies) {
    MakeUp(copies);
    for (uint32_t i = 0; i < copies; ++i) Sent(i);
  }
  Asked* AskScript(std::string_view text = "while true do end") {
    return Ask({"EVAL_RO", text, "0"});
  }
  // While time passes the node says to probes that it is busy with a script.
  void PassBusy(uint32_t copy, uint64_t ms) {
    for (const uint64_t end_ms = now_ms_ + ms; now_ms_ < end_ms;) {
      Pass(10);
      if (shard_->nodes().TakeProbeWish(copy)) shard_->nodes().OnProbe(copy, Probe::kSent, now_ms_);
      shard_->nodes().OnProbe(copy, Probe::kBusy, now_ms_);
    }
  }
};

TEST_F(ShardScriptTest, IsToBeEndedOnItsNode) {
  Begin(2);
  Asked* before = Ask({"GET", "k"}, 2);
  Asked* script = AskScript();
  Asked* set = Ask({"SET", "k", "v"}, 3);
  Reply(1, "+OK\r\n");
  PassBusy(0, 4900);
  EXPECT_FALSE(shard_->nodes().TakeEndScriptWish(0)) << "it has its time";
  PassBusy(0, 200);
  EXPECT_TRUE(shard_->nodes().TakeEndScriptWish(0));
  EXPECT_FALSE(shard_->nodes().TakeEndScriptWish(1));
  shard_->nodes().OnScriptEnded(0);
  PassBusy(0, 20);
  EXPECT_FALSE(shard_->nodes().TakeEndScriptWish(0)) << "the next one may be another's";
  PassBusy(0, 4900);
  EXPECT_FALSE(shard_->nodes().TakeEndScriptWish(0)) << "it has its time as well";
  ASSERT_TRUE(shard_->link(0)->up());
  Reply(0, "$-1\r\n-ERR Script killed by user with SCRIPT KILL.\r\n+OK\r\n");
  EXPECT_EQ(before->told, "$-1\r\n");
  EXPECT_EQ(script->told, "-ERR Script killed by user with SCRIPT KILL.\r\n");
  EXPECT_EQ(set->told, "+OK\r\n");
  Pass(2000);
  shard_->nodes().TakeEndScriptWish(0);
  PassBusy(0, 100);
  EXPECT_FALSE(shard_->nodes().TakeEndScriptWish(0)) << "a script that is none of ours";
  EXPECT_EQ(edits_, "");
}

// Also on the only copy, and of a script that writes.
TEST_F(ShardScriptTest, IsToBeEndedOnTheOnlyCopy) {
  Begin(1);
  Asked* script = Ask({"EVAL", "while true do end", "0"});
  PassBusy(0, 5200);
  EXPECT_TRUE(shard_->nodes().TakeEndScriptWish(0));
  Reply(0, "-ERR killed\r\n");
  EXPECT_EQ(script->told, "-ERR killed\r\n");
  EXPECT_TRUE(shard_->link(0)->up());
}

TEST_F(ShardScriptTest, WhatIsNoScriptHasNoLonger) {
  Begin(1);
  Ask({"ZUNION", "1", "s"});
  Pass(5100);
  EXPECT_FALSE(shard_->link(0)->up());
  EXPECT_FALSE(shard_->nodes().TakeEndScriptWish(0));
}

// It cannot be ended: its node is left, and nobody who waits there runs it again.
TEST_F(ShardScriptTest, ThatDoesNotEndIsNotRunAgain) {
  Begin(2);
  Asked* get = Ask({"GET", "k"}, 2);
  Asked* script = AskScript();
  Asked* another = AskScript("return 1");
  Asked* set = Ask({"SET", "k", "v"}, 3);
  Sent(1);
  Reply(1, "+OK\r\n");
  PassBusy(0, 5900);
  EXPECT_TRUE(shard_->link(0)->up());
  PassBusy(0, 200);
  EXPECT_FALSE(shard_->link(0)->up());
  EXPECT_EQ(script->told, kNotAgain);
  EXPECT_EQ(another->told, kNotAgain) << "it may be this one";
  RunEdits();
  EXPECT_EQ(Durable().primary, 1u);
  EXPECT_EQ(set->told, "+OK\r\n");
  EXPECT_EQ(Sent(1), Command({"GET", "k"}));
  Reply(1, "$1\r\nv\r\n");
  EXPECT_EQ(get->told, "$1\r\nv\r\n");
  // It may be ended yet, until the node is back.
  shard_->nodes().TakeEndScriptWish(0);
  PassBusy(0, 50);
  EXPECT_TRUE(shard_->nodes().TakeEndScriptWish(0));
  Up(0, "r0");
  shard_->nodes().TakeEndScriptWish(0);
  PassBusy(0, 50);
  EXPECT_FALSE(shard_->nodes().TakeEndScriptWish(0));
}

// A node that says nothing at all may hang as well: only the first script is suspected.
TEST_F(ShardScriptTest, OfANodeThatSaysNothingTheFirstIsSuspected) {
  base_.hang = {60000, 60000};
  Begin(2);
  Asked* get = Ask({"GET", "k"}, 2);
  Asked* script = AskScript();
  Asked* another = AskScript("return 1");
  Pass(5990);
  EXPECT_TRUE(shard_->link(0)->up());
  Pass(50);
  EXPECT_FALSE(shard_->link(0)->up());
  EXPECT_EQ(script->told, kNotAgain);
  Reply(1, "$-1\r\n:1\r\n");
  EXPECT_EQ(get->told, "$-1\r\n");
  EXPECT_EQ(another->told, ":1\r\n");
}

}  // namespace
}  // namespace gemel::shard_script_test
