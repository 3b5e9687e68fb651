// FUNCTION STATS of a shard: whose answer of its nodes' is the client's.

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "backend/served/script_end.h"
#include "tests/unit/shard_world.h"

namespace gemel::function_stats_test {
namespace {

const std::string kEngines = "$7\r\nengines\r\n*0\r\n";
const std::string kIdle = "*4\r\n$14\r\nrunning_script\r\n$-1\r\n" + kEngines;
const std::string kRuns =
    "*4\r\n$14\r\nrunning_script\r\n*2\r\n$4\r\nname\r\n$1\r\nf\r\n" + kEngines;

class FunctionStatsTest : public ShardWorld, public ControlPort {
 protected:
  void Begin(uint32_t copies) {
    MakeUp(copies);
    end_ = std::make_unique<ScriptEnd>(shard_.get(), this, this);
    request_.sink = this;
    request_.kind = RequestKind::kKill;
    request_.frame = kFunctionStats;
    shard_->Submit(&request_);
    EXPECT_EQ(commands_.size(), copies);
  }
  void Command(uint32_t copy, std::vector<std::string> args, ControlDone done) override {
    EXPECT_EQ(copy, commands_.size());
    EXPECT_EQ(args, (std::vector<std::string>{"FUNCTION", "STATS"}));
    commands_.push_back(std::move(done));
  }
  void Says(uint32_t copy, const std::string& frame) {
    ControlReply reply;
    reply.ok = true;
    reply.frame = frame;
    commands_[copy](reply);
  }
  void Fails(uint32_t copy, const std::string& error, bool refused) {
    ControlReply reply;
    reply.refused = refused;
    reply.error = error;
    commands_[copy](reply);
  }

  std::unique_ptr<ScriptEnd> end_;
  Asked request_;
  std::vector<ControlDone> commands_;
};

TEST_F(FunctionStatsTest, WhoRunsOneIsNotWaitedBehind) {
  Begin(3);
  Says(0, kIdle);
  EXPECT_EQ(request_.told, "");
  Says(2, kRuns);
  EXPECT_EQ(request_.told, kRuns);
  Says(1, kIdle);  // too late, and no harm
}

TEST_F(FunctionStatsTest, WhereNothingRuns) {
  Begin(2);
  Fails(0, "no answer within 2000 ms", false);
  EXPECT_EQ(request_.told, "");
  Says(1, kIdle);
  EXPECT_EQ(request_.told, kIdle);
}

TEST_F(FunctionStatsTest, AScriptThatIsNone) {
  Begin(2);
  Fails(1, "BUSY Redis is busy running a script.", true);
  EXPECT_EQ(request_.told, "-BUSY Redis is busy running a script.\r\n");
}

TEST_F(FunctionStatsTest, AnAnswerIsBetterThanARefusal) {
  Begin(2);
  Fails(0, "NOPERM no", true);
  Says(1, kIdle);
  EXPECT_EQ(request_.told, kIdle);
}

TEST_F(FunctionStatsTest, NobodyAnswers) {
  Begin(2);
  Fails(0, "NOPERM no", true);
  Fails(1, "no answer within 2000 ms", false);
  EXPECT_EQ(request_.told, "-NOPERM no\r\n");
}

TEST_F(FunctionStatsTest, WhoLeavesIsNotWaitedFor) {
  Begin(2);
  end_->ForgetCopy(0);
  EXPECT_EQ(request_.told, "");
  end_->Stop();
  EXPECT_EQ(request_.told, "-ERR no node of shard 'a' has answered\r\n");
}

}  // namespace
}  // namespace gemel::function_stats_test
