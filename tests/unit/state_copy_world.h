// A StateCopy whose host writes down what it is told, with three copies that answer what a test
// says.

#ifndef GEMEL_TESTS_UNIT_STATE_COPY_WORLD_H_
#define GEMEL_TESTS_UNIT_STATE_COPY_WORLD_H_

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "backend/resp/resp_writer.h"
#include "backend/shard/state_copy.h"

namespace gemel::state_copy_test {

using Args = std::vector<std::string_view>;

inline std::string Bulk(std::string_view text) {
  std::string reply;
  AppendBulk(&reply, text);
  return reply;
}
inline std::string Array(const std::vector<std::string>& elements) {
  std::string reply = "*" + std::to_string(elements.size()) + "\r\n";
  for (const std::string& element : elements) reply += element;
  return reply;
}

class StateCopyWorld : public ::testing::Test, public StateCopy::Host {
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
  // A script of one key, up to what EXEC answers.
  void ToScript(bool alone) {
    frame_ = CommandFrame({"EVAL", "code", "1", "k", "arg"});
    const std::vector<StateCopy::Script> scripts = {{0, 0}};
    const Args keys = {"k"};
    StateCopy::Write write;
    write.op = &write_;
    write.session = 7;
    write.frame = frame_;
    write.first = "guarded";
    write.keys = keys;
    write.written = 1;
    write.runs_code = true;
    write.alone = alone;
    write.scripts = scripts;
    copies_.Begin(write, 0);
    EXPECT_EQ(Locked("other"), alone);
    Reply(0, {":100\r\n"});
    EXPECT_EQ(Line(0), CommandFrame({"MULTI"}) + "guarded" +
                           Frames({{"DUMP", "k"}, {"PEXPIRETIME", "k"}, {"EXEC"}}));
    Reply(0, {"+OK\r\n", "+QUEUED\r\n", "+QUEUED\r\n", "+QUEUED\r\n"});
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
  CopyMask OnExecuted(Op*, uint32_t copy, std::string_view frame, std::string_view told,
                      std::string_view reply, bool known) override {
    EXPECT_EQ(frame, frame_);
    if (told != frame_) events_ += "told " + OneLine(told) + "; ";
    told_ = told;
    events_ += "executed " + std::to_string(copy) + (known ? " known " : " unknown ") +
               OneLine(reply) + "; ";
    return known ? targets_ : 0;
  }
  uint32_t OnStopped(uint32_t copy, std::string_view frame) override {
    EXPECT_EQ(copy, 0u);
    EXPECT_EQ(frame, frame_);
    events_ += "stopped; ";
    return witness_;
  }
  void OnUndone(Op*, std::string_view frame) override {
    EXPECT_EQ(frame, frame_);
    events_ += "undone; ";
  }
  void OnFollowed(Op*, uint32_t copy, std::string_view frame) override {
    EXPECT_EQ(frame, told_);
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
  std::string told_;
  uint32_t witness_ = 1;
  std::string events_;
  int unlocked_ = 0;
};

}  // namespace gemel::state_copy_test

#endif  // GEMEL_TESTS_UNIT_STATE_COPY_WORLD_H_
