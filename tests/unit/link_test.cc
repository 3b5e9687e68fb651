// A link: its handshake, its line of requests, and what it does when a connection fails.

#include "backend/link/link.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <string>
#include <vector>

#include "tests/unit/fake_transport.h"

namespace gemel::link_test {
namespace {

struct Item : LinkItem {
  explicit Item(int n) : LinkItem(Kind::kRequest), number(n) {}
  int number;
};

class LinkTest : public ::testing::Test, public LinkOwner {
 protected:
  void Make(LinkOptions options = {}) {
    options.name = "node";
    link_ = std::make_unique<Link>(this, 0, &pool_, options);
    link_->set_transport(&transport_);
    link_->Start(now_ms_);
  }
  void BringUp(LinkOptions options = {}) {
    Make(std::move(options));
    MakeUp(link_.get(), &transport_, HandshakeReplies("abc", 3), now_ms_);
    log_.clear();
  }

  std::string WhyNot(const Link&, const NodeIdentity&) override { return why_not_; }
  void OnLinkUp(Link*, const NodeIdentity& identity) override {
    log_.push_back("up " + identity.run_id + " " + std::to_string(identity.keys) +
                   (identity.is_replica ? " replica" : ""));
  }
  void OnLinkReply(Link*, LinkItem* item, const Reply& reply, std::string_view frame) override {
    std::string bytes(reply.bytes);
    if (reply.buffer != nullptr) {
      EXPECT_EQ(reply.buffer->view(), reply.bytes);
      ++buffers_;
      if (take_buffers_) {
        const ByteBuffer taken = std::move(*reply.buffer);
        EXPECT_EQ(taken.view(), bytes);
      }
    }
    if (bytes.size() > 40) bytes = std::to_string(bytes.size()) + " bytes";
    bytes.erase(std::remove(bytes.begin(), bytes.end(), '\r'), bytes.end());
    std::replace(bytes.begin(), bytes.end(), '\n', '.');
    log_.push_back("reply " + std::to_string(static_cast<Item*>(item)->number) + " " + bytes +
                   " to " + std::string(frame));
    if (fail_on_reply_) link_->Fail("enough");
  }
  void OnLinkLost(Link* link, LinkItem* item, std::string_view frame) override {
    EXPECT_EQ(link->state(), Link::State::kDown);
    log_.push_back("lost " + std::to_string(static_cast<Item*>(item)->number) + " " +
                   std::string(frame));
  }
  void OnLinkDown(Link*, const std::string& reason, bool refused) override {
    log_.push_back("down " + reason + (refused ? " (refused)" : ""));
  }
  using Log = std::vector<std::string>;

