// Writes whose outcome may differ from copy to copy: they answer as a single Redis does, and leave
// the copies equal, whatever else goes on.

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <random>
#include <regex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "backend/command/second_copy.h"
#include "tests/e2e/cluster.h"
#include "tests/e2e/look.h"
#include "tests/e2e/wait.h"

namespace gemel::e2e::second_copies_test {
namespace {

SecondCopy SecondCopyOf(const Words& words) {
  static const CommandTable table;
  const std::vector<std::string_view> args(words.begin(), words.end());
  return SecondCopyFor(*table.Find(args), args);
}

// What differs from one server to the next: IDs of streams that were made up, the script's name in
// an error and the line at its end.
std::string Masked(const Reply& reply) {
  std::string text = std::regex_replace(reply.Text(), std::regex("[0-9]{13}-[0-9]+"), "<id>");
  return std::regex_replace(text, std::regex(" script: [0-9a-f]{40}, on .*"), "");
}

std::string Line(const Words& words) {
  std::string line;
  for (const std::string& word : words) line += word + " ";
  return line;
}

// Sets up, and then what one copy executes first.
std::vector<Words> Session() {
  const std::string two =
      "redis.call('SET', KEYS[1], ARGV[1]) redis.call('RPUSH', KEYS[2], ARGV[1]) "
      "return redis.call('LRANGE', KEYS[2], 0, -1)";
  return {
      {"SADD", "set", "a"},
      {"SPOP", "set"},
      {"EXISTS", "set"},
      {"SPOP", "set"},
      {"SPOP", "set", "3"},
      {"SADD", "set", "b"},
      {"PEXPIREAT", "set", "4102444800000"},
      {"SPOP", "set", "5"},
      {"SADD", "big", "1", "2", "3", "4"},
      {"SPOP", "big", "0"},
      {"SPOP", "big", "-1"},
      {"XADD", "x", "*", "f", "v"},
      {"XADD", "x", "*", "f", "w"},
      {"XADD", "x", "NOMKSTREAM", "*", "f", "w"},
      {"XADD", "none", "NOMKSTREAM", "*", "f", "w"},
      {"XADD", "x", "MAXLEN", "~", "100", "*", "f", "w"},
      {"XADD", "x", "MAXLEN", "=", "2", "*", "f", "w"},
      {"XADD", "y", "5-1", "f", "v"},
      {"XADD", "y", "5-*", "f", "v"},
      {"XADD", "y", "5-*", "f"},
      {"XADD", "y", "4-*", "f", "v"},
      {"XTRIM", "x", "MAXLEN", "~", "0"},
      {"XTRIM", "x", "MINID", "~", "5"},
      {"XGROUP", "CREATE", "y", "g", "0"},
      {"XGROUP", "CREATE", "x", "g", "$"},
      {"XREADGROUP", "GROUP", "g", "c", "COUNT", "1", "STREAMS", "y", ">"},
      {"XREADGROUP", "GROUP", "g", "c", "STREAMS", "y", "x", ">", ">"},
      {"XREADGROUP", "GROUP", "g", "c", "STREAMS", "y", "0"},
      {"XREADGROUP", "GROUP", "h", "c", "STREAMS", "y", ">"},
      {"XCLAIM", "y", "g", "d", "0", "5-1"},
      {"XAUTOCLAIM", "y", "g", "e", "0", "0"},
      {"XPENDING", "y", "g"},
      {"XACK", "y", "g", "5-1"},
      {"ZADD", "lex", "0", "a", "0", "b", "0", "c", "0", "d"},
      {"ZREMRANGEBYLEX", "lex", "[b", "(d"},
      {"ZREMRANGEBYLEX", "lex", "[x", "+"},
      {"ZREMRANGEBYLEX", "lex", "x", "+"},
      {"ZRANGESTORE", "range", "lex", "-", "+", "BYLEX"},
      {"ZRANGE", "range", "0", "-1"},
      {"ZREMRANGEBYLEX", "lex", "-", "+"},
      {"EXISTS", "lex"},
      {"SADD", "tosort", "c", "b", "a"},
      {"MSET", "w_a", "x", "w_b", "x", "w_c", "x"},
      {"SORT", "tosort", "BY", "w_*", "ALPHA", "STORE", "sorted"},
      {"LLEN", "sorted"},
      {"SET", "string", "s"},
      {"SPOP", "string"},
      {"SPOP", "set", "x"},
      {"XADD", "string", "*", "f", "v"},
      {"SORT", "string", "BY", "w_*", "ALPHA", "STORE", "sorted"},
      {"EVAL", two, "2", "k", "l", "v"},
      {"EVAL", two, "2", "k", "l", "w"},
      {"GET", "k"},
      {"EVAL", "#!lua\n" + two, "2", "k", "l", "x"},
      {"EVAL", "return redis.call('SADD', KEYS[1], math.random())", "1", "randoms"},
      {"EVAL", "return redis.call('SET', KEYS[1], redis.call('TIME')[1])", "1", "time"},
      {"EVAL", "return {1, 'two', {3, false}, redis.status_reply('FINE')}", "1", "k"},
      {"EVALSHA", "b9d2d1510e51b9a8a50ec8635a8d630db795ebb8", "1", "k"},
      {"EVAL", "redis.call('SET', KEYS[1], 'written') error('and failed')", "1", "k"},
      {"EVAL", "redis.call('SET', KEYS[1], 'written') return redis.error_reply('MY ERR')", "1",
       "m"},
      {"EVAL", "return redis.call('LPUSH', KEYS[1], 'v')", "1", "string"},
      {"EVAL", "return redis.pcall('LPUSH', KEYS[1], 'v')", "1", "string"},
      {"EVAL", "local ok, e = pcall(redis.call, 'LPUSH', KEYS[1], 'v') return {ok, e}", "1",
       "string"},
      {"EVAL", "return redis.call('NOSUCH', KEYS[1])", "1", "k"},
      {"EVAL", "return redis.call('SET', KEYS[1])", "1", "k"},
      {"EVAL", "return redis.call()", "1", "k"},
      {"EVAL", "return nosuch", "1", "k"},
      {"EVAL", "nosuch = 1", "1", "k"},
      {"EVAL", "return (", "1", "k"},
      {"EVAL", "#!lua flags=nosuch\nreturn 1", "1", "k"},
      {"EVAL", "#!lua flags=no-writes\nreturn redis.call('SET', KEYS[1], 1)", "1", "k"},
      {"EVAL", "#!lua", "1", "k"},
      {"EVAL", "return redis.call('DEL', unpack(KEYS))", "3", "k", "l", "k"},
      {"EVAL", "return redis.call('PEXPIREAT', KEYS[1], 4102444800000)", "1", "m"},
      {"EVAL", "return redis.call('XADD', KEYS[1], '*', 'f', 'v')", "1", "x"},
      {"EVAL", "return redis.call('XGROUP', 'CREATE', KEYS[1], 'i', '$')", "1", "x"},
      {"EVAL", "return redis.call('PFADD', KEYS[1], 'a')", "1", "hll"},
      {"EVAL", "return redis.call('PFCOUNT', KEYS[1])", "1", "hll"},
      {"EVAL",
       "redis.setresp(3) redis.call('HSET', KEYS[1], 'f', 'v') "
       "return redis.call('HGETALL', KEYS[1]).map.f",
       "1", "hash"},
      {"EVAL", "return redis.sha1hex(KEYS[1])", "1", "k"},
      {"EVAL", "return redis.call('GET', 'undeclared')", "1", "k"},
      {"EVAL", "return _G.KEYS[1] .. type(_G.redis.call) .. tostring(next(KEYS))", "1", "k"},
      {"FUNCTION", "LOAD",
       "#!lua name=lib\nredis.register_function('f', function(keys, args)\n"
       "return redis.call('SADD', keys[1], math.random()) end)"},
      {"FCALL", "f", "1", "functions"},
  };
}

class SecondCopies : public testing::TestWithParam<int> {};  // workers
INSTANTIATE_TEST_SUITE_P(Workers, SecondCopies, testing::Values(1, 2), [](const auto& info) {
  return std::string(info.param == 1 ? "One" : "TwoThreaded");
});

// A row that can go to one copy first and that no line of the session does: add one.
TEST(SecondCopiesTable, EveryRowIsExercised) {
  std::set<std::string_view> exercised;
  static const std::vector<Words> session = Session();
  const CommandTable table;
  for (const Words& words : session) {
    const std::vector<std::string_view> args(words.begin(), words.end());
    if (OneCopyFirst(SecondCopyOf(words))) exercised.insert(table.Find(args)->name);
  }
  for (const CommandRow& row : BuiltinCommands()) {
    const bool may = OneCopyFirst(row.second_copy) || row.arg_rule == ArgRule::kXadd ||
                     row.arg_rule == ArgRule::kXtrim || row.arg_rule == ArgRule::kSort ||
                     row.arg_rule == ArgRule::kByLex;
    EXPECT_EQ(exercised.contains(row.name), may) << row.name;
  }
}

TEST_P(SecondCopies, AnswerAsRedisDoes) {
  Cluster cluster({.shards = 1, .workers = GetParam()});
  RedisNode bare;
  Client client = cluster.Connect();
  Client redis = bare.Connect();
  for (const Words& words : Session()) {
    EXPECT_EQ(Masked(client.Run(words)), Masked(redis.Run(words))) << Line(words);
  }
  EXPECT_EQ(client("PROXY", "SHARDS").items.at(0).Field("diverged"), ":0");
  cluster.ExpectCopiesEqual();
}

// What a script does beyond its keys is refused, and nothing of it is done on one copy alone.
TEST(SecondCopiesScripts, ChangeNoKeysThatTheyDoNotDeclare) {
  Cluster cluster;  // with one shard it would have every key
  Client client = cluster.Connect();
  client("SET", "other", "v");
  const auto digest = [&] { return cluster.node(0, 0).Digest() + cluster.node(1, 0).Digest(); };
  const std::string before = digest();
  for (const std::string script : {
           "return redis.call('SET', 'other', 'w')",
           "return redis.pcall('SET', 'other', 'w')",
           "return redis.call('DEL', KEYS[1], 'other')",
           "return redis.call('FLUSHALL')",
           "return redis.call('SELECT', '1')",
           "return redis.call('SWAPDB', '0', '1')",
           "return redis.call('MOVE', KEYS[1], '1')",
           "return redis.call('COPY', KEYS[1], KEYS[1], 'DB', '1')",
           "return redis.call('SORT', KEYS[1], 'STORE', 'other')",
           "return redis.call('PFADD', 'other', 'x')",
           "return _G.redis.call('SET', 'other', 'w')",
           "return _G._G.redis.call('SET', 'other', 'w')",
           "return rawget(_G, 'redis').call('SET', 'other', 'w')",
           "return getmetatable(_G).__index('redis').call('SET', 'other', 'w')",
           "return getfenv().redis.call('SET', 'other', 'w')",
           "return loadstring('return redis.call(\"SET\", \"other\", \"w\")')()",
           "return load(function() return nil end)()",
           "KEYS[2] = 'other' return redis.call('SET', 'other', 'w')",
           "return coroutine.wrap(function() return redis.call('SET', 'other', 'w') end)()",
           "redis.setresp(3) return redis.call('SET', 'other', 'w')",
           "redis.call('set', 'other', 'w', 'EX', 100)",
       }) {
    const Reply reply = client("EVAL", script, "1", "k");
    EXPECT_TRUE(reply.IsError()) << script << ": " << reply;
    EXPECT_EQ(digest(), before) << script;
  }
  EXPECT_TRUE(Has(client("EVAL", "return redis.call('SET', 'other', 'w')", "1", "k").Text(),
                  "-ERR Script attempted to call set for a key that is not among its KEYS"));
  cluster.ExpectCopiesEqual();
}

// Without keys it may read what it likes on one copy, as a Redis would let it. What it writes is on
// all of them (undeclared_keys_test.cc), or it writes nothing.
TEST(SecondCopiesScripts, WithoutKeysTheyRead) {
  Cluster cluster({.shards = 1});
  Client client = cluster.Connect();
  client("SET", "k", "v");
  const std::string before = cluster.node(0, 0).Digest();
  const std::string get = "return {redis.call('GET', 'k'), #KEYS, ARGV[1]}";
  const std::string sha = client("SCRIPT", "LOAD", get).bytes;
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(client("EVAL", get, "0", "a"), "[v :0 a]");
    EXPECT_EQ(client("EVALSHA", sha, "0", "a"), "[v :0 a]");
  }
  EXPECT_TRUE(client("EVAL", "return (", "0").Text().starts_with("-ERR Error compiling script"));
  for (const std::string script : {
           "return redis.call('FLUSHALL')",
           "return redis.call('SWAPDB', 0, 1)",
           "return load('return 1')()",
       }) {
    EXPECT_TRUE(client("EVAL", script, "0").IsError()) << script;
    EXPECT_EQ(cluster.node(0, 0).Digest(), before) << script;
  }
  // In a transaction, of reads and with a write.
  for (const bool writes : {false, true}) {
    client("MULTI");
    EXPECT_EQ(client("EVAL", get, "0", "a"), "QUEUED");
    EXPECT_EQ(client("EVAL", "return redis.call('SET', 'k', 'w')", "0"), "QUEUED");
    if (writes) {
      EXPECT_EQ(client("SET", "{t}x", "2"), "QUEUED");
    }
    EXPECT_EQ(client("EVAL", "return math.random()", "0"), "QUEUED");
    const Reply replies = client("EXEC");
    ASSERT_EQ(replies.items.size(), writes ? 4u : 3u) << replies;
    EXPECT_EQ(replies.items[0].Text(), "[v :0 a]");
    EXPECT_EQ(replies.items[1].Text(), "OK");
    EXPECT_EQ(client("SET", "k", "v"), "OK");
    EXPECT_EQ(client("GET", "{t}x").Text(), writes ? "2" : "(nil)");
  }
  cluster.ExpectCopiesEqual();
}

// Random ones mixed with ordinary writes of the same keys, pipelined, from many connections.
class Mix {
 public:
  Mix(uint16_t port, int threads) : port_(port) {
    for (int i = 0; i < threads; ++i) threads_.emplace_back([this, i] { Work(i); });
  }
  void Stop() {
    stop_ = true;
    for (std::thread& thread : threads_) {
      if (thread.joinable()) thread.join();
    }
  }
  ~Mix() { Stop(); }
  bool WaitForMore(uint64_t more) {
    const uint64_t until = answered_ + more;
    return Eventually([&] { return answered_ >= until || !errors().empty(); },
                      std::chrono::seconds(60)) &&
           errors().empty();
  }
  std::set<std::string> errors() {
    const std::lock_guard lock(mutex_);
    return errors_;
  }
  // What was popped from "elements" and which IDs "log" gave, each acknowledged.
  std::vector<std::string> popped, ids;

