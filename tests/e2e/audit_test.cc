// The audit on real servers: nothing is found where nothing is wrong, whatever is being written;
// what somebody changed behind the proxy's back is found, all of it and nothing else, and repaired.

#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <thread>

#include "tests/e2e/cluster.h"
#include "tests/e2e/load.h"

namespace gemel::e2e::audit_test {
namespace {

struct Totals {
  int64_t compared = 0, differences = 0, repaired = 0, skipped = 0;
  bool complete = true;
};

Totals Sum(const Reply& reply) {
  Totals sum;
  EXPECT_EQ(reply.kind, Reply::Kind::kArray) << reply;
  for (const Reply& shard : reply.items) {
    if (shard.kind != Reply::Kind::kArray) {
      ADD_FAILURE() << shard;
      continue;
    }
    sum.compared += shard.Field("compared").integer;
    sum.differences += shard.Field("differences").integer;
    sum.repaired += shard.Field("repaired").integer;
    sum.skipped += shard.Field("skipped").integer;
    sum.complete = sum.complete && shard.Field("result") == "complete";
    EXPECT_FALSE(shard.Field("seconds").bytes.empty());
  }
  return sum;
}

// Threads that write to keys of every type, and to each other's.
class MixedLoad {
 public:
  MixedLoad(uint16_t port, int threads) : port_(port) {
    for (int i = 0; i < threads; ++i) threads_.emplace_back([this, i] { Work(i); });
  }
  ~MixedLoad() { Stop(); }
  void Stop() {
    stop_ = true;
    for (std::thread& thread : threads_) {
      if (thread.joinable()) thread.join();
    }
  }

 private:
  static Words Next(std::mt19937* random, uint64_t number) {
    const auto pick = [random](uint64_t n) { return (*random)() % n; };
    const std::string key = std::to_string(pick(60));
    const std::string word = std::to_string(pick(40));
    const std::string value = std::string(pick(200), 'v') + std::to_string(number);
    switch (pick(18)) {
      case 0:
        return {"SET", "s:" + key, value};
      case 1:
        return {"APPEND", "s:" + key, word};
      case 2:
        return {"INCRBY", "i:" + key, word};
      case 3:
        return {"HSET", "h:" + key, word, value, word + "x", value};
      case 4:
        return {"HDEL", "h:" + key, word};
      case 5:
        return {"SADD", "set:" + key, word, value};
      case 6:
        return {"SREM", "set:" + key, word};
      case 7:
        return {"ZADD", "z:" + key, word, value.substr(0, 3)};
      case 8:
        return {"RPUSH", "l:" + key, value, word};
      case 9:
        return {"LTRIM", "l:" + key, "-50", "-1"};
      case 10:
        return {"DEL", "s:" + key, "h:" + key, "l:" + key};
      case 11:
        return {"EXPIRE", "z:" + key, "1000"};
      case 12:
        return {"PERSIST", "z:" + key};
      case 13:
        return {"SET", "short:" + key, value, "PX", std::to_string(1 + pick(3000))};
      case 14:
        return {"SET", "long:" + key, value, "EX", std::to_string(100 + pick(1000))};
      case 15:
        return {"MSET", "s:" + key, word, "i:" + word, "7"};
      case 16:
        return {"SETBIT", "bits:" + key, std::to_string(pick(5000)), "1"};
      default:
        return {"UNLINK", "set:" + key};
    }
  }
  void Work(int thread) {
    std::mt19937 random(static_cast<uint32_t>(thread) + 1);
    try {
      Client client(port_);
      for (uint64_t number = 0; !stop_;) {
        for (int i = 0; i < 10; ++i) client.Append(Next(&random, ++number));
        for (int i = 0; i < 10; ++i) {
          const Reply reply = client.Read();
          if (reply.IsError()) ADD_FAILURE() << reply;
        }
      }
    } catch (const std::runtime_error& error) {
      ADD_FAILURE() << error.what();
    }
  }

