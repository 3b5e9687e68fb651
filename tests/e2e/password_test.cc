// The clients' password: who guesses it is counted, told and slowed down; when it changes, every
// connection goes by the config in effect.

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "tests/e2e/raw_socket.h"
#include "tests/e2e/reload_world.h"
#include "tests/e2e/wait.h"

namespace gemel::e2e::password_test {
namespace {

constexpr char kNoAuth[] = "-NOAUTH Authentication required.";
constexpr char kWrongPass[] = "-WRONGPASS invalid username-password pair or user is disabled.";

size_t Count(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

class Password : public testing::TestWithParam<int> {
 protected:
  Password() : world_({.shards = 1, .copies = 1, .workers = GetParam()}) {
    EXPECT_EQ(operator_("SET", "k", "v"), "OK");
  }
  void Set(const std::string& option, const std::string& value) {
    world_.file().options["proxy"][option] = "\"" + value + "\"";
  }
  void Unset(const std::string& option) { world_.file().options["proxy"].erase(option); }
  void Reload() {
    world_.Write();
    const Reply answer = operator_("PROXY", "RELOAD");
    ASSERT_FALSE(answer.IsError()) << answer;
  }
  // So many that each worker has some.
  std::vector<Client> Connect(size_t count = 8) const {
    std::vector<Client> clients;
    while (clients.size() < count) clients.push_back(world_.Connect());
    return clients;
  }
  int64_t Denied() {
    const std::string info = operator_("INFO", "stats").bytes;
    const size_t at = info.find("acl_access_denied_auth:");
    return at == std::string::npos ? -1 : std::stoll(info.substr(at + 23));
  }

  ReloadWorld world_;
  Client operator_ = world_.Connect();  // before there is any password, so it needs none
};

TEST_P(Password, RemovedByAReload) {
  Set("password", "secret");
  Reload();
  std::vector<Client> clients = Connect();
  for (Client& client : clients) EXPECT_EQ(client("GET", "k"), kNoAuth);
  Unset("password");
  Reload();
  // As a client of a Redis without a password.
  RedisNode oracle;
  Client theirs = oracle.Connect();
  for (size_t i = 0; i < clients.size(); ++i) {
    Client& client = clients[i];
    switch (i % 4) {  // whatever it does first
      case 0:
        EXPECT_EQ(client("GET", "k"), "v");
        break;
      case 1:
        EXPECT_EQ(client("AUTH", "secret"), theirs("AUTH", "secret").Text());
        break;
      case 2:
        EXPECT_EQ(client("HELLO", "2").Field("server"), "redis");
        break;
      case 3:
        EXPECT_EQ(client("RESET"), "RESET");
        break;
    }
    EXPECT_EQ(client("AUTH", "default", "any"), theirs("AUTH", "default", "any").Text());
    EXPECT_EQ(client("AUTH", "nobody", "any"), theirs("AUTH", "nobody", "any").Text());
    EXPECT_EQ(client("GET", "k"), "v");
    // What is large comes, too: the limit on it is that of clients that must give a password.
    EXPECT_EQ(client("SET", "k2", std::string(1 << 20, 'x')), "OK");
  }
}

TEST_P(Password, AddedAndChanged) {
  std::vector<Client> early = Connect();
  for (Client& client : early) EXPECT_EQ(client("PING"), "PONG");
  Set("password", "one");
  Reload();
  // Who was let in stays in, until it gives that up.
  for (Client& client : early) EXPECT_EQ(client("GET", "k"), "v");
  EXPECT_EQ(early[0]("RESET"), "RESET");
  EXPECT_EQ(early[0]("GET", "k"), kNoAuth);
  std::vector<Client> clients = Connect(12);
  for (Client& client : clients) EXPECT_EQ(client("GET", "k"), kNoAuth);
  for (size_t i = 0; i < 4; ++i) EXPECT_EQ(clients[i]("AUTH", "one"), "OK");
  Set("password", "two");
  Reload();
  for (size_t i = 0; i < 4; ++i) EXPECT_EQ(clients[i]("GET", "k"), "v");
  EXPECT_EQ(clients[4]("AUTH", "one"), kWrongPass);
  EXPECT_EQ(clients[4]("GET", "k"), kNoAuth);
  for (size_t i = 4; i < 8; ++i) {
    EXPECT_EQ(clients[i]("AUTH", "two"), "OK");
    EXPECT_EQ(clients[i]("GET", "k"), "v");
  }
  Set("user", "clerk");
  Reload();
  for (size_t i = 0; i < 8; ++i) EXPECT_EQ(clients[i]("GET", "k"), "v");
  EXPECT_EQ(clients[8]("AUTH", "default", "two"), kWrongPass);
  EXPECT_EQ(clients[9]("AUTH", "clerk", "two"), "OK");
  EXPECT_EQ(clients[10]("HELLO", "2", "AUTH", "clerk", "two").Field("proto"), ":2");
  EXPECT_EQ(clients[11]("HELLO", "2").Text().substr(0, 7), "-NOAUTH");
  for (size_t i = 9; i < 11; ++i) EXPECT_EQ(clients[i]("GET", "k"), "v");
  // And by CONFIG SET.
  EXPECT_EQ(operator_("CONFIG", "SET", "requirepass", "three"), "OK");
  EXPECT_EQ(clients[11]("AUTH", "two"), kWrongPass);
  EXPECT_EQ(clients[11]("AUTH", "clerk", "three"), "OK");
  EXPECT_EQ(clients[11]("GET", "k"), "v");
}

TEST_P(Password, GuessesAreCountedAndTold) {
  Set("password", "secret");
  Reload();
  int64_t guesses = 0;
  for (const Words& guess :
       {Words{"AUTH", "wrong"}, Words{"AUTH", "default", "wrong"},
        Words{"AUTH", "nobody", "secret"}, Words{"HELLO", "2", "AUTH", "default", "wrong"},
        Words{"HELLO", "2", "AUTH", "a", "b", "AUTH", "c", "d"}}) {
    for (int i = 0; i < 2; ++i) {
      EXPECT_EQ(world_.Connect().Run(guess), kWrongPass) << guess[0];
      EXPECT_EQ(Denied(), ++guesses);
    }
  }
  EXPECT_EQ(world_.Connect()("AUTH", "secret"), "OK");
  EXPECT_EQ(Denied(), guesses);
  EXPECT_TRUE(world_.proxy().Logs(" gave a wrong user or password"));
  const std::string log = world_.proxy().Log();
  const size_t lines = Count(log, " gave a wrong user or password");
  EXPECT_GE(Count(log, "the client 127.0.0.1:"), 1u);
  EXPECT_GE(lines, 1u);
  EXPECT_LT(lines, static_cast<size_t>(guesses));
  EXPECT_EQ(Count(log, "secret"), 0u);
  EXPECT_EQ(Count(log, "nobody"), 0u);
}

// On one connection, however much of it comes at once; who has the password is served meanwhile.
TEST_P(Password, GuessesOnAConnectionAreSlow) {
  Set("password", "secret");
  Reload();
  constexpr int kGuesses = 20000;
  RawSocket socket(world_.port());
  std::string bytes;
  for (int i = 0; i < kGuesses; ++i) bytes += Encode({"AUTH", "guess" + std::to_string(i)});
  socket.Send(bytes.substr(0, 64 * 1024));
  EXPECT_TRUE(Eventually([&] { return Denied() >= 3; }));
  for (int i = 0; i < 10; ++i) {
    Client client = world_.Connect();
    EXPECT_EQ(client("AUTH", "secret"), "OK");
    EXPECT_EQ(client("GET", "k"), "v");
  }
  // Each waits for twice as long as the one before: these would take all day.
  EXPECT_LT(Denied(), 100);
}

// From one address, a new connection for each guess.
TEST_P(Password, GuessesOfAnAddressAreSlow) {
  Set("password", "secret");
  Reload();
  constexpr int kThreads = 8;
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      while (!stop) {
        try {
          EXPECT_EQ(world_.Connect()("AUTH", "wrong"), kWrongPass);
        } catch (const std::runtime_error& error) {
          ADD_FAILURE() << error.what();
        }
      }
    });
  }
  EXPECT_TRUE(Eventually([&] { return Denied() >= 80; }));
  for (int i = 0; i < 2; ++i) {
    Client client = world_.Connect();
    EXPECT_EQ(client("AUTH", "secret"), "OK");
    EXPECT_EQ(client("HELLO", "2", "AUTH", "default", "secret").Field("proto"), ":2");
    EXPECT_EQ(client("GET", "k"), "v");
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  // Once there were some dozens, each takes about a second: so many there can be at most.
  const auto seconds =
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - begin);
  EXPECT_LT(Denied(), 200 + 2 * kThreads * (seconds.count() + 1));
  EXPECT_LT(Count(world_.proxy().Log(), " gave a wrong user or password"), 30u);
}

// A guess that waits holds up neither the end nor a password that goes.
TEST_P(Password, AWaitingGuessHoldsUpNothing) {
  Set("password", "secret");
  Reload();
  std::vector<std::unique_ptr<RawSocket>> sockets;
  std::string guesses;
  for (int i = 0; i < 20; ++i) guesses += Encode({"AUTH", "wrong"});
  for (int i = 0; i < 16; ++i) {
    sockets.push_back(std::make_unique<RawSocket>(world_.port()));
    sockets.back()->Send(guesses + Encode({"GET", "k"}));
    if (i % 4 == 0) sockets.back()->CloseWriting();
  }
  sockets.resize(12);  // some hang up
  EXPECT_TRUE(Eventually([&] { return Denied() >= 16; }));
  EXPECT_EQ(operator_("GET", "k"), "v");
  Unset("password");
  Reload();
  EXPECT_EQ(world_.Connect()("GET", "k"), "v");
  EXPECT_EQ(world_.proxy().Stop(), 0);
}

INSTANTIATE_TEST_SUITE_P(Workers, Password, testing::Values(1, 2), [](const auto& info) {
  return info.param == 1 ? std::string("One") : std::string("Threaded");
});

}  // namespace
}  // namespace gemel::e2e::password_test
