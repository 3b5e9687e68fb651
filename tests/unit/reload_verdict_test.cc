// What becomes of an order to reload.

#include "proxy/reload/reload_verdict.h"

#include <gtest/gtest.h>

#include <string>

#include "config/config_load.h"

namespace gemel::reload_verdict_test {
namespace {

using Kind = ReloadVerdict::Kind;

class ReloadVerdictTest : public ::testing::Test {
 protected:
  static Config Load(const std::string& text) {
    ConfigError error;
    std::optional<Config> config = LoadConfigText(text, "/etc/gemel.toml", &error);
    EXPECT_TRUE(config) << error.ToString();
    return *config;
  }
  static std::string Shard(const std::string& name, const std::string& port) {
    return "[[shard]]\nname = \"" + name + "\"\nprimary = \"127.0.0.1:" + port + "\"\n";
  }
  ReloadVerdict Judge(const std::string& next) {
    const Config config = Load(next);
    const ConfigDiff diff = DiffConfigs(now_, config);
    const std::string description = "what changes\n";
    return JudgeReload({order_, now_, &config, diff, description, error_, unbound_, unopened_},
                       topology_, leaving_);
  }

  const std::string text_ = Shard("a", "7000");
  const std::string other_ = "[read]\nhedge_ms = 7\n" + Shard("a", "7000");
  Config now_ = Load(text_);
  Topology topology_ = [] {
    Topology topology;
    topology.shards.push_back(
        {"a", 1, 0, false, 0, {{"127.0.0.1:7000", CopyState::kInSync, "r", ""}}});
    return topology;
  }();
  ReloadOrder order_;
  std::string error_;
  std::string unbound_;
  std::string unopened_;
  std::vector<std::string> leaving_;
};

TEST_F(ReloadVerdictTest, AGoodOneChanges) {
  const ReloadVerdict verdict = Judge(other_);
  EXPECT_EQ(verdict.kind, Kind::kChange);
  EXPECT_EQ(verdict.description, "what changes\n");
  EXPECT_EQ(verdict.why, "");
}

TEST_F(ReloadVerdictTest, ADryRunDoesNot) {
  order_.dry_run = true;
  EXPECT_EQ(Judge(other_).kind, Kind::kDryRun);
  unbound_ = "the port is taken";
  EXPECT_EQ(Judge(other_).kind, Kind::kRefused) << "it is told what would be refused";
}

TEST_F(ReloadVerdictTest, TheSameIsNothing) {
  const ReloadVerdict verdict = Judge("# a comment\n" + text_);
  EXPECT_EQ(verdict.kind, Kind::kNothing);
  EXPECT_EQ(verdict.description, "nothing changes");
}

TEST_F(ReloadVerdictTest, ByForceTheSameMayBeSomething) {
  order_.force = true;
  EXPECT_EQ(Judge(text_).kind, Kind::kNothing);
  topology_.shards[0].copies.push_back({"127.0.0.1:7001", CopyState::kStale, "", "new"});
  const ReloadVerdict verdict = Judge(text_);
  EXPECT_EQ(verdict.kind, Kind::kChange);
  EXPECT_EQ(verdict.description.find("nothing changes but that this is done by force:\n"), 0u);
  EXPECT_NE(verdict.description.find("127.0.0.1:7001"), std::string::npos);
}

TEST_F(ReloadVerdictTest, WhatNeedsARestartIsRefused) {
  const ReloadVerdict verdict = Judge("[proxy]\nworkers = 7\n" + text_);
  EXPECT_EQ(verdict.kind, Kind::kRefused);
  EXPECT_EQ(verdict.why.find("/etc/gemel.toml: proxy.workers cannot change"), 0u) << verdict.why;
  EXPECT_FALSE(verdict.momentary);
}

TEST_F(ReloadVerdictTest, WhatTheTopologyForbidsIsRefusedForTheMoment) {
  leaving_ = {"b"};
  const ReloadVerdict verdict = Judge(text_ + Shard("b", "7001"));
  EXPECT_EQ(verdict.kind, Kind::kRefused);
  EXPECT_TRUE(verdict.momentary);
  EXPECT_EQ(verdict.why.find("/etc/gemel.toml: "), 0u) << verdict.why;
}

TEST_F(ReloadVerdictTest, WhatCannotBeMadeIsRefused) {
  unopened_ = "no log";
  EXPECT_EQ(Judge(other_).why, "no log");
  unbound_ = "no port";
  EXPECT_EQ(Judge(other_).why, "no port");
  error_ = "a bad file";
  EXPECT_EQ(Judge(other_).why, "a bad file");
  EXPECT_EQ(Judge(other_).kind, Kind::kRefused);
}

TEST_F(ReloadVerdictTest, ABadFileIsRefusedWithoutANextConfig) {
  const ConfigDiff diff;
  const std::string none;
  error_ = "a bad file";
  EXPECT_EQ(JudgeReload({order_, now_, nullptr, diff, none, error_, none, none}, topology_, {}).why,
            "a bad file");
}

}  // namespace
}  // namespace gemel::reload_verdict_test
