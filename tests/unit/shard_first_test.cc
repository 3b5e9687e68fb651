// Writes that one copy executes first, in a shard: who waits, who is told what when a copy is lost.

#include <gtest/gtest.h>

#include "tests/unit/shard_first_world.h"

namespace gemel::shard_first_test {
namespace {

using ShardFirstTest = ShardFirstWorld;

TEST_F(ShardFirstTest, IsAnsweredWhenAllCopiesHaveIt) {
  Begin(3);
  Asked* add = Add();
  Size();
  EXPECT_EQ(Sent(1), "");
  Execute();
  HaveIt(2);
  EXPECT_EQ(add->told, "");
  EXPECT_FALSE(shard_->Quiet());
  HaveIt(1);
  EXPECT_EQ(add->told, kId);
  EXPECT_TRUE(shard_->Quiet());
  EXPECT_EQ(edits_, "");
}

TEST_F(ShardFirstTest, AckPrimary) {
  Begin(2, Ack::kPrimary);
  Asked* add = Add();
  Size();
  Execute();
  EXPECT_EQ(add->told, kId);
  EXPECT_FALSE(shard_->Quiet());
  HaveIt();
  EXPECT_TRUE(shard_->Quiet());
}

// What touches its keys waits; all else passes.
TEST_F(ShardFirstTest, LocksItsKeys) {
  Begin();
  Add();
  Asked* get = Ask({"GET", "k"}, 2);
  Asked* other = Ask({"SET", "other", "v"}, 3);
  Asked* dbsize = Ask({"DBSIZE"}, 4);
  Asked* own = Ask({"DBSIZE"}, 1);
  Asked* flush = Ask({"FLUSHALL"}, 5);
  Asked* second = Ask({"MIX", "l", "*", "f", "v"}, 6);
  EXPECT_EQ(Sent(0), Command({"MEMORY", "USAGE", "k"}) + Command({"SET", "other", "v"}) +
                         Command({"DBSIZE"}));
  EXPECT_EQ(Sent(1), Command({"SET", "other", "v"}));
  Reply(0, ":100\r\n+OK\r\n:1\r\n");
  Reply(1, "+OK\r\n");
  EXPECT_EQ(other->told, "+OK\r\n");
  EXPECT_EQ(dbsize->told, ":1\r\n");
  EXPECT_TRUE(shard_->ports().audit.IsKeyLocked("k"));
  EXPECT_EQ(Sent(0), Block());
  Execute();
  // In the order in which they came, and behind what followed.
  EXPECT_FALSE(shard_->ports().audit.IsKeyLocked("k"));
  EXPECT_EQ(Sent(0), Command({"GET", "k"}) + Command({"DBSIZE"}) + Command({"FLUSHALL"}) +
                         Command({"MEMORY", "USAGE", "l"}));
  EXPECT_EQ(Sent(1), Follow() + Command({"FLUSHALL"}));
  EXPECT_EQ(get->told + own->told + flush->told + second->told, "");
}

TEST_F(ShardFirstTest, ErrorsAreTheClients) {
  Begin();
  Asked* add = Add();
  Size();
  Reply(0, "+OK\r\n-ERR no\r\n+QUEUED\r\n+QUEUED\r\n-EXECABORT no\r\n");
  EXPECT_EQ(add->told, "-ERR no\r\n");
  EXPECT_EQ(Sent(1), "");
  EXPECT_TRUE(shard_->Quiet());
  Asked* set = Ask({"SET", "k", "v"});
  Reply(0, "+OK\r\n");
  Reply(1, "+OK\r\n");
  EXPECT_EQ(set->told, "+OK\r\n");
}

// The primary applies no writes just now: another copy does, and takes its place.
TEST_F(ShardFirstTest, PrimaryAppliesNoWrites) {
  Begin();
  Asked* add = Add();
  Size();
  Reply(0, "+OK\r\n-MISCONF no\r\n+QUEUED\r\n+QUEUED\r\n-EXECABORT no\r\n");
  Size(1);
  Execute(1);
  EXPECT_EQ(Sent(0), Follow());
  Reply(0, "+OK\r\n-MISCONF no\r\n-EXECABORT no\r\n");
  EXPECT_EQ(add->told, "");
  RunEdits();
  EXPECT_EQ(Durable().primary, 1u);
  EXPECT_EQ(add->told, kId);
}

TEST_F(ShardFirstTest, NobodyAppliesWrites) {
  Begin();
  Asked* add = Add();
  const std::string refuse = "+OK\r\n-OOM no\r\n+QUEUED\r\n+QUEUED\r\n-EXECABORT no\r\n";
  Size();
  Reply(0, refuse);
  Size(1);
  Reply(1, refuse);
  EXPECT_EQ(add->told, "-OOM no\r\n");
  EXPECT_EQ(edits_, "");
  Asked* set = Ask({"SET", "k", "v"});
  Reply(0, "+OK\r\n");
  Reply(1, "+OK\r\n");
  EXPECT_EQ(set->told, "+OK\r\n");
}

// Nothing was sent to the other, which is promoted and executes it: once.
TEST_F(ShardFirstTest, PrimaryLostBeforeItAnswered) {
  Begin();
  Asked* add = Add();
  Asked* later = Ask({"XLEN", "k"}, 1);
  Size();
  Reply(0, Queued(2));
  Lose(0, /*refused=*/true);
  EXPECT_EQ(add->told, "");
  EXPECT_EQ(Sent(1), "");
  EXPECT_EQ(edits_.find("mark-stale n1"), std::string::npos) << edits_;
  RunEdits();
  EXPECT_EQ(Durable().primary, 1u);
  Size(1);
  Execute(1);
  EXPECT_EQ(add->told, kId);
  EXPECT_EQ(Sent(1), Command({"XLEN", "k"})) << "it has kept its place";
  Reply(1, ":1\r\n");
  EXPECT_EQ(later->told, ":1\r\n");
}

TEST_F(ShardFirstTest, PrimaryLostBeforeItWasSent) {
  Begin();
  Asked* add = Add();
  Lose(0, /*refused=*/true);
  RunEdits();
  Sent(0);
  Size(1);
  Execute(1);
  EXPECT_EQ(add->told, kId);
}

TEST_F(ShardFirstTest, OnlyCopyLost) {
  Begin();
  Lose(1, /*refused=*/true);
  RunEdits();
  ASSERT_EQ(Durable().copies[1].state, CopyState::kStale);
  Asked* add = Add();
  Size();
  Lose(0);
  EXPECT_NE(add->told.find("may or may not have been applied"), std::string::npos) << add->told;
}

// Within its grace the primary's key is copied back from the other copy: that undoes it.
TEST_F(ShardFirstTest, PrimaryIsMendedInPlace) {
  base_.grace_ms = 40;
  Begin();
  Asked* add = Add();
  Size();
  Lose(0);
  Up(0, "r0");
  EXPECT_EQ(edits_, "");
  ExpectRepair(1, "k");
  Reply(1, "$-1\r\n:-2\r\n");
  EXPECT_EQ(Sent(0), Command({"DEL", "k"}));
  Reply(0, ":1\r\n");
  Size(0);
  Execute();
  HaveIt();
  EXPECT_EQ(add->told, kId);
  EXPECT_EQ(edits_, "");
}

// Both are in doubt, and the primary turns out to be the truth: it is not known what that is.
TEST_F(ShardFirstTest, PrimaryStaysTheTruth) {
  Begin();
  Asked* set = Ask({"SET", "other", "v"}, 2);
  Asked* add = Add();
  Sent(0);
  Reply(0, "+OK\r\n:100\r\n");
  Lose(1);
  EXPECT_NE(edits_.find("n1"), std::string::npos) << "it is being marked stale";
  Lose(0);
  EXPECT_EQ(add->told, "");
  RunEdits();
  Up(0, "r0");
  Pass(100);
  EXPECT_EQ(Durable().primary, 0u);
  EXPECT_EQ(Durable().copies[1].state, CopyState::kStale);
  EXPECT_NE(add->told.find("may or may not have been applied"), std::string::npos) << add->told;
  EXPECT_EQ(set->told, "+OK\r\n");
}

TEST_F(ShardFirstTest, FollowerLost) {
  Begin();
  Asked* add = Add();
  Size();
  Execute();
  EXPECT_EQ(Sent(1), Follow());
  Lose(1, /*refused=*/true);
  EXPECT_EQ(add->told, "") << "not durable yet";
  RunEdits();
  EXPECT_EQ(add->told, kId);
  EXPECT_EQ(Durable().copies[1].state, CopyState::kStale);
}

// It left before the primary had answered: the key is among those that it missed.
TEST_F(ShardFirstTest, FollowerLeavesMeanwhile) {
  Begin();
  Asked* add = Add();
  Size();
  Lose(1, /*refused=*/true);
  RunEdits();
  Execute();
  EXPECT_EQ(add->told, kId);
  Sent(1);
  Up(1, "r1");
  Pass(20);
  ExpectRepair(0, "k");
}

// It refuses, as one does that cannot read the DUMP: the key is repaired, and then answered.
TEST_F(ShardFirstTest, FollowerCannotRead) {
  Begin();
  Asked* add = Add();
  Size();
  Execute();
  Sent(1);
  Reply(1, Queued(1) + "*1\r\n-ERR Bad data format\r\n");
  EXPECT_EQ(add->told, "");
  ExpectRepair(0, "k");
  Reply(0, "$1\r\nD\r\n:-1\r\n");
  EXPECT_EQ(Sent(1), Command({"RESTORE", "k", "0", "D", "REPLACE"}));
  Reply(1, "+OK\r\n");
  EXPECT_EQ(add->told, kId);
  EXPECT_EQ(edits_, "");
}

TEST_F(ShardFirstTest, FollowerAppliesNoWrites) {
  Begin();
  Asked* add = Add();
  Size();
  Execute();
  Sent(1);
  Reply(1, "+OK\r\n-OOM no\r\n-EXECABORT no\r\n");
  EXPECT_EQ(add->told, "");
  RunEdits();
  EXPECT_EQ(Durable().copies[1].state, CopyState::kStale);
  EXPECT_EQ(add->told, kId);
}

// A script that EXEC runs is one all the same: it has its time, and is ended then.
TEST_F(ShardFirstTest, EndlessScript) {
  base_.hang = {200, 400};
  base_.hedge_ms = 0;
  Begin();
  Asked* script = Ask({"EVAL", "while true do end", "1", "k"});
  Reply(0, ":100\r\n");
  Sent(0);
  Reply(0, Queued(3));
  const auto pass_busy = [this](uint64_t ms) {
    for (const uint64_t end_ms = now_ms_ + ms; now_ms_ < end_ms;) {
      Pass(10);
      if (shard_->nodes().TakeProbeWish(0))
        shard_->nodes().OnProbe(0, ProbeOutcome::kSent, now_ms_);
      shard_->nodes().OnProbe(0, ProbeOutcome::kBusy, now_ms_);
    }
  };
  pass_busy(4900);
  EXPECT_FALSE(shard_->nodes().TakeEndScriptWish(0)) << "it has its time";
  pass_busy(200);
  EXPECT_TRUE(shard_->nodes().TakeEndScriptWish(0));
  shard_->nodes().OnScriptEnded(0);
  ASSERT_TRUE(shard_->link(0)->up());
  Reply(0, "*3\r\n-ERR killed\r\n$1\r\nD\r\n:-1\r\n");
  HaveIt();
  EXPECT_EQ(script->told, "-ERR killed\r\n");
  EXPECT_EQ(edits_, "");
}

TEST_F(ShardFirstTest, OldServersRunNoScripts) {
  UpWithVersions("6.2.14", "6.2.14");
  EXPECT_EQ(Ask({"EVAL", "return 1", "1", "k"})->told.substr(0, 30),
            "-ERR scripts are not supported");
  EXPECT_EQ(Sent(0), "");
}

// It cannot read the DUMP: the key is copied by the commands of its type, and then answered.
TEST_F(ShardFirstTest, FollowerOfAnOlderVersion) {
  UpWithVersions("7.0.15", "6.2.14");
  Asked* add = Add();
  Size();
  Execute();
  EXPECT_EQ(Sent(1), "");
  EXPECT_EQ(Sent(0), Command({"MEMORY", "USAGE", "k"}));
  EXPECT_TRUE(shard_->ports().audit.IsKeyLocked("k"));
  EXPECT_EQ(add->told, "");
  EXPECT_EQ(edits_, "");
}

TEST_F(ShardFirstTest, TooManyKeys) {
  Begin();
  std::vector<std::string> names;
  for (int i = 0; i < 65; ++i) names.push_back("k" + std::to_string(i));
  Args args = {"XREADGROUP", "GROUP", "g", "c", "STREAMS"};
  args.insert(args.end(), names.begin(), names.end());
  for (int i = 0; i < 65; ++i) args.push_back(">");
  EXPECT_EQ(Ask(args)->told.substr(0, 44), "-ERR a write whose outcome may differ from c");
  EXPECT_EQ(Sent(0), "");
}

TEST_F(ShardFirstTest, Explained) {
  Begin();
  Asked* request = &asked_.emplace_back();
  request->sink = this;
  request->kind = RequestKind::kExplain;
  request->frame = kExplainFirstWrite;
  shard_->Submit(request);
  EXPECT_NE(request->told.find("the primary executes this write alone, and then what came of it "
                               "goes to every other copy in sync"),
            std::string::npos)
      << request->told;
}

}  // namespace
}  // namespace gemel::shard_first_test
