#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "config/config_load.h"
#include "config/config_registers.h"

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

// Of shards of two copies each.
std::string Shards(int shards) {
  std::string text;
  for (int i = 0; i < shards; ++i) {
    const std::string at = std::to_string(i);
    text += "[[shard]]\nname = \"s" + at + "\"\nprimary = \"127.0.0.1:710" + at +
            "\"\nreplicas = [\"127.0.0.1:720" + at + "\"]\n";
  }
  return text;
}

std::string Paxos(const std::string& more = "") {
  return "[fleet]\ncoordinator = \"paxos\"\nmember = \"m1\"\nsecret = \"0123456789abcdef\"\n"
         "listen = \"127.0.0.1:7400\"\n" +
         more;
}

// The error of the whole text; or what people are told of it, and how many databases clients have.
std::string Told(const std::string& text) {
  ConfigError error;
  const std::optional<Config> config = LoadConfigText(text, "g.toml", &error);
  if (!config) return error.message;
  return DescribeRegisters(*config) + " | " + std::to_string(config->pool().Databases()) + " " +
         std::to_string(config->pool().registers_database);
}

TEST(ConfigFleet, WithoutServersTheNodesKeepTheRegisters) {
  EXPECT_EQ(Told(Paxos() + Shards(2)),
            "the registers of the fleet are kept by 4 nodes of the shards, of which any 1 may be "
            "down at a time; they are in database 15 of these, which no client has (clients have "
            "15, 0 to 14) | 15 15");
  EXPECT_NE(Told(Paxos() + Shards(3)).find("6 nodes of the shards, of which any 2"),
            std::string::npos);
  EXPECT_NE(Told(Paxos() + Shards(9)).find("15 nodes of the shards, of which any 7"),
            std::string::npos);
  EXPECT_NE(Told(Paxos("database = 3\n") + Shards(2)).find("| 3 3"), std::string::npos);
  EXPECT_NE(Told("[proxy]\ndatabases = 4\n" + Paxos() + Shards(2)).find("| 4 15"),
            std::string::npos);
  EXPECT_NE(Told(Paxos() + Shards(1))
                .find("of which one may be down at a time (of five two), "
                      "found 2"),
            std::string::npos);
  EXPECT_NE(Told(Paxos("database = 0\n") + Shards(2)).find("0 is the clients'"), std::string::npos);
  EXPECT_NE(Told(Paxos() + Shards(2) + "database = 15\n").find("shard \"s1\" has database 15"),
            std::string::npos);
  EXPECT_NE(Told(Paxos() + Shards(2) + kShard).find("shard \"a\" has one copy"), std::string::npos);
}

TEST(ConfigFleet, ServersOfPaxosHoldShardsOrDoNot) {
  EXPECT_EQ(Told(Paxos("servers = [\"h:1\", \"h:2\", \"h:3\"]\n") + kShard),
            "the registers of the fleet are kept by 3 servers, of which any 1 may be down at a "
            "time | 16 0");
  EXPECT_NE(
      Told(Paxos("servers = [\"127.0.0.1:7100\", \"h:2\", \"h:3\"]\n") + Shards(1)).find("| 15 15"),
      std::string::npos);
  EXPECT_NE(Told(Paxos("servers = [\"h:1\", \"h:2\"]\n") + Shards(2)).find("found 2"),
            std::string::npos);
  EXPECT_EQ(Told(std::string(kFleet) + kShard), " | 16 0");
}

TEST(ConfigFleet, ServersMayBeWithTls) {
  ConfigError error;
  const std::optional<Config> config =
      LoadConfigText(With("servers", "servers = [\"tls:e1:2379\", \"e2:2379\"]\n") +
                         "[coordinator_tls]\nca = \"ca.pem\"\nverify = \"ca\"\n" + kShard,
                     "/etc/g.toml", &error);
  ASSERT_TRUE(config) << error.message;
  EXPECT_EQ(config->fleet.servers, (std::vector<std::string>{"tls:e1:2379", "e2:2379"}));
  EXPECT_EQ(config->coordinator_tls.ca, "/etc/ca.pem");
  EXPECT_EQ(config->coordinator_tls.verify, TlsVerify::kCa);
  EXPECT_EQ(config->node_tls, NodeTlsConfig());
}

TEST(ConfigFleet, WhereTlsCannotBeSpokenItIsSaidWhatToDo) {
  const auto with = [](const std::string& coordinator) {
    std::string text = With("servers", "servers = [\"h:1\", \"tls:h:2\", \"h:3\"]\n");
    return text.replace(text.find("etcd"), 4, coordinator);
  };
  EXPECT_NE(ErrorOf(with("zookeeper")).find("\"tls:h:2\" is with TLS, which ZooKeeper's C client"),
            std::string::npos);
  EXPECT_NE(ErrorOf(with("zookeeper")).find("a tunnel on this machine"), std::string::npos);
  EXPECT_NE(ErrorOf(with("raft")).find("is with TLS, by [tls], where [fleet] listen is"),
            std::string::npos);
  EXPECT_EQ(ErrorOf(with("etcd")), "");
}

TEST(ConfigFleet, NodesThatAreServersOfPaxosAreSpelledAlike) {
  const std::string shards =
      "[[shard]]\nname = \"s\"\nprimary = \"tls:h:1\"\nreplicas = [\"tls:h:2\"]\n";
  EXPECT_NE(Told(Paxos("servers = [\"h:1\", \"h:3\", \"h:4\"]\n") + shards)
                .find("\"h:1\" is the node \"tls:h:1\" of a shard"),
            std::string::npos);
  EXPECT_NE(Told(Paxos("servers = [\"tls:h:1\", \"h:3\", \"tls:h:4\"]\n") + shards).find("| 15 15"),
            std::string::npos);
}

}  // namespace gemel::config_fleet_test
