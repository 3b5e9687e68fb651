// Edits as text, and the epoch that they expect.

#include <gtest/gtest.h>

#include <cstdio>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "backend/ring/ring.h"
#include "backend/topology/edit.h"

namespace gemel::edit_text_test {
namespace {

Edit Sample(EditKind kind = EditKind::kPromote) {
  Edit edit{kind, "a", "127.0.0.1:7101", "run1", "a write timed out"};
  edit.expected = 7;
  edit.ring = 3;
  edit.nodes = {"127.0.0.1:7101", "unix:/run/redis.sock"};
  edit.spec = {5, 1024, "{}", {{"a", 1}, {"b", 4}}};
  edit.drained_by = DrainedBy::kConfig;
  return edit;
}

std::string Encoded(const Edit& edit) {
  std::string text;
  edit.EncodeTo(&text);
  return text;
}

void ExpectRoundTrip(const Edit& edit) {
  std::string error;
  const std::optional<Edit> back = Edit::DecodeFrom(Encoded(edit), &error);
  ASSERT_TRUE(back) << error;
  EXPECT_EQ(*back, edit);
}

TEST(EditText, EveryKindSurvives) {
  for (size_t kind = 0; kind < kEditKinds; ++kind) {
    ExpectRoundTrip(Sample(static_cast<EditKind>(kind)));
    ExpectRoundTrip(Edit{static_cast<EditKind>(kind), "", "", "", ""});
    EXPECT_FALSE(EditKindName(static_cast<EditKind>(kind)).empty());
  }
  std::string before = "what is there stays;";
  Sample().EncodeTo(&before);
  EXPECT_EQ(before, "what is there stays;" + Encoded(Sample()));
}

TEST(EditText, AnyBytesSurvive) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 300; ++i) {
    const auto bytes = [&] {
      std::string text(random() % 20, '\0');
      for (char& c : text) c = static_cast<char>(random());
      return text;
    };
    Edit edit{static_cast<EditKind>(random() % kEditKinds), bytes(), bytes(), bytes(), bytes()};
    for (uint64_t n = random() % 4; n > 0; --n) edit.nodes.push_back(bytes());
    edit.expected = random() >> 1;
    edit.ring = random() >> 1;
    edit.drained_by = static_cast<DrainedBy>(random() % 3);
    for (uint64_t n = random() % 3; n > 0; --n) {
      edit.settings.push_back({bytes(), bytes(), bytes(), bytes()});
    }
    if (random() % 2 == 0) edit.spec = {random() >> 1, 8, bytes(), {{bytes(), 1}, {bytes(), 9}}};
    ASSERT_NO_FATAL_FAILURE(ExpectRoundTrip(edit));
  }
}

// What an older proxy wrote is read by every later one.
TEST(EditText, AKnownTextIsReadAndWritten) {
  constexpr std::string_view kText = R"(version = 1
edit = "promote"
shard = "a"
node = "127.0.0.1:7101"
run_id = "run1"
reason = "a write timed out"
expected = 7
drained_by = "config"
ring = 3
nodes = ["127.0.0.1:7101", "unix:/run/redis.sock"]
[spec]
id = 5
points = 1024
hash_tag = "{}"
shards = ["a", "b"]
weights = [1, 4]
# xxh3 941520a0a3ff4054
)";
  std::string error;
  const std::optional<Edit> edit = Edit::DecodeFrom(kText, &error);
  ASSERT_TRUE(edit) << error;
  EXPECT_EQ(*edit, Sample());
  EXPECT_EQ(Encoded(*edit), kText);
}

TEST(EditText, SettingsSurviveAndOtherEditsHaveNone) {
  Edit edit{EditKind::kKeepSettings, "a", "127.0.0.1:7101", "", "why"};
  edit.settings = {{"maxmemory", "0", "8388608", ""},
                   {"notify-keyspace-events", "K\xff", "xeKE", "xeE"}};
  ExpectRoundTrip(edit);
  EXPECT_NE(Encoded(edit).find("[[setting]]\nname = \"maxmemory\"\nown = \"0\"\n"),
            std::string::npos);
  EXPECT_EQ(Encoded(Sample()).find("setting"), std::string::npos)
      << "an older gemel reads what it knows";
}

TEST(EditText, EveryTruncationAndEveryFlippedBitIsRefused) {
  const std::string text = Encoded(Sample());
  std::string error;
  for (size_t size = 0; size < text.size(); ++size) {
    error.clear();
    ASSERT_FALSE(Edit::DecodeFrom(std::string_view(text).substr(0, size), &error)) << size;
    ASSERT_FALSE(error.empty());
  }
  for (size_t bit = 0; bit < text.size() * 8; ++bit) {
    std::string damaged = text;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
    error.clear();
    ASSERT_FALSE(Edit::DecodeFrom(damaged, &error)) << bit;
    ASSERT_FALSE(error.empty());
  }
  EXPECT_FALSE(Edit::DecodeFrom(text + text, &error));
  EXPECT_FALSE(Edit::DecodeFrom(text + "\n", &error));
}

