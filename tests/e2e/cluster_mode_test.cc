// [proxy] cluster: gemel as a Redis Cluster of one node, for clients of a cluster.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/e2e/client_script.h"
#include "tests/e2e/cluster.h"
#include "tests/e2e/free_port.h"
#include "tests/e2e/redis_node.h"
#include "tests/e2e/wait.h"
#include "tests/e2e/wire.h"

namespace gemel::e2e::cluster_mode_test {
namespace {

constexpr const char* kSubcommands[] = {"INFO",
                                        "SLOTS",
                                        "SHARDS",
                                        "NODES",
                                        "MYID",
                                        "KEYSLOT a",
                                        "KEYSLOT {}",
                                        "COUNTKEYSINSLOT 0",
                                        "GETKEYSINSLOT 0 1"};

// As a redis-server that is no cluster.
TEST(ClusterMode, IsOffByDefault) {
  Cluster cluster;
  RedisNode alone;
  Wire gemel(cluster.proxy().port());
  Wire redis(alone.port());
  for (const char* subcommand : kSubcommands) {
    const Words words = WordsOf(std::string("CLUSTER ") + subcommand);
    EXPECT_EQ(gemel.Ask(words), redis.Ask(words)) << subcommand;
  }
  for (const char* name : {"READONLY", "READWRITE", "ASKING"}) {
    EXPECT_EQ(gemel.Ask({name}), redis.Ask({name})) << name;
  }
  Client client = cluster.Connect();
  EXPECT_NE(client("INFO", "cluster").bytes.find("cluster_enabled:0"), std::string::npos);
}

class ClusterModeOn : public testing::TestWithParam<int> {  // workers
 protected:
  explicit ClusterModeOn(const std::string& announce = "")
      : cluster_({.workers = GetParam(),
                  .sections = {{"proxy", "cluster = true\nannounce = \"" + announce + "\""}}}) {}

