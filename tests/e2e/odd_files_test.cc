// Files that are not what they should be (pipes, folders, links, other people's), where gemel reads
// its config and keeps its state: nothing hangs, nothing of others' is lost.

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "tests/e2e/cluster.h"
#include "tests/e2e/look.h"
#include "tests/e2e/reload_world.h"

namespace gemel::e2e::odd_files_test {
namespace {

namespace fs = std::filesystem;

constexpr const char* kShard = "[[shard]]\nname = \"a\"\nprimary = \"127.0.0.1:7101\"\n";
// Of somebody else: the tests run as root.
constexpr uid_t kUser = 12345;
constexpr gid_t kGroup = 23456;

void MakePipe(const std::string& path) { ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0) << path; }

TEST(OddConfigFile, NothingHangs) {
  TempFolder folder;
  const std::string pipe = folder.path() + "/pipe";
  MakePipe(pipe);
  struct Case {
    std::string file;
    std::string expected;
  };
  for (const Case& odd :
       {Case{pipe, "nobody writes into it"}, Case{folder.path(), "is a folder, expected a file"},
        Case{"/dev/zero", "is larger than 16mb"}, Case{"/dev/null", "is empty"}}) {
    for (const Words& flags : {Words{"-t"}, Words{}}) {
      Words command = {GemelBinary()};
      command.insert(command.end(), flags.begin(), flags.end());
      command.insert(command.end(), {"-c", odd.file});
      const Finished finished = RunProgram(command, "", std::chrono::seconds(30));
      EXPECT_EQ(finished.exit_code, 1) << odd.file << finished.output;
      EXPECT_TRUE(Has(finished.output, odd.expected)) << finished.output;
    }
  }
}

// As `gemel -t -c <(...)` in a shell.
TEST(OddConfigFile, APipeThatIsWrittenIsRead) {
  TempFolder folder;
  WriteFile(folder.path() + "/text", kShard);
  const Finished finished = RunProgram(
      {"sh", "-c", "(sleep 0.3; head -c 20 $1; sleep 0.3; tail -c +21 $1) | $0 -t -c /dev/stdin",
       GemelBinary(), folder.path() + "/text"});
  EXPECT_EQ(finished.exit_code, 0) << finished.output;
  EXPECT_EQ(finished.output, "/dev/stdin: ok\n");
}

TEST(OddConfigFile, AReloadOfAPipeIsRefusedAndTheNextWorks) {
  ReloadWorld world({.shards = 1, .copies = 1});
  const std::string path = world.proxy().config_path();
  const std::string good = ReadFile(path);
  fs::remove(path);
  MakePipe(path);
  Client client = world.Connect();
  const Reply refused = client("PROXY", "RELOAD");
  EXPECT_TRUE(refused.IsError());
  EXPECT_TRUE(Has(refused.Text(), "nobody writes into it")) << refused;
  EXPECT_EQ(client("SET", "k", "v"), "OK");
  EXPECT_EQ(client("CONFIG", "SET", "limits.max_clients", "77"), "OK");
  EXPECT_TRUE(client("CONFIG", "REWRITE").IsError());
  EXPECT_TRUE(S_ISFIFO(Look(path).st_mode));
  fs::remove(path);
  WriteFile(path, good);
  EXPECT_FALSE(client("PROXY", "RELOAD").IsError());
}

// The proxy of a pair, whose replica can be killed so that the state must be written.
class OddState : public testing::Test {
 protected:
  // Nothing but what a test changes is written.
  OddState()
      : cluster_({.shards = 1,
                  .sections = {{"health", kImpatientProbes},
                               {"removals", "follow = false\nset_limits = false"}}}) {}
  std::string state(const std::string& name) {
    return cluster_.proxy().folder() + "/state/" + name;
  }
  // A copy leaves, which must be durable first.
  void Change() {
    Client client = cluster_.Connect();
    cluster_.node(0, 1).Kill();
    EXPECT_TRUE(Eventually([&] { return client("SET", "k", "v") == "OK"; }));
    EXPECT_TRUE(Eventually(
        [&] { return cluster_.Status(0).Node(cluster_.node(0, 1).address()).state == "stale"; }));
  }

