// A script that never ends, asked for by one client. With Redis it is everybody's until an operator
// ends it; here it has [timeouts] request_ms, as any request has.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/e2e/cluster.h"
#include "tests/e2e/load.h"
#include "tests/e2e/look.h"
#include "tests/e2e/wait.h"

namespace gemel::e2e::endless_script_test {
namespace {

const Words kEndless = {"EVAL_RO", "while true do end", "0"};
const std::string kNotAgain =
    "-ERR the node gave no answer to this script in time ([timeouts] request_ms) and its "
    "connection was ended; it is not run on another copy";

// Takes 700 ms, far less than request_ms and far more than the threshold.
Words Long() {
  return {"EVAL_RO",
          "local t = redis.call('TIME') "
          "local stop = t[1] * 1000000 + t[2] + 700000 "
          "repeat t = redis.call('TIME') until t[1] * 1000000 + t[2] > stop return 'x'",
          "0"};
}

class EndlessScript : public ::testing::TestWithParam<int> {
 protected:
  // `threshold`: the milliseconds after which a node says that it is busy, and listens to SCRIPT
  // KILL. `rights`: of gemel's user, where it has one.
  void Begin(int copies, const std::string& threshold, const Words& rights = {}) {
    ClusterOptions options{.shards = 1,
                           .copies = copies,
                           .sections = {{"timeouts", "request_ms = 1500"},
                                        {"health", "interval_ms = 200\ntimeout_ms = 1000"}},
                           .redis_options = {"--busy-reply-threshold", threshold}};
    if (!rights.empty()) {
      options.shard_lines = "user = \"gemel\"\npassword = \"secret\"";
      Words& words = options.redis_options;
      words.insert(words.end(), {"--user", "gemel", "on", ">secret", "~*", "&*", "+@all"});
      words.insert(words.end(), rights.begin(), rights.end());
    }
    cluster_ = std::make_unique<Cluster>(options);
    epoch_ = cluster_->Status(0).epoch;
    load_ = std::make_unique<Load>(cluster_->proxy().port(), Load::Options{.threads = 3});
    EXPECT_TRUE(load_->WaitForMore(300));
  }
  void EndLoad() {
    EXPECT_TRUE(load_->WaitForMore(300));
    load_->Stop();
    load_->Verify(cluster_->proxy().port());
  }
  // Nobody else has noticed: nobody left, no link was lost.
  void ExpectNothingElse() {
    EndLoad();
    EXPECT_EQ(cluster_->Status(0).epoch, epoch_) << "roles have changed";
    EXPECT_FALSE(Has(cluster_->proxy().Log(), "lost the connection to")) << cluster_->proxy().Log();
    cluster_->ExpectCopiesEqual();
  }
  // How often the nodes ran a command.
  int64_t Runs(const std::string& command) {
    int64_t runs = 0;
    for (int copy = 0; copy < cluster_->copies(); ++copy) {
      const std::string text = cluster_->node(0, copy).Connect()("INFO", "commandstats").bytes;
      const std::string name = "cmdstat_" + command + ":calls=";
      const size_t at = text.find(name);
      if (at != std::string::npos) runs += std::stoll(text.substr(at + name.size()));
    }
    return runs;
  }
  std::string Ask(const Words& words) { return cluster_->Connect().Run(words).Text(); }

