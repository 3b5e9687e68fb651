// WAIT: what a client is told of the copies that have what it wrote.

#include <gtest/gtest.h>

#include <csignal>
#include <string>
#include <vector>

#include "tests/e2e/cluster.h"
#include "tests/e2e/redis_node.h"
#include "tests/e2e/wait.h"
#include "tests/e2e/wire.h"

namespace gemel::e2e::sync_wait_test {
namespace {

// Workers, ack.
class SyncWait : public ::testing::TestWithParam<std::tuple<int, const char*>> {
 protected:
  SyncWait()
      : cluster_({.workers = std::get<0>(GetParam()),
                  .sections = {{"write", std::string("ack = \"") + std::get<1>(GetParam()) + "\""},
                               {"health", kPatientProbes}}}) {}

  Cluster cluster_;
};

TEST_P(SyncWait, CountsTheCopiesInSync) {
  Client client = cluster_.Connect();
  EXPECT_EQ(client("WAIT", "0", "0"), ":1");
  for (int i = 0; i < 50; ++i) client("SET", "key" + std::to_string(i), "v");
  EXPECT_EQ(client("WAIT", "1", "0"), ":1");
  EXPECT_EQ(client("WAIT", "2", "1"), ":1");
  for (int i = 0; i < 50; ++i) {
    for (int copy = 0; copy < 2; ++copy) {
      const std::string key = "key" + std::to_string(i);
      Client node = cluster_.node(cluster_.ShardOf(key), copy).Connect();
      EXPECT_EQ(node("GET", key), "v");
    }
  }
  EXPECT_EQ(client("MULTI"), "OK");
  EXPECT_EQ(client("WAIT", "7", "0"), "QUEUED");
  EXPECT_EQ(client("EXEC"), "[:1]") << "it does not wait there";
}

// It is asked about the shards that the client has used.
TEST_P(SyncWait, AShardThatLacksACopy) {
  const std::string key = cluster_.KeyOn(0);
  const std::string other = cluster_.KeyOn(1);
  Client client = cluster_.Connect();
  Client spared = cluster_.Connect();
  cluster_.node(0, 1).Kill();
  ASSERT_TRUE(Eventually([&] {
    return cluster_.Status(0).Node(cluster_.node(0, 1).address()).state == "stale" ||
           client("SET", key, "v").IsError();
  }));
  EXPECT_EQ(spared("SET", other, "v"), "OK");
  EXPECT_EQ(spared("WAIT", "1", "0"), ":1");
  EXPECT_EQ(client("SET", key, "v"), "OK");
  EXPECT_EQ(client("WAIT", "1", "30"), ":0");
  EXPECT_EQ(client("WAIT", "0", "0"), ":0");

  const std::string id = client("CLIENT", "ID").Text().substr(1);
  Client act = cluster_.Connect();
  const auto waits = [&] {
    return Eventually(
        [&] { return act("CLIENT", "LIST", "ID", id).bytes.find("flags=b") != std::string::npos; });
  };
  for (const char* how : {"TIMEOUT", "ERROR"}) {
    client.Append({"WAIT", "1", "0"});
    client.Flush();
    ASSERT_TRUE(waits());
    EXPECT_EQ(act("CLIENT", "UNBLOCK", id, how), ":1");
    EXPECT_EQ(client.Read(), std::string(how) == "ERROR"
                                 ? "-UNBLOCKED client unblocked via CLIENT UNBLOCK"
                                 : ":0");
    EXPECT_EQ(act("CLIENT", "UNBLOCK", id), ":0");
  }
  client.Append({"WAIT", "1", "0"});
  client.Flush();
  ASSERT_TRUE(waits());
  cluster_.node(0, 1).Start();
  EXPECT_EQ(client.Read(), ":1") << "the copy is back";
  cluster_.ExpectCopiesEqual();
}

// Whoever hangs up, or is told to go, is waited for by nobody; nor does it hinder the end.
TEST_P(SyncWait, WhoHangsUp) {
  for (int i = 0; i < 3; ++i) {
    auto waits = std::make_unique<Client>(cluster_.proxy().port());
    const std::string id = (*waits)("CLIENT", "ID").Text().substr(1);
    waits->Append({"WAIT", "9", "0"});
    waits->Flush();
    Client act = cluster_.Connect();
    ASSERT_TRUE(Eventually([&] {
      return act("CLIENT", "LIST", "ID", id).bytes.find("flags=b") != std::string::npos;
    }));
    if (i == 0) waits.reset();
    if (i == 1) {
      EXPECT_EQ(act("CLIENT", "KILL", "ID", id), ":1");
    }
    if (i == 2) {
      cluster_.proxy().Signal(SIGTERM);
      EXPECT_EQ(waits->Read(), ":1");
      return;
    }
    EXPECT_TRUE(Eventually([&] { return act("CLIENT", "LIST", "ID", id) == ""; }));
  }
}

TEST_P(SyncWait, MistakesAreThoseOfRedis) {
  RedisNode alone;
  Wire gemel(cluster_.proxy().port());
  Wire redis(alone.port());
  for (const char* line : {"WAIT x 0", "WAIT 0 x", "WAIT 0 -1", "WAIT x x", "WAIT 1", "WAIT 1 2 3",
                           "WAIT 9223372036854775808 0", "WAIT 0 1.5"}) {
    EXPECT_EQ(gemel.Ask(WordsOf(line)), redis.Ask(WordsOf(line))) << line;
  }
}

INSTANTIATE_TEST_SUITE_P(Ways, SyncWait,
                         ::testing::Values(std::tuple(1, "all"), std::tuple(2, "all"),
                                           std::tuple(2, "primary"), std::tuple(1, "any")),
                         [](const auto& info) {
                           const std::string ack = std::get<1>(info.param);
                           return (std::get<0>(info.param) == 1 ? "One" : "TwoThreaded") +
                                  std::string(ack == "all"       ? "All"
                                              : ack == "primary" ? "Primary"
                                                                 : "Any");
                         });

}  // namespace
}  // namespace gemel::e2e::sync_wait_test
