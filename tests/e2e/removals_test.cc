// Keys that are evicted or expire: a key that is gone on one copy is gone on every copy, and
// nothing of it comes back. No audit looks for what differs.

#include <gtest/gtest.h>

#include "tests/e2e/cache_load.h"
#include "tests/e2e/cluster.h"
#include "tests/e2e/load.h"
#include "tests/e2e/whole.h"

namespace gemel::e2e::removals_test {
namespace {

constexpr uint64_t kSome = 10000;  // requests
constexpr CacheLoad::Kind kFull = CacheLoad::Kind::kFull;
constexpr CacheLoad::Kind kExpiries = CacheLoad::Kind::kExpiries;

struct Way {
  const char* name;
  int workers;
  const char* read;
  const char* write;
};
std::ostream& operator<<(std::ostream& out, const Way& way) { return out << way.name; }

ClusterOptions Options(int workers = 1, const std::string& read = "",
                       const std::string& write = "") {
  return {.shards = 1,
          .workers = workers,
          .sections = {{"health", kImpatientProbes},
                       {"timeouts", "request_ms = 30000\nreconnect_max_ms = 100"},
                       {"audit", "interval_s = 0"},
                       {"read", read},
                       {"write", write}}};
}

ClusterOptions Full(ClusterOptions options, const std::string& policy = "allkeys-lru") {
  options.redis_options = {"--maxmemory", "4mb", "--maxmemory-policy", policy};
  return options;
}

int64_t Limit(const RedisNode& node) {
  return std::stoll(node.Connect()("CONFIG", "GET", "maxmemory").items.at(1).bytes);
}

// What its nodes remove is followed, and the primary has the least limit. Who fills a cache before
// that may have copies that differ, until they have been compared.
class Followed : public Cluster {
 public:
  explicit Followed(ClusterOptions options) : Cluster(std::move(options)) {
    EXPECT_TRUE(Eventually([this] { return IsFollowed(); })) << Connect()("PROXY", "SHARDS");
  }

