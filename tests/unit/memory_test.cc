// What is held is counted, and given back: the budget, and those who count in it.

#include <gtest/gtest.h>

#include <limits>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "backend/bytes/block_pool.h"
#include "backend/bytes/budget.h"
#include "backend/bytes/byte_buffer.h"
#include "backend/bytes/chunk.h"
#include "proxy/server/memory_limit.h"
#include "tests/unit/session_fakes.h"

namespace gemel::memory_test {
namespace {

TEST(BudgetTest, CountsBuffersWhereverTheyGo) {
  const uint64_t before = Budget::Held();
  {
    ByteBuffer one;
    one.Append(std::string(100000, 'x'));
    EXPECT_EQ(Budget::Held(), before + one.capacity());
    ByteBuffer two = std::move(one);
    EXPECT_EQ(Budget::Held(), before + two.capacity());
    two.Grow(200000, /*exact=*/true);
    EXPECT_EQ(Budget::Held(), before + two.capacity());
    one = std::move(two);
    two.Append("x");
    two = std::move(one);
    EXPECT_EQ(Budget::Held(), before + two.capacity());
    ChunkPool pool;
    Chunk* chunk = pool.Adopt(std::move(two));
    EXPECT_EQ(Budget::Held(), before + chunk->capacity);
    pool.Free(chunk);
    EXPECT_EQ(Budget::Held(), before);
    two.Append("y");
    two.Clear();
    EXPECT_EQ(Budget::Held(), before);
    two.Append("z");
    EXPECT_NE(two.Release(), nullptr);
    EXPECT_EQ(Budget::Held(), before);
    chunk = pool.New(100);
    EXPECT_EQ(Budget::Held(), before + ChunkPool::kStandard);
    pool.Free(chunk);
  }
  EXPECT_EQ(Budget::Held(), before);
}

TEST(BudgetTest, OneThreadMayFreeWhatAnotherHasMade) {
  const uint64_t before = Budget::Held();
  auto buffer = std::make_unique<ByteBuffer>();
  std::thread([&] { buffer->Append(std::string(10 << 20, 'x')); }).join();
  EXPECT_GE(Budget::Held() + (64 << 10), before + (10 << 20));
  buffer.reset();
  EXPECT_NEAR(static_cast<double>(Budget::Held()), static_cast<double>(before), 64 << 10);
}

TEST(BudgetTest, Limits) {
  Budget::set_limit(Budget::Held() + (1 << 20));
  EXPECT_FALSE(Budget::Over());
  ByteBuffer buffer;
  buffer.Grow((1 << 20) + 1, /*exact=*/true);
  EXPECT_TRUE(Budget::Over());
  EXPECT_TRUE(Budget::Tight());
  buffer.Clear();
  EXPECT_FALSE(Budget::Over());
  Budget::set_limit(std::numeric_limits<uint64_t>::max());
  EXPECT_TRUE(Budget::KeepReserve());
  EXPECT_FALSE(Budget::Over());
  EXPECT_TRUE(Budget::SpendReserve());
  EXPECT_TRUE(Budget::Over());
  EXPECT_FALSE(Budget::SpendReserve());
  EXPECT_TRUE(Budget::KeepReserve());
  EXPECT_FALSE(Budget::Over());
  EXPECT_TRUE(Budget::SpendReserve());  // as it was
  EXPECT_TRUE(Budget::KeepReserve());
}

// What is announced takes memory as it comes.
TEST(ByteBufferTest, Extend) {
  ByteBuffer buffer;
  const size_t wanted = 100 << 20;
  size_t most = 0;
  while (buffer.size() < wanted) {
    size_t room = 0;
    char* place = buffer.Extend(wanted - buffer.size(), &room);
    ASSERT_GT(room, 0u);
    ASSERT_LE(buffer.size() + room, wanted);
    most = std::max(most, buffer.capacity() - buffer.size());
    place[0] = place[room - 1] = 'x';
    buffer.Commit(room);
  }
  EXPECT_EQ(buffer.capacity(), wanted);
  EXPECT_LE(most, size_t{8} << 20);
}

struct Thing {
  int64_t value[8] = {};
};

TEST(BlockPoolTest, GivesBackWhatABurstTook) {
  const uint64_t before = Budget::Held();
  BlockPool<Thing, 4> pool;
  std::vector<Thing*> things;
  for (int i = 0; i < 100000; ++i) {
    things.push_back(pool.New());
    things.back()->value[0] = i;
  }
  EXPECT_GE(Budget::Held(), before + 100000 * sizeof(Thing));
  for (int i = 0; i < 100000; ++i) ASSERT_EQ(things[static_cast<size_t>(i)]->value[0], i);
  pool.Trim();
  pool.Trim();
  EXPECT_GE(Budget::Held(), before + 100000 * sizeof(Thing));
  // Some stay, here and there.
  std::vector<Thing*> kept;
  for (size_t i = 0; i < things.size(); ++i) {
    if (i % 10000 == 0) {
      kept.push_back(things[i]);
    } else {
      pool.Free(things[i]);
    }
  }
  pool.Trim();
  EXPECT_GE(Budget::Held(), before + 100000 * sizeof(Thing));  // it may be needed again soon
  pool.Trim();
  EXPECT_LT(Budget::Held(), before + (1 << 20));
  for (size_t i = 0; i < kept.size(); ++i) {
    EXPECT_EQ(kept[i]->value[0], static_cast<int64_t>(i) * 10000);
    pool.Free(kept[i]);
  }
  for (int i = 0; i < 1000; ++i) things[static_cast<size_t>(i)] = pool.New();
  for (int i = 0; i < 1000; ++i) pool.Free(things[static_cast<size_t>(i)]);
}

TEST(ChunkPoolTest, GivesBackWhatIsNotNeeded) {
  ChunkPool pool;
  std::vector<Chunk*> chunks;
  for (int i = 0; i < 100; ++i) chunks.push_back(pool.New(1));
  for (Chunk* chunk : chunks) pool.Free(chunk);
  pool.Trim();  // all were needed since the last time
  Chunk* again = pool.New(1);
  EXPECT_EQ(again, chunks.back());
  pool.Trim();
  pool.Free(again);
  pool.Trim();
  pool.Trim();
  EXPECT_EQ(pool.bytes_in_use(), 0u);
}

TEST(MemoryLimitTest, AddressSpaceCounts) {
  std::string warning;
  const uint64_t gb = uint64_t{1} << 30;
  EXPECT_EQ(BufferedLimit(4 * gb, ~uint64_t{0}, 0, &warning), 4 * gb);
  EXPECT_EQ(warning, "");
  EXPECT_EQ(BufferedLimit(gb, 7 * gb, 0, &warning), gb);
  EXPECT_EQ(warning, "");
  EXPECT_LT(BufferedLimit(4 * gb, gb, 0, &warning), gb);
  EXPECT_NE(warning.find("ulimit -v"), std::string::npos);
  EXPECT_GT(BufferedLimit(4 * gb, 0, 0, &warning), 0u);
}

namespace st = session_test;

TEST(SessionMemoryTest, HeldIsWhatIsThereForIt) {
  st::World world(2);
  st::FakeClient& client = world.Connect();
  const uint64_t before = client.session.Held();
  world.nodes[0].data["x"] = "y";
  const std::string slow = world.Key(0);
  const std::string fast = world.Key(1);
  world.nodes[1].data[fast] = std::string(50000, 'v');
  client.Command({"GET", slow});
  for (int i = 0; i < 4; ++i) client.Command({"GET", fast});
  while (world.nodes[1].Serve()) {
  }
  EXPECT_GE(client.session.Held(), before + 200000);
  client.Command({"MGET", slow, fast});
  while (world.nodes[1].Serve()) {
  }
  EXPECT_GE(client.session.Held(), before + 250000);
  world.Run();
  EXPECT_LE(client.session.Held(), before + 1000);
  client.Send("*2\r\n$3\r\nGET\r\n$100000\r\n" + std::string(60000, 'k'));
  EXPECT_GE(client.session.Held(), 60000u);
  EXPECT_GE(client.session.MissingInput(), 40000u);
  client.session.Wait(true);
  EXPECT_FALSE(client.reading);
  EXPECT_GE(client.session.MissingInput(), 40000u);
  client.Turn();
  EXPECT_FALSE(client.reading);
  client.session.Wait(false);
  client.Turn();
  EXPECT_TRUE(client.reading);
}

// Closed while it holds replies behind one that is not answered.
TEST(SessionMemoryTest, AClosedSessionHoldsNothing) {
  const uint64_t before = Budget::Held();
  {
    st::World world(2);
    st::FakeClient& client = world.Connect();
    world.nodes[1].data[world.Key(1)] = std::string(500000, 'v');
    client.Command({"GET", world.Key(0)});
    client.Command({"GET", world.Key(1)});
    client.Command({"MGET", world.Key(0), world.Key(1)});
    while (world.nodes[1].Serve()) {
    }
    client.Close();
    EXPECT_LT(Budget::Held(), before + 900000);  // of the part that is gathered, as long as it is
    client.Command({"PING"});
    world.Run();
    EXPECT_LT(Budget::Held(), before + 200000);
    EXPECT_TRUE(client.session.Finished());
  }
  EXPECT_LE(Budget::Held(), before + 1000);
}

// A stranger is not read from while it does not take what it is told.
TEST(SessionMemoryTest, AStrangerHoldsLittle) {
  st::World world(1, "[proxy]\npassword = \"p\"");
  st::FakeClient& client = world.Connect();
  client.takes = 0;
  for (int i = 0; i < 100000 && client.reading; ++i) client.Command({"GET", "k"});
  EXPECT_FALSE(client.reading);
  EXPECT_LT(client.session.Held(), 100000u);
}

}  // namespace
}  // namespace gemel::memory_test
