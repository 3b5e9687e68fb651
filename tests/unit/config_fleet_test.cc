#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "config/config_load.h"

namespace gemel::config_fleet_test {

constexpr char kShard[] = "[[shard]]\nname = \"a\"\nprimary = \"127.0.0.1:7001\"\n";
constexpr char kFleet[] =
    "[fleet]\ncoordinator = \"etcd\"\nmember = \"m1\"\nsecret = \"0123456789abcdef\"\n"
    "listen = \"127.0.0.1:7400\"\nservers = [\"127.0.0.1:2379\", \"[::1]:2380\"]\n";

std::string ErrorOf(const std::string& text) {
  ConfigError error;
  return LoadConfigText(text + kShard, "g.toml", &error) ? "" : error.message;
}
// The same section with one line in place of that of the same key, or without it.
std::string With(const std::string& key, const std::string& line) {
  std::string text = kFleet;
  const size_t at = text.find("\n" + key + " = ") + 1;
  return text.replace(at, text.find('\n', at) + 1 - at, line);
}

TEST(ConfigFleet, AloneByDefault) {
  ConfigError error;
  const std::optional<Config> config = LoadConfigText(kShard, "g.toml", &error);
  ASSERT_TRUE(config) << error.message;
  EXPECT_FALSE(config->fleet.active());
}

TEST(ConfigFleet, AMember) {
  ConfigError error;
  const std::optional<Config> config = LoadConfigText(
      std::string(kFleet) + "lease_ms = 800\nwitness = true\n" + kShard, "g.toml", &error);
  ASSERT_TRUE(config) << error.message;
  const FleetConfig& fleet = config->fleet;
  EXPECT_TRUE(fleet.active());
  EXPECT_EQ(fleet.name, "gemel");
  EXPECT_EQ(fleet.member, "m1");
  EXPECT_EQ(fleet.listen.ToString(), "127.0.0.1:7400");
  EXPECT_EQ(fleet.servers, (std::vector<std::string>{"127.0.0.1:2379", "[::1]:2380"}));
  EXPECT_EQ(fleet.lease_ms, 800U);
  EXPECT_TRUE(fleet.witness);
}

TEST(ConfigFleet, WhatAMemberNeeds) {
  EXPECT_EQ(ErrorOf(kFleet), "");
  for (const char* key : {"member", "secret", "listen", "servers"}) {
    const std::string error = ErrorOf(With(key, ""));
    EXPECT_NE(error.find(key), std::string::npos) << key << ": " << error;
    EXPECT_NE(error.find("[fleet]"), std::string::npos) << key << ": " << error;
  }
  EXPECT_NE(ErrorOf(With("secret", "secret = \"short\"\n")).find("at least 16"), std::string::npos);
  EXPECT_EQ(ErrorOf(With("secret", "secret = \"short\"\n")).find("short\""), std::string::npos);
  EXPECT_NE(ErrorOf(With("member", "member = \"a b\"\n")).find("bad name"), std::string::npos);
  EXPECT_NE(ErrorOf(With("listen", "listen = \"unix:/x\"\n")).find("host:port"), std::string::npos);
  EXPECT_NE(ErrorOf(With("coordinator", "coordinator = \"chubby\"\n")).find("\"etcd\""),
            std::string::npos);
  // Of one that is alone none of it is asked.
  EXPECT_EQ(ErrorOf("[fleet]\ncoordinator = \"file\"\n"), "");
}

}  // namespace gemel::config_fleet_test
