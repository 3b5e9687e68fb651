// What a client sees: replies in order, commands split over shards and made whole again, refusals.

#include "proxy/session/session.h"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <string>
#include <vector>

#include "backend/keys/cursor.h"
#include "backend/resp/reply_reader.h"
#include "proxy/session/merge.h"
#include "tests/unit/rounds.h"
#include "tests/unit/session_fakes.h"

namespace gemel::session_test::session_test {
namespace {

constexpr char kCrossSlot[] = "-CROSSSLOT Keys in request don't hash to the same slot\r\n";

// Random commands on few keys; *wanted gets what one Redis with all keys would answer.
std::string RandomCommands(std::mt19937* random, int count, Data* model, std::string* wanted) {
  std::string sent;
  const auto number = [random](uint32_t below) { return (*random)() % below; };
  for (int i = 0; i < count; ++i) {
    std::vector<std::string> words;
    const auto key = [&] { words.push_back("k" + std::to_string(number(12))); };
    const uint32_t kind = number(10);
    if (kind < 5) {
      words.push_back(kind == 0 ? "MGET" : kind == 1 ? "DEL" : kind == 2 ? "EXISTS" : "GET");
      key();
      for (size_t more = kind < 3 ? number(6) : 0; more > 0; --more) key();
    } else if (kind < 8) {
      words.push_back(kind == 5 ? "MSET" : kind == 6 ? "SET" : "APPEND");
      for (size_t more = kind == 5 ? number(5) : 0;; --more) {
        key();
        words.push_back(std::string(number(4) == 0 ? number(300) : 3, 'v') + std::to_string(i));
        if (more == 0) break;
      }
    } else if (kind == 8) {
      words.push_back("DBSIZE");
    } else {
      const std::string text = "p" + std::to_string(i);
      sent += number(2) == 0 ? Command({"PING", text}) : "ECHO  \"" + text + "\"\r\n";
      *wanted += Bulk(text);
      continue;
    }
    const Args args(words.begin(), words.end());
    sent += Command(args);
    *wanted += Execute(model, args);
  }
  return sent;
}

TEST(SessionTest, RepliesInRequestOrder) {
  for (uint32_t seed = 1; seed <= Rounds(100); ++seed) {
    std::mt19937 random(seed);
    World world(1 + seed % 3);
    FakeClient& client = world.Connect();
    Data model;
    std::string wanted;
    std::string sent = RandomCommands(&random, 60, &model, &wanted);
    while (!sent.empty()) {
      const size_t size = std::min<size_t>(sent.size(), 1 + random() % 400);
      client.Send(std::string_view(sent).substr(0, size));
      sent.erase(0, size);
      for (size_t i = random() % 8; i > 0; --i) {
        world.nodes[random() % world.nodes.size()].Serve();
      }
      if (random() % 2 == 0) client.Turn();
    }
    world.Run(seed);
    ASSERT_EQ(client.received, wanted) << "seed " << seed;
    EXPECT_EQ(client.session.replies().pending(), 0u);
  }
}

TEST(SessionTest, TheFirstReplyWaitsForNoOther) {
  World world;
  FakeClient& client = world.Connect();
  client.Command({"GET", world.Key(0)});
  client.Command({"GET", world.Key(1)});
  client.Command({"PING"});
  EXPECT_TRUE(world.nodes[1].Serve());
  client.Turn();
  EXPECT_EQ(client.received, "");
  EXPECT_TRUE(world.nodes[0].Serve());
  client.Turn();
  EXPECT_EQ(client.received, "$-1\r\n$-1\r\n+PONG\r\n");
}

TEST(SessionTest, SplitAtEveryByte) {
  World world;
  const std::string a = world.Key(0);
  const std::string b = world.Key(1);
  const std::string sent = Command({"SET", a, "1\r\n2"}) + "\r\n" + "set " + b + " 'x y'\r\n" +
                           Command({"MGET", b, "none", a}) + "*0\r\n" + Command({"DEL", a, b}) +
                           Command({"nope"}) + Command({"GET"}) + "PING\n" + Command({"DBSIZE"});
  const std::string wanted =
      "+OK\r\n+OK\r\n*3\r\n$3\r\nx y\r\n$-1\r\n$4\r\n1\r\n2\r\n:2\r\n"
      "-ERR unknown command 'nope', with args beginning with: \r\n"
      "-ERR wrong number of arguments for 'get' command\r\n+PONG\r\n:0\r\n";
  for (size_t at = 0; at <= sent.size(); ++at) {
    FakeClient& client = world.Connect();
    client.Send(std::string_view(sent).substr(0, at));
    if (at % 2 == 0) world.Run();
    client.Send(std::string_view(sent).substr(at));
    world.Run();
    ASSERT_EQ(client.received, wanted) << "split at " << at;
    client.Close();
  }
  FakeClient& client = world.Connect();
  for (char byte : sent) client.Send({&byte, 1});
  world.Run();
  EXPECT_EQ(client.received, wanted);
}

TEST(SessionTest, MgetKeepsTheArgumentsOrder) {
  World world(3);
  Args args = {"MGET"};
  std::vector<std::string> keys;
  std::string wanted = "*40\r\n";
  for (int i = 0; i < 40; ++i) {
    keys.push_back("k" + std::to_string(i * 7 % 40));
    world.nodes[world.pool->ShardOf(keys.back())].data[keys.back()] = "v" + keys.back();
    wanted += Bulk("v" + keys.back());
  }
  args.insert(args.end(), keys.begin(), keys.end());
  EXPECT_EQ(world.Ask(world.Connect(), args), wanted);
}

TEST(SessionTest, ErrorsOfPartsNameTheirShard) {
  World world;
  FakeClient& client = world.Connect();
  const std::string a = world.Key(0);
  const std::string b = world.Key(1);
  world.nodes[1].refusal = "-OOM command not allowed\r\n";
  const std::string error = "-OOM shard 'b': command not allowed\r\n";
  EXPECT_EQ(world.Ask(client, {"MSET", a, "1", b, "2"}), error);
  EXPECT_EQ(world.nodes[0].data[a], "1");  // not atomic over shards
  EXPECT_EQ(world.Ask(client, {"DEL", b, a}), error);
  EXPECT_EQ(world.Ask(client, {"DBSIZE"}), error);
  EXPECT_EQ(world.Ask(client, {"MGET", b, a, b}), "*3\r\n" + error + "$-1\r\n" + error);
  // A command of one shard is passed on as it is.
  EXPECT_EQ(world.Ask(client, {"SET", b, "2"}), world.nodes[1].refusal);
}

TEST(SessionTest, SumsAndFansOut) {
  World world(3);
  FakeClient& client = world.Connect();
  Data model;
  for (int i = 0; i < 30; ++i) world.Ask(client, {"SET", "k" + std::to_string(i), "v"});
  EXPECT_EQ(world.Ask(client, {"EXISTS", "k1", "k2", "k3", "k4", "k1", "no"}), ":5\r\n");
  EXPECT_EQ(world.Ask(client, {"DEL", "k1", "k2", "k3", "k4", "k1", "no"}), ":4\r\n");
  EXPECT_EQ(world.Ask(client, {"DBSIZE"}), ":26\r\n");
  const std::string keys = world.Ask(client, {"KEYS", "*"});
  std::vector<std::string_view> elements;
  ASSERT_TRUE(SplitArray(keys, &elements));
  EXPECT_EQ(elements.size(), 26u);
  EXPECT_NE(world.Ask(client, {"RANDOMKEY"}), "$-1\r\n");
  EXPECT_EQ(world.Ask(client, {"FLUSHALL"}), "+OK\r\n");
  EXPECT_EQ(world.Ask(client, {"RANDOMKEY"}), "$-1\r\n");
  for (FakeNode& node : world.nodes) EXPECT_TRUE(node.data.empty());
}

TEST(SessionTest, RandomkeyFindsTheOnlyKey) {
  World world(3);
  FakeClient& client = world.Connect();
  const std::string key = world.Key(2);
  world.Ask(client, {"SET", key, "v"});
  for (int i = 0; i < 20; ++i) EXPECT_EQ(world.Ask(client, {"RANDOMKEY"}), Bulk(key));
}

TEST(SessionTest, ScanVisitsAll) {
  World world(3);
  FakeClient& client = world.Connect();
  std::set<std::string> wanted;
  // One shard stays empty.
  for (uint32_t shard : {0u, 2u}) {
    for (int i = 0; i < 7; ++i) {
      wanted.insert(world.Key(shard, i));
      world.nodes[shard].data[world.Key(shard, i)] = "v";
    }
  }
  std::multiset<std::string> found;
  std::string cursor = "0";
  int turns = 0;
  do {
    const std::string reply = world.Ask(client, {"SCAN", cursor, "COUNT", "2"});
    std::vector<std::string_view> halves;
    std::vector<std::string_view> keys;
    ASSERT_TRUE(SplitArray(reply, &halves)) << reply;
    ASSERT_EQ(halves.size(), 2u);
    ASSERT_TRUE(SplitArray(halves[1], &keys));
    for (std::string_view key : keys) found.insert(std::string(ReplyText(key)));
    cursor = ReplyText(halves[0]);
    ASSERT_LT(++turns, 50);
  } while (cursor != "0");
  EXPECT_EQ(found, std::multiset<std::string>(wanted.begin(), wanted.end()));
  for (std::string_view bad : {"x", "-", "1x", "18446744073709551616"}) {
    EXPECT_EQ(world.Ask(client, {"SCAN", bad}), "-ERR invalid cursor\r\n") << bad;
  }
}

// Shards go, come and change their places in the file while a scan is under way: what is there all
// the time is found, once.
TEST(SessionTest, ScanGoesOnAcrossAReload) {
  const auto pool_of = [](const std::string& names, const Pool& before) {
    std::string text;
    for (const char name : names) {
      text += "[[shard]]\nname = \"" + std::string(1, name) +
              "\"\nprimary = \"127.0.0.1:" + std::to_string(7000 + name) + "\"\n";
    }
    ConfigError error;
    return std::make_unique<Pool>(LoadConfigText(text, "/g.toml", &error)->pool(), before,
                                  std::vector<uint32_t>{});
  };
  for (const std::string next : {"acd", "dca", "cd", "dabc", "a", "d"}) {
    for (int after = 0; after < 12; ++after) {
      SCOPED_TRACE(next + ", after " + std::to_string(after));
      std::unique_ptr<Pool> changed;
      World world(4);
      FakeClient& client = world.Connect();
      std::multiset<std::string> stay;
      for (uint32_t shard = 0; shard < 4; ++shard) {
        const char name = static_cast<char>('a' + shard);
        for (int i = 0; i < 5; ++i) {
          const std::string key = std::string(1, name) + std::to_string(i);
          world.nodes[shard].data[key] = "v";
          if (next.find(name) != std::string::npos) stay.insert(key);
        }
      }
      std::multiset<std::string> found;
      std::string cursor = "0";
      int turns = 0;
      do {
        if (turns == after) {
          changed = pool_of(next, *world.pool);
          world.workers[0]->context.pool = changed.get();
          world.workers[0]->dispatcher.SetPool(changed.get());
        }
        const std::string reply = world.Ask(client, {"SCAN", cursor});
        std::vector<std::string_view> halves;
        std::vector<std::string_view> keys;
        ASSERT_TRUE(SplitArray(reply, &halves)) << reply;
        ASSERT_EQ(halves.size(), 2u);
        ASSERT_TRUE(SplitArray(halves[1], &keys));
        for (std::string_view key : keys) found.insert(std::string(ReplyText(key)));
        cursor = ReplyText(halves[0]);
        ASSERT_LT(++turns, 50);
      } while (cursor != "0");
      for (const std::string& key : stay) EXPECT_EQ(found.count(key), 1u) << key;
    }
  }
}

TEST(SessionTest, ScanBehindTheLastShardIsAtItsEnd) {
  World world(2);
  world.nodes[0].data["k"] = world.nodes[1].data["l"] = "v";
  FakeClient& client = world.Connect();
  EXPECT_EQ(world.Ask(client, {"SCAN", "2"}), "*2\r\n$1\r\n0\r\n*0\r\n");
  EXPECT_EQ(world.Ask(client, {"SCAN", "18446744073709551615"}), "*2\r\n$1\r\n0\r\n*0\r\n");
}

// 5 with some tag: the script's shard is not known.
TEST(SessionTest, ScanWithACursorOfAScriptBeginsAnew) {
  World world(2);
  world.nodes[0].refusal = "*2\r\n$1\r\n0\r\n*1\r\n$1\r\nk\r\n";
  FakeClient& client = world.Connect();
  const std::string cursor = EncodeCursor((5 << kCursorTagBits) + 9, kScriptCursorSlot);
  EXPECT_EQ(world.Ask(client, {"SCAN", cursor}), "*2\r\n$1\r\n1\r\n*1\r\n$1\r\nk\r\n");
}

TEST(SessionTest, ScanCursorTooLargeIsAnError) {
  World world(3);
  FakeClient& client = world.Connect();
  world.nodes[0].refusal = "*2\r\n$16\r\n1125899906842623\r\n*0\r\n";
  EXPECT_EQ(world.Ask(client, {"SCAN", "0"}),
            "-ERR shard 'a': its cursor is too large to carry the shard in it\r\n");
  world.nodes[0].refusal = "-NOPERM no\r\n";
  EXPECT_EQ(world.Ask(client, {"SCAN", "0"}), "-NOPERM no\r\n");
}

TEST(SessionTest, CrossSlot) {
  World world;
  FakeClient& client = world.Connect();
  const std::string a = world.Key(0);
  const std::string b = world.Key(1);
  EXPECT_EQ(world.Ask(client, {"RENAME", a, b}), kCrossSlot);
  EXPECT_EQ(world.Ask(client, {"SINTER", a, a, b}), kCrossSlot);
  EXPECT_EQ(world.Ask(client, {"MSETNX", a, "1", b, "2"}), kCrossSlot);
  EXPECT_TRUE(world.nodes[0].seen.empty() && world.nodes[1].seen.empty());
  client.Command({"SINTER", "{t}" + a, "{t}" + b});
  world.Run();
  EXPECT_EQ(world.nodes[0].seen.size() + world.nodes[1].seen.size(), 1u);
}

TEST(SessionTest, RefusesWhatItDoesNotKnow) {
  World world;
  FakeClient& client = world.Connect();
  EXPECT_EQ(world.Ask(client, {"FOO", "a b", "c"}),
            "-ERR unknown command 'FOO', with args beginning with: 'a b' 'c' \r\n");
  EXPECT_EQ(world.Ask(client, {"CLIENT", "NOPE"}),
            "-ERR unknown subcommand 'NOPE'. Try CLIENT HELP.\r\n");
  EXPECT_EQ(world.Ask(client, {"FOO\r\n+OK"}),
            "-ERR unknown command 'FOO  +OK', with args beginning with: \r\n");
  EXPECT_EQ(world.Ask(client, {"SET", "k"}),
            "-ERR wrong number of arguments for 'set' command\r\n");
  EXPECT_EQ(world.Ask(client, {"MSET", "k", "v", "l"}),
            "-ERR wrong number of arguments for 'mset' command\r\n");
  EXPECT_EQ(world.Ask(client, {""}), "-ERR unknown command '', with args beginning with: \r\n");
  EXPECT_TRUE(world.nodes[0].seen.empty() && world.nodes[1].seen.empty());
  EXPECT_FALSE(client.closed);
}

TEST(SessionTest, Inline) {
  World world;
  FakeClient& client = world.Connect();
  client.Send("\r\n  \r\nSET k \"a\\x00b\"\nGET k\r\n");
  world.Run();
  EXPECT_EQ(client.Take(), std::string("+OK\r\n$3\r\na\0b\r\n", 14));
  client.Send("SET k \"a\r\nGET k\r\n");
  world.Run();
  EXPECT_EQ(client.Take(), "-ERR Protocol error: unbalanced quotes in request\r\n");
  EXPECT_TRUE(client.closed);
}

}  // namespace
}  // namespace gemel::session_test::session_test
