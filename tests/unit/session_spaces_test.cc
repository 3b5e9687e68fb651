// Sessions of users with key spaces of their own: what nodes are asked, what clients are told.

#include <gtest/gtest.h>

#include "backend/resp/reply_reader.h"
#include "tests/unit/session_fakes.h"

namespace gemel::session_spaces_test {
namespace {

using session_test::Args;
using session_test::Bulk;
using session_test::FakeClient;
using session_test::World;

constexpr char kOk[] = "+OK\r\n";

class SessionSpaces : public testing::Test {
 protected:
  FakeClient& As(const std::string& user) {
    FakeClient& client = world_.Connect();
    EXPECT_EQ(world_.Ask(client, {"AUTH", user, "p"}), kOk);
    return client;
  }
  std::string Of(FakeClient& client, const Args& args) { return world_.Ask(client, args); }
  bool NodesHave(const std::string& key) {
    return world_.nodes[0].data.contains(key) || world_.nodes[1].data.contains(key);
  }

  World world_{2,
               "[[user]]\nname = \"one\"\nrules = \"on >p ~* &* +@all\"\nprefix = \"1:\"\n"
               "[[user]]\nname = \"two\"\nrules = \"on >p ~app* &* +@all\"\nprefix = \"2:\"\n"};
};

TEST_F(SessionSpaces, KeysHaveThePrefix) {
  FakeClient& one = As("one");
  FakeClient& two = As("two");
  FakeClient& plain = world_.Connect();
  EXPECT_EQ(Of(one, {"SET", "app", "v1"}), kOk);
  EXPECT_EQ(Of(one, {"MSET", "a", "1", "b", "2", "c", "3"}), kOk);
  EXPECT_EQ(Of(two, {"SET", "app", "v2"}), kOk);
  for (const char* key : {"1:app", "1:a", "1:b", "1:c", "2:app"})
    EXPECT_TRUE(NodesHave(key)) << key;
  EXPECT_EQ(Of(one, {"GET", "app"}), Bulk("v1"));
  EXPECT_EQ(Of(two, {"GET", "app"}), Bulk("v2"));
  EXPECT_EQ(Of(plain, {"GET", "app"}), "$-1\r\n");
  EXPECT_EQ(Of(plain, {"GET", "1:app"}), Bulk("v1"));
  EXPECT_EQ(Of(one, {"MGET", "c", "a", "1:a"}), "*3\r\n" + Bulk("3") + Bulk("1") + "$-1\r\n");
  EXPECT_EQ(Of(one, {"DEL", "a", "b", "c"}), ":3\r\n");
}

TEST_F(SessionSpaces, RulesAreAboutWhatTheClientSays) {
  FakeClient& two = As("two");
  EXPECT_TRUE(Of(two, {"GET", "2:app"}).starts_with("-NOPERM "));
  EXPECT_EQ(Of(two, {"GET", "app1"}), "$-1\r\n");
  EXPECT_TRUE(Of(two, {"GET", "x"}).starts_with("-NOPERM "));
}

TEST_F(SessionSpaces, ListsOfKeys) {
  FakeClient& one = As("one");
  FakeClient& plain = world_.Connect();
  EXPECT_EQ(Of(plain, {"MSET", "2:x", "v", "y", "v", "1:z", "v"}), kOk);
  // These nodes know no patterns: what is not the client's is left out here, too.
  EXPECT_EQ(Of(one, {"KEYS", "*"}), "*1\r\n" + Bulk("z"));
  std::string seen;
  std::string cursor = "0";
  do {
    const std::string reply = Of(one, {"SCAN", cursor});
    std::vector<std::string_view> parts;
    ASSERT_TRUE(SplitArray(reply, &parts)) << reply;
    cursor = ReplyText(parts[0]);
    std::vector<std::string_view> keys;
    ASSERT_TRUE(SplitArray(parts[1], &keys));
    for (const std::string_view key : keys) seen += ReplyText(key);
  } while (cursor != "0");
  EXPECT_EQ(seen, "z");
  bool asked = false;
  for (const auto& node : world_.nodes) {
    for (const std::string& frame : node.seen) asked |= frame == Command({"KEYS", "1:*"});
  }
  EXPECT_TRUE(asked);
}

TEST_F(SessionSpaces, WhatGoesBeyondIsRefused) {
  FakeClient& one = As("one");
  for (const Args& args : {Args{"FLUSHALL"},
                           {"FLUSHDB"},
                           {"DBSIZE"},
                           {"RANDOMKEY"},
                           {"SWAPDB", "0", "1"},
                           {"EVAL", "return 1", "1", "k"},
                           {"EVALSHA_RO", "x", "0"},
                           {"FCALL", "f", "0"},
                           {"SCRIPT", "LOAD", "return 1"},
                           {"FUNCTION", "LIST"},
                           {"CONFIG", "GET", "*"},
                           {"PROXY", "SHARDS"},
                           {"MONITOR"},
                           {"SLOWLOG", "GET"},
                           {"ACL", "LIST"},
                           {"PUBSUB", "CHANNELS"},
                           {"CLIENT", "LIST"}}) {
    EXPECT_TRUE(Of(one, args).starts_with("-NOPERM this user has a key space of its own"))
        << args[0];
  }
  EXPECT_EQ(Of(one, {"MULTI"}), kOk);
  EXPECT_TRUE(Of(one, {"FLUSHALL"}).starts_with("-NOPERM "));
  EXPECT_TRUE(Of(one, {"EXEC"}).starts_with("-EXECABORT "));
  EXPECT_EQ(world_.workers[0]->stats.denied_cmd.Get(), 18u);
}

TEST_F(SessionSpaces, Transactions) {
  FakeClient& one = As("one");
  EXPECT_EQ(Of(one, {"MULTI"}), kOk);
  EXPECT_EQ(Of(one, {"SET", "k", "v"}), "+QUEUED\r\n");
  EXPECT_EQ(Of(one, {"GET", "k"}), "+QUEUED\r\n");
  EXPECT_EQ(Of(one, {"EXEC"}), "*2\r\n+OK\r\n" + Bulk("v"));
  EXPECT_TRUE(NodesHave("1:k"));
  EXPECT_FALSE(NodesHave("k"));
}

// KEYS of the one is answered when the client has become the other already, were it not waited for.
TEST_F(SessionSpaces, AnotherUserWaitsForTheAnswersOfTheFirst) {
  FakeClient& client = As("one");
  FakeClient& plain = world_.Connect();
  EXPECT_EQ(Of(plain, {"MSET", "1:a", "v", "2:app", "v"}), kOk);
  client.Send(Command({"KEYS", "*"}) + Command({"AUTH", "two", "p"}) + Command({"KEYS", "*"}) +
              Command({"RESET"}) + Command({"EXISTS", "2:app"}));
  world_.Run();
  EXPECT_EQ(client.Take(),
            "*1\r\n" + Bulk("a") + kOk + "*1\r\n" + Bulk("app") + "+RESET\r\n:1\r\n");
}

TEST_F(SessionSpaces, OperatorsSeeWholeNames) {
  FakeClient& one = As("one");
  FakeClient& monitor = world_.Connect();
  EXPECT_EQ(Of(monitor, {"MONITOR"}), kOk);
  EXPECT_EQ(Of(one, {"SET", "k", "v"}), kOk);
  world_.workers[0]->worker_seen.monitor.Take();  // as the loop does in each turn
  world_.Run();
  EXPECT_NE(monitor.Take().find("\"SET\" \"1:k\" \"v\""), std::string::npos);
}

TEST_F(SessionSpaces, GetKeysSaysWhatTheClientSaid) {
  FakeClient& one = As("one");
  EXPECT_EQ(Of(one, {"COMMAND", "GETKEYS", "MSET", "a", "1", "b", "2"}),
            "*2\r\n" + Bulk("a") + Bulk("b"));
}

}  // namespace
}  // namespace gemel::session_spaces_test
