// What an operator asks of a shard: what clients see meanwhile, what becomes durable, and what is
// answered where it cannot be done.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/shard_control_world.h"

namespace gemel::shard_control_test {
namespace {

TEST_F(ShardControlTest, PromoteHandsOverWithoutAnError) {
  Make(2);
  Asked* in_flight = Ask({"SET", "k", "1"});
  Asked* promote = Order("PROMOTE", "n1");
  Asked* held = Ask({"SET", "k", "2"});
  Asked* read = Ask({"GET", "k"}, 2);
  EXPECT_EQ(promote->told + held->told, "");
  EXPECT_TRUE(queue_->idle());  // first what is in flight
  EXPECT_EQ(Sent(0), Command({"SET", "k", "1"}) + Command({"GET", "k"}));
  EXPECT_EQ(Sent(1), Command({"SET", "k", "1"}));
  Reply(0, "+OK\r\n$1\r\n1\r\n");
  Reply(1, "+OK\r\n");
  EXPECT_EQ(in_flight->told, kOk);
  EXPECT_EQ(read->told, "$1\r\n1\r\n");
  EXPECT_EQ(Sent(0) + Sent(1), "");
  EXPECT_EQ(promote->told, "");
  RunEdits();
  EXPECT_EQ(promote->told, kOk);
  EXPECT_EQ(Durable().primary, 1u);
  EXPECT_EQ(Durable().copies[0].state, CopyState::kInSync);
  EXPECT_FALSE(shard_->ports().resync.paused());
  EXPECT_EQ(Sent(0), Command({"SET", "k", "2"}));
  EXPECT_EQ(Sent(1), Command({"SET", "k", "2"}));
  Reply(1, "+OK\r\n");
  Reply(0, "+OK\r\n");
  EXPECT_EQ(held->told, kOk);
  Ask({"GET", "k"});
  EXPECT_EQ(Sent(1), Command({"GET", "k"}));
  EXPECT_TRUE(Noted("shard 'a': n0 handed the primary's role over to n1 (epoch 2): PROXY PROMOTE"))
      << notes_;
}

TEST_F(ShardControlTest, PromoteChoosesACopyThatIsUp) {
  Make(3);
  Kill(1);
  RunEdits();
  Asked* promote = Order("PROMOTE", "");
  RunEdits();
  EXPECT_EQ(promote->told, kOk);
  EXPECT_EQ(Durable().primary, 2u);
  EXPECT_EQ(Order("PROMOTE", "n2")->told, kOk);  // it is already
  EXPECT_EQ(Durable().epoch, 3u);
  Kill(0);
  RunEdits();
  EXPECT_EQ(Refusal("PROMOTE", ""),
            "-ERR shard 'a': there is no copy to promote: n0 is stale: refused; n1 is stale: "
            "refused\r\n");
  Make(1);
  EXPECT_EQ(Refusal("PROMOTE", ""),
            "-ERR shard 'a': there is no copy to promote: the shard has one copy only\r\n");
  EXPECT_EQ(Order("PROMOTE", "n0")->told, kOk);
}

TEST_F(ShardControlTest, RefusesBySentence) {
  Make(2);
  EXPECT_EQ(Refusal("PROMOTE", "n7"),
            "-ERR shard 'a': it has no node n7; its nodes are n0, n1\r\n");
  EXPECT_EQ(Refusal("RESYNC", "n0"),
            "-ERR shard 'a': n0 is the primary, whose data the others are copied from; promote "
            "another first (PROXY PROMOTE a)\r\n");
  Lose(1);  // in sync, but away for now
  EXPECT_EQ(Refusal("PROMOTE", "n1"), "-ERR shard 'a': n1 cannot be reached: reset\r\n");
  EXPECT_EQ(Refusal("DRAIN", "n0"),
            "-ERR shard 'a': n0 cannot be drained, no other copy can take its place: n1 cannot be "
            "reached: reset\r\n");
  Kill(1);
  RunEdits();
  EXPECT_EQ(Refusal("PROMOTE", "n1"),
            "-ERR shard 'a': n1 is stale: refused. Wait until it is in sync; or, if no copy that "
            "is in sync can be brought back, PROXY PROMOTE a n1 FORCE promotes it with the data "
            "that it has\r\n");
  EXPECT_EQ(Refusal("FORCE", "n1"),
            "-ERR shard 'a': n1 is stale and n0 is in sync and up, so that nothing need be lost; "
            "FORCE is for when no copy that is in sync is up\r\n");
  Lose(0);
  EXPECT_EQ(Refusal("FORCE", "n1"), "-ERR shard 'a': n1 cannot be reached: refused\r\n");
  EXPECT_FALSE(Noted("could not be done"));
}

TEST_F(ShardControlTest, OneOrderAtATime) {
  Make(2);
  Ask({"SET", "k", "1"});
  Asked* promote = Order("PROMOTE", "n1");
  EXPECT_EQ(Order("DRAIN", "n1")->told,
            "-ERR shard 'a': another change of its roles is under way; try again\r\n");
  Reply(0, "+OK\r\n");
  Reply(1, "+OK\r\n");
  RunEdits();
  EXPECT_EQ(promote->told, kOk);
}

TEST_F(ShardControlTest, GivesUpIfTheWritesInFlightAreNotAnswered) {
  Make(2);
  Ask({"SET", "k", "1"});
  Asked* promote = Order("PROMOTE", "n1");
  Asked* held = Ask({"SET", "k", "2"}, 2);
  Reply(0, "+OK\r\n");
  Tick(999);
  EXPECT_EQ(promote->told, "");
  Tick(1);
  EXPECT_EQ(promote->told,
            "-ERR shard 'a': the writes in flight were not answered by all copies within 1000 ms "
            "(pause_ms); nothing was changed\r\n");
  EXPECT_FALSE(shard_->ports().resync.paused());
  Reply(1, "+OK\r\n");
  EXPECT_TRUE(queue_->idle());
  Reply(0, "+OK\r\n");
  Reply(1, "+OK\r\n");
  EXPECT_EQ(held->told, kOk);
  EXPECT_EQ(Durable().primary, 0u);
  EXPECT_TRUE(Noted("what the operator asked for could not be done: the writes in flight"));
}

TEST_F(ShardControlTest, GivesUpIfTheEditIsNotDurableInTime) {
  Make(2);
  Asked* promote = Order("PROMOTE", "n1");
  Asked* held = Ask({"SET", "k", "2"});
  Tick(1000);
  EXPECT_EQ(promote->told,
            "-ERR shard 'a': the change was not durable within 1000 ms; it may still take effect, "
            "PROXY SHARDS tells\r\n");
  EXPECT_FALSE(shard_->ports().resync.paused());
  EXPECT_EQ(held->told, "");  // until it is known who is primary
  RunEdits();
  EXPECT_EQ(Durable().primary, 1u);
  EXPECT_EQ(shard_->info().primary, 1u);
  Reply(0, "+OK\r\n");
  Reply(1, "+OK\r\n");
  EXPECT_EQ(held->told, kOk);
  EXPECT_TRUE(Noted("handed the primary's role over"));
  EXPECT_EQ(Order("PROMOTE", "n1")->told, kOk);
}

TEST_F(ShardControlTest, ARefusedEditHurtsNobody) {
  Make(2);
  Asked* promote = Order("PROMOTE", "n1");
  Asked* held = Ask({"SET", "k", "2"});
  RunEdits(false);
  EXPECT_EQ(promote->told, "-ERR shard 'a': could not hand over n1: the disk is full\r\n");
  Reply(0, "+OK\r\n");
  Reply(1, "+OK\r\n");
  EXPECT_EQ(held->told, kOk);
  ExpectWrites(3);
  EXPECT_EQ(shard_->info().primary, 0u);
}

TEST_F(ShardControlTest, WaitsForAResyncThatHandsOver) {
  Make(2);
  shard_->ports().resync.Pause([] {});
  Asked* promote = Order("PROMOTE", "n1");
  Tick(20);
  EXPECT_TRUE(queue_->idle());
  shard_->ports().resync.Resume();
  Tick(20);
  RunEdits();
  EXPECT_EQ(promote->told, kOk);
  shard_->ports().resync.Pause([] {});
  promote = Order("PROMOTE", "n0");
  Tick(5000);
  EXPECT_EQ(promote->told,
            "-ERR shard 'a': a resync was handing over or its roles were changing, and that did "
            "not end within 5000 ms; try again\r\n");
  EXPECT_TRUE(shard_->ports().resync.paused());  // by the other
}

TEST_F(ShardControlTest, ATargetThatDiesWhileDrainingIsNotPromoted) {
  Make(2);
  Asked* set = Ask({"SET", "k", "1"});
  Asked* promote = Order("PROMOTE", "n1");
  Reply(0, "+OK\r\n");
  Lose(1);
  Tick(50);
  RunEdits();  // it is marked stale
  Tick(20);
  RunEdits();
  EXPECT_TRUE(promote->told.starts_with("-ERR shard 'a': n1 is stale: ")) << promote->told;
  EXPECT_EQ(set->told, kOk);
  EXPECT_EQ(Durable().primary, 0u);
  ExpectWrites(1);
}

TEST_F(ShardControlTest, APrimaryThatDiesWhileDrainingIsReplaced) {
  Make(2);
  Asked* set = Ask({"SET", "k", "1"});
  Asked* promote = Order("PROMOTE", "n1");
  Reply(1, "+OK\r\n");
  Lose(0);
  Tick(50);
  RunEdits();
  Tick(20);
  RunEdits();
  EXPECT_EQ(promote->told, kOk);
  EXPECT_EQ(set->told, kOk);
  EXPECT_EQ(Durable().primary, 1u);
  EXPECT_EQ(Durable().copies[0].state, CopyState::kStale);
  ExpectWrites(2);
}

TEST_F(ShardControlTest, ResyncMarksStale) {
  Make(2);
  Asked* resync = Order("RESYNC", "n1");
  Prove(0);
  // It may be stale on disk at any moment now.
  Asked* get = Ask({"GET", "k"});
  EXPECT_EQ(Sent(0), Command({"GET", "k"}));
  Reply(0, "$-1\r\n");
  EXPECT_EQ(get->told, "$-1\r\n");
  RunEdits();
  EXPECT_EQ(resync->told, kOk);
  EXPECT_EQ(Durable().copies[1].state, CopyState::kStale);
  EXPECT_EQ(Durable().copies[1].reason, "a resync was asked for");
  EXPECT_EQ(shard_->ports().resync.CopyToResync(), 1);
  EXPECT_EQ(Order("RESYNC", "n1")->told, kOk);  // it is to be resynced already
  ExpectWrites(1);
  EXPECT_TRUE(Noted("n1 is stale (epoch 2): a resync was asked for"));
}

TEST_F(ShardControlTest, AResyncOfEmptyCopiesIsNoShortWay) {
  // What the copies said when they connected is not asked: the operator may know of more.
  Make(2);
  Lose(0);
  Lose(1);
  Up(0, "r0", 0);
  Up(1, "r1", 0);
  Order("RESYNC", "n1");
  Prove(0);
  RunEdits();
  EXPECT_EQ(Durable().copies[1].state, CopyState::kStale);
  Tick(100);
  EXPECT_TRUE(queue_->idle());
}

TEST_F(ShardControlTest, ResyncNeedsThePrimary) {
  Make(3);
  Lose(0);
  EXPECT_EQ(
      Refusal("RESYNC", "n1"),
      "-ERR shard 'a': n1 cannot be resynced now: the primary n0 cannot be reached: reset\r\n");
  EXPECT_EQ(Refusal("DRAIN", "n1"),
            "-ERR shard 'a': n1 cannot be drained, no other copy can take its place: the primary "
            "n0 cannot be reached: reset\r\n");
}

TEST_F(ShardControlTest, ForcePromotesAStaleCopy) {
  Make(3);
  Kill(2);
  RunEdits();
  ExpectWrites(3);  // n2 misses it
  Kill(0);
  Kill(1);
  RunEdits();
  const std::string down = Ask({"GET", "k"})->told;
  EXPECT_TRUE(down.starts_with("-CLUSTERDOWN")) << down;
  Tick(2000);
  Up(2, "r2");
  EXPECT_TRUE(Ask({"GET", "k"})->told.starts_with("-CLUSTERDOWN"));

  // It may be a replica still, of a primary that is no more.
  uint32_t detached = 99;
  std::function<void(const std::string&)> done;
  shard_->control().set_detach([&](uint32_t copy, std::function<void(const std::string&)> then) {
    detached = copy;
    done = std::move(then);
  });
  Asked* force = Order("FORCE", "n2");
  EXPECT_EQ(detached, 2u);
  EXPECT_TRUE(queue_->idle());
  done("LOADING");
  EXPECT_EQ(force->told, "-ERR shard 'a': n2 does not take REPLICAOF NO ONE: LOADING\r\n");
  force = Order("FORCE", "n2");
  done("");
  RunEdits();
  EXPECT_TRUE(
      force->told.starts_with("+OK n2 is primary with the data that it has: what was "
                              "written while it was stale ("))
      << force->told;
  EXPECT_EQ(Durable().primary, 2u);
  EXPECT_EQ(Durable().copies[2].run_id, "r2");
  for (uint32_t i = 0; i < 2; ++i) {
    EXPECT_EQ(Durable().copies[i].state, CopyState::kStale) << i;
  }
  ExpectWrites(4);
  EXPECT_TRUE(Noted("PROXY PROMOTE FORCE (epoch "));
  // Who had the data is stale now, and is not believed when it is back.
  Tick(2000);
  Up(0, "r0");
  RunEdits();
  EXPECT_EQ(Durable().primary, 2u);
  EXPECT_EQ(shard_->ports().resync.CopyToResync(), 0);
  EXPECT_EQ(Order("FORCE", "n2")->told, kOk);
}

TEST_F(ShardControlTest, ForceEndsIfTheNodeDoesNotObeyOrDies) {
  Make(2);
  Kill(1);
  RunEdits();
  Tick(2000);
  Up(1, "r1");
  Lose(0);
  EXPECT_EQ(Refusal("FORCE", "n1"),
            "-ERR shard 'a': n1 is stale and n0, which is in sync, may be back at any moment; try "
            "again once it is surely gone\r\n");
  Kill(0);
  shard_->control().set_detach([](uint32_t, std::function<void(const std::string&)>) {});
  Asked* force = Order("FORCE", "n1");
  Tick(5000);
  EXPECT_EQ(force->told,
            "-ERR shard 'a': n1 did not answer REPLICAOF NO ONE within 5000 ms; nothing was "
            "changed\r\n");
  shard_->control().set_detach(nullptr);
  force = Order("FORCE", "n1");
  RunEdits();
  EXPECT_TRUE(force->told.starts_with("+OK n1 is primary")) << force->told;
}

TEST_F(ShardControlTest, ForceOfACopyInSyncIsAPlainPromotion) {
  Make(2);
  Asked* force = Order("FORCE", "n1");
  RunEdits();
  EXPECT_EQ(force->told, kOk);
  EXPECT_EQ(Durable().copies[0].state, CopyState::kInSync);
}

TEST_F(ShardControlTest, StopAnswers) {
  Make(2);
  Ask({"SET", "k", "1"});
  Asked* promote = Order("PROMOTE", "n1");
  shard_->Stop();
  EXPECT_EQ(promote->told, "-ERR shard 'a': gemel is being stopped\r\n");
  Make(2);
  promote = Order("PROMOTE", "n1");
  shard_->Stop();
  EXPECT_EQ(promote->told, "-ERR shard 'a': gemel is being stopped\r\n");
  RunEdits();
}

}  // namespace
}  // namespace gemel::shard_control_test
