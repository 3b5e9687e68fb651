// What clients have set and begun is as it was when another binary serves them.

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "tests/e2e/cluster.h"
#include "tests/e2e/raw_socket.h"
#include "tests/e2e/wait.h"

namespace gemel::e2e::upgrade_sessions_test {
namespace {

class UpgradedSessions : public testing::TestWithParam<int> {
 protected:
  UpgradedSessions()
      : cluster_({.shards = 2,
                  .workers = GetParam(),
                  .sections = {{"health", kImpatientProbes}, {"proxy", "databases = 4"}}}),
        admin_(cluster_.Connect()) {}

  void Upgrade() {
    const Reply reply = admin_("PROXY", "UPGRADE");
    ASSERT_TRUE(reply.Text().starts_with("OK gemel ")) << reply;
  }
  uint16_t port() { return cluster_.proxy().port(); }
  void Expect(RawSocket* socket, const std::string& bytes) {
    EXPECT_EQ(socket->Read(bytes.size()), bytes);
  }
  // Asks for what is answered with nothing else, so that nothing else has come before.
  void ExpectNothingMore(RawSocket* socket) {
    socket->Send(Encode({"PING", "x"}));
    EXPECT_EQ(socket->Read(7), "$1\r\nx\r\n");
  }
  bool WaitUntilBlocked(int64_t clients) {
    return Eventually([&] {
      return admin_("INFO", "clients").bytes.find("blocked_clients:" + std::to_string(clients)) !=
             std::string::npos;
    });
  }

