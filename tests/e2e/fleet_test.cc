// What clients see of a fleet while nothing goes wrong: whichever member they are connected to, it
// is one Redis.

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <thread>

#include "tests/e2e/fleet_world.h"
#include "tests/e2e/look.h"

namespace gemel::e2e::fleet_test {
namespace {

// Of two workers each, so that a request may come over two seams.
class Fleet : public ::testing::Test {
 protected:
  // A key of each shard.
  Words KeysOnAll(const std::string& prefix) const {
    Words keys;
    for (int shard = 0; shard < fleet_.shards(); ++shard) {
      keys.push_back(fleet_.KeyOn(shard, prefix));
    }
    return keys;
  }

  FleetWorld fleet_{{.workers = 2, .lease_ms = 3000}};
};

TEST_F(Fleet, EveryMemberServesEveryKey) {
  for (int writer = 0; writer < fleet_.members(); ++writer) {
    Client client = fleet_.Connect(writer);
    const std::string at = std::to_string(writer);
    for (const std::string& key : KeysOnAll("key" + at)) {
      EXPECT_EQ(client("SET", key, "v" + at), "OK");
      EXPECT_EQ(client("RPUSH", "{" + key + "}list", "x", "y"), ":2");
      EXPECT_EQ(client("HSET", "{" + key + "}hash", "f", at), ":1");
      for (int reader = 0; reader < fleet_.members(); ++reader) {
        Client other = fleet_.Connect(reader);
        EXPECT_EQ(other("GET", key), "v" + at);
        EXPECT_EQ(other("LRANGE", "{" + key + "}list", "0", "-1"), "[x y]");
        EXPECT_EQ(other("HGETALL", "{" + key + "}hash"), "[f " + at + "]");
        EXPECT_TRUE(other("LPOP", key).Text().starts_with("-WRONGTYPE"));
      }
    }
  }
  fleet_.ExpectCopiesEqual();
}

TEST_F(Fleet, CommandsOfManyKeysReachAllOwners) {
  const Words keys = KeysOnAll("many");
  for (int i = 0; i < fleet_.members(); ++i) {
    Client client = fleet_.Connect(i);
    EXPECT_EQ(client("MSET", keys[0], "x", keys[1], "y"), "OK");
    EXPECT_EQ(client("MGET", keys[1], keys[0], "{" + keys[0] + "}none"), "[y x (nil)]");
    EXPECT_EQ(client("EXISTS", keys[0], keys[1]), ":2");
    EXPECT_EQ(client("DEL", keys[0], keys[1]), ":2");
  }
  fleet_.ExpectCopiesEqual();
}

TEST_F(Fleet, TheKeySpaceIsThatOfAllMembers) {
  std::set<std::string> written;
  Client writer = fleet_.Connect(0);
  ASSERT_EQ(writer("FLUSHALL"), "OK");
  for (int i = 0; i < 200; ++i) {
    written.insert("space:" + std::to_string(i));
    ASSERT_EQ(writer("SET", "space:" + std::to_string(i), "v"), "OK");
  }
  for (int i = 0; i < fleet_.members(); ++i) {
    Client client = fleet_.Connect(i);
    EXPECT_EQ(client("DBSIZE"), ":200");
    EXPECT_EQ(client("KEYS", "space:*").items.size(), 200u);
    std::set<std::string> seen;
    std::string cursor = "0";
    do {
      const Reply reply = client("SCAN", cursor, "COUNT", "50");
      ASSERT_EQ(reply.items.size(), 2u) << reply;
      cursor = reply.items[0].bytes;
      for (const Reply& key : reply.items[1].items) seen.insert(key.bytes);
    } while (cursor != "0" && seen.size() <= written.size());
    EXPECT_EQ(seen, written);
    EXPECT_TRUE(Has(client("INFO").bytes, "redis_version:"));
    EXPECT_EQ(client("CLIENT", "SETNAME", "me"), "OK");
    EXPECT_EQ(client("CLIENT", "GETNAME"), "me");
    EXPECT_TRUE(Has(client("CLIENT", "LIST").bytes, "name=me"));
  }
  EXPECT_EQ(fleet_.Connect(2)("FLUSHALL"), "OK");
  for (int i = 0; i < fleet_.members(); ++i) EXPECT_EQ(fleet_.Connect(i)("DBSIZE"), ":0");
  fleet_.ExpectCopiesEqual();
}

TEST_F(Fleet, TransactionsAndScripts) {
  for (const std::string& key : KeysOnAll("block")) {
    for (int i = 0; i < fleet_.members(); ++i) {
      Client client = fleet_.Connect(i);
      const std::string value = std::to_string(i);
      EXPECT_EQ(client("MULTI"), "OK");
      EXPECT_EQ(client("SET", key, value), "QUEUED");
      EXPECT_EQ(client("INCR", key), "QUEUED");
      EXPECT_EQ(client("EXEC"), "[OK :" + std::to_string(i + 1) + "]");
      EXPECT_EQ(client("EVAL", "return redis.call('INCRBY', KEYS[1], ARGV[1])", "1", key, "10"),
                ":" + std::to_string(i + 11));
    }
  }
  fleet_.ExpectCopiesEqual();
}

TEST_F(Fleet, WhatIsWatchedIsTouchedByClientsOfOtherMembers) {
  for (const std::string& key : KeysOnAll("watched")) {
    for (int i = 0; i < fleet_.members(); ++i) {
      Client client = fleet_.Connect(i);
      Client other = fleet_.Connect((i + 1) % fleet_.members());
      EXPECT_EQ(client("WATCH", key), "OK");
      EXPECT_EQ(other("SET", key, "others"), "OK");
      EXPECT_EQ(client("MULTI"), "OK");
      EXPECT_EQ(client("SET", key, "mine"), "QUEUED");
      EXPECT_EQ(client("EXEC"), "(nil)");
      EXPECT_EQ(client("WATCH", key), "OK");
      EXPECT_EQ(client("MULTI"), "OK");
      EXPECT_EQ(client("SET", key, "mine"), "QUEUED");
      EXPECT_EQ(client("EXEC"), "[OK]");
      EXPECT_EQ(other("GET", key), "mine");
    }
  }
}

TEST_F(Fleet, WhoWaitsIsServedByAClientOfAnotherMember) {
  for (const std::string& key : KeysOnAll("queue")) {
    for (int i = 0; i < fleet_.members(); ++i) {
      Client waiting = fleet_.Connect(i);
      waiting.Append({"BLPOP", key, "0"});
      waiting.Append({"PING"});
      waiting.Flush();
      Client other = fleet_.Connect((i + 1) % fleet_.members());
      EXPECT_EQ(other("RPUSH", key, "job"), ":1");
      EXPECT_EQ(waiting.Read(), "[" + key + " job]");
      EXPECT_EQ(waiting.Read(), "PONG");
      EXPECT_EQ(waiting("BLPOP", key, "0.05"), "(nil)");
      EXPECT_EQ(other("LLEN", key), ":0");
    }
  }
  fleet_.ExpectCopiesEqual();
}

TEST_F(Fleet, PipelinesKeepTheirOrder) {
  const Words keys = KeysOnAll("pipe");
  for (int i = 0; i < fleet_.members(); ++i) {
    Client client = fleet_.Connect(i);
    const std::string list = "list" + std::to_string(i);
    constexpr int kTurns = 500;
    for (int turn = 0; turn < kTurns; ++turn) {
      for (const std::string& key : keys) {
        client.Append({"RPUSH", "{" + key + "}" + list, std::to_string(turn)});
        client.Append({"LINDEX", "{" + key + "}" + list, "-1"});
      }
      client.Append({"ECHO", std::to_string(turn)});
    }
    for (int turn = 0; turn < kTurns; ++turn) {
      for (size_t key = 0; key < keys.size(); ++key) {
        ASSERT_EQ(client.Read(), ":" + std::to_string(turn + 1));
        ASSERT_EQ(client.Read(), std::to_string(turn));
      }
      ASSERT_EQ(client.Read(), std::to_string(turn));
    }
  }
  fleet_.ExpectCopiesEqual();
}

TEST_F(Fleet, LargeValuesGoThereAndBack) {
  std::string value(10 << 20, 'x');
  for (size_t at = 0; at < value.size(); at += 4099) value[at] = static_cast<char>('a' + at % 26);
  for (const std::string& key : KeysOnAll("large")) {
    for (int i = 0; i < fleet_.members(); ++i) {
      value.back() = static_cast<char>('0' + i);
      EXPECT_EQ(fleet_.Connect(i)("SET", key, value), "OK");
      const Reply reply = fleet_.Connect((i + 1) % fleet_.members())("GET", key);
      EXPECT_TRUE(reply.bytes == value) << reply.bytes.size() << " bytes";
    }
  }
  fleet_.ExpectCopiesEqual();
}

}  // namespace
}  // namespace gemel::e2e::fleet_test