 private:
  static Words Random(std::mt19937* random) {
    const auto pick = [&](uint32_t n) { return (*random)() % n; };
    const std::string n = std::to_string(pick(4));
    const std::string member = std::to_string(pick(30));
    switch (pick(16)) {
      case 0:
        return {"SPOP", "{m}set" + n};
      case 1:
        return {"SPOP", "{m}set" + n, "3"};
      case 2:
      case 3:
      case 4:
        return {"SADD", "{m}set" + n, member, member + "x", member + "y"};
      case 5:
        return {"SREM", "{m}set" + n, member};
      case 6:
        return {"XADD", "{m}stream" + n, "MAXLEN", "~", "50", "*", "f", member};
      case 7:
        return {"XTRIM", "{m}stream" + n, "MAXLEN", "~", "20"};
      case 8:
        return {"XREADGROUP", "GROUP", "g", "c" + n, "COUNT", "2", "STREAMS", "{m}stream" + n, ">"};
      case 9:
        return {"EVAL",
                "redis.call('SADD', KEYS[1], math.random(1, 1000)) "
                "return redis.call('INCRBY', KEYS[2], ARGV[1])",
                "2",
                "{m}set" + n,
                "{m}count" + n,
                member};
      case 10:
        return {"INCR", "{m}count" + n};
      case 11:
        return {"DEL", "{m}set" + n};
      case 12:
        return {"SORT", "{m}set" + n, "BY", "{m}nosuch_*", "ALPHA", "STORE", "{m}sorted" + n};
      case 13:
        return {"RPUSH", "{m}sorted" + n, member};
      case 14:
        return {"SCARD", "{m}set" + n};
      default:
        return {"PEXPIRE", "{m}set" + n, "100000"};
    }
  }
  void Work(int seed) {
    std::mt19937 random(static_cast<uint32_t>(seed));
    try {
      Client client(port_);
      while (!stop_) {
        std::vector<Words> burst = {{"SPOP", "elements"}, {"XADD", "log", "*", "f", "v"}};
        for (int i = 0; i < 10; ++i) burst.push_back(Random(&random));
        for (const Words& words : burst) client.Append(words);
        for (size_t i = 0; i < burst.size(); ++i) {
          const Reply reply = client.Read();
          const std::lock_guard lock(mutex_);
          if (reply.IsError() && !Has(reply.Text(), "NOGROUP")) {
            errors_.insert(Line(burst[i]) + reply.Text());
          } else if (i == 0 && reply.kind == Reply::Kind::kBulk) {
            popped.push_back(reply.bytes);
          } else if (i == 1) {
            ids.push_back(reply.bytes);
          }
          ++answered_;
        }
      }
    } catch (const std::exception& e) {
      const std::lock_guard lock(mutex_);
      errors_.insert(e.what());
    }
  }

