// Clients where the nodes of the shards keep the registers of a fleet in a database of theirs.

#include <gtest/gtest.h>

#include <string>

#include "tests/unit/session_fakes.h"

namespace gemel::session_test {
namespace {

constexpr char kFleet[] =
    "[fleet]\ncoordinator = \"paxos\"\nmember = \"m\"\nsecret = \"0123456789abcdef\"\n"
    "listen = \"127.0.0.1:9000\"\n";

bool Has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

class SessionRegisters : public ::testing::Test {
 protected:
  // What the nodes were sent for that.
  std::string SentFor(const Args& args) {
    for (FakeNode& node : world_.nodes) node.seen.clear();
    answer_ = world_.Ask(client_, args);
    std::string sent;
    for (FakeNode& node : world_.nodes) {
      for (const std::string& frame : node.seen) sent += frame;
    }
    return sent;
  }

  World world_{2, kFleet, 1, 2};
  FakeClient& client_ = world_.Connect();
  std::string answer_;
};

TEST_F(SessionRegisters, ClientsHaveTheDatabasesBelowTheirs) {
  EXPECT_EQ(world_.Ask(client_, {"SELECT", "14"}), "+OK\r\n");
  EXPECT_EQ(world_.Ask(client_, {"SELECT", "0"}), "+OK\r\n");
  EXPECT_TRUE(world_.Ask(client_, {"SELECT", "15"}).starts_with("-ERR DB index is out of range"));
  EXPECT_TRUE(Has(world_.Ask(client_, {"CONFIG", "GET", "databases"}), "\r\n15\r\n"));
  for (const Args& args :
       {Args{"SWAPDB", "0", "15"}, Args{"MOVE", "k", "15"}, Args{"COPY", "k", "k", "DB", "15"}}) {
    EXPECT_EQ(SentFor(args), "") << args[0];
    EXPECT_TRUE(answer_.starts_with("-ERR")) << answer_;
  }
}

TEST_F(SessionRegisters, FlushallIsOfTheClientsDatabasesAlone) {
  for (const Args& args : {Args{"FLUSHALL"}, Args{"flushall", "ASYNC"}, Args{"FLUSHALL", "sync"}}) {
    const std::string sent = SentFor(args);
    EXPECT_TRUE(Has(sent, "$4\r\nEVAL\r\n")) << sent;
    EXPECT_TRUE(Has(sent, "'FLUSHDB'")) << sent;
    EXPECT_TRUE(Has(sent, "\r\n$1\r\n0\r\n$2\r\n15\r\n")) << sent;
    EXPECT_EQ(Has(sent, "ASYNC"), args.back() != "sync") << sent;
    EXPECT_FALSE(Has(sent, "FLUSHALL")) << sent;
  }
  // The node's own error.
  EXPECT_TRUE(Has(SentFor({"FLUSHALL", "now"}), "$7\r\nFLUSHDB\r\n$3\r\nnow\r\n"));
}

TEST_F(SessionRegisters, NorInATransaction) {
  World one(1, std::string(kFleet) + "servers = [\"127.0.0.1:7000\", \"h:1\", \"h:2\"]\n", 1, 2);
  FakeClient& client = one.Connect();
  one.Ask(client, {"MULTI"});
  EXPECT_EQ(one.Ask(client, {"FLUSHALL"}), "+QUEUED\r\n");
  one.Ask(client, {"EXEC"});
  std::string sent;
  for (const std::string& frame : one.nodes[0].seen) sent += frame;
  EXPECT_TRUE(Has(sent, "'FLUSHDB'")) << sent;
  EXPECT_FALSE(Has(sent, "FLUSHALL")) << sent;
}

TEST_F(SessionRegisters, WhatOnlyReadsIsGuardedToo) {
  for (const Args& args : {Args{"EVAL_RO", "return 7", "1", "k"},
                           Args{"EVAL", "#!lua flags=no-writes\nreturn 7", "1", "k"}}) {
    const std::string sent = SentFor(args);
    EXPECT_TRUE(Has(sent, "EVAL_RO") || Has(sent, "eval_ro")) << sent;
    EXPECT_TRUE(Has(sent, "select=true")) << sent;
    EXPECT_TRUE(Has(sent, "return 7")) << sent;
  }
}

TEST(SessionWithoutRegisters, NothingOfThisIsThere) {
  World world(1, "", 1, 2);
  FakeClient& client = world.Connect();
  EXPECT_EQ(world.Ask(client, {"SELECT", "15"}), "+OK\r\n");
  EXPECT_EQ(world.Ask(client, {"SELECT", "0"}), "+OK\r\n");
  world.Ask(client, {"FLUSHALL"});
  world.Ask(client, {"EVAL_RO", "return 7", "1", "k"});
  EXPECT_EQ(world.nodes[0].seen,
            (std::vector<std::string>{Command({"FLUSHALL"}),
                                      Command({"EVAL_RO", "return 7", "1", "k"})}));
}

}  // namespace
}  // namespace gemel::session_test
