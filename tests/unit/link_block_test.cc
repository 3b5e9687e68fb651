// A block in a link's line: its item gets what EXEC answers, or why nothing was executed.

#include "backend/link/link_block.h"

#include <gtest/gtest.h>

#include <string>

#include "backend/command/block.h"
#include "tests/unit/link_world.h"

namespace gemel::link_test::link_block_test {
namespace {

std::string Block() {
  return std::string(kMultiFrame) + Command({"SET", "k", "v"}) + Command({"GET", "k"}) +
         std::string(kExecFrame);
}

class LinkBlockTest : public LinkTest {
 protected:
  static Item One(int number) {
    Item item(number);
    item.block = true;
    return item;
  }
};

TEST_F(LinkBlockTest, ItsItemGetsWhatExecAnswers) {
  BringUp();
  Item before(1), block = One(2), behind(3);
  link_->Send(&before, "before");
  link_->Send(&block, Block());
  link_->Send(&behind, "behind");
  EXPECT_EQ(transport_.Sent(link_.get()), "before" + Block() + "behind");
  Answer(link_.get(), "+a\r\n+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n$1\r\nv\r\n+b\r\n");
  EXPECT_EQ(log_, (Log{"reply 1 +a. to before", "reply 2 *2.+OK.$1.v. to " + Block(),
                       "reply 3 +b. to behind"}));
  EXPECT_EQ(link_->line().size(), 0u);
}

TEST_F(LinkBlockTest, WhatWasRefusedWhenItWasQueuedIsTheAnswer) {
  BringUp();
  Item one = One(1), two = One(2), three = One(3);
  for (Item* item : {&one, &two, &three}) link_->Send(item, Block());
  Answer(link_.get(),
         "+OK\r\n-OOM no\r\n-ERR later\r\n-EXECABORT Transaction discarded because of previous "
         "errors.\r\n");
  Answer(link_.get(),
         "+OK\r\n+QUEUED\r\n+QUEUED\r\n-EXECABORT Transaction discarded because of: READONLY "
         "no\r\n");
  Answer(link_.get(), "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n-ERR a\r\n-ERR b\r\n");
  EXPECT_EQ(log_, (Log{"reply 1 -OOM no. to " + Block(), "reply 2 -READONLY no. to " + Block(),
                       "reply 3 *2.-ERR a.-ERR b. to " + Block()}));
}

TEST_F(LinkBlockTest, WhatIsLostIsHandedBackWhole) {
  BringUp();
  Item one = One(1), two(2);
  link_->Send(&one, Block());
  link_->Send(&two, "two");
  Answer(link_.get(), "+OK\r\n+QUEUED\r\n");
  link_->OnClosed("reset", false, now_ms_);
  EXPECT_EQ(log_, (Log{"lost 1 " + Block(), "lost 2 two", "down reset"}));
}

// Each command would be executed by itself.
TEST_F(LinkBlockTest, ANodeThatTakesNoMultiIsLeft) {
  BringUp();
  Item one = One(1);
  link_->Send(&one, Block());
  Answer(link_.get(), "-NOPERM no\r\n+OK\r\n$1\r\nv\r\n-ERR EXEC without MULTI\r\n");
  EXPECT_EQ(log_, (Log{"lost 1 " + Block(), "down the node does not take MULTI: NOPERM no"}));
}

// It would queue whatever comes.
TEST_F(LinkBlockTest, ANodeThatDoesNotExecuteExecIsLeft) {
  BringUp();
  Item one = One(1);
  link_->Send(&one, Block());
  Answer(link_.get(), "+OK\r\n+QUEUED\r\n+QUEUED\r\n-ERR unknown command 'EXEC'\r\n");
  EXPECT_EQ(log_, (Log{"lost 1 " + Block(),
                       "down the node does not execute EXEC: ERR unknown command 'EXEC'"}));
}

// The node reads no further: the block is answered by that, or it would be sent again and again.
TEST_F(LinkBlockTest, AProtocolErrorInItAnswersIt) {
  BringUp();
  Item one = One(1), two(2);
  link_->Send(&one, Block());
  link_->Send(&two, "two");
  Answer(link_.get(), "+OK\r\n-ERR Protocol error: invalid bulk length\r\n");
  EXPECT_EQ(log_, (Log{"reply 1 42 bytes to " + Block()}));
  EXPECT_TRUE(link_->end().rest_unread);
  link_->OnClosed("reset", false, now_ms_);
  EXPECT_EQ(log_.back(), "down reset");
  EXPECT_EQ(log_[1], "lost 2 two");
}

TEST_F(LinkBlockTest, ItIsInItsDatabase) {
  LinkOptions options;
  options.databases = 16;
  Make(options);
  MakeUp(link_.get(), &transport_, HandshakeReplies("abc", 3, false, "", "no", false, true),
         now_ms_);
  log_.clear();
  Item one = One(1);
  one.database = 3;
  link_->Send(&one, Block());
  EXPECT_EQ(transport_.Sent(link_.get()), Command({"SELECT", "3"}) + Block());
  // The SELECT was refused, and the block executed all the same.
  Answer(link_.get(), "-BUSY no\r\n+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n+OK\r\n");
  EXPECT_EQ(log_[0], "lost 1 " + Block());
  EXPECT_TRUE(misplaced_);
}

// While the node takes the bytes of a large one, it is not silent.
TEST_F(LinkBlockTest, ItsBytesAreThoseOfAllOfIt) {
  BringUp();
  Item one = One(1);
  link_->Send(&one, Block());
  EXPECT_EQ(link_->line().size(), 4u);
  EXPECT_EQ(link_->line().oldest_bytes(), Block().size());
  EXPECT_EQ(link_->line().bytes(), Block().size());
}

TEST_F(LinkBlockTest, InASharedChunk) {
  BringUp();
  Item one = One(1);
  const std::string block = std::string(kMultiFrame) +
                            Command({"SET", "k", std::string(100000, 'v')}) +
                            std::string(kExecFrame);
  ByteBuffer bytes;
  bytes.Append(block);
  const ChunkRef chunk(pool_.Adopt(std::move(bytes)));
  link_->SendShared(&one, chunk.get());
  EXPECT_EQ(transport_.Sent(link_.get()), block);
  Answer(link_.get(), "+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n");
  ASSERT_EQ(log_.size(), 1u);
  EXPECT_TRUE(log_[0].starts_with("reply 1 *1.+OK. to "));
}

}  // namespace
}  // namespace gemel::link_test::link_block_test