  const uint16_t port_;
  std::atomic<bool> stop_{false};
  std::atomic<uint64_t> answered_{0};
  std::mutex mutex_;
  std::set<std::string> errors_;
  std::vector<std::thread> threads_;
};

constexpr int kElements = 20000;

void Fill(Client client) {
  for (int i = 0; i < kElements; i += 1000) {
    Words words = {"SADD", "elements"};
    for (int j = i; j < i + 1000; ++j) words.push_back(std::to_string(j));
    client.Run(words);
  }
  for (int n = 0; n < 4; ++n) {
    client("XGROUP", "CREATE", "{m}stream" + std::to_string(n), "g", "0", "MKSTREAM");
  }
}

// Each element was popped once or is still there, and each ID is there once.
void Verify(Client client, const Mix& mix) {
  std::set<std::string> elements;
  for (const Reply& element : client("SMEMBERS", "elements").items) elements.insert(element.bytes);
  const size_t left = elements.size();
  for (const std::string& element : mix.popped) {
    EXPECT_TRUE(elements.insert(element).second) << element << " twice";
  }
  EXPECT_EQ(left + mix.popped.size(), static_cast<size_t>(kElements)) << "popped for nobody";
  std::set<std::string> ids;
  for (const Reply& entry : client("XRANGE", "log", "-", "+").items)
    ids.insert(entry.items[0].bytes);
  EXPECT_EQ(ids.size(), mix.ids.size());
  for (const std::string& id : mix.ids) EXPECT_EQ(ids.erase(id), 1u) << id;
}

ClusterOptions Options(int workers, const std::string& more = "") {
  std::map<std::string, std::string> sections = {
      {"health", kImpatientProbes}, {"timeouts", "request_ms = 30000\nreconnect_max_ms = 100"}};
  if (!more.empty()) sections["read"] = more;
  return {.shards = 1, .workers = workers, .sections = sections};
}

TEST_P(SecondCopies, MixedWithOtherWrites) {
  Cluster cluster(Options(GetParam(), "from = \"balanced\""));
  Fill(cluster.Connect());
  Mix mix(cluster.proxy().port(), 4);
  EXPECT_TRUE(mix.WaitForMore(6000));
  mix.Stop();
  EXPECT_EQ(mix.errors(), std::set<std::string>());
  Verify(cluster.Connect(), mix);
  EXPECT_EQ(cluster.Connect()("PROXY", "SHARDS").items.at(0).Field("diverged"), ":0");
  cluster.ExpectCopiesEqual();
}

TEST_P(SecondCopies, KilledPrimaryUnderLoad) {
  Cluster cluster(Options(GetParam()));
  Fill(cluster.Connect());
  Mix mix(cluster.proxy().port(), 4);
  EXPECT_TRUE(mix.WaitForMore(2000));
  for (int copy = 0; copy < 2; ++copy) {
    cluster.node(0, copy).Kill();
    EXPECT_TRUE(cluster.WaitUntilPrimary(0, cluster.node(0, 1 - copy)));
    EXPECT_TRUE(mix.WaitForMore(1000));
    cluster.node(0, copy).Start();
    EXPECT_TRUE(cluster.WaitUntilInSync());
    EXPECT_TRUE(mix.WaitForMore(1000));
  }
  mix.Stop();
  EXPECT_EQ(mix.errors(), std::set<std::string>());
  Verify(cluster.Connect(), mix);
  cluster.ExpectCopiesEqual();
}

TEST_P(SecondCopies, KilledReplicaUnderLoad) {
  Cluster cluster(Options(GetParam()));
  Fill(cluster.Connect());
  Mix mix(cluster.proxy().port(), 4);
  EXPECT_TRUE(mix.WaitForMore(1000));
  cluster.node(0, 1).Kill();
  EXPECT_TRUE(mix.WaitForMore(1000));
  cluster.node(0, 1).Start();
  EXPECT_TRUE(cluster.WaitUntilInSync());
  EXPECT_TRUE(mix.WaitForMore(1000));
  mix.Stop();
  EXPECT_EQ(mix.errors(), std::set<std::string>());
  Verify(cluster.Connect(), mix);
  cluster.ExpectCopiesEqual();
}

// The connection ends, the process lives: what was in flight is undone on it and done again.
TEST_P(SecondCopies, LostConnectionsUnderLoad) {
  Cluster cluster(Options(GetParam()));
  Fill(cluster.Connect());
  Mix mix(cluster.proxy().port(), 4);
  for (int i = 0; i < 6; ++i) {
    EXPECT_TRUE(mix.WaitForMore(500));
    // One at a time: a copy that left is not there to answer for the other one.
    EXPECT_TRUE(cluster.WaitUntilInSync());
    cluster.node(0, i % 2).Connect()("CLIENT", "KILL", "TYPE", "normal");
  }
  EXPECT_TRUE(mix.WaitForMore(500));
  EXPECT_TRUE(cluster.WaitUntilInSync());
  mix.Stop();
  EXPECT_EQ(mix.errors(), std::set<std::string>());
  Verify(cluster.Connect(), mix);
  cluster.ExpectCopiesEqual();
}

}  // namespace
}  // namespace gemel::e2e::second_copies_test
