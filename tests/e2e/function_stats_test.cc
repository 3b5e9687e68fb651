// FUNCTION STATS while something runs: it is told by who runs it, and waits for nothing.

#include <gtest/gtest.h>

#include <string>

#include "tests/e2e/cluster.h"
#include "tests/e2e/wait.h"
#include "tests/e2e/wire.h"

namespace gemel::e2e::function_stats_test {
namespace {

const std::string kLibrary =
    "#!lua name=lib\nredis.register_function{function_name='endless', flags={'no-writes'}, "
    "callback=function() while true do end end}";

// What a reply says of durations, taken out.
std::string WithoutDuration(std::string reply) {
  const std::string name = "duration_ms\r\n:";
  const size_t at = reply.find(name);
  if (at == std::string::npos) return reply;
  const size_t begin = at + name.size();
  return reply.erase(begin, reply.find('\r', begin) - begin);
}

bool Runs(const std::string& reply) { return reply.find("duration_ms") != std::string::npos; }

class FunctionStats : public ::testing::TestWithParam<int> {};  // workers
INSTANTIATE_TEST_SUITE_P(Workers, FunctionStats, ::testing::Values(1, 2), [](const auto& info) {
  return std::string(info.param == 1 ? "One" : "TwoThreaded");
});

TEST_P(FunctionStats, OfWhatRuns) {
  const Words threshold = {"--busy-reply-threshold", "100"};
  Cluster cluster({.shards = 2,
                   .copies = 2,
                   .workers = GetParam(),
                   .sections = {{"timeouts", "request_ms = 60000"}},
                   .redis_options = threshold});
  RedisNode alone(threshold);
  Wire gemel(cluster.proxy().port());
  Wire redis(alone.port());
  const Words load = {"FUNCTION", "LOAD", kLibrary};
  EXPECT_EQ(gemel.Ask(load), redis.Ask(load));
  const Words stats = {"FUNCTION", "STATS"};
  // An argument of several lines is one argument.
  const std::string key = cluster.KeyOn(1);
  const Words call = {"FCALL_RO", "endless", "1", key, "two\nlines", ""};
  const Words eval = {"EVAL_RO", "while true do end", "1", key};
  for (const char* protocol : {"2", "3"}) {
    EXPECT_EQ(redis.Ask({"HELLO", protocol}).empty(), gemel.Ask({"HELLO", protocol}).empty());
    EXPECT_EQ(gemel.Ask(stats), redis.Ask(stats));
    Client runs = cluster.Connect();
    Client runs_alone = alone.Connect();
    runs.Append(call);
    runs.Flush();
    runs_alone.Append(call);
    runs_alone.Flush();
    std::string there;
    std::string here;
    EXPECT_TRUE(Eventually([&] { return Runs(there = redis.Ask(stats)); }));
    EXPECT_TRUE(Eventually([&] { return Runs(here = gemel.Ask(stats)); }));
    EXPECT_EQ(WithoutDuration(here), WithoutDuration(there));
    EXPECT_EQ(gemel.Ask({"FUNCTION", "KILL"}), redis.Ask({"FUNCTION", "KILL"}));
    EXPECT_TRUE(runs.Read().IsError());
    EXPECT_TRUE(runs_alone.Read().IsError());
    EXPECT_EQ(gemel.Ask(stats), redis.Ask(stats));
    // A script that is none.
    runs.Append(eval);
    runs.Flush();
    runs_alone.Append(eval);
    runs_alone.Flush();
    const auto busy = [](const std::string& reply) { return reply.starts_with("-BUSY"); };
    EXPECT_TRUE(Eventually([&] { return busy(there = redis.Ask(stats)); }));
    EXPECT_TRUE(Eventually([&] { return busy(here = gemel.Ask(stats)); }));
    EXPECT_EQ(here, there);
    EXPECT_EQ(gemel.Ask({"SCRIPT", "KILL"}), redis.Ask({"SCRIPT", "KILL"}));
    EXPECT_TRUE(runs.Read().IsError());
    EXPECT_TRUE(runs_alone.Read().IsError());
  }
}

TEST_P(FunctionStats, WhereANodeIsDown) {
  Cluster cluster({.shards = 1, .copies = 2, .workers = GetParam()});
  cluster.Connect()("FUNCTION", "LOAD", kLibrary);
  cluster.node(0, 0).Kill();
  ASSERT_TRUE(cluster.WaitUntilPrimary(0, cluster.node(0, 1)));
  const Reply stats = cluster.Connect()("FUNCTION", "STATS");
  EXPECT_EQ(stats.Text(),
            "[running_script (nil) engines [LUA [libraries_count :1 "
            "functions_count :1]]]");
  // In a transaction, too.
  Client client = cluster.Connect();
  client("MULTI");
  client("FUNCTION", "STATS");
  EXPECT_EQ(client("EXEC").Text(), "[" + stats.Text() + "]");
}

}  // namespace
}  // namespace gemel::e2e::function_stats_test