// The error after `from` became `to`, with the right checksum; "" if there was none.
std::string Forged(const std::string& from, const std::string& to) {
  std::string text = Encoded(Sample());
  text.resize(text.rfind("# xxh3 "));
  const size_t at = text.find(from);
  if (at == std::string::npos) return "not in the text: " + from;
  text.replace(at, from.size(), to);
  char hex[17];
  std::snprintf(hex, sizeof(hex), "%016llx", static_cast<unsigned long long>(HashKey(text)));
  std::string error;
  return Edit::DecodeFrom(text + "# xxh3 " + hex + "\n", &error) ? "" : error;
}

TEST(EditText, WhatIsNotKnownIsRefusedBySentence) {
  EXPECT_EQ(Forged("expected = 7", "expected = 8"), "");
  EXPECT_EQ(Forged("version = 1", "version = 2"),
            "its format is version 2, this gemel reads version 1");
  EXPECT_EQ(Forged("\"promote\"", "\"merge\""),
            "it is an edit \"merge\", which this gemel does not know");
  EXPECT_EQ(Forged("\"config\"", "\"me\""),
            "\"drained_by\" is \"me\", which this gemel does not know");
  EXPECT_EQ(Forged("ring = 3", "ring = 3\nmoon = 1"),
            "it has \"moon\", which this gemel does not know");
  EXPECT_EQ(Forged("ring = 3\n", ""), "\"ring\" is not a number");
  EXPECT_EQ(Forged("expected = 7", "expected = -7"), "\"expected\" is not a number");
  EXPECT_EQ(Forged("nodes = [\"", "nodes = [7, \""),
            "\"nodes\" is not an array of strings of bytes");
  EXPECT_EQ(Forged("[spec]", "[[spec]]"), "\"spec\" is not a table");
}

// A shard "a" of two copies in sync, at epoch 5; another of one.
Topology Pair() {
  Topology topology;
  topology.epoch = 10;
  ShardInfo shard;
  shard.name = "a";
  shard.epoch = 5;
  shard.copies = {{"n1", CopyState::kInSync, "run1", ""}, {"n2", CopyState::kInSync, "run2", ""}};
  topology.shards.push_back(shard);
  topology.shards.emplace_back().name = "b";
  topology.shards[1].copies = {{"m1", CopyState::kInSync, "run3", ""}};
  return topology;
}

TEST(ExpectedEpoch, AnEditOnOldKnowledgeIsRefused) {
  Topology topology = Pair();
  Edit edit{EditKind::kMarkStale, "a", "n2", "", "away"};
  std::string error;
  for (const uint64_t wrong : {4, 6, 10}) {
    edit.expected = wrong;
    EXPECT_FALSE(ApplyTo(&topology, edit, &error));
    EXPECT_EQ(error, "it was decided on epoch " + std::to_string(wrong) +
                         " of shard \"a\", which is at epoch 5 now");
    EXPECT_EQ(topology, Pair());
  }
  edit.expected = 5;
  EXPECT_TRUE(ApplyTo(&topology, edit, &error)) << error;
  EXPECT_EQ(topology.shards[0].epoch, 6U);
  // Also where it would change nothing: what was decided is not what is.
  EXPECT_FALSE(ApplyTo(&topology, edit, &error));
}

TEST(ExpectedEpoch, OtherShardsAndRunIdsDoNotMatter) {
  Topology topology = Pair();
  std::string error;
  ASSERT_TRUE(ApplyTo(&topology, {EditKind::kSetRunId, "a", "n2", "run9", ""}, &error));
  ASSERT_TRUE(ApplyTo(&topology, {EditKind::kAddCopy, "b", "m2", "", ""}, &error));
  Edit edit{EditKind::kHandOver, "a", "n2", "", ""};
  edit.expected = 5;
  EXPECT_TRUE(ApplyTo(&topology, edit, &error)) << error;
}

TEST(ExpectedEpoch, AShardThatIsGoneHasNone) {
  Topology topology = Pair();
  Edit edit{EditKind::kRemoveShard, "c", "", "", ""};
  edit.expected = 1;
  std::string error;
  EXPECT_FALSE(ApplyTo(&topology, edit, &error));
  EXPECT_EQ(error, "it was decided on epoch 1 of shard \"c\", which is not there");
  edit.expected = kAnyEpoch;
  EXPECT_TRUE(ApplyTo(&topology, edit, &error));
}

}  // namespace
}  // namespace gemel::edit_text_test
