// Members that go by different plans of the fleet do not answer each other, and what is not taken
// over a link at all is refused.

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "proxy/peers/peer_lines.h"
#include "tests/unit/peer_world.h"

namespace gemel::peer_test {
namespace {

using Texts = std::vector<std::string>;

// The same shards by another route.
std::unique_ptr<const Pool> PoolOf(uint64_t route) {
  auto pool = std::make_unique<Pool>(ThePool()->config(), *ThePool(), std::vector<uint32_t>());
  pool->set_route(route);
  return pool;
}

class PeerRouteTest : public ::testing::Test {
 protected:
  PeerRouteTest() {
    world_.Own("b");
    world_.Connect("b");
  }
  void Go(uint64_t route) { world_.lines->SetNames(ThePool()->NamesBySlot(), route); }
  void Carry() { world_.Carry("b", &b_); }
  void Return() { world_.Return("b", &b_); }
  // The line asks again what was refused.
  void Later() {
    world_.now_ms += 100;
    world_.lines->Tick();
  }

  const std::unique_ptr<const Pool> second_ = PoolOf(2);
  PeerWorld world_;
  Member b_;
};

TEST_F(PeerRouteTest, WhoIsBehindIsNotAnsweredUntilItHasGoneOver) {
  b_.dispatcher.SetPool(second_.get());
  world_.Write("x");
  Carry();
  EXPECT_EQ(b_.seen, Texts());
  Return();
  EXPECT_EQ(world_.asker.Take(), Texts());
  // What it had found by the first route is another shard's, maybe.
  Go(2);
  world_.lines->Flush();
  const Texts told = world_.asker.Take();
  ASSERT_EQ(told.size(), 1u);
  EXPECT_TRUE(told[0].starts_with("-TRYAGAIN ")) << told[0];
  Later();
  world_.Write("y");
  Carry();
  EXPECT_EQ(b_.seen, Texts{Set("y")});
  b_.Answer("+OK\r\n");
  Return();
  EXPECT_EQ(world_.asker.Take(), Texts{"+OK\r\n"});
}

TEST_F(PeerRouteTest, WhoIsAheadWaitsForTheOwner) {
  Go(2);
  world_.Write("x");
  Carry();
  Return();
  EXPECT_EQ(b_.seen, Texts());
  EXPECT_EQ(world_.asker.Take(), Texts());
  b_.dispatcher.SetPool(second_.get());
  Later();
  Carry();
  EXPECT_EQ(b_.seen, Texts{Set("x")});
  b_.Answer("+OK\r\n");
  Return();
  EXPECT_EQ(world_.asker.Take(), Texts{"+OK\r\n"});
}

}  // namespace
}  // namespace gemel::peer_test
