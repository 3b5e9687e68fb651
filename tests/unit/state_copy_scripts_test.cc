// Scripts that change keys which they did not declare, of which one copy tells; or that are
// stopped.

#include <gtest/gtest.h>

#include <string>

#include "backend/keys/key_name.h"
#include "tests/unit/state_copy_world.h"

namespace gemel::state_copy_test {
namespace {

using StateCopyScriptsTest = StateCopyWorld;

// What a script says that it changed is copied with its own keys, at once.
TEST_F(StateCopyScriptsTest, ScriptTells) {
  ToScript(/*alone=*/true);
  Reply(0, {Array({Array({":10\r\n", Array({Bulk("x"), Bulk("y")}), Bulk("answer")}), Bulk("dump"),
                   ":-1\r\n"})});
  EXPECT_EQ(Line(0),
            Frames({{"DUMP", "x"}, {"PEXPIRETIME", "x"}, {"DUMP", "y"}, {"PEXPIRETIME", "y"}}));
  EXPECT_EQ(events_, "");
  EXPECT_TRUE(Locked("other"));
  Reply(0, {Bulk("of x"), ":77\r\n", "$-1\r\n", ":-2\r\n"});
  EXPECT_EQ(events_, "told " + OneLine(CommandFrame({"EVAL", "code", "3", "k", "x", "y", "arg"})) +
                         "; executed 0 known $6 answer; ");
  EXPECT_FALSE(Locked("other"));
  EXPECT_EQ(Line(1), Frames({{"MULTI"},
                             {"RESTORE", "k", "0", "dump", "REPLACE"},
                             {"RESTORE", "x", "77", "of x", "REPLACE", "ABSTTL"},
                             {"DEL", "y"},
                             {"EXEC"}}));
  events_.clear();
  Reply(1, {"+OK\r\n", "+QUEUED\r\n", "+QUEUED\r\n", "+QUEUED\r\n", "*0\r\n"});
  ExpectEnd("has 1; ");
}

TEST_F(StateCopyScriptsTest, ScriptTellsOfNothing) {
  ToScript(/*alone=*/true);
  Reply(0, {Array({Array({":0\r\n", Array({})}), Bulk("dump"), ":-1\r\n"})});
  EXPECT_EQ(events_, "executed 0 known _; ") << "it returned nil";
  EXPECT_FALSE(Locked("other"));
}

TEST_F(StateCopyScriptsTest, ScriptTellsInItsError) {
  ToScript(/*alone=*/true);
  Reply(0, {Array({"-ERR no [gemel:keys:78,00ff] script: 1, on @user_script:1.\r\n", Bulk("dump"),
                   ":-1\r\n"})});
  EXPECT_EQ(Line(0), Frames({{"DUMP", KeyOf(MakeKeyName(0, std::string_view("\0\xff", 2)))},
                             {"PEXPIRETIME", std::string_view("\0\xff", 2)},
                             {"DUMP", "x"},
                             {"PEXPIRETIME", "x"}}));
  Reply(0, {"$-1\r\n", ":-2\r\n", "$-1\r\n", ":-2\r\n"});
  EXPECT_TRUE(events_.ends_with("executed 0 known -ERR no script: 1, on @user_script:1.; "))
      << events_;
}

// What is too large is made equal otherwise.
TEST_F(StateCopyScriptsTest, ScriptTellsOfTooMuch) {
  ToScript(/*alone=*/true);
  Reply(
      0,
      {Array({Array({":1000000000\r\n", Array({Bulk("x")}), ":1\r\n"}), Bulk("dump"), ":-1\r\n"})});
  EXPECT_TRUE(events_.ends_with("executed 0 unknown :1; ")) << events_;
  EXPECT_EQ(Line(0) + Line(1), "");
}

TEST_F(StateCopyScriptsTest, ScriptThatTellsIsLost) {
  ToScript(/*alone=*/true);
  Reply(0, {Array({Array({":10\r\n", Array({Bulk("x")}), ":1\r\n"}), Bulk("dump"), ":-1\r\n"})});
  Lose(0);
  ExpectEnd("lost 0 sent; ");
  EXPECT_FALSE(Locked("other"));
}

const std::string kStopped = "-ERR no [gemel:stopped:6f] script: 1, on @user_script:1.\r\n";

// Its keys are what they are on another copy again, and it is as if it had not been sent.
TEST_F(StateCopyScriptsTest, StoppedScriptIsUndone) {
  ToScript(/*alone=*/false);
  Reply(0, {Array({kStopped, Bulk("dump"), ":-1\r\n"})});
  EXPECT_EQ(events_, "stopped; ");
  EXPECT_EQ(Line(1), Frames({{"DUMP", "k"}, {"PEXPIRETIME", "k"}}));
  Reply(1, {Bulk("before"), ":-1\r\n"});
  EXPECT_EQ(Line(0), Frames({{"MULTI"}, {"RESTORE", "k", "0", "before", "REPLACE"}, {"EXEC"}}));
  EXPECT_TRUE(Locked("k"));
  Reply(0, {"+OK\r\n", "+QUEUED\r\n", "*1\r\n+OK\r\n"});
  ExpectEnd("stopped; undone; ");
}

TEST_F(StateCopyScriptsTest, StoppedScriptIsNotUndone) {
  witness_ = StateCopy::kNoCopy;
  const std::string own = "executed 0 known -ERR no script: 1, on @user_script:1.; ";
  ToScript(/*alone=*/false);
  Reply(0, {Array({kStopped, Bulk("dump"), ":-1\r\n"})});
  EXPECT_EQ(events_, "stopped; " + own);
  Reply(1, {"+OK\r\n", "+QUEUED\r\n", "*1\r\n+OK\r\n"});
  events_.clear();
  witness_ = 1;
  ToScript(/*alone=*/false);
  Reply(0, {Array({kStopped, Bulk("dump"), ":-1\r\n"})});
  Lose(1);
  EXPECT_EQ(events_, "stopped; " + own);
}

TEST_F(StateCopyScriptsTest, StoppedScriptAndTheFirstIsLost) {
  ToScript(/*alone=*/false);
  Reply(0, {Array({kStopped, Bulk("dump"), ":-1\r\n"})});
  Lose(0);
  Reply(1, {Bulk("before"), ":-1\r\n"});
  ExpectEnd("stopped; lost 0 sent; ");
  events_.clear();
  up_ = 7;
  ToScript(/*alone=*/false);
  Reply(0, {Array({kStopped, Bulk("dump"), ":-1\r\n"})});
  Reply(1, {Bulk("before"), ":-1\r\n"});
  Reply(0, {"+OK\r\n", "+QUEUED\r\n", "*1\r\n-ERR Bad data format\r\n"});
  ExpectEnd("stopped; lost 0 sent; fail 0 it does not take back what a script did; ");
}

}  // namespace
}  // namespace gemel::state_copy_test
