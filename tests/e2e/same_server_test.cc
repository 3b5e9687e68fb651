// One server under two addresses is no pair, and it belongs to one shard only, whatever it is
// called.

#include <gtest/gtest.h>
#include <unistd.h>

#include <functional>

#include "tests/e2e/reload_world.h"

namespace gemel::e2e::same_server_test {
namespace {

TEST(SameServer, UnderTwoAddressesAppliesAWriteOnce) {
  RedisNode node({"--bind", "127.0.0.1", "127.0.0.2"});
  ProxyProcess proxy;
  proxy.Start("[proxy]\nlisten = [\"127.0.0.1:" + std::to_string(proxy.port()) +
              "\"]\n[[shard]]\nname = \"a\"\nprimary = \"" + node.address() +
              "\"\nreplicas = [\"127.0.0.2:" + std::to_string(node.port()) + "\"]\n");
  Client client(proxy.port());
  EXPECT_TRUE(Eventually([&] { return client("SET", "k", "v") == "OK"; })) << proxy.Log();
  for (int i = 1; i <= 5; ++i) EXPECT_EQ(client("INCR", "n"), ":" + std::to_string(i));
  EXPECT_TRUE(proxy.Logs("is not used: it is the same server as ")) << proxy.Log();
}

TEST(SameServer, AGemelIsNoNode) {
  RedisNode node;
  ProxyProcess first;
  const auto config = [](const ProxyProcess& proxy, uint16_t port) {
    return "[proxy]\nlisten = [\"127.0.0.1:" + std::to_string(proxy.port()) +
           "\"]\n[[shard]]\nname = \"a\"\nprimary = \"127.0.0.1:" + std::to_string(port) + "\"\n";
  };
  first.Start(config(first, node.port()));
  ProxyProcess second;
  second.Start(config(second, first.port()));
  Client client(second.port());
  EXPECT_TRUE(Eventually([&] {
    return client("GET", "k").Text().find("it is a gemel, no Redis server") != std::string::npos;
  })) << client("GET", "k").Text();
}

// The further names of a server that listens on two loopback addresses and a Unix socket.
// (localhost for 127.0.0.1 is found in the file already.)
enum class Alias { kOtherAddress, kUnixSocket };

class SameServerInTwoShards : public ::testing::TestWithParam<Alias> {
 protected:
  Words Options() const {
    return {"--bind", "127.0.0.1", "127.0.0.2", "--unixsocket", socket_, "--databases", "16"};
  }
  std::string NameOf(const RedisNode& node) const {
    return GetParam() == Alias::kOtherAddress ? "127.0.0.2:" + std::to_string(node.port())
                                              : "unix:" + socket_;
  }
  static std::string ConfigOf(const ProxyProcess& proxy, const std::string& one,
                              const std::string& other, const std::string& lines = "") {
    return "[proxy]\nlisten = [\"127.0.0.1:" + std::to_string(proxy.port()) +
           "\"]\nstate_dir = \"state\"\n[[shard]]\nname = \"a\"\nprimary = \"" + one +
           "\"\n[[shard]]\nname = \"b\"\nprimary = \"" + other + "\"\n" + lines;
  }

