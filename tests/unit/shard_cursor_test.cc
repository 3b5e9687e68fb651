// Reads that go on from a cursor: to whom they go, with which cursor, and what the client gets.

#include <gtest/gtest.h>

#include "backend/command/block.h"
#include "backend/keys/cursor.h"
#include "tests/unit/shard_world.h"

namespace gemel::shard_cursor_test {
namespace {

class ShardCursorTest : public ShardWorld {
 protected:
  static std::string Tagged(uint64_t node, const std::string& process) {
    uint64_t cursor = 0;
    EXPECT_TRUE(JoinCursor({node, CursorTagOf(process)}, &cursor));
    return std::to_string(cursor);
  }
  static std::string Page(const std::string& cursor) {
    std::string reply = "*2\r\n";
    AppendBulk(&reply, cursor);
    return reply + "*1\r\n$1\r\nk\r\n";
  }
  Asked* Scan(const std::string& frame, RequestKind kind = RequestKind::kRead,
              std::string_view row = "hscan") {
    Asked* request = &asked_.emplace_back();
    request->sink = this;
    request->session = 1;
    request->row = table_.FindByName(row);
    request->kind = kind;
    request->block = IsBlock(frame);
    request->primary_only = request->cursors = true;
    frames_.push_back(frame);
    request->frame = frames_.back();
    shard_->Submit(request);
    return request;
  }
  Asked* HScan(const std::string& cursor) { return Scan(Command({"HSCAN", "h", cursor})); }
  static std::string Block(const std::string& inside) {
    return std::string(kMultiFrame) + inside + std::string(kExecFrame);
  }

