// A listener beyond loopback without a password: only clients on this machine are served.

#include <gtest/gtest.h>

#include "tests/e2e/look.h"
#include "tests/e2e/own_address.h"
#include "tests/e2e/reload_world.h"
#include "tests/e2e/wait.h"

namespace gemel::e2e::protected_mode_test {
namespace {

class ProtectedModeTest : public testing::TestWithParam<int> {
 protected:
  ProtectedModeTest() : world_({.shards = 1, .copies = 1, .workers = GetParam()}) {
    world_.file().options["proxy"]["workers"] = std::to_string(GetParam());
  }
  void Listen(const std::string& address) { world_.file().listen.push_back(address); }
  std::string At(const std::string& host) const {
    return host + ":" + std::to_string(port_.number());
  }
  void Set(const std::string& option, const std::string& value) {
    world_.file().options["proxy"][option] = value;
  }
  void Reload() {
    world_.Write();
    const Reply answer = operator_("PROXY", "RELOAD");
    ASSERT_FALSE(answer.IsError()) << answer;
  }
  Client FromAfar() const { return Client::OnAddress(own_, port_.number()); }
  bool IsListening() const {
    try {
      FromAfar();
      return true;
    } catch (const std::runtime_error&) {
      return false;
    }
  }
  // Several, so that each worker has some.
  void ExpectDenied() const {
    for (int i = 0; i < 8; ++i) {
      Client client = FromAfar();
      const Reply reply = client.Read();  // before it has said anything
      EXPECT_TRUE(reply.IsError() && reply.bytes.starts_with("DENIED ")) << reply;
      EXPECT_TRUE(Has(reply.bytes, "protected mode") && Has(reply.bytes, "password")) << reply;
      EXPECT_TRUE(client.IsClosed());
    }
  }
  void ExpectServed() const {
    for (int i = 0; i < 8; ++i) EXPECT_EQ(FromAfar()("SET", "k", "v"), "OK");
  }
  int64_t Denials() const {
    const std::string info = world_.Connect()("INFO", "stats").bytes;
    const size_t at = info.find("protected_mode_denials:");
    return at == std::string::npos ? -1 : std::stoll(info.substr(at + 23));
  }

  const std::string own_ = OwnAddress();
  FreePort port_;
  ReloadWorld world_;
  Client operator_ = world_.Connect();  // before there is any password, so it needs none
};

TEST_P(ProtectedModeTest, ServesThisMachineAlone) {
  const std::string socket = world_.proxy().folder() + "/s";
  Listen(At("0.0.0.0"));
  Listen("unix:" + socket);
  Reload();
  ExpectDenied();
  EXPECT_EQ(Client::OnAddress("127.0.0.1", port_.number())("SET", "k", "v"), "OK");
  EXPECT_EQ(Client::OnAddress("127.0.0.2", port_.number())("GET", "k"), "v");
  EXPECT_EQ(Client::OnUnixSocket(socket)("GET", "k"), "v");
  EXPECT_EQ(world_.Connect()("GET", "k"), "v");
  EXPECT_EQ(Denials(), 8);
  EXPECT_TRUE(world_.proxy().Logs("protected mode: there is no password, so on " + At("0.0.0.0") +
                                  " only"));
  EXPECT_TRUE(world_.proxy().Logs("the client " + own_ + ":")) << "who was turned away is told";
  // At a start it is said, too, and is so.
  world_.proxy().Stop();
  world_.proxy().Restart();
  EXPECT_TRUE(Eventually([this] { return IsListening(); }));  // behind the first address
  ExpectDenied();
  EXPECT_TRUE(world_.proxy().Logs("protected mode: there is no password, so on"));
}

TEST_P(ProtectedModeTest, AsRedisSaysIt) {
  RedisNode oracle({"--bind", "127.0.0.1 " + own_, "--protected-mode", "yes"});
  Client theirs = Client::OnAddress(own_, oracle.port());
  const Reply reply = theirs.Read();
  EXPECT_TRUE(reply.IsError() && reply.bytes.starts_with("DENIED ")) << reply;
  EXPECT_TRUE(theirs.IsClosed());
  Listen(At(own_));
  Reload();
  ExpectDenied();
}

TEST_P(ProtectedModeTest, V6) {
  Listen("[::]:" + std::to_string(port_.number()));
  Reload();
  EXPECT_EQ(Client::OnAddress("::1", port_.number())("SET", "k", "v"), "OK");
  EXPECT_TRUE(world_.proxy().Logs("so on [::]:"));
}

TEST_P(ProtectedModeTest, APasswordOrTheFileOpensIt) {
  Listen(At("0.0.0.0"));
  Set("password", "\"secret\"");
  Reload();
  Client client = FromAfar();
  EXPECT_EQ(client("GET", "k"), "-NOAUTH Authentication required.");
  EXPECT_EQ(client("AUTH", "secret"), "OK");
  EXPECT_EQ(client("SET", "k", "v"), "OK");
  EXPECT_FALSE(Has(world_.proxy().Log(), "there is no password"));
  world_.file().options["proxy"].erase("password");
  Set("protected_mode", "false");
  Reload();
  ExpectServed();
  EXPECT_TRUE(world_.proxy().Logs("protected_mode is off: whoever reaches " + At("0.0.0.0")));
}

// A password that goes, by a reload or by CONFIG SET: who gave it stays, who did not is let go,
// also if it is connected already.
TEST_P(ProtectedModeTest, ThePasswordGoes) {
  Listen(At(own_));
  for (const bool by_set : {false, true}) {
    Set("password", "\"secret\"");
    Reload();
    std::vector<Client> waiting;
    for (int i = 0; i < 8; ++i) waiting.push_back(FromAfar());
    for (Client& client : waiting) EXPECT_TRUE(client("GET", "k").bytes.starts_with("NOAUTH"));
    Client known = FromAfar();
    EXPECT_EQ(known("AUTH", "secret"), "OK");
    if (by_set) {
      EXPECT_EQ(known("CONFIG", "SET", "requirepass", ""), "OK");
    } else {
      world_.file().options["proxy"].erase("password");
      Reload();
    }
    const std::vector<Words> commands = {{"GET", "k"},       {"FLUSHALL"},
                                         {"AUTH", "secret"}, {"AUTH", "default", "x"},
                                         {"HELLO", "2"},     {"HELLO", "2", "AUTH", "default", "x"},
                                         {"RESET"},          {"QUIT"}};
    for (size_t i = 0; i < waiting.size(); ++i) {
      const Reply reply = waiting[i].Run(commands[i]);
      EXPECT_TRUE(reply.bytes.starts_with("DENIED ")) << commands[i][0] << ": " << reply;
      EXPECT_TRUE(waiting[i].IsClosed()) << commands[i][0];
    }
    ExpectDenied();
    EXPECT_EQ(known("SET", "k", "v"), "OK");
    EXPECT_EQ(known("RESET"), "RESET");
    EXPECT_TRUE(known("GET", "k").bytes.starts_with("DENIED "));
    EXPECT_EQ(world_.Connect()("GET", "k"), "v");
  }
}

INSTANTIATE_TEST_SUITE_P(Workers, ProtectedModeTest, testing::Values(1, 2), [](const auto& info) {
  return info.param == 1 ? std::string("One") : std::string("Threaded");
});

}  // namespace
}  // namespace gemel::e2e::protected_mode_test