  Cluster cluster_;
};
INSTANTIATE_TEST_SUITE_P(Workers, ClusterModeOn, testing::Values(1, 2),
                         [](const auto& info) { return info.param == 1 ? "One" : "TwoThreaded"; });

// Ports and IDs are no others' but of the node's own.
std::string Masked(std::string text, const std::string& id, uint16_t port) {
  for (const std::string& own : {id, std::to_string(port + 10000), std::to_string(port)}) {
    for (size_t at; !own.empty() && (at = text.find(own)) != std::string::npos;) {
      text.replace(at, own.size(), "_");
    }
  }
  return text;
}

// Beside a redis-server that is a cluster by itself.
TEST_P(ClusterModeOn, AsAClusterOfOneNode) {
  FreePort bus;
  RedisNode real({"--cluster-enabled", "yes", "--cluster-port", std::to_string(bus.number())});
  Client setup(real.port());
  ASSERT_EQ(setup("CLUSTER", "ADDSLOTSRANGE", "0", "16383"), "OK");
  ASSERT_TRUE(Eventually([&] {
    return setup("CLUSTER", "INFO").bytes.find("cluster_state:ok") != std::string::npos;
  }));
  const uint16_t port = cluster_.proxy().port();
  Client own = cluster_.Connect();
  const std::string ids[] = {own("CLUSTER", "MYID").bytes, setup("CLUSTER", "MYID").bytes};
  EXPECT_EQ(ids[0].size(), 40u);
  for (const char* protocol : {"2", "3"}) {
    Wire gemel(port);
    Wire redis(real.port());
    for (Wire* wire : {&gemel, &redis}) wire->Ask({"HELLO", protocol});
    for (const char* subcommand : {"SLOTS", "SHARDS", "MYID"}) {
      const std::string told[] = {gemel.Ask({"CLUSTER", subcommand}),
                                  redis.Ask({"CLUSTER", subcommand})};
      // A node of a cluster that has met nobody does not know its own address.
      std::string expected = Masked(told[1], ids[1], real.port());
      for (size_t at; (at = expected.find("$0\r\n\r\n")) != std::string::npos;) {
        expected.replace(at, 6, "$9\r\n127.0.0.1\r\n");
      }
      EXPECT_EQ(Masked(told[0], ids[0], port), expected) << subcommand;
    }
    for (int i = 0; i < 200; ++i) {
      const std::string tag(static_cast<size_t>(i % 7), 'x');
      const std::string key =
          i % 2 == 0 ? "key" + std::to_string(i) : "a{" + tag + "}" + std::to_string(i) + "{b}";
      EXPECT_EQ(gemel.Ask({"CLUSTER", "KEYSLOT", key}), redis.Ask({"CLUSTER", "KEYSLOT", key}));
    }
    for (const char* line :
         {"CLUSTER COUNTKEYSINSLOT 16384", "CLUSTER COUNTKEYSINSLOT -1",
          "CLUSTER COUNTKEYSINSLOT x", "CLUSTER GETKEYSINSLOT 1 -1", "CLUSTER GETKEYSINSLOT 1 0",
          "CLUSTER GETKEYSINSLOT 1 x", "CLUSTER GETKEYSINSLOT 16384 1",
          "CLUSTER GETKEYSINSLOT 3 10", "CLUSTER SLOTS x", "CLUSTER NOSUCH", "READONLY",
          "READWRITE", "ASKING"}) {
      EXPECT_EQ(gemel.Ask(WordsOf(line)), redis.Ask(WordsOf(line))) << line;
    }
  }
  const std::string info = own("CLUSTER", "INFO").bytes;
  for (const char* field : {"cluster_state:ok\r\n", "cluster_slots_assigned:16384\r\n",
                            "cluster_known_nodes:1\r\n", "cluster_size:1\r\n"}) {
    EXPECT_NE(info.find(field), std::string::npos) << field;
    EXPECT_NE(setup("CLUSTER", "INFO").bytes.find(field), std::string::npos) << field;
  }
  EXPECT_NE(own("CLUSTER", "NODES").bytes.find(" myself,master - 0 0 1 connected 0-16383\n"),
            std::string::npos);
  EXPECT_NE(own("INFO", "server").bytes.find("redis_mode:cluster"), std::string::npos);
}

TEST_P(ClusterModeOn, CountsTheKeysOfASlot) {
  Client client = cluster_.Connect();
  for (int i = 0; i < 3000; ++i) client("SET", "other" + std::to_string(i), "v");
  // Of one slot they are on one shard by their tag; of all they are on both.
  for (int i = 0; i < 50; ++i) client("SET", "{mine}" + std::to_string(i), "v");
  const std::string slot = client("CLUSTER", "KEYSLOT", "{mine}").Text().substr(1);
  int64_t others = 0;
  for (int i = 0; i < 3000; ++i) {
    others += client("CLUSTER", "KEYSLOT", "other" + std::to_string(i)) == ":" + slot ? 1 : 0;
  }
  EXPECT_EQ(client("CLUSTER", "COUNTKEYSINSLOT", slot), ":" + std::to_string(50 + others));
  EXPECT_EQ(client("CLUSTER", "GETKEYSINSLOT", slot, "7").items.size(), 7u);
  EXPECT_EQ(client("CLUSTER", "GETKEYSINSLOT", slot, "1000").items.size(),
            static_cast<size_t>(50 + others));
  EXPECT_EQ(client("MULTI"), "OK");
  EXPECT_EQ(client("CLUSTER", "COUNTKEYSINSLOT", slot), "QUEUED");
  EXPECT_EQ(client("EXEC"), "[:" + std::to_string(50 + others) + "]");
}

TEST_P(ClusterModeOn, ClientsOfAClusterUseIt) {
  ASSERT_NO_FATAL_FAILURE(UseModule("ioredis"));
  const std::string port = std::to_string(cluster_.proxy().port());
  const Finished node = RunProgram({"node", ClientScript("cluster_ioredis.js"), port});
  EXPECT_EQ(node.output, "ioredis cluster: ok\n");
  const Finished python =
      RunProgram({"/usr/bin/python3", ClientScript("cluster_redis_py.py"), port});
  EXPECT_EQ(python.output, "redis-py cluster: ok\n");
  const Finished cli = RunProgram({"redis-cli", "-c", "-p", port}, "SET a 1\nGET a\n");
  EXPECT_EQ(cli.output, "OK\n1\n");
  cluster_.ExpectCopiesEqual();
}

TEST_P(ClusterModeOn, MoreClientsOfAClusterUseIt) {
  for (const char* module : {"redis4", "redis"}) ASSERT_NO_FATAL_FAILURE(UseModule(module));
  const struct {
    Words before;
    const char* script;
    Words after;
    const char* says;
  } programs[] = {
      {{"env", "PYTHONPATH=" + NewerPackages("usr/lib/python3/dist-packages"), "/usr/bin/python3"},
       "cluster_redis_py.py",
       {"3"},
       "redis-py cluster: ok\n"},
      {{"node"}, "cluster_node_redis.js", {"redis4"}, "node-redis cluster: ok\n"},
      {{"node"}, "cluster_node_redis.js", {"redis"}, "node-redis cluster: ok\n"},
      {{"php"}, "cluster_php.php", {}, "phpredis cluster: ok\n"},
      {{"ruby"}, "cluster_ruby.rb", {}, "redis-rb cluster: ok\n"},
  };
  for (const auto& program : programs) {
    Words command = program.before;
    command.push_back(ClientScript(program.script));
    command.push_back(std::to_string(cluster_.proxy().port()));
    command.insert(command.end(), program.after.begin(), program.after.end());
    // Each finds no keys but its own.
    EXPECT_EQ(cluster_.Connect()("FLUSHALL"), "OK");
    const Finished finished = RunProgram(command);
    EXPECT_EQ(finished.exit_code, 0) << program.script;
    EXPECT_EQ(finished.output, program.says) << "scripts/test installs what it needs.";
  }
  cluster_.ExpectCopiesEqual();
}

// Another address than the one that clients come to, as behind a balancer; a reload changes it.
TEST(ClusterModeAnnounce, SaysWhatTheFileSays) {
  Cluster cluster(
      {.sections = {{"proxy", "cluster = true\nannounce = \"cache.example.org:7001\""}}});
  Client client = cluster.Connect();
  EXPECT_EQ(client("CONFIG", "GET", "cluster-enabled"), "[cluster-enabled yes]");
  const Reply node = client("CLUSTER", "SLOTS").items.at(0).items.at(2);
  EXPECT_EQ(node.items.at(0), "cache.example.org");
  EXPECT_EQ(node.items.at(1), ":7001");
  EXPECT_EQ(client("CONFIG", "SET", "proxy.announce", ""), "OK");
  EXPECT_EQ(client("CLUSTER", "SLOTS").items.at(0).items.at(2).items.at(0), "127.0.0.1");
  EXPECT_EQ(client("CONFIG", "SET", "proxy.cluster", "no"), "OK");
  EXPECT_TRUE(client("CLUSTER", "SLOTS").IsError());
}

}  // namespace
}  // namespace gemel::e2e::cluster_mode_test
