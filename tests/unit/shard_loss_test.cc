// The last copy in sync is lost, or comes back with data that may be old.

#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "backend/shard/shard_control.h"
#include "tests/unit/order_of.h"
#include "tests/unit/shard_world.h"

namespace gemel::shard_loss_test {
namespace {

class ShardLossTest : public ShardWorld {
 protected:
  // n1 is stale, and missed a write of k.
  void MakeOneStale(uint32_t copies = 2) {
    MakeUp(copies);
    Ask({"SET", "k", "v"});
    for (uint32_t i = 0; i < copies; ++i) {
      if (i != 1) Reply(i, "+OK\r\n");
    }
    Lose(1);
    RunEdits();
    for (uint32_t i = 0; i < copies; ++i) Sent(i);
  }
  // As MakeOneStale; then the primary is another process.
  void RestartAlone(uint64_t keys) {
    MakeOneStale();
    Lose(0);
    Up(0, "another", keys);
    Pass(20);
  }
  // The same, of a primary that says so of its appendfsync, before and after.
  void RestartAlone(const std::string& before, const std::string& after) {
    Make(2);
    Up(0, "r0", 5, before);
    Up(1, "r1");
    Pass(20);
    Lose(1, /*refused=*/true);
    RunEdits();
    ASSERT_EQ(Durable().copies[1].state, CopyState::kStale);
    Lose(0);
    Up(0, "another", 5, after);
    Pass(20);
    RunEdits();
  }
  Asked* Order(std::string_view verb, std::string_view node) {
    Asked* request = &asked_.emplace_back();
    request->sink = this;
    request->kind = RequestKind::kControl;
    request->Extra().cargo = OrderOf(verb, node);
    shard_->Submit(request);
    return request;
  }
  // Time passes in which nothing listens at n0.
  void PassWithoutPrimary(uint64_t ms) {
    for (; ms > 0; ms -= 100) {
      Pass(100);
      if (shard_->link(0)->state() == Link::State::kConnecting) Lose(0, /*refused=*/true);
    }
  }
};

TEST_F(ShardLossTest, MissesInsteadOfOldValues) {
  base_.on_data_loss = OnDataLoss::kMiss;
  MakeUp(2);
  Ask({"SET", "k", "v"});
  Reply(0, "+OK\r\n");
  Lose(1);
  RunEdits();
  Lose(0, /*refused=*/true);
  Up(1, "r1");
  Sent(1);
  Pass(100);
  EXPECT_EQ(Sent(1), "");  // the primary may be back soon
  for (int i = 0; i < 20; ++i) {
    Pass(100);
    if (shard_->link(0)->state() == Link::State::kConnecting) Lose(0, /*refused=*/true);
  }
  EXPECT_EQ(Sent(1), Command({"UNLINK", "k"}));
  EXPECT_EQ(Durable().primary, 0u);
  Reply(1, ":1\r\n");
  RunEdits();
  EXPECT_EQ(Durable().primary, 1u);
  EXPECT_EQ(Durable().copies[0].state, CopyState::kStale);
  Ask({"GET", "k"});
  EXPECT_EQ(Sent(1), Command({"GET", "k"}));
}

// What it has beyond what was acknowledged is undone then, and nobody may have read it.
TEST_F(ShardLossTest, APrimaryThatComesBackIsNotReadWhileAnotherTakesItsPlace) {
  killed_ = true;
  Make(2);
  Up(1, "r1");
  for (int i = 0; i < 50 && queue_->idle(); ++i) {
    if (shard_->link(0)->state() == Link::State::kConnecting) Lose(0, /*refused=*/true);
    Pass(100);
  }
  ASSERT_FALSE(queue_->idle()) << "the other one is being promoted";
  Up(0, "r0");
  const Asked* get = Ask({"GET", "k"});
  Pass(10);
  EXPECT_EQ(Sent(0).find("GET"), std::string::npos);
  RunEdits();
  EXPECT_EQ(Durable().primary, 1u);
  EXPECT_NE(Sent(1).find(Command({"GET", "k"})), std::string::npos);
  Reply(1, "$1\r\nv\r\n");
  EXPECT_EQ(get->told, "$1\r\nv\r\n");
}

TEST_F(ShardLossTest, RefusesWhereNothingIsToBeLost) {
  MakeUp(2);
  Ask({"SET", "k", "v"});
  Reply(0, "+OK\r\n");
  Lose(1);
  RunEdits();
  Lose(0, /*refused=*/true);
  Up(1, "r1");
  Sent(1);
  for (int i = 0; i < 30; ++i) {
    Pass(100);
    if (shard_->link(0)->state() == Link::State::kConnecting) Lose(0, /*refused=*/true);
  }
  EXPECT_EQ(Sent(1), "");
  EXPECT_TRUE(Ask({"GET", "k"})->told.starts_with("-CLUSTERDOWN"));
}

TEST_F(ShardLossTest, TheOnlyCopyThatRestartsWithDataIsNotServed) {
  RestartAlone(/*keys=*/5);
  RunEdits();
  const std::string down = Ask({"GET", "k"})->told;
  EXPECT_TRUE(down.starts_with("-CLUSTERDOWN")) << down;
  EXPECT_NE(down.find("n0 (primary) was the only copy in sync and restarted, and the data that it "
                      "came back with may be old; PROXY PROMOTE a n0 FORCE accepts it as it is"),
            std::string::npos)
      << down;
  EXPECT_TRUE(Ask({"SET", "k", "w"})->told.starts_with("-CLUSTERDOWN"));
  EXPECT_EQ(Durable().copies[0].run_id, "r0");
  EXPECT_FALSE(shard_->ports().resync.PrimaryReady());
  EXPECT_NE(notes_.find("the 5 keys that it came back with may be old"), std::string::npos);
  // Not even for who does not know.
  const std::string refused = Order("PROMOTE", "n0")->told;
  EXPECT_TRUE(refused.starts_with("-ERR shard 'a': n0 is the primary, but it restarted"))
      << refused;

  Asked* force = Order("FORCE", "n0");
  RunEdits();
  EXPECT_TRUE(force->told.starts_with("+OK n0 is primary with the data that it came back with"))
      << force->told;
  EXPECT_EQ(Durable().copies[0].run_id, "another");
  Sent(0);
  Ask({"GET", "k"});
  EXPECT_EQ(Sent(0), Command({"GET", "k"}));
  // Until it restarts again.
  Reply(0, "$-1\r\n");
  Lose(0);
  Up(0, "third");
  RunEdits();
  EXPECT_TRUE(Ask({"GET", "k"})->told.starts_with("-CLUSTERDOWN"));
}

// Who writes to the disk before it answers has come back with everything.
TEST_F(ShardLossTest, TheOnlyCopyThatKeepsEveryWriteGoesOn) {
  RestartAlone("always", "always");
  EXPECT_EQ(Durable().copies[0].run_id, "another");
  Sent(0);
  Ask({"GET", "k"});
  EXPECT_EQ(Sent(0), Command({"GET", "k"}));
}

TEST_F(ShardLossTest, TheOnlyCopyThatKeepsEveryWriteIsNotEmptied) {
  base_.on_data_loss = OnDataLoss::kMiss;
  RestartAlone("always", "always");
  EXPECT_EQ(Durable().copies[0].run_id, "another");
  EXPECT_EQ(Sent(0).find("FLUSH"), std::string::npos);
}

TEST_F(ShardLossTest, OneThatKeepsWritesOnlyNowIsNotServed) {
  RestartAlone("everysec", "always");
  EXPECT_EQ(Durable().copies[0].run_id, "r0");
  EXPECT_TRUE(Ask({"GET", "k"})->told.starts_with("-CLUSTERDOWN"));
}

TEST_F(ShardLossTest, OneThatKeepsWritesNoMoreIsNotServed) {
  RestartAlone("always", "everysec");
  EXPECT_EQ(Durable().copies[0].run_id, "r0");
  EXPECT_TRUE(Ask({"GET", "k"})->told.starts_with("-CLUSTERDOWN"));
}

// The other may have had nothing more.
TEST_F(ShardLossTest, OneThatKeepsEveryWriteGoesOnWithoutTheOther) {
  Make(2);
  Up(0, "r0");
  Up(1, "r1", 5, "always");
  Pass(3000);
  Lose(0, /*refused=*/true);
  Lose(1);
  Up(1, "new1", 5, "always");
  PassWithoutPrimary(20000);
  RunEdits();
  EXPECT_EQ(Durable().primary, 1u);
  RunEdits();
  EXPECT_EQ(Durable().copies[1].run_id, "new1");
  Sent(1);
  Ask({"GET", "k"});
  EXPECT_EQ(Sent(1), Command({"GET", "k"}));
}

TEST_F(ShardLossTest, OfThoseThatRestartedTheOneThatKeepsEveryWriteCounts) {
  base_.grace_ms = 1000;
  Make(2);
  Up(0, "r0", 5, "everysec");
  Up(1, "r1", 5, "always");
  Pass(3000);
  Lose(0);
  Lose(1);
  Up(0, "new0", 5, "everysec");
  Up(1, "new1", 5, "always");
  Pass(20);
  RunEdits();
  Pass(20);
  RunEdits();
  EXPECT_EQ(Durable().primary, 1u);
  EXPECT_EQ(Durable().copies[1].run_id, "new1");
  EXPECT_EQ(Durable().copies[0].state, CopyState::kStale);
}

TEST_F(ShardLossTest, OldDataOfTheOnlyCopyIsDeletedWhereMissesAreWanted) {
  base_.on_data_loss = OnDataLoss::kMiss;
  RestartAlone(/*keys=*/5);
  RunEdits();
  EXPECT_EQ(Sent(0), Command({"FLUSHDB"}));
  EXPECT_EQ(Durable().copies[0].run_id, "r0");
  Asked* get = Ask({"GET", "k"});
  EXPECT_EQ(get->told, "");  // it is a matter of a moment
  Reply(0, "-LOADING\r\n");
  RunEdits();
  EXPECT_EQ(Durable().copies[0].run_id, "r0");
  EXPECT_EQ(Sent(0), "");
  Pass(1500);
  EXPECT_EQ(Sent(0), Command({"FLUSHDB"}));
  Reply(0, "+OK\r\n");
  RunEdits();
  EXPECT_EQ(Durable().copies[0].run_id, "another");
  EXPECT_EQ(Sent(0), Command({"GET", "k"}));
}

TEST_F(ShardLossTest, TheOnlyCopyThatRestartsEmptyGoesOn) {
  RestartAlone(/*keys=*/0);
  RunEdits();
  EXPECT_EQ(Durable().copies[0].run_id, "another");
  Sent(0);
  Ask({"GET", "k"});
  EXPECT_EQ(Sent(0), Command({"GET", "k"}));
}

TEST_F(ShardLossTest, WhereAllInSyncRestartThePrimaryCounts) {
  base_.grace_ms = 1000;
  MakeUp(2);
  Lose(0);
  Lose(1);
  Up(0, "new0");
  Up(1, "new1");
  Pass(20);
  RunEdits();
  Pass(20);
  RunEdits();
  EXPECT_EQ(Durable().copies[0].run_id, "new0");
  EXPECT_EQ(Durable().copies[1].state, CopyState::kStale);
  EXPECT_NE(notes_.find("all copies in sync restarted; the 5 keys that n0"), std::string::npos);
  Sent(0);
  Ask({"GET", "k"});
  EXPECT_EQ(Sent(0), Command({"GET", "k"}));
}

TEST_F(ShardLossTest, ACopyThatIsAlwaysAloneGoesOn) {
  MakeUp(1);
  Lose(0);
  Up(0, "another");
  RunEdits();
  Sent(0);
  Ask({"GET", "k"});
  EXPECT_EQ(Sent(0), Command({"GET", "k"}));
}

TEST_F(ShardLossTest, AStaleCopyMayBeForcedInPlaceOfOldData) {
  RestartAlone(/*keys=*/5);
  RunEdits();
  Up(1, "r1");
  Asked* force = Order("FORCE", "n1");
  RunEdits();
  EXPECT_TRUE(force->told.starts_with("+OK n1 is primary")) << force->told;
  EXPECT_EQ(Durable().primary, 1u);
  EXPECT_EQ(Durable().copies[0].state, CopyState::kStale);
}

TEST_F(ShardLossTest, AReplicaInTheMiddleOfAResyncIsMadeAMasterFirst) {
  base_.on_data_loss = OnDataLoss::kMiss;
  MakeOneStale();
  uint32_t told = 0;
  std::function<void(const std::string&)> done;
  shard_->control().set_detach([&](uint32_t copy, std::function<void(const std::string&)> then) {
    EXPECT_EQ(copy, 1u);
    ++told;
    done = std::move(then);
  });
  Up(1, "r1");
  shard_->ports().resync.ForgetJournal(1);  // as a resync does
  Lose(0, /*refused=*/true);
  Sent(1);
  PassWithoutPrimary(2000);
  EXPECT_EQ(told, 1u);
  EXPECT_EQ(Sent(1), "");
  done("no answer");
  PassWithoutPrimary(2000);
  EXPECT_EQ(told, 2u);
  EXPECT_NE(notes_.find("n1 cannot take the place of the lost primary: no answer"),
            std::string::npos);
  done("");
  EXPECT_EQ(Sent(1), Command({"FLUSHDB"}));
  Reply(1, "+OK\r\n");
  RunEdits();
  EXPECT_EQ(Durable().primary, 1u);
}

}  // namespace
}  // namespace gemel::shard_loss_test
