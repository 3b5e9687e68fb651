// Scripts and functions that change keys which they did not declare: replies as Redis has them, and
// the copies are equal afterwards; or a sentence that says why not.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/e2e/cluster.h"
#include "tests/e2e/redis_node.h"
#include "tests/e2e/wait.h"

namespace gemel::e2e::undeclared_keys_test {
namespace {

// What differs from one server to the next.
std::string Plain(const Reply& reply) {
  std::string text = reply.Text();
  const size_t name = text.find(" script: ");
  if (name == std::string::npos) return text;
  const size_t line = text.find(", on @user_script", name);  // the line is the script's own
  return text.substr(0, name) + (line == std::string::npos ? "" : text.substr(line));
}

// Scripts that write keys which they did not declare, in the ways in which they end.
std::vector<Words> UndeclaredWrites() {
  const std::string set = "redis.call('SET', KEYS[1] .. ':' .. ARGV[1], ARGV[2]) ";
  return {
      {"EVAL", set + "return redis.call('GET', KEYS[1] .. ':a')", "1", "{t}k", "a", "1"},
      {"GET", "{t}k:a"},
      {"EVAL", set, "1", "{t}k", "a", "2"},  // nil
      {"EVAL", "redis.call('INCR', KEYS[1])\n" + set + "return {1, {false, 'x'}, {ok='FINE'}}", "1",
       "{t}k", "b", "1"},
      {"EVAL", "redis.call('INCR', KEYS[1])\n" + set + "return {1, {false, 'x'}, {ok='FINE'}}", "1",
       "{t}k", "b", "1"},
      {"GET", "{t}k"},
      {"EVAL", set + "return false", "1", "{t}k", "c", "1"},
      {"EVAL", set + "return {err='MINE its own'}", "1", "{t}k", "c", "1"},
      {"EVAL", set + "return {double=3.5}", "1", "{t}k", "c", "1"},
      {"EVAL", set + "return ... == nil", "1", "{t}k", "c", "1"},
      {"EVAL", set + "return 1 -- a comment at the end", "1", "{t}k", "c", "1"},
      {"EVAL", "#!lua\n" + set + "return 1", "1", "{t}k", "c", "1"},
      {"EVAL", set + "\nlocal n = redis.call('LPUSH', KEYS[1] .. ':a', 'x') return n", "1", "{t}k",
       "d", "1"},
      {"EVAL", set + "\nlocal none\nreturn none.field", "1", "{t}k", "e", "1"},
      {"EVAL", set + "\n\nerror('its own')", "1", "{t}k", "e", "2"},
      {"EVAL", set + "\n\nerror({err='MINE its own'})", "1", "{t}k", "e", "2"},
      {"EVAL", set + "return redis.error_reply('MINE again')", "1", "{t}k", "e", "3"},
      // What catches errors catches nothing that is not there in Redis.
      {"EVAL",
       "local ok = pcall(redis.call, 'SET', KEYS[1] .. ':f', ARGV[2]) return {tostring(ok), "
       "redis.pcall('GET', KEYS[1] .. ':f')}",
       "1", "{t}k", "f", "v"},
      {"EVAL",
       "local made = coroutine.wrap(function() " + set +
           " coroutine.yield('y') end) return {made(), tostring(xpcall(function() " + set +
           " end, function(e) return e end))}",
       "1", "{t}k", "g", "v"},
      {"EVAL",
       "local made = coroutine.create(function() redis.call('SET', KEYS[1] .. ':h', 'x') end) "
       "return tostring(coroutine.resume(made))",
       "1", "{t}k"},
      {"EVAL", "return redis.call('DEL', KEYS[1] .. ':a', KEYS[1] .. ':b', '{t}none')", "1",
       "{t}k"},
      {"EVAL",
       "for i = 1, 200 do redis.call('RPUSH', '{t}many:' .. i, i) end return redis.call('EXISTS', "
       "'{t}many:7')",
       "1", "{t}k"},
      {"EVAL", "return redis.call('RENAME', '{t}many:7', '{t}seven')", "1", "{t}k"},
      {"EVAL", "redis.call('SET', '{t}live', 'x', 'PX', 100000000) return 1", "1", "{t}k"},
      {"EVAL",
       "redis.call('XADD', '{t}events', '*', 'f', 'v') return redis.call('XLEN', '{t}events')", "1",
       "{t}k"},
      {"MULTI"},
      {"EVAL", set + "return 1", "1", "{t}k", "m", "1"},
      {"SET", "{t}plain", "1"},
      {"SELECT", "3"},
      {"EVAL", set + "\nreturn 2", "1", "{t}k", "m", "2"},
      {"GET", "{t}k:m"},
      {"EVAL", set + "\n\nerror('last')", "1", "{t}k", "n", "2"},
      {"EXEC"},
      {"GET", "{t}k:n"},
      {"SELECT", "0"},
      {"GET", "{t}k:m"},
      {"EVAL", "return x y", "1", "{t}k"},
      {"EVAL", "return 1 end return 2", "1", "{t}k"},
  };
}

// Shards.
class UndeclaredKeys : public ::testing::TestWithParam<int> {
 protected:
  UndeclaredKeys() : cluster_({.shards = GetParam(), .sections = {{"proxy", "databases = 16"}}}) {}
  Cluster cluster_;
};

INSTANTIATE_TEST_SUITE_P(Shards, UndeclaredKeys, ::testing::Values(1, 2),
                         [](const auto& info) { return info.param == 1 ? "One" : "Two"; });

TEST_P(UndeclaredKeys, AreWrittenAsInRedis) {
  RedisNode alone;
  Client gemel = cluster_.Connect();
  Client redis = alone.Connect();
  for (int round = 0; round < 2; ++round) {
    for (const Words& words : UndeclaredWrites()) {
      EXPECT_EQ(Plain(gemel.Run(words)), Plain(redis.Run(words)))
          << round << " " << words[0] << " " << (words.size() > 1 ? words[1] : "");
    }
  }
  for (const char* key :
       {"{t}k", "{t}k:a", "{t}k:f", "{t}k:g", "{t}k:h", "{t}many:9", "{t}seven"}) {
    EXPECT_EQ(gemel("DUMP", key).bytes, redis("DUMP", key).bytes) << key;
  }
  cluster_.ExpectCopiesEqual();
}

// What a script did before it was found to write others counts once.
TEST_P(UndeclaredKeys, AreFoundOutBehindOthers) {
  Client client = cluster_.Connect();
  for (int i = 1; i <= 20; ++i) {
    const std::string script =
        "-- " + std::to_string(i) +
        "\nredis.call('INCR', KEYS[1]) redis.call('LPUSH', KEYS[2], ARGV[1]) "
        "redis.call('INCR', KEYS[1] .. ':other') "
        "return redis.call('INCR', KEYS[1])";
    EXPECT_EQ(client("EVAL", script, "2", "{t}n", "{t}l", "x"), ":" + std::to_string(2 * i));
  }
  EXPECT_EQ(client("LLEN", "{t}l"), ":20");
  EXPECT_EQ(client("GET", "{t}n:other"), "20");
  cluster_.ExpectCopiesEqual();
}

TEST_P(UndeclaredKeys, OfOtherShardsAreRefused) {
  Client client = cluster_.Connect();
  const std::string script = "redis.call('SET', ARGV[1], 'v') return 1";
  const std::string text = client("EVAL", script, "1", "{t}k", "elsewhere").Text();
  if (GetParam() == 1) {
    EXPECT_EQ(text, ":1");
  } else {
    EXPECT_NE(text.find("for a key that is not among its KEYS, which is not supported by gemel on "
                        "a shard of several copies"),
              std::string::npos)
        << text;
    EXPECT_EQ(text.find("[gemel"), std::string::npos) << text;
  }
  EXPECT_EQ(client("EVAL", script, "1", "t", "{t}other"), ":1") << "the hashed part is the same";
  cluster_.ExpectCopiesEqual();
}

// Whoever waits for such a key gets what it brings, and who watches it is told.
TEST_P(UndeclaredKeys, AreWaitedForAndWatched) {
  Client waiting = cluster_.Connect();
  Client watching = cluster_.Connect();
  Client writing = cluster_.Connect();
  const std::string push = "return redis.call('ZADD', KEYS[1] .. ':marker', 1, ARGV[1])";
  for (const char* value : {"a", "b"}) {
    waiting.Append({"BZPOPMIN", "{t}k:marker", "0"});
    waiting.Flush();
    ASSERT_TRUE(Eventually([&] {
      return writing("INFO", "clients").bytes.find("blocked_clients:1") != std::string::npos;
    }));
    EXPECT_EQ(watching("WATCH", "{t}k:marker"), "OK");
    EXPECT_EQ(writing("EVAL", push, "1", "{t}k", value), ":1");
    EXPECT_EQ(waiting.Read().Text(), "[{t}k:marker " + std::string(value) + " 1]");
    EXPECT_EQ(watching("MULTI"), "OK");
    EXPECT_EQ(watching("PING"), "QUEUED");
    EXPECT_EQ(watching("EXEC").Text(), "(nil)");
  }
  EXPECT_EQ(writing("EXISTS", "{t}k:marker"), ":0");
  cluster_.ExpectCopiesEqual();
}

constexpr const char* kNotAmongKeys =
    "for a key that is not among its KEYS, which is not supported by gemel";

// As functions of a library, each on lines of its own, and called in turn.
std::vector<Words> AsFunctions(const std::vector<Words>& commands) {
  std::string code = "#!lua name=undeclared\n";
  std::vector<Words> calls;
  for (const Words& words : commands) {
    if (words[0] != "EVAL") {
      calls.push_back(words);
      continue;
    }
    const std::string& script = words[1];
    // What is no function's body.
    if (script.find("...") != script.npos || script.find("_G.KEYS") != script.npos ||
        script.starts_with("#!") || script.find("x y") == 7 ||
        script.find("end return 2") != script.npos) {
      continue;
    }
    const std::string name = "f" + std::to_string(calls.size());
    code += "redis.register_function('" + name + "', function(KEYS, ARGV) " + script + "\nend)\n";
    Words call = {"FCALL", name};
    call.insert(call.end(), words.begin() + 2, words.end());
    calls.push_back(call);
  }
  calls.insert(calls.begin(), {"FUNCTION", "LOAD", "REPLACE", code});
  return calls;
}

TEST_P(UndeclaredKeys, AreWrittenByFunctionsAsInRedis) {
  RedisNode alone;
  Client gemel = cluster_.Connect();
  Client redis = alone.Connect();
  // Nor does anything in between catch the error with which one is stopped.
  std::vector<Words> commands = UndeclaredWrites();
  commands.push_back({"EVAL",
                      "redis.call('INCR', KEYS[1]) local ok, e = _G.pcall(function() "
                      "redis.call('INCR', KEYS[1] .. ':z') error({err='MINE'}) end) "
                      "return {tostring(ok), e.err, #ARGV, #KEYS}",
                      "1", "{t}k", "a", "b"});
  commands.push_back({"EVAL",
                      "redis.call('SET', KEYS[1] .. ':z', 1)\n"
                      "local function inner()\n  redis.call('LPUSH', KEYS[1] .. ':z', 1)\n"
                      "  return 1\nend\ninner() return 2",
                      "1", "{t}k"});
  for (int round = 0; round < 2; ++round) {
    for (const Words& words : AsFunctions(commands)) {
      // A library's errors are told with its function's name and the line in both.
      EXPECT_EQ(gemel.Run(words).Text(), redis.Run(words).Text())
          << round << " " << words[0] << " " << (words.size() > 1 ? words[1] : "");
    }
  }
  for (const char* key : {"{t}k", "{t}k:a", "{t}k:f", "{t}k:g", "{t}k:h", "{t}many:9", "{t}k:z"}) {
    EXPECT_EQ(gemel("DUMP", key).bytes, redis("DUMP", key).bytes) << key;
  }
  cluster_.ExpectCopiesEqual();
}

TEST_P(UndeclaredKeys, OfFunctionsOfOtherShardsAreRefused) {
  Client client = cluster_.Connect();
  client("FUNCTION", "LOAD",
         "#!lua name=l\nredis.register_function('set', function(K, A)\n"
         "  redis.call('INCR', K[1])\n  return redis.call('SET', A[1], #A) end)");
  const std::string text = client("FCALL", "set", "1", "{t}k", "elsewhere", "more").Text();
  if (GetParam() == 1) {
    EXPECT_EQ(text, "OK");
    EXPECT_EQ(client("GET", "elsewhere"), "2") << "it is not shown what gemel says beside";
  } else {
    EXPECT_NE(text.find(kNotAmongKeys), text.npos) << text;
    EXPECT_EQ(text.find("gemel:"), text.npos) << text;
    EXPECT_EQ(client("EXISTS", "elsewhere"), ":0");
  }
  EXPECT_EQ(client("FCALL", "set", "1", "t", "{t}other"), "OK") << "the hashed part is the same";
  // A client cannot say how far it may go.
  for (const char* scope : {"gemel:scope:fa-", "gemel:scope:ta-", "gemel:scope:nt-"}) {
    const std::string key = std::string("far:") + scope;
    const std::string reply = client("FCALL", "set", "1", "{t}k", key, scope).Text();
    EXPECT_EQ(client("EXISTS", key), reply == "OK" ? ":1" : ":0");
    if (GetParam() == 1) {
      EXPECT_EQ(client("GET", key), "2") << "it is an argument like others";
    }
  }
  cluster_.ExpectCopiesEqual();
}

std::vector<Words> KeylessWrites() {
  const std::string set = "redis.call('SET', ARGV[1], ARGV[2]) ";
  return {
      {"EVAL", "return {#KEYS, KEYS, ARGV}", "0", "a", "1"},
      {"EVAL", set + "return {#KEYS, #_G.KEYS, ARGV}", "0", "a", "1"},
      {"GET", "a"},
      {"EVAL", set + "redis.call('SET', ARGV[1] .. ':more', 'x') return ARGV[2]", "0", "a", "2"},
      {"EVAL", set + "redis.call('SET', ARGV[1] .. ':more', 'x') return ARGV[2]", "0", "b", "2"},
      {"GET", "b:more"},
      {"EVAL", "#!lua\n" + set, "0", "c", "1"},
      {"EVAL", set + "\nlocal n = redis.call('LPUSH', ARGV[1], 'x') return n", "0", "d", "1"},
      {"EVAL", set + "\nlocal n = redis.call('LPUSH', 'd', 'x') return n", "0", "e", "1"},
      {"EVAL", set + "\nerror('its own')", "0", "f", "1"},
      {"EVAL", "return tostring(pcall(redis.call, 'SET', ARGV[1], 'x'))", "0", "g"},
      {"EVAL", "for i = 1, 70 do redis.call('RPUSH', 'l' .. i, i) end return 1", "0"},
      {"EVAL", "return redis.call('PFADD', 'h', ARGV[1])", "0", "x"},
      {"EVAL", "return redis.call('PFCOUNT', 'h')", "0"},
      {"EVAL_RO", "return redis.call('GET', 'a')", "0"},
      {"EVAL_RO", "return redis.call('SET', 'a', 'x')", "0"},
      {"SELECT", "3"},
      {"EVAL", set + "redis.call('SET', ARGV[1] .. ':more', 'x') return ARGV[2]", "0", "a", "2"},
      {"SELECT", "0"},
      {"EVAL", "return redis.call('DEL', 'a', 'none')", "0"},
      {"EXISTS", "a"},
      {"EVAL", set, "-1", "a", "2"},
      {"EVAL", set, "x", "a", "2"},
      {"EVAL", "return x y", "0"},
  };
}

// Nothing is declared at all.
TEST_P(UndeclaredKeys, AreWrittenWithoutAnyKey) {
  RedisNode alone;
  Client gemel = cluster_.Connect();
  Client redis = alone.Connect();
  if (GetParam() > 1) return;  // there it depends on the key: see the next test
  for (const bool functions : {false, true}) {
    for (int round = 0; round < 2; ++round) {
      for (const Words& words : functions ? AsFunctions(KeylessWrites()) : KeylessWrites()) {
        EXPECT_EQ(Plain(gemel.Run(words)), Plain(redis.Run(words)))
            << functions << round << " " << words[0] << " " << (words.size() > 1 ? words[1] : "");
      }
    }
  }
  for (const char* key : {"a:more", "b", "d", "e", "g", "l70", "h"}) {
    EXPECT_EQ(gemel("DUMP", key).bytes, redis("DUMP", key).bytes) << key;
  }
  const std::string sha = gemel("SCRIPT", "LOAD", "return redis.call('INCR', 'n')").bytes;
  for (int i = 1; i <= 20; ++i) {
    gemel.Append({"EVALSHA", sha, "0"});
    gemel.Append({"GET", "n"});
  }
  for (int i = 1; i <= 20; ++i) {
    EXPECT_EQ(gemel.Read(), ":" + std::to_string(i));
    EXPECT_EQ(gemel.Read(), std::to_string(i)) << "what comes behind it sees what it did";
  }
  cluster_.ExpectCopiesEqual();
}

TEST_P(UndeclaredKeys, WithoutAnyAreThoseOfItsShard) {
  Client client = cluster_.Connect();
  client("FUNCTION", "LOAD",
         "#!lua name=l\nredis.register_function('set', function(K, A) "
         "return redis.call('SET', A[1], #K) end)");
  int written = 0;
  for (int i = 0; i < 40; ++i) {
    const std::string key = "key" + std::to_string(i);
    const Words words = i % 2 == 0
                            ? Words{"EVAL", "return redis.call('SET', ARGV[1], #KEYS)", "0", key}
                            : Words{"FCALL", "set", "0", key};
    const std::string text = client.Run(words).Text();
    const Reply there = cluster_.node(0, 0).Connect()("GET", key);
    if (text == "OK") {
      ++written;
      EXPECT_EQ(there, "0") << key;
      EXPECT_EQ(client("GET", key), "0") << key;
    } else {
      EXPECT_NE(text.find(kNotAmongKeys), text.npos) << text;
      EXPECT_EQ(text.find("[gemel"), text.npos) << text;
      EXPECT_EQ(client("EXISTS", key), ":0") << key;
    }
  }
  EXPECT_GT(written, 0);
  EXPECT_EQ(written == 40, GetParam() == 1);
  cluster_.ExpectCopiesEqual();
}

// In a transaction one goes with the others of it.
TEST_P(UndeclaredKeys, InATransactionAreEqualOrRefused) {
  Client client = cluster_.Connect();
  client("FUNCTION", "LOAD",
         "#!lua name=l\nredis.register_function('set', function(K, A) "
         "return redis.call('SET', A[1], #K) end)");
  // Some key of the shard at which what has no keys arrives.
  std::string mine = "mine";
  for (int i = 0; client("EVAL", "return redis.call('SET', ARGV[1], 0)", "0", mine).IsError();
       ++i) {
    mine = "mine" + std::to_string(i);
  }
  for (const std::string kind : {"writes", "reads", "watches"}) {
    const std::vector<std::string> keys = {mine, "{" + mine + "}2", "elsewhere", "and not here"};
    for (const std::string& key : keys) client("DEL", key);
    if (kind == "watches") {
      EXPECT_EQ(client("WATCH", "{" + mine + "}w"), "OK");
    }
    EXPECT_EQ(client("MULTI"), "OK");
    if (kind == "writes") client("SET", "{" + mine + "}", "v");
    for (const std::string& key : keys) {
      EXPECT_EQ(client("EVAL", "return redis.call('SET', ARGV[1], #KEYS)", "0", key), "QUEUED");
      EXPECT_EQ(client("FCALL", "set", "0", key + ":f"), "QUEUED");
    }
    client("EVAL", "return redis.call('GET', ARGV[1])", "0", mine);
    const Reply replies = client("EXEC");
    const size_t before = kind == "writes" ? 1 : 0;
    ASSERT_EQ(replies.items.size(), before + 2 * keys.size() + 1) << replies;
    for (size_t i = 0; i < keys.size(); ++i) {
      for (const bool function : {false, true}) {
        const std::string key = keys[i] + (function ? ":f" : "");
        const std::string text = replies.items[before + 2 * i + (function ? 1 : 0)].Text();
        if (text == "OK") {
          EXPECT_EQ(client("GET", key), "0") << kind << key;
        } else {
          EXPECT_NE(text.find(kNotAmongKeys), text.npos) << text;
          EXPECT_EQ(text.find("gemel:"), text.npos) << text;
          EXPECT_EQ(client("EXISTS", key), ":0") << kind << key;
        }
        if (GetParam() == 1) {
          EXPECT_EQ(text, "OK") << kind << key;
        }
        if (i == 0 && !function && kind != "writes") {
          EXPECT_EQ(text, "OK") << kind << key;
        }
        client("DEL", key);
      }
    }
    cluster_.ExpectCopiesEqual();
  }
}

// Where there is one copy, a function may do what a script may.
TEST(UndeclaredKeysOfOneCopy, AreTheScripts) {
  Cluster cluster({.shards = 1, .copies = 1});
  Client client = cluster.Connect();
  client("FUNCTION", "LOAD",
         "#!lua name=l\nredis.register_function('set', function(K, A) "
         "return redis.call('SET', A[1], #A) end)");
  EXPECT_EQ(client("FCALL", "set", "1", "k", "other"), "OK");
  EXPECT_EQ(client("FCALL", "set", "0", "another"), "OK");
  EXPECT_EQ(client("EVAL", "return redis.call('SET', 'third', 1)", "0"), "OK");
  EXPECT_EQ(client("MGET", "other", "another", "third").Text(), "[1 1 1]");
}

// PFCOUNT writes what it has counted into the value: what only reads may not call it, and what may
// write leaves all copies with it.
TEST_P(UndeclaredKeys, CountsOfScriptsAreOnAllCopies) {
  RedisNode alone;
  Client gemel = cluster_.Connect();
  Client redis = alone.Connect();
  const std::string count = "return redis.call('PFCOUNT', KEYS[1])";
  const std::string reads =
      "#!lua name=l\nredis.register_function{function_name='reads', flags={'no-writes'}, "
      "callback=function(KEYS) " +
      count +
      " end}\n"
      "redis.register_function('writes', function(KEYS) " +
      count +
      " end)\n"
      "redis.register_function('other', function(KEYS) return redis.call('PFCOUNT', '{t}h') end)";
  const std::string sha = gemel("SCRIPT", "LOAD", count).bytes;
  redis("SCRIPT", "LOAD", count);
  const std::vector<Words> commands = {
      {"FUNCTION", "LOAD", reads},
      {"EVAL_RO", count, "1", "{t}h"},
      {"EVALSHA_RO", sha, "1", "{t}h"},
      {"EVAL", "#!lua flags=no-writes\n" + count, "1", "{t}h"},
      {"FCALL_RO", "reads", "1", "{t}h"},
      {"FCALL", "reads", "1", "{t}h"},
      {"FCALL_RO", "writes", "1", "{t}h"},
      {"EVAL", count, "1", "{t}h"},
      {"EVALSHA", sha, "1", "{t}h"},
      {"FCALL", "writes", "1", "{t}h"},
      {"FCALL", "other", "1", "{t}k"},
      {"EVAL", "return redis.call('PFCOUNT', KEYS[1] .. 'h')", "1", "{t}"},
      {"PFCOUNT", "{t}h"},
  };
  for (size_t i = 0; i < commands.size(); ++i) {
    // Its cache is not good.
    const Words add = {"PFADD", "{t}h", std::to_string(i)};
    EXPECT_EQ(gemel.Run(add), redis.Run(add).Text());
    EXPECT_EQ(Plain(gemel.Run(commands[i])), Plain(redis.Run(commands[i]))) << commands[i][1];
    EXPECT_EQ(gemel("DUMP", "{t}h").bytes, redis("DUMP", "{t}h").bytes) << commands[i][1];
    for (int shard = 0; shard < GetParam(); ++shard) {
      EXPECT_EQ(cluster_.node(shard, 0).Connect()("DEBUG", "DIGEST").Text(),
                cluster_.node(shard, 1).Connect()("DEBUG", "DIGEST").Text())
          << commands[i][0] << " " << commands[i][1];
    }
  }
}

}  // namespace
}  // namespace gemel::e2e::undeclared_keys_test
