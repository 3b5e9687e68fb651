// The program itself: its flags, its exit codes, what it says when it cannot start or is told to
// stop.

#include <gtest/gtest.h>
#include <signal.h>

#include "tests/e2e/cluster.h"
#include "tests/e2e/raw_socket.h"

namespace gemel::e2e::cli_test {
namespace {

constexpr const char* kShard = "[[shard]]\nname = \"a\"\nprimary = \"127.0.0.1:7101\"\n";

// Runs gemel with a config file of that text; its name in the output is replaced by FILE.
Finished RunWithConfig(const std::string& text, const Words& flags) {
  TempFolder folder;
  const std::string file = folder.path() + "/gemel.toml";
  WriteFile(file, text);
  Words command = {GemelBinary()};
  command.insert(command.end(), flags.begin(), flags.end());
  command.insert(command.end(), {"-c", file});
  Finished finished = RunProgram(command);
  for (size_t at; (at = finished.output.find(file)) != std::string::npos;) {
    finished.output.replace(at, file.size(), "FILE");
  }
  return finished;
}

TEST(Cli, VersionIsOneLine) {
  for (const char* flag : {"--version", "-V"}) {
    const Finished finished = RunProgram({GemelBinary(), flag});
    EXPECT_EQ(finished.exit_code, 0) << flag;
    EXPECT_TRUE(finished.output.starts_with("gemel ")) << finished.output;
    EXPECT_EQ(std::count(finished.output.begin(), finished.output.end(), '\n'), 1);
  }
}

TEST(Cli, HelpNamesTheFlags) {
  for (const char* flag : {"--help", "-h"}) {
    const Finished finished = RunProgram({GemelBinary(), flag});
    EXPECT_EQ(finished.exit_code, 0) << flag;
    for (const char* part : {"-c", "-t", "--against", "--version"}) {
      EXPECT_NE(finished.output.find(part), std::string::npos) << part << finished.output;
    }
  }
}

TEST(Cli, NoConfigOrUnknownFlagIsAnError) {
  EXPECT_NE(RunProgram({GemelBinary(), "--nonsense"}).exit_code, 0);
  const Finished missing = RunProgram({GemelBinary(), "-t", "-c", "/nonexistent/gemel.toml"});
  EXPECT_EQ(missing.exit_code, 1);
  EXPECT_NE(missing.output.find("/nonexistent/gemel.toml"), std::string::npos) << missing.output;
}

TEST(Cli, GoodConfigIsOk) {
  const Finished finished = RunWithConfig(kShard, {"-t"});
  EXPECT_EQ(finished.exit_code, 0);
  EXPECT_EQ(finished.output, "FILE: ok\n");
}

TEST(Cli, TheExampleConfigIsOk) {
  const std::string file = std::string(GEMEL_SOURCE) + "/config/gemel.toml";
  const Finished finished = RunProgram({GemelBinary(), "-t", "-c", file});
  EXPECT_EQ(finished.exit_code, 0);
  EXPECT_EQ(finished.output, file + ": ok\n");
}

// Runs gemel -t -c NEW --against OLD with files of these texts, in folders of their own.
Finished RunAgainst(const std::string& old_text, const std::string& new_text) {
  TempFolder old_folder;
  const std::string old_file = old_folder.path() + "/old.toml";
  WriteFile(old_file, old_text);
  Finished finished = RunWithConfig(new_text, {"-t", "--against", old_file});
  for (size_t at; (at = finished.output.find(old_file)) != std::string::npos;) {
    finished.output.replace(at, old_file.size(), "OLD");
  }
  return finished;
}

TEST(Cli, AgainstAnotherFileSaysWhatWouldChange) {
  // Relative paths are the same ones, because the new text would stand where the old one stands.
  const Finished same = RunAgainst(kShard, std::string("# the same\n") + kShard);
  EXPECT_EQ(same.exit_code, 0);
  EXPECT_EQ(same.output, "FILE: ok\nnothing would change\n");

  const std::string more =
      std::string("[proxy]\nworkers = 2\n[limits]\nmax_clients = 7\n") + kShard +
      "replicas = [\"127.0.0.1:7201\"]\n[[shard]]\nname = \"b\"\nprimary = \"127.0.0.1:7102\"\n";
  const Finished changed = RunAgainst(kShard, more);
  EXPECT_EQ(changed.exit_code, 0);
  for (const char* line :
       {"\nlimits.max_clients: 10000 -> 7\n", "\nshard b added: primary 127.0.0.1:7102, weight 1\n",
        "\nshard a: node 127.0.0.1:7201 added\n", "% of the keys change their owner\n",
        "% from a to b\n",
        "\nrefused: proxy.workers cannot change from 1 to 2 while gemel runs: it needs a "
        "restart\n"}) {
    EXPECT_NE(changed.output.find(line), std::string::npos) << line << changed.output;
  }
}

TEST(Cli, AgainstNeedsTwoGoodFiles) {
  const Finished bad_new = RunAgainst(kShard, std::string("[proxy]\nworkers = -1\n") + kShard);
  EXPECT_EQ(bad_new.exit_code, 1);
  EXPECT_TRUE(bad_new.output.starts_with("FILE:2:11: ")) << bad_new.output;
  const Finished bad_old = RunAgainst(std::string("[proxy]\nworkers = -1\n") + kShard, kShard);
  EXPECT_EQ(bad_old.exit_code, 1);
  EXPECT_NE(bad_old.output.find("OLD:2:11: "), std::string::npos) << bad_old.output;
  // Without -t it would be a start.
  EXPECT_NE(RunWithConfig(kShard, {"--against", "/nonexistent"}).exit_code, 0);
}

TEST(Cli, LogFileThatCannotBeOpenedSaysWhere) {
  const Finished finished =
      RunWithConfig(std::string("[log]\nfile = \"/proc/none/gemel.log\"\n") + kShard, {});
  EXPECT_EQ(finished.exit_code, 1);
  EXPECT_TRUE(finished.output.starts_with("FILE:2:8: the log file /proc/none/gemel.log cannot be"))
      << finished.output;
}

TEST(Cli, BadConfigSaysWhere) {
  struct Case {
    std::string text;
    const char* expected;  // the output begins with it
  };
  const std::vector<Case> cases = {
      {std::string("[proxy]\nlisten = [\n"), "FILE:"},
      {std::string("[proxy]\n  wrokers = 2\n") + kShard, "FILE:2:3: "},
      {std::string("[proxy]\nworkers = \"two\"\n") + kShard, "FILE:2:"},
      {std::string("[nonsense]\na = 1\n") + kShard, "FILE:1:"},
      {std::string(kShard) + kShard, "FILE:"},
      {std::string("[[shard]]\nname = \"a\"\nprimary = \"127.0.0.1\"\n"), "FILE:3:"},
      {std::string(kShard) + "replicas = [\"127.0.0.1:7101\"]\n", "FILE:4:"},
      {std::string("[proxy]\nworkers = 1\n"), "FILE"},
  };
  for (const Case& bad : cases) {
    for (const Words& flags : {Words{"-t"}, Words{}}) {  // a start refuses it with the same words
      const Finished finished = RunWithConfig(bad.text, flags);
      EXPECT_EQ(finished.exit_code, 1) << bad.text << finished.output;
      EXPECT_NE(finished.output.find(bad.expected), std::string::npos) << finished.output;
    }
  }
}

TEST(Cli, UnresolvableListenerSaysWhere) {
  const std::string text =
      std::string("[proxy]\nlisten = [\"no-such-host.invalid:6399\"]\n") + kShard;
  for (const Words& flags : {Words{"-t"}, Words{}}) {
    const Finished finished = RunWithConfig(text, flags);
    EXPECT_EQ(finished.exit_code, 1) << finished.output;
    EXPECT_TRUE(finished.output.starts_with(
        "FILE:2:11: the host of listen address no-such-host.invalid:6399 cannot be resolved: "))
        << finished.output;
  }
}

TEST(Cli, UnresolvableNodeIsAWarning) {
  struct Case {
    std::string text;
    std::string expected;  // the output begins with it
  };
  const std::vector<Case> cases = {
      {"[[shard]]\nname = \"a\"\nprimary = \"no-such-host.invalid:7101\"\n",
       "FILE:3:11: warning: the host of node no-such-host.invalid:7101 of shard 'a' cannot be "
       "resolved: "},
      {std::string(kShard) + "replicas = [\"127.0.0.1:7201\", \"no-such-host.invalid:7101\"]\n",
       "FILE:4:31: warning: the host of node no-such-host.invalid:7101 of shard 'a' cannot be "
       "resolved: "},
  };
  for (const Case& bad : cases) {
    const Finished finished = RunWithConfig(bad.text, {"-t"});
    EXPECT_EQ(finished.exit_code, 0) << finished.output;
    EXPECT_TRUE(finished.output.starts_with(bad.expected)) << finished.output;
  }
}

TEST(Cli, PortInUseSaysWhich) {
  RedisNode other;
  FreePort port;
  const std::string listen = "[proxy]\nlisten = [\"127.0.0.1:" + std::to_string(port.number()) +
                             "\",\n  \"" + other.address() + "\"]\n";
  for (const char* workers : {"workers = 1\n", "workers = 2\n"}) {
    const Finished finished = RunWithConfig(listen + workers + kShard, {});
    EXPECT_EQ(finished.exit_code, 1);
    const std::string expected =
        " FILE:3:3: cannot listen on " + other.address() + ": Address already in use; ";
    EXPECT_NE(finished.output.find(expected), std::string::npos) << finished.output;
  }
}

TEST(Cli, OneProxyForAStateFolder) {
  Cluster cluster;
  FreePort port;
  std::string config = cluster.Config();
  const std::string old = std::to_string(cluster.proxy().port());
  config.replace(config.find(old), old.size(), std::to_string(port.number()));
  const std::string file = cluster.proxy().folder() + "/second.toml";
  WriteFile(file, config);
  const Finished finished = RunProgram({GemelBinary(), "-c", file});
  EXPECT_EQ(finished.exit_code, 1);
  EXPECT_NE(finished.output.find("state"), std::string::npos) << finished.output;
}

TEST(Cli, ListensOnUnixSockets) {
  RedisNode node;
  ProxyProcess proxy;
  const std::string path = proxy.folder() + "/gemel.sock";
  proxy.Start("[proxy]\nlisten = [\"127.0.0.1:" + std::to_string(proxy.port()) + "\", \"unix:" +
              path + "\"]\n[[shard]]\nname = \"a\"\nprimary = \"" + node.address() + "\"\n");
  const Finished cli = RunProgram({"redis-cli", "-s", path, "SET", "k", "v"});
  EXPECT_EQ(cli.output, "OK\n");
  EXPECT_EQ(Client(proxy.port())("GET", "k"), "v");
  // A stop leaves no socket behind, and the next start does not stumble over one that was left.
  EXPECT_EQ(proxy.Stop(), 0);
  proxy.Restart();
  proxy.Kill();
  proxy.Restart();
  EXPECT_EQ(RunProgram({"redis-cli", "-s", path, "GET", "k"}).output, "v\n");
}

TEST(Cli, TermAndIntStopInOrder) {
  for (const int signal : {SIGTERM, SIGINT}) {
    RedisNode node;
    ProxyProcess proxy;
    proxy.Start("[proxy]\nlisten = [\"127.0.0.1:" + std::to_string(proxy.port()) +
                "\"]\n[[shard]]\nname = \"a\"\nprimary = \"" + node.address() + "\"\n");
    Client idle(proxy.port());
    EXPECT_EQ(idle("PING"), "PONG");
    proxy.Signal(signal);
    EXPECT_EQ(proxy.Wait(), 0);
    EXPECT_TRUE(idle.IsClosed());
  }
}

TEST(Cli, TermAnswersWhatIsInFlight) {
  RedisNode node;
  ProxyProcess proxy;
  proxy.Start("[proxy]\nlisten = [\"127.0.0.1:" + std::to_string(proxy.port()) +
              "\"]\n[timeouts]\ndrain_ms = 20000\nrequest_ms = 20000\n[health]\ntimeout_ms = "
              "20000\n[[shard]]\nname = \"a\"\nprimary = \"" +
              node.address() + "\"\n");
  Client client(proxy.port());
  EXPECT_EQ(client("SET", "k", "v"), "OK");
  RawSocket socket(proxy.port());
  // A new client may have only a few requests under way until it has had replies.
  for (int i = 0; i < 100; ++i) socket.Send(Encode({"GET", "k"}));
  socket.Read(700);
  node.Pause();
  for (int i = 0; i < 100; ++i) socket.Send(Encode({"GET", "k"}));
  // All of them have reached the proxy once it has read another command after them.
  EXPECT_TRUE(Eventually([&] {
    const Reply shards = Client(proxy.port())("PROXY", "SHARDS");
    return shards.items[0].Field("nodes").items[0].Field("pending").integer >= 100;
  }));
  proxy.Signal(SIGTERM);
  EXPECT_TRUE(Eventually([&] {  // it accepts no more
    try {
      Client late(proxy.port());
      return false;
    } catch (const std::runtime_error&) {
      return true;
    }
  }));
  node.Resume();
  std::string expected;
  for (int i = 0; i < 100; ++i) expected += "$1\r\nv\r\n";
  EXPECT_EQ(socket.ReadUntilClosed(), expected);
  EXPECT_EQ(proxy.Wait(), 0);
}

TEST(Cli, TermDoesNotWaitLongerThanTheDrainTime) {
  RedisNode node;
  ProxyProcess proxy;
  proxy.Start("[proxy]\nlisten = [\"127.0.0.1:" + std::to_string(proxy.port()) +
              "\"]\n[timeouts]\ndrain_ms = 200\nrequest_ms = 0\n[health]\ntimeout_ms = "
              "60000\n[[shard]]\nname = \"a\"\nprimary = \"" +
              node.address() + "\"\n");
  RawSocket socket(proxy.port());
  node.Pause();
  socket.Send(Encode({"GET", "k"}));
  proxy.Signal(SIGTERM);
  EXPECT_EQ(proxy.Wait(), 0);
}

TEST(Cli, HangupKeepsServing) {
  Cluster cluster({.shards = 1});
  Client client = cluster.Connect();
  EXPECT_EQ(client("SET", "k", "v"), "OK");
  cluster.proxy().Signal(SIGHUP);
  EXPECT_TRUE(Eventually([&] {
    EXPECT_EQ(client("GET", "k"), "v");
    return cluster.proxy().Log().find("SIGHUP: the config is what it was") != std::string::npos;
  }));
  for (int i = 0; i < 50; ++i) EXPECT_EQ(client("GET", "k"), "v");
  EXPECT_TRUE(cluster.proxy().running());
}

// With what it needs itself it is some thirty libraries.
TEST(Cli, LoadsNoLibraryOfHttpThatNobodyAskedFor) {
  Cluster cluster({.shards = 1});
  EXPECT_EQ(cluster.Connect()("SET", "k", "v"), "OK");
  const std::string maps = ReadFile("/proc/" + std::to_string(cluster.proxy().pid()) + "/maps");
  EXPECT_NE(maps.find("libssl"), maps.npos) << maps;
  EXPECT_EQ(maps.find("libcurl"), maps.npos) << maps;
}

TEST(Cli, LogsToAFile) {
  RedisNode node;
  ProxyProcess proxy;
  const std::string log = proxy.folder() + "/gemel.log";
  proxy.Start("[proxy]\nlisten = [\"127.0.0.1:" + std::to_string(proxy.port()) +
              "\"]\n[log]\nlevel = \"info\"\nfile = \"gemel.log\"\n[[shard]]\nname = \"a\"\n"
              "primary = \"" +
              node.address() + "\"\n");
  const std::string serves =
      " serves 1 shards with 1 worker(s); pid " + std::to_string(proxy.pid()) + "\n";
  EXPECT_TRUE(Eventually([&] { return ReadFile(log).find(serves) != std::string::npos; }))
      << ReadFile(log);
  EXPECT_NE(
      ReadFile(log).find(" info listening on 127.0.0.1:" + std::to_string(proxy.port()) + "\n"),
      std::string::npos)
      << ReadFile(log);
  EXPECT_EQ(proxy.Stop(), 0);
  EXPECT_TRUE(ReadFile(log).ends_with(" info stopped\n")) << ReadFile(log);
  EXPECT_EQ(proxy.Log(), "");  // all of it is in the file
}

}  // namespace
}  // namespace gemel::e2e::cli_test
