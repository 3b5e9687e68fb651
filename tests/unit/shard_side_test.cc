// Reads that end connections, large replies, arguments that nodes do not take: on the side link, or
// refused, with everybody else undisturbed.

#include <gtest/gtest.h>

#include "tests/unit/shard_world.h"

namespace gemel::shard_side_test {
namespace {

class ShardSideTest : public ShardWorld {
 protected:
  void Begin(uint32_t copies) {
    MakeUp(copies);
    sides_.resize(copies);
    for (uint32_t i = 0; i < copies; ++i) shard_->side_link(i)->set_transport(&sides_[i]);
  }
  void SideUp(uint32_t copy) {
    Link* link = shard_->side_link(copy);
    if (link->state() == Link::State::kDown) shard_->Tick(now_ms_ += 100, 0);
    ASSERT_EQ(link->state(), Link::State::kConnecting);
    link->OnConnected(now_ms_);
    Answer(link, HandshakeReplies("r" + std::to_string(copy)), now_ms_);
    if (!link->up()) Answer(link, ":1\r\n", now_ms_);  // it ended the connection before
    ASSERT_TRUE(link->up());
  }
  // Behind the handshake.
  std::string SentAside(uint32_t copy) {
    const std::string sent = sides_[copy].Sent(shard_->side_link(copy));
    const std::string last = Command({"HELLO", "3"});
    const size_t at = sent.find(last);
    return at == std::string::npos ? sent : sent.substr(at + last.size());
  }
  void ReplyAside(uint32_t copy, const std::string& bytes) {
    Answer(shard_->side_link(copy), bytes, now_ms_);
  }
  void LoseSide(uint32_t copy) { shard_->side_link(copy)->OnClosed("reset", false, now_ms_); }
  static std::string Large() {
    std::string out;
    AppendBulk(&out, std::string(HeavyReads::kLarge, 'x'));
    return out;
  }

