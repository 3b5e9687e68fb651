// Hot keys and big keys: the tables, and what a shard makes of what passes.

#include "backend/shard/key_sample.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>

#include "backend/keys/key_name.h"
#include "backend/ring/ring.h"
#include "tests/unit/shard_world.h"

namespace gemel::key_sample_test {
namespace {

void Add(HotKeys* keys, const std::string& key) { keys->Add(key, 0, HashKey(key)); }

std::map<std::string, HotKeys::Key> AllOf(const HotKeys& keys) {
  std::map<std::string, HotKeys::Key> all;
  keys.ForEach([&all](const HotKeys::Key& key) { all[key.head] = key; });
  return all;
}

// Whoever has more than one part in kMost is there, and its count is not too high by more than is
// said.
TEST(HotKeys, FindsTheHotOnesAmongMany) {
  HotKeys keys;
  std::mt19937 random(7);
  std::map<std::string, double> truth;
  const int all = 100000;
  for (int i = 0; i < all; ++i) {
    const uint32_t draw = random() % 100;
    const std::string key = draw < 10   ? "first"
                            : draw < 15 ? "second"
                                        : "k" + std::to_string(random() % 50000);
    ++truth[key];
    Add(&keys, key);
  }
  const auto found = AllOf(keys);
  EXPECT_EQ(found.size(), HotKeys::kMost);
  for (const char* hot : {"first", "second"}) {
    ASSERT_TRUE(found.contains(hot));
    EXPECT_GE(found.at(hot).count, truth[hot]);
    EXPECT_LE(found.at(hot).count - found.at(hot).over, truth[hot]);
  }
  for (const auto& [name, key] : found) {
    EXPECT_GE(key.count, truth[name]) << name;
    EXPECT_LE(key.count - key.over, truth[name]) << name;
    EXPECT_LE(key.over, all / static_cast<double>(HotKeys::kMost)) << name;
  }
}

TEST(HotKeys, WhatWasHotIsForgotten) {
  HotKeys keys;
  for (int i = 0; i < 1000; ++i) Add(&keys, "old");
  for (int i = 0; i < 60; ++i) keys.Decay(0.875);
  Add(&keys, "new");
  Add(&keys, "new");
  const auto found = AllOf(keys);
  ASSERT_TRUE(found.contains("new"));
  if (found.contains("old")) {
    EXPECT_LT(found.at("old").count, 1);
  }
  for (int i = 0; i < 100; ++i) keys.Decay(0.875);
  EXPECT_TRUE(AllOf(keys).empty());
}

TEST(HotKeys, LongNamesAreCutAndToldApart) {
  HotKeys keys;
  const std::string one = std::string(100000, 'x') + "1";
  const std::string two = std::string(100000, 'x') + "2";
  Add(&keys, one);
  Add(&keys, two);
  keys.Add("k", 0, HashKey("k"));
  keys.Add("k", 1, HashKey("k"));
  size_t kept = 0;
  size_t count = 0;
  keys.ForEach([&](const HotKeys::Key& key) {
    kept += key.head.size();
    ++count;
    EXPECT_EQ(key.count, 1);
  });
  EXPECT_EQ(count, 4U);
  EXPECT_EQ(kept, 2 * HotKeys::kKeptBytes + 2);
}

TEST(BigKeys, KeepsTheLargest) {
  BigKeys keys;
  for (int i = 1; i <= 1000; ++i) {
    const std::string key = "k" + std::to_string(i);
    keys.Note(key, 0, HashKey(key), BigKeys::By::kRead, 20000 + static_cast<uint64_t>(i), 5);
  }
  ASSERT_EQ(keys.all().size(), BigKeys::kMost);
  for (const BigKeys::Key& key : keys.all()) EXPECT_GT(key.bytes, 20000 + 1000 - BigKeys::kMost);
  keys.Note("small", 0, 1, BigKeys::By::kMemory, BigKeys::kFromBytes - 1, 5);
  EXPECT_EQ(keys.all().size(), BigKeys::kMost);
  keys.Forget(5 + BigKeys::kKeepMs - 1);
  EXPECT_EQ(keys.all().size(), BigKeys::kMost);
  keys.Forget(5 + BigKeys::kKeepMs);
  EXPECT_TRUE(keys.all().empty());
}

TEST(BigKeys, WhatTheNodeSaysCounts) {
  BigKeys keys;
  keys.Note("k", 0, 9, BigKeys::By::kRead, 50000, 1);
  keys.Note("k", 0, 9, BigKeys::By::kMemory, 900000, 2);
  keys.Note("k", 0, 9, BigKeys::By::kRead, 50000, 3);  // a part of it
  ASSERT_EQ(keys.all().size(), 1U);
  EXPECT_EQ(keys.all()[0].bytes, 900000U);
  EXPECT_EQ(keys.all()[0].by, BigKeys::By::kMemory);
  keys.Note("k", 0, 9, BigKeys::By::kWrite, 1000000, 4);
  EXPECT_EQ(keys.all()[0].bytes, 1000000U);
  keys.Note("k", 0, 9, BigKeys::By::kMemory, 100, 5);
  EXPECT_TRUE(keys.all().empty());
}

TEST(KeyLines, AreReadAsTheyWereWritten) {
  const std::vector<HotKey> hot = {{"\"a b\\x0a\"", 3, true, 1234.5, 0.25, 0.5},
                                   {"\"\"", 0, false, 0.125, 0, 1}};
  const std::vector<HotKey> read = ReadHotKeyLines(HotKeyLines(hot));
  ASSERT_EQ(read.size(), 2U);
  EXPECT_EQ(read[0].key, hot[0].key);
  EXPECT_EQ(read[0].database, 3);
  EXPECT_TRUE(read[0].write);
  EXPECT_DOUBLE_EQ(read[0].per_s, 1234.5);
  EXPECT_DOUBLE_EQ(read[0].part, 0.5);
  EXPECT_EQ(read[1].key, "\"\"");
  const std::vector<BigKey> big = {{"\"k\"... (70 bytes)", 1, BigKeys::By::kMemory, 123456, 789}};
  const std::vector<BigKey> read_big = ReadBigKeyLines(BigKeyLines(big));
  ASSERT_EQ(read_big.size(), 1U);
  EXPECT_EQ(read_big[0].key, big[0].key);
  EXPECT_EQ(read_big[0].by, BigKeys::By::kMemory);
  EXPECT_EQ(read_big[0].bytes, 123456U);
  EXPECT_EQ(read_big[0].age_ms, 789U);
  for (const char* other : {"-ERR no\r\n", "$0\r\n\r\n", "$-1\r\n", "", "$5\r\nabcde\r\n"}) {
    EXPECT_TRUE(ReadHotKeyLines(other).empty()) << other;
    EXPECT_TRUE(ReadBigKeyLines(other).empty()) << other;
  }
}

class KeySampleTest : public ShardWorld {
 protected:
  ShardReadings Read() {
    ShardReadings readings;
    shard_->Read(/*for_people=*/true, &readings);
    return readings;
  }
  void Serve(int times, const std::function<void(int)>& ask, const std::string& reply,
             uint32_t copies) {
    for (int i = 0; i < times; ++i) {
      ask(i);
      for (uint32_t copy = 0; copy < copies; ++copy) {
        if (!Sent(copy).empty()) Reply(copy, reply);
      }
    }
  }
};

TEST_F(KeySampleTest, ReadsAndWritesOfAShard) {
  MakeUp(2);
  Serve(
      6000,
      [this](int i) {
        const std::string other = "k" + std::to_string(i);
        if (i % 2 == 0) {
          Ask({"GET", i % 4 == 0 ? std::string_view("hot\n") : std::string_view(other)});
        } else {
          Ask({"SET", i % 4 == 1 ? std::string_view("written") : std::string_view(other), "v"});
        }
      },
      "+OK\r\n", 2);
  Pass(1000);
  const std::vector<HotKey> hot = Read().hot;
  ASSERT_GE(hot.size(), 2U);
  const auto find = [&](const std::string& key) {
    return std::find_if(hot.begin(), hot.end(), [&](const HotKey& one) { return one.key == key; });
  };
  const auto read = find("\"hot\\x0a\"");
  const auto written = find("\"written\"");
  ASSERT_NE(read, hot.end());
  ASSERT_NE(written, hot.end());
  EXPECT_FALSE(read->write);
  EXPECT_TRUE(written->write);
  EXPECT_GT(read->part, 0.25);  // it is half of all reads
  EXPECT_LE(read->part, 1);
  EXPECT_LT(hot.size(), 2 * HotKeys::kMost + 1);
  Pass(20 * 60 * 1000, 1000);
  EXPECT_TRUE(Read().hot.empty());
}

TEST_F(KeySampleTest, LargeRequestsAndReplies) {
  MakeUp(1);
  const std::string value(30000, 'v');
  std::string reply;
  AppendBulk(&reply, std::string(40000, 'r'));
  Serve(
      100,
      [&](int) {
        Ask({"SET", "big", value});
      },
      "+OK\r\n", 1);
  Serve(
      100,
      [&](int) {
        Ask({"GET", "read"});
      },
      reply, 1);
  Serve(
      100,
      [&](int) {
        Ask({"MGET", "one", "two"});
      },
      "*2\r\n" + reply + reply, 1);
  const std::vector<BigKey> big = Read().big;
  ASSERT_EQ(big.size(), 2U);
  EXPECT_EQ(big[0].key, "\"read\"");
  EXPECT_EQ(big[0].by, BigKeys::By::kRead);
  EXPECT_GE(big[0].bytes, 40000U);
  EXPECT_EQ(big[1].key, "\"big\"");
  EXPECT_EQ(big[1].by, BigKeys::By::kWrite);
  EXPECT_GE(big[1].bytes, 30000U);
}

TEST_F(KeySampleTest, WhatTheAuditHears) {
  MakeUp(2);
  shard_->ports().audit.NoteMemory(MakeKeyName(3, "list"), 7654321);
  const std::vector<BigKey> big = Read().big;
  ASSERT_EQ(big.size(), 1U);
  EXPECT_EQ(big[0].key, "\"list\"");
  EXPECT_EQ(big[0].database, 3);
  EXPECT_EQ(big[0].bytes, 7654321U);
  EXPECT_EQ(BigKeyWord(big[0].by), "memory");
}

}  // namespace
}  // namespace gemel::key_sample_test
