#include "proxy/session/merge_stats.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace gemel::merge_stats_test {
namespace {

std::string Merged(Merge merge, const std::vector<std::string>& replies) {
  std::vector<PartReply> parts;
  const std::string_view names[] = {"a", "b", "c"};
  for (size_t i = 0; i < replies.size(); ++i) parts.push_back({names[i], replies[i], {}});
  std::string out;
  MergeReplies(merge, parts, 0, &out);
  return out;
}

TEST(MergeStats, WhatOneShardSaysIsTheReply) {
  for (const Merge merge : {Merge::kTexts, Merge::kStats}) {
    EXPECT_EQ(Merged(merge, {"$2\r\nhi\r\n"}), "$2\r\nhi\r\n");
  }
}

TEST(MergeStats, NumbersAreAddedButForShares) {
  const std::string a =
      "%4\r\n$4\r\npeak\r\n:5\r\n$15\r\npeak.percentage\r\n,1.5\r\n"
      "$4\r\ndb.0\r\n%1\r\n$8\r\noverhead\r\n:1\r\n$14\r\nkeys-per-ratio\r\n:9\r\n";
  const std::string b =
      "%3\r\n$4\r\npeak\r\n:7\r\n$15\r\npeak.percentage\r\n,20.25\r\n"
      "$4\r\ndb.1\r\n%1\r\n$8\r\noverhead\r\n:2\r\n";
  EXPECT_EQ(Merged(Merge::kStats, {a, b, a}),
            "%5\r\n$4\r\npeak\r\n:17\r\n$15\r\npeak.percentage\r\n,20.25\r\n"
            "$4\r\ndb.0\r\n%1\r\n$8\r\noverhead\r\n:2\r\n$14\r\nkeys-per-ratio\r\n:9\r\n"
            "$4\r\ndb.1\r\n%1\r\n$8\r\noverhead\r\n:2\r\n");
}

TEST(MergeStats, TextsHaveTheirShardsNames) {
  EXPECT_EQ(Merged(Merge::kTexts, {"$2\r\nhi\r\n", "=7\r\ntxt:ho\n\r\n"}),
            "=32\r\ntxt:shard 'a':\nhi\nshard 'b':\nho\n\r\n");
}

TEST(MergeStats, DigestsAreCombined) {
  const std::string one = "+00000000000000000000000000000000000000f1\r\n";
  const std::string two = "+a0000000000000000000000000000000000000ff\r\n";
  EXPECT_EQ(Merged(Merge::kXor, {one, two}), "+a00000000000000000000000000000000000000e\r\n");
  EXPECT_EQ(Merged(Merge::kXor, {one}), one);
}

TEST(MergeStats, AnErrorIsTheReply) {
  EXPECT_EQ(Merged(Merge::kStats, {"%0\r\n", "-ERR no\r\n"}), "-ERR shard 'b': no\r\n");
}

}  // namespace
}  // namespace gemel::merge_stats_test