  Cluster cluster_;
  Client admin_;
};

INSTANTIATE_TEST_SUITE_P(Workers, UpgradedSessions, testing::Values(1, 2));

TEST_P(UpgradedSessions, NameProtocolAndDatabaseStay) {
  RawSocket client(port());
  client.Send(Encode({"HELLO", "3", "SETNAME", "worker"}));
  client.Send(Encode({"CLIENT", "SETINFO", "LIB-NAME", "lib"}));
  client.Send(Encode({"SELECT", "3"}) + Encode({"SET", "k", "three"}) + Encode({"PING"}));
  std::string all;
  while (!all.ends_with("+OK\r\n+OK\r\n+OK\r\n+PONG\r\n")) all += client.Read(1);
  client.Send(Encode({"CLIENT", "ID"}));
  std::string id;
  while (!id.ends_with("\n")) id += client.Read(1);
  Upgrade();
  client.Send(Encode({"GET", "k"}) + Encode({"GET", "none"}) + Encode({"CLIENT", "GETNAME"}));
  Expect(&client, "$5\r\nthree\r\n_\r\n$6\r\nworker\r\n");
  client.Send(Encode({"CLIENT", "ID"}));
  Expect(&client, id);
  const std::string list = admin_("CLIENT", "LIST").bytes;
  EXPECT_NE(list.find("name=worker"), std::string::npos) << list;
  EXPECT_NE(list.find("lib-name=lib"), std::string::npos) << list;
  // Nobody gets a number that is taken.
  Client other = cluster_.Connect();
  EXPECT_NE(other("CLIENT", "ID").Text() + "\r\n", id);
}

TEST_P(UpgradedSessions, ATransactionGoesOn) {
  Client client = cluster_.Connect();
  EXPECT_EQ(client("MULTI"), "OK");
  EXPECT_EQ(client("INCR", "n"), "QUEUED");
  EXPECT_EQ(client("EVAL", "return redis.call('INCR', KEYS[1])", "1", "n"), "QUEUED");
  Upgrade();
  EXPECT_EQ(client("INCR", "n"), "QUEUED");
  EXPECT_EQ(client("EXEC"), "[:1 :2 :3]");
  EXPECT_EQ(client("GET", "n"), "3");
}

TEST_P(UpgradedSessions, ATransactionThatIsToFailFails) {
  Client client = cluster_.Connect();
  EXPECT_EQ(client("MULTI"), "OK");
  EXPECT_TRUE(client("NO_SUCH_COMMAND").IsError());
  Upgrade();
  EXPECT_TRUE(client("EXEC").Text().starts_with("-EXECABORT"));
  EXPECT_EQ(client("PING"), "PONG");
}

// What has happened to the keys meanwhile is not known.
TEST_P(UpgradedSessions, WhatIsWatchedCountsAsTouched) {
  Client client = cluster_.Connect();
  EXPECT_EQ(client("WATCH", "k"), "OK");
  EXPECT_EQ(client("MULTI"), "OK");
  EXPECT_EQ(client("SET", "k", "v"), "QUEUED");
  Upgrade();
  EXPECT_EQ(client("EXEC"), "(nil)");
  EXPECT_EQ(client("GET", "k"), "(nil)");
  EXPECT_EQ(client("WATCH", "k"), "OK");
  EXPECT_EQ(client("MULTI"), "OK");
  EXPECT_EQ(client("SET", "k", "v"), "QUEUED");
  EXPECT_EQ(client("EXEC"), "[OK]");
}

TEST_P(UpgradedSessions, SubscribersHearOnAndAreToldNothingTwice) {
  RawSocket client(port());
  client.Send(Encode({"SUBSCRIBE", "news"}));
  Expect(&client, "*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n");
  client.Send(Encode({"PSUBSCRIBE", "w*"}));
  Expect(&client, "*3\r\n$10\r\npsubscribe\r\n$2\r\nw*\r\n:2\r\n");
  for (int i = 0; i < 2; ++i) {
    Upgrade();
    EXPECT_EQ(admin_("PUBLISH", "news", "x"), ":1");
    Expect(&client, "*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$1\r\nx\r\n");
    EXPECT_EQ(admin_("PUBLISH", "who", "y"), ":1");
    Expect(&client, "*4\r\n$8\r\npmessage\r\n$2\r\nw*\r\n$3\r\nwho\r\n$1\r\ny\r\n");
  }
  client.Send(Encode({"UNSUBSCRIBE", "news"}));
  Expect(&client, "*3\r\n$11\r\nunsubscribe\r\n$4\r\nnews\r\n:1\r\n");
}

// Whoever publishes waits as others do: what was answered was told, and what is told is told once.
TEST_P(UpgradedSessions, NoMessageOfAClientIsLost) {
  RawSocket client(port());
  client.Send(Encode({"SUBSCRIBE", "n"}));
  Expect(&client, "*3\r\n$9\r\nsubscribe\r\n$1\r\nn\r\n:1\r\n");
  RawSocket publisher(port());
  for (int i = 0; i < 3; ++i) {
    std::string burst;
    for (int j = 100; j < 400; ++j) burst += Encode({"PUBLISH", "n", std::to_string(j)});
    publisher.Send(burst);
    Upgrade();
    for (int j = 100; j < 400; ++j) {
      Expect(&client, "*3\r\n$7\r\nmessage\r\n$1\r\nn\r\n$3\r\n" + std::to_string(j) + "\r\n");
      Expect(&publisher, ":1\r\n");
    }
  }
}

TEST_P(UpgradedSessions, WhoWaitsForAKeyWaitsOn) {
  Client client = cluster_.Connect();
  client.Append({"BLPOP", "queue", "other{x}", "0"});
  client.Flush();
  Client stream = cluster_.Connect();
  EXPECT_FALSE(admin_("XADD", "s", "1-1", "f", "old").IsError());
  stream.Append({"XREAD", "BLOCK", "0", "STREAMS", "s", "$"});
  stream.Append({"PING"});
  stream.Flush();
  Client pops = cluster_.Connect();
  pops.Append({"BLPOP", "queue", "0"});
  pops.Flush();
  (void)pops;
  Upgrade();
  Upgrade();
  EXPECT_EQ(admin_("XADD", "s", "1-2", "f", "new"), "1-2");
  EXPECT_EQ(stream.Read(), "[[s [[1-2 [f new]]]]]");
  EXPECT_EQ(stream.Read(), "PONG");
  EXPECT_EQ(admin_("RPUSH", "queue", "a"), ":1");
  EXPECT_EQ(pops.Read(), "[queue a]");
}

TEST_P(UpgradedSessions, AWaitEndsWhenItWouldHave) {
  Client client = cluster_.Connect();
  client.Append({"BLPOP", "queue", "2"});
  client.Flush();
  ASSERT_TRUE(WaitUntilBlocked(1));
  Upgrade();
  ASSERT_TRUE(WaitUntilBlocked(1));
  EXPECT_EQ(client.Read(), "(nil)");
  EXPECT_EQ(client("PING"), "PONG");
}

// An element is taken once, whichever binary gave it.
TEST_P(UpgradedSessions, NoElementIsLostOrGivenTwice) {
  constexpr int kElements = 300;
  Client pops = cluster_.Connect();
  RawSocket pushes(port());
  for (int i = 0; i < kElements; ++i) pops.Append({"BLPOP", "queue", "0"});
  pops.Flush();
  for (int i = 0; i < kElements; ++i) {
    pushes.Send(Encode({"RPUSH", "queue", std::to_string(i)}));
    if (i % 100 == 50) Upgrade();
  }
  for (int i = 0; i < kElements; ++i) {
    ASSERT_EQ(pops.Read(), "[queue " + std::to_string(i) + "]");
  }
  EXPECT_EQ(admin_("LLEN", "queue"), ":0");
}

TEST_P(UpgradedSessions, WhoTracksForgetsAndTracksOn) {
  RawSocket client(port());
  client.Send(Encode({"HELLO", "3"}) + Encode({"CLIENT", "TRACKING", "ON"}) + Encode({"GET", "k"}) +
              Encode({"PING", "end"}));
  std::string all;
  while (!all.ends_with("$3\r\nend\r\n")) all += client.Read(1);
  Upgrade();
  const std::string forget = ">2\r\n$10\r\ninvalidate\r\n_\r\n";
  const std::string changed = ">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n";
  Expect(&client, forget);
  // The shards may say so again while their nodes connect.
  const auto read_until = [&](const std::string& end) {
    for (all.clear(); !all.ends_with(end);) all += client.Read(1);
    size_t at = 0;
    while (all.compare(at, forget.size(), forget) == 0) at += forget.size();
    EXPECT_EQ(all.substr(at), end);
  };
  client.Send(Encode({"GET", "k"}) + Encode({"PING", "end"}));
  for (all.clear(); !all.ends_with("$3\r\nend\r\n");) all += client.Read(1);
  EXPECT_EQ(admin_("SET", "k", "v"), "OK");
  read_until(changed);
}

TEST_P(UpgradedSessions, WhoWantsNoRepliesGetsNone) {
  RawSocket client(port());
  client.Send(Encode({"CLIENT", "REPLY", "OFF"}) + Encode({"SET", "k", "v"}));
  EXPECT_TRUE(Eventually([&] { return admin_("GET", "k") == "v"; }));
  Upgrade();
  client.Send(Encode({"SET", "k", "w"}) + Encode({"CLIENT", "REPLY", "ON"}));
  Expect(&client, "+OK\r\n");
  EXPECT_EQ(admin_("GET", "k"), "w");
  ExpectNothingMore(&client);
}

TEST_P(UpgradedSessions, WhoMonitorsGoesOn) {
  RawSocket client(port());
  client.Send(Encode({"MONITOR"}));
  Expect(&client, "+OK\r\n");
  RawSocket subscriber(port());
  subscriber.Send(Encode({"SUBSCRIBE", "news"}));
  subscriber.Read(35);
  Upgrade();
  EXPECT_EQ(admin_("SET", "monitored", "v"), "OK");
  std::string all;
  while (all.find("monitored") == std::string::npos) all += client.Read(1);
  // What brings the subscription back is nobody's command.
  const size_t first = all.find("SUBSCRIBE");
  EXPECT_NE(first, std::string::npos);
  EXPECT_EQ(all.find("subscribe", first + 1), std::string::npos) << all;
}

// A request that has come in part is read to its end.
TEST_P(UpgradedSessions, HalfARequestIsCompleted) {
  RawSocket client(port());
  client.Send("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nhe");
  RawSocket large(port());
  const std::string value(3 << 20, 'x');
  const std::string frame = Encode({"SET", "large", value});
  large.Send(frame.substr(0, 2 << 20));
  EXPECT_EQ(admin_("PING"), "PONG");
  Upgrade();
  client.Send("llo\r\n");
  Expect(&client, "+OK\r\n");
  large.Send(frame.substr(2 << 20));
  Expect(&large, "+OK\r\n");
  EXPECT_EQ(admin_("GET", "k"), "hello");
  EXPECT_EQ(admin_("STRLEN", "large"), ":" + std::to_string(value.size()));
}

// Replies that a client has not taken yet are not lost.
TEST_P(UpgradedSessions, WhatIsOwedIsPaid) {
  const std::string value(1 << 20, 'y');
  EXPECT_EQ(admin_("SET", "k", value), "OK");
  RawSocket client(port());
  std::string burst;
  for (int i = 0; i < 16; ++i) burst += Encode({"GET", "k"});
  client.Send(burst);
  const std::string reply = "$" + std::to_string(value.size()) + "\r\n" + value + "\r\n";
  ASSERT_EQ(client.Read(reply.size()), reply);
  Upgrade();
  for (int i = 1; i < 16; ++i) ASSERT_EQ(client.Read(reply.size()), reply) << i;
  ExpectNothingMore(&client);
}

TEST_P(UpgradedSessions, ClientPauseGoesOn) {
  EXPECT_EQ(admin_("CLIENT", "PAUSE", "600000", "WRITE"), "OK");
  Upgrade();
  RawSocket client(port());
  client.Send(Encode({"SET", "k", "v"}));
  ASSERT_TRUE(WaitUntilBlocked(1));
  EXPECT_EQ(admin_("GET", "k"), "(nil)");
  EXPECT_EQ(admin_("CLIENT", "UNPAUSE"), "OK");
  Expect(&client, "+OK\r\n");
}

}  // namespace
}  // namespace gemel::e2e::upgrade_sessions_test
