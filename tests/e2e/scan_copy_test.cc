// A node that refuses REPLICAOF is copied key by key.

#include <gtest/gtest.h>

#include "tests/e2e/cluster.h"
#include "tests/e2e/load.h"

namespace gemel::e2e::scan_copy_test {
namespace {

// Neither by this name nor by the older one.
const Words kNoReplicaOf = {"--rename-command", "REPLICAOF", "", "--rename-command", "SLAVEOF", ""};

// What the replica holds that is not the primary's: keys of each type that differ, lack or are too
// many, with other times of expiry.
void Fill(RedisNode* primary, RedisNode* replica) {
  Client right = primary->Connect();
  Client wrong = replica->Connect();
  for (int i = 0; i < 2000; ++i) {
    const std::string key = "k" + std::to_string(i);
    if (i % 3 != 0) right("SET", key, "right");
    if (i % 4 != 0) wrong("SET", key, i % 5 == 0 ? "right" : "wrong");
    if (i % 7 == 0) right("PEXPIRE", key, "100000000");
    if (i % 11 == 0) wrong("PEXPIRE", key, "90000000");
    if (i % 13 == 0) right("PEXPIRE", key, std::to_string(300 + i));  // on the way
    if (i % 17 == 0) wrong("PEXPIRE", key, std::to_string(300 + i));
  }
  for (int i = 0; i < 300; ++i) {
    right("HSET", "hash", "f" + std::to_string(i), "v");
    wrong("RPUSH", "hash", "v");
    right("ZADD", "zset", std::to_string(i), "m" + std::to_string(i));
    wrong("SADD", "extra", "m" + std::to_string(i));
  }
  right("SET", "large", std::string(8 << 20, 'l'));
  right("SET", "bin\r\n key", "v");
}

TEST(ScanCopy, CopiesThatDifferBecomeEqualUnderLoad) {
  RedisNode primary(kNoReplicaOf);
  RedisNode replica(kNoReplicaOf);
  Fill(&primary, &replica);
  ProxyProcess proxy;
  // Slowly, so that there is load all the time.
  proxy.Start("[proxy]\nlisten = [\"127.0.0.1:" + std::to_string(proxy.port()) +
              "\"]\nstate_dir = \"state\"\n[health]\n" + kPatientProbes +
              "\n[resync]\nrepair_keys_per_s = 1500\n[[shard]]\nname = \"a\"\nprimary = \"" +
              primary.address() + "\"\nreplicas = [\"" + replica.address() + "\"]\n");
  Load load(proxy.port(), {.threads = 3, .pipeline = 8});
  Client client(proxy.port());
  const auto note = [&client] {
    return client("PROXY", "SHARDS").items.at(0).Field("nodes").items.at(1).Field("resync").bytes;
  };
  EXPECT_TRUE(Eventually([&] { return note().find("copying key by key from") == 0; })) << note();
  EXPECT_TRUE(Eventually([&client] {
    return client("INFO", "resync").bytes.find("phase=copying key by key,keys=") !=
           std::string::npos;
  }));
  int number = 0;
  const auto in_sync = [&] {
    // Keys that were not there, or were different, and that a scan has passed or not.
    client("APPEND", "k" + std::to_string(++number % 2000), "+");
    client("RENAME", "k" + std::to_string(number % 1999), "k" + std::to_string(number % 1997));
    return client("PROXY", "SHARDS").items.at(0).Field("nodes").items.at(1).Field("state") ==
           "in-sync";
  };
  EXPECT_TRUE(Eventually(in_sync)) << note() << "\n" << proxy.Log();
  EXPECT_TRUE(load.WaitForMore(300));
  load.Stop();
  load.Verify(proxy.port());
  EXPECT_EQ(client("STRLEN", "large"), ":" + std::to_string(8 << 20));
  EXPECT_EQ(client("EXISTS", "extra"), ":0");
  EXPECT_EQ(client("TYPE", "hash"), "hash");
  EXPECT_TRUE(Eventually([&] { return replica.Digest() == primary.Digest(); }));
  EXPECT_EQ(replica.Connect()("PEXPIRETIME", "k7"), primary.Connect()("PEXPIRETIME", "k7").Text());
  EXPECT_TRUE(proxy.Logs("refuses REPLICAOF (ERR unknown command")) << proxy.Log();
  EXPECT_TRUE(proxy.Logs("was copied key by key from " + primary.address())) << proxy.Log();
}

TEST(ScanCopy, ARestartedNodeWhoseUserMayNotReplicate) {
  Cluster cluster({.shards = 1,
                   .sections = {{"health", kImpatientProbes}},
                   .redis_options = {"--user", "default", "on", "nopass", "~*", "&*", "+@all",
                                     "-replicaof", "-slaveof"}});
  Load load(cluster.proxy().port(), {.threads = 3, .pipeline = 8});
  for (int round = 0; round < 2; ++round) {
    EXPECT_TRUE(load.WaitForMore(300));
    cluster.node(0, round % 2).Kill();
    EXPECT_TRUE(load.WaitForMore(300));
    cluster.node(0, round % 2).Start();
    ASSERT_TRUE(cluster.WaitUntilInSync()) << cluster.proxy().Log();
  }
  load.Stop();
  load.Verify(cluster.proxy().port());
  cluster.ExpectCopiesEqual();
  EXPECT_TRUE(cluster.proxy().Logs("refuses REPLICAOF (NOPERM"));
}

}  // namespace
}  // namespace gemel::e2e::scan_copy_test
