// Nodes of different versions side by side, as in any rolling upgrade: Redis 7.0 can read neither
// the replication nor the DUMPs of Valkey 8.0.

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "tests/e2e/cluster.h"
#include "tests/e2e/load.h"

namespace gemel::e2e::mixed_versions_test {
namespace {

constexpr const char* kRedis = "redis-server";

// Keys of every type, small and large, with what is easily lost: bytes, scores, expiry, groups.
void Fill(Client client) {
  const std::string bytes("\0\r\n\xff\x80 x", 8);
  client.Run({"SET", "binary" + bytes, bytes + bytes});
  client("SET", "empty", "");
  client("SET", "number", "12345678901");
  client("SET", "large", std::string(5 << 20, 'l') + "end");
  client("SETBIT", "bits", "100000", "1");
  client("PFADD", "hll", "a", "b", "c");
  client("SET", "expires", "v", "PXAT", "4102444800123");
  for (int i = 0; i < 3000; ++i) {
    const std::string n = std::to_string(i);
    client.Append({"RPUSH", "list", "element" + n});
    client.Append({"SADD", "set", "member" + n});
    client.Append({"HSET", "hash", "field" + n, "value" + n});
    client.Append({"ZADD", "zset", std::to_string(i) + ".1", "member" + n});
    client.Append({"XADD", "stream", std::to_string(i + 1) + "-" + n, "f", "v" + n});
  }
  for (int i = 0; i < 5 * 3000; ++i) client.Read();
  client("PEXPIREAT", "hash", "4102444800456");
  client("SADD", "ints", "1", "2", "3");
  client.Run({"RPUSH", "small list", "a", bytes, ""});
  client("HSET", "small hash", "f", "v");
  client("ZADD", "scores", "0.1", "a", "-inf", "b", "+inf", "c", "1e300", "d", "-0", "e");
  client("ZADD", "scores", "1.7976931348623157e308", "f", "4.9e-324", "g", "0.30000000000000004",
         "h");
  client("GEOADD", "geo", "13.361389", "38.115556", "Palermo");
  client("XADD", "small stream", "18446744073709551614-18446744073709551615", "f", "v", "g", "w");
  client("XDEL", "stream", "7-6", "3000-2999");
  client("XGROUP", "CREATE", "stream", "group", "0");
  client("XGROUP", "CREATECONSUMER", "stream", "group", "idle");
  client("XGROUP", "CREATE", "no entries", "g", "0", "MKSTREAM");
  client("XGROUP", "SETID", "stream", "group", "500-499");
}

// Every key's digest, but sorted sets as numbers: DEBUG DIGEST is of scores as they are written.
std::map<std::string, std::string> Contents(Client client) {
  std::map<std::string, std::string> contents;
  for (const Reply& key : client("KEYS", "*").items) {
    std::string& text = contents[key.bytes];
    if (client("TYPE", key.bytes) == "zset") {
      const Reply members = client("ZRANGE", key.bytes, "0", "-1", "WITHSCORES");
      for (size_t i = 0; i + 1 < members.items.size(); i += 2) {
        char score[64];
        std::snprintf(score, sizeof(score), " %a ",
                      std::strtod(members.items[i + 1].bytes.c_str(), nullptr));
        text += members.items[i].bytes + score;
      }
    } else {
      text = client("DEBUG", "DIGEST-VALUE", key.bytes).Text();
    }
  }
  return contents;
}

// What DEBUG DIGEST does not look at.
std::vector<std::string> Details(Client client) {
  std::vector<std::string> details;
  for (const char* key : {"expires", "hash", "list"}) {
    details.push_back(client("PEXPIRETIME", key).Text());
  }
  details.push_back(client("OBJECT", "ENCODING", "number").Text());
  for (const char* key : {"stream", "small stream", "no entries"}) {
    const Reply info = client("XINFO", "STREAM", key);
    for (const char* field :
         {"length", "last-generated-id", "max-deleted-entry-id", "entries-added", "groups"}) {
      details.push_back(info.Field(field).Text());
    }
    for (const Reply& group : client("XINFO", "GROUPS", key).items) details.push_back(group.Text());
  }
  for (const Reply& consumer : client("XINFO", "CONSUMERS", "stream", "group").items) {
    details.push_back(consumer.Field("name").Text() + " " + consumer.Field("pending").Text());
  }
  // Who has what for how long, by the node's own clock.
  for (const Reply& pending : client("XPENDING", "stream", "group", "-", "+", "2000").items) {
    details.push_back(pending.items.at(0).Text() + " " + pending.items.at(1).Text() + " " +
                      pending.items.at(3).Text());
  }
  return details;
}

class MixedVersions : public ::testing::Test {
 protected:
  // Patient with its nodes: who is slow for a moment here must not be the one that is missing when
  // the other is killed.
  MixedVersions() : cluster_({.shards = 1}) {}

