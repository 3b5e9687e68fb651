// What a client sets on its connection: who is told, and that RESET makes all of it as it was.

#include "proxy/session/session_state.h"

#include <gtest/gtest.h>

#include "tests/unit/session_fakes.h"

namespace gemel::session_state_test {
namespace {

using session_test::Bulk;
using session_test::FakeClient;
using session_test::World;

// The value of a field in the line of CLIENT INFO.
std::string Field(const std::string& line, const std::string& name) {
  const size_t at = line.find(" " + name + "=");
  if (at == std::string::npos) return "none";
  const size_t begin = at + name.size() + 2;
  return line.substr(begin, line.find_first_of(" \r\n", begin) - begin);
}

TEST(SessionState, BeginsAsRedisDoes) {
  World world;
  FakeClient& client = world.Connect();
  const SessionState& state = client.session.state();
  EXPECT_EQ(state.client_name.view(), "");
  EXPECT_EQ(state.database.index(), 0);
  EXPECT_EQ(state.protocol.version(), 2);
  EXPECT_EQ(state.transaction.queued(), -1);
  EXPECT_EQ(state.access.user(), "default");
  EXPECT_TRUE(state.access.let_in());
}

TEST(SessionState, ClientInfoAndListTellIt) {
  World world;
  FakeClient& client = world.Connect();
  EXPECT_EQ(world.Ask(client, {"CLIENT", "SETNAME", "me"}), "+OK\r\n");
  for (const char* command : {"INFO", "LIST"}) {
    const std::string line = world.Ask(client, {"CLIENT", command});
    EXPECT_EQ(Field(line, "name"), "me");
    EXPECT_EQ(Field(line, "db"), "0");
    EXPECT_EQ(Field(line, "sub"), "0");
    EXPECT_EQ(Field(line, "psub"), "0");
    EXPECT_EQ(Field(line, "ssub"), "0");
    EXPECT_EQ(Field(line, "multi"), "-1");
    EXPECT_EQ(Field(line, "user"), "default");
    EXPECT_EQ(Field(line, "redir"), "-1");
    EXPECT_EQ(Field(line, "resp"), "2");
  }
}

TEST(SessionState, ResetMakesAllAsItWas) {
  World world(1, "[proxy]\npassword = \"secret\"");
  FakeClient& client = world.Connect();
  SessionState& state = client.session.state();
  EXPECT_EQ(world.Ask(client, {"AUTH", "secret"}), "+OK\r\n");
  EXPECT_EQ(world.Ask(client, {"CLIENT", "SETNAME", "me"}), "+OK\r\n");
  EXPECT_EQ(state.client_name.view(), "me");
  EXPECT_TRUE(state.access.authenticated());
  EXPECT_EQ(world.Ask(client, {"RESET"}), "+RESET\r\n");
  EXPECT_EQ(state.client_name.view(), "");
  EXPECT_FALSE(state.access.authenticated());
  EXPECT_EQ(state.database.index(), 0);
  EXPECT_EQ(state.protocol.version(), 2);
  EXPECT_EQ(world.Ask(client, {"GET", "k"}), "-NOAUTH Authentication required.\r\n");
}

// What was asked before HELLO is answered as it was asked, whenever the answer comes.
TEST(SessionState, AProtocolIsThatOfEachRequest) {
  World world;
  FakeClient& client = world.Connect();
  client.Command({"GET", "k"});
  client.Command({"HELLO", "3"});
  client.Command({"GET", "k"});
  client.Command({"CLIENT", "GETNAME"});
  client.Command({"RESET"});
  client.Command({"GET", "k"});
  client.Command({"CLIENT", "GETNAME"});
  world.Run();
  const std::string told = client.Take();
  EXPECT_TRUE(told.starts_with("$-1\r\n%7\r\n$6\r\nserver\r\n")) << told;
  EXPECT_NE(told.find("$5\r\nproto\r\n:3\r\n"), std::string::npos);
  // The node speaks RESP2 alone.
  EXPECT_TRUE(told.ends_with("*0\r\n$-1\r\n_\r\n+RESET\r\n$-1\r\n$-1\r\n")) << told;
}

TEST(SessionState, RepliesOfTheProxyItselfAreOfTheClientsProtocol) {
  World world;
  FakeClient& client = world.Connect();
  EXPECT_TRUE(world.Ask(client, {"HELLO", "3"}).starts_with("%7\r\n"));
  EXPECT_EQ(Field(world.Ask(client, {"CLIENT", "INFO"}), "resp"), "3");
  EXPECT_TRUE(world.Ask(client, {"CLIENT", "INFO"}).starts_with("="));
  EXPECT_TRUE(world.Ask(client, {"CLIENT", "LIST"}).starts_with("="));
  EXPECT_TRUE(world.Ask(client, {"INFO"}).starts_with("="));
  EXPECT_TRUE(world.Ask(client, {"CONFIG", "GET", "*"}).starts_with("%"));
  EXPECT_TRUE(world.Ask(client, {"PROXY", "STATUS"}).starts_with("%"));
  EXPECT_TRUE(world.Ask(client, {"PROXY", "SHARDS"}).starts_with("*2\r\n%"));
  EXPECT_TRUE(world.Ask(client, {"PROXY", "EXPLAIN", "GET", "k"}).starts_with("*1\r\n%8\r\n"));
  EXPECT_EQ(world.Ask(client, {"COMMAND", "INFO", "nope"}), "*1\r\n_\r\n");
  EXPECT_TRUE(world.Ask(client, {"HELLO", "2"}).starts_with("*14\r\n"));
  EXPECT_TRUE(world.Ask(client, {"CLIENT", "INFO"}).starts_with("$"));
  EXPECT_TRUE(world.Ask(client, {"CLIENT", "LIST"}).starts_with("$"));
  EXPECT_TRUE(world.Ask(client, {"INFO"}).starts_with("$"));
  EXPECT_TRUE(world.Ask(client, {"CONFIG", "GET", "*"}).starts_with("*"));
  EXPECT_TRUE(world.Ask(client, {"PROXY", "SHARDS"}).starts_with("*2\r\n*"));
  EXPECT_TRUE(world.Ask(client, {"PROXY", "EXPLAIN", "GET", "k"}).starts_with("*1\r\n*16\r\n"));
  EXPECT_EQ(world.Ask(client, {"COMMAND", "INFO", "nope"}), "*1\r\n*-1\r\n");
}

TEST(SessionState, OnlyWhatIsThereIsChosen) {
  World world;
  FakeClient& client = world.Connect();
  EXPECT_EQ(world.Ask(client, {"SELECT", "0"}), "+OK\r\n");
  EXPECT_EQ(world.Ask(client, {"SELECT", "15"}), "+OK\r\n");
  EXPECT_EQ(Field(world.Ask(client, {"CLIENT", "INFO"}), "db"), "15");
  EXPECT_EQ(world.Ask(client, {"SELECT", "16"}), "-ERR DB index is out of range\r\n");
  EXPECT_EQ(world.Ask(client, {"SELECT", "-1"}), "-ERR DB index is out of range\r\n");
  EXPECT_EQ(world.Ask(client, {"HELLO", "4"}), "-NOPROTO unsupported protocol version\r\n");
  EXPECT_EQ(world.Ask(client, {"HELLO", "2", "SETNAME", "you"}).rfind("*14\r\n", 0), 0u);
  EXPECT_EQ(client.session.state().protocol.version(), 2);
  EXPECT_EQ(world.Ask(client, {"CLIENT", "GETNAME"}), Bulk("you"));
  // A name that is a part of the one before.
  ClientName& name = client.session.state().client_name;
  name.Set(name.view().substr(1));
  EXPECT_EQ(name.view(), "ou");
}

}  // namespace
}  // namespace gemel::session_state_test
