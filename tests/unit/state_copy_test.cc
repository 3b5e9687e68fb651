// Writes that one copy executes before the others get what came of it: every loss at every step.

#include "backend/shard/state_copy.h"

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "backend/command/rewrite.h"
#include "backend/resp/resp_writer.h"

namespace gemel::state_copy_test {
namespace {

using Args = std::vector<std::string_view>;

std::string Bulk(std::string_view text) {
  std::string reply;
  AppendBulk(&reply, text);
  return reply;
}
std::string Array(const std::vector<std::string>& elements) {
  std::string reply = "*" + std::to_string(elements.size()) + "\r\n";
  for (const std::string& element : elements) reply += element;
  return reply;
}

class StateCopyTest : public ::testing::Test, public StateCopy::Host {
 protected:
  struct Sent {
    Op* op;
    std::string frame;
  };

  void Begin(const Args& keys, const Args& command = {"XADD", "k", "*", "f", "v"},
             Rewrite rewrite = nullptr, AskFirst ask = nullptr, bool runs_code = false) {
    frame_ = CommandFrame(command);
    StateCopy::Write write;
    write.op = &write_;
    write.session = 7;
    write.frame = frame_;
    write.keys = keys;
    write.written = keys.size();
    write.rewrite = rewrite;
    write.ask = ask;
    write.runs_code = runs_code;
    copies_.Begin(write, 0);
  }
  // What that copy was sent and has not answered, one command a word or two.
  std::string Line(uint32_t copy) {
    std::string text;
    for (const Sent& sent : lines_[copy]) text += sent.frame;
    return text;
  }
  static std::string Frames(const std::vector<Args>& commands) {
    std::string text;
    for (const Args& command : commands) text += CommandFrame(command);
    return text;
  }
  void Reply(uint32_t copy, const std::vector<std::string>& replies) {
    for (const std::string& reply : replies) {
      ASSERT_FALSE(lines_[copy].empty()) << reply;
      const Sent sent = lines_[copy].front();
      lines_[copy].pop_front();
      copies_.OnReply(copy, *sent.op, reply);
    }
  }
  void Lose(uint32_t copy) {
    up_ &= ~Bit(copy);
    std::deque<Sent> lost = std::move(lines_[copy]);
    lines_[copy].clear();
    for (const Sent& sent : lost) copies_.OnLost(copy, *sent.op);
  }
  // The usual way to EXEC of one key.
  void ToExec() {
    Begin({"k"});
    Reply(0, {":100\r\n", "+OK\r\n", "+QUEUED\r\n", "+QUEUED\r\n", "+QUEUED\r\n"});
    ASSERT_EQ(Line(0), Frames({{"EXEC"}}));
    ASSERT_EQ(Line(1), "");
    ASSERT_EQ(events_, "");
  }
  void ToFollow() {
    ToExec();
    Reply(0, {Array({Bulk("1-1"), Bulk("dump"), ":-1\r\n"})});
    ASSERT_EQ(events_, "executed 0 known $3 1-1; ");
    events_.clear();
  }
  bool Locked(std::string_view key) const { return copies_.LockOn(key) != StateCopy::kNoJob; }
  void ExpectEnd(const std::string& events) {
    EXPECT_EQ(events_, events);
    EXPECT_EQ(copies_.size(), 0u);
    EXPECT_TRUE(copies_.idle());
    EXPECT_FALSE(Locked("k"));
    EXPECT_FALSE(copies_.HasSession(7));
    for (const auto& line : lines_) EXPECT_TRUE(line.empty());
  }

  bool MayExecute(uint32_t copy) override { return (up_ & Bit(copy)) != 0; }
  Op* NewStateOp() override { return ops_.emplace_back(std::make_unique<Op>()).get(); }
  void SendState(uint32_t copy, Op* op, std::string_view frame) override {
    lines_[copy].push_back({op, std::string(frame)});
  }
  void FailState(uint32_t copy, const std::string& why) override {
    events_ += "fail " + std::to_string(copy) + " " + why + "; ";
    Lose(copy);
  }
  void OnNotExecuted(Op*, uint32_t copy, std::string_view frame, std::string_view error) override {
    EXPECT_EQ(copy, 0u);
    EXPECT_EQ(frame, frame_);
    events_ += "refused " + OneLine(error) + "; ";
  }
  void OnFirstLost(Op*, uint32_t copy, std::string_view frame, bool sent) override {
    EXPECT_EQ(frame, frame_);
    EXPECT_FALSE(Locked("k"));
    events_ += "lost " + std::to_string(copy) + (sent ? " sent; " : " unsent; ");
  }
  CopyMask OnExecuted(Op*, uint32_t copy, std::string_view frame, std::string_view reply,
                      bool known) override {
    EXPECT_EQ(frame, frame_);
    events_ += "executed " + std::to_string(copy) + (known ? " known " : " unknown ") +
               OneLine(reply) + "; ";
    return known ? targets_ : 0;
  }
  void OnFollowed(Op*, uint32_t copy, std::string_view frame) override {
    EXPECT_EQ(frame, frame_);
    events_ += "has " + std::to_string(copy) + "; ";
  }
  void OnNotFollowed(Op*, uint32_t copy, std::string_view, std::string_view error) override {
    events_ += "not " + std::to_string(copy) + " " + OneLine(error) + "; ";
  }
  void OnFollowerLost(Op*, uint32_t copy, std::string_view) override {
    events_ += "lost " + std::to_string(copy) + "; ";
  }
  void OnExpiryTime(std::string_view, int64_t) override {}
  void OnStateUnlocked() override { ++unlocked_; }