  const uint16_t port_;
  std::atomic<bool> stop_{false};
  std::vector<std::thread> threads_;
};

// Servers that let the proxy's user do all but DEBUG (the test's own may).
ClusterOptions Options(bool debug_allowed, ClusterOptions options = {}) {
  if (debug_allowed) return options;
  options.redis_options = {"--user", "clerk", "on", ">secret", "~*", "&*", "+@all", "-debug"};
  options.shard_lines = "user = \"clerk\"\npassword = \"secret\"";
  return options;
}

class AuditTest : public testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(Debug, AuditTest, testing::Bool(), [](const auto& info) {
  return std::string(info.param ? "Allowed" : "Refused");
});

void Fill(Client* client, int keys) {
  for (int i = 0; i < keys; ++i) {
    client->Append({"SET", "key:" + std::to_string(i), "value " + std::to_string(i)});
  }
  for (int i = 0; i < keys; ++i) ASSERT_EQ(client->Read(), "OK");
}

TEST_P(AuditTest, ThreadedFindsNothingUnderLoad) {
  Cluster cluster(Options(GetParam(), {.shards = 3, .workers = 2}));
  Client client = cluster.Connect();
  Fill(&client, 3000);
  Load load(cluster.proxy().port(), {.threads = 2, .pipeline = 8});
  MixedLoad mixed(cluster.proxy().port(), 4);
  EXPECT_TRUE(load.WaitForMore(200));
  for (int i = 0; i < 5; ++i) {
    const Totals totals = Sum(client("PROXY", "AUDIT"));
    EXPECT_TRUE(totals.complete);
    EXPECT_GE(totals.compared, 3000);
    EXPECT_EQ(totals.differences, 0) << cluster.proxy().Log();
    EXPECT_EQ(totals.skipped, 0);
  }
  mixed.Stop();
  load.Stop();
  load.Verify(cluster.proxy().port());
  // DEBUG DIGEST counts keys that have expired and are not deleted yet.
  for (int i = 0; i < 60; ++i) client("DEL", "short:" + std::to_string(i));
  cluster.ExpectCopiesEqual();
}

// Keys of all types with one tag, which are made different on the two copies of its shard.
class PlantedKeys {
 public:
  explicit PlantedKeys(std::string tag) : tag_(std::move(tag)) {}

  void Fill(Client* client) const {
    (*client)("HSET", Key("hash"), "f", "1", "g", "2");
    (*client)("SADD", Key("set"), "a", "b");
    (*client)("ZADD", Key("zset"), "1", "a", "2", "b");
    (*client)("RPUSH", Key("list"), "a", "b", "c");
    (*client)("XADD", Key("stream"), "1-1", "f", "v");
    (*client)("XADD", Key("groups"), "1-1", "f", "v");
    (*client)("SET", Key("ttl"), "v", "EX", "1000");
    (*client)("SET", Key("ever"), "v");
    (*client)("SET", Key("type"), "v");
    (*client)("SET", Key("gone"), "v");
    (*client)("SET", Key("text"), "v");
    client->Run({"SET", Key(std::string("\0\r\n\xff\"", 5)), "v"});
  }
  // How many differ then.
  int64_t MakeDiffer(Client* primary, Client* replica) const {
    const std::vector<Words> planted = {
        {"HSET", Key("hash"), "g", "3"},
        {"SADD", Key("set"), "c"},
        {"ZADD", Key("zset"), "3", "b"},
        {"LSET", Key("list"), "1", "x"},
        {"XADD", Key("stream"), "2-1", "f", "v"},
        {"XGROUP", "CREATE", Key("groups"), "g", "0"},
        {"EXPIRE", Key("ttl"), "5000"},
        {"EXPIRE", Key("ever"), "5000"},
        {"DEL", Key("gone")},
        {"APPEND", Key("text"), "w"},
        {"APPEND", Key(std::string("\0\r\n\xff\"", 5)), "w"},
        {"SET", Key("only there"), "v"},
    };
    for (const Words& words : planted) EXPECT_FALSE(replica->Run(words).IsError()) << words[0];
    (*replica)("DEL", Key("type"));
    (*replica)("RPUSH", Key("type"), "v");
    (*primary)("SET", Key("only here"), "v");
    (*primary)("SET", Key("text 2"), "v");
    (*replica)("SET", Key("text 2"), "w");
    return static_cast<int64_t>(planted.size()) + 3;
  }
  void ExpectRepaired(Client* primary, Client* replica) const {
    // From the primary, whose data is the truth.
    EXPECT_EQ((*replica)("HGET", Key("hash"), "g"), "2");
    EXPECT_EQ((*replica)("GET", Key("only here")), "v");
    EXPECT_EQ((*replica)("EXISTS", Key("only there")), ":0");
    EXPECT_EQ((*primary)("EXISTS", Key("only there")), ":0");
    EXPECT_EQ((*replica)("TTL", Key("ever")), ":-1");
    EXPECT_LE((*replica)("TTL", Key("ttl")).integer, 1000);
    EXPECT_EQ((*replica)("XINFO", "GROUPS", Key("groups")), "[]");
    EXPECT_EQ((*replica)("GET", Key("type")), "v");
  }

 private:
  std::string Key(const std::string& name) const { return "{" + tag_ + "}" + name; }

