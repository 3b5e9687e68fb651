// One reply of many: every Merge, errors among the parts, and the cursors of SCAN over shards.

#include "proxy/session/merge.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

namespace gemel::merge_test {
namespace {

constexpr uint64_t kMax = ~uint64_t{0};

std::string Merged(Merge merge, const std::vector<PartReply>& parts, uint32_t random = 0) {
  std::string out = "before ";
  MergeReplies(merge, parts, random, &out);
  EXPECT_EQ(out.substr(0, 7), "before ");  // it appends
  return out.substr(7);
}

TEST(MergeTest, ByKeyPutsElementsInTheirPlaces) {
  EXPECT_EQ(Merged(Merge::kByKey, {{"a", "*2\r\n$1\r\n3\r\n$-1\r\n", {3, 0}},
                                   {"b", "*1\r\n$4\r\n\r\n\r\n\r\n", {2}},
                                   {"c", "*1\r\n$0\r\n\r\n", {1}}}),
            "*4\r\n$-1\r\n$0\r\n\r\n$4\r\n\r\n\r\n\r\n$1\r\n3\r\n");
}

TEST(MergeTest, ByKeyPutsAnErrorInThePlacesOfItsKeys) {
  EXPECT_EQ(Merged(Merge::kByKey,
                   {{"a", "*1\r\n$1\r\nx\r\n", {1}}, {"b", "-CLUSTERDOWN gone\r\n", {0, 2}}}),
            "*3\r\n-CLUSTERDOWN shard 'b': gone\r\n$1\r\nx\r\n-CLUSTERDOWN shard 'b': gone\r\n");
}

TEST(MergeTest, ByKeyOfManyShortErrorsKeepsEachApart) {
  std::vector<PartReply> parts;
  std::vector<std::string> names;
  for (char c = 'a'; c <= 'p'; ++c) names.emplace_back(1, c);
  for (uint32_t i = 0; i < names.size(); ++i) parts.push_back({names[i], "-E\r\n", {i}});
  std::string wanted = "*16\r\n";
  for (const std::string& name : names) wanted += "-E shard '" + name + "':\r\n";
  EXPECT_EQ(Merged(Merge::kByKey, parts), wanted);
}

TEST(MergeTest, ByKeyRefusesAnswersThatDoNotFit) {
  const std::string odd = "-ERR shard 'a': an answer that does not fit\r\n";
  for (std::string_view reply : {"*1\r\n$1\r\nx\r\n", "*3\r\n:1\r\n:2\r\n:3\r\n", "*-1\r\n",
                                 ":1\r\n", "+OK\r\n", "*0\r\n", "$-1\r\n"}) {
    EXPECT_EQ(Merged(Merge::kByKey, {{"a", reply, {0, 2}}, {"b", "*1\r\n:7\r\n", {1}}}),
              "*3\r\n" + odd + ":7\r\n" + odd)
        << reply;
  }
}

TEST(MergeTest, ByKeyMovesNestedElementsWhole) {
  EXPECT_EQ(Merged(Merge::kByKey, {{"a", "*2\r\n*2\r\n:1\r\n*1\r\n$1\r\nx\r\n*-1\r\n", {1, 2}},
                                   {"b", "*1\r\n*0\r\n", {0}}}),
            "*3\r\n*0\r\n*2\r\n:1\r\n*1\r\n$1\r\nx\r\n*-1\r\n");
}

TEST(MergeTest, SumAdds) {
  EXPECT_EQ(Merged(Merge::kSum, {{"a", ":2\r\n", {}}, {"b", ":0\r\n", {}}, {"c", ":40\r\n", {}}}),
            ":42\r\n");
  EXPECT_EQ(Merged(Merge::kSum, {{"a", ":0\r\n", {}}}), ":0\r\n");
  EXPECT_EQ(Merged(Merge::kSum, {{"a", ":4294967296\r\n", {}}, {"b", ":4294967296\r\n", {}}}),
            ":8589934592\r\n");
}

TEST(MergeTest, AnErrorIsTheWholeReplyOutsideOfByKey) {
  for (Merge merge : {Merge::kSum, Merge::kAllOk, Merge::kConcat, Merge::kFirstFull}) {
    EXPECT_EQ(Merged(merge, {{"a", ":2\r\n", {}}, {"b", "-OOM no memory\r\n", {}}}),
              "-OOM shard 'b': no memory\r\n");
    // The first of several, by the parts' order.
    EXPECT_EQ(Merged(merge, {{"a", "-X y\r\n", {}}, {"b", "-OOM no memory\r\n", {}}}),
              "-X shard 'a': y\r\n");
    // What all say is not one's.
    EXPECT_EQ(Merged(merge, {{"a", "-X y\r\n", {}}, {"b", "-X y\r\n", {}}}), "-X y\r\n");
  }
}

TEST(MergeTest, AllOkIsOk) {
  EXPECT_EQ(Merged(Merge::kAllOk, {{"a", "+OK\r\n", {}}, {"b", "+OK\r\n", {}}}), "+OK\r\n");
}

TEST(MergeTest, ConcatJoinsInOrder) {
  EXPECT_EQ(Merged(Merge::kConcat, {{"a", "*2\r\n$1\r\na\r\n$1\r\nb\r\n", {}},
                                    {"b", "*0\r\n", {}},
                                    {"c", "*1\r\n$3\r\n*\r\n\r\n", {}}}),
            "*3\r\n$1\r\na\r\n$1\r\nb\r\n$3\r\n*\r\n\r\n");
  EXPECT_EQ(Merged(Merge::kConcat, {{"a", "*0\r\n", {}}, {"b", "*0\r\n", {}}}), "*0\r\n");
}

TEST(MergeTest, FirstFullSkipsNulls) {
  const std::vector<PartReply> parts = {{"a", "$-1\r\n", {}},
                                        {"b", "$1\r\nk\r\n", {}},
                                        {"c", "*-1\r\n", {}},
                                        {"d", "_\r\n", {}},
                                        {"e", "$0\r\n\r\n", {}}};
  EXPECT_EQ(Merged(Merge::kFirstFull, parts, 0), "$1\r\nk\r\n");
  EXPECT_EQ(Merged(Merge::kFirstFull, parts, 1), "$1\r\nk\r\n");
  EXPECT_EQ(Merged(Merge::kFirstFull, parts, 2), "$0\r\n\r\n");  // an empty key is a key
  EXPECT_EQ(Merged(Merge::kFirstFull, parts, 4), "$0\r\n\r\n");
  EXPECT_EQ(Merged(Merge::kFirstFull, parts, 4294967295u), "$1\r\nk\r\n");  // is 0 modulo 5
  EXPECT_EQ(Merged(Merge::kFirstFull, {{"a", "$-1\r\n", {}}, {"b", "$-1\r\n", {}}}, 7), "$-1\r\n");
}

TEST(MergeTest, NameShardPutsTheNameBehindThePrefix) {
  EXPECT_EQ(NameShard("a", "-ERR bad thing\r\n"), "-ERR shard 'a': bad thing\r\n");
  EXPECT_EQ(NameShard("a-b.c", "-OOM\r\n"), "-OOM shard 'a-b.c':\r\n");
  EXPECT_EQ(NameShard("a", "-CLUSTERDOWN shard 'a' is down\r\n"),
            "-CLUSTERDOWN shard 'a' is down\r\n");
  EXPECT_EQ(NameShard("a", "-\r\n"), "- shard 'a':\r\n");
}

TEST(CursorTest, NamesTheSlot) {
  EXPECT_EQ(EncodeCursor(0, 0), "0");
  EXPECT_EQ(EncodeCursor(0, 1), "1");  // the next shard, from its start
  EXPECT_EQ(EncodeCursor(1, 0), "8192");
  EXPECT_EQ(EncodeCursor(5, 2), "40962");
}

TEST(CursorTest, RoundTrip) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 10000; ++i) {
    const uint32_t slot = static_cast<uint32_t>(random() % 8192);
    const uint64_t node = std::max<uint64_t>(1, (random() >> (random() % 51)) >> 13);
    const std::string text = EncodeCursor(node, slot);
    uint64_t got_node = 0;
    uint32_t got_slot = 0;
    ASSERT_TRUE(DecodeCursor(text, &got_node, &got_slot)) << text;
    EXPECT_EQ(got_node, node);
    EXPECT_EQ(got_slot, slot);
    EXPECT_NE(text, "0");  // which would end the scan too early
  }
}

