// DRAIN and UNDRAIN: who leaves, who must stay, and how one comes back.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/shard_control_world.h"

namespace gemel::shard_control_test {
namespace {

TEST_F(ShardControlTest, DrainsTheReplica) {
  Make(2);
  Asked* set = Ask({"SET", "k", "1"});
  Asked* drain = Order("DRAIN", "n1");
  Sent(0);
  Reply(0, "+OK\r\n");
  EXPECT_EQ(Sent(0), "");  // what it was sent is answered first
  Reply(1, "+OK\r\n");
  Prove(0);
  RunEdits();
  EXPECT_EQ(set->told, kOk);
  EXPECT_EQ(drain->told, kOk);
  EXPECT_TRUE(Durable().copies[1].drained());
  EXPECT_EQ(Durable().copies[1].reason, "it was drained");
  EXPECT_EQ(Order("DRAIN", "n1")->told, kOk);
  ExpectWrites(1);
  EXPECT_EQ(shard_->ports().resync.CopyToResync(), -1);
  EXPECT_EQ(Refusal("RESYNC", "n1"),
            "-ERR shard 'a': n1 is drained and is not resynced; PROXY UNDRAIN n1 first\r\n");
  EXPECT_EQ(Refusal("PROMOTE", "n1"),
            "-ERR shard 'a': n1 is drained; PROXY UNDRAIN n1 first, and wait until it is in "
            "sync\r\n");
  EXPECT_EQ(Refusal("PROMOTE", ""),
            "-ERR shard 'a': there is no copy to promote: n1 is drained\r\n");
  EXPECT_EQ(Refusal("DRAIN", "n0"),
            "-ERR shard 'a': n0 cannot be drained, no other copy can take its place: n1 is "
            "drained\r\n");

  // Its end, and its return, are no news.
  notes_.clear();
  Lose(1);
  for (int i = 0; i < 5; ++i) {
    shard_->nodes().OnProbe(1, ProbeOutcome::kHardError);
    Tick(2000);
    if (shard_->link(1)->state() == Link::State::kConnecting) Lose(1, true);
  }
  Tick(2000);
  Up(1, "another", 0);
  shard_->nodes().OnProbe(1, ProbeOutcome::kAnswer);
  RunEdits();
  EXPECT_EQ(notes_, "");
  EXPECT_TRUE(Durable().copies[1].drained());
  ExpectWrites(1);

  Asked* undrain = Order("UNDRAIN", "n1");
  RunEdits();
  EXPECT_EQ(undrain->told, kOk);
  EXPECT_FALSE(Durable().copies[1].drained());
  EXPECT_EQ(Durable().copies[1].state, CopyState::kStale);
  EXPECT_EQ(Order("UNDRAIN", "n1")->told, kOk);
  EXPECT_EQ(shard_->ports().resync.CopyToResync(), 1);
  MakeInSync(1);
  ExpectWrites(3);
}

TEST_F(ShardControlTest, AnUndrainedCopyThatLivedOnGetsWhatItMissed) {
  Make(2);
  Order("DRAIN", "n1");
  Prove(0);
  RunEdits();
  ExpectWrites(1);  // of "k"
  Tick(1000);
  EXPECT_EQ(Sent(0) + Sent(1), "");  // not before it is undrained
  Order("UNDRAIN", "n1");
  RunEdits();
  EXPECT_EQ(shard_->ports().resync.CopyToResync(), -1);
  Tick(20);
  ExpectRepair(0, "k");
  Reply(0, "$3\r\nabc\r\n:-1\r\n");
  EXPECT_EQ(Sent(1), Command({"RESTORE", "k", "0", "abc", "REPLACE"}));
  Reply(1, "+OK\r\n");
  Tick(20);
  RunEdits();
  EXPECT_EQ(Durable().copies[1].state, CopyState::kInSync);
  ExpectWrites(3);
  // A resync that is asked for is of all keys, also where those that were missed are known.
  Order("DRAIN", "n1");
  Prove(0);
  RunEdits();
  Order("UNDRAIN", "n1");
  RunEdits();
  EXPECT_EQ(shard_->ports().resync.CopyToResync(), -1);
  EXPECT_EQ(Order("RESYNC", "n1")->told, kOk);
  EXPECT_EQ(shard_->ports().resync.CopyToResync(), 1);
}

TEST_F(ShardControlTest, ACopyThatIsBeingRepairedCanBeDrained) {
  Make(2);
  Order("DRAIN", "n1");
  Prove(0);
  RunEdits();
  ExpectWrites(1);
  Order("UNDRAIN", "n1");
  RunEdits();
  Tick(20);
  ExpectRepair(0, "k");
  // It gets all writes again.
  Asked* set = Ask({"SET", "other", "v"});
  EXPECT_EQ(Sent(1), Command({"SET", "other", "v"}));
  Asked* drain = Order("DRAIN", "n1");
  Reply(0, "$3\r\nabc\r\n:-1\r\n+OK\r\n");
  EXPECT_TRUE(queue_->idle());
  Reply(1, "+OK\r\n");
  RunEdits();
  EXPECT_EQ(set->told, kOk);
  EXPECT_EQ(drain->told, kOk);
  EXPECT_TRUE(Durable().copies[1].drained());
  // What was under way ends in its place; nothing new begins.
  EXPECT_EQ(Sent(1), Command({"RESTORE", "k", "0", "abc", "REPLACE"}));
  Reply(1, "+OK\r\n");
  Tick(1000);
  EXPECT_EQ(Sent(0), Command({"SET", "other", "v"}));
  EXPECT_EQ(Sent(1), "");
  Asked* next = Ask({"SET", "k", "v"});
  Reply(0, "+OK\r\n");
  EXPECT_EQ(next->told, kOk);
}

TEST_F(ShardControlTest, DrainsThePrimaryInOnePause) {
  Make(2);
  Asked* drain = Order("DRAIN", "n0");
  Asked* held = Ask({"SET", "k", "1"});
  RunEdits();
  EXPECT_EQ(drain->told, "");
  EXPECT_EQ(Durable().primary, 1u);
  Prove(1);
  RunEdits();
  EXPECT_EQ(drain->told, kOk);
  EXPECT_TRUE(Durable().copies[0].drained());
  EXPECT_EQ(Sent(0), "");  // the held write went to nobody in between
  EXPECT_EQ(Sent(1), Command({"SET", "k", "1"}));
  Reply(1, "+OK\r\n");
  EXPECT_EQ(held->told, kOk);
  ExpectWrites(2);
  EXPECT_TRUE(Noted("n0 is drained (epoch 3) and may be stopped"));
}

TEST_F(ShardControlTest, NobodyLeavesAPrimaryThatDoesNotAnswer) {
  Make(2);
  Asked* drain = Order("DRAIN", "n1");
  Asked* held = Ask({"SET", "k", "1"});
  EXPECT_EQ(Sent(0), Command({"PING"}));
  Tick(1000);
  EXPECT_EQ(drain->told,
            "-ERR shard 'a': the primary n0 did not answer PING within 1000 ms; nothing was "
            "changed\r\n");
  EXPECT_TRUE(queue_->idle());
  Reply(0, "+PONG\r\n");  // too late
  EXPECT_TRUE(queue_->idle());
  Reply(0, "+OK\r\n");
  Reply(1, "+OK\r\n");
  EXPECT_EQ(held->told, kOk);

  // It dies: the other copy takes its place instead of leaving.
  Sent(0);
  drain = Order("DRAIN", "n1");
  EXPECT_EQ(Sent(0), Command({"PING"}));
  Kill(0);
  Reply(1, "+PONG\r\n");
  RunEdits();
  Tick(20);
  RunEdits();
  EXPECT_TRUE(drain->told.starts_with("-ERR shard 'a': n1 cannot be drained")) << drain->told;
  EXPECT_EQ(Durable().primary, 1u);
  EXPECT_FALSE(Durable().copies[1].drained());

  // A connection that is new is no proof.
  Make(2);
  drain = Order("DRAIN", "n1");
  EXPECT_EQ(Sent(0), Command({"PING"}));
  Lose(0);
  Up(0, "r0");
  Reply(1, "+PONG\r\n");
  Prove(0);
  RunEdits();
  EXPECT_EQ(drain->told, kOk);
}

TEST_F(ShardControlTest, TwoEmptyCopiesAreEqualButNotIfOneIsDrained) {
  Make(2);
  Lose(0);
  Lose(1);
  Up(0, "r0", 0);
  Up(1, "r1", 0);
  Order("DRAIN", "n1");
  Prove(0);
  RunEdits();
  Tick(100);
  RunEdits();
  EXPECT_TRUE(Durable().copies[1].drained());
  Order("UNDRAIN", "n1");
  RunEdits();
  Tick(100);
  RunEdits();
  EXPECT_EQ(Durable().copies[1].state, CopyState::kInSync);
}

}  // namespace
}  // namespace gemel::shard_control_test
