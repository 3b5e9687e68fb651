// The config is read again while clients watch keys and have commands queued: what is watched stays
// watched, and what is queued goes to the shards that there are when EXEC comes.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/e2e/crowd.h"
#include "tests/e2e/look.h"
#include "tests/e2e/reload_world.h"

namespace gemel::e2e::transactions_reload_test {
namespace {

class TransactionsReload : public testing::TestWithParam<int> {  // workers
 protected:
  // Something else in the file, so that there is another config in effect.
  void Change(ReloadWorld* world) {
    world->file().options["timeouts"]["request_ms"] = std::to_string(20000 + ++changes_);
    world->ReloadAndSettle();
  }

 private:
  int changes_ = 0;
};
INSTANTIATE_TEST_SUITE_P(Workers, TransactionsReload, testing::Values(1, 2), [](const auto& info) {
  return std::string(info.param == 1 ? "One" : "TwoThreaded");
});

TEST_P(TransactionsReload, WhatIsWatchedStaysWatched) {
  ReloadWorld world({.workers = GetParam()});
  for (const bool touched : {false, true}) {
    Client client = world.Connect();
    Client other = world.Connect();
    EXPECT_EQ(client("SET", "{t}k", "1"), "OK");
    EXPECT_EQ(client("WATCH", "{t}k"), "OK");
    Change(&world);
    if (touched) {
      EXPECT_EQ(other("SET", "{t}k", "2"), "OK");
    }
    EXPECT_EQ(client("MULTI"), "OK");
    EXPECT_EQ(client("SET", "{t}k", "3"), "QUEUED");
    EXPECT_EQ(client("ECHO", "x"), "QUEUED");
    EXPECT_EQ(client("SELECT", "0"), "QUEUED");
    Change(&world);
    EXPECT_EQ(client("INCR", "{t}k"), "QUEUED");
    EXPECT_EQ(client("SPOP", "{t}none"), "QUEUED");
    Change(&world);
    EXPECT_EQ(client("EXEC"), touched ? "(nil)" : "[OK x OK :4 (nil)]");
    EXPECT_EQ(client("GET", "{t}k"), touched ? "2" : "4");
  }
  world.ExpectCopiesEqual();
}

// A shard goes, and another one has its keys: it does not know what was watched there. What is
// queued is planned anew.
TEST_P(TransactionsReload, KeysThatMoveToAnotherShard) {
  ReloadWorld world({.workers = GetParam()});
  const std::string stays = world.KeyOn("a");
  const std::string moves = world.KeyOn("b");
  Client queued = world.Connect();
  Client watching = world.Connect();
  Client discards = world.Connect();
  Client unconcerned = world.Connect();
  for (Client* client : {&watching, &discards}) EXPECT_EQ((*client)("WATCH", moves), "OK");
  EXPECT_EQ(unconcerned("WATCH", stays), "OK");
  for (Client* client : {&queued, &watching, &discards}) {
    EXPECT_EQ((*client)("MULTI"), "OK");
    EXPECT_EQ((*client)("INCR", moves), "QUEUED");
  }
  EXPECT_EQ(unconcerned("MULTI"), "OK");
  EXPECT_EQ(unconcerned("INCR", stays), "QUEUED");
  world.file().RemoveShard("b");
  world.ReloadAndSettle();
  EXPECT_EQ(world.Owner(moves), "a");
  EXPECT_EQ(watching("EXEC"), "(nil)");
  EXPECT_EQ(queued("EXEC"), "[:1]");
  EXPECT_EQ(discards("DISCARD"), "OK");
  EXPECT_EQ(unconcerned("EXEC"), "[:1]");
  // All are as they were before.
  for (Client* client : {&queued, &watching, &discards, &unconcerned}) {
    EXPECT_EQ((*client)("WATCH", moves, stays), "OK");
    EXPECT_EQ((*client)("MULTI"), "OK");
    EXPECT_EQ((*client)("MSET", moves, "1", stays, "1"), "QUEUED");
    EXPECT_EQ((*client)("EXEC"), "[OK]");
  }
  world.ExpectCopiesEqual();
}

// Keys that were one shard's when they were queued, and are not any more.
TEST_P(TransactionsReload, KeysThatAreParted) {
  ReloadWorld world({.shards = 2, .workers = GetParam()});
  const std::string a = world.KeyOn("a");
  const std::string b = world.KeyOn("b");
  const ConfigFile::Shard shard = world.file().shard("b");
  world.file().RemoveShard("b");
  world.ReloadAndSettle();
  Client client = world.Connect();
  Client watching = world.Connect();
  EXPECT_EQ(watching("WATCH", a, b), "OK");
  for (Client* one : {&client, &watching}) {
    EXPECT_EQ((*one)("MULTI"), "OK");
    EXPECT_EQ((*one)("SET", a, "1"), "QUEUED");
    EXPECT_EQ((*one)("SET", b, "1"), "QUEUED");
  }
  world.file().shards.push_back(shard);
  EXPECT_FALSE(Has(world.PatientReload(), "-ERR"));
  ASSERT_TRUE(world.WaitUntilSettled());
  EXPECT_EQ(world.Owner(b), "b");
  for (Client* one : {&client, &watching}) {
    const std::string reply = (*one)("EXEC").Text();
    // What was watched is over in any case.
    EXPECT_TRUE(one == &watching ? reply == "(nil)" : reply.starts_with("-EXECABORT ")) << reply;
    EXPECT_EQ((*one)("EXEC"), "-ERR EXEC without MULTI");
    EXPECT_EQ((*one)("GET", a), "(nil)");
  }
  world.ExpectCopiesEqual();
}

// Under reloads, one after the other, a counter loses nothing.
TEST_P(TransactionsReload, NothingIsLost) {
  ReloadWorld world({.shards = 1, .workers = GetParam()});
  EXPECT_EQ(world.Connect()("SET", "n", "0"), "OK");
  Crowd crowd;
  crowd.Start(6, [&](int) {
    Client client = world.Connect();
    while (!crowd.stopped()) {
      client("WATCH", "n");
      const int64_t count = std::stoll(client("GET", "n").Text());
      client("MULTI");
      client("SET", "n", std::to_string(count + 1));
      client("CLIENT", "GETNAME");
      const Reply reply = client("EXEC");
      if (reply.items.size() == 2) crowd.Done();
      if (reply.IsError()) crowd.Complain(reply.Text());
      LetOthersRun();
    }
  });
  for (int i = 0; i < 10; ++i) {
    Change(&world);
    EXPECT_TRUE(crowd.WaitForMore(20));
  }
  crowd.Stop();
  crowd.ExpectNoComplaints();
  EXPECT_EQ(world.Connect()("GET", "n"), std::to_string(crowd.done()));
  world.ExpectCopiesEqual();
}

}  // namespace
}  // namespace gemel::e2e::transactions_reload_test
