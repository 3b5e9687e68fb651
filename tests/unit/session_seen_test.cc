// What is counted and noted of a client's commands, with a clock that the test moves.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/session_fakes.h"

namespace gemel::session_seen_test {
namespace {

using session_test::Args;
using session_test::FakeClient;
using session_test::World;

class SessionSeen : public ::testing::Test {
 protected:
  void Use(const std::string& options = "", uint32_t workers = 1, uint32_t shards = 2) {
    world_ = std::make_unique<World>(shards, options, workers);
  }
  // All clocks.
  void Pass(uint64_t us) {
    for (auto& worker : world_->workers) worker->context.now_us += us;
    world_->clock_us += us;
  }
  // Sends it, lets so much time pass, and gives the answer.
  std::string Take(FakeClient& client, const Args& args, uint64_t us) {
    client.Command(args);
    Pass(us);
    world_->Run();
    return client.Take();
  }
  CommandStats::Counts Of(const char* name) {
    std::vector<const CommandStats*> stats;
    for (const ClientsSeen* seen : world_->process.seen) stats.push_back(&seen->commands());
    return CountsOf(stats, *world_->pool->table().FindByName(name));
  }
  std::string Log() {
    std::string out;
    world_->slow_log.AppendReply(100, &out);
    return out;
  }
  bool LogHas(const Args& args) { return Log().find(CommandFrame(args)) != std::string::npos; }

