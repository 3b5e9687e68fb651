// AuditPort::Compare: the same reads to several copies at one point of the order.

#include <gtest/gtest.h>

#include "tests/unit/audit_world.h"

namespace gemel::audit_test::shard_compare_test {
namespace {

struct Sink : CompareSink {
  std::vector<Words> replies;  // [command][copy]
  int ended = 0;
  bool known = false;
  explicit Sink(size_t commands, size_t copies = 2) : replies(commands, Words(copies)) {}
  void OnCompareReply(uint32_t index, uint32_t copy, std::string_view reply) override {
    EXPECT_EQ(replies[index][copy], "");
    replies[index][copy] = reply;
  }
  void OnCompareEnd(bool all) override {
    ++ended;
    known = all;
  }
};

using Reads = std::vector<CompareRead>;

Reads Frames(std::vector<std::vector<std::string_view>> commands) {
  Reads reads;
  for (const auto& command : commands) reads.push_back({Command(command), 0});
  return reads;
}

TEST(ShardCompare, StandsAtOnePointOfTheOrder) {
  World world;
  std::vector<Words> seen(2);
  world.on_command = [&](uint32_t copy, const Words& words) {
    seen[copy].push_back(words[0] + " " + words[1]);
    return true;
  };
  Sink sink(2);
  const Reads frames = Frames({{"TYPE", "a"}, {"GET", "a"}});
  world.Write("a", "1");
  EXPECT_TRUE(world.shard->ports().audit.Compare(frames, Bit(0) | Bit(1), &sink));
  world.Write("a", "2");
  EXPECT_EQ(sink.ended, 0);
  world.Settle();
  EXPECT_EQ(seen[0], (Words{"SET a", "TYPE a", "GET a", "SET a"}));
  EXPECT_EQ(seen[1], seen[0]);
  EXPECT_EQ(sink.ended, 1);
  EXPECT_TRUE(sink.known);
  EXPECT_EQ(sink.replies[0], (Words{"+string\r\n", "+string\r\n"}));
  EXPECT_EQ(sink.replies[1], (Words{"$1\r\n1\r\n", "$1\r\n1\r\n"}));
}

TEST(ShardCompare, AsksThoseThatAreNamed) {
  World world;
  Sink sink(1);
  const Reads frames = Frames({{"EXISTS", "a"}});
  EXPECT_TRUE(world.shard->ports().audit.Compare(frames, Bit(1), &sink));
  world.Settle();
  EXPECT_EQ(sink.replies[0], (Words{"", ":0\r\n"}));
  EXPECT_EQ(sink.ended, 1);
  EXPECT_FALSE(world.shard->ports().audit.Compare(frames, Bit(2), &sink));
  EXPECT_FALSE(world.shard->ports().audit.Compare(frames, 0, &sink));
  EXPECT_FALSE(world.shard->ports().audit.Compare({}, Bit(0), &sink));
}

TEST(ShardCompare, SaysThatAnAnswerWasLost) {
  World world;
  world.on_command = [&](uint32_t copy, const Words& words) {
    return copy == 0 || words[0] != "GET";
  };
  Sink sink(2);
  EXPECT_TRUE(world.shard->ports().audit.Compare(Frames({{"TYPE", "a"}, {"GET", "a"}}),
                                                 Bit(0) | Bit(1), &sink));
  world.Settle();
  EXPECT_EQ(sink.ended, 0);
  EXPECT_TRUE(world.shard->ports().audit.comparing());
  world.Lose(1);
  EXPECT_EQ(sink.ended, 1);
  EXPECT_FALSE(sink.known);
  EXPECT_FALSE(world.shard->ports().audit.comparing());
  EXPECT_FALSE(world.shard->ports().audit.CanCompare());  // until it is connected again
  world.Step();
  world.Step();
  EXPECT_TRUE(world.shard->ports().audit.CanCompare());
  EXPECT_EQ(world.shard->ports().resync.in_sync(),
            Bit(0) | Bit(1));  // reads alone are no reason to leave
}

// The other one has what that copy refused, and the comparison stands behind it on both.
TEST(ShardCompare, BehindAWriteThatACopyRefusedNothingIsKnown) {
  World world;
  world.on_command = [&](uint32_t copy, const Words&) { return copy != 0; };
  Sink sink(1);
  world.Write("a", "1");
  EXPECT_TRUE(world.shard->ports().audit.Compare(Frames({{"GET", "a"}}), Bit(0) | Bit(1), &sink));
  world.Settle();
  Answer(world.shard->link(0), "-READONLY You can't write against a read only replica.\r\n",
         world.now_ms);
  Answer(world.shard->link(0), "$-1\r\n", world.now_ms);
  EXPECT_EQ(sink.ended, 1);
  EXPECT_EQ(sink.replies[0], (Words{"$-1\r\n", "$1\r\n1\r\n"}));
  EXPECT_FALSE(sink.known);
}

TEST(ShardCompare, OneAtATime) {
  World world;
  bool mute = true;
  world.on_command = [&](uint32_t, const Words& words) { return !mute || words[0] != "GET"; };
  Sink first(1), second(1);
  const Reads frames = Frames({{"GET", "a"}});
  EXPECT_TRUE(world.shard->ports().audit.Compare(frames, Bit(0) | Bit(1), &first));
  world.Settle();
  EXPECT_FALSE(world.shard->ports().audit.Compare(frames, Bit(0), &second));
  world.shard->ports().audit.DropCompare();
  EXPECT_FALSE(world.shard->ports().audit.Compare(frames, Bit(0),
                                                  &second));  // its answers are still to come
  for (uint32_t copy : {0u, 1u}) Answer(world.shard->link(copy), "$-1\r\n", world.now_ms);
  EXPECT_EQ(first.ended, 0);
  mute = false;
  EXPECT_TRUE(world.shard->ports().audit.Compare(frames, Bit(0), &second));
  world.Settle();
  EXPECT_EQ(second.ended, 1);
}

TEST(ShardCompare, NotWhileTheRolesChangeOrWritesArePaused) {
  World world;
  Sink sink(1);
  const Reads frames = Frames({{"GET", "a"}});
  world.shard->ports().resync.Pause([] {});
  EXPECT_FALSE(world.shard->ports().audit.CanCompare());
  EXPECT_FALSE(world.shard->ports().audit.Compare(frames, Bit(0), &sink));
  EXPECT_FALSE(world.shard->ports().audit.RepairKey("a", Bit(1)));
  world.shard->ports().resync.Resume();
  EXPECT_TRUE(world.shard->ports().audit.CanCompare());
  world.shard->Stop();
  EXPECT_FALSE(world.shard->ports().audit.CanCompare());
}

TEST(ShardCompare, RepairsAKeyFromThePrimary) {
  World world;
  world.nodes[0].data["a"] = String("right");
  world.nodes[1].data["a"] = String("wrong");
  EXPECT_TRUE(world.shard->ports().audit.RepairKey("a", Bit(1)));
  EXPECT_TRUE(world.shard->ports().audit.IsKeyLocked("a"));
  World::Asked* write = world.Write("a", "new");
  EXPECT_EQ(write->told, "");
  world.Settle();
  EXPECT_FALSE(world.shard->ports().audit.IsKeyLocked("a"));
  EXPECT_EQ(write->told, "+OK\r\n");
  EXPECT_TRUE(world.Equal());
  EXPECT_EQ(world.nodes[1].counts["RESTORE"], 1u);
}

}  // namespace
}  // namespace gemel::audit_test::shard_compare_test
