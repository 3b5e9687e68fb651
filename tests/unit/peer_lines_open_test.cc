// While a line's way is open, what is new goes onto the link at once; and not else.

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "tests/unit/peer_world.h"

namespace gemel::peer_test {

TEST(PeerLinesOpen, WhatIsNewGoesOutWithoutAFlushOfTheLines) {
  PeerWorld world;
  Member b;
  world.Own("b");
  world.Connect("b");
  world.Write("1");
  EXPECT_TRUE(world.up["b"]->out().empty());  // nobody knows yet where the shard is
  world.lines->Flush();
  EXPECT_FALSE(world.lines->dirty());
  world.Write("2");
  EXPECT_EQ(world.up["b"]->outstanding(), 2u);
  EXPECT_TRUE(world.lines->dirty());  // the link wants a flush
  world.Carry("b", &b);
  EXPECT_FALSE(world.lines->dirty());
  EXPECT_EQ(b.seen, (std::vector<std::string>{Set("1"), Set("2")}));
  b.Answer("+1\r\n");
  b.Answer("+2\r\n");
  world.Return("b", &b);
  EXPECT_EQ(world.asker.Take(), (std::vector<std::string>{"+1\r\n", "+2\r\n"}));
}

TEST(PeerLinesOpen, BehindWhatComesBackItWaits) {
  PeerWorld world;
  Member b;
  world.Own("b");
  world.Connect("b");
  world.Write("1");
  world.lines->Flush();
  world.Write("2");
  world.Carry("b", &b);
  ASSERT_EQ(b.got.size(), 2u);
  Request* second = b.got.back();
  b.got.pop_back();
  b.GiveAll();
  b.got.push_back(second);
  world.Return("b", &b);
  world.Write("3");
  EXPECT_EQ(world.up["b"]->outstanding(), 1u);
  b.GiveAll();
  world.Return("b", &b);
  Member c;
  world.Own("c", 2);
  world.Connect("c");
  world.Carry("c", &c);
  EXPECT_EQ(c.seen, (std::vector<std::string>{Set("1"), Set("2"), Set("3")}));
  while (!c.got.empty()) c.Answer("+OK\r\n");
  world.Return("c", &c);
  EXPECT_EQ(world.asker.Take().size(), 3u);
}

TEST(PeerLinesOpen, AnotherOwnerClosesIt) {
  PeerWorld world;
  Member b;
  world.Own("b");
  world.Connect("b");
  world.Write("1");
  world.lines->Flush();
  world.Own("c", 2);
  world.Write("2");
  EXPECT_EQ(world.up["b"]->outstanding(), 1u);
}

// What an answer that comes while a link is being lost has its client ask is not put on that link.
TEST(PeerLinesOpen, NothingGoesOntoALinkThatIsBeingLost) {
  class AsksAgain : public RequestSink {
   public:
    explicit AsksAgain(PeerWorld* world) : world_(world) {}
    void OnReply(Request* request, const Reply&) override {
      world_->dispatcher.Free(request);
      world_->Write("after");
    }

   private:
    PeerWorld* world_;
  };
  PeerWorld world;
  AsksAgain asks_again(&world);
  Member b;
  world.Own("b");
  world.Connect("b");
  const auto ticket = std::make_shared<BlockTicket>();
  Request* waits = world.asker.Make(RequestKind::kBlocking, {"BLPOP", "k", "0"});
  auto blocking = std::make_unique<BlockingCargo>();
  blocking->ticket = ticket;
  waits->Extra().cargo = std::move(blocking);
  world.lines->Submit(waits);
  world.lines->Flush();
  Request* ends = world.asker.Make(RequestKind::kUnblock, {});
  ends->sink = &asks_again;
  auto unblock = std::make_unique<UnblockCargo>();
  unblock->ticket = ticket;
  ends->Extra().cargo = std::move(unblock);
  world.lines->Submit(ends);
  world.Carry("b", &b);
  world.Lose("b");
  Member c;
  world.Own("c", 2);
  world.Connect("c");
  world.Carry("c", &c);
  EXPECT_EQ(c.seen, std::vector<std::string>{Set("after")});
  c.Answer("+OK\r\n");
  world.Return("c", &c);
  EXPECT_EQ(world.asker.Take().back(), "+OK\r\n");
}

TEST(PeerLinesOpen, WhoIsFullGoesOnOnceThereIsRoom) {
  PeerWorld world;
  Member b;
  world.Own("b");
  world.Connect("b");
  PeerLink& link = *world.up["b"];
  const std::string value(size_t{1} << 20, 'v');
  const auto write = [&] {
    world.lines->Submit(world.asker.Make(RequestKind::kWrite, {"SET", "k", value}));
  };
  write();
  world.lines->Flush();
  while (link.Takes()) write();
  const size_t sent = link.outstanding();
  EXPECT_FALSE(link.HasRoomAgain());
  write();
  world.lines->Flush();
  EXPECT_EQ(link.outstanding(), sent);
  EXPECT_FALSE(link.HasRoomAgain());
  const std::string bytes = TakeBytes(&link.out());
  link.OnTaken(bytes.size());
  EXPECT_TRUE(link.HasRoomAgain());
  EXPECT_FALSE(link.HasRoomAgain());
  world.lines->OnRoom();
  world.lines->Flush();
  EXPECT_EQ(link.outstanding(), sent + 1);
}

}  // namespace gemel::peer_test
