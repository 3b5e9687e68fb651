// What a reload would change, by two files, and the lines that tell it.

#include "proxy/reload/config_diff.h"

#include <gtest/gtest.h>

#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "config/config_load.h"

namespace gemel::config_diff_test {
namespace {

Config Load(const std::string& text) {
  ConfigError error;
  std::optional<Config> config = LoadConfigText(text, "/etc/gemel.toml", &error);
  if (!config) ADD_FAILURE() << error.ToString() << "\n" << text;
  if (!config) return Load("[[shard]]\nname = \"broken\"\nprimary = \"x:1\"\n");
  return *config;
}

const std::string kA = "[[shard]]\nname = \"a\"\nprimary = \"h:1\"\nreplicas = [\"h:2\"]\n";
const std::string kB = "[[shard]]\nname = \"b\"\nprimary = \"h:3\"\nreplicas = [\"h:4\"]\n";
const std::string kC = "[[shard]]\nname = \"c\"\nprimary = \"h:5\"\n";

ConfigDiff Diff(const std::string& from, const std::string& to) {
  return DiffConfigs(Load(from), Load(to));
}

std::string Describe(const std::string& from, const std::string& to) {
  const Config old_config = Load(from);
  const Config new_config = Load(to);
  const ConfigDiff diff = DiffConfigs(old_config, new_config);
  if (!diff.ring_changed) return DescribeDiff(diff, nullptr);
  const RingMoves moves = DiffRings(old_config.pool(), new_config.pool());
  return DescribeDiff(diff, &moves);
}

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

TEST(ConfigDiffTest, NothingChanges) {
  EXPECT_TRUE(Diff(kA, kA).empty());
  EXPECT_TRUE(Diff(kA, "# a comment\n[health]\ninterval_ms = 500\n" + kA).empty());
  EXPECT_TRUE(Diff(kA + kB, kB + kA).empty());
  EXPECT_TRUE(
      Diff("[limits]\nmax_bulk = \"1mb\"\n" + kA, "limits.max_bulk = 1048576\n" + kA).empty());
  const std::string nodes = "[[shard]]\nname = \"a\"\nprimary = \"h:1\"\nreplicas = ";
  EXPECT_TRUE(Diff(nodes + "[\"h:2\", \"h:3\"]", nodes + "[\"h:3\", \"h:2\"]").empty());
  EXPECT_EQ(Describe(kA, kA), "nothing would change\n");
}

TEST(ConfigDiffTest, OptionsInTheFilesWords) {
  const std::string changed =
      "[health]\ntimeout_ms = 77\n[log]\nlevel = \"debug\"\nfile = \"g.log\"\n"
      "[proxy]\nwatch_config = false\n" +
      kA;
  const ConfigDiff diff = Diff(kA, changed);
  const std::vector<OptionChange> expected = {
      {"proxy.watch_config", "true", "false"},
      {"health.timeout_ms", "1000", "77"},
      {"log.level", "info", "debug"},
      {"log.file", "", "/etc/g.log"},
  };
  EXPECT_EQ(diff.options, expected);
  EXPECT_FALSE(diff.empty());
  EXPECT_FALSE(diff.ring_changed);
  EXPECT_TRUE(diff.needs_restart.empty());
  EXPECT_EQ(Describe(kA, changed),
            "proxy.watch_config: true -> false\nhealth.timeout_ms: 1000 -> 77\n"
            "log.level: info -> debug\nlog.file: \"\" -> /etc/g.log\n");
}

TEST(ConfigDiffTest, PasswordsAreNotShown) {
  const std::string from = "[proxy]\nuser = \"u\"\npassword = \"secret-1\"\n" + kA +
                           "user = \"n\"\npassword = \"secret-2\"\n" + kC +
                           "password = \"secret-5\"\n";
  const std::string to = "[proxy]\nuser = \"u\"\npassword = \"secret-3\"\n" + kA +
                         "user = \"n\"\npassword = \"secret-4\"\n" + kB +
                         "password = \"secret-6\"\n";
  const std::string text = Describe(from, to);
  EXPECT_EQ(text.find("secret"), std::string::npos) << text;
  EXPECT_EQ(Lines(text)[0], "proxy.password: (changed)");
  EXPECT_NE(text.find("\nshard a: user or password for its nodes (changed)\n"), std::string::npos);
  const ConfigDiff diff = Diff(from, to);
  EXPECT_EQ(diff.options, (std::vector<OptionChange>{{"proxy.password", "", "(changed)"}}));
  ASSERT_EQ(diff.shards_changed.size(), 1u);
  EXPECT_TRUE(diff.shards_changed[0].credentials_changed);
}

TEST(ConfigDiffTest, Listeners) {
  const std::string from = "proxy.listen = [\"127.0.0.1:1\", \"127.0.0.1:2\"]\n" + kA;
  const std::string to = "proxy.listen = [\"127.0.0.1:2\", \"unix:/s\"]\n" + kA;
  EXPECT_EQ(Describe(from, to),
            "listener unix:/s added\n"
            "listener 127.0.0.1:1 removed; its clients stay until they leave\n");
  EXPECT_TRUE(Diff(from, to).options.empty());
  EXPECT_EQ(Describe(from, "proxy.listen = [\"127.0.0.1:2\", \"127.0.0.1:1\"]\n" + kA),
            "proxy.listen: 127.0.0.1:1 127.0.0.1:2 -> 127.0.0.1:2 127.0.0.1:1\n");
}

TEST(ConfigDiffTest, NodesOfAShard) {
  const std::string to = "[[shard]]\nname = \"a\"\nprimary = \"h:9\"\nreplicas = [\"h:1\"]\n";
  const ConfigDiff diff = Diff(kA, to);
  ASSERT_EQ(diff.shards_changed.size(), 1u);
  const ShardChange& change = diff.shards_changed[0];
  EXPECT_TRUE(change.primary_changed());
  EXPECT_FALSE(change.reweighted());
  EXPECT_FALSE(diff.ring_changed);
  EXPECT_EQ(Describe(kA, to),
            "shard a: node h:9 added\nshard a: node h:2 removed\n"
            "shard a: the file's primary h:1 -> h:9\n");
}

TEST(ConfigDiffTest, WarnsOfAShardThatKeepsNoneOfItsNodes) {
  const std::string to = "[[shard]]\nname = \"a\"\nprimary = \"h:8\"\nreplicas = [\"h:9\"]\n";
  EXPECT_NE(Describe(kA, to).find("shard a: warning: it keeps none of its nodes, so it would lose "
                                  "its only copy in sync: refused unless forced (PROXY RELOAD "
                                  "FORCE)\n"),
            std::string::npos);
}

TEST(ConfigDiffTest, ShardsAndTheKeysTheyTake) {
  const ConfigDiff diff = Diff(kA + kB, kA + "weight = 2\n" + kC);
  EXPECT_TRUE(diff.ring_changed);
  EXPECT_FALSE(diff.hash_tag_changed);
  ASSERT_EQ(diff.shards_added.size(), 1u);
  EXPECT_EQ(diff.shards_added[0].name, "c");
  ASSERT_EQ(diff.shards_removed.size(), 1u);
  EXPECT_EQ(diff.shards_removed[0].name, "b");
  const std::vector<std::string> lines = Lines(Describe(kA + kB, kA + "weight = 2\n" + kC));
  ASSERT_EQ(lines.size(), 7u);
  EXPECT_EQ(lines[0], "shard c added: primary h:5, weight 1");
  EXPECT_EQ(lines[1], "shard b removed: primary h:3, replica h:4, weight 1");
  EXPECT_EQ(lines[2], "shard a: weight 1 -> 2");
  EXPECT_TRUE(lines[3].ends_with("% of the keys change their owner")) << lines[3];
  EXPECT_TRUE(lines[4].ends_with("% from b to a")) << lines[4];
  EXPECT_TRUE(lines[5].ends_with("% from a to c") || lines[6].ends_with("% from a to c"));
  EXPECT_TRUE(lines[5].ends_with("% from b to c") || lines[6].ends_with("% from b to c"));
}

TEST(ConfigDiffTest, PointsAndTagsChangeTheRing) {
  const ConfigDiff points = Diff(kA + kB, "ring.points = 9\n" + kA + kB);
  EXPECT_TRUE(points.ring_changed);
  EXPECT_FALSE(points.hash_tag_changed);
  const ConfigDiff tag = Diff(kA + kB, "ring.hash_tag = \"<>\"\n" + kA + kB);
  EXPECT_TRUE(tag.ring_changed);
  EXPECT_TRUE(tag.hash_tag_changed);
  EXPECT_EQ(Describe(kA + kB, "ring.hash_tag = \"<>\"\n" + kA + kB),
            "ring.hash_tag: {} -> <>\nring: 0.0000% of the keys change their owner, and besides "
            "those in which hash_tag marks another part\n");
}

TEST(ConfigDiffTest, MovesBeyondTheLargestAreCounted) {
  std::string from, to;
  for (int i = 0; i < 8; ++i) {
    const std::string primary = "primary = \"h:" + std::to_string(i + 1) + "\"\n";
    from += "[[shard]]\nname = \"old" + std::to_string(i) + "\"\n" + primary;
    to += "[[shard]]\nname = \"new" + std::to_string(i) + "\"\n" + primary;
  }
  const std::vector<std::string> lines = Lines(Describe(from, to));
  ASSERT_EQ(lines.size(), 8u + 8 + 1 + 20 + 1);
  EXPECT_EQ(lines[16], "ring: 100.00% of the keys change their owner");
  EXPECT_EQ(lines.back(), "ring: and 44 more pairs of shards, with less each");
}

// The file follows a change of voters, which was made while all served.
TEST(ConfigDiffTest, TheVotersOfRaftAreForTheNextStart) {
  const auto with = [](const std::string& coordinator, const std::string& servers) {
    return "[fleet]\ncoordinator = \"" + coordinator +
           "\"\nmember = \"m\"\nsecret = \"0123456789abcdef\"\nlisten = \"127.0.0.1:1\"\n" +
           (coordinator == "raft" ? "raft_listen = \"127.0.0.1:11\"\n" : "") + "servers = [" +
           servers + "]\n" + kA;
  };
  const std::string three = "\"127.0.0.1:11\", \"127.0.0.1:12\", \"127.0.0.1:13\"";
  const std::string other = "\"127.0.0.1:11\", \"127.0.0.1:12\", \"127.0.0.1:14\"";
  const ConfigDiff diff = Diff(with("raft", three), with("raft", other));
  EXPECT_TRUE(diff.needs_restart.empty());
  EXPECT_EQ(
      diff.options,
      (std::vector<OptionChange>{{"fleet.servers", "127.0.0.1:11 127.0.0.1:12 127.0.0.1:13",
                                  "127.0.0.1:11 127.0.0.1:12 127.0.0.1:14 (at the next start)"}}));
  EXPECT_EQ(Diff(with("etcd", three), with("etcd", other)).needs_restart.size(), 1u);
}

TEST(ConfigDiffTest, WhatNeedsARestart) {
  const std::string command = "[[command]]\nname = \"m.a\"\n[[command]]\nname = \"m.b\"\n";
  const std::string from = "[proxy]\nworkers = 2\nstate_dir = \"/s\"\n" + kA + command;
  const std::string to = "[proxy]\nworkers = 3\nstate_dir = \"/t\"\n" + kA +
                         "database = 4\n[[command]]\nname = \"m.c\"\n[[command]]\nname = \"m.b\"\n"
                         "write = true\n";
  const std::string end = " while gemel runs: it needs a restart";
  const std::vector<std::string> expected = {
      "proxy.workers cannot change from 2 to 3" + end,
      "proxy.state_dir cannot change from /s to /t" + end,
      "the database of shard a cannot change from 0 to 4" + end,
      "[[command]] m.b cannot be changed" + end,
      "[[command]] m.c cannot be added" + end,
      "[[command]] m.a cannot be removed" + end,
  };
  const ConfigDiff diff = Diff(from, to);
  EXPECT_EQ(diff.needs_restart, expected);
  EXPECT_TRUE(diff.options.empty());
  EXPECT_FALSE(diff.empty());
  EXPECT_EQ(Lines(Describe(from, to))[0], "refused: " + expected[0]);
  // Another order of the rows is none.
  EXPECT_TRUE(Diff(kA + command, kA + "[[command]]\nname = \"m.b\"\n[[command]]\nname = \"m.a\"\n")
                  .empty());
}

}  // namespace
}  // namespace gemel::config_diff_test