  TempFolder folder_;
  std::string socket_ = folder_.path() + "/socket";
};

void FillNode(const RedisNode& node, int keys) {
  Client direct = node.Connect();
  for (int i = 0; i < keys; ++i) ASSERT_EQ(direct("SET", "key:" + std::to_string(i), "v"), "OK");
}

TEST_P(SameServerInTwoShards, AtStart) {
  RedisNode node(Options());
  FillNode(node, 100);
  ProxyProcess proxy;
  WriteFile(proxy.config_path(), ConfigOf(proxy, node.address(), NameOf(node)));
  const Finished finished =
      RunProgram({GemelBinary(), "-c", proxy.config_path()}, "", std::chrono::seconds(20));
  EXPECT_EQ(finished.exit_code, 1) << finished.output;
  EXPECT_NE(finished.output.find("is the same server as node "), std::string::npos)
      << finished.output;
  EXPECT_NE(finished.output.find(node.address()), std::string::npos) << finished.output;
  EXPECT_NE(finished.output.find(NameOf(node)), std::string::npos) << finished.output;
  EXPECT_EQ(node.Connect()("DBSIZE"), ":100");
  // The file by itself is good.
  EXPECT_EQ(RunProgram({GemelBinary(), "-t", "-c", proxy.config_path()}).exit_code, 0);
}

TEST_P(SameServerInTwoShards, DifferentDatabases) {
  RedisNode node(Options());
  ProxyProcess proxy;
  proxy.Start(ConfigOf(proxy, node.address(), NameOf(node), "database = 3\n"));
  Client client(proxy.port());
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(Eventually([&] { return client("SET", "k" + std::to_string(i), "v") == "OK"; }));
  }
  Client direct = node.Connect();
  EXPECT_NE(direct("DBSIZE"), ":0");
  direct("SELECT", "3");
  EXPECT_NE(direct("DBSIZE"), ":0");
}

TEST_P(SameServerInTwoShards, AtReload) {
  for (const int workers : {1, 2}) {
    ReloadWorld world({.shards = 2, .workers = workers, .redis_options = Options()});
    // Of all these nodes the first one alone still has the socket's path.
    RedisNode& node = world.node("a", 0);
    if (GetParam() == Alias::kUnixSocket) {
      ::unlink(socket_.c_str());
      node.Kill();
      node.Start();
      ASSERT_TRUE(world.WaitUntilSettled());
    }
    Client client = world.Connect();
    for (int i = 0; i < 300; ++i) client("SET", "key:" + std::to_string(i), "v");
    const std::string size = node.Connect()("DBSIZE").Text();
    const ConfigFile before = world.file();
    // As a new shard, as a further copy of another shard, and in both places of two new ones.
    for (int form = 0; form < 2; ++form) {
      world.file() = before;
      if (form == 0) {
        world.file().shards.push_back({"c", {NameOf(node)}});
      } else {
        world.file().shard("b").nodes.push_back(NameOf(node));
      }
      for (const Words& words : {Words{}, Words{"FORCE"}}) {
        const std::string answer = world.Reload(words);
        EXPECT_TRUE(answer.starts_with("-ERR")) << answer;
        EXPECT_NE(answer.find("is the same server as node " + node.address() + " of shard 'a'"),
                  std::string::npos)
            << answer;
        EXPECT_NE(answer.find(NameOf(node)), std::string::npos) << answer;
      }
      EXPECT_NE(world.Reload({"DRYRUN"}).find("refused: "), std::string::npos);
    }
    EXPECT_EQ(node.Connect()("DBSIZE"), size);
    for (int i = 0; i < 300; ++i) ASSERT_EQ(client("GET", "key:" + std::to_string(i)), "v");
    world.file() = before;
    world.Write();
  }
}

INSTANTIATE_TEST_SUITE_P(, SameServerInTwoShards,
                         ::testing::Values(Alias::kOtherAddress, Alias::kUnixSocket));

// What nobody could know at the reload: the node was not to be reached.
TEST(SameServer, FoundOutOnceItAnswers) {
  ReloadWorld world({.shards = 1, .copies = 1});
  RedisNode& node = world.node("a", 0);
  FillNode(node, 200);
  const std::string alias = "127.0.0.2:" + std::to_string(node.port());
  world.file().shards.push_back({"b", {alias}});
  const std::string answer = world.Reload();
  ASSERT_FALSE(answer.starts_with("-")) << answer;
  std::vector<std::string> kept;
  for (int i = 0; i < 200; ++i) {
    const std::string key = "key:" + std::to_string(i);
    if (world.Owner(key) == "a") kept.push_back(key);
  }
  ASSERT_FALSE(kept.empty());
  Client direct = node.Connect();
  ASSERT_EQ(direct("CONFIG", "SET", "bind", "127.0.0.1 127.0.0.2"), "OK");
  const std::string why = "it is the same server as " + node.address() + " of shard 'a'";
  EXPECT_TRUE(world.proxy().Logs("shard 'b': " + alias + " is not used: " + why))
      << world.proxy().Log();
  EXPECT_TRUE(Eventually([&] { return world.Shard("b").Node(alias).reason == "not used: " + why; }))
      << world.Connect()("PROXY", "SHARDS");
  // The sweep of the keys that are another shard's now has ended, and left the others alone.
  EXPECT_TRUE(Eventually([&] { return direct("DBSIZE") == ":" + std::to_string(kept.size()); }))
      << direct("DBSIZE");
  for (const std::string& key : kept) ASSERT_EQ(world.Connect()("GET", key), "v");
}

// A name is made to stand for another shard's server while gemel serves.
TEST(SameServer, ANodeThatIsAnotherShardsServerLaterIsNotUsed) {
  TempFolder folder;
  const std::string path = folder.path() + "/node";
  RedisNode one({"--unixsocket", folder.path() + "/one"});
  RedisNode two({"--unixsocket", folder.path() + "/two"});
  const auto point_to = [&](const std::string& name) {
    ::unlink(path.c_str());
    ASSERT_EQ(::symlink((folder.path() + "/" + name).c_str(), path.c_str()), 0);
  };
  point_to("two");
  ProxyProcess proxy;
  proxy.Start("[proxy]\nlisten = [\"127.0.0.1:" + std::to_string(proxy.port()) +
              "\"]\nworkers = 2\n[timeouts]\nreconnect_max_ms = 100\n[[shard]]\nname = "
              "\"a\"\nprimary = \"" +
              one.address() + "\"\n[[shard]]\nname = \"b\"\nprimary = \"unix:" + path + "\"\n");
  Client client(proxy.port());
  for (int i = 0; i < 200; ++i) {
    ASSERT_TRUE(Eventually([&] { return client("SET", "key:" + std::to_string(i), "v") == "OK"; }));
  }
  const std::string size = one.Connect()("DBSIZE").Text();
  const std::string digest = one.Digest();
  point_to("one");
  two.Kill();
  EXPECT_TRUE(proxy.Logs("it is the same server as " + one.address() + " of shard 'a'"))
      << proxy.Log();
  int down = 0;
  for (int i = 0; i < 200; ++i) {
    const std::string value = client("GET", "key:" + std::to_string(i)).Text();
    if (value.starts_with("-CLUSTERDOWN")) {
      ++down;
    } else {
      ASSERT_EQ(value, "v");
    }
  }
  EXPECT_GT(down, 0);
  EXPECT_EQ(one.Digest(), digest);
  two.Start();
  point_to("two");
  EXPECT_TRUE(Eventually([&] {
    for (int i = 0; i < 200; ++i) {
      if (client("SET", "key:" + std::to_string(i), "w") != "OK") return false;
    }
    return true;
  })) << proxy.Log();
  EXPECT_EQ(one.Connect()("DBSIZE"), size);
}

}  // namespace
}  // namespace gemel::e2e::same_server_test
