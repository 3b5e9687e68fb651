// The short way back: a copy that missed writes has their keys repaired, and no others.

#include <gtest/gtest.h>

#include <string>

#include "tests/unit/shard_world.h"

namespace gemel::shard_mend_test {
namespace {

using ShardMendTest = ShardWorld;

const std::string kAsked = Command({"MEMORY", "USAGE", "k"});

TEST_F(ShardMendTest, AConnectionThatIsBackAtOnceCostsNobodyItsPlace) {
  base_.grace_ms = 40;
  MakeUp(2);
  Asked* set = Ask({"SET", "k", "v"});
  Sent(0);
  Reply(1, "+OK\r\n");
  Lose(0);
  EXPECT_EQ(set->told, "");  // not on the primary for sure
  Sent(1);
  Up(0, "r0");
  ExpectRepair(1, "k");  // from the copy that has it
  Reply(1, "$3\r\nabc\r\n:-1\r\n");
  EXPECT_EQ(Sent(0), Command({"RESTORE", "k", "0", "abc", "REPLACE"}));
  EXPECT_EQ(set->told, "");
  Reply(0, "+OK\r\n");
  EXPECT_EQ(set->told, "+OK\r\n");
  EXPECT_EQ(edits_, "");  // none was needed
  Ask({"SET", "k", "w"});
  EXPECT_EQ(Sent(0), Command({"SET", "k", "w"}));
  EXPECT_EQ(Sent(1), Command({"SET", "k", "w"}));
}

TEST_F(ShardMendTest, AfterItsGraceItLeaves) {
  base_.grace_ms = 40;
  MakeUp(2);
  Asked* set = Ask({"SET", "k", "v"});
  Reply(1, "+OK\r\n");
  Lose(0);
  Pass(30);
  EXPECT_EQ(edits_, "");
  Pass(20);
  RunEdits();
  EXPECT_EQ(set->told, "+OK\r\n");
  EXPECT_EQ(Durable().primary, 1u);
  EXPECT_EQ(Durable().copies[0].state, CopyState::kStale);
}

TEST_F(ShardMendTest, ExplainTellsOfAWriteThatWaitsOrIsRefused) {
  MakeUp(2);
  EXPECT_NE(
      Explain(true).find("a write goes to every copy in sync; a read: reads go to the primary\r\n"),
      std::string::npos);
  EXPECT_NE(Explain(false).find("reads go to the primary\r\n"), std::string::npos);
  Ask({"SET", "k", "v"});
  Lose(1);
  EXPECT_NE(Explain(true).find("a write waits: the shard's roles are being settled"),
            std::string::npos);
  Reply(0, "+OK\r\n");
  RunEdits();
  EXPECT_NE(Explain(true).find("write_to\r\n*1\r\n$2\r\nn0\r\n"), std::string::npos);
  Lose(0, /*refused=*/true);
  for (int i = 0; i < 2; ++i) {
    shard_->Tick(now_ms_ += 1000, 0);
    Lose(0, /*refused=*/true);
  }
  const Asked* refused = Ask({"SET", "k", "v"});
  ASSERT_TRUE(refused->told.starts_with("-CLUSTERDOWN ")) << refused->told;
  const std::string sentence = refused->told.substr(1, refused->told.size() - 3);
  EXPECT_NE(Explain(true).find(sentence), std::string::npos) << Explain(true);
}

TEST_F(ShardMendTest, ACopyJoinsAndItsKeysAreRepaired) {
  MakeUp(2);
  Ask({"SET", "k", "v"});
  Sent(0);
  Sent(1);
  Reply(0, "+OK\r\n");
  Lose(1);
  RunEdits();
  ASSERT_EQ(Durable().copies[1].state, CopyState::kStale);
  Asked* missed = Ask({"SET", "missed", "v"});
  Reply(0, "+OK\r\n");
  EXPECT_EQ(missed->told, "+OK\r\n");
  Sent(0);
  Up(1, "r1");
  EXPECT_FALSE(shard_->ports().resync.WantsResync(1));
  Pass(10);
  // Both keys, in any order; and a new write goes to both copies from now on.
  const std::string asked = Sent(0);
  EXPECT_NE(asked.find(kAsked), std::string::npos);
  EXPECT_NE(asked.find(Command({"MEMORY", "USAGE", "missed"})), std::string::npos);
  Reply(0, ":100\r\n$-1\r\n");
  const std::string dumped = Sent(0);
  EXPECT_NE(dumped.find(Command({"DUMP", "k"})), std::string::npos);
  EXPECT_NE(dumped.find(Command({"DUMP", "missed"})), std::string::npos);
  Asked* both = Ask({"SET", "other", "v"});
  EXPECT_EQ(Sent(0), Command({"SET", "other", "v"}));
  EXPECT_EQ(Sent(1), Command({"SET", "other", "v"}));
  EXPECT_NE(
      Explain(true).find("write_to\r\n*2\r\n$2\r\nn0\r\n$2\r\nn1\r\n$9\r\nread_from\r\n$2\r\nn0"),
      std::string::npos)
      << Explain(true);
  EXPECT_NE(Explain(true).find("and to those being repaired"), std::string::npos);
  Asked* locked = Ask({"SET", "k", "x"}, 2);
  EXPECT_EQ(Sent(0), "");
  Reply(0, "$1\r\na\r\n:-1\r\n$-1\r\n:-2\r\n+OK\r\n");
  const std::string repaired = Sent(1);
  EXPECT_NE(repaired.find("RESTORE"), std::string::npos);
  EXPECT_NE(repaired.find("\r\nDEL\r\n"), std::string::npos);
  Reply(1, "+OK\r\n+OK\r\n:1\r\n");  // of the write, and of the repairs
  EXPECT_EQ(both->told, "+OK\r\n");
  EXPECT_EQ(Sent(0), Command({"SET", "k", "x"}));
  Reply(0, "+OK\r\n");
  Reply(1, "+OK\r\n");
  EXPECT_EQ(locked->told, "+OK\r\n");
  Pass(10);
  RunEdits();
  EXPECT_EQ(Durable().copies[1].state, CopyState::kInSync);
  EXPECT_EQ(shard_->figures().Get("rejoins"), 1u);
  EXPECT_EQ(shard_->figures().Get("resyncs"), 0u);
}

// It may be so already: who went on from what is saved would take it for equal.
TEST_F(ShardMendTest, NothingIsAcknowledgedWithoutACopyThatIsBeingMarkedInSync) {
  MakeUp(2);
  Ask({"SET", "k", "v"});
  Reply(0, "+OK\r\n");
  Lose(1);
  RunEdits();
  ASSERT_EQ(Durable().copies[1].state, CopyState::kStale);
  Sent(0);
  Up(1, "r1");
  Pass(10);
  ExpectRepair(0, "k");
  Reply(0, "$3\r\nabc\r\n:-1\r\n");
  EXPECT_EQ(Sent(1), Command({"RESTORE", "k", "0", "abc", "REPLACE"}));
  Reply(1, "+OK\r\n");
  ASSERT_FALSE(queue_->idle()) << "it is being marked in sync";
  const Asked* both = Ask({"SET", "k", "w"});
  EXPECT_EQ(Sent(0), Command({"SET", "k", "w"})) << "writes go on meanwhile";
  EXPECT_EQ(Sent(1), Command({"SET", "k", "w"}));
  Reply(0, "+OK\r\n");
  Lose(1);
  const Asked* alone = Ask({"SET", "k", "x"});
  Pass(30);
  EXPECT_EQ(Sent(0), "");
  EXPECT_EQ(both->told, "");
  EXPECT_EQ(alone->told, "");
  RunEdits();
  Pass(100);
  RunEdits();
  EXPECT_EQ(Durable().copies[1].state, CopyState::kStale);
  EXPECT_EQ(both->told, "+OK\r\n");
  EXPECT_EQ(Sent(0), Command({"SET", "k", "x"}));
  Reply(0, "+OK\r\n");
  EXPECT_EQ(alone->told, "+OK\r\n");
}

TEST_F(ShardMendTest, AWriteOfTwoKeysSpreadsWhatIsWrong) {
  MakeUp(2);
  Ask({"SET", "k", "v"});
  Reply(0, "+OK\r\n");
  Lose(1);
  RunEdits();
  Up(1, "r1");
  base_.repair_keys_per_s = 1;
  Sent(0);
  Pass(10);
  Sent(0);
  Reply(0, ":100\r\n");
  Sent(0);
  Reply(0, "$1\r\na\r\n:-1\r\n");
  Reply(1, "-OOM no memory\r\n");  // its key stays wrong
  Pass(2000);
  Sent(0);
  Ask({"COPY", "k", "k2"});
  EXPECT_NE(notes_.find("interrupted"), std::string::npos);
  EXPECT_EQ(Durable().copies[1].state, CopyState::kStale);
}

TEST_F(ShardMendTest, ARestartedCopyIsCopiedWhole) {
  MakeUp(2);
  Ask({"SET", "k", "v"});
  Reply(0, "+OK\r\n");
  Lose(1);
  RunEdits();
  Up(1, "another");
  EXPECT_TRUE(shard_->ports().resync.WantsResync(1));
}

TEST_F(ShardMendTest, AJournalThatIsFullMeansAWholeCopy) {
  base_.journal_keys = 2;
  MakeUp(2);
  Ask({"SET", "k", "v"});
  Reply(0, "+OK\r\n");
  Lose(1);
  RunEdits();
  for (const char* key : {"k1", "k2"}) {
    Ask({"SET", key, "v"});
    Reply(0, "+OK\r\n");
  }
  Up(1, "r1");
  EXPECT_TRUE(shard_->ports().resync.WantsResync(1));
  EXPECT_NE(notes_.find("journal_keys"), std::string::npos);
}

TEST_F(ShardMendTest, AFlushMeansAWholeCopy) {
  MakeUp(2);
  Ask({"SET", "k", "v"});
  Reply(0, "+OK\r\n");
  Lose(1);
  RunEdits();
  Ask({"FLUSHALL"});
  Reply(0, "+OK\r\n");
  Up(1, "r1");
  EXPECT_TRUE(shard_->ports().resync.WantsResync(1));
}

}  // namespace
}  // namespace gemel::shard_mend_test
