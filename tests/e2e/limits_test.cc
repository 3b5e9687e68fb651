// What happens at the limits: back-pressure first, then a clear error, never unbounded memory.

#include <gtest/gtest.h>

#include <thread>

#include "tests/e2e/cluster.h"
#include "tests/e2e/load.h"
#include "tests/e2e/raw_socket.h"

namespace gemel::e2e::limits_test {
namespace {

// Sanitizers keep freed memory (AddressSanitizer 256 MB of it) and put shadows beside it.
constexpr uint64_t kRoom = 700u << 20;

// Asks for far more bytes than the proxy may hold and reads none: it must stop asking the nodes.
// The proxy has stopped once its memory and this client's sending both stand still.
TEST(Limits, AClientThatNeverReadsIsNotReadFrom) {
  Cluster cluster({.shards = 1, .sections = {{"limits", "client_output = \"1mb\""}}});
  EXPECT_EQ(cluster.Connect()("SET", "big", std::string(1 << 20, 'v')), "OK");
  const uint64_t before = cluster.proxy().ResidentBytes();
  RawSocket greedy(cluster.proxy().port());
  const std::string request = Encode({"GET", "big"});
  std::string wanted;
  for (int i = 0; i < 4000; ++i) wanted += request;  // 4 GB of replies
  size_t sent = 0;
  for (int i = 0; i < 100; ++i) {
    if (sent < wanted.size()) sent += greedy.SendSome(std::string_view(wanted).substr(sent));
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  EXPECT_LT(cluster.proxy().ResidentBytes(), before + kRoom);
  EXPECT_EQ(cluster.Connect()("GET", "none"), "(nil)");  // the others are served
  // Once it reads, it gets everything it asked for so far.
  const std::string head = "$1048576\r\n";
  for (int i = 0; i < 50; ++i) {
    ASSERT_EQ(greedy.Read(head.size()), head);
    greedy.Read((1 << 20) + 2);
  }
}

TEST(Limits, AClientThatOnlyWritesWithoutReading) {
  Cluster cluster({.shards = 1});
  const uint64_t before = cluster.proxy().ResidentBytes();
  RawSocket greedy(cluster.proxy().port());
  std::string wanted;
  for (int i = 0; i < 100000; ++i) wanted += Encode({"ECHO", std::string(1000, 'e')});
  size_t sent = 0;
  for (int i = 0; i < 100 && sent < wanted.size(); ++i) {
    sent += greedy.SendSome(std::string_view(wanted).substr(sent));
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_LT(cluster.proxy().ResidentBytes(), before + kRoom);
  EXPECT_EQ(cluster.Connect()("PING"), "PONG");
}

TEST(Limits, AHungNodeStopsItsClientsOnly) {
  Cluster cluster({.copies = 1,
                   .sections = {{"limits", "node_pending_bytes = \"1mb\""},
                                {"timeouts", "request_ms = 60000"}}});
  const std::string slow = cluster.KeyOn(1);
  const std::string fast = cluster.KeyOn(0);
  const uint64_t before = cluster.proxy().ResidentBytes();
  cluster.node(1, 0).Pause();
  std::vector<std::unique_ptr<RawSocket>> clients;
  const std::string request = Encode({"SET", slow, std::string(100000, 'v')});
  for (int i = 0; i < 10; ++i) {
    clients.push_back(std::make_unique<RawSocket>(cluster.proxy().port()));
  }
  std::vector<std::string> rest(clients.size());
  std::vector<int> started(clients.size());
  for (int round = 0; round < 100; ++round) {
    for (size_t i = 0; i < clients.size(); ++i) {
      if (rest[i].empty() && started[i] < 500) {
        rest[i] = request;
        ++started[i];
      }
      rest[i].erase(0, clients[i]->SendSome(rest[i]));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  EXPECT_LT(cluster.proxy().ResidentBytes(), before + kRoom);
  EXPECT_EQ(cluster.Connect()("SET", fast, "v"), "OK");
  cluster.node(1, 0).Resume();
  for (size_t i = 0; i < clients.size(); ++i) {
    clients[i]->Send(rest[i]);
    for (int j = 0; j < started[i]; ++j) ASSERT_EQ(clients[i]->Read(5), "+OK\r\n");
  }
}

TEST(Limits, MaxClients) {
  for (const int workers : {1, 2}) {
    Cluster cluster({.shards = 1, .workers = workers, .sections = {{"limits", "max_clients = 5"}}});
    std::vector<std::unique_ptr<Client>> clients;
    // The harness's own connections may take a moment to be seen as gone.
    ASSERT_TRUE(Eventually([&] {
      while (clients.size() < 5) {
        auto client = std::make_unique<Client>(cluster.proxy().port());
        try {
          if ((*client)("PING") != "PONG") return false;
        } catch (const std::runtime_error&) {
          return false;
        }
        clients.push_back(std::move(client));
      }
      return true;
    }));
    RawSocket refused(cluster.proxy().port());
    EXPECT_EQ(refused.ReadUntilClosed(), "-ERR max number of clients reached\r\n");
    for (auto& client : clients) EXPECT_EQ((*client)("PING"), "PONG");
    clients.pop_back();
    EXPECT_TRUE(Eventually([&] {
      try {
        return Client(cluster.proxy().port())("PING") == "PONG";
      } catch (const std::runtime_error&) {
        return false;
      }
    }));
  }
}

// A proxy that may have only so many files open.
class FewFiles : public testing::Test {
 protected:
  // `ulimit`: what a shell says before it starts the proxy.
  void Start(const std::string& ulimit, int max_clients) {
    proxy_.set_prefix({"sh", "-c", "ulimit " + ulimit + " && exec \"$0\" \"$@\""});
    proxy_.Start("[proxy]\nlisten = [\"127.0.0.1:" + std::to_string(proxy_.port()) +
                 "\"]\n[limits]\nmax_clients = " + std::to_string(max_clients) +
                 "\n[[shard]]\nname = \"a\"\nprimary = \"" + primary_.address() +
                 "\"\nreplicas = [\"" + replica_.address() + "\"]\n");
  }
  // Connects until one is turned away. Returns how many clients are served then, `client` counted.
  size_t Fill(Client& client, size_t most) {
    // Those of before are seen as gone.
    EXPECT_TRUE(Eventually([&] { return Number(client, "connected_clients") == 1; }));
    const uint64_t rejected = Number(client, "rejected_connections");
    uint64_t connections = Number(client, "total_connections_received");
    std::vector<std::unique_ptr<RawSocket>> others;
    while (others.size() < most && Number(client, "rejected_connections") == rejected) {
      others.push_back(std::make_unique<RawSocket>(proxy_.port()));
      ++connections;
      EXPECT_TRUE(
          Eventually([&] { return Number(client, "total_connections_received") == connections; }));
    }
    EXPECT_EQ(others.back()->ReadUntilClosed(), kTurnedAway);
    others.pop_back();
    // Many more come than there are files: they do not get in the nodes' way.
    for (int i = 0; i < 300; ++i) {
      EXPECT_EQ(RawSocket(proxy_.port()).ReadUntilClosed(), kTurnedAway);
    }
    EXPECT_EQ(Number(client, "rejected_connections"), rejected + 301);
    for (auto& other : others) {
      other->Send("SET k v\r\n");
      EXPECT_EQ(other->Read(5), "+OK\r\n");
    }
    return others.size() + 1;
  }
  static uint64_t Number(Client& client, const std::string& field) {
    const std::string info = client("INFO").bytes;
    return std::stoull(info.substr(info.find("\r\n" + field + ":") + field.size() + 3));
  }

  static constexpr const char* kTurnedAway = "-ERR max number of clients reached\r\n";
  RedisNode primary_;
  RedisNode replica_;
  ProxyProcess proxy_;
};

TEST_F(FewFiles, TheSoftLimitIsRaised) {
  Start("-S -n 64", 100);
  Client client(proxy_.port());
  EXPECT_EQ(Fill(client, 200), 100u);
  EXPECT_EQ(proxy_.Log().find("max_clients"), std::string::npos) << proxy_.Log();
}

TEST_F(FewFiles, TheHardLimitCapsTheClients) {
  Start("-n 200", 150);
  const std::string begin = " room for ";
  EXPECT_TRUE(proxy_.Logs(begin));
  const std::string log = proxy_.Log();
  const size_t at = log.find(begin);
  ASSERT_NE(at, std::string::npos) << log;
  const size_t room = std::stoul(log.substr(at + begin.size()));
  EXPECT_NE(log.find(begin + std::to_string(room) +
                     " clients only, not for the 150 of [limits] max_clients: the process may have "
                     "200 files open"),
            std::string::npos)
      << log;
  EXPECT_GT(room, 50u);
  Client client(proxy_.port());
  EXPECT_EQ(Fill(client, 200), room);
  // Below it max_clients counts.
  EXPECT_EQ(client("CONFIG", "SET", "maxclients", "20"), "OK");
  EXPECT_EQ(Fill(client, 200), 20u);
  EXPECT_EQ(proxy_.Log().find("not for the 20 of"), std::string::npos) << proxy_.Log();
  // A reload that raises it makes no files.
  EXPECT_EQ(client("CONFIG", "SET", "maxclients", "5000"), "OK");
  EXPECT_TRUE(proxy_.Logs("not for the 5000 of [limits] max_clients")) << proxy_.Log();
  EXPECT_EQ(Fill(client, 200), room);
  EXPECT_EQ(proxy_.Log().find("cannot accept"), std::string::npos) << proxy_.Log();
}

TEST(Limits, IdleClientsAreClosed) {
  Cluster cluster({.shards = 1, .sections = {{"timeouts", "idle_s = 1"}}});
  RawSocket idle(cluster.proxy().port());
  idle.Send("PING\r\n");
  EXPECT_EQ(idle.ReadUntilClosed(), "+PONG\r\n");
}

TEST(Limits, ARequestThatANodeNeverAnswersEndsWithAnError) {
  Cluster cluster({.shards = 1,
                   .copies = 1,
                   .sections = {{"timeouts", "request_ms = 300\nreconnect_max_ms = 100"}}});
  Client client = cluster.Connect();
  EXPECT_EQ(client("SET", "k", "v"), "OK");
  cluster.node(0, 0).Pause();
  EXPECT_TRUE(client("GET", "k").IsError());
  EXPECT_TRUE(client("SET", "k", "w").IsError());
  cluster.node(0, 0).Resume();
  EXPECT_TRUE(Eventually([&] { return !client("GET", "k").IsError(); }));
}

TEST(Limits, ThousandsOfConnections) {
  Cluster cluster({.shards = 1});
  std::vector<std::unique_ptr<RawSocket>> sockets;
  for (int i = 0; i < 900; ++i) {  // below the usual ulimit of 1024 files
    sockets.push_back(std::make_unique<RawSocket>(cluster.proxy().port()));
    sockets.back()->Send("PING\r\n");
  }
  for (auto& socket : sockets) ASSERT_EQ(socket->Read(7), "+PONG\r\n");
}

}  // namespace
}  // namespace gemel::e2e::limits_test
