// FUNCTION and FCALL: gemel keeps the libraries, and every node has them whatever happens to it.

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "tests/e2e/cluster.h"
#include "tests/e2e/redis_node.h"
#include "tests/e2e/wait.h"
#include "tests/e2e/wire.h"

namespace gemel::e2e::functions_test {
namespace {

// What it does differs from run to run and from copy to copy.
const std::string kLibrary =
    "#!lua name=lib\n"
    "local calls = 0\n"
    "local function note(keys, args)\n"
    "  calls = calls + 1\n"
    "  local t = redis.call('TIME')\n"
    "  redis.call('RPUSH', keys[1], math.random(), t[1] .. t[2], calls)\n"
    "  return redis.call('LLEN', keys[1])\n"
    "end\n"
    "redis.register_function('note', note)\n"
    "redis.register_function('add', function(keys, args)\n"
    "  return redis.call('INCRBY', keys[1], args[1])\n"
    "end)\n"
    "redis.register_function{function_name='Get', flags={'no-writes'}, description='reads',\n"
    "  callback=function(keys, args) return redis.call('GET', keys[1]) end}\n"
    "redis.register_function('fails', function(keys, args)\n"
    "  local reply = redis.call('LPUSH', keys[1])\n"
    "  return reply\n"
    "end)\n";

// And writes what it does not declare.
const std::string kSaysThatItReads =
    "#!lua name=says\n"
    "local function set() local reply = redis.call('set', 'x', 1) return reply end\n"
    "redis.register_function{function_name='w', flags={'allow-stale', 'no-writes'}, callback=set}\n"
    "redis.register_function{function_name='p', flags={'no-writes'}, callback=function()\n"
    "  return redis.pcall('set', 'x', 1) end}\n"
    "redis.register_function{function_name='x', flags={'no-writes'}, callback=function()\n"
    "  return redis.call('get', 'x') end}\n";

std::string Small(const std::string& library, const std::string& function, int value) {
  return "#!lua name=" + library + "\nredis.register_function('" + function +
         "', function() return " + std::to_string(value) + " end)";
}

// Shards, workers.
class Functions : public ::testing::TestWithParam<std::tuple<int, int>> {
 protected:
  Functions() : cluster_({.shards = std::get<0>(GetParam()), .workers = std::get<1>(GetParam())}) {}
  int shards() const { return std::get<0>(GetParam()); }
  void ExpectOnEveryNode(const std::string& library, bool there) {
    for (int shard = 0; shard < shards(); ++shard) {
      for (int copy = 0; copy < 2; ++copy) {
        const Reply list =
            cluster_.node(shard, copy).Connect()("FUNCTION", "LIST", "LIBRARYNAME", library);
        EXPECT_EQ(list.items.size(), there ? 1u : 0u) << library << shard << copy;
      }
    }
  }
  Cluster cluster_;
};

INSTANTIATE_TEST_SUITE_P(Ways, Functions, ::testing::Values(std::tuple(1, 1), std::tuple(2, 2)),
                         [](const auto& info) {
                           return std::string(std::get<1>(info.param) == 1 ? "One" : "TwoThreaded");
                         });

// `payload` is a dump of the libraries "one" and "other", `none` one of nothing.
std::vector<Words> TriedOnBoth(const std::string& payload, const std::string& none,
                               const std::string& damaged) {
  return {
      {"FCALL", "f", "0"},
      {"FCALL", "f", "x"},
      {"FUNCTION", "LIST"},
      {"FUNCTION", "LOAD", Small("one", "f", 1)},
      {"FUNCTION", "LOAD", Small("one", "f", 2)},
      {"FCALL", "f", "0"},
      {"FUNCTION", "LOAD", "REPLACE", Small("one", "f", 2)},
      {"fcall", "F", "0"},
      {"FCALL_RO", "f", "0"},
      {"FUNCTION", "LIST"},
      {"FUNCTION", "LIST", "WITHCODE"},
      {"FUNCTION", "LIST", "LIBRARYNAME", "o*", "WITHCODE"},
      {"FUNCTION", "LIST", "LIBRARYNAME", "x*"},
      {"FUNCTION", "LIST", "LIBRARYNAME"},
      {"FUNCTION", "LIST", "BAD"},
      {"FUNCTION", "LOAD", Small("two", "f", 3)},  // the function's name is taken
      {"FUNCTION", "LOAD", "#!lua name=two\nx y"},
      {"FUNCTION", "LOAD", "#!lua name=two\nreturn 1"},
      {"FUNCTION", "LOAD", "#!lua name=two\nredis.register_function('g', 'no function')"},
      {"FUNCTION", "LOAD", "#!lua name=two\nredis.call('set', 'a', 1)"},
      {"FUNCTION", "LOAD", "#!lua name=two\nlocal x = _G.y"},
      {"FUNCTION", "LOAD", "#!lua name=two"},
      {"FUNCTION", "LOAD", "#!lua name=t%\nreturn 1"},
      {"FUNCTION", "LOAD", "#!lua\nreturn 1"},
      {"FUNCTION", "LOAD", "#!none name=two\nreturn 1"},
      {"FUNCTION", "LOAD", "return 1"},
      {"FUNCTION", "LOAD", ""},
      {"FUNCTION", "LOAD", "BAD", Small("two", "g", 3)},
      {"FUNCTION", "LOAD", "REPLACE", "#!lua name=one\nx y"},
      {"FCALL", "f", "0"},  // as it was
      {"FUNCTION", "LOAD"},
      {"FUNCTION", "DELETE", "none"},
      {"FUNCTION", "DELETE", "ONE"},
      {"FUNCTION", "DELETE", "one"},
      {"FCALL", "f", "0"},
      {"FUNCTION", "DELETE", "one"},
      {"FUNCTION", "RESTORE", payload},
      {"FCALL", "f", "0"},
      {"FUNCTION", "DELETE", "other"},  // or either might be the one that is told of
      {"FUNCTION", "RESTORE", payload},
      {"FUNCTION", "RESTORE", payload, "APPEND"},
      {"FUNCTION", "RESTORE", payload, "REPLACE"},
      {"FUNCTION", "RESTORE", payload, "BAD"},
      {"FUNCTION", "RESTORE", damaged},
      {"FUNCTION", "RESTORE", "x"},
      {"FUNCTION", "RESTORE", ""},
      {"FUNCTION", "RESTORE", payload, "FLUSH", "x"},
      {"FUNCTION", "LOAD", kLibrary},
      {"FUNCTION", "RESTORE", payload, "FLUSH"},
      {"FCALL", "add", "1", "{t}n", "1"},
      {"FCALL", "h", "0"},
      {"FUNCTION", "RESTORE", none, "FLUSH"},
      {"FUNCTION", "LIST"},
      {"FUNCTION", "LOAD", kLibrary},
      {"FCALL", "add", "1", "{t}n", "5"},
      {"FCALL", "get", "1", "{t}n"},
      {"FCALL_RO", "GET", "1", "{t}n"},
      {"FCALL_RO", "add", "1", "{t}n", "5"},
      {"FCALL", "fails", "1", "{t}n"},
      {"FCALL", "add", "x", "{t}n", "5"},
      {"FCALL", "add", "3", "{t}n", "5"},
      {"FCALL", "add", "-1", "{t}n", "5"},
      {"FCALL", "add"},
      {"MULTI"},
      {"FCALL", "add", "1", "{t}n", "5"},
      {"FCALL", "get", "1", "{t}n"},
      {"FUNCTION", "DELETE", "none"},
      {"EXEC"},
      {"FUNCTION", "LOAD", kSaysThatItReads},
      {"FCALL", "w", "1", "{t}n"},
      {"FCALL", "w", "0"},
      {"FCALL_RO", "w", "0"},
      {"FCALL_RO", "p", "0"},
      {"FCALL", "x", "0"},
      {"FUNCTION", "DELETE", "says"},
      {"FUNCTION", "KILL"},
      {"SCRIPT", "KILL"},
      {"FUNCTION", "STATS"},
      {"FUNCTION", "FLUSH", "BAD"},
      {"FUNCTION", "FLUSH", "SYNC"},
      {"FUNCTION", "FLUSH"},
      {"FUNCTION", "FLUSH", "async"},
      {"FUNCTION", "LIST"},
      {"FUNCTION", "HELP"},
      {"GET", "{t}n"},
  };
}

TEST_P(Functions, AreRediss) {
  RedisNode alone;
  Client source = alone.Connect();
  source("FUNCTION", "LOAD", Small("one", "f", 1));
  source("FUNCTION", "LOAD", Small("other", "h", 8));
  const std::string payload = source("FUNCTION", "DUMP").bytes;  // compressed, as Redis does it
  source("FUNCTION", "FLUSH");
  const std::string none = source("FUNCTION", "DUMP").bytes;
  Wire gemel(cluster_.proxy().port());
  Wire redis(alone.port());
  std::string damaged = payload;
  damaged[10] = static_cast<char>(damaged[10] ^ 1);
  const std::vector<Words> commands = TriedOnBoth(payload, none, damaged);
  for (const bool resp3 : {false, true}) {
    if (resp3) {
      gemel.Ask({"HELLO", "3"});
      redis.Ask({"HELLO", "3"});
    }
    for (const Words& words : commands) {
      EXPECT_EQ(gemel.Ask(words), redis.Ask(words))
          << words[0] << " " << words[words.size() > 1 ? 1 : 0] << " " << words.back();
    }
  }
  cluster_.ExpectCopiesEqual();
}

// A payload made here is one for Redis.
TEST_P(Functions, AreDumpedForRedis) {
  RedisNode alone;
  Client client = cluster_.Connect();
  client("FUNCTION", "LOAD", kLibrary);
  client("FUNCTION", "LOAD", Small("one", "f", 1));
  EXPECT_EQ(alone.Connect()("FUNCTION", "RESTORE", client("FUNCTION", "DUMP").bytes), "OK");
  EXPECT_EQ(alone.Connect()("FCALL", "f", "0"), ":1");
  EXPECT_EQ(alone.Connect()("FCALL", "add", "1", "n", "4"), ":4");
}

// Byte for byte: as long as it is compressed, whatever its size.
TEST_P(Functions, AreDumpedAsRedisDoes) {
  Client client = cluster_.Connect();
  const std::string head = "#!lua name=x\n";
  std::string random;
  for (int i = 0; i < 3000; ++i)
    random += std::to_string(i * 7919 % 10007) + (i % 7 == 0 ? "\n--" : "");
  const std::string empty = "redis.register_function('f', function() end) --";
  for (const std::string& code :
       {kLibrary, head + empty, head + empty + std::string(20000, 'x'), head + empty + random,
        head + empty + "\xff\x01\x80 pairs and pairs and pairs"}) {
    RedisNode alone;
    Client redis = alone.Connect();
    EXPECT_FALSE(client("FUNCTION", "LOAD", code).IsError());
    EXPECT_FALSE(redis("FUNCTION", "LOAD", code).IsError());
    EXPECT_EQ(client("FUNCTION", "DUMP").bytes, redis("FUNCTION", "DUMP").bytes) << code.size();
    client("FUNCTION", "FLUSH");
  }
  RedisNode alone;
  EXPECT_EQ(client("FUNCTION", "DUMP").bytes, alone.Connect()("FUNCTION", "DUMP").bytes);
}

TEST_P(Functions, LeaveTheCopiesEqual) {
  Client client = cluster_.Connect();
  ASSERT_EQ(client("FUNCTION", "LOAD", kLibrary), "lib");
  ExpectOnEveryNode("lib", true);
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      Client mine = cluster_.Connect();
      for (int i = 0; i < 50; ++i) {
        const std::string key = "k" + std::to_string((thread + i) % 8);
        EXPECT_EQ(mine("FCALL", "note", "1", key).Text()[0], ':');
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  int64_t notes = 0;
  for (int i = 0; i < 8; ++i) {
    notes += std::stoll(client("LLEN", "k" + std::to_string(i)).Text().substr(1));
  }
  EXPECT_EQ(notes, 4 * 50 * 3);
  // What would lead around the guard is refused by a sentence of its own.
  client("FUNCTION", "LOAD",
         "#!lua name=leads\nredis.register_function('leads', function()\n"
         "  return load('return 1')()\nend)");
  EXPECT_NE(client("FCALL", "leads", "1", "k")
                .Text()
                .find("load, which is not supported by gemel in functions"),
            std::string::npos);
  cluster_.ExpectCopiesEqual();
}

// Those of a node that nobody has loaded here might change anything.
TEST_P(Functions, OfANodeAloneAreNotCalled) {
  Client client = cluster_.Connect();
  client("FUNCTION", "LOAD", Small("mine", "f", 1));
  for (int shard = 0; shard < shards(); ++shard) {
    for (int copy = 0; copy < 2; ++copy) {
      cluster_.node(shard, copy).Connect()("FUNCTION", "LOAD", Small("theirs", "g", 2));
    }
  }
  EXPECT_EQ(client("FCALL", "g", "1", "k"), "-ERR Function not found");
  EXPECT_EQ(client("FCALL", "g", "0"), "-ERR Function not found");
  EXPECT_EQ(client("FCALL_RO", "g", "1", "k"), "-ERR Function not found");
  EXPECT_EQ(client("FUNCTION", "LIST").items.size(), 1u);
  EXPECT_EQ(client("FUNCTION", "FLUSH"), "OK");
  ExpectOnEveryNode("mine", false);
  ExpectOnEveryNode("theirs", true);
}

// The next command of a pipeline, and everybody else's, calls what was loaded.
TEST_P(Functions, AreThereAtOnce) {
  Client client = cluster_.Connect();
  Client other = cluster_.Connect();
  for (int i = 0; i < 30; ++i) {
    client.Append({"FUNCTION", "LOAD", "REPLACE", Small("lib", "f", i)});
    for (int key = 0; key < 4; ++key) {
      client.Append({"FCALL", "f", "1", "k" + std::to_string(key)});
    }
    EXPECT_EQ(client.Read(), "lib");
    for (int key = 0; key < 4; ++key) {
      EXPECT_EQ(other("FCALL", "f", "1", "k" + std::to_string(key)), ":" + std::to_string(i));
      EXPECT_EQ(other("FCALL_RO", "f", "1", "k" + std::to_string(key)).Text().substr(0, 4), "-ERR");
    }
    for (int key = 0; key < 4; ++key) EXPECT_EQ(client.Read(), ":" + std::to_string(i));
  }
}

// What a client called before it changed its library, in the same pipeline, is of the old one,
// though it had to wait for its turn.
TEST_P(Functions, AreThoseOfTheirTime) {
  Client client = cluster_.Connect();
  const std::vector<Words> changes = {
      {"FUNCTION", "DELETE", "lib"},
      {"FUNCTION", "FLUSH"},
      {"FUNCTION", "LOAD", "REPLACE", Small("lib", "f", 2)},
  };
  for (int i = 0; i < 30; ++i) {
    const Words& change = changes[static_cast<size_t>(i) % changes.size()];
    client("FUNCTION", "LOAD", "REPLACE", Small("lib", "f", 1));
    client("SADD", "k", "1", "2", "3");
    client.Append({"SPOP", "k"});
    client.Append({"FCALL", "f", "1", "k"});
    client.Append(change);
    client.Read();
    EXPECT_EQ(client.Read(), ":1") << change[1];
    client.Read();
  }
  client("FUNCTION", "LOAD", "REPLACE", Small("lib", "f", 1));
  const std::string dump = client("FUNCTION", "DUMP").bytes;
  client("FUNCTION", "LOAD", "REPLACE", Small("other", "g", 2));
  client.Append({"SPOP", "k"});
  client.Append({"FCALL", "g", "1", "k"});
  client.Append({"FUNCTION", "RESTORE", dump, "FLUSH"});
  client.Read();
  EXPECT_EQ(client.Read(), ":2");
  EXPECT_EQ(client.Read(), "OK");
  // By a transaction that goes to no node.
  client.Append({"SPOP", "k"});
  client.Append({"FCALL", "f", "1", "k"});
  client.Append({"MULTI"});
  client.Append({"FUNCTION", "FLUSH"});
  client.Append({"EXEC"});
  client.Read();
  EXPECT_EQ(client.Read(), ":1");
}

TEST_P(Functions, AreKnownWhateverRestarts) {
  Client client = cluster_.Connect();
  ASSERT_EQ(client("FUNCTION", "LOAD", kLibrary), "lib");
  std::vector<std::string> keys;
  for (int i = 0; i < 20; ++i) keys.push_back("k" + std::to_string(i));
  const auto all = [&](int expected) {
    Client asks = cluster_.Connect();
    for (const std::string& key : keys) {
      EXPECT_EQ(asks("FCALL", "add", "1", key, "1"), ":" + std::to_string(expected)) << key;
    }
  };
  all(1);
  cluster_.node(0, 0).Kill();
  all(2);
  cluster_.node(0, 0).Start();
  ASSERT_TRUE(cluster_.WaitUntilInSync());
  all(3);
  cluster_.node(0, 1).Kill();
  all(4);
  // While it is away, one comes and one goes.
  Client again = cluster_.Connect();
  EXPECT_EQ(again("FUNCTION", "LOAD", Small("one", "f", 1)), "one");
  cluster_.node(0, 1).Start();
  ASSERT_TRUE(cluster_.WaitUntilInSync());
  ExpectOnEveryNode("one", true);
  all(5);
  EXPECT_EQ(cluster_.proxy().Stop(), 0);
  for (int copy = 0; copy < 2; ++copy) cluster_.node(0, copy).Connect()("FUNCTION", "FLUSH");
  cluster_.proxy().Restart();
  ASSERT_TRUE(cluster_.WaitUntilInSync());
  all(6);
  ExpectOnEveryNode("one", true);
  EXPECT_EQ(cluster_.Connect()("FUNCTION", "DELETE", "one"), "OK");
  ExpectOnEveryNode("one", false);
  cluster_.ExpectCopiesEqual();
}

TEST_P(Functions, AreKnownAfterACrash) {
  ASSERT_EQ(cluster_.Connect()("FUNCTION", "LOAD", kLibrary), "lib");
  const std::string file = cluster_.proxy().folder() + "/state/functions";
  ASSERT_TRUE(Eventually([&] { return ReadFile(file).find(kLibrary) != std::string::npos; }));
  cluster_.proxy().Kill();
  cluster_.proxy().Restart();
  EXPECT_EQ(cluster_.Connect()("FCALL", "add", "1", "k", "1"), ":1");
}

TEST(FunctionLimits, AreTold) {
  Cluster cluster({.shards = 1, .sections = {{"limits", "scripts = \"2kb\""}}});
  Client client = cluster.Connect();
  EXPECT_EQ(client("FUNCTION", "LOAD", Small("one", "f", 1)), "one");
  const std::string large = Small("two", "g", 2) + " -- " + std::string(3000, 'x');
  const std::string text = client("FUNCTION", "LOAD", large).Text();
  EXPECT_TRUE(text.starts_with("-OOM ")) << text;
  EXPECT_NE(text.find("[limits] scripts"), std::string::npos) << text;
  EXPECT_EQ(client("FCALL", "g", "0"), "-ERR Function not found");
  EXPECT_EQ(cluster.node(0, 0).Connect()("FUNCTION", "LIST").items.size(), 1u);
  EXPECT_EQ(client("FCALL", "f", "0"), ":1");
}

// From another client, while the node hears nothing else.
class ScriptKills : public ::testing::Test {
 protected:
  ScriptKills() : cluster_({.redis_options = {"--busy-reply-threshold", "50"}}) {}
  // Asks for what does not end, and kills it by that command.
  std::string Kill(const Words& endless, const std::string& command) {
    Wire busy(cluster_.proxy().port());
    Client killer = cluster_.Connect();
    busy.Send(Encode(endless));
    EXPECT_TRUE(Eventually([&] { return killer.Run({command, "KILL"}) == "OK"; }));
    const std::string text = busy.Read();
    EXPECT_EQ(killer.Run({command, "KILL"}), "-NOTBUSY No scripts in execution right now.");
    cluster_.ExpectCopiesEqual();
    return text;
  }
  Cluster cluster_;
};

TEST_F(ScriptKills, AScript) {
  for (const std::string& key : {cluster_.KeyOn(0), cluster_.KeyOn(1)}) {
    const std::string text = Kill({"EVAL", "while true do end", "1", key}, "SCRIPT");
    EXPECT_NE(text.find("Script killed by user with SCRIPT KILL"), std::string::npos) << text;
  }
}

TEST_F(ScriptKills, AFunction) {
  const std::string code =
      "#!lua name=endless\nredis.register_function('f', function() while true do end end)";
  EXPECT_EQ(cluster_.Connect()("FUNCTION", "LOAD", code), "endless");
  const std::string text = Kill({"FCALL", "f", "1", cluster_.KeyOn(1)}, "FUNCTION");
  EXPECT_NE(text.find("Script killed by user with SCRIPT KILL"), std::string::npos) << text;
}

TEST_F(ScriptKills, NotOneThatHasWritten) {
  Wire busy(cluster_.proxy().port());
  Client killer = cluster_.Connect();
  const std::string key = cluster_.KeyOn(0);
  busy.Send(Encode({"EVAL",
                    "redis.call('SET', KEYS[1], 1) local t = redis.call('TIME') "
                    "local stop = t[1] + 2 repeat t = redis.call('TIME') until t[1] + 0 > stop "
                    "return 'done'",
                    "1", key}));
  EXPECT_TRUE(
      Eventually([&] { return killer("SCRIPT", "KILL").Text().starts_with("-UNKILLABLE"); }));
  EXPECT_EQ(busy.Read(), "$4\r\ndone\r\n");
  EXPECT_EQ(killer("GET", key), "1");
  cluster_.ExpectCopiesEqual();
}

}  // namespace
}  // namespace gemel::e2e::functions_test
