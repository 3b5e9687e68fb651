// The live view: what is read of the answers, and the lines made of two of them.

#include "proxy/top/top_view.h"

#include <gtest/gtest.h>

#include "backend/resp/resp_writer.h"

namespace gemel::top_view_test {
namespace {

std::string Bulk(std::string_view text) {
  std::string out;
  AppendBulk(&out, text);
  return out;
}
std::string Array(std::initializer_list<std::string> items) {
  std::string out;
  AppendArrayHeader(&out, static_cast<int64_t>(items.size()));
  for (const std::string& item : items) out += item;
  return out;
}

std::string Info(uint64_t commands, uint64_t gets, const std::string& more = "") {
  return Bulk(
      "# Server\r\ngemel_version:1.2\r\nprocess_id:42\r\nuptime_in_seconds:93784\r\n"
      "workers:2\r\n\r\n# Stats\r\ntotal_commands_processed:" +
      std::to_string(commands) + "\r\nconnected_clients:1234\r\n" +
      "used_cpu_user:" + std::to_string(commands / 1000) +
      ".5\r\nproxy_used_memory:10485760\r\ncmdstat_get:calls=" + std::to_string(gets) +
      ",usec=" + std::to_string(gets * 20) + ",usec_per_call=20.00\r\n" +
      "latency_percentiles_usec_get:p50=10.000,p99=55.000,p99.9=70.000\r\n" + more);
}
std::string Node(const std::string& address, const std::string& state, const std::string& note) {
  return Array({Bulk("address"), Bulk(address), Bulk("role"), Bulk("primary"), Bulk("state"),
                Bulk(state), Bulk("health"), Bulk("up"), Bulk("pending"), ":7\r\n", Bulk("reason"),
                Bulk(note), Bulk("resync"), Bulk("")});
}
std::string Shards(uint64_t reads, const std::string& nodes) {
  return Array({Array({Bulk("name"), Bulk("a"), Bulk("epoch"), ":3\r\n", Bulk("reads"),
                       ":" + std::to_string(reads) + "\r\n", Bulk("writes"), ":50\r\n",
                       Bulk("nodes"), nodes})});
}
std::string Traced(const std::string& key) {
  return Array({Bulk("took_us"), ":1\r\n", Bulk("key"), Bulk(key)});
}

TopSnapshot Snapshot(uint64_t at_us, uint64_t count, const std::string& more = "") {
  TopSnapshot snapshot;
  snapshot.at_us = at_us;
  ReadTopInfo(Info(count, count / 2, more), &snapshot);
  ReadTopShards(Shards(count / 4, Array({Node("127.0.0.1:7101", "in-sync", "an old error"),
                                         Node("127.0.0.1:7201", "stale", "it was killed")})),
                &snapshot);
  ReadTopKeys(Array({Bulk("requests"), Array({Traced("cold"), Traced("hot"), Traced("hot"),
                                              Traced("hot"), Traced("")})}),
              &snapshot);
  return snapshot;
}

std::string Text(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

TEST(TopView, OfTwoMoments) {
  const TopSnapshot before = Snapshot(1000000, 1000);
  const TopSnapshot now = Snapshot(3000000, 4000);
  EXPECT_EQ(
      Text(TopLines("h:1", &before, now, {})),
      "gemel 1.2 at h:1, pid 42, up 1 d 02:03:04, 2 worker(s)\n"
      "requests 1,500/s   in 0 B/s   out 0 B/s   cpu 150%   longest turn  ms\n"
      "clients 1,234 (0 wait, 0 were turned away)   memory 10.0 MB   held 0 B\n"
      "\n"
      "SHARD          EPOCH    READS/S   WRITES/S  NODE                    ROLE     STATE    "
      "HEALTH    PENDING\n"
      "a                  3        375          0  127.0.0.1:7101          primary  in-sync  up"
      "              7\n"
      "                                            127.0.0.1:7201          primary  stale    up"
      "              7  it was killed\n"
      "\n"
      "COMMAND                      CALLS/S     MEAN US        P99 US\n"
      "get                              750          20        55.000\n"
      "\n"
      "HOT KEY                                                    SHARE  of 4 requests that were "
      "looked at\n"
      "hot                                                        75.0%\n"
      "cold                                                       25.0%\n");
}

TEST(TopView, OfOneMomentNoRateIsKnown) {
  const std::string text = Text(TopLines("h:1", nullptr, Snapshot(1000000, 1000), {}));
  EXPECT_NE(text.find("requests -/s   in -/s   out -/s   cpu -"), std::string::npos) << text;
  EXPECT_NE(text.find("a                  3          -          -  127"), std::string::npos)
      << text;
  EXPECT_EQ(text.find("COMMAND"), std::string::npos) << text;
}

TEST(TopView, AfterARestartNoRateIsWrong) {
  const TopSnapshot before = Snapshot(1000000, 4000);
  const TopSnapshot now = Snapshot(2000000, 400);
  const std::string text = Text(TopLines("h:1", &before, now, {}));
  EXPECT_NE(text.find("requests -/s"), std::string::npos) << text;
  EXPECT_NE(text.find("get                              200"), std::string::npos) << text;
}

TEST(TopView, FitsTheScreen) {
  const TopSnapshot now = Snapshot(1000000, 1000);
  const std::vector<std::string> lines = TopLines("h:1", nullptr, now, {6, 40, false});
  ASSERT_EQ(lines.size(), 6u);
  for (const std::string& line : lines) EXPECT_LE(line.size(), 40u) << line;
  EXPECT_EQ(lines[0], "gemel 1.2 at h:1, pid 42, up 1 d 02:03:0");
  // Colours take no columns; what is not well is red.
  const std::vector<std::string> colored = TopLines("h:1", nullptr, now, {0, 60, true});
  EXPECT_EQ(colored[0], "\033[1mgemel 1.2 at h:1, pid 42, up 1 d 02:03:04, 2 worker(s)\033[m");
  EXPECT_TRUE(colored[6].starts_with("\033[31m")) << colored[6];
  EXPECT_FALSE(colored[5].starts_with("\033")) << colored[5];
}

TEST(TopView, TextOfOthersIsPrintable) {
  TopSnapshot snapshot = Snapshot(1000000, 1000);
  ReadTopKeys(Array({Bulk("requests"), Array({Traced("a\033[2Jb"), Traced("a\033[2Jb"),
                                              Traced("a\033[2Jb"), Traced("a\033[2Jb")})}),
              &snapshot);
  const std::string text = Text(TopLines("h:1", nullptr, snapshot, {}));
  EXPECT_EQ(text.find('\033'), std::string::npos);
  EXPECT_NE(text.find("a\\x1b[2Jb"), std::string::npos) << text;
}

TEST(TopView, WhatCannotBeAskedIsTold) {
  TopSnapshot snapshot;
  ReadTopInfo(Info(1, 1), &snapshot);
  ReadTopShards("-NOPERM no permissions\r\n", &snapshot);
  ReadTopKeys("+OK\r\n", &snapshot);
  EXPECT_EQ(snapshot.error, "NOPERM no permissions");
  EXPECT_NE(Text(TopLines("h:1", nullptr, snapshot, {})).find("\nNOPERM no permissions\n"),
            std::string::npos);
  TopSnapshot stranger;
  ReadTopInfo("$5\r\nhello\r\n", &stranger);
  ReadTopShards("*1\r\n:1\r\n", &stranger);
  ReadTopKeys("*2\r\n$8\r\nrequests\r\n:1\r\n", &stranger);
  EXPECT_TRUE(stranger.info.empty());
  EXPECT_TRUE(stranger.keys.empty());
}

}  // namespace
}  // namespace gemel::top_view_test
