// The commands and keys of a frame that is looked at again.

#include "backend/shard/frame_keys.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "backend/keys/key_name.h"
#include "tests/unit/fake_transport.h"

namespace gemel::frame_keys_test {
namespace {

using Args = std::vector<std::string_view>;

std::string Block(const std::vector<Args>& commands) {
  std::string block(kMultiFrame);
  for (const Args& command : commands) block += Command(command);
  return block + std::string(kExecFrame);
}

class FrameKeysTest : public ::testing::Test {
 protected:
  // Names and whether they are all; then each command's.
  std::string Look(const std::string& frame, uint8_t database = 0) {
    const CommandRow* row = keys_.SplitWithRow(frame);
    std::string text = keys_.Find(row, database) ? "all:" : "not all:";
    for (size_t i = 0; i < keys_.size(); ++i) text += " " + PrintableName(keys_.key(i));
    keys_.ForEachCommand(row, database, [&](const FrameKeys::Command& command) {
      text += "; " + (command.row == nullptr ? "?" : std::string(command.row->name)) + " " +
              std::to_string(command.database) + " " + std::to_string(command.begin) + "-" +
              std::to_string(command.end);
    });
    return text;
  }
  std::string Slowest(const std::string& frame) {
    const CommandRow* row = keys_.SplitWithRow(frame);
    return row == nullptr ? "?" : std::string(row->name);
  }

  CommandTable table_;
  FrameKeys keys_{&table_};
};

TEST_F(FrameKeysTest, OfOneCommand) {
  EXPECT_EQ(Look(Command({"MSET", "a", "1", "b", "2"})), "all: \"a\" \"b\"; mset 0 0-2");
  EXPECT_EQ(Look(Command({"GET", "a"}), 3), "all: \"a\" of database 3; get 3 0-1");
  EXPECT_EQ(Look(Command({"FLUSHALL"})), "not all:; flushall 0 0-0");
  EXPECT_EQ(Look(Command({"MOVE", "a", "2"})), "all: \"a\" \"a\" of database 2; move 0 0-2");
}

TEST_F(FrameKeysTest, OfABlock) {
  EXPECT_EQ(Look(Block({{"SET", "a", "1"}, {"MGET", "b", "c"}})),
            "all: \"a\" \"b\" \"c\"; set 0 0-1; mget 0 1-3");
  EXPECT_EQ(
      Look(Block({{"SET", "a", "1"}, {"SELECT", "2"}, {"SET", "a", "1"}, {"SELECT", "1"}}), 1),
      "all: \"a\" of database 1 \"a\" of database 2; set 1 0-1; select 1 1-1; set 2 1-2; "
      "select 2 2-2");
  // One that a node refuses.
  EXPECT_EQ(Look(Block({{"SELECT", "x"}, {"SET", "a", "1"}}), 1),
            "all: \"a\" of database 1; select 1 0-0; set 1 0-1");
}

// A read without keys does not matter, a write does, and so does what is not known.
TEST_F(FrameKeysTest, WhetherAllAreKnown) {
  EXPECT_EQ(Look(Block({{"SET", "a", "1"}, {"DBSIZE"}})), "all: \"a\"; set 0 0-1; dbsize 0 1-1");
  EXPECT_EQ(Look(Block({{"SET", "a", "1"}, {"FLUSHDB"}})),
            "not all: \"a\"; set 0 0-1; flushdb 0 1-1");
  EXPECT_EQ(Look(Block({{"SET", "a", "1"}, {"NONE", "b"}})), "not all: \"a\"; set 0 0-1; ? 0 1-1");
  EXPECT_EQ(Look(Block({})), "not all:");
}

// Which of them says how long a node may take.
TEST_F(FrameKeysTest, TheSlowestSpeaksForABlock) {
  EXPECT_EQ(Slowest(Block({{"GET", "a"}, {"INCR", "a"}})), "get");
  EXPECT_EQ(Slowest(Block({{"GET", "a"}, {"SMEMBERS", "a"}, {"INCR", "a"}})), "smembers");
  EXPECT_EQ(Slowest(Block({{"SMEMBERS", "a"}, {"EVAL", "x", "1", "k"}})), "eval");
  EXPECT_EQ(Slowest(Block({{"GET", "a"}, {"NONE"}})), "?");
}

}  // namespace
}  // namespace gemel::frame_keys_test
