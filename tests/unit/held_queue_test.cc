#include "backend/shard/held_queue.h"

#include <gtest/gtest.h>

#include <string>

namespace gemel::held_queue_test {
namespace {

TEST(HeldQueue, KeepsOrderSessionsAndFrames) {
  HeldQueue queue(3);
  Request requests[3];
  for (uint32_t i = 0; i < 3; ++i) {
    requests[i].session = i / 2;
    const std::string frame = "frame " + std::to_string(i);
    requests[i].frame = frame;
    queue.Push(&requests[i], 100 + i);
  }
  EXPECT_TRUE(queue.full());
  EXPECT_TRUE(queue.HasSession(0));
  EXPECT_TRUE(queue.HasSession(1));
  EXPECT_FALSE(queue.HasSession(2));
  const HeldQueue::Held first = queue.Pop();
  EXPECT_EQ(first.request, &requests[0]);
  EXPECT_EQ(first.request->frame, "frame 0");  // the caller's is gone
  EXPECT_TRUE(queue.HasSession(0));
  queue.PushAgain(first);
  EXPECT_EQ(queue.Pop().request, &requests[1]);
  EXPECT_EQ(queue.Pop().request, &requests[2]);
  EXPECT_FALSE(queue.HasSession(1));
  EXPECT_EQ(queue.front().since_ms, 100u);
  EXPECT_TRUE(queue.HoldsFrom(100));
  EXPECT_FALSE(queue.HoldsFrom(99));
  EXPECT_EQ(queue.Pop().request->frame, "frame 0");
  EXPECT_TRUE(queue.empty());
  EXPECT_FALSE(queue.HasSession(0));
}

}  // namespace
}  // namespace gemel::held_queue_test
