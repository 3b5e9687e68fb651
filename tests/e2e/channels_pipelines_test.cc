// SUBSCRIBE and its kind in pipelines, among whatever else: what a client is told is what Redis
// tells it, in that order, also where some of it is refused.

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <tuple>
#include <vector>

#include "tests/e2e/cluster.h"
#include "tests/e2e/redis_node.h"
#include "tests/e2e/reload_world.h"
#include "tests/e2e/wait.h"
#include "tests/e2e/wire.h"

namespace gemel::e2e::channels_pipelines_test {
namespace {

// "#" is another number in each round. No two patterns are for one channel: who of them is told
// first is by chance with Redis.
const std::vector<std::string> kSubscribing = {
    "SUBSCRIBE a#",      "SUBSCRIBE b# a#",     "SUBSCRIBE c# c#",  "PSUBSCRIBE a#*",
    "PSUBSCRIBE ?b# d#", "SSUBSCRIBE a#",       "SSUBSCRIBE b# c#", "UNSUBSCRIBE a#",
    "UNSUBSCRIBE b# a#", "PUNSUBSCRIBE a#* x#", "SUNSUBSCRIBE a#",  "SUNSUBSCRIBE c# b#",
    "SUBSCRIBE",         "PSUBSCRIBE",
};
const std::vector<std::string> kOthers = {
    "GET {#}k",  "SET {#}k v", "INCR {#}n", "PING",
    "PING word", "RESET",      "GET",       "PUBSUB NUMSUB a# b#",
};
const std::vector<std::string> kBlocks = {"MULTI", "MULTI", "EXEC", "EXEC", "DISCARD"};
const std::vector<std::string> kPublishing = {"PUBLISH a# x", "PUBLISH b# y", "SPUBLISH c# z",
                                              "HELLO 2",      "HELLO 3",      "HELLO 3"};

std::string Numbered(const std::string& line, size_t round) {
  std::string numbered;
  for (const char c : line) numbered += c == '#' ? std::to_string(round) : std::string(1, c);
  return numbered;
}

// Rounds have transactions in them or what publishes, not both: what is published in a transaction
// comes within its reply, which is not so here.
std::vector<std::string> Pipeline(std::mt19937* random, size_t round) {
  const std::vector<std::string>& third = round % 2 == 0 ? kBlocks : kPublishing;
  std::vector<std::string> lines = {(*random)() % 2 == 0 ? "HELLO 2" : "HELLO 3"};
  const size_t count = 2 + (*random)() % 12;
  for (size_t i = 0; i < count; ++i) {
    const size_t of = (*random)() % 10;
    const std::vector<std::string>& from = of < 5 ? kSubscribing : of < 7 ? kOthers : third;
    lines.push_back(Numbered(from[(*random)() % from.size()], round));
  }
  lines.emplace_back("DISCARD");
  lines.emplace_back("PING the-end");
  return lines;
}

std::string Joined(const std::vector<std::string>& lines) {
  std::string all;
  for (const std::string& line : lines) all += line + " | ";
  return all;
}

// All that a client of that port is told of what it says at once.
std::vector<std::string> Told(uint16_t port, const std::vector<std::string>& lines,
                              const Words& first = {}) {
  Wire wire(port);
  if (!first.empty()) wire.Ask(first);
  std::string all;
  for (const std::string& line : lines) all += Encode(WordsOf(line));
  wire.Send(all);
  std::vector<std::string> told;
  while (told.empty() || told.back().find("the-end") == std::string::npos) {
    told.push_back(wire.Read());
    if (told.back().find("proto") != std::string::npos) told.back() = "HELLO";
  }
  return told;
}

// Shards, workers.
class ChannelsPipelines : public ::testing::TestWithParam<std::tuple<int, int>> {};

INSTANTIATE_TEST_SUITE_P(Ways, ChannelsPipelines,
                         ::testing::Values(std::tuple(1, 1), std::tuple(2, 2)),
                         [](const auto& ways) {
                           return "Shards" + std::to_string(std::get<0>(ways.param)) + "Workers" +
                                  std::to_string(std::get<1>(ways.param));
                         });

TEST_P(ChannelsPipelines, AreToldWhatRedisTells) {
  Cluster cluster({.shards = std::get<0>(GetParam()), .workers = std::get<1>(GetParam())});
  RedisNode alone;
  std::mt19937 random(std::get<0>(GetParam()));
  for (size_t round = 0; round < 400; ++round) {
    const std::vector<std::string> lines = Pipeline(&random, round);
    EXPECT_EQ(Told(cluster.proxy().port(), lines), Told(alone.port(), lines))
        << round << ": " << Joined(lines);
    if (HasFailure()) return;
  }
}

// Of gemel's users, and of Redis's own, who may hear of some channels only.
TEST_P(ChannelsPipelines, SoAreThoseWhoMayNotHearAll) {
  ReloadWorld world({.shards = std::get<0>(GetParam()), .workers = std::get<1>(GetParam())});
  const std::string rules = "on >p ~* resetchannels &a* &?b1* +@all";
  world.file().end = "[[user]]\nname = \"u\"\nrules = \"" + rules +
                     "\"\n[[user]]\nname = \"t\"\nrules = \"" + rules + "\"\nprefix = \"t:\"\n";
  const std::string answer = world.Reload();
  ASSERT_FALSE(answer.starts_with("-")) << answer;
  RedisNode alone;
  Words words = WordsOf("ACL SETUSER u " + rules);
  ASSERT_EQ(Client(alone.port()).Run(words), "OK");
  std::mt19937 random(7 + std::get<0>(GetParam()));
  for (size_t round = 100; round < 300; ++round) {
    const std::string user = round % 2 == 0 ? "u" : "t";
    const std::vector<std::string> lines = Pipeline(&random, round);
    EXPECT_EQ(Told(world.port(), lines, {"AUTH", user, "p"}),
              Told(alone.port(), lines, {"AUTH", "u", "p"}))
        << user << ": " << round << ": " << Joined(lines);
    if (HasFailure()) return;
  }
}

// It is the nodes that refuse: to clients that is as if a server did.
TEST_P(ChannelsPipelines, NorWhereTheNodesRefuse) {
  const std::string rules = "on >p ~* resetchannels &a* &?b* &__key* &__redis__* +@all";
  Words options = WordsOf("--user u " + rules);
  Cluster cluster({.shards = std::get<0>(GetParam()),
                   .workers = std::get<1>(GetParam()),
                   .shard_lines = "user = \"u\"\npassword = \"p\"",
                   .redis_options = options});
  RedisNode alone(options);
  const std::vector<std::string> subscribing = {
      "SUBSCRIBE a#", "SUBSCRIBE b#",   "SUBSCRIBE a#x a#y", "SUBSCRIBE a# c#", "PSUBSCRIBE a*",
      "PSUBSCRIBE *", "SSUBSCRIBE a#z", "SSUBSCRIBE d#",     "UNSUBSCRIBE a#",  "PUNSUBSCRIBE a*",
      "PING",         "UNSUBSCRIBE b#"};
  std::mt19937 random(3);
  for (size_t round = 0; round < 200; ++round) {
    std::vector<std::string> lines = {round % 2 == 0 ? "HELLO 2" : "HELLO 3"};
    const size_t count = 2 + random() % 8;
    for (size_t i = 0; i < count; ++i) {
      lines.push_back(Numbered(subscribing[random() % subscribing.size()], round));
    }
    lines.emplace_back("PING the-end");
    EXPECT_EQ(Told(cluster.proxy().port(), lines), Told(alone.port(), lines, {"AUTH", "u", "p"}))
        << round << ": " << Joined(lines);
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace gemel::e2e::channels_pipelines_test