 private:
  bool IsFollowed() {
    for (const Reply& node : Connect()("PROXY", "SHARDS").items.at(0).Field("nodes").items) {
      if (node.Field("notifications") != "on") return false;
    }
    return Limit(node(0, 0)) == 0 || Limit(node(0, 1)) > Limit(node(0, 0));
  }
};

int64_t NodeFigure(const RedisNode& node, const std::string& name) {
  const std::string text = node.Connect()("INFO", "stats").bytes;
  return std::stoll(text.substr(text.find("\r\n" + name + ":") + name.size() + 3));
}

int64_t Evicted(Cluster* cluster) {
  return NodeFigure(cluster->node(0, 0), "evicted_keys") +
         NodeFigure(cluster->node(0, 1), "evicted_keys");
}

int64_t ShardFigure(const Cluster& cluster, const std::string& name) {
  return cluster.Connect()("PROXY", "SHARDS").items.at(0).Field(name).integer;
}

// That no copy left or changed its role, though nothing failed.
void ExpectNobodyLeft(const Cluster& cluster) {
  for (const char* figure : {"promotions", "marked_stale", "resyncs", "rejoins"}) {
    EXPECT_EQ(ShardFigure(cluster, figure), 0) << figure;
  }
}

void Promote(const Cluster& cluster, const RedisNode& node) {
  const std::string told = cluster.Connect()("PROXY", "PROMOTE", "a", node.address()).Text();
  // A disk may be slow.
  EXPECT_TRUE(told == "OK" || told.find("it may still take effect") != std::string::npos) << told;
  EXPECT_TRUE(cluster.WaitUntilPrimary(0, node));
}

// Not before something was seen to be gone: else nothing would be shown.
void StopLoad(CacheLoad* load) {
  EXPECT_TRUE(Eventually([&] { return load->gone() > 0 || load->HasErrors(); }));
  load->Stop();
}

// Once `load` is stopped: the copies get equal, and nothing that was gone is there, on either copy.
void ExpectOneCache(Cluster* cluster, CacheLoad* load) {
  StopLoad(load);
  EXPECT_TRUE(cluster->WaitUntilInSync()) << cluster->Connect()("PROXY", "SHARDS");
  EXPECT_EQ(DifferencesInTheEnd(cluster->node(0, 0), cluster->node(0, 1)), "");
  load->LookAgain(cluster->proxy().port());
  const bool first = cluster->Status(0).primary == cluster->node(0, 0).address();
  Promote(*cluster, cluster->node(0, first ? 1 : 0));
  load->LookAgain(cluster->proxy().port());
  EXPECT_EQ(load->Errors(), "");
}

class Removals : public testing::TestWithParam<Way> {
 protected:
  static ClusterOptions Options() {
    return removals_test::Options(GetParam().workers, GetParam().read, GetParam().write);
  }
  // `promotes`: the copy that reads go to is another one at times.
  static CacheLoad::Options Load(CacheLoad::Kind kind, bool multi_key = false,
                                 bool promotes = false) {
    const std::string read = GetParam().read;
    // With `ack` = any a reply is any copy's, too, which is all that is known of a key that is
    // moved.
    const bool any =
        read.find("balanced") != std::string::npos || ((multi_key || promotes) && !read.empty());
    return {.kind = kind, .multi_key = multi_key, .any_copy = any};
  }
};
INSTANTIATE_TEST_SUITE_P(
    Ways, Removals,
    testing::Values(Way{"Plain", 1, "", ""}, Way{"PlainThreaded", 2, "", ""},
                    Way{"ReplicaAny", 1, "from = \"replica\"", "ack = \"any\""},
                    Way{"BalancedPrimaryThreaded", 2, "from = \"balanced\"", "ack = \"primary\""}),
    [](const auto& info) { return std::string(info.param.name); });

TEST_P(Removals, Evictions) {
  Followed cluster(Full(Options()));
  CacheLoad load(cluster.proxy().port(), Load(kFull));
  EXPECT_TRUE(load.WaitForMore(2 * kSome)) << load.Errors();
  EXPECT_TRUE(Eventually([&] { return Evicted(&cluster) > 1000 || load.HasErrors(); }));
  StopLoad(&load);
  ExpectNobodyLeft(cluster);
  ExpectOneCache(&cluster, &load);
}

TEST_P(Removals, Expiries) {
  Followed cluster(Options());
  CacheLoad load(cluster.proxy().port(), Load(kExpiries));
  EXPECT_TRUE(load.WaitForMore(2 * kSome)) << load.Errors();
  StopLoad(&load);
  EXPECT_GT(NodeFigure(cluster.node(0, 0), "expired_keys"), 100);
  ExpectNobodyLeft(cluster);
  ExpectOneCache(&cluster, &load);
}

TEST_P(Removals, EvictionsWithPromotions) {
  Followed cluster(Full(Options()));
  CacheLoad load(cluster.proxy().port(), Load(kFull, false, true));
  for (const int copy : {1, 0, 1}) {
    EXPECT_TRUE(load.WaitForMore(kSome)) << load.Errors();
    Promote(cluster, cluster.node(0, copy));
  }
  EXPECT_TRUE(load.WaitForMore(kSome)) << load.Errors();
  ExpectOneCache(&cluster, &load);
}

TEST_P(Removals, ExpiriesWithPromotions) {
  Followed cluster(Options());
  CacheLoad load(cluster.proxy().port(), Load(kExpiries, false, true));
  for (const int copy : {1, 0, 1}) {
    EXPECT_TRUE(load.WaitForMore(kSome)) << load.Errors();
    Promote(cluster, cluster.node(0, copy));
  }
  EXPECT_TRUE(load.WaitForMore(kSome)) << load.Errors();
  ExpectOneCache(&cluster, &load);
}

TEST_P(Removals, MovesAmongEvictions) {
  Followed cluster(Full(Options()));
  CacheLoad load(cluster.proxy().port(), Load(kFull, true));
  EXPECT_TRUE(load.WaitForMore(2 * kSome)) << load.Errors();
  ExpectOneCache(&cluster, &load);
}

TEST_P(Removals, MovesAmongExpiries) {
  Followed cluster(Options());
  CacheLoad load(cluster.proxy().port(), Load(kExpiries, true));
  EXPECT_TRUE(load.WaitForMore(2 * kSome)) << load.Errors();
  ExpectOneCache(&cluster, &load);
}

// That the measure is right: with one redis-server, and no gemel, nothing comes back.
TEST(RemovalsOfOneRedis, NothingComesBack) {
  for (const bool multi_key : {false, true}) {
    for (const CacheLoad::Kind kind : {kFull, kExpiries}) {
      RedisNode node(Full(Options()).redis_options);
      CacheLoad load(node.port(), {.kind = kind, .multi_key = multi_key});
      EXPECT_TRUE(load.WaitForMore(2 * kSome)) << load.Errors();
      StopLoad(&load);
      load.LookAgain(node.port());
      EXPECT_EQ(load.Errors(), "");
    }
  }
}

// Faults

TEST(RemovalsAndFaults, AReplicaThatIsKilledComesBackEqual) {
  for (const CacheLoad::Kind kind : {kFull, kExpiries}) {
    Followed cluster(kind == kFull ? Full(Options()) : Options());
    CacheLoad load(cluster.proxy().port(), {.kind = kind});
    EXPECT_TRUE(load.WaitForMore(kSome)) << load.Errors();
    cluster.node(0, 1).Kill();
    EXPECT_TRUE(load.WaitForMore(kSome)) << load.Errors();
    cluster.node(0, 1).Start();
    EXPECT_TRUE(cluster.WaitUntilInSync());
    EXPECT_TRUE(load.WaitForMore(kSome)) << load.Errors();
    ExpectOneCache(&cluster, &load);
  }
}

TEST(RemovalsAndFaults, AReplicaThatHangsComesBackEqual) {
  for (const CacheLoad::Kind kind : {kFull, kExpiries}) {
    Followed cluster(kind == kFull ? Full(Options()) : Options());
    CacheLoad load(cluster.proxy().port(), {.kind = kind});
    EXPECT_TRUE(load.WaitForMore(kSome)) << load.Errors();
    RedisNode& replica = cluster.node(0, 1);
    replica.Pause();
    EXPECT_TRUE(
        Eventually([&] { return cluster.Status(0).Node(replica.address()).state == "stale"; }));
    EXPECT_TRUE(load.WaitForMore(kSome)) << load.Errors();
    replica.Resume();
    EXPECT_TRUE(cluster.WaitUntilInSync());
    EXPECT_TRUE(load.WaitForMore(kSome)) << load.Errors();
    ExpectOneCache(&cluster, &load);
  }
}

TEST(RemovalsAndFaults, APrimaryThatIsKilled) {
  // What it removed in its last moment it told nobody: only that the copies get equal is asked.
  for (const CacheLoad::Kind kind : {kFull, kExpiries}) {
    Followed cluster(kind == kFull ? Full(Options()) : Options());
    CacheLoad load(cluster.proxy().port(), {.kind = kind});
    EXPECT_TRUE(load.WaitForMore(kSome)) << load.Errors();
    cluster.node(0, 0).Kill();
    EXPECT_TRUE(cluster.WaitUntilPrimary(0, cluster.node(0, 1)));
    cluster.node(0, 0).Start();
    EXPECT_TRUE(cluster.WaitUntilInSync());
    load.Stop();
    CacheLoad more(cluster.proxy().port(), {.kind = kind, .prefix = "more"});
    EXPECT_TRUE(more.WaitForMore(kSome)) << more.Errors();
    more.Stop();
    EXPECT_TRUE(cluster.WaitUntilInSync());
    EXPECT_EQ(DifferencesInTheEnd(cluster.node(0, 0), cluster.node(0, 1)), "");
  }
}

// Policies and limits

TEST(Evictions, UnderEveryPolicy) {
  for (const char* policy : {"allkeys-lfu", "allkeys-random", "volatile-lru", "volatile-lfu",
                             "volatile-random", "volatile-ttl"}) {
    SCOPED_TRACE(policy);
    Followed cluster(Full(Options(), policy));
    CacheLoad load(cluster.proxy().port(), {.ttls = true});
    EXPECT_TRUE(load.WaitForMore(kSome)) << load.Errors();
    // What is used least goes first, and that is what nobody looks at.
    EXPECT_TRUE(Eventually([&] { return load.gone() > 1000 || load.HasErrors(); }));
    load.Stop();
    EXPECT_GT(Evicted(&cluster), 1000);
    ExpectOneCache(&cluster, &load);
  }
}

TEST(Evictions, KeysWithoutATtlStayUnderAVolatilePolicy) {
  Followed cluster(Full(Options(), "volatile-lru"));
  Load kept(cluster.proxy().port(), {.threads = 2});
  CacheLoad load(cluster.proxy().port(), {.ttls = true});
  EXPECT_TRUE(load.WaitForMore(kSome)) << load.Errors();
  Promote(cluster, cluster.node(0, 1));
  EXPECT_TRUE(load.WaitForMore(kSome)) << load.Errors();
  kept.Stop();
  ExpectOneCache(&cluster, &load);
  kept.Verify(cluster.proxy().port());
}

TEST(Evictions, WhereNothingMayBeEvictedNobodyLeaves) {
  Followed cluster(Full(Options(), "noeviction"));
  Client client = cluster.Connect();
  EXPECT_EQ(client("SET", "kept", "value"), "OK");
  CacheLoad load(cluster.proxy().port(), {.may_be_full = true});
  EXPECT_TRUE(load.WaitForMore(kSome / 4)) << load.Errors();
  load.Stop();
  EXPECT_EQ(Evicted(&cluster), 0);
  std::string last;
  for (int i = 0; i < 10 && !last.starts_with("-OOM "); ++i) {
    last = client("SET", "large" + std::to_string(i), std::string(1 << 20, 'x')).Text();
  }
  EXPECT_TRUE(last.starts_with("-OOM ")) << last;
  ExpectNobodyLeft(cluster);
  // A script is refused only when it writes more, and may delete, as with Redis.
  const std::string read = "return redis.call('strlen', KEYS[1])";
  EXPECT_EQ(client("EVAL", read, "1", "kept"), ":5");
  EXPECT_TRUE(client("EVAL", "return redis.call('set', KEYS[1], '1')", "1", "kept")
                  .Text()
                  .starts_with("-OOM "));
  EXPECT_EQ(client("EVAL", read, "1", "kept"), ":5");
  EXPECT_EQ(client("EVAL", "return redis.call('del', KEYS[1])", "1", "kept"), ":1");
  ExpectNobodyLeft(cluster);
  EXPECT_EQ(DifferencesInTheEnd(cluster.node(0, 0), cluster.node(0, 1)), "");
  EXPECT_EQ(load.Errors(), "");
}

// Which copy has less memory.
class UnequalMemory : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Smaller, UnequalMemory, testing::Values(0, 1), [](const auto& info) {
  return std::string(info.param == 0 ? "Primary" : "Replica");
});

TEST_P(UnequalMemory, TheSmallerOneDecides) {
  Followed cluster(Full(Options()));
  RedisNode& smaller = cluster.node(0, GetParam());
  EXPECT_EQ(smaller.Connect()("CONFIG", "SET", "maxmemory", "3mb"), "OK");
  CacheLoad load(cluster.proxy().port(), {});
  EXPECT_TRUE(load.WaitForMore(2 * kSome)) << load.Errors();
  EXPECT_TRUE(Eventually([&] { return Evicted(&cluster) > 1000 || load.HasErrors(); }));
  StopLoad(&load);
  ExpectNobodyLeft(cluster);
  ExpectOneCache(&cluster, &load);
}

TEST_P(UnequalMemory, WritesDoNotFailWhereNothingMayBeEvicted) {
  // Who fills the memory is told so; nobody leaves for it, and the copies stay equal.
  Followed cluster(Full(Options(), "noeviction"));
  RedisNode& smaller = cluster.node(0, GetParam());
  EXPECT_EQ(smaller.Connect()("CONFIG", "SET", "maxmemory", "3mb"), "OK");
  EXPECT_TRUE(Eventually([&] { return Limit(cluster.node(0, 0)) == 3 << 20; }));
  EXPECT_TRUE(Eventually([&] { return Limit(cluster.node(0, 1)) > 3 << 20; }));
  CacheLoad load(cluster.proxy().port(), {.may_be_full = true});
  EXPECT_TRUE(load.WaitForMore(kSome / 4)) << load.Errors();
  load.Stop();
  ExpectNobodyLeft(cluster);
  EXPECT_TRUE(cluster.WaitUntilInSync());
  EXPECT_EQ(DifferencesInTheEnd(cluster.node(0, 0), cluster.node(0, 1)), "");
  EXPECT_EQ(load.Errors(), "");
}

}  // namespace
}  // namespace gemel::e2e::removals_test
