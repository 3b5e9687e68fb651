// Chunks and the queue of bytes to be sent, against a plain string; and the byte buffer.

#include "backend/bytes/out_queue.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace gemel::out_queue_test {
namespace {

std::string Content(const OutQueue& queue) {
  std::string text;
  queue.ForEach([&text](const char* data, size_t size) {
    text.append(data, size);
    return true;
  });
  return text;
}

TEST(OutQueue, KeepsNothingLargeOnceItIsSent) {
  ChunkPool pool;
  OutQueue queue(&pool);
  queue.Append("small");
  queue.Append(std::string(4 << 20, 'x'));
  queue.Consume(queue.bytes());
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(pool.bytes_in_use(), 0u);
}

TEST(OutQueue, IsAStringInPieces) {
  ChunkPool pool;
  for (uint32_t seed = 1; seed <= 40; ++seed) {
    std::mt19937 random(seed);
    OutQueue queue(&pool);
    std::string model;
    // What a link keeps: a reference to the chunk, and where its frame lies in it.
    struct Kept {
      ChunkRef chunk;
      size_t offset;
      std::string bytes;
    };
    std::vector<Kept> kept;
    for (int step = 0; step < 400; ++step) {
      switch (random() % 8) {
        case 0:
        case 1:
        case 2: {
          const size_t size = random() % 20 == 0 ? random() % 60000 : random() % 300;
          const std::string bytes(size, static_cast<char>('a' + random() % 26));
          const OutQueue::Placement place = queue.Append(bytes);
          model += bytes;
          if (random() % 2 == 0) kept.push_back({ChunkRef(place.chunk), place.offset, bytes});
          break;
        }
        case 3: {
          ByteBuffer buffer;
          buffer.Append(std::string(1 + random() % 40000, static_cast<char>('A' + random() % 26)));
          const std::string bytes(buffer.view());
          const ChunkRef chunk(pool.Adopt(std::move(buffer)));
          queue.AppendChunk(chunk.get());
          model += bytes;
          if (random() % 2 == 0) kept.push_back({chunk, 0, bytes});
          break;
        }
        case 4:
        case 5: {
          const size_t size = model.empty() ? 0 : random() % (model.size() + 1);
          queue.Consume(size);
          model.erase(0, size);
          break;
        }
        case 6:
          if (!kept.empty())
            kept.erase(kept.begin() + static_cast<ptrdiff_t>(random() % kept.size()));
          break;
        case 7:
          if (random() % 20 == 0) {
            queue.Clear();
            model.clear();
          } else if (queue.empty()) {
            queue.ReleaseMemory();
          }
          break;
      }
      ASSERT_EQ(queue.bytes(), model.size());
      ASSERT_EQ(queue.empty(), model.empty());
      if (step % 10 == 0) {
        ASSERT_EQ(Content(queue), model) << "seed " << seed;
        for (const Kept& piece : kept) {
          ASSERT_EQ(std::string(piece.chunk->data + piece.offset, piece.bytes.size()), piece.bytes)
              << "seed " << seed;
        }
      }
    }
  }
  EXPECT_EQ(pool.bytes_in_use(), 0u);
}

TEST(OutQueue, SharesALargeChunkWithAnother) {
  ChunkPool pool;
  OutQueue first(&pool);
  OutQueue second(&pool);
  ByteBuffer buffer;
  buffer.Append(std::string(100000, 'x'));
  {
    const ChunkRef chunk(pool.Adopt(std::move(buffer)));
    first.AppendChunk(chunk.get());
    second.AppendChunk(chunk.get());
  }
  first.Append("behind");
  first.Consume(100000);
  EXPECT_EQ(Content(first), "behind");
  EXPECT_EQ(Content(second), std::string(100000, 'x'));
}

TEST(OutQueue, UsesFreedChunksAgain) {
  ChunkPool pool;
  OutQueue queue(&pool);
  for (int i = 0; i < 1000; ++i) {
    queue.Append(std::string(10000, 'x'));
    queue.Consume(10000);
    EXPECT_LE(pool.bytes_in_use(), 2 * ChunkPool::kStandard);
  }
}

TEST(ByteBuffer, GrowsConsumesAndHandsOn) {
  ByteBuffer buffer;
  EXPECT_TRUE(buffer.empty());
  buffer.Append("");
  buffer.Append("hello ");
  buffer.Append("world");
  EXPECT_EQ(buffer.view(), "hello world");
  buffer.Consume(6);
  EXPECT_EQ(buffer.view(), "world");
  buffer.Consume(5);
  EXPECT_TRUE(buffer.empty());
  std::memcpy(buffer.Grow(3), "abc", 3);
  buffer.Commit(3);
  ByteBuffer other = std::move(buffer);
  EXPECT_EQ(other.view(), "abc");
  EXPECT_EQ(buffer.capacity(), 0u);
  other.Grow(100000, /*exact=*/true);
  EXPECT_EQ(other.capacity(), 100003u);
  other.Clear(200000);
  EXPECT_EQ(other.capacity(), 100003u);
  other.Clear(10);
  EXPECT_EQ(other.capacity(), 0u);
  other.Append("x");
  const MallocBytes memory = other.Release();
  EXPECT_EQ(memory.get()[0], 'x');
  EXPECT_EQ(other.size(), 0u);
}

}  // namespace
}  // namespace gemel::out_queue_test
