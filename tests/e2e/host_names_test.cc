// Nodes that are named by a host whose address changes while gemel serves. The proxy runs in a
// mount namespace of its own, with a file of hosts of its own.

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>

#include "tests/e2e/child_process.h"
#include "tests/e2e/client.h"
#include "tests/e2e/proxy_process.h"
#include "tests/e2e/redis_node.h"

namespace gemel::e2e::host_names_test {
namespace {

class HostNames : public testing::Test {
 protected:
  void SetUp() override {
    if (std::system("unshare --mount true 2> /dev/null") != 0) {
      GTEST_SKIP() << "no mount namespace can be made here: that needs root, with CAP_SYS_ADMIN";
    }
    old_node_ = std::make_unique<RedisNode>(Words{"--bind", "127.0.0.1", "127.0.0.2"});
    port_ = std::to_string(old_node_->port());
    new_node_.Start({"redis-server", "--port", port_, "--bind", "127.0.0.3", "--save", "", "--dir",
                     folder_.path()},
                    folder_.path() + "/redis.log");
    ASSERT_TRUE(Eventually([this] { return Cli({"PING"}) == "PONG\n"; }));
    Name("127.0.0.2");
    proxy_.set_prefix({"unshare", "--mount", "--propagation", "private", "sh", "-c",
                       "mount --bind " + hosts() + " /etc/hosts && exec \"$0\" \"$@\""});
  }
  std::string hosts() const { return folder_.path() + "/hosts"; }
  // In place: the mount is of this file.
  void Name(const std::string& address) {
    WriteFile(hosts(), "127.0.0.1 localhost\n" + address + " node.gemel.test\n");
  }
  std::string Config(int resolve_s) const {
    return "[proxy]\nlisten = [\"127.0.0.1:" + std::to_string(proxy_.port()) +
           "\"]\nwatch_config = false\n[health]\nresolve_s = " + std::to_string(resolve_s) +
           "\n[[shard]]\nname = \"a\"\nprimary = \"node.gemel.test:" + port_ + "\"\n";
  }
  // What the node at the new address answers.
  std::string Cli(const Words& words) const {
    std::string command = "redis-cli -h 127.0.0.3 -p " + port_;
    for (const std::string& word : words) command += " " + word;
    struct Close {
      void operator()(std::FILE* pipe) const { pclose(pipe); }
    };
    const std::unique_ptr<std::FILE, Close> pipe(popen((command + " 2>&1").c_str(), "r"));
    char text[256] = "";
    return std::fgets(text, sizeof(text), pipe.get()) == nullptr ? "" : text;
  }
  bool Moved() {
    return Eventually([this] {
      try {
        return Client(proxy_.port())("SET", "where", "new") == "OK" &&
               Cli({"GET", "where"}) == "new\n";
      } catch (const std::runtime_error&) {
        return false;
      }
    });
  }

  TempFolder folder_;
  std::unique_ptr<RedisNode> old_node_;
  ChildProcess new_node_;
  std::string port_;
  ProxyProcess proxy_;
};

TEST_F(HostNames, AreLookedAtAgainEverySoOften) {
  proxy_.Start(Config(1));
  Client client(proxy_.port());
  EXPECT_EQ(client("SET", "where", "old"), "OK");
  EXPECT_EQ(old_node_->Connect()("GET", "where"), "old");
  Name("127.0.0.3");
  EXPECT_TRUE(Moved());
  EXPECT_TRUE(proxy_.Logs("has another address now, 127.0.0.3"));
  EXPECT_EQ(client("GET", "where"), "new");
}

TEST_F(HostNames, AreLookedAtAgainAtAReload) {
  proxy_.Start(Config(0));
  Client client(proxy_.port());
  EXPECT_EQ(client("SET", "where", "old"), "OK");
  Name("127.0.0.3");
  WriteFile(proxy_.config_path(), Config(0) + "[read]\nhedge_ms = 51\n");
  proxy_.Signal(SIGHUP);
  EXPECT_TRUE(Moved());
  EXPECT_EQ(client("GET", "where"), "new");
}

TEST_F(HostNames, AreLookedAtAgainWhenAConnectionIsLost) {
  proxy_.Start(Config(0));
  Client client(proxy_.port());
  EXPECT_EQ(client("SET", "where", "old"), "OK");
  Name("127.0.0.3");
  old_node_->Kill();
  EXPECT_TRUE(Moved());
}

// While both servers live, a probe or a control connection to the one that is left would speak for
// the other.
TEST_F(HostNames, AllConnectionsFollowTheLink) {
  proxy_.Start(Config(0));
  Client client(proxy_.port());
  EXPECT_EQ(client("SET", "where", "old"), "OK");
  Client beside = old_node_->Connect();
  const auto connections = [&] {
    const std::string list = beside("CLIENT", "LIST").Text();
    return std::count(list.begin(), list.end(), '\n');
  };
  EXPECT_TRUE(Eventually([&] { return connections() >= 4; })) << "link, probe, control, this one";
  // So that the name is asked for again when the link is lost.
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));
  Name("127.0.0.3");
  const std::string list = beside("CLIENT", "LIST").Text();
  const size_t at = list.rfind("id=", list.find(" cmd=set "));
  const std::string id = list.substr(at + 3, list.find(' ', at) - at - 3);
  ASSERT_EQ(beside("CLIENT", "KILL", "ID", id), ":1") << list;
  EXPECT_TRUE(Moved());
  EXPECT_TRUE(Eventually([&] { return connections() == 1; })) << beside("CLIENT", "LIST").Text();
}

}  // namespace
}  // namespace gemel::e2e::host_names_test
