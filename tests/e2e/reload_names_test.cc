// Reloads of files with host names, while the name server takes its time. The proxy runs in a mount
// namespace of its own, whose resolver asks a server of the test.

#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <string>
#include <thread>

#include "tests/e2e/client.h"
#include "tests/e2e/free_port.h"
#include "tests/e2e/name_server.h"
#include "tests/e2e/proxy_process.h"
#include "tests/e2e/redis_node.h"

namespace gemel::e2e::reload_names_test {
namespace {

class ReloadNames : public testing::Test {
 protected:
  void SetUp() override {
    if (!names_.good()) {
      GTEST_SKIP() << "no mount namespace or no port 53 here: that needs root";
    }
    names_.Set("good.gemel.test", {"127.0.0.1"});
    names_.SetSilent(true);
    proxy_.set_prefix(names_.Prefix());
    proxy_.Start(Config());
  }
  std::string Config(const std::string& listen = "", const std::string& replicas = "") const {
    return "[proxy]\nlisten = [\"127.0.0.1:" + std::to_string(proxy_.port()) + "\"" + listen +
           "]\nwatch_config = false\n[timeouts]\ndrain_ms = 200\n[[shard]]\nname = \"a\"\n" +
           "primary = \"" + node_.address() + "\"\nreplicas = [" + replicas + "]\n";
  }
  // On a thread of its own, until the name server is asked.
  void BeginReload(const std::string& config, const std::string& word = "FORCE") {
    WriteFile(proxy_.config_path(), config);
    reload_ = std::thread([this, word] {
      try {
        answer_ = Client(proxy_.port())("PROXY", "RELOAD", word).Text();
      } catch (const std::runtime_error& error) {
        answer_ = error.what();
      }
      answered_ = true;
    });
    EXPECT_TRUE(Eventually([this] { return names_.asked() > 0; }));
  }
  // What it was told.
  std::string EndReload() {
    names_.SetSilent(false);
    reload_.join();
    return answer_;
  }
  void TearDown() override {
    if (reload_.joinable()) EndReload();
  }

  NameServer names_;
  RedisNode node_;
  FreePort further_;
  ProxyProcess proxy_;
  std::thread reload_;
  std::string answer_;
  std::atomic<bool> answered_{false};
};

TEST_F(ReloadNames, ClientsAreServedWhileAListenersHostIsResolved) {
  const std::string address = "slow.gemel.test:" + std::to_string(further_.number());
  BeginReload(Config(", \"" + address + "\""));
  Client client(proxy_.port());
  for (int i = 0; i < 100; ++i) EXPECT_EQ(client("INCR", "n"), ":" + std::to_string(i + 1));
  EXPECT_FALSE(answered_);
  EXPECT_NE(EndReload().find("gemel.toml:2:"), std::string::npos) << answer_;
  EXPECT_NE(answer_.find(address), std::string::npos) << answer_;
}

TEST_F(ReloadNames, AStopAnswersWhoWaitsForAName) {
  BeginReload(Config(", \"slow.gemel.test:" + std::to_string(further_.number()) + "\""));
  EXPECT_FALSE(answered_);
  proxy_.Signal(SIGTERM);
  // Before the session is gone that is to be told.
  EXPECT_TRUE(Eventually([this] { return answered_.load(); }));
  EXPECT_EQ(EndReload(), "-ERR gemel is being stopped");
  EXPECT_EQ(proxy_.Wait(), 0);
}

TEST_F(ReloadNames, EachHostIsResolvedOnce) {
  names_.SetSilent(false);
  std::string replicas;
  for (int port = 1; port <= 5; ++port) {
    replicas +=
        (port > 1 ? ", \"" : "\"") + std::string("good.gemel.test:") + std::to_string(port) + "\"";
  }
  BeginReload(Config("", replicas), "DRYRUN");
  EXPECT_NE(EndReload().find("node good.gemel.test:5 added"), std::string::npos) << answer_;
  EXPECT_EQ(names_.asked(), 1);
}

}  // namespace
}  // namespace gemel::e2e::reload_names_test
