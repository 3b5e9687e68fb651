// Writes that Redis's replication carries over otherwise than gemel's order would: their keys are
// made equal by state once the copy is in sync.

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/unit/shard_world.h"

namespace gemel::replicated_writes_test {
namespace {

class ReplicatedWritesTest : public ShardWorld {
 protected:
  // Copy 1 is stale, and nothing is known of what it has.
  void Begin() {
    fresh_ = true;
    MakeUp(2);
    RunEdits();
    for (uint32_t i = 0; i < 2; ++i) Sent(i);
    edits_.clear();
  }
  void Overwrite() { shard_->ports().resync.WillOverwrite(1); }
  void Write(std::vector<std::string_view> args, const std::string& reply) {
    Ask(args);
    EXPECT_EQ(Sent(0), Command(args));
    EXPECT_EQ(Sent(1), "");
    Reply(0, reply);
  }
  // As a resync ends.
  void Enter() {
    bool drained = false;
    bool ok = false;
    shard_->ports().resync.Pause([&] { drained = true; });
    EXPECT_TRUE(drained);
    shard_->ports().resync.ProposeInSync(1, [&](bool done) { ok = done; });
    RunEdits();
    EXPECT_TRUE(ok);
    shard_->ports().resync.Resume();
    shard_->Tick(now_ms_ += 20, 0);
  }
  void ExpectMadeEqual(const std::string& key) {
    ExpectRepair(0, key);
    Reply(0, "$3\r\nabc\r\n:-1\r\n");
    EXPECT_EQ(Sent(1), Command({"RESTORE", key, "0", "abc", "REPLACE"}));
    Reply(1, "+OK\r\n");
  }
};

TEST_F(ReplicatedWritesTest, AreMadeEqualBeforeTheyAreRead) {
  Begin();
  Overwrite();
  Write({"SET", "plain", "v"}, "+OK\r\n");
  Write({"BITFIELD", "loose", "OVERFLOW", "FAIL", "SET", "u2", "100", "5"}, "*1\r\n$-1\r\n");
  Enter();
  Asked* loose = Ask({"GET", "loose"});
  ExpectMadeEqual("loose");
  EXPECT_EQ(loose->told, "");
  EXPECT_EQ(Sent(0), Command({"GET", "loose"}));
  Reply(0, "$3\r\nabc\r\n");
  EXPECT_EQ(loose->told, "$3\r\nabc\r\n");
  EXPECT_TRUE(shard_->Idle());
}

TEST_F(ReplicatedWritesTest, ThoseOfNoMatterAreNotKept) {
  Begin();
  Write({"BITFIELD", "before", "OVERFLOW", "FAIL", "SET", "u2", "100", "5"}, "*1\r\n$-1\r\n");
  Overwrite();
  Write({"SET", "plain", "v"}, "+OK\r\n");
  Enter();
  EXPECT_EQ(Sent(0), "");
  EXPECT_EQ(Sent(1), "");
  EXPECT_TRUE(shard_->removals().doubts().settled());
  // Nor once it is in sync.
  Ask({"BITFIELD", "after", "OVERFLOW", "FAIL", "SET", "u2", "100", "5"});
  for (uint32_t i = 0; i < 2; ++i) {
    EXPECT_NE(Sent(i), "");
    Reply(i, "*1\r\n$-1\r\n");
  }
  EXPECT_TRUE(shard_->removals().doubts().settled());
}

// Every row that says so, whatever way it takes.
TEST_F(ReplicatedWritesTest, WhicheverCommandItWas) {
  int rows = 0;
  for (const CommandRow& row : table_.rows()) {
    if ((row.flags & kCmdLooseReplication) == 0 || !row.IsWrite()) continue;
    ++rows;
    SCOPED_TRACE(std::string(row.name));
    EXPECT_TRUE((row.flags & kCmdWrite) != 0 || row.RunsCode());
  }
  EXPECT_EQ(rows, 9);  // three that run code, five of Redis, one of a module
  const std::string size = ":100\r\n";
  const std::string state =
      "+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*3\r\n:1\r\n$3\r\nabc\r\n:-1\r\n";
  const std::vector<std::pair<std::vector<std::string_view>, std::string>> cases = {
      {{"SORT", "k", "BY", "w*", "ALPHA", "STORE", "k"}, size + state},
      {{"XREADGROUP", "GROUP", "g", "c", "STREAMS", "k", "0"}, "*0\r\n*0\r\n*0\r\n"},
      {{"EVAL", "return 1", "1", "k"}, size + state}};
  for (const auto& [args, replies] : cases) {
    SCOPED_TRACE(std::string(args[0]));
    shard_.reset();
    transports_.clear();
    Begin();
    Overwrite();
    const Asked* asked = Ask(args);
    Sent(0);
    for (size_t at = 0; at < replies.size(); at += size.size()) {
      Reply(0, replies.substr(at, size.size()));
    }
    EXPECT_NE(asked->told, "");
    Sent(0);
    Enter();
    ExpectMadeEqual("k");
    EXPECT_TRUE(shard_->Idle());
  }
}

TEST_F(ReplicatedWritesTest, BeyondTheBoundsAllAreCompared) {
  base_.journal_keys = 2;
  Begin();
  std::string why;
  shard_->removals().set_audit([&why](const std::string& text) { why = text; });
  Overwrite();
  for (const char* key : {"a", "b", "c"}) {
    Write({"BITFIELD", key, "SET", "u2", "1", "5"}, "*1\r\n:0\r\n");
  }
  Enter();
  EXPECT_TRUE(why.find("a copy was made by replication") != std::string::npos) << why;
  EXPECT_TRUE(shard_->removals().doubts().settled());
}

}  // namespace
}  // namespace gemel::replicated_writes_test
