// What is there already when gemel comes: live replicas are taken over without a copy, resyncs that
// were cut off are gone on with, and a node that somebody made another's replica is found out.

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>

#include "tests/e2e/cluster.h"
#include "tests/e2e/load.h"

namespace gemel::e2e::adoption_test {
namespace {

std::string Field(const std::string& info, const std::string& name) {
  const size_t at = ("\r\n" + info).find("\r\n" + name + ":");
  if (at == std::string::npos) return {};
  const size_t begin = at + name.size() + 1;
  return info.substr(begin, info.find("\r\n", begin) - begin);
}

std::string InfoField(const RedisNode& node, const std::string& section, const std::string& name) {
  return Field(node.Connect()("INFO", section).bytes, name);
}

// Whole copies that a node ever gave to replicas.
int FullSyncs(const RedisNode& node) { return std::stoi(InfoField(node, "stats", "sync_full")); }

void MakeReplicaOf(const RedisNode& replica, const std::string& host, const RedisNode& primary) {
  ASSERT_EQ(replica.Connect()("REPLICAOF", host, std::to_string(primary.port())), "OK");
  ASSERT_TRUE(Eventually([&] {
    const std::string info = replica.Connect()("INFO", "replication").bytes;
    return Field(info, "master_link_status") == "up" &&
           Field(info, "slave_repl_offset") ==
               InfoField(primary, "replication", "master_repl_offset");
  }));
}

// One shard of servers that exist before the proxy does.
class Adoption : public ::testing::Test {
 protected:
  void StartProxy(const RedisNode& primary, const RedisNode& replica,
                  const std::string& sections = "") {
    proxy_.Start("[proxy]\nlisten = [\"127.0.0.1:" + std::to_string(proxy_.port()) +
                 "\"]\nstate_dir = \"state\"\n[resync]\nretry_ms = 100\n[health]\n" +
                 kPatientProbes + "\n" + sections + "[[shard]]\nname = \"a\"\nprimary = \"" +
                 primary.address() + "\"\nreplicas = [\"" + replica.address() + "\"]\n");
  }
  Reply Node(int copy) {
    return Client(proxy_.port())("PROXY", "SHARDS")
        .items.at(0)
        .Field("nodes")
        .items.at(static_cast<size_t>(copy));
  }
  bool ReplicaIsInSync() { return Node(1).Field("state") == "in-sync"; }
  void ExpectEqual(const RedisNode& primary, const RedisNode& replica) {
    EXPECT_TRUE(Eventually([&] { return ReplicaIsInSync(); })) << proxy_.Log();
    EXPECT_EQ(replica.Connect()("ROLE").items.at(0), "master");
    EXPECT_EQ(Client(proxy_.port())("SET", "after", "v"), "OK");
    EXPECT_EQ(replica.Connect()("GET", "after"), "v");
    EXPECT_EQ(replica.Digest(), primary.Digest());
  }