  // The copy's node ends, and the other program is started in its place.
  void Replace(int copy, const std::string& program) {
    cluster_.node(0, copy).Stop();
    cluster_.node(0, copy).set_program(program);
    ASSERT_TRUE(Eventually([&] {
      return cluster_.Status(0).Node(cluster_.node(0, copy).address()).state == "stale";
    }));
    cluster_.node(0, copy).Start();
    ASSERT_TRUE(WaitUntilInSync()) << cluster_.proxy().Log();
  }
  bool WaitUntilInSync() {
    return Eventually([&] { return cluster_.Status(0).AllInSync(); }, std::chrono::seconds(90));
  }
  void Promote(int copy) {
    ASSERT_EQ(cluster_.Connect()("PROXY", "PROMOTE", "a", cluster_.node(0, copy).address()), "OK");
  }
  void ExpectEqual() {
    EXPECT_TRUE(WaitUntilInSync());
    EXPECT_EQ(Contents(cluster_.node(0, 0).Connect()), Contents(cluster_.node(0, 1).Connect()));
    EXPECT_EQ(Details(cluster_.node(0, 0).Connect()), Details(cluster_.node(0, 1).Connect()));
  }
  std::string Warning(int copy) {
    return cluster_.Connect()("PROXY", "SHARDS")
        .items.at(0)
        .Field("nodes")
        .items.at(static_cast<size_t>(copy))
        .Field("warning")
        .bytes;
  }

