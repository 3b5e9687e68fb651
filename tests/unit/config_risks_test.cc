// What `gemel -t` warns of: each risk alone, where it stands, and none for what has its default.

#include "config/config_risks.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "config/config_load.h"
#include "config/example_config.h"

namespace gemel::config_risks_test {
namespace {

constexpr char kShard[] = "[[shard]]\nname = \"a\"\nprimary = \"127.0.0.1:7101\"\n";

std::vector<std::string> Risks(const std::string& text, const std::string& file = "F") {
  ConfigError error;
  const std::optional<Config> config = LoadConfigText(text, file, &error);
  EXPECT_TRUE(config) << error.ToString();
  return config ? ConfigRisks(*config, text) : std::vector<std::string>{"not read"};
}

TEST(ConfigRisks, WhatHasItsDefaultIsNone) {
  EXPECT_EQ(Risks(kShard), std::vector<std::string>{});
  EXPECT_EQ(Risks(std::string(ExampleConfig())), std::vector<std::string>{});
}

struct Case {
  const char* section;
  const char* option;
  const char* risky;
  const char* part;  // of what is said
  const char* good;  // of which nothing is said
};

constexpr char kFleet[] =
    "coordinator = \"etcd\"\nmember = \"m\"\nsecret = \"0123456789abcdef\"\n"
    "listen = \"127.0.0.1:7000\"\nservers = [\"127.0.0.1:7001\"]\n";

TEST(ConfigRisks, EachIsToldAlone) {
  const Case cases[] = {
      {"proxy", "state_dir", "\"/tmp\"", "emptied", "\"/tmpfiles\""},
      {"proxy", "state_dir", "\"/dev/shm/gemel\"", "/var/lib/gemel", "\"/var/tmp/gemel\""},
      {"proxy", "state_dir", "\"/run/gemel\"", "stale", "\"run/gemel\""},
      {"proxy", "protected_configs", "\"yes\"", "\"local\" lets", "\"local\""},
      {"proxy", "password", "\"secret\"", "12 characters", "\"long enough to last\""},
      {"write", "ack", "\"primary\"", "the primary die together", "\"all\""},
      {"write", "ack", "\"any\"", "any one copy", "\"all\""},
      {"write", "on_data_loss", "\"miss\"", "without asking", "\"refuse\""},
      {"health", "min_timeout_ms", "20", "take 500", "100"},
      {"timeouts", "connect_ms", "0", "dialled for minutes", "100"},
      {"timeouts", "request_ms", "0", "without an end", "100"},
      {"timeouts", "request_ms", "99", "ends the connection", "100"},
      {"timeouts", "drain_ms", "0", "in flight", "1"},
      {"audit", "interval_s", "0", "never found", "1"},
      {"removals", "follow", "false", "lives on", "true"},
      {"commands", "debug", "\"yes\"", "DEBUG", "\"local\""},
      {"fleet", "lease_ms", "100", "loses its shards", "250"},
  };
  for (const Case& one : cases) {
    const auto text = [&](const char* value) {
      const std::string more = std::string(one.section) == "fleet" ? kFleet : "";
      return "[" + std::string(one.section) + "]\n" + one.option + " = " + value + "\n" + more +
             kShard;
    };
    const std::vector<std::string> risks = Risks(text(one.risky));
    ASSERT_EQ(risks.size(), 1u) << text(one.risky) << testing::PrintToString(risks);
    const std::string value = one.risky;
    const std::string begin = "F:2:" + std::to_string(std::string(one.option).size() + 4) +
                              ": warning: [" + one.section + "] " + one.option + ": ";
    EXPECT_TRUE(risks[0].starts_with(begin)) << risks[0];
    EXPECT_NE(risks[0].find(one.part), std::string::npos) << risks[0];
    EXPECT_EQ(Risks(text(one.good)), std::vector<std::string>{}) << text(one.good);
  }
}

TEST(ConfigRisks, AreInTheOrderOfTheFile) {
  const std::vector<std::string> risks = Risks(
      "[write]\nack = \"any\"\n[proxy]\nstate_dir = \"/tmp\"\n[health]\ntimeout_ms = 50\n"
      "min_timeout_ms = 50\n" +
      std::string(kShard));
  ASSERT_EQ(risks.size(), 4u) << testing::PrintToString(risks);
  EXPECT_TRUE(risks[0].starts_with("F:2:7: warning: [write] ack: ")) << risks[0];
  EXPECT_TRUE(risks[1].starts_with("F:4:13: warning: [proxy] state_dir: ")) << risks[1];
  EXPECT_TRUE(risks[2].starts_with("F:6:14: warning: [health] timeout_ms: ")) << risks[2];
  EXPECT_TRUE(risks[3].starts_with("F:7:18: warning: [health] min_timeout_ms: ")) << risks[3];
}

// Who has the file itself there is only trying it.
TEST(ConfigRisks, AFileInAFolderThatIsEmptied) {
  EXPECT_EQ(Risks(kShard, "/tmp/try/F"), std::vector<std::string>{});
  EXPECT_EQ(Risks(kShard, "/etc/gemel/F"), std::vector<std::string>{});
  EXPECT_EQ(Risks(std::string("[proxy]\nstate_dir = \"/tmp/x\"\n") + kShard, "/etc/F").size(), 1u);
}

TEST(ConfigRisks, TwoCopiesOnOneMachine) {
  const auto shard = [](const std::string& primary, const std::string& replica) {
    return "[[shard]]\nname = \"a\"\nprimary = \"" + primary + "\"\nreplicas = [\"" + replica +
           "\"]\n";
  };
  const std::vector<std::string> risks = Risks(shard("10.0.0.1:6379", "10.0.0.1:6381"));
  ASSERT_EQ(risks.size(), 1u);
  EXPECT_TRUE(risks[0].starts_with("F:4:13: warning: [[shard]] replicas: 'a' has this copy on"))
      << risks[0];
  EXPECT_EQ(Risks(shard("10.0.0.1:6379", "10.0.0.2:6379")), std::vector<std::string>{});
  EXPECT_EQ(Risks(shard("127.0.0.1:6379", "127.0.0.1:6381")), std::vector<std::string>{});
}

}  // namespace
}  // namespace gemel::config_risks_test