  ProxyProcess proxy_;
};

void Fill(Client client, int keys, const std::string& value = "v") {
  for (int i = 0; i < keys; ++i) client.Append({"SET", "k" + std::to_string(i), value});
  for (int i = 0; i < keys; ++i) ASSERT_EQ(client.Read(), "OK");
}

TEST_F(Adoption, LiveReplicaIsTakenOverWithoutACopy) {
  RedisNode primary;
  RedisNode replica;
  Fill(primary.Connect(), 1000);
  MakeReplicaOf(replica, "127.0.0.1", primary);
  ASSERT_EQ(FullSyncs(primary), 1);
  StartProxy(primary, replica);
  ExpectEqual(primary, replica);
  EXPECT_EQ(FullSyncs(primary), 1) << proxy_.Log();
  EXPECT_EQ(Client(proxy_.port())("GET", "k999"), "v");
  EXPECT_EQ(replica.Connect()("DBSIZE"), ":1001");
  EXPECT_TRUE(proxy_.Logs("it is taken over without a new copy")) << proxy_.Log();
}

TEST_F(Adoption, LiveReplicaByAnotherName) {
  RedisNode primary;
  RedisNode replica;
  Fill(primary.Connect(), 1000);
  MakeReplicaOf(replica, "localhost", primary);
  StartProxy(primary, replica);
  ExpectEqual(primary, replica);
  EXPECT_EQ(FullSyncs(primary), 1) << proxy_.Log();
}

TEST_F(Adoption, EmptyPairIsTakenOver) {
  RedisNode primary;
  RedisNode replica;
  MakeReplicaOf(replica, "127.0.0.1", primary);
  StartProxy(primary, replica);
  ExpectEqual(primary, replica);
  EXPECT_EQ(FullSyncs(primary), 1);
}

TEST_F(Adoption, UnderLoad) {
  // A replica by its own config: at each start it copies by itself, and gemel takes it over.
  RedisNode primary;
  RedisNode replica({"--replicaof", "127.0.0.1", std::to_string(primary.port())});
  StartProxy(primary, replica);
  Load load(proxy_.port(), {.threads = 3, .pipeline = 8});
  for (int round = 0; round < 3; ++round) {
    ASSERT_TRUE(Eventually([&] { return ReplicaIsInSync(); })) << proxy_.Log();
    EXPECT_TRUE(load.WaitForMore(500));
    const int copies = FullSyncs(primary);
    replica.Kill();
    EXPECT_TRUE(load.WaitForMore(300));
    replica.Start();
    ASSERT_TRUE(Eventually([&] { return ReplicaIsInSync(); })) << proxy_.Log();
    EXPECT_LE(FullSyncs(primary), copies + 1) << "none but its own";
  }
  EXPECT_TRUE(load.WaitForMore(500));
  load.Stop();
  load.Verify(proxy_.port());
  ExpectEqual(primary, replica);
}

TEST_F(Adoption, ResyncGoesOnAfterTheProxyWasKilled) {
  for (const bool wait : {false, true}) {
    RedisNode primary;
    RedisNode replica;
    Fill(primary.Connect(), 2000);
    Fill(replica.Connect(), 10, "old");
    // Some seconds for the copy, so that its beginning is seen on a busy machine too.
    ASSERT_EQ(primary.Connect()("CONFIG", "SET", "rdb-key-save-delay", "1000"), "OK");
    ProxyProcess proxy;
    const std::string config =
        "[proxy]\nlisten = [\"127.0.0.1:" + std::to_string(proxy.port()) +
        "\"]\nstate_dir = \"state\"\n[resync]\nretry_ms = 100\n[[shard]]\nname = \"a\"\n"
        "primary = \"" +
        primary.address() + "\"\nreplicas = [\"" + replica.address() + "\"]\n";
    proxy.Start(config);
    ASSERT_TRUE(Eventually(
        [&] { return InfoField(replica, "replication", "master_sync_in_progress") == "1"; }));
    proxy.Kill();
    if (wait) {
      ASSERT_TRUE(Eventually(
          [&] { return InfoField(replica, "replication", "master_link_status") == "up"; }));
    }
    EXPECT_EQ(primary.Connect()("SET", "meanwhile", "v"), "OK");
    proxy.Restart();
    ASSERT_TRUE(Eventually([&] {
      return replica.Connect()("ROLE").items.at(0) == "master" &&
             Client(proxy.port())("PROXY", "SHARDS")
                     .items.at(0)
                     .Field("nodes")
                     .items.at(1)
                     .Field("state") == "in-sync";
    })) << proxy.Log();
    EXPECT_EQ(FullSyncs(primary), 1) << proxy.Log();
    EXPECT_EQ(replica.Digest(), primary.Digest());
  }
}

TEST_F(Adoption, NodeThatRefusesReplicaOf) {
  RedisNode primary;
  RedisNode replica({"--rename-command", "REPLICAOF", ""});
  Fill(primary.Connect(), 10);
  Fill(replica.Connect(), 5, "old");
  StartProxy(primary, replica);
  ExpectEqual(primary, replica);
  EXPECT_TRUE(proxy_.Logs(replica.address() + " refuses REPLICAOF (ERR unknown")) << proxy_.Log();
  EXPECT_EQ(FullSyncs(primary), 0);  // it was copied key by key
  EXPECT_EQ(replica.Connect()("DBSIZE"), ":11");
}

TEST_F(Adoption, PrimaryAndReplicaSwappedInTheConfig) {
  RedisNode primary;
  RedisNode replica;
  Fill(primary.Connect(), 10);
  MakeReplicaOf(replica, "127.0.0.1", primary);
  StartProxy(replica, primary);  // the wrong way round
  EXPECT_TRUE(proxy_.Logs("is a REPLICAOF replica of another server"));
  EXPECT_TRUE(proxy_.Logs("is itself a REPLICAOF replica of"));
  EXPECT_EQ(primary.Connect()("ROLE").items.at(0), "master") << "no circle";
  EXPECT_EQ(primary.Connect()("DBSIZE"), ":10");
  EXPECT_EQ(replica.Connect()("DBSIZE"), ":10");
}

TEST(Identity, NodeThatSomebodyMadeAnothersReplicaIsRepaired) {
  RedisNode stray;
  Fill(stray.Connect(), 10, "foreign");
  Cluster cluster({.shards = 1});
  Client client = cluster.Connect();
  for (int i = 0; i < 5; ++i) EXPECT_EQ(client("SET", "k" + std::to_string(i), "right"), "OK");
  for (int copy : {1, 0}) {
    RedisNode& node = cluster.node(0, copy);
    const int64_t epoch = cluster.Status(0).epoch;
    MakeReplicaOf(node, "127.0.0.1", stray);
    ASSERT_TRUE(Eventually([&] { return cluster.Status(0).epoch > epoch; }))
        << cluster.proxy().Log();
    cluster.ExpectCopiesEqual();
    for (int i = 0; i < 10; ++i) {
      EXPECT_EQ(client("GET", "k" + std::to_string(i)), i < 5 ? "right" : "(nil)");
    }
  }
}

TEST(Identity, NodeThatWasAnothersReplicaForAWhileIsRepaired) {
  RedisNode stray;
  Fill(stray.Connect(), 10, "foreign");
  Cluster cluster({.shards = 1});
  Client client = cluster.Connect();
  EXPECT_EQ(client("SET", "k1", "right"), "OK");
  RedisNode& node = cluster.node(0, 1);
  const int64_t epoch = cluster.Status(0).epoch;
  MakeReplicaOf(node, "127.0.0.1", stray);
  EXPECT_EQ(node.Connect()("REPLICAOF", "NO", "ONE"), "OK");
  node.Connect()("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
  ASSERT_TRUE(Eventually([&] { return cluster.Status(0).epoch > epoch; })) << cluster.proxy().Log();
  cluster.ExpectCopiesEqual();
  EXPECT_EQ(node.Connect()("GET", "k1"), "right");
  EXPECT_EQ(node.Connect()("GET", "k7"), "(nil)");
}

TEST(Identity, PromotedCopyIsKnownAgainAfterARestartOfTheProxy) {
  // It was a replica once, by gemel's own doing.
  Cluster cluster({.shards = 1});
  Client client = cluster.Connect();
  EXPECT_EQ(client("SET", "k", "v"), "OK");
  cluster.node(0, 0).Kill();
  EXPECT_EQ(client("SET", "k", "w"), "OK");
  cluster.node(0, 0).Start();
  ASSERT_TRUE(cluster.WaitUntilInSync());
  const int64_t epoch = cluster.Status(0).epoch;
  EXPECT_EQ(cluster.proxy().Stop(), 0);
  cluster.proxy().Restart();
  cluster.ExpectCopiesEqual();
  EXPECT_EQ(cluster.Status(0).epoch, epoch) << cluster.proxy().Log();
  for (int copy : {0, 1}) {
    cluster.node(0, copy).Connect()("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
    ASSERT_TRUE(cluster.WaitUntilInSync());
  }
  EXPECT_EQ(cluster.Connect()("GET", "k"), "w");
  cluster.ExpectCopiesEqual();
}

TEST(ResyncLimits, AtMostMaxParallelAtATime) {
  Cluster cluster(
      {.shards = 4, .workers = 2, .sections = {{"resync", "retry_ms = 100\nmax_parallel = 1"}}});
  Fill(cluster.Connect(), 2000);
  for (int shard = 0; shard < 4; ++shard) {
    cluster.node(shard, 0).Connect()("CONFIG", "SET", "rdb-key-save-delay", "300");
    cluster.node(shard, 1).Kill();
  }
  for (int shard = 0; shard < 4; ++shard) cluster.node(shard, 1).Start();
  int most = 0;
  bool waited = false;
  ASSERT_TRUE(Eventually([&] {
    Client client = cluster.Connect();
    const std::string info = client("INFO", "resync").bytes;
    most = std::max(most, std::stoi(Field(info, "resyncs_running")));
    for (const Reply& shard : client("PROXY", "SHARDS").items) {
      waited |= shard.Field("nodes").items.at(1).Field("resync").bytes.starts_with("waits for its");
    }
    return std::stoi(Field(info, "resyncs_done")) >= 4;
  })) << cluster.proxy().Log();
  EXPECT_EQ(most, 1);
  EXPECT_TRUE(waited);
  cluster.ExpectCopiesEqual();
}

TEST(ResyncLimits, ProgressIsVisible) {
  Cluster cluster({.shards = 1});
  Fill(cluster.Connect(), 3000, std::string(100, 'v'));
  ASSERT_EQ(cluster.node(0, 0).Connect()("CONFIG", "SET", "rdb-key-save-delay", "1000"), "OK");
  cluster.node(0, 1).Kill();
  cluster.node(0, 1).Start();
  std::string line;
  std::string note;
  ASSERT_TRUE(Eventually([&] {
    Client client = cluster.Connect();
    line = Field(client("INFO").bytes, "resync0");
    note = client("PROXY", "SHARDS").items.at(0).Field("nodes").items.at(1).Field("resync").bytes;
    const size_t percent = line.find(",percent=");
    return percent != std::string::npos && std::stoi(line.substr(percent + 9)) > 0 &&
           note.find(" %") != std::string::npos;
  })) << cluster.proxy().Log();
  EXPECT_TRUE(line.starts_with("shard=a,source=" + cluster.node(0, 0).address() +
                               ",node=" + cluster.node(0, 1).address() + ",phase=copying"))
      << line;
  EXPECT_TRUE(note.starts_with("copying from " + cluster.node(0, 0).address() + ": ")) << note;
  cluster.ExpectCopiesEqual();
  const ProxyProcess& proxy = cluster.proxy();
  EXPECT_TRUE(proxy.Logs("resync of " + cluster.node(0, 1).address() + " from " +
                         cluster.node(0, 0).address() + " begins"));
  EXPECT_TRUE(proxy.Logs("resync of " + cluster.node(0, 1).address() + ": copying from "));
  EXPECT_TRUE(proxy.Logs(" copied); writes were paused for ")) << proxy.Log();
}

// Prints how long the hand-over pauses writes under load. Asserts no time: that is for a machine
// that does nothing else.
TEST(ResyncLimits, PauseUnderLoad) {
  Cluster cluster({.shards = 1});
  Load load(cluster.proxy().port(), {.threads = 4, .keys = 64, .pipeline = 32});
  for (int round = 0; round < 3; ++round) {
    EXPECT_TRUE(load.WaitForMore(2000));
    cluster.node(0, 1).Kill();
    EXPECT_TRUE(load.WaitForMore(2000));
    const uint64_t before = load.answered();
    const auto began = std::chrono::steady_clock::now();
    cluster.node(0, 1).Start();
    ASSERT_TRUE(cluster.WaitUntilInSync());
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
    const std::string info = cluster.Connect()("INFO", "resync").bytes;
    EXPECT_GT(std::stoi(Field(info, "resyncs_done")), round);
    std::printf("resync under %.0f requests/s: writes were paused for %s ms\n",
                static_cast<double>(load.answered() - before) / took.count(),
                Field(info, "resync_last_pause_ms").c_str());
  }
  load.Stop();
  load.Verify(cluster.proxy().port());
  cluster.ExpectCopiesEqual();
}

}  // namespace
}  // namespace gemel::e2e::adoption_test