  std::unique_ptr<Cluster> cluster_;
  std::unique_ptr<Load> load_;
  int64_t epoch_ = 0;
};

TEST_P(EndlessScript, IsEndedOnItsNodeAlone) {
  Begin(GetParam(), "300");
  for (int i = 0; i < 2; ++i) {
    const std::string text = Ask(kEndless);
    EXPECT_TRUE(Has(text, "Script killed by user with SCRIPT KILL")) << text;
  }
  EXPECT_EQ(Runs("eval_ro"), 2);
  EXPECT_TRUE(Eventually([&] { return cluster_->Figure("ended_scripts") == 2; }));
  ExpectNothingElse();
}

// A long one behind an endless one is not ended with it. (The node answers none of them before it
// has run them all.)
TEST_P(EndlessScript, SeveralAtOnce) {
  Begin(GetParam(), "100");
  Client client = cluster_->Connect();
  for (const Words& words : {kEndless, Long(), kEndless, Long(), Words{"PING"}})
    client.Append(words);
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(client.Read().IsError());
    EXPECT_EQ(client.Read(), "x");
  }
  EXPECT_EQ(client.Read(), "PONG");
  EXPECT_EQ(Runs("eval_ro"), 4);
  EXPECT_TRUE(Eventually([&] { return cluster_->Figure("ended_scripts") == 2; }));
  ExpectNothingElse();
}

TEST_P(EndlessScript, IsAFunction) {
  Begin(GetParam(), "300");
  ASSERT_EQ(
      cluster_->Connect()("FUNCTION", "LOAD",
                          "#!lua name=endless\nredis.register_function{function_name='f', "
                          "callback=function() while true do end end, flags={'no-writes'}}"),
      "endless");
  const std::string text = Ask({"FCALL_RO", "f", "0"});
  EXPECT_TRUE(text.starts_with("-ERR")) << text;
  EXPECT_EQ(Runs("fcall_ro"), 1);
  ExpectNothingElse();
}

// One that ends within its time is not touched, though its node calls itself busy meanwhile.
TEST_P(EndlessScript, ButALongOneIsLeftAlone) {
  Begin(GetParam(), "100");
  EXPECT_EQ(Ask(Long()), "x");
  EXPECT_EQ(cluster_->Figure("ended_scripts"), 0);
  ExpectNothingElse();
}

INSTANTIATE_TEST_SUITE_P(Copies, EndlessScript, ::testing::Values(1, 2));

class EndlessScriptPair : public EndlessScript {};

// Where gemel may not end it the copy is given up, and an operator has to: then it is back by
// itself. The script is not run on the other copy, wherever it stood in the line.
TEST_F(EndlessScriptPair, ThatMayNotBeEnded) {
  Begin(2, "300", {"-script|kill"});
  EXPECT_EQ(Ask(kEndless), kNotAgain);
  EXPECT_TRUE(load_->WaitForMore(300)) << "the other copy does not go on";
  EXPECT_EQ(cluster_->Status(0).primary, cluster_->node(0, 1).address());
  EXPECT_EQ(cluster_->node(0, 0).Connect()("SCRIPT", "KILL"), "OK");
  EXPECT_TRUE(cluster_->WaitUntilInSync());
  EXPECT_EQ(Runs("eval_ro"), 1);
  EndLoad();
  cluster_->ExpectCopiesEqual();
}

// The node listens only long after its link was given up: then it does what it was told.
TEST_F(EndlessScriptPair, OnANodeThatListensLate) {
  Begin(2, "5000");
  EXPECT_EQ(Ask(kEndless), kNotAgain);
  EXPECT_TRUE(load_->WaitForMore(300)) << "the other copy does not go on";
  EXPECT_TRUE(cluster_->WaitUntilInSync());
  EXPECT_EQ(Runs("eval_ro"), 1);
  EndLoad();
  cluster_->ExpectCopiesEqual();
}

// EVAL, which the primary runs within MULTI.
TEST_F(EndlessScriptPair, ThatMightWrite) {
  Begin(2, "300");
  for (int i = 0; i < 2; ++i) {
    const std::string text = Ask({"EVAL", "while true do end", "1", "k"});
    EXPECT_TRUE(Has(text, "Script killed by user with SCRIPT KILL")) << text;
  }
  EXPECT_EQ(Runs("eval"), 2);
  EXPECT_TRUE(Eventually([&] { return cluster_->Figure("ended_scripts") == 2; }));
  ExpectNothingElse();
}

// One that has written can be ended with its node alone: the copy is given up, and the script is
// not run on the other.
TEST_F(EndlessScriptPair, ThatHasWritten) {
  Begin(2, "300");
  const std::string text =
      Ask({"EVAL", "redis.call('SET', KEYS[1], 'v') while true do end", "1", "k"});
  EXPECT_TRUE(Has(text, "may or may not have been applied")) << text;
  EXPECT_TRUE(load_->WaitForMore(300)) << "the other copy does not go on";
  EXPECT_EQ(cluster_->Status(0).primary, cluster_->node(0, 1).address());
  cluster_->node(0, 0).Kill();
  cluster_->node(0, 0).Start();
  EXPECT_TRUE(cluster_->WaitUntilInSync());
  EXPECT_EQ(Runs("eval"), 0);
  EXPECT_EQ(Ask({"EXISTS", "k"}), ":0");
  EndLoad();
  cluster_->ExpectCopiesEqual();
}

}  // namespace
}  // namespace gemel::e2e::endless_script_test
