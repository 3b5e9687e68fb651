// Writes that one copy executes before the others get what came of it: every loss at every step.

#include <gtest/gtest.h>

#include <string>

#include "tests/unit/state_copy_world.h"

namespace gemel::state_copy_test {
namespace {

using StateCopyTest = StateCopyWorld;

TEST_F(StateCopyTest, OneKey) {
  Begin({"k"});
  EXPECT_TRUE(Locked("k"));
  EXPECT_TRUE(copies_.IsLocking(copies_.LockOn("k")));
  EXPECT_GE(copies_.LockOn("k"), StateCopy::kFirstJob);
  EXPECT_TRUE(copies_.HasSession(7));
  EXPECT_EQ(Line(0), Frames({{"MEMORY", "USAGE", "k"}}));
  Reply(0, {":100\r\n"});
  EXPECT_EQ(Line(0), Frames({{"MULTI"},
                             {"XADD", "k", "*", "f", "v"},
                             {"DUMP", "k"},
                             {"PEXPIRETIME", "k"},
                             {"EXEC"}}));
  // While it is executed, the node does the write.
  EXPECT_EQ(copies_.WorkOf(*lines_[0].back().op), frame_);
  EXPECT_EQ(copies_.WorkOf(*lines_[0].front().op), "");
  Reply(0, {"+OK\r\n", "+QUEUED\r\n", "+QUEUED\r\n", "+QUEUED\r\n"});
  EXPECT_EQ(Line(1), "");
  Reply(0, {Array({Bulk("1-1"), Bulk("dump"), ":-1\r\n"})});
  EXPECT_EQ(Line(1), Frames({{"MULTI"}, {"RESTORE", "k", "0", "dump", "REPLACE"}, {"EXEC"}}));
  EXPECT_FALSE(Locked("k")) << "what comes now is behind that";
  EXPECT_TRUE(copies_.idle());
  EXPECT_EQ(copies_.size(), 1u);
  Reply(1, {"+OK\r\n", "+QUEUED\r\n", Array({"+OK\r\n"})});
  ExpectEnd("executed 0 known $3 1-1; has 1; ");
  EXPECT_EQ(unlocked_, 2);
}

// Full memory: nothing is queued there, and what only reads or deletes is executed all the same.
TEST_F(StateCopyTest, FullMemory) {
  Begin({"k", "l"}, {"EVAL", "return redis.call('del', KEYS[1])", "2", "k", "l"}, nullptr, nullptr,
        true);
  Reply(0, {":100\r\n", ":100\r\n", "+OK\r\n"});
  Reply(0, std::vector<std::string>(5, "-OOM command not allowed\r\n"));
  Reply(0, {"-EXECABORT Transaction discarded because of previous errors.\r\n"});
  EXPECT_EQ(
      Line(0),
      frame_ + Frames({{"DUMP", "k"}, {"PEXPIRETIME", "k"}, {"DUMP", "l"}, {"PEXPIRETIME", "l"}}));
  EXPECT_TRUE(Locked("k"));
  Reply(0, {":1\r\n", "$-1\r\n", ":-2\r\n", Bulk("dl")});
  EXPECT_EQ(events_, "");
  Reply(0, {":-1\r\n"});
  EXPECT_EQ(Line(1),
            Frames({{"MULTI"}, {"DEL", "k"}, {"RESTORE", "l", "0", "dl", "REPLACE"}, {"EXEC"}}));
  Reply(1, {"+OK\r\n", "+QUEUED\r\n", "+QUEUED\r\n", Array({":1\r\n", "+OK\r\n"})});
  ExpectEnd("executed 0 known :1; has 1; ");
}

// What it did before it failed the others get, too; and what is lost meanwhile may have been done.
TEST_F(StateCopyTest, FullMemoryAndAnError) {
  Begin({"k"}, {"EVAL", "...", "1", "k"}, nullptr, nullptr, true);
  const std::vector<std::string> refused = {":100\r\n",   "+OK\r\n",    "-OOM a\r\n",
                                            "-OOM b\r\n", "-OOM c\r\n", "-EXECABORT d\r\n"};
  Reply(0, refused);
  Reply(0, {"-OOM script\r\n", Bulk("dump"), ":-1\r\n"});
  EXPECT_EQ(Line(1), Frames({{"MULTI"}, {"RESTORE", "k", "0", "dump", "REPLACE"}, {"EXEC"}}));
  Reply(1, {"+OK\r\n", "+QUEUED\r\n", Array({"+OK\r\n"})});
  ExpectEnd("executed 0 known -OOM script; has 1; ");
  events_.clear();
  Begin({"k"}, {"EVAL", "...", "1", "k"}, nullptr, nullptr, true);
  Reply(0, refused);
  Reply(0, {"$1\r\na\r\n"});
  Lose(0);
  ExpectEnd("lost 0 sent; ");
}

// Of several keys, one expires and one is gone: all in one MULTI, on every copy. A key that is
// named twice is copied once.
TEST_F(StateCopyTest, ManyKeysAndCopies) {
  targets_ = Bit(1) | Bit(2);
  Begin({"k", "l", "m", "k"});
  Reply(0, {":100\r\n", ":100\r\n", "$-1\r\n", "+OK\r\n"});
  Reply(0, std::vector<std::string>(7, "+QUEUED\r\n"));
  Reply(0, {Array({"*0\r\n", Bulk("dk"), ":-1\r\n", Bulk("dl"), ":99\r\n", "$-1\r\n", ":-2\r\n"})});
  const std::string follow = Frames({{"MULTI"},
                                     {"RESTORE", "k", "0", "dk", "REPLACE"},
                                     {"RESTORE", "l", "99", "dl", "REPLACE", "ABSTTL"},
                                     {"DEL", "m"},
                                     {"EXEC"}});
  EXPECT_EQ(Line(1), follow);
  EXPECT_EQ(Line(2), follow);
  const std::vector<std::string> replies = {"+OK\r\n", "+QUEUED\r\n", "+QUEUED\r\n", "+QUEUED\r\n",
                                            Array({"+OK\r\n", "+OK\r\n", ":0\r\n"})};
  Reply(2, replies);
  Reply(1, replies);
  ExpectEnd("executed 0 known *0; has 2; has 1; ");
}

// It expired between the write and PEXPIRETIME, or is about to.
TEST_F(StateCopyTest, ExpiresOnTheWay) {
  ToExec();
  Reply(0, {Array({":1\r\n", Bulk("dump"), ":-2\r\n"})});
  EXPECT_EQ(Line(1), Frames({{"MULTI"}, {"DEL", "k"}, {"EXEC"}}));
  Reply(1, {"+OK\r\n", "+QUEUED\r\n", Array({":1\r\n"})});
  ExpectEnd("executed 0 known :1; has 1; ");
}

// Redis before 7.0: nothing was executed then, and it is asked in the old way.
TEST_F(StateCopyTest, NoPexpiretime) {
  Begin({"k"});
  Reply(0, {":100\r\n", "+OK\r\n", "+QUEUED\r\n", "+QUEUED\r\n",
            "-ERR unknown command `PEXPIRETIME`\r\n",
            "-EXECABORT Transaction discarded because of previous errors.\r\n"});
  EXPECT_EQ(
      Line(0),
      Frames({{"MULTI"}, {"XADD", "k", "*", "f", "v"}, {"DUMP", "k"}, {"PTTL", "k"}, {"EXEC"}}));
  Reply(0, {"+OK\r\n", "+QUEUED\r\n", "+QUEUED\r\n", "+QUEUED\r\n",
            Array({":1\r\n", Bulk("dump"), ":0\r\n"})});
  EXPECT_EQ(Line(1), Frames({{"MULTI"}, {"RESTORE", "k", "1", "dump", "REPLACE"}, {"EXEC"}}));
  Reply(1, {"+OK\r\n", "+QUEUED\r\n", Array({"+OK\r\n"})});
  ExpectEnd("executed 0 known :1; has 1; ");
  events_.clear();
  Begin({"k"});
  Reply(0, {":100\r\n"});
  EXPECT_NE(Line(0).find("PTTL"), std::string::npos);
}

TEST_F(StateCopyTest, RefusedWhenQueued) {
  Begin({"k"});
  Reply(0, {":100\r\n", "+OK\r\n", "-OOM command not allowed\r\n", "+QUEUED\r\n", "+QUEUED\r\n",
            "-EXECABORT Transaction discarded because of previous errors.\r\n"});
  ExpectEnd("refused -OOM command not allowed; ");
}

TEST_F(StateCopyTest, RefusedWhenExecuted) {
  ToExec();
  Reply(0, {"-EXECABORT Transaction discarded because of: BUSY Redis is busy\r\n"});
  ExpectEnd("refused -EXECABORT Transaction discarded because of: BUSY Redis is busy; ");
}

// The write's own error is the client's reply; a script may have written before it.
TEST_F(StateCopyTest, WrongType) {
  ToExec();
  Reply(0, {Array({"-WRONGTYPE no\r\n", Bulk("dump"), ":-1\r\n"})});
  Reply(1, {"+OK\r\n", "+QUEUED\r\n", Array({"+OK\r\n"})});
  ExpectEnd("executed 0 known -WRONGTYPE no; has 1; ");
}

TEST_F(StateCopyTest, TooLarge) {
  Begin({"k", "l"});
  Reply(0, {":200000000\r\n", ":200000000\r\n"});
  ExpectEnd(
      "refused -ERR the outcome of this write may differ from copy to copy, and its keys take 381 "
      "MB of memory: gemel copies 256 MB at most after such a write; ");
}

// What is in memory here at a time is bounded.
TEST_F(StateCopyTest, WaitsForRoom) {
  Begin({"a"});
  Reply(0, {":200000000\r\n"});
  Begin({"b"});
  Begin({"c"});
  EXPECT_TRUE(copies_.full());
  lines_[0].clear();  // as if they had their turn
  std::deque<Sent> line;
  const Op* size_b = ops_[ops_.size() - 2].get();
  const Op* size_c = ops_.back().get();
  copies_.OnReply(0, *size_b, ":200000000\r\n");
  copies_.OnReply(0, *size_c, ":10\r\n");
  EXPECT_EQ(Line(0), "");  // c does not overtake b
  up_ &= ~Bit(0);
  copies_.OnLost(0, *ops_[1]);  // a's MULTI, and so on
  for (size_t i = 2; i < 6; ++i) copies_.OnLost(0, *ops_[i]);
  EXPECT_EQ(events_, "lost 0 sent; lost 0 unsent; lost 0 unsent; ");
  EXPECT_TRUE(copies_.idle());
}

TEST_F(StateCopyTest, FirstLostAtEachStep) {
  Begin({"k"});
  Lose(0);
  ExpectEnd("lost 0 unsent; ");
  const std::vector<std::string> replies = {"+OK\r\n", "+QUEUED\r\n", "+QUEUED\r\n", "+QUEUED\r\n"};
  for (size_t answered = 0; answered <= replies.size(); ++answered) {
    up_ = 7;
    events_.clear();
    Begin({"k"});
    Reply(0, {":100\r\n"});
    Reply(0, {replies.begin(), replies.begin() + static_cast<ptrdiff_t>(answered)});
    Lose(0);
    ExpectEnd("lost 0 sent; ");
  }
  // What was queued with an error is never executed.
  up_ = 7;
  events_.clear();
  Begin({"k"});
  Reply(0, {":100\r\n", "+OK\r\n", "-OOM no\r\n"});
  Lose(0);
  ExpectEnd("refused -OOM no; ");
}

// It is not the one that executes any more when the size is known.
TEST_F(StateCopyTest, FirstIsNotFirstAnyMore) {
  Begin({"k"});
  up_ &= ~Bit(0);
  Reply(0, {":100\r\n"});
  ExpectEnd("lost 0 unsent; ");
}

TEST_F(StateCopyTest, FollowerLostAtEachStep) {
  const std::vector<std::string> replies = {"+OK\r\n", "+QUEUED\r\n"};
  for (size_t answered = 0; answered <= replies.size(); ++answered) {
    up_ = 7;
    events_.clear();
    ToFollow();
    Reply(1, {replies.begin(), replies.begin() + static_cast<ptrdiff_t>(answered)});
    Lose(1);
    ExpectEnd("lost 1; ");
  }
}

// The first copy's end does not matter any more once it has answered.
TEST_F(StateCopyTest, FirstLostLater) {
  ToFollow();
  Lose(0);
  EXPECT_EQ(events_, "");
  Reply(1, {"+OK\r\n", "+QUEUED\r\n", Array({"+OK\r\n"})});
  ExpectEnd("has 1; ");
}

TEST_F(StateCopyTest, OneFollowerLostOneRefuses) {
  targets_ = Bit(1) | Bit(2);
  ToFollow();
  Lose(1);
  Reply(2,
        {"+OK\r\n", "+QUEUED\r\n", Array({"-ERR DUMP payload version or checksum are wrong\r\n"})});
  ExpectEnd("lost 1; not 2 -ERR DUMP payload version or checksum are wrong; ");
}

TEST_F(StateCopyTest, FollowerRefusesWhenQueued) {
  ToFollow();
  Reply(1, {"+OK\r\n", "-OOM command not allowed\r\n", "-EXECABORT Transaction discarded\r\n"});
  ExpectEnd("not 1 -OOM command not allowed; ");
}

TEST_F(StateCopyTest, DumpFails) {
  ToExec();
  Reply(0, {Array({":1\r\n", "-ERR no\r\n", ":-1\r\n"})});
  ExpectEnd("executed 0 unknown :1; ");
}

// Nobody else is there.
TEST_F(StateCopyTest, NoFollower) {
  targets_ = 0;
  ToExec();
  Reply(0, {Array({":1\r\n", Bulk("dump"), ":-1\r\n"})});
  ExpectEnd("executed 0 known :1; ");
}

// A user without the right to MULTI: each command is executed by itself.
TEST_F(StateCopyTest, NoMulti) {
  Begin({"k"});
  Reply(0, {":100\r\n", "-NOPERM no multi\r\n", Bulk("1-1"), Bulk("dump"), ":-1\r\n",
            "-ERR EXEC without MULTI\r\n"});
  ExpectEnd("executed 0 unknown $3 1-1; ");
}

// A connection that would queue for ever is ended.
TEST_F(StateCopyTest, NoExec) {
  ToExec();
  Reply(0, {"-ERR unknown command 'EXEC'\r\n"});
  ExpectEnd(
      "refused -ERR unknown command 'EXEC'; fail 0 it does not execute EXEC: ERR unknown command "
      "'EXEC'; ");
  events_.clear();
  up_ = 7;
  ToFollow();
  Reply(1, {"+OK\r\n", "+QUEUED\r\n", "-ERR unknown command 'EXEC'\r\n"});
  ExpectEnd(
      "not 1 -ERR unknown command 'EXEC'; fail 1 it does not execute EXEC: ERR unknown command "
      "'EXEC'; ");
}

}  // namespace
}  // namespace gemel::state_copy_test
