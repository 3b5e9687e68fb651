// Two gemels on the same nodes: at most one serves, and it is the one that was told to.

#include <gtest/gtest.h>
#include <signal.h>

#include <array>
#include <memory>

#include "tests/e2e/cluster.h"
#include "tests/e2e/proxy_process.h"
#include "tests/e2e/redis_node.h"

namespace gemel::e2e::two_proxies_test {
namespace {

class TwoProxies : public ::testing::Test {
 protected:
  std::string ConfigOf(uint16_t port, const std::string& lines = "", int nodes = 4) const {
    std::string text = "[proxy]\nlisten = [\"127.0.0.1:" + std::to_string(port) +
                       "\"]\nstate_dir = \"state\"\n[timeouts]\nreconnect_max_ms = 200\n[resync]\n"
                       "retry_ms = 100\n";
    for (int i = 0; i < nodes; i += 2) {
      text += "[[shard]]\nname = \"s" + std::to_string(i) + "\"\n" + lines + "primary = \"" +
              nodes_[static_cast<size_t>(i)].address() + "\"\nreplicas = [\"" +
              nodes_[static_cast<size_t>(i) + 1].address() + "\"]\n";
    }
    return text;
  }
  static bool InSync(const ProxyProcess& proxy) {
    return Eventually([&] {
      for (const ShardStatus& shard : ReadShards(Client(proxy.port()))) {
        if (!shard.AllInSync()) return false;
      }
      return true;
    });
  }
  void ExpectCopiesEqual() {
    for (size_t i = 0; i < nodes_.size(); i += 2) {
      EXPECT_TRUE(Eventually([&] { return nodes_[i].Digest() == nodes_[i + 1].Digest(); }));
    }
  }
  // A start of another gemel that is expected to end by itself.
  Finished RunSecond(const ProxyProcess& second, const std::string& config) {
    WriteFile(second.config_path(), config);
    return RunProgram({GemelBinary(), "-c", second.config_path()}, "", std::chrono::seconds(20));
  }
  static std::string NameOf(pid_t pid, uint16_t port) {
    return "(pid " + std::to_string(pid) + ", listening on 127.0.0.1:" + std::to_string(port) +
           ", started 2";
  }
  void ExpectNames(const std::string& text, pid_t pid, uint16_t port) {
    EXPECT_NE(text.find(NameOf(pid, port)), std::string::npos) << text;
  }

