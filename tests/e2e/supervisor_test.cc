// gemel under a service manager: what it tells it, and what its log looks like in the journal.

#include <gtest/gtest.h>
#include <signal.h>

#include <sstream>

#include "tests/e2e/datagrams.h"
#include "tests/e2e/look.h"
#include "tests/e2e/proxy_process.h"
#include "tests/e2e/redis_node.h"

namespace gemel::e2e::supervisor_test {
namespace {

class Supervisor : public testing::Test {
 protected:
  std::string Config(const std::string& log = "") const {
    return "[proxy]\nwatch_config = false\nworkers = 2\nlisten = [\"127.0.0.1:" +
           std::to_string(proxy_.port()) + "\"]\n" + log + "[[shard]]\nname = \"a\"\nprimary = \"" +
           node_.address() + "\"\n";
  }
  void Launch(const std::string& environment) {
    proxy_.set_prefix({"env", "NOTIFY_SOCKET=" + manager_.address(), environment});
    WriteFile(proxy_.config_path(), Config());
    proxy_.Launch();
  }

  Datagrams manager_;
  RedisNode node_;
  ProxyProcess proxy_;
};

TEST_F(Supervisor, IsToldOnceClientsAreServed) {
  Launch("A=b");
  EXPECT_EQ(manager_.Read(), "READY=1\nSTATUS=serves 1 shards with 2 worker(s)");
  Client client(proxy_.port());  // at once
  EXPECT_EQ(client("SET", "k", "v"), "OK");
  EXPECT_EQ(proxy_.Stop(), 0);
  EXPECT_TRUE(manager_.Read().starts_with("STOPPING=1\n"));
  EXPECT_EQ(manager_.Read(0), "");
}

TEST_F(Supervisor, IsToldOfReloads) {
  Launch("A=b");
  EXPECT_TRUE(manager_.Read().starts_with("READY=1\n"));
  proxy_.Signal(SIGHUP);
  EXPECT_TRUE(manager_.Read().starts_with("RELOADING=1\nMONOTONIC_USEC="));
  EXPECT_EQ(manager_.Read(), "READY=1\nSTATUS=serves 1 shards with 2 worker(s)");
  WriteFile(proxy_.config_path(), "[proxi]\n" + Config());
  proxy_.Signal(SIGHUP);
  EXPECT_TRUE(manager_.Read().starts_with("RELOADING=1\n"));
  const std::string refused = manager_.Read();
  EXPECT_TRUE(
      refused.starts_with("READY=1\nSTATUS=serves 1 shards with 2 worker(s); the last "
                          "reload was refused: "))
      << refused;
  EXPECT_TRUE(Has(refused, "proxi")) << refused;
  // The file is good again, and so is what is said.
  WriteFile(proxy_.config_path(), Config());
  EXPECT_FALSE(Client(proxy_.port())("PROXY", "RELOAD").IsError());
  EXPECT_TRUE(manager_.Read().starts_with("RELOADING=1\n"));
  EXPECT_EQ(manager_.Read(), "READY=1\nSTATUS=serves 1 shards with 2 worker(s)");
  // Nothing is read by these.
  EXPECT_FALSE(Client(proxy_.port())("PROXY", "RELOAD", "DRYRUN").IsError());
  EXPECT_EQ(manager_.Read(100), "");
}

TEST_F(Supervisor, HearsThatItLives) {
  Launch("WATCHDOG_USEC=100000");
  EXPECT_TRUE(manager_.Read().starts_with("READY=1\n"));
  for (int i = 0; i < 5; ++i) EXPECT_EQ(manager_.Read(), "WATCHDOG=1");
  proxy_.Signal(SIGSTOP);
  while (!manager_.Read(200).empty()) {
  }
  EXPECT_EQ(manager_.Read(500), "");
  proxy_.Signal(SIGCONT);
  EXPECT_EQ(manager_.Read(), "WATCHDOG=1");
}

TEST_F(Supervisor, TheJournalGetsPrioritiesAndNoTimes) {
  proxy_.set_prefix({"sh", "-c",
                     "JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/2); "
                     "export JOURNAL_STREAM; exec \"$@\"",
                     "sh"});
  proxy_.Start(Config());
  WriteFile(proxy_.config_path(), "[proxi]\n" + Config());
  EXPECT_TRUE(Client(proxy_.port())("PROXY", "RELOAD").IsError());
  EXPECT_EQ(proxy_.Stop(), 0);
  std::istringstream log(proxy_.Log());
  size_t lines = 0;
  for (std::string line; std::getline(log, line); ++lines) {
    EXPECT_TRUE(line.starts_with("<6>") || line.starts_with("<4>") || line.starts_with("<3>"))
        << line;
  }
  EXPECT_GT(lines, 2u);
  EXPECT_TRUE(Has(proxy_.Log(), "\n<6>gemel ")) << proxy_.Log();
  EXPECT_TRUE(Has(proxy_.Log(), "\n<3>PROXY RELOAD: the config stays as it was: ")) << proxy_.Log();
}

// As when somebody has led its output elsewhere: the journal is not what it writes to.
TEST_F(Supervisor, AFileIsNoJournal) {
  proxy_.set_prefix({"env", "JOURNAL_STREAM=1:2"});
  proxy_.Start(Config());
  EXPECT_TRUE(proxy_.Logs(" info listening on "));
  EXPECT_EQ(proxy_.Stop(), 0);
  EXPECT_FALSE(Has(proxy_.Log(), "<6>")) << proxy_.Log();
}

}  // namespace
}  // namespace gemel::e2e::supervisor_test
