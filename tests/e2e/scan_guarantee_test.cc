// SCAN, HSCAN, SSCAN and ZSCAN from 0 to 0 tell of all that was there from the start to the end,
// whatever happens to the nodes and to gemel on the way, and come to their end.

#include <gtest/gtest.h>

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "tests/e2e/cluster.h"
#include "tests/e2e/redis_node.h"
#include "tests/e2e/wait.h"

namespace gemel::e2e::scan_guarantee_test {
namespace {

constexpr int kMembers = 1500;

// One walk, a step at a time.
class Walk {
 public:
  // `key`: of the value that it walks through; empty: SCAN. Of what is found each `every`th counts.
  Walk(std::string name, std::string key, size_t every)
      : name_(std::move(name)), key_(std::move(key)), every_(every) {}

  // `before`: it is asked by a script, and these are the words before the keys.
  void Step(Client& client, const Words& before = {}) {
    if (done_) return;
    Words words = before;
    if (!before.empty()) words.push_back(key_.empty() ? "0" : "1");
    if (!before.empty() && !key_.empty()) words.push_back(key_);
    words.push_back(name_);
    if (before.empty() && !key_.empty()) words.push_back(key_);
    words.push_back(cursor_);
    if (before.empty()) words.insert(words.end(), {"COUNT", "40"});
    const Reply reply = client.Run(words);
    ASSERT_EQ(reply.items.size(), 2u) << name_ << ": " << reply;
    for (size_t i = 0; i < reply.items[1].items.size(); i += every_) {
      found_.insert(reply.items[1].items[i].bytes);
    }
    cursor_ = reply.items[0].bytes;
    done_ = cursor_ == "0";
    ASSERT_LT(++steps_, 3000) << name_ << " does not end";
  }
  bool done() const { return done_; }
  const std::string& cursor() const { return cursor_; }
  void set_cursor(const std::string& cursor) { cursor_ = cursor; }
  void Expect(const std::set<std::string>& all) const {
    size_t missed = 0;
    for (const std::string& one : all) missed += found_.count(one) == 0 ? 1u : 0u;
    EXPECT_EQ(missed, 0u) << name_;
  }

 private:
  std::string name_;
  std::string key_;
  size_t every_;
  std::string cursor_ = "0";
  std::set<std::string> found_;
  int steps_ = 0;
  bool done_ = false;
};

// Keys on all shards, and large values on the first.
class Filled {
 public:
  explicit Filled(const Cluster& cluster)
      : hash_(cluster.KeyOn(0, "hash")),
        set_(cluster.KeyOn(0, "set")),
        sorted_(cluster.KeyOn(0, "sorted")),
        keys_({hash_, set_, sorted_}),
        walks_({{"SCAN", "", 1}, {"HSCAN", hash_, 2}, {"SSCAN", set_, 1}, {"ZSCAN", sorted_, 2}}) {
    Client client = cluster.Connect();
    for (int i = 0; i < kMembers; ++i) {
      const std::string member = "member:" + std::to_string(i);
      members_.insert(member);
      keys_.insert("key:" + std::to_string(i));
      client.Append({"SET", "key:" + std::to_string(i), "v"});
      client.Append({"HSET", hash_, member, "v"});
      client.Append({"SADD", set_, member});
      client.Append({"ZADD", sorted_, std::to_string(i), member});
    }
    for (int i = 0; i < 4 * kMembers; ++i) EXPECT_FALSE(client.Read().IsError());
  }
  void Step(const Cluster& cluster, int times) {
    Client client = cluster.Connect();
    for (int i = 0; i < times; ++i) {
      for (Walk& walk : walks_) ASSERT_NO_FATAL_FAILURE(walk.Step(client));
    }
  }
  std::vector<Walk>& walks() { return walks_; }
  // Goes on to the end; nothing may have been missed.
  void Finish(const Cluster& cluster) {
    Client client = cluster.Connect();
    for (size_t i = 0; i < walks_.size(); ++i) {
      while (!walks_[i].done()) ASSERT_NO_FATAL_FAILURE(walks_[i].Step(client));
      walks_[i].Expect(i == 0 ? keys_ : members_);
    }
  }