  Cluster cluster_;
};

TEST_F(MixedVersions, AnUpgradeAndTheWayBackNodeByNodeUnderLoad) {
  const std::string valkey = ValkeyServer();
  Fill(cluster_.Connect());
  Load load(cluster_.proxy().port(), {.threads = 3, .pipeline = 4});
  const auto step = [&](const char* what) {
    SCOPED_TRACE(what);
    EXPECT_TRUE(load.WaitForMore(500));
    EXPECT_FALSE(load.HasErrors());
    EXPECT_TRUE(WaitUntilInSync()) << cluster_.proxy().Log();
  };
  Replace(1, valkey);  // which reads what Redis writes
  step("the replica is upgraded");
  Promote(1);
  step("it is the primary");
  cluster_.node(0, 0).Kill();
  ASSERT_TRUE(Eventually([&] { return !cluster_.Status(0).AllInSync(); }));
  cluster_.node(0, 0).Start();
  ASSERT_TRUE(WaitUntilInSync()) << cluster_.proxy().Log();
  step("the old version was copied from the new one");
  cluster_.node(0, 1).Kill();  // and is worth something
  EXPECT_TRUE(cluster_.WaitUntilPrimary(0, cluster_.node(0, 0)));
  EXPECT_TRUE(load.WaitForMore(500));
  cluster_.node(0, 1).Start();
  ASSERT_TRUE(WaitUntilInSync()) << cluster_.proxy().Log();
  Replace(0, valkey);
  step("all are new");
  Replace(1, kRedis);
  step("one is old again");
  Promote(1);
  Replace(0, kRedis);
  step("all are old");
  load.Stop();
  load.Verify(cluster_.proxy().port());
  ExpectEqual();
  EXPECT_EQ(cluster_.Connect()("STRLEN", "large"), ":" + std::to_string((5 << 20) + 3));
}

TEST_F(MixedVersions, IsRecognisedAndEveryTypeIsCopiedByItsCommands) {
  Replace(0, ValkeyServer());
  cluster_.node(0, 1).Stop();
  Client client = cluster_.Connect();
  Fill(cluster_.Connect());
  cluster_.node(0, 0).Connect()("XREADGROUP", "GROUP", "group", "reader", "COUNT", "1500",
                                "STREAMS", "stream", ">");
  cluster_.node(0, 0).Connect()("XREADGROUP", "GROUP", "group", "other", "COUNT", "10", "STREAMS",
                                "stream", ">");
  cluster_.node(0, 0).Connect()("XCLAIM", "stream", "group", "other", "0", "600-599", "RETRYCOUNT",
                                "7", "JUSTID");
  cluster_.node(0, 1).Start();
  ASSERT_TRUE(WaitUntilInSync()) << cluster_.proxy().Log();
  ExpectEqual();
  EXPECT_NE(Warning(1).find("(Redis 7.0"), std::string::npos) << Warning(1);
  EXPECT_NE(Warning(1).find("can read neither the replication nor the DUMPs of " +
                            cluster_.node(0, 0).address() + " (Valkey 8"),
            std::string::npos)
      << Warning(1);
  EXPECT_EQ(Warning(0), "");
  EXPECT_NE(client("PROXY", "EVENTS").Text().find("can read neither"), std::string::npos);
  // Single keys, too: what somebody wrote to one copy is put right, and the audit finds no more.
  Client bypass = cluster_.node(0, 1).Connect();
  bypass("ZADD", "zset", "1", "bypassed");
  bypass("DEL", "stream", "list");
  bypass("SET", "extra", "v");
  EXPECT_EQ(client("PROXY", "AUDIT", "a").IsError(), false);
  ExpectEqual();
  const Reply shard = client("PROXY", "SHARDS").items.at(0);
  const int64_t differences = shard.Field("audit_differences").integer;
  EXPECT_EQ(differences, 4);
  EXPECT_EQ(client("PROXY", "AUDIT", "a").IsError(), false);
  EXPECT_EQ(client("PROXY", "SHARDS").items.at(0).Field("audit_differences").integer, differences);
  // What differs is seen at once by a write's reply.
  bypass("RPUSH", "list", "bypassed");
  EXPECT_EQ(client("RPUSH", "list", "x"), ":3001");
  EXPECT_EQ(client("LINDEX", "list", "-1"), "x");
  ExpectEqual();
  // And what is only written otherwise is no difference.
  const Reply before = client("PROXY", "SHARDS").items.at(0).Field("diverged");
  EXPECT_EQ(client("ZINCRBY", "scores", "0.1", "a"), "0.2");
  client("ZADD", "scores", "INCR", "0.7", "a");
  client("ZPOPMAX", "scores", "5");
  client("ZADD", "scores", "0.1", "z");
  client("ZPOPMIN", "scores", "3");
  EXPECT_EQ(client("PROXY", "SHARDS").items.at(0).Field("diverged"), before.Text());
  ExpectEqual();
}

TEST_F(MixedVersions, ARestartOfGemelBesideOldAndNew) {
  Replace(0, ValkeyServer());
  Client(cluster_.proxy().port())("SET", "k", "v");
  cluster_.node(0, 1).Kill();
  ASSERT_TRUE(Eventually([&] { return !cluster_.Status(0).AllInSync(); }));
  cluster_.proxy().Kill();
  cluster_.node(0, 1).Start();
  cluster_.proxy().Restart();
  ASSERT_TRUE(WaitUntilInSync()) << cluster_.proxy().Log();
  cluster_.node(0, 0).Kill();
  EXPECT_EQ(Client(cluster_.proxy().port())("GET", "k"), "v");
  EXPECT_TRUE(cluster_.proxy().Logs("can read neither")) << cluster_.proxy().Log();
}

}  // namespace
}  // namespace gemel::e2e::mixed_versions_test