  const std::string tag_;
};

TEST_P(AuditTest, FindsAndRepairsExactlyWhatWasPlanted) {
  Cluster cluster(Options(GetParam(), {.shards = 2}));
  Client client = cluster.Connect();
  Fill(&client, 500);
  const PlantedKeys keys(cluster.KeyOn(0));
  keys.Fill(&client);
  cluster.ExpectCopiesEqual();
  EXPECT_EQ(Sum(client("PROXY", "AUDIT")).differences, 0);

  // Half of it while clients write.
  Load load(cluster.proxy().port(), {.threads = 2, .pipeline = 4});
  EXPECT_TRUE(load.WaitForMore(100));
  Client primary = cluster.node(0, 0).Connect();
  Client replica = cluster.node(0, 1).Connect();
  const int64_t changed = keys.MakeDiffer(&primary, &replica);
  const Totals totals = Sum(client("PROXY", "AUDIT", "a"));
  EXPECT_TRUE(totals.complete);
  EXPECT_EQ(totals.differences, changed) << cluster.proxy().Log();
  EXPECT_EQ(totals.repaired, changed);
  EXPECT_EQ(totals.skipped, 0);
  EXPECT_EQ(Sum(client("PROXY", "AUDIT")).differences, 0);
  load.Stop();
  load.Verify(cluster.proxy().port());
  cluster.ExpectCopiesEqual();
  keys.ExpectRepaired(&primary, &replica);
  const Reply shard = client("PROXY", "SHARDS").items.at(0);
  EXPECT_EQ(shard.Field("audit_differences").integer, changed);
  EXPECT_EQ(shard.Field("audit_repaired").integer, changed);
  EXPECT_GE(shard.Field("audits").integer, 3);
  EXPECT_TRUE(cluster.proxy().Logs("\\x00\\x0d\\x0a\\xff"));
}

TEST_P(AuditTest, TheSameContentInAnotherFormIsNoDifference) {
  Cluster cluster(Options(GetParam(), {.shards = 1}));
  Client client = cluster.Connect();
  // Tables: their order is another one in each process.
  for (int i = 0; i < 1500; ++i) {
    client.Append({"HSET", "hash", "f" + std::to_string(i), std::to_string(i)});
    client.Append({"SADD", "set", "m" + std::to_string(i * 7919 % 1500)});
    client.Append({"ZADD", "zset", std::to_string(i % 7), "m" + std::to_string(i)});
    client.Append({"RPUSH", "list", "e" + std::to_string(i)});
    client.Append({"SADD", "numbers", std::to_string(i % 300)});
  }
  for (int i = 0; i < 1500 * 5; ++i) ASSERT_FALSE(client.Read().IsError());
  // Encodings: a small value that was large before, on one node only.
  client("HSET", "small hash", "f", "v");
  client("SADD", "small set", "1", "2");
  client("ZADD", "small zset", "1", "a");
  client("RPUSH", "small list", "a");
  client("SET", "number", "12345");
  Client replica = cluster.node(0, 1).Connect();
  const std::string large(5000, 'x');
  replica("HSET", "small hash", "g", large);
  replica("HDEL", "small hash", "g");
  replica("SADD", "small set", large);
  replica("SREM", "small set", large);
  replica("ZADD", "small zset", "2", large);
  replica("ZREM", "small zset", large);
  replica("RPUSH", "small list", large, large, large);
  replica("LTRIM", "small list", "0", "0");
  replica("SET", "number", "1234");
  replica("APPEND", "number", "5");
  EXPECT_EQ(replica("OBJECT", "ENCODING", "small hash"), "hashtable");
  EXPECT_EQ(cluster.node(0, 0).Connect()("OBJECT", "ENCODING", "small hash"), "listpack");
  // And what a server makes of a payload.
  for (const char* key : {"hash", "set", "zset", "list"}) {
    const std::string payload = replica("DUMP", key).bytes;
    replica("DEL", key);
    EXPECT_EQ(replica("RESTORE", key, "0", payload), "OK");
  }
  const Totals totals = Sum(client("PROXY", "AUDIT"));
  EXPECT_EQ(totals.compared, 10);
  EXPECT_EQ(totals.differences, 0) << cluster.proxy().Log();
  EXPECT_EQ(totals.skipped, 0);
  EXPECT_EQ(replica("OBJECT", "ENCODING", "small hash"), "hashtable");  // it was left alone
}

TEST(Audit, RepairsInTheBackground) {
  Cluster cluster({.shards = 1, .sections = {{"audit", "interval_s = 1\nkeys_per_s = 100000"}}});
  Client client = cluster.Connect();
  Fill(&client, 1000);
  Load load(cluster.proxy().port(), {.threads = 2});
  Client replica = cluster.node(0, 1).Connect();
  replica("DEL", "key:17");
  replica("SET", "key:18", "other");
  replica("SET", "nobody's", "v");
  EXPECT_TRUE(Eventually([&] {
    return replica("GET", "key:17") == "value 17" && replica("GET", "key:18") == "value 18" &&
           replica("EXISTS", "nobody's") == ":0";
  }));
  EXPECT_TRUE(Eventually([&] {
    return client("PROXY", "SHARDS").items.at(0).Field("audit_repaired") == ":3";
  })) << client("PROXY", "SHARDS");
  load.Stop();
  load.Verify(cluster.proxy().port());
  cluster.ExpectCopiesEqual();
}

TEST(Audit, LargeValuesAreSkippedAndSaidSo) {
  Cluster cluster({.shards = 1, .sections = {{"audit", "max_value = \"16kb\""}}});
  Client client = cluster.Connect();
  client("SET", "large", std::string(100000, 'v'));
  client("SET", "larger", std::string(100000, 'v'));
  client("SET", "small", "v");
  cluster.node(0, 1).Connect()("APPEND", "larger", "w");
  const Totals totals = Sum(client("PROXY", "AUDIT"));
  EXPECT_EQ(totals.skipped, 1);
  EXPECT_EQ(totals.differences, 1);
  EXPECT_EQ(totals.repaired, 1);
  cluster.ExpectCopiesEqual();
}

TEST(Audit, SaysWhatCannotBeAudited) {
  Cluster alone({.shards = 1, .copies = 1});
  Client client = alone.Connect();
  const Reply one = client("PROXY", "AUDIT", "a");
  EXPECT_TRUE(one.IsError());
  EXPECT_NE(one.bytes.find("shard 'a' has one copy in sync"), std::string::npos) << one;
  const Reply all = client("PROXY", "AUDIT");
  ASSERT_EQ(all.items.size(), 1u) << all;
  EXPECT_TRUE(all.items[0].IsError()) << all;
  const Reply unknown = client("PROXY", "AUDIT", "nosuch");
  EXPECT_EQ(unknown, "-ERR there is no shard \"nosuch\", expected one of a");
  EXPECT_TRUE(client("PROXY", "AUDIT", "a", "b").IsError());
}

TEST(Audit, ThreadedEndsWhenACopyDies) {
  Cluster cluster({.shards = 2, .workers = 2, .sections = {{"health", kImpatientProbes}}});
  Client client = cluster.Connect();
  Fill(&client, 20000);
  Load load(cluster.proxy().port(), {.threads = 2, .pipeline = 4});
  EXPECT_TRUE(load.WaitForMore(100));
  client.Append({"PROXY", "AUDIT"});
  std::thread killer([&] { cluster.node(0, 0).Kill(); });
  const Reply reply = client.Read();
  killer.join();
  // It was in time, or the copy was gone already, or it left on the way.
  ASSERT_EQ(reply.items.size(), 2u) << reply;
  EXPECT_EQ(reply.items[1].Field("result"), "complete") << reply;
  if (!reply.items[0].IsError()) {
    EXPECT_EQ(reply.items[0].Field("differences").integer, 0) << reply;
  }
  EXPECT_TRUE(cluster.WaitUntilPrimary(0, cluster.node(0, 1)));
  cluster.node(0, 0).Start();
  EXPECT_TRUE(cluster.WaitUntilInSync());
  const Totals totals = Sum(client("PROXY", "AUDIT"));
  EXPECT_EQ(totals.differences, 0) << cluster.proxy().Log();
  load.Stop();
  load.Verify(cluster.proxy().port());
  cluster.ExpectCopiesEqual();
}

TEST(Audit, StoppingTheProxyDoesNotWaitForIt) {
  Cluster cluster({.shards = 1, .sections = {{"timeouts", "drain_ms = 60000"}}});
  Client client = cluster.Connect();
  Fill(&client, 20000);
  client.Append({"PROXY", "AUDIT"});
  std::thread stopper([&] { EXPECT_EQ(cluster.proxy().Stop(), 0); });
  try {
    const Reply reply = client.Read();
    EXPECT_FALSE(reply.Text().empty());
  } catch (const std::runtime_error&) {
    // Its connection may be closed before the command was read.
  }
  stopper.join();
  EXPECT_EQ(cluster.proxy().Log().find("did not take their replies"), std::string::npos);
}

}  // namespace
}  // namespace gemel::e2e::audit_test