  Cluster cluster_;
};

TEST_F(OddState, APipeInTheWayOfTheNextStateIsNotWaitedFor) {
  MakePipe(state("topology.toml.tmp"));
  Change();
  EXPECT_FALSE(fs::exists(state("topology.toml.tmp")));
  EXPECT_EQ(cluster_.proxy().Stop(), 0);
}

TEST_F(OddState, ALinkInTheWayOfTheNextStateIsNotFollowed) {
  const std::string other = cluster_.proxy().folder() + "/other";
  WriteFile(other, "precious");
  fs::create_symlink(other, state("topology.toml.tmp"));
  Change();
  EXPECT_EQ(ReadFile(other), "precious");
  EXPECT_TRUE(fs::is_regular_file(fs::symlink_status(state("topology.toml"))));
}

// What was put in its place is not a state; no write waits for it, and none is lost.
TEST_F(OddState, APipeInPlaceOfTheStateIsRefusedAndNotWaitedFor) {
  Client client = cluster_.Connect();
  const std::string saved = ReadFile(state("topology.toml"));
  fs::remove(state("topology.toml"));
  MakePipe(state("topology.toml"));
  cluster_.node(0, 1).Kill();
  EXPECT_TRUE(Eventually(
      [&] { return Has(client("INFO", "persistence").bytes, "state_unsaved_shards:1"); }));
  EXPECT_TRUE(client("SET", "k", "v").Text().starts_with("-CLUSTERDOWN"));
  EXPECT_TRUE(S_ISFIFO(Look(state("topology.toml")).st_mode));
  fs::remove(state("topology.toml"));
  WriteFile(state("topology.toml"), saved);
  EXPECT_TRUE(Eventually([&] { return client("SET", "k", "v") == "OK"; }));
}

TEST_F(OddState, AStartIsRefusedAndDoesNotHang) {
  ASSERT_EQ(cluster_.proxy().Stop(), 0);
  const std::string saved = ReadFile(state("topology.toml"));
  const Words command = {GemelBinary(), "-c", cluster_.proxy().config_path()};
  for (const std::string name : {"topology.toml", "lock"}) {
    fs::rename(state(name), state("saved"));
    MakePipe(state(name));
    const Finished finished = RunProgram(command, "", std::chrono::seconds(20));
    EXPECT_EQ(finished.exit_code, 1) << name << finished.output;
    EXPECT_TRUE(Has(finished.output, "not a regular file")) << name << finished.output;
    fs::remove(state(name));
    fs::rename(state("saved"), state(name));
  }
  // A link that leads nowhere is no first start: what it leads to may not be mounted.
  fs::remove(state("topology.toml"));
  fs::create_symlink("/nonexistent/topology.toml", state("topology.toml"));
  const Finished finished = RunProgram(command, "", std::chrono::seconds(20));
  EXPECT_EQ(finished.exit_code, 1) << finished.output;
  EXPECT_TRUE(fs::is_symlink(state("topology.toml")));
  fs::remove(state("topology.toml"));
  WriteFile(state("topology.toml"), saved);
  cluster_.proxy().Restart();
  EXPECT_TRUE(cluster_.WaitUntilInSync());
}

// What a proxy left that was killed while it wrote.
TEST_F(OddState, ALeftTemporaryFileIsRemovedAtTheStart) {
  ASSERT_EQ(cluster_.proxy().Stop(), 0);
  WriteFile(state("topology.toml.tmp"), "half");
  cluster_.proxy().Restart();
  EXPECT_TRUE(cluster_.WaitUntilInSync());
  EXPECT_FALSE(fs::exists(state("topology.toml.tmp")));
}

TEST_F(OddState, OwnerGroupAndModeStay) {
  const std::string file = state("topology.toml");
  ASSERT_EQ(::chown(file.c_str(), kUser, kGroup), 0);
  ASSERT_EQ(::chmod(file.c_str(), 0604), 0);
  const ino_t before = Look(file).st_ino;
  Change();
  const struct stat now = Look(file);
  EXPECT_NE(now.st_ino, before);
  EXPECT_EQ(now.st_uid, kUser);
  EXPECT_EQ(now.st_gid, kGroup);
  EXPECT_EQ(now.st_mode & 07777, 0604u);
}

TEST_F(OddState, ALinkToTheStateStays) {
  const std::string real = cluster_.proxy().folder() + "/real.toml";
  fs::rename(state("topology.toml"), real);
  fs::create_symlink("../real.toml", state("topology.toml"));
  const std::string before = ReadFile(real);
  Change();
  EXPECT_TRUE(fs::is_symlink(state("topology.toml")));
  EXPECT_NE(ReadFile(real), before);
  EXPECT_FALSE(fs::exists(real + ".tmp"));
  EXPECT_EQ(cluster_.proxy().Stop(), 0);
  EXPECT_TRUE(fs::is_symlink(state("topology.toml")));
}

class Rewrite : public testing::Test {
 protected:
  Rewrite() : world_({.shards = 1, .copies = 1}) {
    EXPECT_EQ(world_.Connect()("CONFIG", "SET", "limits.max_clients", "77"), "OK");
  }
  std::string path() { return world_.proxy().config_path(); }
  // What is in the folder, by name.
  std::vector<std::string> Names() {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(world_.proxy().folder())) {
      names.push_back(entry.path().filename());
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  ReloadWorld world_;
};

TEST_F(Rewrite, OwnerGroupAndModeStay) {
  ASSERT_EQ(::chown(path().c_str(), kUser, kGroup), 0);
  ASSERT_EQ(::chmod(path().c_str(), 0604), 0);
  const std::vector<std::string> names = Names();
  EXPECT_EQ(world_.Connect()("CONFIG", "REWRITE"), "OK");
  EXPECT_TRUE(Has(ReadFile(path()), "max_clients = 77"));
  const struct stat now = Look(path());
  EXPECT_EQ(now.st_uid, kUser);
  EXPECT_EQ(now.st_gid, kGroup);
  EXPECT_EQ(now.st_mode & 07777, 0604u);
  EXPECT_EQ(Names(), names);
}

TEST_F(Rewrite, ALinkStays) {
  const std::string real = world_.proxy().folder() + "/real.toml";
  fs::rename(path(), real);
  fs::create_symlink("real.toml", path());
  ASSERT_EQ(::chown(real.c_str(), kUser, kGroup), 0);
  EXPECT_EQ(world_.Connect()("CONFIG", "REWRITE"), "OK");
  EXPECT_TRUE(fs::is_symlink(path()));
  EXPECT_TRUE(Has(ReadFile(real), "max_clients = 77"));
  EXPECT_EQ(Look(real).st_uid, kUser);
}

// As a user who may write into the folder, but not give files away.
TEST(RewriteByAUser, WhatCannotBeKeptIsAnErrorAndNothingChanges) {
  RedisNode node;
  ProxyProcess proxy;
  const std::string config =
      "[proxy]\nwatch_config = false\nlisten = [\"127.0.0.1:" + std::to_string(proxy.port()) +
      "\"]\n[[shard]]\nname = \"a\"\nprimary = \"" + node.address() + "\"\n";
  WriteFile(proxy.config_path(), config);
  ASSERT_EQ(::chmod(proxy.config_path().c_str(), 0644), 0);
  ASSERT_EQ(::chown(proxy.folder().c_str(), kUser, kUser), 0);
  const std::string id = std::to_string(kUser);
  proxy.set_prefix({"setpriv", "--reuid=" + id, "--regid=" + id, "--clear-groups"});
  // The program must be where that user finds it.
  proxy.Restart();
  Client client(proxy.port());
  ASSERT_EQ(client("CONFIG", "SET", "limits.max_clients", "77"), "OK");
  const struct stat before = Look(proxy.config_path());
  const Reply refused = client("CONFIG", "REWRITE");
  EXPECT_TRUE(Has(refused.Text(), "its owner (user 0, group 0) cannot be kept: ")) << refused;
  EXPECT_EQ(ReadFile(proxy.config_path()), config);
  EXPECT_EQ(Look(proxy.config_path()).st_ino, before.st_ino);
  for (const auto& entry : fs::directory_iterator(proxy.folder())) {
    EXPECT_FALSE(entry.path().filename().string().starts_with("gemel.toml.")) << entry.path();
  }
  // It is told once more what to do, and then it works.
  ASSERT_EQ(::chown(proxy.config_path().c_str(), kUser, kUser), 0);
  EXPECT_EQ(client("CONFIG", "REWRITE"), "OK");
  EXPECT_TRUE(Has(ReadFile(proxy.config_path()), "max_clients = 77"));
}

}  // namespace
}  // namespace gemel::e2e::odd_files_test