  std::deque<std::string> frames_;
};

TEST_F(ShardCursorTest, NamesTheProcessThatGaveIt) {
  MakeUp(2, Ack::kAll, ReadFrom::kReplica);
  Asked* first = HScan("0");
  EXPECT_EQ(Sent(0), Command({"HSCAN", "h", "0"}));
  EXPECT_EQ(Sent(1), "");
  Reply(0, Page("17"));
  EXPECT_EQ(first->told, Page(Tagged(17, "r0")));
  Asked* next = HScan(Tagged(17, "r0"));
  EXPECT_EQ(Sent(0), Command({"HSCAN", "h", "17"}));
  Reply(0, Page("0"));
  EXPECT_EQ(next->told, Page("0"));
}

TEST_F(ShardCursorTest, GoesOnWhereItIsInSyncWhoeverIsThePrimary) {
  MakeUp(2);
  Asked* asked = Scan(Command({"SCAN", Tagged(5, "r1"), "COUNT", "7"}), RequestKind::kRead, "scan");
  EXPECT_EQ(Sent(1), Command({"SCAN", "5", "COUNT", "7"}));
  EXPECT_EQ(Sent(0), "");
  Reply(1, Page("6"));
  EXPECT_EQ(asked->told, Page(Tagged(6, "r1")));
}

TEST_F(ShardCursorTest, BeginsAnewOnThePrimaryWhereItsProcessIsGone) {
  MakeUp(2);
  for (const std::string& nobodys : {Tagged(5, "r7"), std::string("3"), std::string("65536")}) {
    Asked* asked = HScan(nobodys);
    EXPECT_EQ(Sent(0), Command({"HSCAN", "h", "0"})) << nobodys;
    Reply(0, Page("1"));
    EXPECT_EQ(asked->told, Page(Tagged(1, "r0")));
  }
  // A promotion: the new primary's from now on.
  Lose(0, true);
  RunEdits();
  Asked* asked = HScan(Tagged(5, "r0"));
  EXPECT_EQ(Sent(1), Command({"HSCAN", "h", "0"}));
  Reply(1, Page("2"));
  EXPECT_EQ(asked->told, Page(Tagged(2, "r1")));
  HScan(Tagged(2, "r1"));
  EXPECT_EQ(Sent(1), Command({"HSCAN", "h", "2"}));
}

TEST_F(ShardCursorTest, OneInFlightBeginsAnewElsewhere) {
  MakeUp(2);
  Asked* asked = HScan(Tagged(5, "r0"));
  EXPECT_EQ(Sent(0), Command({"HSCAN", "h", "5"}));
  Lose(0, true);
  RunEdits();
  EXPECT_EQ(Sent(1), Command({"HSCAN", "h", "0"}));
  Reply(1, Page("9"));
  EXPECT_EQ(asked->told, Page(Tagged(9, "r1")));
}

TEST_F(ShardCursorTest, OneThatANodeCannotAnswerBeginsAnewElsewhere) {
  MakeUp(2);
  Asked* asked = HScan(Tagged(5, "r0"));
  Sent(0);
  Reply(0, "-LOADING Redis is loading the dataset in memory\r\n");
  EXPECT_EQ(Sent(1), Command({"HSCAN", "h", "0"}));
  Reply(1, Page("9"));
  EXPECT_EQ(asked->told, Page(Tagged(9, "r1")));
}

TEST_F(ShardCursorTest, AnErrorStaysWhatItIs) {
  MakeUp(2);
  Asked* asked = Scan(Command({"HSCAN", "h", "word"}));
  EXPECT_EQ(Sent(0), Command({"HSCAN", "h", "word"}));
  Reply(0, "-ERR invalid cursor\r\n");
  EXPECT_EQ(asked->told, "-ERR invalid cursor\r\n");
  asked = HScan(Tagged(1, "r0"));
  Reply(0, Page("18446744073709551615"));
  EXPECT_EQ(asked->told, "-ERR node n0: its cursor is too large to carry whose it is\r\n");
}

TEST_F(ShardCursorTest, ANodeThatHidesItsRunIdIsKnownByItsName) {
  fresh_ = true;
  Make(1);
  Up(0, std::string(kHiddenRunId));
  RunEdits();
  shard_->Tick(now_ms_ += 2000, 0);
  Asked* asked = HScan("0");
  Reply(0, Page("4"));
  EXPECT_EQ(asked->told, Page(Tagged(4, "n0")));
}

TEST_F(ShardCursorTest, InATransactionThatReads) {
  MakeUp(2);
  const std::string other = Command({"GET", "x"});
  Asked* asked = Scan(Block(Command({"HSCAN", "h", Tagged(5, "r1")}) + other +
                            Command({"SCAN", Tagged(6, "r0")}) + Command({"SSCAN", "s", "0"})));
  // The first cursor's owner is asked; what is not its begins anew.
  EXPECT_EQ(Sent(1), Block(Command({"HSCAN", "h", "5"}) + other + Command({"SCAN", "0"}) +
                           Command({"SSCAN", "s", "0"})));
  Reply(1, "+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*4\r\n" + Page("7") + "$1\r\nv\r\n" +
               Page("8") + Page("0"));
  EXPECT_EQ(asked->told,
            "*4\r\n" + Page(Tagged(7, "r1")) + "$1\r\nv\r\n" + Page(Tagged(8, "r1")) + Page("0"));
}

TEST_F(ShardCursorTest, InATransactionThatWrites) {
  for (const Ack ack : {Ack::kAll, Ack::kAny}) {
    MakeUp(2, ack);
    const std::string set = Command({"SET", "k", "v"});
    Asked* asked = Scan(Block(set + Command({"HSCAN", "h", Tagged(5, "r0")})), RequestKind::kWrite);
    const std::string sent = Block(set + Command({"HSCAN", "h", "5"}));
    EXPECT_EQ(Sent(0), sent);
    EXPECT_EQ(Sent(1), sent);
    const std::string queued = "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n";
    Reply(1, queued + Page("8"));
    Reply(0, queued + Page("7"));
    // With "any" it is the first one's, and so is its cursor.
    const std::string cursor = ack == Ack::kAny ? Tagged(8, "r1") : Tagged(7, "r0");
    EXPECT_EQ(asked->told, "*2\r\n+OK\r\n" + Page(cursor));
    EXPECT_EQ(shard_->figures().Get("diverged"), 0u);
  }
}

TEST_F(ShardCursorTest, WhileTheOwnerIsSilentItIsWaitedFor) {
  MakeUp(2);
  HScan(Tagged(5, "r1"));
  EXPECT_EQ(Sent(1), Command({"HSCAN", "h", "5"}));
  Pass(60);
  EXPECT_EQ(Sent(0), "");
  HScan(Tagged(6, "r1"));
  EXPECT_EQ(Sent(1), Command({"HSCAN", "h", "6"}));
}

}  // namespace
}  // namespace gemel::shard_cursor_test
