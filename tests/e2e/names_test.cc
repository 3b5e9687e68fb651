// Names of nodes and listeners, with a resolver that hangs, fails, or tells several addresses.

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "backend/files/unique_fd.h"
#include "tests/e2e/cluster.h"
#include "tests/e2e/name_server.h"
#include "tests/e2e/wait.h"

namespace gemel::e2e::names_test {
namespace {

constexpr char kDead[] = "127.0.0.8";   // nobody listens there
constexpr char kAlive[] = "127.0.0.9";  // the nodes listen there, too

class Names : public testing::Test {
 protected:
  void SetUp() override {
    if (!names_.good()) {
      GTEST_SKIP() << "no mount namespace or no port 53 here: that needs root";
    }
    proxy_.set_prefix(names_.Prefix());
  }
  // A node with a name.
  RedisNode& AddNode(const std::string& name, const std::vector<std::string>& addresses = {kAlive},
                     Words options = {"--bind", "127.0.0.1", kAlive, "::1"}) {
    nodes_.push_back(std::make_unique<RedisNode>(std::move(options)));
    names_.Set(name, addresses);
    return *nodes_.back();
  }
  static std::string At(const std::string& name, const RedisNode& node) {
    return name + ":" + std::to_string(node.port());
  }
  static std::string Shard(const std::string& name, const std::string& primary,
                           const std::string& replica = "") {
    return "[[shard]]\nname = \"" + name + "\"\nprimary = \"" + primary + "\"\n" +
           (replica.empty() ? "" : "replicas = [\"" + replica + "\"]\n");
  }
  std::string Config(const std::string& shards, const std::string& listen = "",
                     const std::string& proxy_lines = "") const {
    return "[proxy]\nlisten = [\"127.0.0.1:" + std::to_string(proxy_.port()) + "\"" + listen +
           "]\nwatch_config = false\n" + proxy_lines + "[health]\ninterval_ms = 100\n" +
           "timeout_ms = 10000\nmin_timeout_ms = 10000\nfailures = 3\n" + shards;
  }
  Client Connect() const { return Client(proxy_.port()); }
  // And each link is up: a probe may be sooner than a link that waits for its next try.
  bool InSync() const {
    return Eventually([this] {
      Client client = Connect();
      for (int i = 0; i < 50; ++i) {
        if (client("SET", "key:" + std::to_string(i), "v").IsError()) return false;
      }
      for (const ShardStatus& shard : ReadShards(Connect())) {
        if (!shard.AllInSync()) return false;
      }
      return true;
    });
  }
  // Of all shards: SETs that must be answered at once, or the client gives up.
  void ExpectServed(Client* client) {
    for (int i = 0; i < 50; ++i) {
      EXPECT_EQ((*client)("SET", "key:" + std::to_string(i), "v"), "OK");
    }
  }
  // The connections of a node, a line each, but those of clients as this one.
  static std::vector<std::string> ConnectionsOf(Client* node) {
    std::vector<std::string> lines;
    std::istringstream text((*node)("CLIENT", "LIST").Text());
    for (std::string line; std::getline(text, line);) {
      if (!line.empty() && line.find("cmd=client") == std::string::npos) lines.push_back(line);
    }
    return lines;
  }
  static bool IsLink(const std::string& line) {
    // By what was asked last: a probe's PING, a control connection's INFO.
    return line.find(" name=gemel:") != std::string::npos &&
           line.find(" cmd=ping") == std::string::npos &&
           line.find(" cmd=info") == std::string::npos;
  }
  static bool HasLink(const RedisNode& node) {
    Client client = node.Connect();
    for (const std::string& line : ConnectionsOf(&client)) {
      if (IsLink(line)) return true;
    }
    return false;
  }

