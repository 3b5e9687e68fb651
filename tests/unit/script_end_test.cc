// Scripts that do not end, of a served shard.

#include "tests/unit/served_shard_world.h"

namespace gemel::served_shard_test {
namespace {

class ScriptEndTest : public ServedShardTest {
 protected:
  ScriptEndTest() {
    config_.replicas.clear();
    pool_.timeouts.request_ms = 1000;
  }
  // A client's script takes longer than it may.
  void Begin() {
    MakeUp();
    script_.sink = this;
    const std::vector<std::string_view> args = {"EVAL", "while true do end", "0"};
    script_.row = table_.Find(args);
    script_.kind = RequestKind::kWrite;
    frame_ = gemel::Command(args);
    script_.frame = frame_;
    served_->shard()->Submit(&script_);
    answers_ = false;
    asked_.clear();
    Busy(1200);
  }
  void Busy(uint64_t ms) {
    for (const uint64_t end_ms = now_ms_ + ms; now_ms_ < end_ms;) {
      Turn();
      served_->shard()->nodes().OnProbe(0, ProbeOutcome::kSent, now_ms_);
      served_->shard()->nodes().OnProbe(0, ProbeOutcome::kBusy, now_ms_);
    }
  }
  void AnswerKill(const std::string& error) {
    while (asked_.front().args[1] != "KILL" || asked_.front().args[0] == "CLIENT") {
      asked_.pop_front();
      ASSERT_FALSE(asked_.empty());
    }
    const Asked asked = std::move(asked_.front());
    asked_.pop_front();
    ControlReply reply;
    reply.ok = error.empty();
    reply.refused = !error.empty();
    reply.error = error;
    asked.done(reply);
  }
  static size_t Count(const std::string& text, const std::string& part) {
    size_t count = 0;
    for (size_t at = 0; (at = text.find(part, at)) != std::string::npos; ++at) ++count;
    return count;
  }

  Request script_;
  std::string frame_;
};

TEST_F(ScriptEndTest, IsAskedOnceAtATime) {
  Begin();
  Busy(200);
  EXPECT_EQ(Count(Told(), "SCRIPT KILL 0"), 1u);
  AnswerKill("");
  EXPECT_EQ(Count(notes_, "was told to end a script"), 1u);
  Busy(200);
  EXPECT_EQ(Told(), "") << "the next one has its time";
}

TEST_F(ScriptEndTest, AFunctionIsEndedByAnotherCommand) {
  Begin();
  AnswerKill("BUSY Redis is busy running a script");
  EXPECT_EQ(Told(), "SCRIPT KILL 0; FUNCTION KILL 0; ");
  AnswerKill("BUSY Redis is busy running a script");
  EXPECT_EQ(Told(), "") << "that is all that there is";
  EXPECT_EQ(Count(notes_, "does not end it"), 1u);
}

TEST_F(ScriptEndTest, WhatCannotBeEndedIsSaidOnce) {
  Begin();
  AnswerKill("UNKILLABLE it wrote");
  Busy(200);
  AnswerKill("UNKILLABLE it wrote");
  EXPECT_EQ(Count(notes_, "does not end it: UNKILLABLE it wrote"), 1u);
}

TEST_F(ScriptEndTest, AnotherConnectionIsAskedAnew) {
  Begin();
  ASSERT_EQ(Count(Told(), "SCRIPT KILL 0"), 1u);
  served_->OnLinkMoved(0);
  Told();
  Busy(200);
  EXPECT_EQ(Count(Told(), "SCRIPT KILL 0"), 1u);
  AnswerKill("UNKILLABLE of the last connection");
  EXPECT_EQ(notes_.find("last connection"), std::string::npos);
}

}  // namespace
}  // namespace gemel::served_shard_test
