// Each kind of change by itself, under load: it takes effect, and no client notices anything else.
// Those of nodes, shards and the ring are in reload_shards_test.cc.

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <sstream>

#include "tests/e2e/reload_under_load.h"

namespace gemel::e2e::reload_test {
namespace {

// As any server would ask for it.
bool CanListen(uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int yes = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  const bool can =
      bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0 && listen(fd, 1) == 0;
  close(fd);
  return can;
}

INSTANTIATE_TEST_SUITE_P(Workers, Reload, testing::Values(1, 2), [](const auto& info) {
  return std::string(info.param == 1 ? "One" : "TwoThreaded");
});

TEST_P(Reload, Options) {
  Begin();
  Client client = world().Connect();
  const std::string big(5000, 'v');
  EXPECT_EQ(client("SET", "big", big), "OK");
  Set("limits", "max_bulk", "\"4kb\"");
  EXPECT_EQ(world().Setting("limits.max_bulk"), "4096");
  EXPECT_TRUE(world().Connect()("SET", "big", big).IsError());
  EXPECT_EQ(client("PING"), "PONG");
  Set("limits", "max_bulk", "\"1mb\"");
  EXPECT_EQ(world().Connect()("SET", "big", big), "OK");

  const std::string primary = world().Shard("a").primary;
  const std::string key = world().KeyOn("a");
  EXPECT_EQ(client("PROXY", "EXPLAIN", "GET", key).items.at(0).Field("read_from"), primary);
  Set("read", "from", "\"replica\"");
  const Reply explained = client("PROXY", "EXPLAIN", "GET", key).items.at(0);
  EXPECT_NE(explained.Field("read_from"), primary);
  EXPECT_EQ(explained.Field("why"), "reads go to a replica");
  Set("read", "from", "\"balanced\"");
  Set("write", "ack", "\"primary\"");
  Set("write", "ack", "\"all\"");
  Set("read", "from", "\"primary\"");

  // A second client more than may be.
  Set("limits", "max_clients", "6");  // four of the load, and `client`
  std::optional<Client> sixth;
  // Connections of before may take a moment to be seen as gone.
  EXPECT_TRUE(Eventually([&] {
    try {
      sixth.emplace(world().port());
      return (*sixth)("PING") == "PONG";
    } catch (const std::runtime_error&) {
      return false;
    }
  }));
  EXPECT_TRUE(Has(world().Connect().Read().Text(), "max number of clients"));
  file().options["limits"].erase("max_clients");
  world().Write();
  world().proxy().Signal(SIGHUP);
  EXPECT_TRUE(Eventually([&] {
    return (*sixth)("CONFIG", "GET", "limits.max_clients").items.at(1).bytes == "10000";
  }));
  EXPECT_EQ(world().Connect()("PING"), "PONG");
  End();
}

TEST_P(Reload, IdleClientsAreClosedAndOthersAreNot) {
  Begin();
  Client idle = world().Connect();
  EXPECT_EQ(idle("PING"), "PONG");
  Set("timeouts", "idle_s", "3");  // longer than the load may have to wait for a processor
  EXPECT_TRUE(idle.IsClosed());
  Set("timeouts", "idle_s", "0");
  End();
}

TEST_P(Reload, Log) {
  Begin();
  const std::string path = world().proxy().folder() + "/gemel.log";
  Set("log", "file", "\"" + path + "\"");
  EXPECT_TRUE(Eventually([&] { return Has(ReadFile(path), "a new config is in effect"); }));
  Set("log", "level", "\"error\"");
  const std::string quiet = ReadFile(path);
  file().options["proxy"]["protected_configs"] = "\"yes\"";  // for CONFIG SET below
  Set("read", "from", "\"replica\"");
  EXPECT_EQ(ReadFile(path), quiet);
  // What cannot be opened changes nothing.
  file().options["log"]["file"] = "\"/proc/none/gemel.log\"";
  file().options["read"]["from"] = "\"primary\"";
  const std::string text = file().Text();
  const size_t at = text.find("\"/proc/none");
  const size_t line = text.rfind('\n', at) + 1;
  const std::string place =
      ":" +
      std::to_string(1 + std::count(text.begin(), text.begin() + static_cast<long>(at), '\n')) +
      ":" + std::to_string(at - line + 1) + ": ";
  const std::string answer = world().Reload();
  EXPECT_TRUE(answer.starts_with("-ERR " + world().proxy().config_path() + place +
                                 "the log file /proc/none/gemel.log cannot be opened"))
      << answer << place;
  // What is set has no place in the file.
  const Reply set = world().Connect()("CONFIG", "SET", "log.file", "/proc/none/gemel.log");
  EXPECT_TRUE(set.bytes.starts_with("ERR CONFIG SET failed - the log file /proc/none")) << set;
  EXPECT_EQ(world().Setting("read.from"), "replica");
  file().options.erase("log");
  EXPECT_FALSE(world().Reload().starts_with("-"));
  const std::string to_stderr = world().proxy().Log();
  Set("read", "from", "\"balanced\"");
  EXPECT_TRUE(Eventually([&] { return world().proxy().Log() != to_stderr; }));
  EXPECT_FALSE(Has(ReadFile(path), "balanced"));
  End();
}

TEST_P(Reload, Listeners) {
  Begin();
  FreePort second;
  const std::string address = "127.0.0.1:" + std::to_string(second.number());
  const std::string path = world().proxy().folder() + "/gemel.sock";
  const std::vector<std::string> before = file().listen;
  file().listen.push_back(address);
  file().listen.push_back("unix:" + path);
  const std::string answer = world().Reload();
  EXPECT_TRUE(Has(answer, "listener " + address + " added")) << answer;
  EXPECT_TRUE(Has(answer, "listener unix:" + path + " added")) << answer;
  std::vector<Client> clients;
  for (int i = 0; i < 3; ++i) {
    clients.emplace_back(second.number());
    clients.push_back(Client::OnUnixSocket(path));
  }
  MovingLoad there(second.number(), {.threads = 2, .prefix = "there:"});
  for (size_t i = 0; i < clients.size(); ++i) {
    EXPECT_EQ(clients[i]("INCR", "listeners"), ":" + std::to_string(i + 1));
  }
  EXPECT_TRUE(there.WaitForMore(100));

  file().listen = before;
  EXPECT_TRUE(Has(world().Reload(), "listener " + address + " removed"));
  EXPECT_TRUE(Eventually([&] { return !Accepts(second.number()); }));
  EXPECT_FALSE(std::filesystem::exists(path));
  // Its clients stay, and the port is free for others.
  EXPECT_TRUE(there.WaitForMore(100));
  for (Client& client : clients) EXPECT_FALSE(client("INCR", "listeners").IsError());
  EXPECT_EQ(world().Connect()("GET", "listeners"), "12");
  EXPECT_TRUE(CanListen(second.number()));
  // And again.
  file().listen.push_back(address);
  file().listen.push_back("unix:" + path);
  EXPECT_FALSE(world().Reload().starts_with("-"));
  EXPECT_EQ(Client(second.number())("PING"), "PONG");
  EXPECT_EQ(Client::OnUnixSocket(path)("PING"), "PONG");
  there.Stop();
  End();
}

TEST_P(Reload, PortInUse) {
  Begin();
  FreePort first;
  const std::string taken = world().NewNode();
  file().listen.push_back("127.0.0.1:" + std::to_string(first.number()));
  const std::string path = world().proxy().folder() + "/gemel.sock";
  file().listen.push_back("unix:" + path);
  file().listen.push_back(taken);
  file().options["read"]["from"] = "\"replica\"";
  const std::string answer = world().Reload();
  EXPECT_TRUE(answer.starts_with("-ERR ")) << answer;
  EXPECT_TRUE(Has(answer, taken)) << answer;
  EXPECT_EQ(world().Setting("read.from"), "primary");
  EXPECT_TRUE(Eventually([&] { return !Accepts(first.number()); }));
  EXPECT_FALSE(std::filesystem::exists(path));
  // Also where nothing is to be done.
  EXPECT_TRUE(Has(world().AskReload({"DRYRUN"}), "refused: "));
  file().listen.resize(3);
  world().Write();
  EXPECT_TRUE(Has(world().AskReload({"DRYRUN"}), "listener unix:" + path + " added"));
  EXPECT_FALSE(std::filesystem::exists(path));
  EXPECT_FALSE(Accepts(first.number()));
  EXPECT_FALSE(world().Reload().starts_with("-"));
  EXPECT_TRUE(Accepts(first.number()));
  EXPECT_EQ(world().Setting("read.from"), "replica");
  End();
}

// The system gives 127.0.0.1 to nobody while somebody has all addresses, nor the other way round.
TEST_P(Reload, AListenerThatIsInTheWayOfItselfIsNamed) {
  Begin();
  const std::string now = file().listen[0];
  file().listen = {"0.0.0.0:" + std::to_string(world().port())};
  const std::string answer = world().Reload();
  EXPECT_TRUE(answer.starts_with("-ERR " + world().proxy().config_path() + ":")) << answer;
  EXPECT_TRUE(Has(answer, "gemel itself listens on " + now + " there")) << answer;
  EXPECT_TRUE(Has(answer, "in two steps")) << answer;
  End();
}

TEST_P(Reload, PasswordOfTheNodes) {
  Begin();
  for (int round = 1; round <= 2; ++round) {
    const std::string password = "secret-" + std::to_string(round);
    for (ConfigFile::Shard& shard : file().shards) {
      for (const std::string& address : shard.nodes) {
        Client client = world().node(address).Connect();
        if (round > 1) client("AUTH", shard.password);
        EXPECT_EQ(client("CONFIG", "SET", "requirepass", password), "OK");
      }
    }
    for (ConfigFile::Shard& shard : file().shards) shard.password = password;
    const std::string answer = world().Reload();
    EXPECT_TRUE(Has(answer, "password")) << answer;
    EXPECT_FALSE(Has(answer, password)) << answer;
    EXPECT_TRUE(load().WaitForMore(200));
    // New connections use it.
    for (const ConfigFile::Shard& shard : file().shards) {
      for (const std::string& address : shard.nodes) {
        Client client = world().node(address).Connect();
        EXPECT_EQ(client("AUTH", password), "OK");
        client("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
        EXPECT_TRUE(load().WaitForMore(100));
        // One at a time: what is asked again elsewhere is not to lose that connection, too.
        ASSERT_TRUE(world().WaitUntilSettled()) << world().Connect()("PROXY", "SHARDS");
      }
    }
    ASSERT_TRUE(world().WaitUntilSettled()) << world().Connect()("PROXY", "SHARDS");
  }
  EXPECT_FALSE(Has(world().proxy().Log(), "secret-"));
  load().Stop();
  load().Verify();
  for (const ConfigFile::Shard& shard : file().shards) {
    for (const std::string& address : shard.nodes) {
      Client client = world().node(address).Connect();
      client("AUTH", shard.password);
      client("CONFIG", "SET", "requirepass", "");
    }
  }
  world().ExpectCopiesEqual();
}

TEST_P(Reload, PasswordOfTheClients) {
  Begin();
  Client before = world().Connect();
  file().options["proxy"]["password"] = "\"secret\"";
  const std::string answer = world().Reload();
  EXPECT_TRUE(Has(answer, "proxy.password: (changed)")) << answer;
  EXPECT_FALSE(Has(answer, "secret")) << answer;
  // Who was let in stays in.
  EXPECT_EQ(before("PING"), "PONG");
  EXPECT_TRUE(load().WaitForMore(300));
  Client after = world().Connect();
  EXPECT_TRUE(after("GET", "k").Text().starts_with("-NOAUTH"));
  EXPECT_TRUE(after("AUTH", "wrong").IsError());
  EXPECT_EQ(after("AUTH", "secret"), "OK");
  EXPECT_EQ(after("GET", "k"), "(nil)");
  file().options["proxy"].erase("password");
  world().Write();
  world().proxy().Signal(SIGHUP);
  EXPECT_TRUE(Eventually([&] { return !world().Connect()("GET", "k").IsError(); }));
  End();
}

TEST_P(Reload, RolesThatAPromotionChangedStay) {
  Begin();
  const std::string configured = file().shard("a").nodes[0];
  const std::string promoted = file().shard("a").nodes[1];
  world().node(configured).Kill();
  EXPECT_TRUE(Eventually([&] { return world().Shard("a").primary == promoted; }));
  file().options["limits"]["max_clients"] = "500";
  EXPECT_FALSE(world().Reload().starts_with("-"));
  EXPECT_EQ(world().Shard("a").primary, promoted);
  EXPECT_EQ(world().Shard("a").Node(configured).state, "stale");
  world().node(configured).Start();
  ASSERT_TRUE(world().WaitUntilSettled());
  const int64_t epoch = world().Shard("a").epoch;
  file().options["limits"]["max_clients"] = "600";
  world().ReloadAndSettle();
  // Both nodes stay, so also a line of that shard changes no role.
  file().shard("b").nodes.pop_back();
  world().ReloadAndSettle();
  const ShardStatus shard = world().Shard("a");
  EXPECT_EQ(shard.primary, promoted);
  EXPECT_EQ(shard.config_primary, configured);
  EXPECT_EQ(shard.epoch, epoch);
  End();
}

TEST_P(Reload, WhatNeedsARestartIsRefused) {
  Begin();
  const ConfigFile good = file();
  const auto refused = [&](const std::string& sentence) {
    file().options["read"]["from"] = "\"replica\"";
    world().Write();
    for (const std::string& answer : {world().AskReload({"DRYRUN"}), world().AskReload()}) {
      EXPECT_TRUE(answer.starts_with("-ERR ") || Has(answer, "refused: ")) << answer;
      EXPECT_TRUE(Has(answer, sentence + " while gemel runs: it needs a restart")) << answer;
    }
    EXPECT_EQ(world().Setting("read.from"), "primary");
    EXPECT_TRUE(Has(world().Status("last_reload_error"), sentence));
    file() = good;
    EXPECT_EQ(world().Reload(), "nothing changes\n");
  };
  file().options["proxy"]["workers"] = "3";
  refused("proxy.workers cannot change from " + std::to_string(GetParam()) + " to 3");
  file().options["proxy"]["state_dir"] = "\"elsewhere\"";
  refused("proxy.state_dir cannot change from " + world().proxy().folder() + "/state to " +
          world().proxy().folder() + "/elsewhere");
  file().shard("b").lines = "database = 1\n";
  refused("the database of shard b cannot change from 0 to 1");
  file().end = "[[command]]\nname = \"json.set\"\narity = -4\nwrite = true\n";
  refused("[[command]] json.set cannot be added");
  End();
}

TEST_P(Reload, DryRunChangesNothing) {
  Begin();
  FreePort second;
  const std::string added = world().NewNode();
  const ConfigFile good = file();
  const std::string removed = file().shard("b").nodes[1];
  file().options["read"]["from"] = "\"replica\"";
  file().listen.push_back("127.0.0.1:" + std::to_string(second.number()));
  file().shard("a").nodes.push_back(added);
  file().shard("b").nodes.pop_back();
  file().shard("b").weight = 2;
  file().shards.push_back({"c", {world().NewNode()}});
  const std::string done = world().Status("reloads");
  world().Write();
  const std::string plan = world().AskReload({"DRYRUN"});
  for (const std::string& line :
       {std::string("read.from: primary -> replica\n"), "listener " + file().listen[1] + " added\n",
        "shard c added: primary " + file().shard("c").nodes[0] + ", weight 1\n",
        "shard a: node " + added + " added\n", "shard b: node " + removed + " removed\n",
        std::string("shard b: weight 1 -> 2\n"), std::string("of the keys change their owner\n"),
        std::string("from a to c\n")}) {
    EXPECT_TRUE(Has(plan, line)) << line << "is not in:\n" << plan;
  }
  EXPECT_FALSE(Accepts(second.number()));
  EXPECT_EQ(world().Setting("read.from"), "primary");
  EXPECT_EQ(world().Status("reloads"), done);
  const ConfigFile next = file();
  file() = good;
  EXPECT_TRUE(world().Settled());
  // The real one says the same, and does it.
  file() = next;
  load().WhileOwnersChange([&] { EXPECT_EQ(world().Reload(), plan); });
  ASSERT_TRUE(world().WaitUntilSettled());
  EXPECT_TRUE(Accepts(second.number()));
  EXPECT_EQ(world().Setting("read.from"), "replica");
  End();
}

}  // namespace
}  // namespace gemel::e2e::reload_test
