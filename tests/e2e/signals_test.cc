// No signal ends or stops gemel but those that are meant to.

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include "tests/e2e/cluster.h"
#include "tests/e2e/look.h"
#include "tests/e2e/raw_socket.h"

namespace gemel::e2e::signals_test {
namespace {

class Signals : public testing::Test {
 protected:
  Signals() {
    config_ =
        "[proxy]\nwatch_config = false\nlisten = [\"127.0.0.1:" + std::to_string(proxy_.port()) +
        "\"]\n[[shard]]\nname = \"a\"\nprimary = \"" + node_.address() + "\"\n";
    WriteFile(proxy_.config_path(), config_);
  }
  // The third word of /proc/PID/stat: 'T' is stopped.
  char State() {
    const std::string text = ReadFile("/proc/" + std::to_string(proxy_.pid()) + "/stat");
    return text.at(text.rfind(')') + 2);
  }

  RedisNode node_;
  ProxyProcess proxy_;
  std::string config_;
};

TEST_F(Signals, NoneEndsOrStopsIt) {
  proxy_.Restart();
  Client client(proxy_.port());
  std::vector<int> signals = {SIGPIPE,   SIGHUP,  SIGUSR1, SIGUSR2, SIGTTIN,  SIGTTOU,   SIGTSTP,
                              SIGALRM,   SIGPROF, SIGXFSZ, SIGXCPU, SIGWINCH, SIGVTALRM, SIGCONT,
                              SIGSTKFLT, SIGIO,   SIGPWR,  SIGURG,  SIGCHLD};
  for (int number = SIGRTMIN; number <= SIGRTMAX; ++number) signals.push_back(number);
  for (const int number : signals) {
    proxy_.Signal(number);
    EXPECT_EQ(client("SET", "k", std::to_string(number)), "OK") << number;
    ASSERT_TRUE(proxy_.running()) << number;
    ASSERT_NE(State(), 'T') << number;
  }
  EXPECT_EQ(proxy_.Stop(), 0);
}

TEST_F(Signals, QuitIsAnOrderlyEnd) {
  proxy_.Restart();
  Client idle(proxy_.port());
  EXPECT_EQ(idle("PING"), "PONG");
  proxy_.Signal(SIGQUIT);
  EXPECT_EQ(proxy_.Wait(), 0);
  EXPECT_TRUE(Has(proxy_.Log(), "SIGQUIT: stopping; what is in flight is answered first"));
  EXPECT_TRUE(proxy_.Log().ends_with(" info stopped\n")) << proxy_.Log();
  EXPECT_TRUE(Has(ReadFile(proxy_.folder() + "/state/topology.toml"), "clean = true"))
      << proxy_.Log();
}

TEST_F(Signals, ManyAreOneOrderlyEnd) {
  proxy_.Restart();
  RawSocket socket(proxy_.port());
  node_.Pause();
  socket.Send("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n");
  for (int i = 0; i < 200; ++i) {
    for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGQUIT}) proxy_.Signal(number);
  }
  node_.Resume();
  EXPECT_EQ(proxy_.Wait(), 0);
  EXPECT_TRUE(proxy_.Log().ends_with(" info stopped\n")) << proxy_.Log();
  EXPECT_TRUE(Has(ReadFile(proxy_.folder() + "/state/topology.toml"), "clean = true"));
}

TEST_F(Signals, AFloodOfHangupsHoldsUpNoOrder) {
  proxy_.Restart();
  for (int i = 0; i < 2000; ++i) proxy_.Signal(SIGHUP);
  Client client(proxy_.port());
  EXPECT_EQ(client("SET", "k", "v"), "OK");
  EXPECT_FALSE(client("PROXY", "RELOAD").IsError());
  EXPECT_EQ(proxy_.Stop(), 0);
}

// In a start that cannot come to its end.
TEST_F(Signals, TermEndsAStartThatWaits) {
  TempFolder folder;
  const std::string pipe = folder.path() + "/pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  ChildProcess gemel;
  gemel.Start({GemelBinary(), "-c", pipe}, folder.path() + "/log");
  EXPECT_TRUE(Eventually(
      [&] { return Has(ReadFile("/proc/" + std::to_string(gemel.pid()) + "/cmdline"), "gemel"); }));
  gemel.Signal(SIGTERM);
  EXPECT_NE(gemel.Wait(), -1);
}

}  // namespace
}  // namespace gemel::e2e::signals_test