  static std::string OneLine(std::string_view text) {
    std::string line(text);
    while (line.ends_with("\r\n")) line.resize(line.size() - 2);
    for (size_t at; (at = line.find("\r\n")) != line.npos;) line.replace(at, 2, " ");
    return line;
  }

  StateCopy copies_{this, 3};
  CopyMask up_ = 7;
  CopyMask targets_ = Bit(1);
  std::deque<Sent> lines_[3];
  std::vector<std::unique_ptr<Op>> ops_;
  Op write_;
  std::string frame_;
  std::string events_;
  int unlocked_ = 0;
};

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

TEST_F(StateCopyTest, Rewritten) {
  Begin({"k"}, {"SPOP", "k", "2"}, RewriteSpop);
  EXPECT_EQ(Line(0), frame_);  // alone, without a question before
  EXPECT_TRUE(Locked("k"));
  Reply(0, {Array({Bulk("a"), Bulk("b")})});
  EXPECT_EQ(Line(1), Frames({{"SREM", "k", "a", "b"}}));
  Reply(1, {":2\r\n"});
  ExpectEnd("executed 0 known *2 $1 a $1 b; has 1; ");
}

TEST_F(StateCopyTest, RewrittenToNothing) {
  Begin({"k"}, {"SPOP", "k"}, RewriteSpop);
  Reply(0, {"$-1\r\n"});
  ExpectEnd("executed 0 known $-1; has 1; ");
}

// What the reply does not tell is asked right behind the command, and the keys stay locked so long.
TEST_F(StateCopyTest, RewrittenByWhatIsAsked) {
  const Args add = {"XADD", "k", "MAXLEN", "~", "5", "*", "f", "v"};
  const auto begin = [&] {
    events_.clear();
    up_ = 7;
    Begin({"k"}, add, RewriteXadd, AskXadd);
    EXPECT_EQ(Line(0), frame_ + Frames({{"XLEN", "k"}}));
  };
  begin();
  Reply(0, {Bulk("7-0")});
  EXPECT_EQ(Line(1), "");
  EXPECT_TRUE(Locked("k"));
  Reply(0, {":6\r\n"});
  EXPECT_FALSE(Locked("k"));
  EXPECT_EQ(Line(1), Frames({{"XADD", "k", "MAXLEN", "=", "6", "7-0", "f", "v"}}));
  Reply(1, {Bulk("7-0")});
  ExpectEnd("executed 0 known $3 7-0; has 1; ");
  begin();
  Reply(0, {"-WRONGTYPE no\r\n", "-WRONGTYPE no\r\n"});
  ExpectEnd("refused -WRONGTYPE no; ");
  begin();
  Reply(0, {Bulk("7-0"), "-ERR no\r\n"});
  ExpectEnd("executed 0 unknown $3 7-0; ");
  begin();
  Reply(0, {Bulk("7-0")});
  Lose(0);
  ExpectEnd("lost 0 sent; ");
}

// Nobody sees one command of several without the others.
TEST_F(StateCopyTest, RewrittenToSeveral) {
  const auto begin = [&] {
    events_.clear();
    up_ = 7;
    Begin({"k"}, {"XCLAIM", "k", "g", "c", "5", "1-0", "2-0"}, RewriteXclaim);
    Reply(0, {Array({Bulk("1-0")})});
    EXPECT_EQ(Line(1), Frames({{"MULTI"},
                               {"XCLAIM", "k", "g", "c", "0", "1-0"},
                               {"XCLAIM", "k", "g", "c", "9223372036854775807", "2-0", "JUSTID"},
                               {"EXEC"}}));
  };
  const std::string executed = "executed 0 known *1 $3 1-0; ";
  begin();
  Reply(1, {"+OK\r\n", "+QUEUED\r\n", "+QUEUED\r\n", Array({Array({Bulk("1-0")}), Array({})})});
  ExpectEnd(executed + "has 1; ");
  begin();
  Reply(1, {"+OK\r\n", "+QUEUED\r\n", "+QUEUED\r\n", Array({Array({}), "-NOGROUP no\r\n"})});
  ExpectEnd(executed + "not 1 -NOGROUP no; ");
  begin();
  Reply(1, {"+OK\r\n"});
  Lose(1);
  ExpectEnd(executed + "lost 1; ");
}

TEST_F(StateCopyTest, RewrittenErrorsAndLosses) {
  Begin({"k"}, {"SPOP", "k"}, RewriteSpop);
  Reply(0, {"-WRONGTYPE no\r\n"});
  ExpectEnd("refused -WRONGTYPE no; ");
  events_.clear();
  Begin({"k"}, {"SPOP", "k"}, RewriteSpop);
  Lose(0);
  ExpectEnd("lost 0 sent; ");
  events_.clear();
  up_ = 7;
  Begin({"k"}, {"SPOP", "k"}, RewriteSpop);
  Reply(0, {Bulk("a")});
  Reply(1, {"-WRONGTYPE no\r\n"});
  ExpectEnd("executed 0 known $1 a; not 1 -WRONGTYPE no; ");
  events_.clear();
  Begin({"k"}, {"SPOP", "k"}, RewriteSpop);
  Reply(0, {Bulk("a")});
  Lose(1);
  ExpectEnd("executed 0 known $1 a; lost 1; ");
}

}  // namespace
}  // namespace gemel::state_copy_test
