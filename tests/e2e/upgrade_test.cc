// The binary is replaced in place: clients go on as if nothing had been.

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "tests/e2e/cluster.h"
#include "tests/e2e/load.h"
#include "tests/e2e/raw_socket.h"
#include "tests/e2e/tls_client.h"
#include "tests/e2e/tls_files.h"
#include "tests/e2e/wait.h"

namespace gemel::e2e::upgrade_test {
namespace {

class Upgrade : public testing::TestWithParam<int> {
 protected:
  void Start(std::map<std::string, std::string> sections = {}) {
    sections.emplace("health", kImpatientProbes);
    cluster_ = std::make_unique<Cluster>(
        ClusterOptions{.shards = 2, .workers = GetParam(), .sections = std::move(sections)});
  }
  Cluster& cluster() { return *cluster_; }
  ProxyProcess& proxy() { return cluster_->proxy(); }

  // Of the process that serves, new with each binary.
  static std::string RunId(Client* client) {
    const std::string info = (*client)("INFO", "server").bytes;
    const size_t at = info.find("run_id:");
    return info.substr(at, info.find('\r', at) - at);
  }
  // True once another binary serves that client.
  static bool Changed(Client* client, const std::string& before) {
    return Eventually([&] { return RunId(client) != before; });
  }
  static void ExpectDone(const Reply& reply) {
    EXPECT_TRUE(reply.Text().starts_with("OK gemel ")) << reply;
  }
  // A program at that place in the proxy's folder.
  std::string Program(const std::string& name, const std::string& text) {
    const std::string path = proxy().folder() + "/" + name;
    WriteFile(path, text);
    ::chmod(path.c_str(), 0755);
    return path;
  }

