// Writes of which the other copies get commands that are made of what the first one answered.

#include <gtest/gtest.h>

#include <string>

#include "backend/command/rewrite.h"
#include "tests/unit/state_copy_world.h"

namespace gemel::state_copy_test {
namespace {

using StateCopyRewritesTest = StateCopyWorld;

TEST_F(StateCopyRewritesTest, Rewritten) {
  Begin({"k"}, {"SPOP", "k", "2"}, RewriteSpop);
  EXPECT_EQ(Line(0), frame_);  // alone, without a question before
  EXPECT_TRUE(Locked("k"));
  Reply(0, {Array({Bulk("a"), Bulk("b")})});
  EXPECT_EQ(Line(1), Frames({{"SREM", "k", "a", "b"}}));
  Reply(1, {":2\r\n"});
  ExpectEnd("executed 0 known *2 $1 a $1 b; has 1; ");
}

TEST_F(StateCopyRewritesTest, RewrittenToNothing) {
  Begin({"k"}, {"SPOP", "k"}, RewriteSpop);
  Reply(0, {"$-1\r\n"});
  ExpectEnd("executed 0 known $-1; has 1; ");
}

// What the reply does not tell is asked right behind the command, and the keys stay locked so long.
TEST_F(StateCopyRewritesTest, RewrittenByWhatIsAsked) {
  const Args add = {"XADD", "k", "MAXLEN", "~", "5", "*", "f", "v"};
  const auto begin = [&] {
    events_.clear();
    up_ = 7;
    Begin({"k"}, add, RewriteXadd, AskXadd);
    EXPECT_EQ(Line(0), frame_ + Frames({{"XLEN", "k"}}));
  };
  begin();
  Reply(0, {Bulk("7-0")});
  EXPECT_EQ(Line(1), "");
  EXPECT_TRUE(Locked("k"));
  Reply(0, {":6\r\n"});
  EXPECT_FALSE(Locked("k"));
  EXPECT_EQ(Line(1), Frames({{"XADD", "k", "MAXLEN", "=", "6", "7-0", "f", "v"}}));
  Reply(1, {Bulk("7-0")});
  ExpectEnd("executed 0 known $3 7-0; has 1; ");
  begin();
  Reply(0, {"-WRONGTYPE no\r\n", "-WRONGTYPE no\r\n"});
  ExpectEnd("refused -WRONGTYPE no; ");
  begin();
  Reply(0, {Bulk("7-0"), "-ERR no\r\n"});
  ExpectEnd("executed 0 unknown $3 7-0; ");
  begin();
  Reply(0, {Bulk("7-0")});
  Lose(0);
  ExpectEnd("lost 0 sent; ");
}

// Nobody sees one command of several without the others.
TEST_F(StateCopyRewritesTest, RewrittenToSeveral) {
  const auto begin = [&] {
    events_.clear();
    up_ = 7;
    Begin({"k"}, {"XCLAIM", "k", "g", "c", "5", "1-0", "2-0"}, RewriteXclaim);
    Reply(0, {Array({Bulk("1-0")})});
    EXPECT_EQ(Line(1), Frames({{"MULTI"},
                               {"XCLAIM", "k", "g", "c", "0", "1-0"},
                               {"XCLAIM", "k", "g", "c", "9223372036854775807", "2-0", "JUSTID"},
                               {"EXEC"}}));
  };
  const std::string executed = "executed 0 known *1 $3 1-0; ";
  begin();
  Reply(1, {"+OK\r\n", "+QUEUED\r\n", "+QUEUED\r\n", Array({Array({Bulk("1-0")}), Array({})})});
  ExpectEnd(executed + "has 1; ");
  begin();
  Reply(1, {"+OK\r\n", "+QUEUED\r\n", "+QUEUED\r\n", Array({Array({}), "-NOGROUP no\r\n"})});
  ExpectEnd(executed + "not 1 -NOGROUP no; ");
  begin();
  Reply(1, {"+OK\r\n"});
  Lose(1);
  ExpectEnd(executed + "lost 1; ");
}

TEST_F(StateCopyRewritesTest, RewrittenErrorsAndLosses) {
  Begin({"k"}, {"SPOP", "k"}, RewriteSpop);
  Reply(0, {"-WRONGTYPE no\r\n"});
  ExpectEnd("refused -WRONGTYPE no; ");
  events_.clear();
  Begin({"k"}, {"SPOP", "k"}, RewriteSpop);
  Lose(0);
  ExpectEnd("lost 0 sent; ");
  events_.clear();
  up_ = 7;
  Begin({"k"}, {"SPOP", "k"}, RewriteSpop);
  Reply(0, {Bulk("a")});
  Reply(1, {"-WRONGTYPE no\r\n"});
  ExpectEnd("executed 0 known $1 a; not 1 -WRONGTYPE no; ");
  events_.clear();
  Begin({"k"}, {"SPOP", "k"}, RewriteSpop);
  Reply(0, {Bulk("a")});
  Lose(1);
  ExpectEnd("executed 0 known $1 a; lost 1; ");
}

}  // namespace
}  // namespace gemel::state_copy_test
