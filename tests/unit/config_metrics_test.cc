// [metrics] of the config: where its listener is, and what it must have beside it.

#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "config/config_load.h"
#include "proxy/reload/config_diff.h"

namespace gemel::config_metrics_test {
namespace {

const std::string kShard = "[[shard]]\nname = \"s\"\nprimary = \"127.0.0.1:7001\"\n";

std::optional<Config> Load(const std::string& metrics, std::string* why = nullptr) {
  ConfigError error;
  std::optional<Config> config =
      LoadConfigText("[metrics]\n" + metrics + "\n" + kShard, "gemel.toml", &error);
  if (why != nullptr) *why = error.ToString();
  return config;
}

std::string Why(const std::string& metrics) {
  std::string why;
  EXPECT_FALSE(Load(metrics, &why)) << metrics;
  return why;
}

TEST(ConfigMetrics, IsRead) {
  const std::optional<Config> config = Load(
      "listen = [\"127.0.0.1:9121\", \"[::1]:9121\", \"localhost:9122\"]\n"
      "password = \"p\"\nactions = true");
  ASSERT_TRUE(config);
  ASSERT_EQ(config->metrics.listen.size(), 3U);
  EXPECT_EQ(config->metrics.listen[1].ToString(), "[::1]:9121");
  EXPECT_EQ(config->metrics.listen[0].line, 2U);
  EXPECT_EQ(config->metrics.password, "p");
  EXPECT_TRUE(config->metrics.actions);
  EXPECT_TRUE(Load("listen = []"));
}

TEST(ConfigMetrics, WhatIsWrongIsSaid) {
  for (const char* address : {"unix:/tmp/s", "example.org:9121", "127.0.0.1", "127.0.0.1:0", ""}) {
    EXPECT_NE(Why("listen = [\"" + std::string(address) + "\"]")
                  .find("gemel.toml:2:11: [metrics] listen: bad address"),
              std::string::npos)
        << address;
  }
  EXPECT_NE(Why("listen = [\"127.0.0.1:1\", \"127.0.0.1:1\"]").find("is given twice"),
            std::string::npos);
  EXPECT_EQ(
      Why("actions = true"),
      "gemel.toml:2:11: [metrics] actions: expected a password beside it, or [[user]] tables, "
      "or [proxy] password: whoever acts must give one");
  EXPECT_TRUE(Load("actions = true\n[[user]]\nname = \"ann\"\nrules = \"on >p +@all\""));
  EXPECT_TRUE(Load("actions = true\n[proxy]\npassword = \"p\""));
  EXPECT_EQ(Why("password = \"secret-word\"\nactions = 5").find("secret-word"), std::string::npos);
}

TEST(ConfigMetrics, AReloadSeesWhatChanges) {
  const Config one = *Load("listen = [\"127.0.0.1:9121\"]\npassword = \"p\"");
  const Config two = *Load("listen = [\"127.0.0.1:9122\"]\npassword = \"q\"");
  const ConfigDiff diff = DiffConfigs(one, two);
  ASSERT_EQ(diff.options.size(), 2U);
  EXPECT_EQ(diff.options[0], (OptionChange{"metrics.listen", "127.0.0.1:9121", "127.0.0.1:9122"}));
  EXPECT_EQ(diff.options[1], (OptionChange{"metrics.password", "", "(changed)"}));
  EXPECT_TRUE(DiffConfigs(one, one).empty());
}

}  // namespace
}  // namespace gemel::config_metrics_test
