// A file system that does not answer, for the state, the config or the log. None can be had in a
// test; but to the rest of gemel it looks like a thread that never comes back from its call, so the
// thread that makes these calls is stopped, by itself, as a debugger does it.

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include <filesystem>

#include "tests/e2e/asan_option.h"
#include "tests/e2e/cluster.h"
#include "tests/e2e/look.h"

namespace gemel::e2e::hung_files_test {
namespace {

namespace fs = std::filesystem;

// One thread of a process, stopped as long as this lives.
class StoppedThread {
 public:
  StoppedThread(pid_t process, const std::string& name) {
    const std::string tasks = "/proc/" + std::to_string(process) + "/task";
    for (const auto& task : fs::directory_iterator(tasks)) {
      if (ReadFile(task.path() / "comm") == name + "\n")
        thread_ = std::stoi(task.path().filename());
    }
    if (thread_ == 0) throw std::runtime_error("no thread " + name);
    if (ptrace(PTRACE_SEIZE, thread_, 0, 0) != 0 || ptrace(PTRACE_INTERRUPT, thread_, 0, 0) != 0 ||
        waitpid(thread_, nullptr, __WALL) != thread_) {
      throw std::runtime_error("cannot stop thread " + name);
    }
  }
  ~StoppedThread() {
    if (thread_ != 0) ptrace(PTRACE_DETACH, thread_, 0, 0);
  }
  StoppedThread(const StoppedThread&) = delete;
  StoppedThread& operator=(const StoppedThread&) = delete;

  // Whether the process has ended it; until this is asked the process cannot go, either.
  bool Ended() {
    if (thread_ == 0 || waitpid(thread_, nullptr, __WALL | WNOHANG) == 0) return thread_ == 0;
    thread_ = 0;
    return true;
  }

 private:
  pid_t thread_ = 0;
};

int64_t LongestTurn(Client* client) {
  const std::string text = (*client)("INFO", "stats").bytes;
  return std::stoll(text.substr(text.find("longest_turn_ms:") + 16));
}

class HungFiles : public testing::Test {
 protected:
  HungFiles() : cluster_({.shards = 2, .sections = {{"health", kImpatientProbes}}}) {}
  void Serves() {
    Client client = cluster_.Connect();
    for (int i = 0; i < 100; ++i) {
      EXPECT_EQ(client("SET", cluster_.KeyOn(1), std::to_string(i)), "OK");
      EXPECT_EQ(client("GET", cluster_.KeyOn(0)), "v");
    }
  }
  int Stop(StoppedThread* hung) {
    cluster_.proxy().Signal(SIGTERM);
    EXPECT_TRUE(Eventually([&] { return hung->Ended(); }));
    return cluster_.proxy().Wait();
  }
  void SetUp() override { EXPECT_EQ(cluster_.Connect()("SET", cluster_.KeyOn(0), "v"), "OK"); }

  // A thread that is stopped cannot be looked through for pointers: what it alone holds would count
  // as leaked.
  AsanOption no_leak_check_{"detect_leaks=0"};

  Cluster cluster_;
};

TEST_F(HungFiles, TheStateHoldsUpOnlyWhatNeedsIt) {
  {
    StoppedThread hung(cluster_.proxy().pid(), "gemel-state");
    Client waiting = cluster_.Connect();
    cluster_.node(0, 1).Kill();
    waiting.Append({"SET", cluster_.KeyOn(0), "w"});
    Serves();
    // Also what else touches files, on threads of libuv's before.
    Client client = cluster_.Connect();
    for (int i = 0; i < 8; ++i) EXPECT_FALSE(client("PROXY", "RELOAD").IsError());
    EXPECT_LT(LongestTurn(&client), 1000);  // nothing waited for the disk: that takes for ever here
  }
  // It answers again.
  Client client = cluster_.Connect();
  EXPECT_TRUE(Eventually([&] { return client("SET", cluster_.KeyOn(0), "x") == "OK"; }));
  cluster_.node(0, 1).Start();
  cluster_.ExpectCopiesEqual();
}

TEST_F(HungFiles, TheStateDoesNotKeepItFromEnding) {
  StoppedThread hung(cluster_.proxy().pid(), "gemel-state");
  EXPECT_EQ(Stop(&hung), 1);
  EXPECT_TRUE(Has(cluster_.proxy().Log(), "stopped, but the state was not saved: the folder"))
      << cluster_.proxy().Log();
}

TEST_F(HungFiles, TheConfigHoldsUpReloadsAlone) {
  StoppedThread hung(cluster_.proxy().pid(), "gemel-reload");
  Client waiting = cluster_.Connect();
  waiting.Append({"PROXY", "RELOAD"});
  cluster_.proxy().Signal(SIGHUP);
  Serves();
  // A change of roles is made durable meanwhile.
  cluster_.node(0, 0).Kill();
  EXPECT_TRUE(cluster_.WaitUntilPrimary(0, cluster_.node(0, 1)));
  Serves();
  EXPECT_EQ(Stop(&hung), 0);
}

TEST_F(HungFiles, TheLogHoldsUpNothing) {
  StoppedThread hung(cluster_.proxy().pid(), "gemel-log");
  Serves();
  cluster_.node(0, 0).Kill();
  EXPECT_TRUE(cluster_.WaitUntilPrimary(0, cluster_.node(0, 1)));
  Client client = cluster_.Connect();
  EXPECT_FALSE(client("PROXY", "RELOAD").IsError());
  // More than may wait: so many lines a second, and long ones, of an order that changes nothing.
  Words order = {"CONFIG", "SET"};
  const Reply options = client("CONFIG", "GET", "*.*");
  for (size_t i = 0; i + 1 < options.items.size(); i += 2) {
    const std::string& name = options.items[i].bytes;
    order.insert(order.end(), {name, name == "write.ack" ? "?" : options.items[i + 1].bytes});
  }
  EXPECT_TRUE(Eventually(
      [&] {
        for (int i = 0; i < 100; ++i) EXPECT_TRUE(client.Run(order).IsError());
        return !Has(client("INFO", "persistence").bytes, "log_lines_lost:0\r\n");
      },
      std::chrono::seconds(90)));
  Serves();
  EXPECT_EQ(Stop(&hung), 0);
}

}  // namespace
}  // namespace gemel::e2e::hung_files_test
