// Who lives: each worker, or it is as if none did.

#include "proxy/server/worker_beats.h"

#include <gtest/gtest.h>

namespace gemel::worker_beats_test {
namespace {

TEST(WorkerBeats, OneThatHangsIsEnough) {
  WorkerStats first;
  WorkerStats second;
  WorkerBeats beats({&first, &second});
  EXPECT_FALSE(beats.AllMoved());  // none has begun
  first.beats.Add(1);
  EXPECT_FALSE(beats.AllMoved());
  second.beats.Add(1);
  // What the first one did while the second was awaited counts.
  EXPECT_TRUE(beats.AllMoved());
  EXPECT_FALSE(beats.AllMoved());
  for (int i = 0; i < 3; ++i) {
    second.beats.Add(5);
    EXPECT_FALSE(beats.AllMoved());
  }
  first.beats.Add(1);
  EXPECT_TRUE(beats.AllMoved());
}

}  // namespace
}  // namespace gemel::worker_beats_test