// Near 2^64 a cursor is carried exactly or not at all: one that wrapped around would skip keys.
TEST(CursorTest, NeverWrapsAround) {
  constexpr uint64_t kMost = kMax >> 13;
  for (uint32_t slot : {0u, 1u, 4096u, 8191u}) {
    for (uint64_t node : {kMost - 1, kMost, kMost + 1, kMax - 1, kMax}) {
      const std::string text = EncodeCursor(node, slot);
      EXPECT_EQ(text.empty(), node > kMost) << node << " of " << slot;
      if (text.empty()) continue;
      uint64_t got_node = 0;
      uint32_t got_slot = 0;
      ASSERT_TRUE(DecodeCursor(text, &got_node, &got_slot));
      EXPECT_EQ(got_node, node);
      EXPECT_EQ(got_slot, slot);
    }
  }
}

TEST(CursorTest, Garbage) {
  uint64_t node = 0;
  uint32_t slot = 0;
  for (std::string_view text : {" ", "-", "+", "--1", "+-1", "x", "1x", "1 ", " 1", "0x10", "1.5",
                                "18446744073709551616", "99999999999999999999999", "1\r\n"}) {
    EXPECT_FALSE(DecodeCursor(text, &node, &slot)) << text;
  }
  EXPECT_FALSE(DecodeCursor(std::string_view("1\0", 2), &node, &slot));
  ASSERT_TRUE(DecodeCursor("18446744073709551615", &node, &slot));
  EXPECT_EQ(node, kMax >> 13);
  EXPECT_EQ(slot, 8191u);
  EXPECT_EQ(EncodeCursor(1, 8192), "");
}

}  // namespace
}  // namespace gemel::merge_test
