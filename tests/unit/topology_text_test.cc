// The text of a state file: what is read is what was written, or an error; never something else.

#include "backend/topology/topology_text.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backend/ring/ring.h"

namespace gemel::topology_text_test {
namespace {

Topology Sample() {
  Topology topology;
  topology.epoch = 42;
  topology.clean = false;
  ShardInfo a;
  a.name = "a";
  a.epoch = 7;
  a.primary = 1;
  a.copies = {{"127.0.0.1:7101", CopyState::kStale, "aaaa", "the connection was refused"},
              {"127.0.0.1:7201", CopyState::kInSync, "bbbb", ""}};
  ShardInfo b;
  b.name = "b";
  b.adopted = true;
  b.copies = {{"unix:/run/redis.sock", CopyState::kInSync, "", ""}};
  topology.shards = {a, b};
  return topology;
}

TEST(TopologyText, RoundTrip) {
  for (const Topology& topology : {Sample(), Topology()}) {
    std::string error;
    const std::optional<Topology> back = DecodeTopology(EncodeTopology(topology), &error);
    ASSERT_TRUE(back) << error;
    EXPECT_EQ(*back, topology);
  }
}

TEST(TopologyText, DrainedIsKeptAndOlderFilesHaveNone) {
  Topology topology = Sample();
  EXPECT_EQ(EncodeTopology(topology).find("drained"), std::string::npos);
  for (const DrainedBy drained_by : {DrainedBy::kOperator, DrainedBy::kConfig}) {
    topology.shards[0].copies[0].drained_by = drained_by;
    const std::string text = EncodeTopology(topology);
    EXPECT_NE(text.find("drained = true\n"), std::string::npos);
    std::string error;
    const std::optional<Topology> back = DecodeTopology(text, &error);
    ASSERT_TRUE(back) << error;
    EXPECT_EQ(*back, topology);
    EXPECT_EQ(back->shards[0].copies[0].drained_by, drained_by);
    EXPECT_FALSE(back->shards[0].copies[1].drained());
  }
}

TEST(TopologyText, SettingsOfNodesAreKeptAndOlderFilesHaveNone) {
  Topology topology = Sample();
  EXPECT_EQ(EncodeTopology(topology).find("setting"), std::string::npos);
  topology.shards[0].copies[0].drained_by = DrainedBy::kOperator;
  topology.shards[0].copies[0].settings = {{"maxmemory", "8388608", "9437184", ""},
                                           {"notify-keyspace-events", "\xff", "xeE", "E"}};
  topology.shards[1].copies[0].settings = {{"maxmemory", "0", "1", ""}};
  std::string error;
  const std::string text = EncodeTopology(topology);
  const std::optional<Topology> back = DecodeTopology(text, &error);
  ASSERT_TRUE(back) << error;
  EXPECT_EQ(*back, topology);
  topology.shards[0].copies[0].settings[1].name = "maxmemory";
  EXPECT_FALSE(DecodeTopology(EncodeTopology(topology), &error));
  EXPECT_EQ(error, "127.0.0.1:7101 of shard \"a\" has the setting \"maxmemory\" twice");
}

// As it was written when the reason was all that told the cause.
constexpr char kOlderFile[] =
    R"(# The state of a gemel proxy: roles, epochs and stale marks of its shards; rings.
# Written by the proxy; a file changed by hand is refused.
version = 1
epoch = 31
clean = false

[[shard]]
name = "a"
epoch = 9
primary = "127.0.0.1:7101"
adopted = false
swept = 2

[[shard.copy]]
node = "127.0.0.1:7101"
state = "in sync"
run_id = "aaaa"
reason = ""

[[shard.copy]]
node = "127.0.0.1:7102"
state = "stale"
run_id = "bbbb"
reason = "the proxy did not stop in order"

[[shard.copy]]
node = "127.0.0.1:7103"
state = "stale"
run_id = "cccc"
reason = "the proxy did not stop in order, and it was not made equal since"

[[shard.copy]]
node = "127.0.0.1:7104"
state = "stale"
run_id = "dddd"
reason = "it leaves the shard"
drained = true

[[shard.copy]]
node = "127.0.0.1:7105"
state = "stale"
run_id = "eeee"
reason = "it was drained"
drained = true

[[shard.copy]]
node = "127.0.0.1:7106"
state = "stale"
run_id = ""
reason = "connection refused"

[[ring]]
id = 2
points = 1024
hash_tag = "{}"
shards = ["a"]
weights = [1]

# xxh3 0035e01986938294
)";

TEST(TopologyText, AnOlderFileTellsTheCauseByItsReasons) {
  std::string error;
  const std::optional<Topology> topology = DecodeTopology(kOlderFile, &error);
  ASSERT_TRUE(topology) << error;
  struct Expected {
    StaleCause cause;
    DrainedBy drained_by;
  };
  const Expected expected[] = {{StaleCause::kOther, DrainedBy::kNobody},
                               {StaleCause::kNotClean, DrainedBy::kNobody},
                               {StaleCause::kNotCleanBefore, DrainedBy::kNobody},
                               {StaleCause::kOther, DrainedBy::kConfig},
                               {StaleCause::kOther, DrainedBy::kOperator},
                               {StaleCause::kOther, DrainedBy::kNobody}};
  const std::vector<CopyInfo>& copies = topology->shards[0].copies;
  ASSERT_EQ(copies.size(), std::size(expected));
  for (size_t i = 0; i < copies.size(); ++i) {
    EXPECT_EQ(copies[i].cause, expected[i].cause) << copies[i].node;
    EXPECT_EQ(copies[i].drained_by, expected[i].drained_by) << copies[i].node;
  }
  const std::optional<Topology> back = DecodeTopology(EncodeTopology(*topology), &error);
  ASSERT_TRUE(back) << error;
  EXPECT_EQ(*back, *topology);
}

// Once a file tells the cause, the words of its reasons mean nothing.
TEST(TopologyText, ReasonsAreForPeopleAlone) {
  Topology topology = Sample();
  CopyInfo& copy = topology.shards[0].copies[0];
  for (const char* reason :
       {"the proxy did not stop in order", "it leaves the shard", "any words"}) {
    for (const StaleCause cause :
         {StaleCause::kOther, StaleCause::kNotClean, StaleCause::kNotCleanBefore}) {
      for (const DrainedBy drained_by :
           {DrainedBy::kNobody, DrainedBy::kOperator, DrainedBy::kConfig}) {
        copy.reason = reason;
        copy.cause = cause;
        copy.drained_by = drained_by;
        std::string error;
        const std::optional<Topology> back = DecodeTopology(EncodeTopology(topology), &error);
        ASSERT_TRUE(back) << error;
        EXPECT_EQ(*back, topology);
      }
    }
  }
}

Topology SampleWithRings() {
  Topology topology = Sample();
  topology.rings.resize(2);
  topology.rings[0] = {3, 1024, "{}", {{"a", 1}, {"b", 4}}};
  topology.rings[1] = {5, 8, "", {{"b", 2}}};
  topology.shards[1].swept = 3;
  return topology;
}

TEST(TopologyText, RingsAreKeptAndOlderFilesHaveNone) {
  EXPECT_EQ(EncodeTopology(Sample()).find("ring]"), std::string::npos);
  EXPECT_EQ(EncodeTopology(Sample()).find("swept"), std::string::npos);
  const Topology topology = SampleWithRings();
  const std::string text = EncodeTopology(topology);
  std::string error;
  const std::optional<Topology> back = DecodeTopology(text, &error);
  ASSERT_TRUE(back) << error;
  EXPECT_EQ(*back, topology);
}

TEST(TopologyText, AnyBytesSurvive) {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  const std::string strings[] = {
      all,
      "\"",
      "\\",
      "\\\"\\u0041\n",
      "\n# xxh3 0000000000000000\n",
      std::string("\0", 1),
      "\r\n",
      "\xff\xfe not UTF-8",
      "Gr\xc3\xbc\xc3\x9f",
      "[[shard]]\nname = 'x'",
      "'''",
      "\"\"\"",
      " ",
      std::string(100000, '\x7f'),
  };
  for (const std::string& bytes : strings) {
    Topology topology = Sample();
    topology.shards[0].copies[0].reason = bytes;
    topology.shards[0].copies[0].run_id = bytes;
    topology.shards[0].copies[1].node = bytes;
    topology.shards[1].name = bytes;
    topology.rings.push_back({1, 1, "", {{bytes, 1}}});
    const std::string text = EncodeTopology(topology);
    for (char c : text) ASSERT_TRUE(c == '\n' || (c >= ' ' && c <= '~'));
    std::string error;
    const std::optional<Topology> back = DecodeTopology(text, &error);
    ASSERT_TRUE(back) << error;
    EXPECT_EQ(*back, topology);
  }
}

TEST(TopologyText, EveryTruncationIsRefused) {
  const std::string text = EncodeTopology(Sample());
  for (size_t size = 0; size < text.size(); ++size) {
    std::string error;
    ASSERT_FALSE(DecodeTopology(std::string_view(text).substr(0, size), &error)) << size;
    ASSERT_FALSE(error.empty());
  }
}

TEST(TopologyText, EveryFlippedBitIsRefused) {
  const std::string text = EncodeTopology(Sample());
  for (size_t bit = 0; bit < text.size() * 8; ++bit) {
    std::string damaged = text;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
    std::string error;
    ASSERT_FALSE(DecodeTopology(damaged, &error)) << bit;
    ASSERT_FALSE(error.empty());
  }
}

TEST(TopologyText, WhatFollowsOrGoesBeforeIsRefused) {
  const std::string text = EncodeTopology(Sample());
  std::string error;
  for (const std::string& changed : {text + "\n", text + "x", text + text, "\n" + text,
                                     text.substr(1), std::string(text.size(), '\0')}) {
    EXPECT_FALSE(DecodeTopology(changed, &error));
  }
}

// Texts with the right checksum and the wrong contents: of a later version, or of a bug.
class Forged {
 public:
  explicit Forged(const Topology& topology = Sample()) {
    const std::string text = EncodeTopology(topology);
    body_ = text.substr(0, text.rfind("# xxh3 "));
  }

