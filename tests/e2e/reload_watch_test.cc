// A changed file takes effect by itself, however it was written.

#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "tests/e2e/look.h"
#include "tests/e2e/moving_load.h"
#include "tests/e2e/reload_world.h"

namespace gemel::e2e::reload_watch_test {
namespace {

namespace fs = std::filesystem;

// Nothing tells that the watch has looked and found no change: it looks 0.2 s after a write.
constexpr std::chrono::milliseconds kLongerThanItWaits{1500};
// The end of an order that was refused.
constexpr const char* kGivenUp = "the config stays as it was";

class ReloadWatch : public testing::TestWithParam<int> {  // workers
 protected:
  ReloadWatch()
      : world_({.copies = 1, .workers = GetParam()}), load_(world_.port(), {.threads = 2}) {
    world_.file().options["proxy"]["watch_config"] = "true";
    EXPECT_FALSE(world_.Reload().starts_with("-"));
  }
  std::string path() { return world_.proxy().config_path(); }
  // The next text: it has another number of clients.
  std::string Next() {
    world_.file().options["limits"]["max_clients"] = std::to_string(++number_);
    return world_.file().Text();
  }
  void ExpectInEffect() {
    EXPECT_TRUE(Eventually([&] {
      return world_.Setting("limits.max_clients") == std::to_string(number_);
    })) << world_.Connect()("PROXY", "STATUS");
    ExpectNoError();
  }
  // One worker may be asked before all have gone over, and the end of the reload is told after
  // that.
  void ExpectNoError() {
    EXPECT_TRUE(Eventually([&] { return world_.Status("last_reload_error").empty(); }))
        << world_.Status("last_reload_error");
  }
  void TearDown() override {
    EXPECT_TRUE(load_.WaitForMore(100));
    load_.Stop();
    load_.Verify();
  }

