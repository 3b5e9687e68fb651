// How sessions begin and end: AUTH, protocol errors, QUIT, ends of input, and what is in flight
// then.

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "tests/unit/session_fakes.h"

namespace gemel::session_test::session_end_test {
namespace {

constexpr char kNoAuth[] = "-NOAUTH Authentication required.\r\n";
constexpr char kWrongPass[] = "-WRONGPASS invalid username-password pair or user is disabled.\r\n";
constexpr char kPassword[] = "[proxy]\npassword = \"secret\"";

TEST(SessionAuthTest, NothingBeforeAuth) {
  World world(2, kPassword);
  FakeClient& client = world.Connect();
  for (const Args& args : std::vector<Args>{{"GET", "k"},
                                            {"SET", "k", "v"},
                                            {"MGET", "k", "l"},
                                            {"DBSIZE"},
                                            {"PING"},
                                            {"CONFIG", "GET", "*"},
                                            {"CLIENT", "LIST"},
                                            {"CLIENT", "KILL", "TYPE", "normal"},
                                            {"COMMAND"},
                                            {"INFO"},
                                            {"PROXY", "SHARDS"},
                                            {"SELECT", "0"}}) {
    EXPECT_EQ(world.Ask(client, args), kNoAuth) << args[0];
  }
  EXPECT_EQ(world.Ask(client, {"HELLO"}).substr(0, 8), "-NOAUTH ");
  for (FakeNode& node : world.nodes) EXPECT_TRUE(node.seen.empty());
}

TEST(SessionAuthTest, RightAndWrong) {
  World world(2, kPassword);
  FakeClient& client = world.Connect();
  for (std::string_view wrong : {"", "secre", "secrets", "secretsecret", "Secret", "secret "}) {
    EXPECT_EQ(world.Ask(client, {"AUTH", wrong}), kWrongPass) << wrong;
    EXPECT_EQ(world.Ask(client, {"GET", "k"}), kNoAuth);
  }
  EXPECT_EQ(world.Ask(client, {"AUTH", "someone", "secret"}), kWrongPass);
  EXPECT_EQ(world.Ask(client, {"AUTH", "a", "b", "c"}), "-ERR syntax error\r\n");
  EXPECT_EQ(world.Ask(client, {"GET", "k"}), kNoAuth);
  EXPECT_EQ(world.Ask(client, {"AUTH", "secret"}), "+OK\r\n");
  EXPECT_EQ(world.Ask(client, {"GET", "k"}), "$-1\r\n");
  EXPECT_EQ(world.Ask(client, {"AUTH", "wrong"}), kWrongPass);  // which takes nothing away
  EXPECT_EQ(world.Ask(client, {"GET", "k"}), "$-1\r\n");
  EXPECT_EQ(world.Ask(client, {"RESET"}), "+RESET\r\n");
  EXPECT_EQ(world.Ask(client, {"GET", "k"}), kNoAuth);
  EXPECT_EQ(world.Ask(client, {"AUTH", "default", "secret"}), "+OK\r\n");
  // One client's AUTH is no other's.
  EXPECT_EQ(world.Ask(world.Connect(), {"GET", "k"}), kNoAuth);
}

TEST(SessionAuthTest, NamedUser) {
  World world(1, "[proxy]\nuser = \"clerk\"\npassword = \"secret\"");
  FakeClient& client = world.Connect();
  EXPECT_EQ(world.Ask(client, {"AUTH", "default", "secret"}), kWrongPass);
  EXPECT_EQ(world.Ask(client, {"AUTH", "clerk", "secret"}), "+OK\r\n");
  EXPECT_EQ(world.Ask(client, {"GET", "k"}), "$-1\r\n");
}

TEST(SessionAuthTest, Hello) {
  World world(1, kPassword);
  FakeClient& client = world.Connect();
  EXPECT_EQ(world.Ask(client, {"HELLO", "1"}), "-NOPROTO unsupported protocol version\r\n");
  EXPECT_EQ(world.Ask(client, {"HELLO", "2", "AUTH", "default", "wrong"}), kWrongPass);
  EXPECT_EQ(world.Ask(client, {"GET", "k"}), kNoAuth);
  EXPECT_EQ(
      world.Ask(client, {"HELLO", "2", "AUTH", "default", "secret", "SETNAME", "me"}).substr(0, 5),
      "*14\r\n");
  EXPECT_EQ(world.Ask(client, {"CLIENT", "GETNAME"}), Bulk("me"));
  EXPECT_EQ(world.Ask(client, {"GET", "k"}), "$-1\r\n");
}

// A name with a line end would put a line of the client's own into the others' CLIENT LIST.
TEST(SessionAuthTest, NamesHaveNoBlanks) {
  World world(1);
  FakeClient& client = world.Connect();
  const std::string error =
      "-ERR Client names cannot contain spaces, newlines or special characters.\r\n";
  for (std::string_view name : {"a b", "a\nid=7", "\x01", "a\x7f"}) {
    EXPECT_EQ(world.Ask(client, {"CLIENT", "SETNAME", name}), error);
    EXPECT_EQ(world.Ask(client, {"HELLO", "2", "SETNAME", name}), error);
    EXPECT_EQ(world.Ask(client, {"CLIENT", "GETNAME"}), "$-1\r\n");
  }
}

TEST(SessionAuthTest, WithoutPassword) {
  World world(1);
  FakeClient& client = world.Connect();
  EXPECT_EQ(world.Ask(client, {"AUTH", "x"}).substr(0, 27), "-ERR AUTH <password> called");
  EXPECT_EQ(world.Ask(client, {"AUTH", "default", "x"}), "+OK\r\n");
  EXPECT_EQ(world.Ask(client, {"AUTH", "other", "x"}), kWrongPass);
}

TEST(SessionAuthTest, StrangersSendNothingLarge) {
  const std::pair<std::string, std::string> all[] = {
      {"*2\r\n$4\r\nECHO\r\n$16385\r\n", "bulk length"},
      {"*11\r\n", "multibulk length"},
      {"*90000\r\n$1\r\nx\r\n$1\r\nx\r\n", "multibulk length"}};
  for (const auto& [start, what] : all) {
    World world(1, kPassword);
    FakeClient& client = world.Connect();
    client.Send(start);
    world.Run();
    EXPECT_EQ(client.Take(), "-ERR Protocol error: unauthenticated " + what + "\r\n");
    EXPECT_TRUE(client.closed);
  }
  World world(1, kPassword);
  FakeClient& client = world.Connect();
  EXPECT_EQ(world.Ask(client, {"ECHO", std::string(16384, 'x')}).substr(0, 7), "-NOAUTH");
  EXPECT_EQ(world.Ask(client, Args(10, "x")).substr(0, 4), "-ERR");
  EXPECT_FALSE(client.closed);
  // Whoever has given it may send more.
  EXPECT_EQ(world.Ask(client, {"AUTH", "secret"}), "+OK\r\n");
  EXPECT_EQ(world.Ask(client, {"ECHO", std::string(16385, 'x')}),
            "$16385\r\n" + std::string(16385, 'x') + "\r\n");
}

TEST(SessionEndTest, ProtocolErrorAfterAllReplies) {
  World world;
  FakeClient& client = world.Connect();
  client.Send(Command({"SET", world.Key(0), "1"}) + Command({"GET", world.Key(1)}) +
              "*1\r\n:3\r\n" + Command({"SET", world.Key(0), "never"}));
  client.Turn();
  EXPECT_FALSE(client.closed);
  client.Command({"SET", world.Key(0), "never"});
  world.Run();
  EXPECT_EQ(client.received, "+OK\r\n$-1\r\n-ERR Protocol error: expected '$', got ':'\r\n");
  EXPECT_TRUE(client.closed);
  EXPECT_EQ(world.nodes[0].data[world.Key(0)], "1");
  EXPECT_EQ(world.workers[0]->stats.protocol_errors.Get(), 1u);
}

TEST(SessionEndTest, Quit) {
  World world;
  FakeClient& client = world.Connect();
  client.Send(Command({"GET", world.Key(0)}) + "QUIT\r\n" + Command({"SET", world.Key(0), "x"}));
  client.Turn();
  EXPECT_FALSE(client.closed);
  world.Run();
  EXPECT_EQ(client.received, "$-1\r\n+OK\r\n");
  EXPECT_TRUE(client.closed);
  EXPECT_TRUE(world.nodes[0].data.empty());
  FakeClient& other = world.Connect();
  EXPECT_EQ(world.Ask(other, {"quit"}), "+OK\r\n");
  EXPECT_TRUE(other.closed);
}

TEST(SessionEndTest, EndOfInputWithRequestsInFlight) {
  World world;
  FakeClient& client = world.Connect();
  client.Send(Command({"GET", world.Key(0)}) + Command({"MGET", world.Key(1), world.Key(0)}) +
              "*1\r\n$4\r\nPI");
  client.End();
  client.Turn();
  EXPECT_FALSE(client.closed);
  world.Run();
  EXPECT_EQ(client.received, "$-1\r\n*2\r\n$-1\r\n$-1\r\n");
  EXPECT_TRUE(client.closed);
  FakeClient& idle = world.Connect();
  idle.End();
  EXPECT_TRUE(idle.closed);
}

// The last bytes are still in the socket's way when the last reply comes.
TEST(SessionEndTest, ClosesOnlyWhenAllIsTaken) {
  World world;
  FakeClient& client = world.Connect();
  client.Send(Command({"ECHO", std::string(1000, 'x')}) + "QUIT\r\n");
  client.Turn(10);
  EXPECT_FALSE(client.closed);
  client.Turn(1000);
  EXPECT_FALSE(client.closed);
  client.Turn();
  EXPECT_TRUE(client.closed);
  EXPECT_EQ(client.received, Bulk(std::string(1000, 'x')) + "+OK\r\n");
}

TEST(SessionEndTest, ClosedIsFinishedWhenAllIsAnswered) {
  for (uint32_t seed = 1; seed <= 100; ++seed) {
    std::mt19937 random(seed);
    World world(3);
    FakeClient& client = world.Connect();
    std::vector<std::string> keys;
    for (uint32_t i = 0; i < 3; ++i) keys.push_back(world.Key(i));
    for (int i = 0; i < 20; ++i) {
      switch (random() % 4) {
        case 0:
          client.Command({"SET", keys[random() % 3], "v"});
          break;
        case 1:
          client.Command({"MGET", keys[0], keys[2], keys[1]});
          break;
        case 2:
          client.Command({"PING"});
          break;
        default:
          client.Command({"GET", keys[random() % 3]});
      }
    }
    for (size_t i = random() % 10; i > 0; --i) world.nodes[random() % 3].Serve();
    const std::string before = (client.Turn(), client.received);
    client.Close();
    EXPECT_EQ(client.session.Finished(), client.session.replies().pending() == 0);
    while (client.session.replies().pending() > 0) {
      EXPECT_FALSE(client.session.Finished());
      world.nodes[random() % 3].Serve();
    }
    EXPECT_TRUE(client.session.Finished());
    EXPECT_TRUE(client.session.replies().out().empty());
    for (FakeNode& node : world.nodes) {
      while (node.Serve()) {
      }
    }
    EXPECT_EQ(client.received, before);
    EXPECT_EQ(world.workers[0]->dispatcher.requests_in_use(), 0u);
  }
}

// The answers of requests that were never of a long way, in the other order, after the end.
TEST(SessionEndTest, AnswersOutOfOrderAfterTheEnd) {
  World world;
  FakeClient& client = world.Connect();
  client.Command({"GET", world.Key(0)});
  client.Command({"GET", world.Key(1)});
  client.Command({"GET", world.Key(1)});
  client.Close();
  EXPECT_TRUE(world.nodes[1].Serve());
  EXPECT_TRUE(world.nodes[1].Serve());
  EXPECT_FALSE(client.session.Finished());
  EXPECT_TRUE(world.nodes[0].Serve());
  EXPECT_TRUE(client.session.Finished());
}

TEST(SessionEndTest, LinkLostAnswersAll) {
  World world;
  FakeClient& client = world.Connect();
  client.Command({"GET", world.Key(0)});
  client.Command({"MGET", world.Key(1), world.Key(0)});
  client.Command({"GET", world.Key(1)});
  world.nodes[0].link()->OnClosed("reset", false, 0);
  for (auto& [index, shard] : world.workers[0]->shards) shard->Stop();
  world.Turn();
  EXPECT_EQ(client.session.replies().pending(), 0u);
  EXPECT_EQ(client.received.substr(0, 1), "-");
  EXPECT_NE(client.received.find("\r\n*2\r\n-"), std::string::npos);
}

TEST(SessionEndTest, ClientKill) {
  World world;
  FakeClient& one = world.Connect();
  FakeClient& two = world.Connect();
  FakeClient& three = world.Connect();
  // What names nobody ends nobody.
  EXPECT_EQ(world.Ask(one, {"CLIENT", "KILL", ""}), "-ERR No such client\r\n");
  EXPECT_EQ(world.Ask(one, {"CLIENT", "KILL", "ADDR", ""}), ":0\r\n");
  EXPECT_EQ(world.Ask(one, {"CLIENT", "KILL", "LADDR", ""}), ":0\r\n");
  EXPECT_EQ(world.Ask(one, {"CLIENT", "KILL", "USER", ""}), "-ERR No such user ''\r\n");
  EXPECT_EQ(world.Ask(one, {"CLIENT", "KILL", "ID", "99"}), ":0\r\n");
  EXPECT_EQ(world.Ask(one, {"CLIENT", "KILL", "TYPE", "pubsub"}), ":0\r\n");
  EXPECT_FALSE(one.closed || two.closed || three.closed);
  EXPECT_EQ(world.Ask(one, {"CLIENT", "KILL", two.session.facts().peer}), "+OK\r\n");
  EXPECT_TRUE(two.closed);
  EXPECT_EQ(world.Ask(one, {"CLIENT", "KILL", "TYPE", "normal"}), ":1\r\n");
  EXPECT_TRUE(three.closed);
  EXPECT_FALSE(one.closed);
  one.Send(Command({"GET", world.Key(0)}) + Command({"CLIENT", "KILL", "ID", "1", "SKIPME", "no"}) +
           Command({"PING"}));
  world.Run();
  EXPECT_EQ(one.Take(), "$-1\r\n:1\r\n");
  EXPECT_TRUE(one.closed);
}

}  // namespace
}  // namespace gemel::session_test::session_end_test