  std::unique_ptr<World> world_;
};

TEST_F(SessionSeen, CallsAndTimes) {
  Use();
  FakeClient& client = world_->Connect();
  Take(client, {"SET", "k", "v"}, 100);
  Take(client, {"GET", "k"}, 20);
  Take(client, {"GET", "k"}, 40);
  Take(client, {"CLIENT", "ID"}, 5);
  EXPECT_EQ(Of("get").calls, 2u);
  EXPECT_EQ(Of("get").us, 60u);
  EXPECT_EQ(Of("set").us, 100u);
  EXPECT_EQ(Of("client|id").calls, 1u);
  EXPECT_EQ(Of("client|id").us, 0u);  // over within the turn
  EXPECT_EQ(world_->slow_log.size(), 0u);
}

TEST_F(SessionSeen, RejectedAndFailed) {
  Use();
  FakeClient& client = world_->Connect();
  Take(client, {"GET"}, 0);                                               // arity
  Take(client, {"NOSUCH"}, 0);                                            // no row
  Take(client, {"EVALSHA", std::string(40, 'a'), "0"}, 0);                // NOSCRIPT
  Take(client, {"HSET", "k", "f", "v"}, 0);                               // the node knows it not
  Take(client, {"MSETNX", world_->Key(0), "1", world_->Key(1), "1"}, 0);  // CROSSSLOT
  EXPECT_EQ(Of("get").rejected, 1u);
  EXPECT_EQ(Of("get").calls, 0u);
  EXPECT_EQ(Of("evalsha").failed, 1u);
  EXPECT_EQ(Of("evalsha").calls, 1u);
  EXPECT_EQ(Of("hset").failed, 1u);
  EXPECT_EQ(Of("msetnx").rejected, 1u);
  std::map<std::string, uint64_t> errors;
  world_->process.seen[0]->errors().AddTo(&errors);
  EXPECT_EQ(errors["ERR"], 3u);
  EXPECT_EQ(errors["NOSCRIPT"], 1u);
  EXPECT_EQ(errors["CROSSSLOT"], 1u);
  world_->nodes[0].refusal = world_->nodes[1].refusal = "-OOM command not allowed\r\n";
  Take(client, {"SET", "k", "v"}, 0);
  EXPECT_EQ(Of("set").rejected, 1u);
  EXPECT_EQ(Of("set").calls, 0u);
}

TEST_F(SessionSeen, OfAFloodOfSlowOnesTheSlowLogCountsTheRest) {
  Use();
  FakeClient& client = world_->Connect();
  for (int i = 0; i < 10'002; ++i) Take(client, {"SET", "k", std::to_string(i)}, 10000);
  EXPECT_EQ(world_->slow_log.size(), 128u);
  EXPECT_TRUE(LogHas({"SET", "k", "9999"}));
  EXPECT_FALSE(LogHas({"SET", "k", "10001"}));
  EXPECT_EQ(Of("set").calls, 10'002u);
  // There is room again a moment later.
  ClientsSeen* seen = world_->workers[0]->context.seen;
  seen->OnTick(1'000'000, 0);
  seen->OnTick(1'000'100, 0);
  Take(client, {"SET", "k", "later"}, 10000);
  EXPECT_TRUE(LogHas({"SET", "k", "later"}));
  EXPECT_TRUE(Log().starts_with("*100\r\n*6\r\n:10002\r\n"));
}

TEST_F(SessionSeen, TheSlowLogHasWhatWasAsked) {
  Use();
  FakeClient& client = world_->Connect();
  Take(client, {"CLIENT", "SETNAME", "me"}, 0);
  Take(client, {"SET", "k", "v"}, 9999);
  EXPECT_EQ(world_->slow_log.size(), 0u);
  Take(client, {"SET", "k", "v"}, 10000);
  EXPECT_EQ(Log(), "*1\r\n*6\r\n:0\r\n:1700000000\r\n:10000\r\n" + CommandFrame({"SET", "k", "v"}) +
                       "$14\r\n127.0.0.1:1001\r\n$2\r\nme\r\n");
  Take(client, {"get", "k"}, 20000);
  EXPECT_TRUE(LogHas({"get", "k"}));
  // What goes in parts, or is put together.
  const std::string a = world_->Key(0);
  const std::string b = world_->Key(1);
  Take(client, {"MGET", a, b}, 20000);
  EXPECT_TRUE(LogHas({"MGET", a, b}));
  Take(client, {"MSET", a, "1", b, "2"}, 20000);
  EXPECT_TRUE(LogHas({"MSET", a, "1", b, "2"}));
  Take(client, {"DBSIZE"}, 20000);
  EXPECT_TRUE(LogHas({"DBSIZE"}));
  Take(client, {"SCAN", "0"}, 20000);
  EXPECT_TRUE(LogHas({"SCAN", "0"}));
  Take(client, {"EVAL", "return 1", "1", a}, 20000);
  EXPECT_TRUE(LogHas({"EVAL", "return 1", "1", a}));
  EXPECT_EQ(world_->slow_log.size(), 7u);
}

// In the client's words, though the node is sent others.
TEST_F(SessionSeen, AScriptByItsName) {
  Use();
  FakeClient& client = world_->Connect();
  const std::string script = "return 1";
  Take(client, {"EVAL", script, "1", "k"}, 0);
  const std::string sha = ScriptCache::Sha1(script);
  Take(client, {"evalsha", sha, "1", "k"}, 20000);
  EXPECT_TRUE(LogHas({"evalsha", sha, "1", "k"})) << Log();
  EXPECT_EQ(Of("evalsha").calls, 1u);
  EXPECT_EQ(Of("eval").calls, 1u);
}

TEST_F(SessionSeen, OnEveryWorker) {
  Use("", 2);
  FakeClient& client = world_->Connect(0);
  const std::string here = world_->Key(0);
  const std::string there = world_->Key(1);
  const std::string large(100000, 'x');
  Take(client, {"SET", here, large}, 20000);
  Take(client, {"SET", there, large}, 20000);
  Take(client, {"GET", there}, 20000);
  Take(client, {"GET", here}, 20000);
  const std::string shown = std::string(128, 'x') + "... (99872 more bytes)";
  EXPECT_TRUE(LogHas({"SET", here, shown})) << Log();
  EXPECT_TRUE(LogHas({"SET", there, shown})) << Log();
  EXPECT_TRUE(LogHas({"GET", there}));
  EXPECT_TRUE(LogHas({"GET", here}));
  EXPECT_EQ(world_->slow_log.size(), 4u);
  EXPECT_EQ(Of("get").calls, 2u);
}

// Each has its own time, whichever is answered first.
TEST_F(SessionSeen, ThoseThatAreAnsweredInAnotherOrder) {
  Use();
  FakeClient& client = world_->Connect();
  const std::string a = world_->Key(0);
  const std::string b = world_->Key(1);
  client.Command({"GET", a});
  Pass(5000);
  client.Command({"GET", b});
  Pass(1000);
  ASSERT_TRUE(world_->nodes[1].Serve());
  Pass(4000);
  ASSERT_TRUE(world_->nodes[0].Serve());
  world_->Run();
  EXPECT_EQ(Of("get").us, 11000u);
  EXPECT_EQ(world_->slow_log.size(), 1u);
  EXPECT_TRUE(LogHas({"GET", a}));
  // The later one is slow, too, and comes first.
  client.Command({"GET", a});
  client.Command({"GET", b});
  Pass(30000);
  ASSERT_TRUE(world_->nodes[1].Serve());
  Pass(1);
  ASSERT_TRUE(world_->nodes[0].Serve());
  world_->Run();
  EXPECT_TRUE(LogHas({"GET", b}));
  EXPECT_EQ(world_->slow_log.size(), 3u);
}

TEST_F(SessionSeen, ATransactionsCommands) {
  Use();
  FakeClient& client = world_->Connect();
  Take(client, {"MULTI"}, 0);
  Take(client, {"SET", "k", "v"}, 0);
  Take(client, {"GET", "k"}, 0);
  Take(client, {"PING"}, 0);
  EXPECT_EQ(Of("set").calls, 0u);
  Take(client, {"EXEC"}, 30000);
  EXPECT_EQ(Of("set").calls, 1u);
  EXPECT_EQ(Of("get").us, 10000u);
  EXPECT_EQ(Of("ping").calls, 1u);
  EXPECT_EQ(Of("exec").calls, 1u);
  EXPECT_EQ(Of("multi").calls, 1u);
  EXPECT_TRUE(LogHas({"SET", "k", "v"}));
  EXPECT_TRUE(LogHas({"GET", "k"}));
  EXPECT_FALSE(LogHas({"EXEC"}));
  Take(client, {"EXEC"}, 0);
  EXPECT_EQ(Of("exec").failed, 1u);
  Take(client, {"MULTI"}, 0);
  Take(client, {"SET"}, 0);
  Take(client, {"EXEC"}, 0);
  EXPECT_EQ(Of("set").rejected, 1u);
  EXPECT_EQ(Of("exec").failed, 2u);
}

TEST_F(SessionSeen, ThresholdsByTheConfig) {
  Use("[slowlog]\nlog_slower_than = 0\n[latency]\nmonitor_threshold = 3\n");
  FakeClient& client = world_->Connect();
  Take(client, {"PING"}, 0);
  Take(client, {"AUTH", "secret"}, 0);
  EXPECT_TRUE(LogHas({"PING"}));
  EXPECT_TRUE(LogHas({"AUTH", "(redacted)"}));
  EXPECT_EQ(Log().find("secret"), std::string::npos);
  Take(client, {"GET", "k"}, 2999);
  EXPECT_TRUE(world_->latency.All().empty());
  Take(client, {"GET", "k"}, 3000);
  Take(client, {"KEYS", "*"}, 5000);
  ASSERT_EQ(world_->latency.All().size(), 3u);
  EXPECT_EQ(world_->latency.Find("in-gemel")->max_ms, 5u);  // no node had it
  EXPECT_EQ(world_->latency.Find("fast-command")->max_ms, 3u);
  EXPECT_EQ(world_->latency.Find("command")->max_ms, 5u);
}

TEST_F(SessionSeen, TurnedOff) {
  Use("[slowlog]\nlog_slower_than = -1\n[latency]\ntracking = false\n");
  FakeClient& client = world_->Connect();
  Take(client, {"GET", "k"}, 1000000000);
  Take(client, {"MGET", world_->Key(0), world_->Key(1)}, 1000000000);
  EXPECT_EQ(world_->slow_log.size(), 0u);
  EXPECT_EQ(Of("get").calls, 1u);
  EXPECT_EQ(
      world_->process.seen[0]->commands().HistogramOf(*world_->pool->table().FindByName("get")),
      nullptr);
}

// What is in flight when its client leaves is counted all the same, and hurts nobody.
TEST_F(SessionSeen, AClientThatLeaves) {
  Use();
  FakeClient& client = world_->Connect();
  client.Command({"GET", world_->Key(0)});
  client.Command({"GET", world_->Key(1)});
  Pass(50000);
  world_->nodes[1].Serve();
  client.Close();
  world_->Run();
  EXPECT_EQ(Of("get").calls, 2u);
}

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  for (size_t at = 0; at < text.size();) {
    const size_t end = text.find("\r\n", at);
    std::string line = text.substr(at, end - at);
    const size_t quote = line.find('"');
    lines.push_back(quote == std::string::npos ? line : line.substr(line.find('[')));
    at = end + 2;
  }
  return lines;
}

TEST_F(SessionSeen, Monitor) {
  Use("[limits]\nsubscriber_output = 2000\nsubscriber_output_soft = 2000\n");
  FakeClient& watcher = world_->Connect();
  FakeClient& client = world_->Connect();
  const auto told = [&] {
    world_->workers[0]->worker_seen.monitor.Take();
    world_->Run();
    return Lines(watcher.Take());
  };
  EXPECT_EQ(Take(watcher, {"MONITOR"}, 0), "+OK\r\n");
  EXPECT_EQ(Take(watcher, {"MONITOR"}, 0), "");
  EXPECT_EQ(Take(watcher, {"GET", "k"}, 0), "-ERR Replica can't interact with the keyspace\r\n");
  Take(client, {"SELECT", "2"}, 0);
  Take(client, {"GET", "k"}, 0);
  Take(client, {"CONFIG", "GET", "x"}, 0);
  Take(client, {"GET"}, 0);
  Take(client, {"NOSUCH"}, 0);
  Take(client, {"SELECT", "0"}, 0);
  Take(client, {"MULTI"}, 0);
  Take(client, {"SET", "k", "v"}, 0);
  EXPECT_EQ(told(), (std::vector<std::string>{
                        "[2 127.0.0.1:1002] \"SELECT\" \"2\"", "[2 127.0.0.1:1002] \"GET\" \"k\"",
                        "[0 127.0.0.1:1002] \"SELECT\" \"0\"", "[0 127.0.0.1:1002] \"MULTI\""}));
  Take(client, {"EXEC"}, 0);
  EXPECT_EQ(told(), (std::vector<std::string>{"[0 127.0.0.1:1002] \"SET\" \"k\" \"v\"",
                                              "[0 127.0.0.1:1002] \"EXEC\""}));
  EXPECT_EQ(Take(watcher, {"RESET"}, 0), "+RESET\r\n");
  Take(client, {"PING"}, 0);
  EXPECT_EQ(told(), (std::vector<std::string>{}));
  EXPECT_FALSE(world_->watchers->any());
  // One that does not take them is cut off.
  Take(watcher, {"MONITOR"}, 0);
  watcher.takes = 0;
  for (int i = 0; i < 100 && !watcher.closed; ++i) {
    Take(client, {"PING", std::string(100, 'x')}, 0);
    world_->workers[0]->worker_seen.monitor.Take();
    world_->Turn();
  }
  EXPECT_TRUE(watcher.closed);
  EXPECT_FALSE(world_->watchers->any());
}

}  // namespace
}  // namespace gemel::session_seen_test
