// A member that says nothing, or hears nothing, and one that does.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "proxy/peers/peer_lines.h"
#include "tests/unit/peer_world.h"

namespace gemel::peer_test {
namespace {

using Texts = std::vector<std::string>;

TEST(PeerLinesSilence, ASilentMemberIsGivenUpOnceAnotherHasTheShard) {
  PeerWorld world;
  Member b, c;
  world.Own("b");
  world.Connect("b");
  world.Connect("c");
  world.Write("x");
  world.Read("x");
  world.Carry("b", &b);
  world.now_ms += PeerLink::kMissedMs + 1;
  world.lines->Tick();
  EXPECT_TRUE(world.asker.Take().empty()) << "it may be slow: the shard is its own still";
  world.Own("c", 2);
  world.lines->Tick();
  world.lines->Flush();
  const Texts replies = world.asker.Take();
  ASSERT_EQ(replies.size(), 1u);
  EXPECT_TRUE(IsUnknown(replies[0], "b")) << replies[0];
  world.Carry("c", &c);
  EXPECT_EQ(c.seen, (Texts{Get("x")}));
  c.Answer("$1\r\nv\r\n");
  world.Return("c", &c);
  EXPECT_EQ(world.asker.Take(), (Texts{"$1\r\nv\r\n"}));
}

// What it answers it may have heard long ago.
TEST(PeerLinesSilence, AMemberThatHearsNothingIsGivenUpThoughItAnsweredSomething) {
  PeerWorld world;
  Member b;
  world.Own("b");
  world.Connect("b");
  world.Connect("c");
  world.Write("x");
  world.Write("y");
  world.Carry("b", &b);
  world.now_ms += PeerLink::kMissedMs + 1;
  b.Answer("+OK\r\n");
  world.Return("b", &b);
  world.Own("c", 2);
  world.lines->Tick();
  world.lines->Flush();
  EXPECT_EQ(world.asker.Take(), (Texts{"+OK\r\n"})) << "it speaks: more may come";
  world.now_ms += PeerLink::kQuietMs + 1;
  world.lines->Tick();
  world.lines->Flush();
  const Texts replies = world.asker.Take();
  ASSERT_EQ(replies.size(), 1u);
  EXPECT_TRUE(IsUnknown(replies[0], "b")) << replies[0];
}

TEST(PeerLinesSilence, AMemberThatSpeaksIsWaitedForThoughAnotherHasTheShard) {
  PeerWorld world;
  Member b;
  world.Own("b");
  world.Connect("b");
  world.Connect("c");
  world.Write("x");
  world.Carry("b", &b);
  world.Own("c", 2);
  world.now_ms += PeerLink::kAliveMs;
  world.lines->Tick();
  world.lines->Flush();
  EXPECT_TRUE(world.asker.Take().empty());
  b.Answer("+OK\r\n");
  world.Return("b", &b);
  EXPECT_EQ(world.asker.Take(), (Texts{"+OK\r\n"}));
}

}  // namespace
}  // namespace gemel::peer_test