  std::array<RedisNode, 4> nodes_;
};

TEST_F(TwoProxies, TheSecondNamesTheFirstAndDoesNotServe) {
  ProxyProcess first;
  first.Start(ConfigOf(first.port()));
  ASSERT_TRUE(InSync(first));
  EXPECT_EQ(Client(first.port())("SET", "k", "v"), "OK");
  ProxyProcess second;
  const Finished finished = RunSecond(second, ConfigOf(second.port()));
  EXPECT_EQ(finished.exit_code, 1) << finished.output;
  EXPECT_NE(finished.output.find("another gemel serves the same nodes"), std::string::npos)
      << finished.output;
  EXPECT_NE(finished.output.find("--take-over"), std::string::npos) << finished.output;
  ExpectNames(finished.output, first.pid(), first.port());
  // One node in common is enough.
  EXPECT_EQ(RunSecond(second, ConfigOf(second.port(), "", 2)).exit_code, 1);
  EXPECT_EQ(Client(first.port())("GET", "k"), "v");
  EXPECT_TRUE(first.running());
  // Once the first has ended there is nothing in the way.
  EXPECT_EQ(first.Stop(), 0);
  second.Start(ConfigOf(second.port()));
  EXPECT_EQ(Client(second.port())("GET", "k"), "v");
}

TEST_F(TwoProxies, OtherDatabasesOfTheSameNodesAreNoHindrance) {
  ProxyProcess first;
  first.Start(ConfigOf(first.port()));
  ProxyProcess second;
  second.Start(ConfigOf(second.port(), "database = 5\n"));
  EXPECT_TRUE(InSync(first));
  EXPECT_EQ(Client(first.port())("SET", "k", "first"), "OK");
  EXPECT_EQ(Client(second.port())("SET", "k", "second"), "OK");
  EXPECT_EQ(Client(first.port())("GET", "k"), "first");
}

TEST_F(TwoProxies, OfSeveralThatStartTogetherAtMostOneServes) {
  int served = 0;
  for (int round = 0; round < 8; ++round) {
    std::array<TempFolder, 3> folders;
    std::array<FreePort, 3> ports;
    std::array<ChildProcess, 3> proxies;
    for (size_t i = 0; i < proxies.size(); ++i) {
      WriteFile(folders[i].path() + "/gemel.toml", ConfigOf(ports[i].number()));
      proxies[i].Start({GemelBinary(), "-c", folders[i].path() + "/gemel.toml"},
                       folders[i].path() + "/log");
    }
    const auto running = [&] {
      int count = 0;
      for (ChildProcess& proxy : proxies) count += proxy.running() ? 1 : 0;
      return count;
    };
    ASSERT_TRUE(Eventually([&] { return running() <= 1; })) << ReadFile(folders[0].path() + "/log");
    for (size_t i = 0; i < proxies.size(); ++i) {
      if (!proxies[i].running()) {
        EXPECT_EQ(proxies[i].exit_code(), 1);
        EXPECT_NE(ReadFile(folders[i].path() + "/log").find("another gemel"), std::string::npos);
        continue;
      }
      ASSERT_TRUE(Eventually([&] {
        try {
          return Client(ports[i].number())("SET", "k", std::to_string(round)) == "OK";
        } catch (const std::runtime_error&) {
          return false;
        }
      }));
      ++served;
    }
    for (ChildProcess& proxy : proxies) proxy.Kill();
  }
  EXPECT_GT(served, 0);
}

TEST_F(TwoProxies, TakeOver) {
  ProxyProcess first;
  first.Start(ConfigOf(first.port()));
  ASSERT_TRUE(InSync(first));
  EXPECT_EQ(Client(first.port())("SET", "k", "v"), "OK");
  const pid_t first_pid = first.pid();
  ProxyProcess second;
  second.set_prefix({"/bin/sh", "-c", "exec \"$@\" --take-over", "sh"});
  second.Start(ConfigOf(second.port()));
  EXPECT_TRUE(second.Logs(NameOf(first_pid, first.port()))) << second.Log();
  // It ends by itself, and says whose the nodes are now.
  EXPECT_EQ(first.Wait(), 1) << first.Log();
  first.Kill();
  EXPECT_TRUE(first.Logs("another gemel serves node ")) << first.Log();
  EXPECT_TRUE(first.Logs(NameOf(second.pid(), second.port()))) << first.Log();
  EXPECT_EQ(Client(second.port())("GET", "k"), "v");
  EXPECT_EQ(Client(second.port())("SET", "k", "w"), "OK");
  EXPECT_TRUE(InSync(second));
  ExpectCopiesEqual();
}

TEST_F(TwoProxies, OneThatWasKilledIsInNobodysWay) {
  ProxyProcess first;
  first.Start(ConfigOf(first.port()));
  ASSERT_TRUE(InSync(first));
  EXPECT_EQ(Client(first.port())("SET", "k", "v"), "OK");
  // Its connections to a node that hangs are still there when that node wakes up.
  nodes_[1].Pause();
  first.Kill();
  nodes_[1].Resume();
  ProxyProcess second;  // with a state folder of its own
  second.Start(ConfigOf(second.port()));
  EXPECT_EQ(Client(second.port())("GET", "k"), "v");
  EXPECT_TRUE(InSync(second));
  second.Kill();
  second.Restart();
  EXPECT_EQ(Client(second.port())("GET", "k"), "v");
}

// Cut off from its nodes it is not seen; it looks for others before it uses them again.
TEST_F(TwoProxies, TheFirstNoticesASecondThatCameWhileItWasCutOff) {
  ProxyProcess first;
  first.Start(ConfigOf(first.port()));
  ASSERT_TRUE(InSync(first));
  first.Signal(SIGSTOP);
  for (RedisNode& node : nodes_) {
    for (const char* type : {"normal", "pubsub"}) {
      node.Connect()("CLIENT", "KILL", "TYPE", type, "SKIPME", "yes");
    }
  }
  ProxyProcess second;
  second.Start(ConfigOf(second.port()));
  EXPECT_EQ(Client(second.port())("SET", "k", "second"), "OK");
  first.Signal(SIGCONT);
  EXPECT_EQ(first.Wait(), 1) << first.Log();
  first.Kill();
  EXPECT_TRUE(first.Logs(NameOf(second.pid(), second.port()))) << first.Log();
  EXPECT_EQ(Client(second.port())("GET", "k"), "second");
  EXPECT_TRUE(InSync(second));
  ExpectCopiesEqual();
}

TEST_F(TwoProxies, AReloadDoesNotTakeANodeThatAnotherServes) {
  ProxyProcess first;
  first.Start(ConfigOf(first.port(), "", 2));
  ASSERT_TRUE(InSync(first));
  RedisNode own;
  ProxyProcess second;
  const std::string config =
      "[proxy]\nwatch_config = false\nlisten = [\"127.0.0.1:" + std::to_string(second.port()) +
      "\"]\n[[shard]]\nname = \"own\"\nprimary = \"" + own.address() + "\"\n";
  second.Start(config);
  WriteFile(second.config_path(), config + "replicas = [\"" + nodes_[0].address() + "\"]\n");
  const std::string answer = Client(second.port())("PROXY", "RELOAD").Text();
  EXPECT_NE(answer.find("is served by another gemel: "), std::string::npos) << answer;
  ExpectNames(answer, first.pid(), first.port());
  EXPECT_TRUE(first.running());
  EXPECT_TRUE(second.running());
}

TEST_F(TwoProxies, WhoMayNotLookSaysSoAtTheStart) {
  for (RedisNode& node : nodes_) {
    node.Connect()("ACL", "SETUSER", "default", "-client|list");
  }
  ProxyProcess proxy;
  proxy.Start(ConfigOf(proxy.port()));
  EXPECT_TRUE(proxy.Logs("a second gemel on the same nodes would not be noticed")) << proxy.Log();
  EXPECT_TRUE(InSync(proxy));
}

// Its host is gone without a word, and its connections stand on the nodes until they notice, which
// may take hours: by what they said last it is known to be gone.
TEST_F(TwoProxies, OneWhoseHostVanishedIsNotWaitedForLong) {
  const std::string name =
      "gemel:s0;0123456789abcdef;fedcba9876543210;00112233445566aa;4242.4711;1700000000;web9;"
      "10.9.8.7:6379";
  std::vector<Client> left;
  for (const RedisNode& node : nodes_) {
    left.push_back(node.Connect());
    ASSERT_EQ(left.back()("CLIENT", "SETNAME", name), "OK");
  }
  ProxyProcess second;
  const Finished refused = RunSecond(second, ConfigOf(second.port()));
  EXPECT_NE(refused.exit_code, 0) << "it lives, as far as can be told";
  EXPECT_NE(refused.output.find("gemel on host web9 (pid 4242, listening on "
                                "10.9.8.7:6379, started 2023-11-14 22:13:20 UTC)"),
            std::string::npos)
      << refused.output;
  EXPECT_TRUE(Eventually(
      [&] {
        try {
          second.Start(ConfigOf(second.port()));
          return true;
        } catch (const std::runtime_error&) {
          return false;
        }
      },
      std::chrono::seconds(90)));
  ASSERT_TRUE(InSync(second));
  EXPECT_EQ(Client(second.port())("SET", "k", "v"), "OK");
  for (Client& client : left) {
    EXPECT_TRUE(client.IsClosed()) << "it could still write, if it were not gone after all";
  }
  ExpectCopiesEqual();
}

}  // namespace
}  // namespace gemel::e2e::two_proxies_test
