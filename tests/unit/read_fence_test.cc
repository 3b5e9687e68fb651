// The fence that keeps a session from reading what it writes later.

#include "proxy/session/read_fence.h"

#include <gtest/gtest.h>

#include <deque>
#include <random>
#include <string>
#include <vector>

namespace gemel::read_fence_test {
namespace {

using Mark = ReadFence::Mark;

TEST(ReadFence, StopsWritesOfKeysBeingRead) {
  ReadFence fence;
  const Mark a = ReadFence::MarkOf("a");
  const Mark b = ReadFence::MarkOf("b");
  EXPECT_FALSE(fence.Blocks(a));
  EXPECT_FALSE(fence.Blocks(ReadFence::kAnyKey));
  fence.PushRead(a);
  fence.PushOther();
  EXPECT_TRUE(fence.Blocks(a));
  EXPECT_FALSE(fence.Blocks(b));
  EXPECT_TRUE(fence.Blocks(ReadFence::kAnyKey));
  fence.Pop();
  EXPECT_FALSE(fence.Blocks(a));
  EXPECT_FALSE(fence.Blocks(ReadFence::kAnyKey));
  fence.Pop();
  EXPECT_TRUE(fence.empty());
}

TEST(ReadFence, AReadOfUnknownKeysStopsEveryWrite) {
  ReadFence fence;
  fence.PushRead(ReadFence::kAnyKey);
  EXPECT_TRUE(fence.Blocks(ReadFence::MarkOf("a")));
  fence.Pop();
  EXPECT_FALSE(fence.Blocks(ReadFence::MarkOf("a")));
}

// Against a list that is searched.
TEST(ReadFence, AgreesWithAListThatIsSearched) {
  std::mt19937 random(7);
  ReadFence fence;
  std::deque<std::vector<Mark>> line;
  std::vector<Mark> keys;
  for (int i = 0; i < 200; ++i) keys.push_back(ReadFence::MarkOf("key" + std::to_string(i)));
  for (int step = 0; step < 200000; ++step) {
    const size_t longest = step / 1000 % 2 == 0 ? 300 : 3;
    if (line.size() < longest && random() % 2 == 0) {
      std::vector<Mark> read;
      for (size_t more = random() % 4; more > 0; --more) read.push_back(keys[random() % 200]);
      if (random() % 50 == 0) read = {ReadFence::kAnyKey};
      if (read.empty()) {
        fence.PushOther();
      } else if (read.size() == 1) {
        fence.PushRead(read[0]);
      } else {
        fence.PushRead(read);
      }
      line.push_back(read);
    } else if (!line.empty()) {
      line.pop_front();
      fence.Pop();
    }
    const Mark asked = random() % 20 == 0 ? ReadFence::kAnyKey : keys[random() % 200];
    bool blocks = false;
    for (const std::vector<Mark>& read : line) {
      for (const Mark key : read) {
        blocks = blocks || key == asked || key == ReadFence::kAnyKey || asked == ReadFence::kAnyKey;
      }
    }
    ASSERT_EQ(fence.Blocks(asked), blocks) << step;
    ASSERT_EQ(fence.empty(), line.empty());
    if (random() % 100 == 0) fence.ReleaseMemory();
  }
}

}  // namespace
}  // namespace gemel::read_fence_test