  NameServer names_;
  std::vector<std::unique_ptr<RedisNode>> nodes_;
  ProxyProcess proxy_;
};

TEST_F(Names, AResolverThatHangsKeepsNobodyWaiting) {
  std::string shards;
  for (const std::string shard : {"a", "b"}) {
    const std::string primary = At(shard + "1.gemel.test", AddNode(shard + "1.gemel.test"));
    const std::string replica = At(shard + "2.gemel.test", AddNode(shard + "2.gemel.test"));
    shards += Shard(shard, primary, replica);
  }
  proxy_.Start(Config(shards));
  ASSERT_TRUE(InSync());
  names_.SetSilent(true);
  Client client = Connect();
  const auto break_all = [&] {
    for (const auto& node : nodes_) {
      // Links, probes and control connections are all made anew.
      node->Connect()("CLIENT", "KILL", "TYPE", "normal");
      ExpectServed(&client);
    }
    return names_.waiting() > 0;
  };
  EXPECT_TRUE(Eventually(break_all));
  for (int round = 0; round < 3; ++round) break_all();
  for (const auto& node : nodes_) EXPECT_TRUE(Eventually([&] { return HasLink(*node); }));
  EXPECT_TRUE(InSync());
  ExpectServed(&client);
  EXPECT_GT(names_.waiting(), 0) << "it hangs still";
  for (const ShardStatus& shard : ReadShards(Connect())) {
    for (const NodeStatus& node : shard.nodes) EXPECT_NE(node.health, "down") << node.address;
  }
}

TEST_F(Names, AResolverThatHangsDoesNotHoldTheEnd) {
  const RedisNode& node = AddNode("node.gemel.test");
  names_.SetSilent("later.gemel.test", true);
  proxy_.Start(Config(Shard("a", At("node.gemel.test", node), "later.gemel.test:7")));
  ASSERT_TRUE(Eventually([this] { return names_.waiting() > 0; }));
  ASSERT_TRUE(proxy_.Logs("serves 1 shards"));
  EXPECT_EQ(proxy_.Stop(), 0);
  EXPECT_GT(names_.waiting(), 0);
}

TEST_F(Names, ANameThatHangsAtTheStartConcernsItsNodeAlone) {
  const RedisNode& primary = AddNode("a1.gemel.test");
  const RedisNode& replica = AddNode("a2.gemel.test");
  const RedisNode& other = AddNode("b.gemel.test");
  for (const char* name : {"a2.gemel.test", "b.gemel.test"}) names_.SetSilent(name, true);
  proxy_.Start(Config(Shard("a", At("a1.gemel.test", primary), At("a2.gemel.test", replica)) +
                      Shard("b", At("b.gemel.test", other))));
  Client client = Connect();
  std::string key;
  const auto served = [&] {
    for (int i = 0; i < 100; ++i) {
      key = "key:" + std::to_string(i);
      if (client("SET", key, "v") == "OK") return true;
    }
    return false;
  };
  EXPECT_TRUE(Eventually(served));
  EXPECT_EQ(client("GET", key), "v");
  EXPECT_EQ(client("CONFIG", "SET", "hedge-ms", "60").Text().substr(0, 4), "-ERR");
  EXPECT_EQ(client("CONFIG", "SET", "read.hedge_ms", "60"), "OK") << "orders wait for no name";
  EXPECT_GT(names_.waiting(), 0);
  names_.SetSilent("a2.gemel.test", false);
  names_.SetSilent("b.gemel.test", false);
  EXPECT_TRUE(InSync());
  ExpectServed(&client);
}

TEST_F(Names, AResolverThatFailsIsNoEvidenceAgainstANode) {
  const RedisNode& primary = AddNode("a1.gemel.test");
  const RedisNode& replica = AddNode("a2.gemel.test");
  proxy_.Start(Config(Shard("a", At("a1.gemel.test", primary), At("a2.gemel.test", replica))));
  ASSERT_TRUE(InSync());
  const int64_t epoch = ReadShards(Connect())[0].epoch;
  names_.SetFailing(true);
  Client client = Connect();
  for (int round = 0; round < 5; ++round) {
    for (const auto& node : nodes_) {
      // All but the links.
      Client beside = node->Connect();
      ASSERT_TRUE(Eventually([&] {
        bool killed = false;
        for (const std::string& line : ConnectionsOf(&beside)) {
          if (IsLink(line)) continue;
          const std::string id = line.substr(3, line.find(' ') - 3);
          killed |= beside("CLIENT", "KILL", "ID", id) == ":1";
        }
        return killed;
      })) << "the probe comes back";
      ExpectServed(&client);
    }
  }
  EXPECT_EQ(proxy_.Log().find("is down"), std::string::npos);
  EXPECT_EQ(proxy_.Log().find("lost the connection"), std::string::npos);
  EXPECT_EQ(ReadShards(Connect())[0].epoch, epoch);
  // And the links, too, lead to where they led.
  for (const auto& node : nodes_) {
    node->Connect()("CLIENT", "KILL", "TYPE", "normal");
    EXPECT_TRUE(Eventually([&] { return HasLink(*node); }));
  }
  EXPECT_TRUE(InSync());
  ExpectServed(&client);
}

TEST_F(Names, ANameWithoutARecordIsANodeThatDoesNotAnswer) {
  const RedisNode& primary = AddNode("a1.gemel.test");
  const RedisNode& replica = AddNode("a2.gemel.test", {});
  const RedisNode& other = AddNode("b.gemel.test");
  const std::string shards = Shard("a", At("a1.gemel.test", primary), At("a2.gemel.test", replica));
  proxy_.Start(Config(shards));
  EXPECT_TRUE(proxy_.Logs("the host name a2.gemel.test cannot be resolved: "));
  Client client = Connect();
  EXPECT_TRUE(Eventually([&] { return client("SET", "k", "v") == "OK"; }));
  ExpectServed(&client);
  // A reload by which a shard of a node without a record comes, and one of a node that has one.
  WriteFile(proxy_.config_path(), Config(shards + Shard("b", At("b.gemel.test", other)) +
                                         Shard("c", "gone.gemel.test:7777")));
  const std::string warning =
      "warning: the host of node gone.gemel.test:7777 of shard 'c' cannot be resolved: ";
  EXPECT_NE(client("PROXY", "RELOAD", "DRYRUN").Text().find(warning), std::string::npos);
  const std::string answer = client("PROXY", "RELOAD").Text();
  EXPECT_NE(answer.find("gemel.toml:"), std::string::npos) << answer;
  EXPECT_NE(answer.find(warning), std::string::npos) << answer;
  EXPECT_EQ(answer.find("a2.gemel.test"), std::string::npos) << answer;
  EXPECT_TRUE(proxy_.Logs(warning));
  EXPECT_EQ(ReadShards(Connect()).size(), 3u);
  EXPECT_EQ(proxy_.Stop(), 0);
  const int asked = names_.asked("a2.gemel.test");
  proxy_.Restart();
  EXPECT_TRUE(Eventually([&] { return names_.asked("a2.gemel.test") > asked; }));
  // It comes to be.
  names_.Set("a2.gemel.test", {kAlive});
  EXPECT_TRUE(Eventually([this] { return ReadShards(Connect())[0].AllInSync(); }));
  EXPECT_TRUE(proxy_.Logs("the host name a2.gemel.test is resolved again: 127.0.0.9"));
}

TEST_F(Names, ATestOfTheConfigWarns) {
  names_.Set("listen.gemel.test", {"127.0.0.1"});
  const std::string file = proxy_.config_path();
  const auto test = [&](const std::string& config) {
    WriteFile(file, config);
    Words command = names_.Prefix();
    command.insert(command.end(), {GemelBinary(), "-t", "-c", file});
    return RunProgram(command);
  };
  const std::string config = "[proxy]\nlisten = [\"listen.gemel.test:6380\"]\n" +
                             Shard("a", "127.0.0.1:7", "gone.gemel.test:7");
  Finished finished = test(config);
  EXPECT_EQ(finished.exit_code, 0) << finished.output;
  EXPECT_NE(finished.output.find(file + ":6:13: warning: the host of node "), std::string::npos)
      << finished.output;
  EXPECT_TRUE(finished.output.ends_with(": ok\n")) << finished.output;
  names_.SetSilent("gone.gemel.test", true);
  finished = test(config);
  EXPECT_EQ(finished.exit_code, 0) << finished.output;
  EXPECT_NE(finished.output.find("the resolver has not answered yet"), std::string::npos);
}

TEST_F(Names, OneLookupANameAtATime) {
  std::string shards;
  for (int i = 0; i < 8; ++i) {
    shards += Shard("s" + std::to_string(i), At("node.gemel.test", AddNode("node.gemel.test")));
  }
  names_.SetSilent(true);
  proxy_.Start(Config(shards, "", "workers = 2\n"));
  // Eight links and eight probes ask, again and again.
  EXPECT_TRUE(
      proxy_.Logs("the host name node.gemel.test cannot be resolved: the resolver has not answered "
                  "yet"));
  EXPECT_EQ(names_.asked("node.gemel.test"), 1);
  names_.SetSilent(false);
  Client client = Connect();
  EXPECT_TRUE(InSync());
  ExpectServed(&client);
  // What is known is used: all connections are lost at once, and come back.
  const int asked = names_.asked("node.gemel.test");
  for (const auto& node : nodes_) node->Connect()("CLIENT", "KILL", "TYPE", "normal");
  EXPECT_TRUE(InSync());
  ExpectServed(&client);
  EXPECT_LE(names_.asked("node.gemel.test"), asked + 3);
}

TEST_F(Names, LookupsThatFailAreNotRepeatedWithoutAPause) {
  const RedisNode& node = AddNode("node.gemel.test");
  std::string shards = Shard("a", At("node.gemel.test", node));
  for (int i = 0; i < 8; ++i) {
    shards += Shard("s" + std::to_string(i), "gone.gemel.test:" + std::to_string(7000 + i));
  }
  proxy_.Start(Config(shards));
  // 16 connections each try it many times meanwhile: their wait is 20 ms at first, 1 s at most.
  ASSERT_TRUE(Eventually([this] { return names_.asked("gone.gemel.test") >= 5; }));
  int commands = 0;
  Client client = Connect();
  const int before = names_.asked("gone.gemel.test");
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(4);
  while (std::chrono::steady_clock::now() < end) {
    client("PING");
    ++commands;
  }
  EXPECT_GT(commands, 0);
  EXPECT_LE(names_.asked("gone.gemel.test"), before + 3);
}

TEST_F(Names, EveryAddressOfANodeIsTried) {
  const RedisNode& second = AddNode("second.gemel.test", {kDead, kAlive});
  // Addresses of v6 come first by the rules (RFC 6724).
  const RedisNode& v4 = AddNode("v4.gemel.test", {"::1", kAlive}, {"--bind", "127.0.0.1", kAlive});
  const RedisNode& v6 = AddNode("v6.gemel.test", {kDead, "::1"});
  proxy_.Start(Config(Shard("a", At("second.gemel.test", second)) +
                      Shard("b", At("v4.gemel.test", v4)) + Shard("c", At("v6.gemel.test", v6))));
  EXPECT_TRUE(InSync());
  Client client = Connect();
  ExpectServed(&client);
  for (const ShardStatus& shard : ReadShards(Connect())) {
    EXPECT_TRUE(Eventually([&] {
      for (const ShardStatus& now : ReadShards(Connect())) {
        if (now.name == shard.name) return now.nodes[0].health == "up";
      }
      return false;
    })) << "its probe finds the way, too";
  }
}

TEST_F(Names, AnAddressThatSwallowsPacketsIsNotTheLastWord) {
  // A queue that is full: the kernel drops who knocks.
  const RedisNode& node = AddNode("node.gemel.test", {kDead, kAlive});
  const UniqueFd listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(node.port());
  inet_pton(AF_INET, kDead, &address.sin_addr);
  ASSERT_EQ(bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  ASSERT_EQ(listen(listener.get(), 0), 0);
  std::vector<UniqueFd> knocking;
  for (int i = 0; i < 4; ++i) {
    knocking.emplace_back(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    connect(knocking.back().get(), reinterpret_cast<sockaddr*>(&address), sizeof(address));
  }
  proxy_.Start(Config(Shard("a", At("node.gemel.test", node))));
  EXPECT_TRUE(InSync());
  Client client = Connect();
  ExpectServed(&client);
}

TEST_F(Names, TheNextAddressIsTriedWhenTheOneInUseIsGone) {
  const RedisNode& node =
      AddNode("node.gemel.test", {kDead, kAlive}, {"--bind", "127.0.0.1", kDead});
  proxy_.Start(Config(Shard("a", At("node.gemel.test", node))));
  EXPECT_TRUE(InSync());
  Client client = Connect();
  EXPECT_EQ(client("SET", "k", "v"), "OK");
  Client beside = node.Connect();
  ASSERT_EQ(beside("CONFIG", "SET", "bind", std::string("127.0.0.1 ") + kAlive), "OK");
  beside("CLIENT", "KILL", "TYPE", "normal");
  EXPECT_TRUE(Eventually([&] { return client("GET", "k") == "v"; }));
  EXPECT_TRUE(InSync());
}

TEST_F(Names, AResyncNeedsNoResolverOfTheNodes) {
  RedisNode& primary = AddNode("a1.gemel.test");
  RedisNode& replica = AddNode("a2.gemel.test");
  proxy_.Start(Config(Shard("a", At("a1.gemel.test", primary), At("a2.gemel.test", replica))));
  ASSERT_TRUE(InSync());
  Client client = Connect();
  ExpectServed(&client);
  replica.Kill();
  ExpectServed(&client);
  replica.Start();
  EXPECT_TRUE(InSync());
  EXPECT_EQ(primary.Digest(), replica.Digest());
}

TEST_F(Names, AListenerListensOnAllAddressesOfItsHost) {
  const RedisNode& node = AddNode("node.gemel.test");
  const FreePort port;
  // 203.0.113.5 is no address of this machine, but the others are.
  const std::vector<std::string> hosts = {"127.0.0.1", "127.0.0.2", "::1"};
  names_.Set("listen.gemel.test", {"127.0.0.1", "127.0.0.2", "203.0.113.5", "::1"});
  const auto ping = [&](const std::string& host) {
    return RunProgram({"redis-cli", "-h", host, "-p", std::to_string(port.number()), "PING"})
        .output;
  };
  const std::string shards = Shard("a", At("node.gemel.test", node));
  const std::string with = Config(
      shards, ", \"listen.gemel.test:" + std::to_string(port.number()) + "\"", "workers = 2\n");
  const std::string without = Config(shards, "", "workers = 2\n");
  proxy_.Start(with);
  for (const std::string& host : hosts) EXPECT_EQ(ping(host), "PONG\n") << host;
  WriteFile(proxy_.config_path(), without);
  ASSERT_FALSE(Connect()("PROXY", "RELOAD").IsError());
  for (const std::string& host : hosts) EXPECT_NE(ping(host), "PONG\n") << host;
  WriteFile(proxy_.config_path(), with);
  const Reply answer = Connect()("PROXY", "RELOAD");
  ASSERT_FALSE(answer.IsError()) << answer;
  // Each by each worker: more than one connection.
  for (const std::string& host : hosts) {
    for (int i = 0; i < 4; ++i) EXPECT_EQ(ping(host), "PONG\n") << host;
  }
  // The listener stays where it is, and other changes wait for no name.
  names_.SetSilent(true);
  EXPECT_EQ(Connect()("CONFIG", "SET", "read.hedge_ms", "60"), "OK");
}

}  // namespace
}  // namespace gemel::e2e::names_test