 private:
  std::string hash_, set_, sorted_;
  std::set<std::string> keys_;
  std::set<std::string> members_;
  std::vector<Walk> walks_;
};

ClusterOptions Options(int copies, int workers) {
  return {.shards = 2,
          .copies = copies,
          .workers = workers,
          .sections = {{"timeouts", "request_ms = 30000\nreconnect_max_ms = 100"}}};
}

class ScanGuarantee : public testing::TestWithParam<int> {};  // workers
INSTANTIATE_TEST_SUITE_P(Workers, ScanGuarantee, testing::Values(1, 2), [](const auto& info) {
  return std::string(info.param == 1 ? "One" : "TwoThreaded");
});

TEST_P(ScanGuarantee, APromotionOnTheWay) {
  for (const int before : {1, 10}) {
    Cluster cluster(Options(2, GetParam()));
    Filled filled(cluster);
    filled.Step(cluster, before);
    cluster.node(0, 0).Kill();
    ASSERT_TRUE(cluster.WaitUntilPrimary(0, cluster.node(0, 1)));
    filled.Finish(cluster);
  }
}

// Every node is lost once, made equal again, and each is the primary for a while.
TEST_P(ScanGuarantee, PromotionsAndResyncsOnTheWay) {
  Cluster cluster(Options(2, GetParam()));
  Filled filled(cluster);
  for (int shard = 0; shard < 2; ++shard) {
    for (int copy = 0; copy < 2; ++copy) {
      filled.Step(cluster, 7);
      cluster.node(shard, copy).Kill();
      ASSERT_TRUE(cluster.WaitUntilPrimary(shard, cluster.node(shard, 1 - copy)));
      filled.Step(cluster, 7);
      cluster.node(shard, copy).Start();
      ASSERT_TRUE(cluster.WaitUntilInSync());
    }
  }
  filled.Finish(cluster);
}

// The primary changes, and nothing is lost: a walk goes on where it was.
TEST_P(ScanGuarantee, AHandOverOnTheWay) {
  Cluster cluster(Options(2, GetParam()));
  Filled filled(cluster);
  for (int i = 0; i < 4; ++i) {
    filled.Step(cluster, 6);
    const RedisNode& next = cluster.node(0, 1 - i % 2);
    EXPECT_EQ(cluster.Connect()("PROXY", "PROMOTE", "a", next.address()), "OK");
    ASSERT_TRUE(cluster.WaitUntilPrimary(0, next));
  }
  filled.Finish(cluster);
}

TEST_P(ScanGuarantee, ARestartOfGemelOnTheWay) {
  for (const bool in_order : {true, false}) {
    Cluster cluster(Options(2, GetParam()));
    Filled filled(cluster);
    filled.Step(cluster, 8);
    if (in_order) {
      EXPECT_EQ(cluster.proxy().Stop(), 0);
    } else {
      cluster.proxy().Kill();
    }
    cluster.proxy().Restart();
    ASSERT_TRUE(cluster.WaitUntilInSync());
    filled.Step(cluster, 1);
    cluster.node(0, 0).Kill();
    ASSERT_TRUE(cluster.WaitUntilPrimary(0, cluster.node(0, 1)));
    filled.Finish(cluster);
  }
}

// The only copy is another process with the same data.
TEST_P(ScanGuarantee, ARestartOfTheOnlyCopyOnTheWay) {
  Cluster cluster(Options(1, GetParam()));
  Filled filled(cluster);
  filled.Step(cluster, 10);
  cluster.node(0, 0).Connect()("SAVE");
  cluster.node(0, 0).Kill();
  cluster.node(0, 0).Start(/*with_dump=*/true);
  ASSERT_TRUE(Eventually([&] { return !cluster.Connect()("GET", cluster.KeyOn(0)).IsError(); }));
  filled.Finish(cluster);
}

// Cursors of a gemel that did not say whose they were.
TEST_P(ScanGuarantee, OldCursorsBeginAnew) {
  Cluster cluster(Options(2, GetParam()));
  Filled filled(cluster);
  filled.walks()[0].set_cursor(std::to_string(5 * 65536));
  for (size_t i = 1; i < filled.walks().size(); ++i) filled.walks()[i].set_cursor("3");
  filled.Finish(cluster);
}

// Whole walks in transactions that read, or write, too.
TEST_P(ScanGuarantee, InTransactions) {
  for (const bool writes : {false, true}) {
    Cluster cluster({.shards = 1, .copies = 2, .workers = GetParam()});
    const Filled filled(cluster);
    Client client = cluster.Connect();
    std::string cursor = "0";
    std::set<std::string> found;
    for (int step = 0; step == 0 || cursor != "0"; ++step) {
      ASSERT_LT(step, 3000);
      if (step == 9) {
        cluster.node(0, 0).Kill();
        ASSERT_TRUE(cluster.WaitUntilPrimary(0, cluster.node(0, 1)));
      }
      EXPECT_EQ(client("MULTI"), "OK");
      EXPECT_EQ(client("PING"), "QUEUED");  // gemel's own part, beside the node's
      EXPECT_EQ(client("SCAN", cursor, "COUNT", "40"), "QUEUED");
      if (writes) {
        EXPECT_EQ(client("INCR", "steps"), "QUEUED");
      }
      const Reply reply = client("EXEC");
      ASSERT_EQ(reply.items.size(), writes ? 3u : 2u) << reply;
      cursor = reply.items[1].items[0].bytes;
      for (const Reply& key : reply.items[1].items[1].items) found.insert(key.bytes);
    }
    for (int i = 0; i < kMembers; ++i) EXPECT_EQ(found.count("key:" + std::to_string(i)), 1u) << i;
    // The same cursors as outside.
    const Reply one = client("SCAN", "0", "COUNT", "40");
    client("MULTI");
    client("SCAN", one.items[0].bytes, "COUNT", "100000");
    client("SCAN", "8191");
    client("SCAN", "word");
    const Reply rest = client("EXEC");
    ASSERT_EQ(rest.items.size(), 3u) << rest;
    EXPECT_GE(one.items[1].items.size() + rest.items[0].items[1].items.size(), size_t{kMembers});
    EXPECT_EQ(rest.items[1].items[0], "0");
    EXPECT_EQ(rest.items[2].Text(), "-ERR invalid cursor");
  }
}

// A script that takes a step: the command's name and the cursor are its arguments.
constexpr const char* kStep =
    "local a={ARGV[1],KEYS[1],ARGV[2],'COUNT','40'} "
    "if not KEYS[1] then a={ARGV[1],ARGV[2],'COUNT','40'} end -- as SCAN has no key\n"
    "return redis.call(unpack(a))";
constexpr const char* kSteps =
    "#!lua name=walks\n"
    "local function step(KEYS, ARGV) "
    "local a={ARGV[1],KEYS[1],ARGV[2],'COUNT','40'} "
    "if not KEYS[1] then a={ARGV[1],ARGV[2],'COUNT','40'} end -- as SCAN has no key\n"
    "return redis.call(unpack(a)) end\n"
    "redis.register_function('step', step)\n"
    "redis.register_function{function_name='step_ro', callback=step, flags={'no-writes'}}";

// Every step is another way's, and all of them go on with each other's cursors.
TEST_P(ScanGuarantee, ByScripts) {
  const std::string no_writes = std::string("#!lua flags=no-writes\n") + kStep;
  const std::vector<Words> ways = {
      {"EVAL", kStep},     {"EVAL_RO", kStep},  {}, {"FCALL", "step"}, {"FCALL_RO", "step_ro"},
      {"EVAL", no_writes}, {"FCALL", "step_ro"}};
  for (const char* read_from : {"primary", "replica", "balanced"}) {
    ClusterOptions options = Options(2, GetParam());
    options.shards = 1;
    options.sections["read"] = std::string("from = \"") + read_from + "\"";
    Cluster cluster(options);
    Filled filled(cluster);
    ASSERT_EQ(cluster.Connect()("FUNCTION", "LOAD", kSteps), "walks");
    for (int i = 0; i < 60; ++i) {
      if (i == 11) {
        cluster.node(0, 0).Kill();
        ASSERT_TRUE(cluster.WaitUntilPrimary(0, cluster.node(0, 1)));
      }
      Client client = cluster.Connect();
      for (size_t w = 0; w < filled.walks().size(); ++w) {
        const Words& way = ways[static_cast<size_t>(i) % ways.size()];
        // A client's SCAN begins anew after a script's: that one knows no shards.
        if (w == 0 && way.empty()) continue;
        ASSERT_NO_FATAL_FAILURE(filled.walks()[w].Step(client, way)) << i;
      }
    }
    filled.Finish(cluster);
  }
}

// One copy, whose scripts are passed through, and which is another process with the same data.
TEST_P(ScanGuarantee, ByScriptsOnTheOnlyCopy) {
  ClusterOptions options = Options(1, GetParam());
  options.shards = 1;
  Cluster cluster(options);
  Filled filled(cluster);
  Client client = cluster.Connect();
  for (int i = 0; i < 10; ++i) {
    for (Walk& walk : filled.walks()) {
      ASSERT_NO_FATAL_FAILURE(
          walk.Step(client, i % 2 == 0 ? Words{"EVAL", kStep} : Words{"EVAL_RO", kStep}));
    }
  }
  cluster.node(0, 0).Connect()("SAVE");
  cluster.node(0, 0).Kill();
  cluster.node(0, 0).Start(/*with_dump=*/true);
  ASSERT_TRUE(Eventually([&] { return !cluster.Connect()("GET", "k").IsError(); }));
  Client again = cluster.Connect();
  for (int i = 0; i < 10; ++i) {
    for (Walk& walk : filled.walks()) {
      ASSERT_NO_FATAL_FAILURE(walk.Step(again, {"EVAL", kStep}));
    }
  }
  filled.Finish(cluster);
}

// What is no cursor, or no command that has one, is as with a server alone; so are errors.
TEST_P(ScanGuarantee, ScriptsThatScanAreRediss) {
  RedisNode alone;
  Client redis = alone.Connect();
  for (const int copies : {1, 2}) {
    Cluster cluster({.shards = 1, .copies = copies, .workers = GetParam()});
    Client client = cluster.Connect();
    for (Client* each : {&client, &redis}) {
      (*each)("FLUSHALL");
      (*each)("HSET", "h", "f", "v");
      (*each)("SET", "s", "v");
    }
    const std::vector<std::string> scripts = {
        "return redis.call('HSCAN', KEYS[1], 0)",
        "return redis.call('hscan', KEYS[1], '00')",
        "local v = redis.call('HSCAN', KEYS[1], 'word') return v",
        "return redis.pcall('HSCAN', KEYS[1], '')",
        "return redis.pcall('HSCAN', KEYS[1], '-5')",
        "return redis.pcall('HSCAN', KEYS[1])",
        "return redis.pcall('SCAN', 'x')",
        "return redis.pcall('SCAN', 0, 'TYPE', 'hash', 'COUNT', 100)",
        "redis.setresp(3) return redis.call('HSCAN', KEYS[1], '77777777777777')",
        "-- scan\nlocal v = redis.call('GET', KEYS[1]) return v",
        "-- scan\nreturn redis.pcall()",
        "-- scan\nreturn redis.pcall('INCR', KEYS[2])",
        "-- scan\nreturn {redis.sha1hex('x'), redis.error_reply('MY own'), type(redis.log)}",
        "return {redis.call('SCAN', 0)[1], redis.call('HSCAN', KEYS[1], 0)[1]}",
    };
    for (const std::string& script : scripts) {
      for (const char* command : {"EVAL", "EVAL_RO"}) {
        std::string ours = client(command, script, "2", "h", "s").Text();
        std::string theirs = redis(command, script, "2", "h", "s").Text();
        for (std::string* text : {&ours, &theirs}) {  // the guarded script is another
          if (const size_t at = text->find("script: "); at != std::string::npos) {
            text->erase(at, std::string("script: ").size() + 40);
          }
        }
        EXPECT_EQ(ours, theirs) << script;
      }
    }
  }
}

}  // namespace
}  // namespace gemel::e2e::scan_guarantee_test
