// A link: its line of requests, what it reads, and what it does when a connection fails.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <string>
#include <vector>

#include "tests/unit/link_world.h"

namespace gemel::link_test {
namespace {

TEST_F(LinkTest, AnswersInLine) {
  BringUp();
  Item one(1), two(2), three(3);
  link_->Send(&one, "first");
  link_->Send(&two, "second");
  EXPECT_EQ(link_->line().size(), 2u);
  EXPECT_EQ(link_->line().bytes(), 11u);
  EXPECT_EQ(transport_.Sent(link_.get()), "firstsecond");
  link_->Send(&three, "third");
  Answer(link_.get(), "+a\r\n$2\r\nb");
  Answer(link_.get(), "b\r\n>1\r\n+push\r\n:3\r\n");
  EXPECT_EQ(log_,
            (Log{"reply 1 +a. to first", "reply 2 $2.bb. to second", "reply 3 :3. to third"}));
  EXPECT_EQ(link_->line().size(), 0u);
  EXPECT_EQ(link_->line().bytes(), 0u);
}

TEST_F(LinkTest, HandsBackWhatIsLost) {
  BringUp();
  Item one(1), two(2), three(3);
  link_->Send(&one, "first");
  link_->Send(&two, "second");
  link_->Send(&three, "third");
  Answer(link_.get(), "+a\r\n$3\r\nbb");
  log_.clear();
  link_->OnClosed("reset", false, now_ms_);
  EXPECT_EQ(log_, (Log{"lost 2 second", "lost 3 third", "down reset"}));
  EXPECT_TRUE(link_->out().empty());
  EXPECT_EQ(link_->line().size(), 0u);
  // Nothing of the old connection is left in the new one.
  link_->Tick(now_ms_, 0);
  EXPECT_EQ(transport_.connects, 2);
  link_->OnConnected(now_ms_);
  log_.clear();
  Answer(link_.get(), HandshakeReplies("def"), now_ms_);
  EXPECT_EQ(log_, Log{"up def 0"});
}

TEST_F(LinkTest, ItsLineCanBeLookedThroughAndReplaced) {
  BringUp();
  std::deque<Item> items;
  for (int i = 0; i < 60; ++i) {  // so that the line goes round its ring
    items.emplace_back(i);
    link_->Send(&items.back(), "x");
    Answer(link_.get(), "+a\r\n", now_ms_);
  }
  Item one(1), two(2), other(22);
  link_->Send(&one, "first");
  link_->Send(&two, "second");
  Log seen;
  const auto look = [&](LinkItem* item, std::string_view frame) {
    seen.push_back(std::to_string(static_cast<Item*>(item)->number) + " " + std::string(frame));
    return true;
  };
  link_->line().ForEach(100, look);
  link_->line().ForEach(1, look);
  EXPECT_EQ(seen, (Log{"1 first", "2 second", "1 first"}));
  link_->ReplacePending([&](LinkItem* item, std::string_view frame) {
    return frame == "second" ? static_cast<LinkItem*>(&other) : item;
  });
  log_.clear();
  Answer(link_.get(), "+a\r\n+b\r\n");
  EXPECT_EQ(log_, (Log{"reply 1 +a. to first", "reply 22 +b. to second"}));
}

TEST_F(LinkTest, KnowsWhenItHeardAndSinceWhenItWaits) {
  BringUp();
  EXPECT_EQ(link_->times().heard_ms(), 1000u);
  link_->Tick(1500, 0);
  Item one(1), two(2);
  link_->Send(&one, "first");
  link_->Tick(1600, 0);
  link_->Send(&two, "second");
  EXPECT_EQ(link_->times().waiting_since_ms(), 1500u);
  EXPECT_EQ(link_->times().heard_ms(), 1000u);
  Answer(link_.get(), "+a\r\n", 1700);
  EXPECT_EQ(link_->times().waiting_since_ms(), 1700u);
  EXPECT_EQ(link_->times().heard_ms(), 1700u);
}

TEST_F(LinkTest, MayEndInsideAReply) {
  BringUp();
  fail_on_reply_ = true;
  Item one(1), two(2);
  link_->Send(&one, "first");
  link_->Send(&two, "second");
  Answer(link_.get(), "+a\r\n+b\r\n");
  EXPECT_EQ(log_, (Log{"reply 1 +a. to first", "lost 2 second", "down enough"}));
}

TEST_F(LinkTest, EndsOnGarbageAndOnWhatNobodyAskedFor) {
  BringUp();
  // A read is answered, or it would end the next connection, too; of a write nobody knows.
  Item one(1), two(2), three(3);
  link_->Send(&one, "first");
  link_->Send(&two, "second");
  Answer(link_.get(), "garbage\r\n");
  EXPECT_EQ(log_, (Log{"reply 1 55 bytes to first", "lost 2 second",
                       "down the node sent a reply of unknown type"}));
  BringUp();
  three.item_kind = LinkItem::Kind::kWrite;
  link_->Send(&three, "third");
  Answer(link_.get(), "garbage\r\n");
  EXPECT_EQ(log_, (Log{"lost 3 third", "down the node sent a reply of unknown type"}));
  BringUp();
  Answer(link_.get(), "+OK\r\n");
  EXPECT_EQ(log_, Log{"down the node sent a reply that nothing was asked for"});
}

TEST_F(LinkTest, GivesUpASilentNode) {
  BringUp();
  link_->Tick(now_ms_ += 60000, 0);
  EXPECT_TRUE(link_->up());  // nothing is asked, nothing is owed
  Item one(1);
  link_->Send(&one, "first");
  link_->Tick(now_ms_ += 4999, 0);
  EXPECT_TRUE(link_->up());
  link_->Tick(now_ms_ += 1, 0);
  EXPECT_EQ(log_, (Log{"lost 1 first", "down no answer within 5000 ms"}));
}

TEST_F(LinkTest, WaitsWhileALargeRequestIsBeingTaken) {
  BringUp();
  Item one(1), two(2);
  link_->Send(&one, std::string(100, 'x'));
  link_->Send(&two, std::string(100, 'y'));
  const uint64_t began_ms = now_ms_;
  for (int i = 0; i < 10; ++i) {
    link_->Tick(now_ms_ += 4000, 0);
    FakeTransport::Take(link_.get(), 10, now_ms_);
    ASSERT_TRUE(link_->up()) << i;
  }
  // All of the first is with the node, and what is taken of the second is no answer to it.
  EXPECT_EQ(link_->out().bytes(), 100u);
  const uint64_t taken_ms = now_ms_;
  FakeTransport::Take(link_.get(), 50, now_ms_ += 4000);
  link_->Tick(taken_ms + 4999, 0);
  EXPECT_TRUE(link_->up());
  // Who asks for silence is told of silence.
  EXPECT_EQ(link_->times().waiting_since_ms(), began_ms);
  EXPECT_EQ(link_->times().heard_ms(), began_ms);
  Answer(link_.get(), "+a\r\n", now_ms_);
  FakeTransport::Take(link_.get(), 25, now_ms_ += 4999);
  link_->Tick(now_ms_ += 4999, 0);
  EXPECT_TRUE(link_->up());
  log_.clear();
  link_->Tick(now_ms_ += 1, 0);
  EXPECT_EQ(log_.back(), "down no answer within 5000 ms");
}

TEST_F(LinkTest, ANodeThatTakesBytesAndDoesNotAnswerIsGivenUp) {
  BringUp();
  std::deque<Item> items;
  for (int i = 0; i < 6; ++i) {
    items.emplace_back(i);
    link_->Send(&items.back(), "another");
    FakeTransport::Take(link_.get(), link_->out().bytes(), now_ms_);
    link_->Tick(now_ms_ += 999, 0);
    ASSERT_EQ(link_->up(), i < 5) << i;
    ++now_ms_;
  }
  EXPECT_EQ(log_.back(), "down no answer within 5000 ms");
}

TEST_F(LinkTest, BacksOff) {
  LinkOptions options;
  options.reconnect_min_ms = 20;
  options.reconnect_max_ms = 100;
  Make(options);
  for (uint64_t wait : {20, 40, 80, 100, 100}) {
    const int before = transport_.connects;
    link_->OnClosed("refused", true, now_ms_);
    EXPECT_FALSE(link_->times().hopeful());
    link_->Tick(now_ms_ += wait - 1, 0);
    EXPECT_EQ(transport_.connects, before);
    link_->Tick(now_ms_ += 1, 0);
    EXPECT_EQ(transport_.connects, before + 1);
  }
  EXPECT_EQ(log_.back(), "down refused (refused)");
  // An attempt that nobody answers ends by itself.
  link_->Tick(now_ms_ += 1000, 0);
  EXPECT_EQ(log_.back(), "down no connection within 1000 ms");
  link_->Stop();
  const int before = transport_.connects;
  link_->Tick(now_ms_ += 100000, 0);
  EXPECT_EQ(transport_.connects, before);
}

TEST_F(LinkTest, TheJitterIsDrawnOnceAWait) {
  LinkOptions options;
  options.reconnect_min_ms = 100;
  options.reconnect_max_ms = 100;
  Make(options);
  uint64_t shortest = ~uint64_t{0};
  uint64_t longest = 0;
  for (uint32_t drawn = 0; drawn < 100; ++drawn) {
    const int before = transport_.connects;
    const uint64_t began_ms = now_ms_;
    link_->OnClosed("refused", true, now_ms_);
    // What comes with later ticks changes nothing.
    for (uint32_t random = drawn; transport_.connects == before; random = 0) {
      link_->Tick(++now_ms_, random);
    }
    EXPECT_EQ(now_ms_ - began_ms, 100 + drawn % 26);
    shortest = std::min(shortest, now_ms_ - began_ms);
    longest = std::max(longest, now_ms_ - began_ms);
  }
  EXPECT_EQ(shortest, 100u);
  EXPECT_EQ(longest, 125u);
}

TEST_F(LinkTest, ReadsLargeRepliesWhereTheyWillLie) {
  BringUp();
  for (bool take : {false, true}) {
    take_buffers_ = take;
    buffers_ = 0;
    log_.clear();
    Item one(1), two(2);
    link_->Send(&one, "first");
    link_->Send(&two, "second");
    std::string reply = "$100000\r\n" + std::string(100000, 'v') + "\r\n";
    Answer(link_.get(), reply.substr(0, 50));
    size_t at = 50;
    size_t size = 0;
    while (char* space = link_->DirectSpace(&size)) {
      ASSERT_LE(size, reply.size() - at);
      const size_t part = std::min<size_t>(size, 7777);
      std::memcpy(space, reply.data() + at, part);
      at += part;
      link_->OnDirect(part, now_ms_);
    }
    // The last piece is too small for that, and brings the next reply along.
    Answer(link_.get(), reply.substr(at) + "+b\r\n");
    ASSERT_EQ(log_.size(), 2u);
    EXPECT_TRUE(log_[0].starts_with("reply 1 100011 bytes")) << log_[0];
    EXPECT_EQ(log_[1], "reply 2 +b. to second");
    // A reply that is alone in its buffer can be taken over.
    log_.clear();
    link_->Send(&one, "first");
    Answer(link_.get(), reply.substr(0, reply.size() - 1));
    Answer(link_.get(), reply.substr(reply.size() - 1));
    EXPECT_EQ(buffers_, 1);
    link_->Send(&two, "second");
    Answer(link_.get(), "+again\r\n");
    EXPECT_EQ(log_.back(), "reply 2 +again. to second");
  }
}

TEST_F(LinkTest, TellsIfAskedWhenAllThatCameTogetherIsTold) {
  BringUp();
  Item one(1), two(2), three(3);
  for (Item* item : {&one, &two, &three}) link_->Send(item, "x");
  Answer(link_.get(), "+a\r\n");
  EXPECT_EQ(log_, Log{"reply 1 +a. to x"}) << "nobody has asked";
  link_->TellWhenHeard(true);
  log_.clear();
  Answer(link_.get(), "+b\r\n+c\r\n");
  EXPECT_EQ(log_, (Log{"reply 2 +b. to x", "reply 3 +c. to x", "heard"}));
  // Also of what is read where it lies.
  link_->Send(&one, "x");
  Answer(link_.get(), "$100000\r\n" + std::string(1000, 'v'));
  size_t size = 0;
  char* space = link_->DirectSpace(&size);
  ASSERT_NE(space, nullptr);
  log_.clear();
  std::memset(space, 'v', 500);
  link_->OnDirect(500, now_ms_);
  EXPECT_EQ(log_, Log{"heard"});
  Answer(link_.get(), std::string(98500, 'v') + "\r\n");
  EXPECT_EQ(log_, (Log{"heard", "reply 1 100011 bytes to x", "heard"}));
  log_.clear();
  link_->TellWhenHeard(false);
  link_->Send(&two, "x");
  Answer(link_.get(), "+b\r\n");
  EXPECT_EQ(log_, Log{"reply 2 +b. to x"});
  // One that ended in a reply has been heard for the last time.
  link_->TellWhenHeard(true);
  log_.clear();
  fail_on_reply_ = true;
  link_->Send(&three, "x");
  Answer(link_.get(), "+c\r\n");
  EXPECT_EQ(log_, (Log{"reply 3 +c. to x", "down enough"}));
}

TEST_F(LinkTest, SharesAChunk) {
  BringUp();
  ByteBuffer buffer;
  buffer.Append("a large frame");
  Item one(1);
  {
    const ChunkRef chunk(pool_.Adopt(std::move(buffer)));
    link_->SendShared(&one, chunk.get());
  }
  EXPECT_EQ(transport_.Sent(link_.get()), "a large frame");
  link_->OnClosed("reset", false, now_ms_);
  EXPECT_EQ(log_[0], "lost 1 a large frame");
}

TEST_F(LinkTest, SaysHowItsConnectionEnded) {
  BringUp();
  Item one(1), two(2);
  link_->Send(&one, "first");
  link_->Send(&two, "second");
  Answer(link_.get(), "-ERR Protocol error: invalid bulk length\r\n");
  EXPECT_TRUE(link_->end().rest_unread);
  link_->OnClosed("reset", false, now_ms_);
  EXPECT_FALSE(link_->end().rest_unread);
  EXPECT_FALSE(link_->end().by_node);
  EXPECT_EQ(link_->line().answered_place(), link_->line().last_place());
}

// A reply that is too large is read to its end and not kept.
TEST_F(LinkTest, SkipsAReplyThatIsTooLarge) {
  LinkOptions options;
  options.max_reply = 1000;
  BringUp(options);
  for (const size_t step : {size_t{1}, size_t{7}, size_t{100}, size_t{100000}}) {
    log_.clear();
    Item one(1), two(2), three(3);
    for (Item* item : {&one, &two, &three}) link_->Send(item, "x");
    const std::string large = "*3\r\n:1\r\n$1500\r\n" + std::string(1500, 'v') + "\r\n+x\r\n";
    const std::string all = "+a\r\n" + large + "+b\r\n";
    for (size_t at = 0; at < all.size(); at += step) {
      Answer(link_.get(), all.substr(at, step));
      EXPECT_LE(link_->reader().partial_bytes(), 4096u);
    }
    if (step < 100000) {
      ASSERT_EQ(log_.size(), 3u) << step;
      EXPECT_EQ(log_[1].substr(0, 8), "reply 2 ");
      EXPECT_NE(log_[1].find(" bytes to x"), std::string::npos);
    }
    EXPECT_EQ(log_.front(), "reply 1 +a. to x");
    EXPECT_EQ(log_.back(), "reply 3 +b. to x");
    EXPECT_TRUE(link_->up());
  }
}

TEST_F(LinkTest, GivesUpAReplyWithoutAnEnd) {
  LinkOptions options;
  options.max_reply = 1000;
  BringUp(options);
  Item one(1), two(2);
  link_->Send(&one, "first");
  link_->Send(&two, "second");
  for (int i = 0; i < 1000 && link_->up(); ++i) Answer(link_.get(), "*1\r\n*1\r\n");
  ASSERT_EQ(log_.size(), 3u);
  EXPECT_EQ(log_[0].substr(0, 8), "reply 1 ");
  EXPECT_EQ(log_[1], "lost 2 second");
  EXPECT_EQ(log_[2].substr(0, 5), "down ");
}

}  // namespace
}  // namespace gemel::link_test
