#include "backend/shard/held_queue.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

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
  queue.BeginRound();
  queue.PushAgain(first);
  EXPECT_EQ(queue.Pop().request, &requests[1]);
  EXPECT_EQ(queue.Pop().request, &requests[2]);
  EXPECT_FALSE(queue.HasSession(1));
  queue.EndRound();
  EXPECT_EQ(queue.PopDue(149, 50), nullptr);
  EXPECT_TRUE(queue.HoldsFrom(100));
  EXPECT_FALSE(queue.HoldsFrom(99));
  EXPECT_EQ(queue.PopDue(150, 50)->frame, "frame 0");
  EXPECT_TRUE(queue.empty());
  EXPECT_FALSE(queue.HasSession(0));
}

// What was sent before goes before what was not, in the order in which it came back.
TEST(HeldQueue, WhatComesBackGoesInFront) {
  HeldQueue queue(1);
  Request requests[3];
  for (Request& request : requests) request.frame = "frame";
  queue.Push(&requests[2], 100);
  queue.PushReturned(&requests[0], 101, 50);
  queue.PushReturned(&requests[1], 101, 50);
  EXPECT_TRUE(queue.HoldsFrom(50));
  EXPECT_EQ(queue.PopDue(150, 50), &requests[2]);  // it has waited for longer
  queue.Push(&requests[2], 100);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(queue.Pop().request, &requests[i]);
  EXPECT_TRUE(queue.empty());
}

// One that comes back while a round goes on was sent in it: what the round has not visited yet
// comes after it, then what has come meanwhile, and the round ends with what was there when it
// began.
TEST(HeldQueue, WhatComesBackInARound) {
  HeldQueue queue(9);
  Request requests[4];
  for (Request& request : requests) request.frame = "frame";
  for (int i = 0; i < 3; ++i) queue.Push(&requests[i], 100);
  std::vector<int> visited;
  for (queue.BeginRound(); queue.visiting();) {
    const HeldQueue::Held held = queue.Pop();
    const int number = static_cast<int>(held.request - requests);
    visited.push_back(number);
    if (number == 0) {
      queue.PushReturned(held.request, 101, 100);
      queue.Push(&requests[3], 101);
    } else {
      queue.PushAgain(held);
    }
  }
  queue.EndRound();
  EXPECT_EQ(visited, (std::vector<int>{0, 1, 2}));
  std::vector<int> left;
  while (!queue.empty()) left.push_back(static_cast<int>(queue.Pop().request - requests));
  EXPECT_EQ(left, (std::vector<int>{0, 1, 2, 3}));
}

// A round may end early: nothing has lost its place.
TEST(HeldQueue, ARoundMayEndEarly) {
  HeldQueue queue(9);
  Request requests[6];
  for (Request& request : requests) request.frame = "frame";
  for (int i = 1; i < 5; ++i) queue.Push(&requests[i], 100);
  queue.BeginRound();
  queue.PushAgain(queue.Pop());
  EXPECT_EQ(queue.size(), 4u);
  queue.Pop();
  queue.Push(&requests[5], 101);
  queue.PushReturned(&requests[0], 101, 90);
  EXPECT_TRUE(queue.visiting());
  EXPECT_TRUE(queue.HoldsFrom(90));
  queue.EndRound();
  EXPECT_FALSE(queue.visiting());
  std::vector<int> left;
  while (!queue.empty()) left.push_back(static_cast<int>(queue.Pop().request - requests));
  EXPECT_EQ(left, (std::vector<int>{0, 1, 3, 4, 5}));
}

// Who gets on waits for its turn, and no longer than that.
TEST(HeldQueue, TimeBeginsAnewWithEachThatIsSent) {
  HeldQueue queue(9);
  Request requests[4];
  for (uint32_t i = 0; i < 4; ++i) {
    requests[i].frame = "frame";
    requests[i].session = i % 2;
    queue.Push(&requests[i], 100);
  }
  queue.Pop();
  queue.NoteSent(0, 140);
  EXPECT_EQ(queue.session_count(), 2u);
  EXPECT_EQ(queue.PopDue(150, 50), &requests[1]);
  EXPECT_EQ(queue.PopDue(150, 50), &requests[3]);
  EXPECT_EQ(queue.PopDue(189, 50), nullptr);
  EXPECT_EQ(queue.PopDue(190, 50), &requests[2]);
  EXPECT_TRUE(queue.empty());
}

}  // namespace
}  // namespace gemel::held_queue_test
