// The parts of proxy/seen, each alone.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "backend/command/command_table.h"
#include "backend/resp/resp_writer.h"
#include "proxy/seen/command_stats.h"
#include "proxy/seen/error_counts.h"
#include "proxy/seen/latency_events.h"
#include "proxy/seen/latency_histogram.h"
#include "proxy/seen/latency_report.h"
#include "proxy/seen/monitor_feed.h"
#include "proxy/seen/monitor_line.h"
#include "proxy/seen/rate_sampler.h"
#include "proxy/seen/shown_args.h"
#include "proxy/seen/slow_log.h"
#include "proxy/seen/sparkline.h"
#include "proxy/session/ask_times.h"
#include "proxy/session/deadlines.h"

namespace gemel::seen_parts_test {
namespace {

using Args = std::vector<std::string_view>;

TEST(LatencyHistogramTest, PlacesAreInOrderAndOfTwoDigits) {
  size_t before = 0;
  for (uint64_t us = 0; us < 5000; ++us) {
    const size_t place = LatencyHistogram::PlaceOf(us);
    EXPECT_TRUE(place == before || place == before + 1) << us;
    before = place;
    const uint64_t highest = LatencyHistogram::HighestAt(place);
    EXPECT_GE(highest, us);
    EXPECT_LE(highest - us, us / 100);
  }
  for (uint64_t us = 5000; us < LatencyHistogram::kMost; us = us * 3 / 2) {
    const uint64_t highest = LatencyHistogram::HighestAt(LatencyHistogram::PlaceOf(us));
    EXPECT_GE(highest, us);
    EXPECT_LE(highest - us, us / 100);
  }
  EXPECT_EQ(LatencyHistogram::PlaceOf(~uint64_t{0}), LatencyHistogram::kPlaces - 1);
}

TEST(LatencyHistogramTest, PercentilesAndSums) {
  LatencyHistogram one;
  LatencyHistogram other;
  for (int i = 1; i <= 99; ++i) one.Add(static_cast<uint64_t>(i));
  other.Add(100000);
  LatencySum sum;
  EXPECT_EQ(sum.At(50), 0u);
  sum.Add(one);
  sum.Add(other);
  EXPECT_EQ(sum.total(), 100u);
  EXPECT_EQ(sum.At(0), 1u);
  EXPECT_EQ(sum.At(50), 50u);
  EXPECT_EQ(sum.At(99), 99u);
  EXPECT_GE(sum.At(99.9), 100000u);
  EXPECT_LE(sum.At(100), 101000u);
  EXPECT_EQ(sum.UpTo(8), 8u);
  EXPECT_EQ(sum.UpTo(200000), 100u);
  one.Reset();
  LatencySum rest;
  rest.Add(one);
  EXPECT_EQ(rest.total(), 0u);
}

TEST(CommandStatsTest, CountsByRowAndSumsWorkers) {
  const CommandTable table;
  CommandStats one(table);
  CommandStats other(table);
  const CommandRow& get = *table.FindByName("get");
  const CommandRow& set = *table.FindByName("set");
  one.Add(get, 10, true);
  other.Add(get, 30, false);
  other.AddFailed(get);
  other.AddRejected(set);
  const CommandStats* const both[] = {&one, &other};
  EXPECT_EQ(CountsOf(both, get).calls, 2u);
  EXPECT_EQ(CountsOf(both, get).us, 40u);
  EXPECT_EQ(CountsOf(both, get).failed, 1u);
  EXPECT_EQ(CountsOf(both, set).rejected, 1u);
  EXPECT_EQ(CountsOf(both, set).calls, 0u);
  EXPECT_EQ(LatencyOf(both, get).total(), 1u);  // what was not tracked is not in it
  EXPECT_FALSE(CountsOf(both, *table.FindByName("config|get")).any());
  one.Reset();
  other.Reset();
  EXPECT_FALSE(CountsOf(both, get).any());
  EXPECT_EQ(LatencyOf(both, get).total(), 0u);
}

TEST(ErrorCountsTest, ByPrefix) {
  ErrorCounts errors;
  errors.Add("-ERR no\r\n");
  errors.Add("-WRONGTYPE Operation\r\n");
  errors.Add("-WRONGTYPE Operation\r\n");
  errors.Add("-nospaceatall\r\n");
  errors.Add("-" + std::string(40, 'x') + " late\r\n");
  std::map<std::string, uint64_t> sums{{"ERR", 1}};
  errors.AddTo(&sums);
  EXPECT_EQ(sums, (std::map<std::string, uint64_t>{{"ERR", 4}, {"WRONGTYPE", 2}}));
  EXPECT_EQ(errors.total(), 5u);
  errors.Reset();
  EXPECT_EQ(errors.total(), 0u);
}

TEST(ErrorCountsTest, AreBounded) {
  ErrorCounts errors;
  for (int i = 0; i < 1000; ++i) errors.Add("-E" + std::to_string(i) + " x\r\n");
  std::map<std::string, uint64_t> sums;
  errors.AddTo(&sums);
  EXPECT_EQ(sums.size(), ErrorCounts::kMost + 1);
  EXPECT_EQ(sums["ERR"], 1000 - ErrorCounts::kMost);
  EXPECT_EQ(errors.total(), 1000u);
}

TEST(ErrorCountsTest, WhatIsARejection) {
  for (const char* yes : {"-OOM command not allowed\r\n", "-LOADING x\r\n", "-NOPERM x\r\n",
                          "-CLUSTERDOWN shard\r\n", "-BUSY x\r\n"}) {
    EXPECT_TRUE(IsRejection(yes)) << yes;
  }
  for (const char* no : {"-ERR x\r\n", "-WRONGTYPE x\r\n", "-BUSYGROUP x\r\n", "-NOSCRIPT x\r\n"}) {
    EXPECT_FALSE(IsRejection(no)) << no;
  }
}

std::string Shown(const CommandRow* row, const Args& args) {
  std::string by_args;
  AppendShownArgs(row, args, &by_args);
  std::string by_frame;
  AppendShownFrame(row, CommandFrame(args), &by_frame);
  EXPECT_EQ(by_args, by_frame);
  return by_args;
}

std::string Array(const Args& args) { return CommandFrame(args); }

TEST(ShownArgsTest, AsInRedisSlowLog) {
  const std::string long_arg(129, 'A');
  const std::string fits(128, 'B');
  EXPECT_EQ(Shown(nullptr, {"set", "k", long_arg}),
            Array({"set", "k", std::string(128, 'A') + "... (1 more bytes)"}));
  EXPECT_EQ(Shown(nullptr, {"set", "", fits}), Array({"set", "", fits}));
  Args args(33, "x");
  Args shown(31, "x");
  shown.push_back("... (2 more arguments)");
  EXPECT_EQ(Shown(nullptr, args), Array(shown));
  args.pop_back();
  EXPECT_EQ(Shown(nullptr, args), Array(args));
}

TEST(ShownArgsTest, SecretsAreNotShown) {
  const CommandTable table;
  const auto shown = [&table](const Args& args) { return Shown(table.Find(args), args); };
  EXPECT_EQ(shown({"AUTH", "pw"}), Array({"AUTH", "(redacted)"}));
  EXPECT_EQ(shown({"auth", "u", "pw"}), Array({"auth", "(redacted)", "(redacted)"}));
  EXPECT_EQ(shown({"HELLO", "3", "AUTH", "u", "pw", "SETNAME", "n"}),
            Array({"HELLO", "3", "AUTH", "(redacted)", "(redacted)", "SETNAME", "n"}));
  EXPECT_EQ(shown({"HELLO", "3", "SETNAME", "auth", "auth", "u", "p"}),
            Array({"HELLO", "3", "SETNAME", "auth", "auth", "(redacted)", "(redacted)"}));
  EXPECT_EQ(shown({"CONFIG", "SET", "requirepass", "pw", "timeout", "3"}),
            Array({"CONFIG", "SET", "requirepass", "(redacted)", "timeout", "3"}));
  EXPECT_EQ(shown({"config", "set", "timeout", "3", "Proxy.Password", "x"}),
            Array({"config", "set", "timeout", "3", "Proxy.Password", "(redacted)"}));
  EXPECT_EQ(shown({"SET", "requirepass", "AUTH"}), Array({"SET", "requirepass", "AUTH"}));
}

TEST(SlowLogTest, KeepsTheNewest) {
  SlowLog log;
  for (int i = 0; i < 5; ++i) log.Add({0, 7, 8, "*1\r\n$1\r\nx\r\n", "p", "n"}, 3);
  EXPECT_EQ(log.size(), 3u);
  std::string out;
  log.AppendReply(1, &out);
  EXPECT_EQ(out, "*1\r\n*6\r\n:4\r\n:7\r\n:8\r\n*1\r\n$1\r\nx\r\n$1\r\np\r\n$1\r\nn\r\n");
  out.clear();
  log.AppendReply(0, &out);
  EXPECT_EQ(out, "*0\r\n");
  log.Reset();
  EXPECT_EQ(log.size(), 0u);
  log.Add({}, 0);
  EXPECT_EQ(log.size(), 0u);
  log.Add({}, 1);
  out.clear();
  log.AppendReply(9, &out);
  EXPECT_TRUE(out.starts_with("*1\r\n*6\r\n:6\r\n")) << out;  // an id is given once
}

TEST(LatencyEventsTest, OneSampleASecond) {
  LatencyEvents events;
  events.Add("command", 10, 100);
  events.Add("command", 30, 100);
  events.Add("command", 20, 100);
  events.Add("command", 5, 101);
  const auto series = events.Find("command");
  ASSERT_TRUE(series);
  ASSERT_EQ(series->samples.size(), 2u);
  EXPECT_EQ(series->samples[0].ms, 30u);
  EXPECT_EQ(series->samples[1].ms, 5u);
  EXPECT_EQ(series->max_ms, 30u);
  for (int i = 0; i < 1000; ++i) events.Add("command", 1, 200 + i);
  EXPECT_EQ(events.Find("command")->samples.size(), LatencyEvents::kSamples);
  EXPECT_EQ(events.Find("command")->samples.front().unix_s, 1200 - 160);
  events.Add("fast-command", 1, 1);
  EXPECT_EQ(events.All().size(), 2u);
  EXPECT_FALSE(events.Find("COMMAND"));
  EXPECT_EQ(events.Reset("none"), 0u);
  EXPECT_EQ(events.Reset("COMMAND"), 1u);
  EXPECT_EQ(events.ResetAll(), 1u);
  EXPECT_TRUE(events.All().empty());
}

TEST(LatencyReportTest, InRedisWords) {
  PoolConfig config;
  EXPECT_TRUE(LatencyReport({}, config, 0).starts_with("I'm sorry, Dave"));
  config.latency.monitor_threshold = 5;
  EXPECT_TRUE(LatencyReport({}, config, 0).starts_with("Dave, no latency spike"));
  const LatencySeries series{"command", {{100, 10}, {104, 20}}, 50};
  const std::string report = LatencyReport({series}, config, 110);
  EXPECT_NE(report.find("1. command: 2 latency spikes (average 15ms, mean deviation 5ms, period "
                        "5.00 sec). Worst all time event 50ms.\n"),
            std::string::npos)
      << report;
  EXPECT_NE(report.find("Please use 'CONFIG SET slowlog-log-slower-than 5000'."),
            std::string::npos);
  EXPECT_EQ(report.find("noisy neighbour"), std::string::npos);
  config.slowlog.log_slower_than = -1;
  EXPECT_NE(LatencyReport({series}, config, 110).find("Try to enable the Slow Log"),
            std::string::npos);
  EXPECT_NE(LatencyReport({{"fast-command", {{1, 6}}, 6}}, config, 9).find("noisy neighbour"),
            std::string::npos);
}

// What redis-server draws for these.
TEST(LatencyReportTest, Graph) {
  const LatencySeries series{"command", {{100, 100}, {155, 200}, {40, 400}}, 500};
  EXPECT_EQ(LatencyGraph(series, 160),
            "command - high 400 ms, low 100 ms (all time high 500 ms)\n" + std::string(80, '-') +
                "\n"
                "  #\n"
                "  |\n"
                " o|\n"
                "_||\n"
                "   \n"
                "152\n"
                "msm\n");
}

TEST(MonitorLineTest, AsInRedis) {
  const CommandTable table;
  const std::string binary("\0\x01\xff \"\\\n\r\t\a\bz", 12);
  const Args args{"set", "k", binary};
  std::string line;
  AppendMonitorHead(1339518083000042, 3, "127.0.0.1:5", &line);
  AppendMonitorArgs(*table.Find(args), args, &line);
  EXPECT_EQ(line,
            "+1339518083.000042 [3 127.0.0.1:5] \"set\" \"k\" "
            "\"\\x00\\x01\\xff \\\"\\\\\\n\\r\\t\\a\\bz\"\r\n");
  line.clear();
  const Args auth{"AUTH", "pw"};
  AppendMonitorHead(5, 0, "unix:/s", &line);
  AppendMonitorArgs(*table.Find(auth), auth, &line);
  EXPECT_EQ(line, "+0.000005 [0 unix:/s] \"AUTH\" \"(redacted)\"\r\n");
}

TEST(MonitorLineTest, WhatIsShown) {
  const CommandTable table;
  for (const char* yes : {"get", "eval", "evalsha", "fcall", "auth", "exec", "multi", "info",
                          "client|id", "ping", "select"}) {
    EXPECT_TRUE(IsMonitored(*table.FindByName(yes))) << yes;
  }
  for (const char* no : {"config|get", "monitor", "slowlog|get", "client|list", "latency|reset"}) {
    EXPECT_FALSE(IsMonitored(*table.FindByName(no))) << no;
  }
}

class FakeWatcher : public Watcher {
 public:
  void OnLines(std::string_view lines) override { got += lines; }
  void OnLinesLost() override { lost = true; }
  std::string got;
  bool lost = false;
};

TEST(MonitorFeedTest, LinesReachAllWorkersThatWatch) {
  WatcherCounts counts(3);
  MonitorFeed first(&counts, 0);
  MonitorFeed second(&counts, 1);
  EXPECT_FALSE(first.any());
  FakeWatcher a;
  FakeWatcher b;
  FakeWatcher c;
  size_t places[3];
  first.Enter(&a, &places[0]);
  second.Enter(&b, &places[1]);
  second.Enter(&c, &places[2]);
  EXPECT_TRUE(first.any());
  EXPECT_EQ(counts.count(), 3u);
  EXPECT_TRUE(counts.AnyOn(1));
  EXPECT_FALSE(counts.AnyOn(2));
  first.draft() = "one\r\n";
  first.Tell("+");
  first.draft() = "+none\r\n";
  first.Drop();
  const std::string lines = first.Take();
  EXPECT_TRUE(first.empty());
  EXPECT_EQ(a.got, "+one\r\n");
  EXPECT_TRUE(first.Send(1, lines.size(), 0));
  second.OnSent(lines);
  EXPECT_EQ(b.got, "+one\r\n");
  EXPECT_EQ(c.got, "+one\r\n");
  second.Leave(places[1]);
  second.OnSent("");
  second.Leave(places[2]);
  first.Leave(places[0]);
  EXPECT_FALSE(second.any());
  EXPECT_FALSE(b.lost || c.lost);
}

TEST(MonitorFeedTest, WhoSitsOnAWorkerThatDoesNotTakeThemIsCutOff) {
  WatcherCounts counts(2);
  MonitorFeed first(&counts, 0);
  MonitorFeed second(&counts, 1);
  FakeWatcher watcher;
  size_t place;
  second.Enter(&watcher, &place);
  const std::string lines(100, 'x');
  EXPECT_TRUE(first.Send(1, lines.size(), 99));
  EXPECT_FALSE(first.Send(1, lines.size(), 99));  // 100 bytes are on their way already
  second.OnSent(lines);
  EXPECT_EQ(watcher.got, lines);
  EXPECT_TRUE(watcher.lost);
  watcher.lost = false;
  EXPECT_TRUE(first.Send(1, lines.size(), 99));
  second.OnSent(lines);
  EXPECT_FALSE(watcher.lost);
  second.Leave(place);
}

TEST(RateSamplerTest, MeanOfLate) {
  RateSampler rate;
  EXPECT_TRUE(rate.Sample(1000, 0));
  EXPECT_FALSE(rate.Sample(1050, 100));
  for (uint64_t i = 1; i <= 16; ++i) rate.Sample(1000 + i * 100, i * 50);
  EXPECT_EQ(rate.per_second(), 500u);
  for (uint64_t i = 17; i <= 32; ++i) rate.Sample(1000 + i * 100, 16 * 50);
  EXPECT_EQ(rate.per_second(), 0u);
  rate.Sample(9000, 1);  // less than before: it was reset
  EXPECT_EQ(rate.per_second(), 0u);
}

TEST(AskTimesTest, IsALine) {
  AskTimes times;
  std::vector<uint64_t> model;
  uint64_t random = 1;
  uint64_t now = 0;
  for (int i = 0; i < 100000; ++i) {
    random = random * 6364136223846793005ull + 1442695040888963407ull;
    const bool push = model.empty() || (random >> 60) < (i % 2000 < 1000 ? 11 : 5);
    if (push) {
      if ((random >> 40) % 3 == 0) ++now;
      times.Push(now);
      model.push_back(now);
    } else {
      ASSERT_EQ(times.front(), model.front());
      times.Pop();
      model.erase(model.begin());
    }
    if (model.empty()) times.ReleaseMemory();
  }
}

TEST(DeadlinesTest, EachIsToldOnce) {
  struct Told : Deadline {
    void OnDeadline() override { ++times; }
    int times = 0;
  };
  Deadlines deadlines;
  Told a;
  Told b;
  Told c;
  deadlines.Add(10, &a);
  deadlines.Add(20, &b);
  deadlines.Add(10, &c);
  deadlines.Remove(&c);
  deadlines.Tick(9);
  EXPECT_EQ(a.times, 0);
  deadlines.Tick(10);
  deadlines.Tick(11);
  EXPECT_EQ(a.times, 1);
  EXPECT_EQ(b.times, 0);
  deadlines.Tick(100);
  EXPECT_EQ(b.times, 1);
  EXPECT_EQ(c.times, 0);
}

}  // namespace
}  // namespace gemel::seen_parts_test