  ReloadWorld world_;
  MovingLoad load_;
  int number_ = 1000;
};
INSTANTIATE_TEST_SUITE_P(Workers, ReloadWatch, testing::Values(1, 2), [](const auto& info) {
  return std::string(info.param == 1 ? "One" : "TwoThreaded");
});

TEST_P(ReloadWatch, EveryWayOfWriting) {
  WriteOver(path(), Next());
  ExpectInEffect();
  WriteFile(path(), Next());  // in place
  ExpectInEffect();
  {
    // In pieces: a part of it is a good file of one shard.
    const std::string text = Next();
    std::ofstream out(path(), std::ios::trunc);
    for (size_t at = 0; at < text.size(); at += 100) {
      out << text.substr(at, 100) << std::flush;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }
  ExpectInEffect();
  fs::rename(path(), path() + "~");  // as vim does it
  WriteFile(path(), Next());
  ExpectInEffect();
  fs::remove(path());
  WriteFile(path(), Next());
  ExpectInEffect();
  // As Kubernetes does it: gemel.toml -> ..data/gemel.toml, ..data -> ..1
  const std::string folder = world_.proxy().folder();
  for (int version = 1; version <= 3; ++version) {
    const std::string data = folder + "/..version" + std::to_string(version);
    fs::create_directory(data);
    WriteFile(data + "/gemel.toml", Next());
    fs::create_symlink(fs::path(data).filename(), folder + "/..tmp");
    fs::rename(folder + "/..tmp", folder + "/..data");
    if (version == 1) {
      fs::create_symlink("..data/gemel.toml", folder + "/link");
      fs::rename(folder + "/link", path());
    }
    ExpectInEffect();
    if (version > 1) fs::remove_all(folder + "/..version" + std::to_string(version - 1));
  }
  EXPECT_EQ(world_.Shards().size(), 2u);
  EXPECT_TRUE(world_.Settled());
}

TEST_P(ReloadWatch, ABadFileIsToldAndTheNextGoodOneWorks) {
  const std::string before = world_.Setting("limits.max_clients");
  for (const std::string& bad : {std::string("[proxy\n"), std::string(), "[proxyy]\n" + Next()}) {
    const std::string refused = world_.Status("reloads_refused");
    WriteOver(path(), bad);
    EXPECT_TRUE(Eventually([&] { return world_.Status("reloads_refused") != refused; }));
    EXPECT_TRUE(world_.Status("last_reload_error").starts_with(path() + ":"));
    EXPECT_EQ(world_.Setting("limits.max_clients"), before);
  }
  fs::remove(path());
  WriteOver(path(), Next());
  ExpectInEffect();
}

TEST_P(ReloadWatch, CanBeSwitchedOff) {
  WriteOver(path(), Next());
  ExpectInEffect();
  // That, and the one that switched the watch on.
  EXPECT_TRUE(Eventually([&] { return world_.Status("reloads") == "2"; }));
  // The file that is in effect, again.
  WriteOver(path(), world_.file().Text());
  world_.file().options["proxy"]["watch_config"] = "false";
  WriteOver(path(), world_.file().Text());
  EXPECT_TRUE(Eventually([&] { return world_.Setting("proxy.watch_config") == "false"; }))
      << world_.Connect()("CONFIG", "GET", "proxy.watch_config");
  EXPECT_TRUE(Eventually([&] { return world_.Status("reloads") == "3"; }))
      << world_.Status("reloads");
  const std::string now = world_.Setting("limits.max_clients");
  WriteOver(path(), Next());
  std::this_thread::sleep_for(kLongerThanItWaits);
  EXPECT_EQ(world_.Setting("limits.max_clients"), now);
  EXPECT_TRUE(Has(world_.AskReload(), "limits.max_clients: " + now + " -> "));
  ExpectInEffect();
}

// What may be right in a moment is tried again; that holds nothing up, and is no secret.
TEST_P(ReloadWatch, WhatIsRefusedForTheMomentIsTriedAgain) {
  std::vector<std::string>& nodes = world_.file().shard("a").nodes;
  const std::string old = nodes[0];
  const std::string added = world_.NewNode();
  world_.node(added).Pause();
  nodes = {old, added};
  WriteOver(path(), Next());
  ExpectInEffect();
  const int refused = std::stoi(world_.Status("reloads_refused"));
  nodes = {added};  // which has nothing yet
  WriteOver(path(), world_.file().Text());
  EXPECT_TRUE(Eventually(
      [&] { return Has(world_.Status("last_reload_error"), "would lose its only copy in sync"); }));
  EXPECT_TRUE(Has(world_.Info("last_reload_error"), "would lose its only copy in sync"));
  EXPECT_EQ(world_.Connect()("CONFIG", "SET", "timeout", "3000"), "OK");
  EXPECT_EQ(world_.Setting("timeouts.idle_s"), "3000");
  EXPECT_TRUE(Has(world_.AskReload({"DRYRUN"}), "refused: "));
  EXPECT_FALSE(Has(world_.proxy().Log(), kGivenUp)) << world_.proxy().Log();
  EXPECT_EQ(world_.Status("reloads_refused"), std::to_string(refused + 1));
  world_.node(added).Resume();
  EXPECT_TRUE(world_.WaitUntilSettled()) << world_.Connect()("PROXY", "SHARDS");
  EXPECT_FALSE(Has(world_.proxy().Log(), kGivenUp)) << world_.proxy().Log();
  ExpectNoError();
  EXPECT_EQ(world_.Setting("timeouts.idle_s"), "0");  // it was not in the file
}

// Nobody said that the next file is to be loaded: it may not even be whole.
TEST_P(ReloadWatch, WhatIsTriedAgainIsTheSameFile) {
  world_.file().options["proxy"]["watch_config"] = "false";
  EXPECT_FALSE(world_.Reload().starts_with("-"));
  const std::string before = world_.Setting("limits.max_clients");
  const std::string old = world_.file().shard("a").nodes[0];
  world_.file().shard("a").nodes = {world_.NewNode()};
  WriteOver(path(), world_.file().Text());
  world_.proxy().Signal(SIGHUP);
  EXPECT_TRUE(Eventually([&] { return world_.Status("last_reload_error") != ""; }));
  world_.file().shard("a").nodes = {old};
  WriteOver(path(), Next());
  EXPECT_TRUE(Eventually([&] {
    return Has(world_.proxy().Log(), "the file has changed since it was read") ||
           world_.Setting("limits.max_clients") != before;
  }));
  EXPECT_EQ(world_.Setting("limits.max_clients"), before);
  EXPECT_FALSE(world_.AskReload().starts_with("-"));
  ExpectInEffect();
}

TEST_P(ReloadWatch, ConfigSetAndRewrite) {
  const std::string comment = "# who changes this must tell the others\n";
  WriteOver(path(), comment + Next() + "# the end\n");
  ExpectInEffect();
  Client client = world_.Connect();
  EXPECT_EQ(client("CONFIG", "SET", "maxclients", "77", "timeout", "3000"), "OK");
  EXPECT_EQ(world_.Setting("limits.max_clients"), "77");
  EXPECT_EQ(world_.Setting("timeouts.idle_s"), "3000");
  EXPECT_EQ(ReadFile(path()), comment + world_.file().Text() + "# the end\n");
  // All or none.
  EXPECT_TRUE(client("CONFIG", "SET", "maxclients", "88", "limits.max_bulk", "nonsense").IsError());
  EXPECT_TRUE(client("CONFIG", "SET", "maxclients", "88", "proxy.workers", "9").IsError());
  EXPECT_TRUE(client("CONFIG", "SET", "no.such.option", "9").IsError());
  EXPECT_EQ(world_.Setting("limits.max_clients"), "77");
  const std::string done = world_.Status("reloads");
  const size_t logged = world_.proxy().Log().size();
  EXPECT_EQ(client("CONFIG", "REWRITE"), "OK");
  const std::string text = ReadFile(path());
  EXPECT_TRUE(text.starts_with(comment)) << text;
  EXPECT_TRUE(text.ends_with("# the end\n")) << text;
  EXPECT_NE(text.find("max_clients = 77"), std::string::npos) << text;
  EXPECT_NE(text.find("idle_s = 3000"), std::string::npos) << text;
  // Its own write is no change.
  std::this_thread::sleep_for(kLongerThanItWaits);
  EXPECT_FALSE(Has(world_.proxy().Log().substr(logged), "the config file has changed"))
      << world_.proxy().Log();
  EXPECT_EQ(world_.AskReload(), "nothing changes\n");
  EXPECT_EQ(world_.Status("reloads"), done);
  EXPECT_EQ(RunProgram({GemelBinary(), "-t", "-c", path()}).exit_code, 0);
  // The file goes on to be watched.
  WriteOver(path(), Next());
  ExpectInEffect();
}

}  // namespace
}  // namespace gemel::e2e::reload_watch_test