  ChunkPool pool_;
  FakeTransport transport_;
  std::unique_ptr<Link> link_;
  uint64_t now_ms_ = 1000;
  Log log_;
  int buffers_ = 0;
  bool take_buffers_ = false;
  bool fail_on_reply_ = false;
  std::string why_not_;
};

TEST_F(LinkTest, ShakesHands) {
  Make();
  EXPECT_EQ(transport_.connects, 1);
  link_->OnConnected(now_ms_);
  EXPECT_EQ(link_->state(), Link::State::kHandshake);
  EXPECT_EQ(transport_.flushes, 1);
  EXPECT_EQ(transport_.Sent(link_.get()),
            Command({"PING"}) + Command({"INFO"}) + Command({"CLIENT", "ID"}));
  for (char c : HandshakeReplies("abc", 7, true)) Answer(link_.get(), std::string(1, c), now_ms_);
  EXPECT_EQ(log_, Log{"up abc 7 replica"});
  EXPECT_TRUE(link_->up());
  EXPECT_EQ(link_->times().connects(), 1u);
}

TEST_F(LinkTest, AuthenticatesAndSelects) {
  LinkOptions options;
  options.user = "u";
  options.password = "p";
  options.database = 4;
  Make(options);
  link_->OnConnected(now_ms_);
  EXPECT_TRUE(transport_.Sent(link_.get())
                  .starts_with(Command({"AUTH", "u", "p"}) + Command({"SELECT", "4"})));
  Answer(link_.get(), "+OK\r\n+OK\r\n" + HandshakeReplies("abc"), now_ms_);
  EXPECT_TRUE(link_->up());
}

TEST_F(LinkTest, IsRefusedByANodeThatIsNotReady) {
  for (const char* reply :
       {"-LOADING Redis is loading\r\n", "-NOAUTH Authentication required.\r\n"}) {
    Make();
    link_->OnConnected(now_ms_);
    log_.clear();
    Answer(link_.get(), reply, now_ms_);
    ASSERT_EQ(log_.size(), 1u);
    EXPECT_TRUE(log_[0].starts_with("down the node refuses the connection: ")) << log_[0];
    EXPECT_FALSE(link_->times().hopeful());
  }
}

std::string Times(int count, const std::string& text) {
  std::string out;
  for (int i = 0; i < count; ++i) out += text;
  return out;
}

TEST_F(LinkTest, KnowsNoRunIdWhereItIsHidden) {
  Make();
  link_->OnConnected(now_ms_);
  Answer(link_.get(), "+PONG\r\n" + Times(7, "-NOPERM no\r\n"), now_ms_);
  EXPECT_EQ(log_, Log{"up unknown 0"});
}

TEST_F(LinkTest, AnswersInLine) {
  BringUp();
  Item one(1), two(2), three(3);
  link_->Send(&one, "first");
  link_->Send(&two, "second");
  EXPECT_EQ(link_->pending(), 2u);
  EXPECT_EQ(link_->line().bytes(), 11u);
  EXPECT_EQ(transport_.Sent(link_.get()), "firstsecond");
  link_->Send(&three, "third");
  Answer(link_.get(), "+a\r\n$2\r\nb");
  Answer(link_.get(), "b\r\n>1\r\n+push\r\n:3\r\n");
  EXPECT_EQ(log_,
            (Log{"reply 1 +a. to first", "reply 2 $2.bb. to second", "reply 3 :3. to third"}));
  EXPECT_EQ(link_->pending(), 0u);
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
  EXPECT_EQ(link_->pending(), 0u);
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

TEST_F(LinkTest, AnOldConnectionThatWasEndedHauntsNoLaterOne) {
  BringUp();
  link_->OnClosed("reset", false, now_ms_);
  link_->Tick(now_ms_ += 1000, 0);
  link_->OnConnected(now_ms_);
  const std::string replies = HandshakeReplies("abc");
  Answer(link_.get(), replies.substr(0, replies.find(":7\r\n") + 4));  // up to CLIENT ID
  EXPECT_NE(transport_.Sent(link_.get()).find("KILL"), std::string::npos);
  // It answers that, and is lost before it is up.
  Answer(link_.get(), ":1\r\n");
  link_->OnClosed("reset", false, now_ms_);
  link_->Tick(now_ms_ += 1000, 0);
  MakeUp(link_.get(), &transport_, replies, now_ms_);
  EXPECT_TRUE(link_->up());
  EXPECT_FALSE(link_->identity().unsettled);
}

// What a killed proxy had sent to a node that hung is thrown away before anything new is sent.
TEST_F(LinkTest, EndsTheConnectionsOfAProxyThatWasKilled) {
  LinkOptions options;
  options.client_name = "gemel:a";
  options.after_crash = true;
  options.database = 2;
  Make(options);
  link_->OnConnected(now_ms_);
  EXPECT_EQ(transport_.Sent(link_.get()), Command({"SELECT", "2"}) + Command({"PING"}) +
                                              Command({"INFO"}) + Command({"CLIENT", "ID"}) +
                                              Command({"CLIENT", "SETNAME", "gemel:a"}));
  std::string info;
  AppendBulk(&info, "run_id:abc\r\n");
  Answer(link_.get(), "+OK\r\n+PONG\r\n" + info + ":7\r\n+OK\r\n");
  EXPECT_EQ(transport_.Sent(link_.get()), Command({"CLIENT", "LIST"}));
  std::string list;
  AppendBulk(&list,
             "id=3 addr=1:1 laddr=1:1 fd=8 name=gemel:a age=9 db=2 sub=0\n"
             "id=4 addr=1:2 laddr=1:1 fd=9 name=gemel:a age=9 db=1 sub=0\n"
             "id=5 addr=1:3 laddr=1:1 fd=10 name=gemel:ab age=9 db=2 sub=0\n"
             "id=6 addr=1:4 laddr=1:1 fd=11 name= age=9 db=2 sub=0\n"
             "id=7 addr=1:5 laddr=1:1 fd=12 name=gemel:a age=0 db=2 sub=0\n");
  Answer(link_.get(), list);
  // Before it is asked what it is and has.
  EXPECT_EQ(transport_.Sent(link_.get()),
            Command({"CLIENT", "KILL", "ID", "3"}) + Command({"CONFIG", "GET", "*-buffer-limit"}) +
                Command({"CONFIG", "GET", "proto-max-bulk-len"}) +
                Command({"CONFIG", "GET", "maxmemory*"}) + Command({"ROLE"}) + Command({"DBSIZE"}));
  Answer(link_.get(),
         ":1\r\n*0\r\n-ERR no such option\r\n*0\r\n*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n:5\r\n");
  EXPECT_TRUE(link_->up());
  // Only the first time, also with options that came later.
  options.name = "node";
  options.after_crash = false;
  link_->set_options(options);
  link_->OnClosed("reset", false, now_ms_);
  link_->Tick(now_ms_ += 1000, 0);
  link_->OnConnected(now_ms_);
  Answer(link_.get(), "+PONG\r\n" + info + ":9\r\n+OK\r\n");
  EXPECT_EQ(transport_.Sent(link_.get()).find("LIST"), std::string::npos);
}

TEST_F(LinkTest, AListOfClientsThatIsNotGivenIsNoHindrance) {
  LinkOptions options;
  options.client_name = "gemel:a";
  options.after_crash = true;
  Make(options);
  link_->OnConnected(now_ms_);
  std::string info;
  AppendBulk(&info, "run_id:abc\r\n");
  Answer(link_.get(), "+PONG\r\n" + info + ":7\r\n-NOPERM no\r\n-NOPERM no\r\n");
  Answer(link_.get(), Times(3, "-NOPERM no\r\n") + "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n:5\r\n");
  EXPECT_TRUE(link_->up());
}

TEST_F(LinkTest, AsksForTheNodesLimits) {
  Make();
  link_->OnConnected(now_ms_);
  std::string info;
  AppendBulk(&info, "run_id:abc\r\n");
  auto pairs = [](std::vector<std::string> words) {
    std::string out;
    AppendArrayHeader(&out, words.size());
    for (const std::string& word : words) AppendBulk(&out, word);
    return out;
  };
  Answer(link_.get(), "+PONG\r\n" + info + ":7\r\n");
  Answer(link_.get(), pairs({"client-query-buffer-limit", "2097152", "client-output-buffer-limit",
                             "normal 9000000 8000000 60 slave 1 1 1 pubsub 1 1 1"}));
  Answer(link_.get(), pairs({"proto-max-bulk-len", "1048576"}));
  Answer(link_.get(), pairs({"maxmemory-clients", "5%", "maxmemory", "100000000"}));
  Answer(link_.get(), "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n:5\r\n");
  ASSERT_TRUE(link_->up());
  EXPECT_EQ(link_->identity().limits.argument, 1048576u);
  EXPECT_EQ(link_->identity().limits.output, 5000000u);
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

TEST_F(LinkTest, KnowsWhoKeepsEveryWrite) {
  for (const std::string fsync : {"", "always", "everysec", "no"}) {
    for (const std::string on_rewrite : {"no", "yes"}) {
      Make();
      MakeUp(link_.get(), &transport_, HandshakeReplies("abc", 3, false, fsync, on_rewrite),
             now_ms_);
      EXPECT_TRUE(link_->up());
      EXPECT_EQ(link_->identity().keeps_writes, fsync == "always" && on_rewrite == "no");
    }
  }
}

TEST_F(LinkTest, IsNotUpWithANodeThatIsNotToBeUsed) {
  why_not_ = "it is the same server";
  Make();
  MakeUp(link_.get(), &transport_, HandshakeReplies("abc"), now_ms_);
  EXPECT_EQ(log_, Log{"down it is the same server"});
  EXPECT_FALSE(link_->times().hopeful());  // it is tried again after a while, not at once
  link_->Tick(now_ms_, 0);
  EXPECT_EQ(link_->state(), Link::State::kDown);
}

TEST_F(LinkTest, IsNotUpWithAnotherGemel) {
  Make();
  link_->OnConnected(now_ms_);
  std::string info;
  AppendBulk(&info, "redis_version:7.0.15\r\ngemel_version:0.1.0\r\nrun_id:abc\r\n");
  Answer(link_.get(), "+PONG\r\n" + info, now_ms_);
  EXPECT_EQ(log_, Log{"down it is a gemel, no Redis server: name the nodes themselves"});
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
      EXPECT_LE(link_->partial_bytes(), 4096u);
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
