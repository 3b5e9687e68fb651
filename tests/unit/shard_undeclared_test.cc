// Scripts that change keys which they did not declare, in a shard: they run alone.

#include <gtest/gtest.h>

#include <memory>

#include "backend/resp/reply_reader.h"
#include "backend/shard/blocked_clients.h"
#include "tests/unit/shard_first_world.h"

namespace gemel::shard_undeclared_test {
namespace {

class ShardUndeclaredTest : public ShardFirstWorld {
 protected:
  ShardUndeclaredTest() { base_.has_all_keys = true; }
  static constexpr const char* kStopped = "-ERR no [gemel:stopped:6f]\r\n";
  Asked* Run(uint32_t session = 1) { return Ask({"EVAL", "code", "1", "k"}, session); }
  // Of what that copy was sent: is the script to stop, or does it tell?
  std::string Mode(uint32_t copy = 0) {
    const std::string sent = Sent(copy);
    if (sent.find("code\nend)") != sent.npos) return "tells";
    return sent.find("over.coroutine") != sent.npos ? "stops" : sent.empty() ? "" : "keys";
  }
  // It is stopped, and what it did is undone.
  void FindOut() {
    EXPECT_EQ(Sent(0), Command({"MEMORY", "USAGE", "k"}));
    Reply(0, ":100\r\n");
    EXPECT_EQ(Mode(), "stops");
    Reply(0, Queued(3) + "*3\r\n" + kStopped + "$1\r\nD\r\n:-1\r\n");
    EXPECT_EQ(Sent(1), Command({"DUMP", "k"}) + Command({"PEXPIRETIME", "k"}));
    Reply(1, "$1\r\nB\r\n:-1\r\n");
    EXPECT_EQ(Sent(0), Command({"MULTI"}) + Command({"RESTORE", "k", "0", "B", "REPLACE"}) +
                           Command({"EXEC"}));
    Reply(0, Queued(1) + "*1\r\n+OK\r\n");
  }
  void ExpectAlone() {
    EXPECT_EQ(Sent(0), Command({"MEMORY", "USAGE", "k"}));
    Reply(0, ":100\r\n");
    EXPECT_EQ(Mode(), "tells");
  }
  void Tell(const std::string& keys) {
    Reply(0, Queued(3) + "*3\r\n*3\r\n:9\r\n" + keys + ":5\r\n$1\r\nD\r\n:-1\r\n");
  }
  static constexpr const char* kX = "*1\r\n$1\r\nx\r\n";
};

TEST_F(ShardUndeclaredTest, RunAlone) {
  Begin();
  Asked* script = Run();
  FindOut();
  ExpectAlone();
  Asked* get = Ask({"GET", "x"}, 2);
  Asked* set = Ask({"SET", "y", "1"}, 3);
  Asked* size = Ask({"DBSIZE"}, 4);
  EXPECT_EQ(Sent(0) + Sent(1), "") << "everything waits";
  Tell(kX);
  EXPECT_EQ(Sent(0), Command({"DUMP", "x"}) + Command({"PEXPIRETIME", "x"}));
  EXPECT_EQ(Sent(1), "");
  Reply(0, "$1\r\nX\r\n:-1\r\n");
  EXPECT_EQ(Sent(1), Command({"MULTI"}) + Command({"RESTORE", "k", "0", "D", "REPLACE"}) +
                         Command({"RESTORE", "x", "0", "X", "REPLACE"}) + Command({"EXEC"}) +
                         Command({"SET", "y", "1"}));
  EXPECT_EQ(Sent(0), Command({"GET", "x"}) + Command({"SET", "y", "1"}) + Command({"DBSIZE"}));
  EXPECT_EQ(script->told, "");
  Reply(1, Queued(2) + "*2\r\n+OK\r\n+OK\r\n+OK\r\n");
  EXPECT_EQ(script->told, ":5\r\n");
  Reply(0, "$1\r\nX\r\n+OK\r\n:2\r\n");
  EXPECT_EQ(get->told + set->told + size->told, "$1\r\nX\r\n+OK\r\n:2\r\n");
  // It is known by now.
  Run();
  ExpectAlone();
  EXPECT_EQ(edits_, "");
}

// A call of a function says it in its last argument; and is known by the function's name.
TEST_F(ShardUndeclaredTest, Functions) {
  Begin();
  const Args call = {"FCALL", "f", "1", "k", "v", "gemel:scope:nt-"};
  const auto as = [](const char* scope) {
    return Command({"FCALL", "f", "1", "k", "v", scope}) + Command({"DUMP", "k"});
  };
  Asked* first = Ask(call);
  EXPECT_EQ(Sent(0), Command({"MEMORY", "USAGE", "k"}));
  Reply(0, ":100\r\n");
  EXPECT_NE(Sent(0).find(as("gemel:scope:sa-")), std::string::npos);
  Reply(0, Queued(3) + "*3\r\n" + kStopped + "$1\r\nD\r\n:-1\r\n");
  Sent(1);
  Reply(1, "$1\r\nB\r\n:-1\r\n");
  Sent(0);
  Reply(0, Queued(1) + "*1\r\n+OK\r\n");
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(Sent(0), Command({"MEMORY", "USAGE", "k"}));
    Reply(0, ":100\r\n");
    EXPECT_NE(Sent(0).find(as("gemel:scope:ta-")), std::string::npos);
    Tell(kX);
    EXPECT_EQ(Sent(0), Command({"DUMP", "x"}) + Command({"PEXPIRETIME", "x"}));
    Reply(0, "$1\r\nX\r\n:-1\r\n");
    Sent(1);
    Reply(1, Queued(2) + "*2\r\n+OK\r\n+OK\r\n");
    EXPECT_EQ(first->told, ":5\r\n");
    if (i == 0) first = Ask(call);
  }
}

// What was sent before it and is not over must be so first, and what comes lets it go before.
TEST_F(ShardUndeclaredTest, WaitForOthersOfTheirKind) {
  Begin();
  Run();
  FindOut();
  ExpectAlone();
  Tell("*0\r\n");
  Sent(1);
  Reply(1, Queued(1) + "*1\r\n+OK\r\n");
  Ask({"MIX", "m", "*", "f", "v"}, 5);
  EXPECT_EQ(Sent(0), Command({"MEMORY", "USAGE", "m"}));
  Run();
  Ask({"MIX", "n", "*", "f", "v"}, 6);
  EXPECT_EQ(Sent(0), "");
  Reply(0, ":1\r\n");
  Sent(0);
  Reply(0, Queued(3) + "*3\r\n:1\r\n$1\r\nM\r\n:-1\r\n");
  ExpectAlone();
}

// Nobody knows what it has changed there.
TEST_F(ShardUndeclaredTest, LostWithItsCopy) {
  base_.grace_ms = 1000;
  Begin();
  Asked* script = Run();
  FindOut();
  ExpectAlone();
  Lose(0);
  Up(0, "r0");
  Pass(50);
  RunEdits();
  EXPECT_EQ(edits_.substr(0, 9), "promote n") << edits_;
  EXPECT_EQ(Durable().copies[0].state, CopyState::kStale);
  EXPECT_FALSE(shard_->copies().Is(0, CopyStage::kBehind)) << "it is copied whole";
  EXPECT_EQ(Sent(1).substr(0, 12), "*3\r\n$6\r\nMEMO") << "it is executed on the other one";
  EXPECT_EQ(script->told, "");
}

// There is no other copy to undo it by: it is taken for one of these.
TEST_F(ShardUndeclaredTest, WithoutAWitness) {
  Begin();
  Lose(1, /*refused=*/true);
  Pass(50);
  RunEdits();
  Asked* script = Run();
  ExpectAlone();
  Tell(kX);
  Reply(0, "$1\r\nX\r\n:-1\r\n");
  EXPECT_EQ(script->told, ":5\r\n");
}

TEST_F(ShardUndeclaredTest, WakeWhoWaits) {
  Begin();
  Asked* watch = &asked_.emplace_back();
  watch->sink = this;
  auto cargo = std::make_unique<BlockingCargo>();
  cargo->ticket = std::make_shared<BlockTicket>();
  watch->session = 9;
  const std::vector<std::string_view> args = {"BLPOP", "x", "0"};
  const std::string frame = Command(args);
  watch->row = table_.Find(args);
  watch->kind = RequestKind::kBlocking;
  watch->frame = frame;
  watch->OwnFrame();
  watch->extra->cargo = std::move(cargo);
  shard_->Submit(watch);
  EXPECT_EQ(Sent(0), Command({"lpop", "x"}));
  Sent(1);
  Reply(0, "$-1\r\n");
  Reply(1, "$-1\r\n");
  Run();
  FindOut();
  ExpectAlone();
  Asked* pop = Ask({"LPOP", "x"}, 2);
  Tell(kX);
  Sent(0);
  Reply(0, "$1\r\nX\r\n:-1\r\n");
  EXPECT_EQ(Sent(0), Command({"lpop", "x"}) + Command({"LPOP", "x"}));
  Sent(1);
  Reply(1, Queued(2) + "*2\r\n+OK\r\n+OK\r\n$1\r\na\r\n$-1\r\n");
  Reply(0, "$1\r\na\r\n$-1\r\n");
  EXPECT_NE(watch->told.find("$1\r\na\r\n"), std::string::npos) << watch->told;
  EXPECT_TRUE(IsNullReply(pop->told)) << "who had waited longer was served first";
}

}  // namespace
}  // namespace gemel::shard_undeclared_test