  // The error after `from` became `to`, "" if there was none.
  std::string Error(const std::string& from, const std::string& to) const {
    std::string body = body_;
    const size_t at = body.find(from);
    if (at == std::string::npos) return "not in the text: " + from;
    body.replace(at, from.size(), to);
    std::string error;
    return DecodeTopology(Sign(body), &error) ? "" : error;
  }

 private:
  // The checksum is the same function as the position of a key.
  static std::string Sign(const std::string& body) {
    char hex[17];
    std::snprintf(hex, sizeof(hex), "%016llx", static_cast<unsigned long long>(HashKey(body)));
    return body + "# xxh3 " + hex + "\n";
  }

  std::string body_;
};

TEST(TopologyText, WrongContentsAreRefusedBySentence) {
  const Forged forged;
  EXPECT_EQ(forged.Error("epoch = 42", "epoch = 43"), "");
  EXPECT_EQ(forged.Error("version = 1", "version = 2"),
            "its format is version 2, this gemel reads version 1");
  EXPECT_EQ(forged.Error("version = 1\n", ""), "\"version\" is not a number");
  EXPECT_EQ(forged.Error("epoch = 42", "epoch = -1"), "\"epoch\" is not a number");
  EXPECT_EQ(forged.Error("epoch = 42", "epoch = \"x\""), "\"epoch\" is not a number");
  EXPECT_EQ(forged.Error("clean = false", "clean = 0"), "\"clean\" is not true or false");
  EXPECT_EQ(forged.Error("adopted = true\n", ""), "\"adopted\" is not true or false");
  EXPECT_EQ(forged.Error("name = \"b\"", "name = 'a'"), "there are two shards \"a\"");
  EXPECT_EQ(forged.Error("run_id = \"aaaa\"", "run_id = \"\xe2\x82\xac\""),
            "\"run_id\" is not a string of bytes");
  EXPECT_EQ(forged.Error("primary = \"127.0.0.1:7201\"", "primary = \"elsewhere\""),
            "the primary of a shard is not one of its copies");
  EXPECT_EQ(forged.Error("primary = \"127.0.0.1:7201\"", "primary = \"127.0.0.1:7101\""),
            "the primary 127.0.0.1:7101 of shard \"a\" is stale");
  EXPECT_EQ(forged.Error("state = \"stale\"", "state = \"fine\""),
            "\"state\" of a copy is neither \"in sync\" nor \"stale\"");
  EXPECT_EQ(forged.Error("the connection was refused", ""),
            "127.0.0.1:7101 of shard \"a\" is stale without a reason");
  EXPECT_EQ(forged.Error("run_id = \"aaaa\"", "drained = 1\nrun_id = \"aaaa\""),
            "\"drained\" is not true or false");
  EXPECT_EQ(forged.Error("run_id = \"bbbb\"", "drained = true\nrun_id = \"bbbb\""),
            "127.0.0.1:7201 of shard \"a\" is drained but in sync");
  EXPECT_EQ(forged.Error("cause = \"other\"", "cause = \"odd\""),
            "\"cause\" of a copy is \"odd\", which this gemel does not know");
  EXPECT_EQ(forged.Error("cause = \"other\"", "cause = 3"), "\"cause\" is not a string of bytes");
  EXPECT_EQ(forged.Error("run_id = \"bbbb\"", "cause = \"not clean\"\nrun_id = \"bbbb\""),
            "127.0.0.1:7201 of shard \"a\" is in sync but has a cause to be stale");
  EXPECT_EQ(forged.Error("cause = \"other\"", "drained = true\ndrained_by = \"me\""),
            "\"drained_by\" of a copy is \"me\", which this gemel does not know");
  EXPECT_EQ(forged.Error("cause = \"other\"", "drained_by = \"config\""),
            "\"drained\" and \"drained_by\" of a copy contradict each other");
  EXPECT_NE(forged.Error("clean = false", "clean ="), "");
  EXPECT_NE(forged.Error("[[shard]]", "[shard]"), "");
  EXPECT_NE(forged.Error("[[shard.copy]]", "copy = 1 #"), "");
}

TEST(TopologyText, WrongRingsAreRefusedBySentence) {
  const Forged forged(SampleWithRings());
  EXPECT_EQ(forged.Error("id = 5", "id = 6"), "");
  EXPECT_EQ(forged.Error("id = 5", "id = 3"), "the ids of the rings do not ascend");
  EXPECT_EQ(forged.Error("points = 1024", "points = 0"), "a ring has no points");
  EXPECT_EQ(forged.Error("points = 1024", "points = 4294967296"),
            "\"points\" is not a number of 32 bits");
  EXPECT_EQ(forged.Error("hash_tag = \"{}\"", "hash_tag = \"{\""),
            "the hash tag of a ring is neither two characters nor empty");
  EXPECT_EQ(forged.Error("shards = [\"b\"]", "shards = [\"c\"]"),
            "the ring has a shard \"c\", which is not there");
  EXPECT_EQ(forged.Error("shards = [\"b\"]", "shards = [7]"),
            "a shard of a ring is not a string of bytes");
  EXPECT_EQ(forged.Error("shards = [\"b\"]", "shards = 7"), "\"shards\" is not an array");
  EXPECT_EQ(forged.Error("weights = [2]", "weights = [0]"),
            "a weight of a ring is not a number from 1, or is of no shard");
  EXPECT_EQ(forged.Error("weights = [2]", "weights = [2, 2]"),
            "a weight of a ring is not a number from 1, or is of no shard");
  EXPECT_EQ(forged.Error("weights = [2]", "weights = []"), "a shard of a ring has no weight");
  EXPECT_EQ(forged.Error("swept = 3", "swept = 6"),
            "shard \"b\" was swept for a ring that is still to come");
  EXPECT_EQ(forged.Error("swept = 3", "swept = true"), "\"swept\" is not a number");
}

}  // namespace
}  // namespace gemel::topology_text_test