  std::unique_ptr<Cluster> cluster_;
};

INSTANTIATE_TEST_SUITE_P(Workers, Upgrade, testing::Values(1, 2));

TEST_P(Upgrade, AClientGoesOn) {
  Start();
  Client client = cluster().Connect();
  EXPECT_EQ(client("SET", "k", "v"), "OK");
  const std::string before = RunId(&client);
  const pid_t pid = proxy().pid();
  ExpectDone(client("PROXY", "UPGRADE"));
  EXPECT_NE(RunId(&client), before);
  EXPECT_EQ(client("GET", "k"), "v");
  EXPECT_EQ(client("PROXY", "STATUS").Field("pid"), std::to_string(pid));
  EXPECT_EQ(cluster().Connect()("GET", "k"), "v");
}

// Five in a row under load: no error, nothing lost or done twice, no copy left behind.
TEST_P(Upgrade, UnderLoad) {
  Start();
  Client idle = cluster().Connect();
  EXPECT_EQ(idle("PING"), "PONG");
  Client admin = cluster().Connect();
  const std::vector<ShardStatus> before = cluster().Status();
  Load plain(proxy().port(), {.threads = 2, .name = "plain"});
  Load pipelined(proxy().port(), {.threads = 2, .keys = 16, .pipeline = 16, .name = "piped"});
  ASSERT_TRUE(plain.WaitForMore(200));
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(pipelined.WaitForMore(2000));
    ExpectDone(admin("PROXY", "UPGRADE"));
    ASSERT_TRUE(plain.WaitForMore(200));
    const std::vector<ShardStatus> now = cluster().Status();
    for (size_t shard = 0; shard < now.size(); ++shard) {
      EXPECT_TRUE(now[shard].AllInSync()) << i;
      EXPECT_EQ(now[shard].epoch, before[shard].epoch);
    }
  }
  plain.Stop();
  pipelined.Stop();
  plain.Verify(proxy().port());
  pipelined.Verify(proxy().port());
  EXPECT_EQ(idle("PING"), "PONG");
  EXPECT_EQ(proxy().Log().find("resync"), std::string::npos) << proxy().Log();
  cluster().ExpectCopiesEqual();
}

TEST_P(Upgrade, ASignalDoesIt) {
  Start();
  Client client = cluster().Connect();
  const std::string before = RunId(&client);
  proxy().Signal(SIGUSR2);
  EXPECT_TRUE(Changed(&client, before));
  const std::string then = RunId(&client);
  // Twice at once is once.
  proxy().Signal(SIGUSR2);
  proxy().Signal(SIGUSR2);
  EXPECT_TRUE(Changed(&client, then));
  EXPECT_EQ(client("SET", "k", "v"), "OK");
}

// What a package manager does.
TEST_P(Upgrade, TheFileMayBeReplacedMeanwhile) {
  Start({{"proxy", "protected_configs = \"local\""}});
  const std::string path = proxy().folder() + "/gemel";
  std::filesystem::copy_file(GemelBinary(), path);
  Client client = cluster().Connect();
  ExpectDone(client("PROXY", "UPGRADE", path));
  for (int i = 0; i < 2; ++i) {
    std::filesystem::copy_file(GemelBinary(), path + ".new");
    std::filesystem::rename(path + ".new", path);
    ExpectDone(client("PROXY", "UPGRADE"));
    EXPECT_EQ(std::filesystem::read_symlink("/proc/" + std::to_string(proxy().pid()) + "/exe"),
              path);
  }
}

TEST_P(Upgrade, ABadBinaryIsRefused) {
  Start({{"proxy", "protected_configs = \"local\""}});
  Client client = cluster().Connect();
  const std::string run_id = RunId(&client);
  const auto refused = [&client](const std::string& path) {
    return client("PROXY", "UPGRADE", path).Text();
  };
  EXPECT_TRUE(refused("/nowhere/gemel").ends_with("cannot be started: No such file or directory"));
  EXPECT_TRUE(refused("/bin/true").find("is no gemel that takes over clients") !=
              std::string::npos);
  const std::string other =
      Program("other", "#!/bin/sh\necho gemel 9.9 takes over clients, form 9999\n");
  EXPECT_TRUE(refused(other).find("(gemel 9.9) takes over no clients of this version") !=
              std::string::npos);
  EXPECT_EQ(RunId(&client), run_id);
  EXPECT_EQ(client("SET", "k", "v"), "OK");
}

// It is found before anybody is held.
TEST_P(Upgrade, ABadConfigIsRefused) {
  Start({{"proxy", "watch_config = false"}});
  Client client = cluster().Connect();
  const std::string run_id = RunId(&client);
  const std::string good = ReadFile(proxy().config_path());
  WriteFile(proxy().config_path(), good + "\n[no_such_section]\n");
  const std::string text = client("PROXY", "UPGRADE").Text();
  EXPECT_TRUE(text.find("does not take the config file") != std::string::npos) << text;
  EXPECT_TRUE(text.find("no_such_section") != std::string::npos) << text;
  EXPECT_EQ(RunId(&client), run_id);
  WriteFile(proxy().config_path(), good);
  ExpectDone(client("PROXY", "UPGRADE"));
}

// What takes longer than clients are held for: it is said who waits for what, and goes on.
TEST_P(Upgrade, WhoWaitsForLongIsNamed) {
  Start();
  Client client = cluster().Connect();
  Client traces = cluster().Connect();
  const std::string run_id = RunId(&client);
  traces.Append({"PROXY", "TRACE", "*", "8"});
  traces.Flush();
  ASSERT_TRUE(Eventually(
      [&] { return client("CLIENT", "LIST").bytes.find("cmd=proxy|trace") != std::string::npos; }));
  const std::string text = client("PROXY", "UPGRADE").Text();
  EXPECT_TRUE(text.find("what 127.0.0.1:") != std::string::npos) << text;
  EXPECT_TRUE(text.find(" has asked (proxy|trace at last) is not answered within the 2 s for which "
                        "clients are held: try again once it is") != std::string::npos)
      << text;
  EXPECT_EQ(RunId(&client), run_id);
  EXPECT_FALSE(traces.Read().IsError());
  ExpectDone(client("PROXY", "UPGRADE"));
}

TEST_P(Upgrade, APathNeedsTheFilesLeave) {
  Start();
  EXPECT_TRUE(cluster()
                  .Connect()("PROXY", "UPGRADE", GemelBinary())
                  .Text()
                  .starts_with("-ERR a path may be named only if the config file allows it"));
}

// One that passes the look and then cannot be carried out: the one before takes its place.
TEST_P(Upgrade, ABinaryThatVanishesIsFollowedByTheOneBefore) {
  Start({{"proxy", "protected_configs = \"local\""}});
  Client client = cluster().Connect();
  Client other = cluster().Connect();
  EXPECT_EQ(other("SET", "k", "v"), "OK");
  // It is good when it is asked, and gone afterwards.
  const std::string path = Program(
      "once", "#!/bin/sh\n[ \"$1\" = -t ] && rm \"$0\"\nexec " + GemelBinary() + " \"$@\"\n");
  const std::string text = client("PROXY", "UPGRADE", path).Text();
  EXPECT_TRUE(text.find("cannot be carried out: No such file or directory; the one before goes "
                        "on") != std::string::npos)
      << text;
  EXPECT_EQ(other("GET", "k"), "v");
  ExpectDone(client("PROXY", "UPGRADE"));
  EXPECT_EQ(other("GET", "k"), "v");
}

// What was set since the file was read is in effect still.
TEST_P(Upgrade, WhatConfigSetHasSetStays) {
  Start({{"proxy", "watch_config = false"}});
  Client client = cluster().Connect();
  EXPECT_EQ(client("CONFIG", "SET", "requirepass", "secret"), "OK");
  EXPECT_EQ(client("ACL", "SETUSER", "ann", "on", ">pw", "~*", "+@all"), "OK");
  Client ann = cluster().Connect();
  EXPECT_EQ(ann("AUTH", "ann", "pw"), "OK");
  ExpectDone(client("PROXY", "UPGRADE"));
  EXPECT_TRUE(cluster().Connect()("PING").Text().starts_with("-NOAUTH"));
  EXPECT_EQ(ann("ACL", "WHOAMI"), "ann");
  EXPECT_EQ(ann("SET", "k", "v"), "OK");
  EXPECT_EQ(client("CONFIG", "REWRITE"), "OK");
  EXPECT_TRUE(ReadFile(proxy().config_path()).find("secret") != std::string::npos);
  Client again = cluster().Connect();
  EXPECT_EQ(again("AUTH", "secret"), "OK");
}

// An order to stop that comes meanwhile is not lost.
TEST_P(Upgrade, TermMeanwhileStops) {
  Start();
  Client client = cluster().Connect();
  EXPECT_EQ(client("SET", "k", "v"), "OK");
  proxy().Signal(SIGUSR2);
  proxy().Signal(SIGTERM);
  EXPECT_EQ(proxy().Wait(), 0);
  proxy().Restart();
  EXPECT_EQ(cluster().Connect()("GET", "k"), "v");
  cluster().ExpectCopiesEqual();
}

TEST_P(Upgrade, ThoseWithTlsAreClosedInOrder) {
  TlsFiles files;
  files.Make("server");
  FreePort port;
  Start();
  std::string config = cluster().Config();
  const std::string plain = "\"127.0.0.1:" + std::to_string(proxy().port()) + "\"";
  config.replace(config.find(plain), plain.size(),
                 plain + ", \"tls:127.0.0.1:" + std::to_string(port.number()) + "\"");
  WriteFile(proxy().config_path(), config + files.Section("server", ""));
  Client client = cluster().Connect();
  EXPECT_FALSE(client("PROXY", "RELOAD").IsError());
  TlsClient secret(port.number(), {.ca = files.ca()});
  EXPECT_EQ(secret("SET", "k", "v"), "OK");
  ExpectDone(client("PROXY", "UPGRADE"));
  std::string why;
  try {
    secret("PING");
  } catch (const std::runtime_error& error) {
    why = error.what();
  }
  EXPECT_FALSE(why.empty());
  EXPECT_EQ(client("GET", "k"), "v");
  TlsClient again(port.number(), {.ca = files.ca()});
  EXPECT_EQ(again("GET", "k"), "v");
}

}  // namespace
}  // namespace gemel::e2e::upgrade_test