  std::deque<FakeTransport> sides_;
};

TEST_F(ShardSideTest, SuspectsGoAloneAtFirst) {
  Begin(2);
  std::vector<Asked*> reads;
  for (const char* key : {"a", "b", "c", "d", "e"}) reads.push_back(Ask({"GET", key}, 7));
  Sent(0);
  Lose(0);
  RunEdits();
  EXPECT_EQ(Sent(1), "") << "not where others would be hurt";
  SideUp(1);
  EXPECT_EQ(SentAside(1), Command({"GET", "a"}));
  ReplyAside(1, "$1\r\n1\r\n");
  EXPECT_EQ(reads[0]->told, "$1\r\n1\r\n");
  EXPECT_EQ(SentAside(1), Command({"GET", "b"}) + Command({"GET", "c"}));
  ReplyAside(1, "$1\r\n2\r\n$1\r\n3\r\n");
  EXPECT_EQ(SentAside(1), Command({"GET", "d"}) + Command({"GET", "e"}));
  // The session's next one goes where they are, and what it writes waits. Another's does not.
  reply_log2_ = 5;
  Asked* later = Ask({"GET", "f"}, 7);
  Ask({"SET", "f", "7"}, 7);
  Ask({"GET", "g"}, 8);
  EXPECT_EQ(Sent(1), Command({"GET", "g"}));
  ReplyAside(1, "$1\r\n4\r\n$1\r\n5\r\n");
  EXPECT_EQ(reads[4]->told, "$1\r\n5\r\n");
  Reply(1, "$1\r\n7\r\n");
  EXPECT_EQ(SentAside(1), Command({"GET", "f"}));
  ReplyAside(1, "$1\r\n6\r\n");
  EXPECT_EQ(later->told, "$1\r\n6\r\n");
  EXPECT_EQ(Sent(1), Command({"SET", "f", "7"}));
}

// Its death may be noticed by the health checks alone.
TEST_F(ShardSideTest, WhatIsOnTheSideLinkOfANodeThatIsDownIsAskedElsewhere) {
  for (const bool main_is_up : {true, false}) {
    SCOPED_TRACE(main_is_up);
    sides_.clear();
    Begin(3);
    Asked* read = Ask({"GET", "a"}, 7);
    Sent(0);
    Lose(0);
    RunEdits();
    ASSERT_EQ(Durable().primary, 1u);
    SideUp(1);
    EXPECT_EQ(SentAside(1), Command({"GET", "a"}));
    if (!main_is_up) Lose(1);
    shard_->nodes().OnProbe(1, ProbeOutcome::kHardError, now_ms_ += 1);
    EXPECT_FALSE(shard_->side_link(1)->up());
    RunEdits();
    ASSERT_EQ(Durable().primary, 2u);
    SideUp(2);
    EXPECT_EQ(SentAside(2), Command({"GET", "a"}));
    ReplyAside(2, "$1\r\n1\r\n");
    EXPECT_EQ(read->told, "$1\r\n1\r\n");
  }
}

TEST_F(ShardSideTest, TheOneThatEndsConnectionsIsRefused) {
  Begin(2);
  Asked* good = Ask({"GET", "good"}, 1);
  Asked* bad = Ask({"GET", "bad"}, 2);
  Asked* other = Ask({"GET", "other"}, 3);
  Sent(0);
  Lose(0);
  RunEdits();
  SideUp(1);
  EXPECT_EQ(SentAside(1), Command({"GET", "good"}));
  ReplyAside(1, "$1\r\n1\r\n");
  EXPECT_EQ(SentAside(1), Command({"GET", "bad"}) + Command({"GET", "other"}));
  LoseSide(1);  // it is not known which of the two
  EXPECT_EQ(bad->told + other->told, "");
  SideUp(1);
  EXPECT_EQ(SentAside(1), Command({"GET", "bad"}));
  LoseSide(1);
  EXPECT_TRUE(bad->told.starts_with("-ERR the connection to node n1 ended 3 times")) << bad->told;
  SideUp(1);
  EXPECT_EQ(SentAside(1), Command({"GET", "other"}));
  ReplyAside(1, "$1\r\n2\r\n");
  EXPECT_EQ(good->told + other->told, "$1\r\n1\r\n$1\r\n2\r\n");
  EXPECT_TRUE(shard_->link(1)->up());
  EXPECT_EQ(shard_->figures().Get("blamed_reads"), 1u);
  // It is remembered: the next time it does not come near the others.
  Asked* again = Ask({"GET", "bad"}, 4);
  EXPECT_EQ(Sent(1), "");
  EXPECT_EQ(SentAside(1), Command({"GET", "bad"}));
  LoseSide(1);
  EXPECT_TRUE(again->told.starts_with("-ERR ")) << again->told;
}

TEST_F(ShardSideTest, WhatBringsNoReplyIsToldSo) {
  Begin(2);
  Asked* first = Ask({"GET", "first"}, 1);
  Asked* second = Ask({"GET", "second"}, 2);
  Sent(0);
  Reply(0, "?\r\n");  // no reply at all
  RunEdits();
  EXPECT_TRUE(first->told.starts_with("-ERR node n0: the node sent")) << first->told;
  EXPECT_EQ(Sent(1), Command({"GET", "second"})) << "it is no suspect";
  Reply(1, "$1\r\n2\r\n");
  EXPECT_EQ(second->told, "$1\r\n2\r\n");
}

TEST_F(ShardSideTest, WhatIsGivenUpHereIsTheFirstInLinesFault) {
  Begin(2);
  Ask({"GET", "first"}, 1);
  Asked* second = Ask({"GET", "second"}, 2);
  Sent(0);
  shard_->link(0)->Fail("no answer");
  RunEdits();
  EXPECT_EQ(Sent(1), Command({"GET", "second"}));
  Reply(1, "$1\r\n2\r\n");
  EXPECT_EQ(second->told, "$1\r\n2\r\n");
  SideUp(1);
  EXPECT_EQ(SentAside(1), Command({"GET", "first"}));
}

TEST_F(ShardSideTest, SeesTheWritesThatWereSentBefore) {
  Begin(2);
  Ask({"GET", "k"}, 1);
  Sent(0);
  Sent(1);
  Lose(0);
  RunEdits();
  Reply(1, "");
  Asked* write = Ask({"SET", "x", "1"}, 2);
  SideUp(1);
  EXPECT_EQ(SentAside(1), Command({"GET", "k"})) << "that came after it";
  ReplyAside(1, "$-1\r\n");
  Sent(1);
  // A large one, known by now, behind a write that is not answered yet.
  Reply(1, "+OK\r\n");
  EXPECT_EQ(write->told, "+OK\r\n");
  reply_log2_ = 5;
  Ask({"GET", "k"}, 3);
  Reply(1, Large());
  Sent(1);
  Ask({"SET", "k", "2"}, 3);
  Asked* read = Ask({"GET", "k"}, 3);
  EXPECT_EQ(Sent(1), Command({"SET", "k", "2"}));
  EXPECT_EQ(SentAside(1), "");
  Reply(1, "+OK\r\n");
  shard_->Tick(now_ms_ += 10, 0);
  EXPECT_EQ(SentAside(1), Command({"GET", "k"}));
  ReplyAside(1, "$1\r\n2\r\n");
  EXPECT_EQ(read->told, "$1\r\n2\r\n");
}

TEST_F(ShardSideTest, LargeRepliesAreAsManyAsThereIsRoomFor) {
  Begin(1);
  Ask({"GET", "k"}, 1);
  Reply(0, Large());
  for (uint32_t i = 0; i < 100; ++i) Ask({"GET", "k"}, 10 + i);
  EXPECT_EQ(Sent(0), Command({"GET", "k"}));
  SideUp(0);
  EXPECT_EQ(SentAside(0), Command({"GET", "k"}));
  size_t most = 0;
  for (int left = 100; left > 0;) {
    ReplyAside(0, Large());
    --left;
    most = std::max(most, shard_->side_link(0)->line().size());
    SentAside(0);
  }
  EXPECT_GT(most, 4u);
  EXPECT_LE(most * Large().size(), SideReads::kRoom);
  EXPECT_EQ(shard_->figures().Get("side_reads"), 100u);
  for (const Asked& asked : asked_) EXPECT_EQ(asked.told.size(), Large().size());
}

TEST_F(ShardSideTest, IsCarefulAfterANodeHasClosedALink) {
  Begin(2);
  Ask({"GET", "a"}, 1);
  Sent(0);
  Lose(0);
  RunEdits();
  SideUp(1);
  EXPECT_EQ(SentAside(1), Command({"GET", "a"}));
  // Of a session that nothing is known of, and of one that gets small replies.
  Ask({"GET", "b"}, 2);
  reply_log2_ = 5;
  Asked* known = Ask({"GET", "c"}, 3);
  reply_log2_ = 0;
  EXPECT_EQ(Sent(1), Command({"GET", "c"}));
  ReplyAside(1, "$1\r\n1\r\n");
  EXPECT_EQ(SentAside(1), Command({"GET", "b"}));
  ReplyAside(1, "$1\r\n2\r\n");
  Reply(1, "$1\r\n3\r\n");
  EXPECT_EQ(known->told, "$1\r\n3\r\n");
  // Not for ever.
  Pass(2500);
  Ask({"GET", "d"}, 4);
  EXPECT_EQ(Sent(1), Command({"GET", "d"}));
}

// Where a node closes connections that take too much, nothing whose size is not known comes near
// the writes, from the first request on.
TEST_F(ShardSideTest, IsAlwaysCarefulWhereNodesHaveLimits) {
  std::string limits;
  AppendBulk(&limits, "maxmemory-clients");
  AppendBulk(&limits, "104857600");
  Make(2);
  sides_.resize(2);
  for (uint32_t i = 0; i < 2; ++i) {
    shard_->side_link(i)->set_transport(&sides_[i]);
    std::string replies = HandshakeReplies("r" + std::to_string(i));
    const std::string none = "*0\r\n*0\r\n*0\r\n";
    replies.replace(replies.find(none), 4, "*2\r\n" + limits);
    gemel::MakeUp(shard_->link(i), &transports_[i], replies, now_ms_);
  }
  shard_->Tick(now_ms_ += 2000, 0);
  Asked* write = Ask({"INCR", "n"}, 1);
  reply_log2_ = 19;  // as a client of whom nothing is known has it
  for (uint32_t i = 0; i < 200; ++i) Ask({"GET", "large"}, 2);
  reply_log2_ = 5;
  Asked* small = Ask({"GET", "small"}, 3);
  EXPECT_EQ(Sent(0), Command({"INCR", "n"}) + Command({"GET", "small"}));
  Reply(0, ":1\r\n$1\r\n1\r\n");
  Reply(1, ":1\r\n");
  EXPECT_EQ(write->told, ":1\r\n");
  EXPECT_EQ(small->told, "$1\r\n1\r\n");
  SideUp(0);
  EXPECT_EQ(SentAside(0), Command({"GET", "large"}));
  size_t most = 0;
  for (int i = 0; i < 20; ++i) {
    ReplyAside(0, "$1\r\n1\r\n");
    most = std::max(most, shard_->side_link(0)->line().size());
    SentAside(0);
  }
  EXPECT_GT(most, 16u);
  EXPECT_LE(most, (100u << 20) / SideReads::kPartOfOutput >> 18) << "what they may bring";
}

TEST_F(ShardSideTest, WithoutASideLinkTheMainOneIsUsed) {
  Begin(1);
  Ask({"GET", "k"}, 1);
  Reply(0, Large());
  Sent(0);
  Asked* read = Ask({"GET", "k"}, 2);
  for (int i = 0; i < 2; ++i) {
    shard_->Tick(now_ms_ += 2000, 0);
    shard_->side_link(0)->OnClosed("max number of clients reached", false, now_ms_);
  }
  shard_->Tick(now_ms_ += 10, 0);
  EXPECT_EQ(Sent(0), Command({"GET", "k"}));
  Reply(0, Large());
  EXPECT_EQ(read->told, Large());
}

TEST_F(ShardSideTest, ClientsThatAreGoneAreNotAskedFor) {
  Begin(2);
  Asked* read = Ask({"GET", "k"}, 5);
  Sent(0);
  gone_ = 5;
  Lose(0);
  EXPECT_EQ(read->told, "-ERR the client is gone\r\n");
}

TEST_F(ShardSideTest, WhatWasNotReadGoesAgain) {
  base_.grace_ms = 40;
  Begin(2);
  Asked* large = Ask({"SET", "k", std::string(2 << 20, 'x')}, 1);
  Asked* behind = Ask({"INCR", "n"}, 2);
  Sent(0);
  Sent(1);
  for (uint32_t copy : {0u, 1u}) {
    Reply(copy, "-ERR Protocol error: invalid bulk length\r\n");
    Lose(copy);
  }
  EXPECT_EQ(large->told, "-ERR Protocol error: invalid bulk length\r\n");
  EXPECT_EQ(behind->told, "");
  for (uint32_t copy : {0u, 1u}) Up(copy, "r" + std::to_string(copy));
  RunEdits();
  shard_->Tick(now_ms_ += 10, 0);
  EXPECT_EQ(Sent(0), Command({"INCR", "n"}));
  EXPECT_EQ(Sent(1), Command({"INCR", "n"}));
  EXPECT_EQ(edits_, "") << "nobody had to leave";
  // Learnt: what is as long is refused at once.
  EXPECT_EQ(Ask({"SET", "k", std::string(2 << 20, 'x')}, 1)->told,
            "-ERR Protocol error: invalid bulk length\r\n");
  EXPECT_EQ(Sent(0), "");
}

}  // namespace
}  // namespace gemel::shard_side_test
