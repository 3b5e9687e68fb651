// Requests for shards elsewhere: their order, whoever owns the shard, and what becomes of them when
// a link is lost at any point.

#include "proxy/peers/peer_lines.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>
#include <vector>

#include "tests/unit/peer_world.h"

namespace gemel::peer_test {
namespace {

using Texts = std::vector<std::string>;

TEST(PeerLinesTest, RequestsGoThereAndComeBack) {
  PeerWorld world;
  Member b;
  world.Own("b");
  world.Connect("b");
  world.Write("x");
  world.Read("x");
  EXPECT_TRUE(world.asker.replies.empty());
  EXPECT_TRUE(world.lines->Has(0));
  world.Carry("b", &b);
  EXPECT_EQ(b.seen, (Texts{Set("x"), Get("x")}));
  EXPECT_EQ(b.got[0]->kind, RequestKind::kWrite);
  EXPECT_EQ(b.got[0]->row->name, "set");
  b.Answer("$1\r\nv\r\n", 1);  // in any order
  b.Answer("+OK\r\n");
  world.Return("b", &b);
  EXPECT_EQ(world.asker.Take(), (Texts{"$1\r\nv\r\n", "+OK\r\n"}));
  EXPECT_FALSE(world.lines->Has(0));
}

TEST(PeerLinesTest, WhatIsHeldWaitsForALink) {
  PeerWorld world;
  Member b;
  world.Write("1");
  world.lines->Flush();
  world.Own("b");
  world.Write("2");
  world.lines->Flush();
  world.Connect("b");
  world.Write("3");
  world.Carry("b", &b);
  EXPECT_EQ(b.seen, (Texts{Set("1"), Set("2"), Set("3")}));
}

TEST(PeerLinesTest, WhyNobodyMayOwnAnythingIsToldToo) {
  PeerWorld world;
  world.trouble = "the registers do not answer";
  world.Write("1");
  world.now_ms += 5000;
  world.lines->Tick();
  world.lines->Flush();
  EXPECT_EQ(
      world.asker.Take()[0],
      "-CLUSTERDOWN shard 'a' cannot be reached: no member of the fleet owns it just now, for "
      "the registers do not answer\r\n");
}

TEST(PeerLinesTest, WhoWaitsTooLongIsToldWhy) {
  PeerWorld world;
  world.Write("1");
  world.now_ms += 4999;
  world.lines->Tick();
  world.lines->Flush();
  EXPECT_TRUE(world.asker.replies.empty());
  world.Own("b");
  world.Write("2");
  world.now_ms += 1;
  world.lines->Tick();
  world.lines->Flush();
  ASSERT_EQ(world.asker.replies.size(), 1u);
  EXPECT_EQ(world.asker.Take()[0].substr(0, 45), "-CLUSTERDOWN shard 'a' cannot be reached: no ");
  world.now_ms += 5000;
  world.lines->Tick();
  world.lines->Flush();
  EXPECT_EQ(world.asker.Take()[0],
            "-CLUSTERDOWN shard 'a' cannot be reached: the member 'b', which owns it, is not "
            "connected: connection refused\r\n");
}

// What came back stands in front of what was held since, in the order in which all of it came.
TEST(PeerLinesTest, OrderIsKeptWhenTheShardMoves) {
  PeerWorld world;
  Member b;
  Member c;
  world.Own("b");
  world.Connect("b");
  world.Connect("c");
  for (const char* key : {"1", "2", "3", "4"}) world.Write(key);
  world.Carry("b", &b);
  b.Answer("+one\r\n");
  b.here = false;
  world.Write("5");
  world.Carry("b", &b);
  world.Write("6");
  world.Return("b", &b);
  world.Own("c", 2);
  world.lines->Flush();
  EXPECT_EQ(world.asker.Take(), Texts{"+one\r\n"});
  // 5 is back, but 2 to 4 are not: nothing goes to the next owner.
  world.Carry("c", &c);
  EXPECT_TRUE(c.seen.empty());
  world.Carry("b", &b);  // 6 was on the link before there was another owner
  b.GiveAll();
  world.Return("b", &b);
  world.Write("7");
  world.Carry("c", &c);
  EXPECT_EQ(c.seen, (Texts{Set("2"), Set("3"), Set("4"), Set("5"), Set("6"), Set("7")}));
}

// A member that owns the shard again refuses what is still of the round before.
TEST(PeerLinesTest, ARefusedRoundStaysRefused) {
  PeerWorld world;
  Member b;
  world.Own("b");
  world.Connect("b");
  world.Write("1");
  world.lines->Flush();
  b.here = false;
  world.Carry("b", &b);
  world.Write("2");
  b.here = true;
  world.Carry("b", &b);
  EXPECT_TRUE(b.seen.empty());
  world.Return("b", &b);
  world.now_ms += 100;
  world.lines->Tick();
  world.Carry("b", &b);
  EXPECT_EQ(b.seen, (Texts{Set("1"), Set("2")}));
}

TEST(PeerLinesTest, WhoIsRefusedForLongIsTold) {
  PeerWorld world;
  Member b;
  b.here = false;
  world.Own("b");
  world.Connect("b");
  world.Write("1");
  int turns = 0;
  for (; turns < 1000 && world.asker.replies.empty(); ++turns) {
    world.Carry("b", &b);
    world.Return("b", &b);
    world.now_ms += 20;
    world.lines->Tick();
    world.lines->Flush();
  }
  EXPECT_GT(turns, 100);
  ASSERT_EQ(world.asker.replies.size(), 1u);
  EXPECT_NE(world.asker.replies[0].find("says that it does not"), std::string::npos)
      << world.asker.replies[0];
}

TEST(PeerLinesTest, WhatIsHeldComesHome) {
  PeerWorld world;
  Member b;
  world.Own("b");
  world.Connect("b");
  world.Write("1");
  world.Carry("b", &b);
  world.owner = {true, "", "", 2, true};
  world.lines->OnOwners();
  world.Write("2");
  world.lines->Flush();
  EXPECT_TRUE(world.home.empty());  // 1 may come back
  b.GiveAll();
  world.Return("b", &b);
  EXPECT_EQ(world.home, (Texts{Set("1"), Set("2")}));
  EXPECT_FALSE(world.lines->Has(0));
}

// A lease that has run out may still be this member's, though its shard was cut off.
TEST(PeerLinesTest, WhatFindsNobodyAtHomeWaitsInItsOrder) {
  PeerWorld world;
  world.owner = {true, "", "", 2, true};
  world.at_home = false;
  world.lines->OnOwners();
  world.Write("1");
  world.Write("2");
  world.lines->Flush();
  world.now_ms += 40;
  world.lines->Tick();
  world.lines->Flush();
  EXPECT_TRUE(world.home.empty());
  EXPECT_TRUE(world.lines->Has(0));
  world.at_home = true;
  world.lines->OnOwners();
  world.lines->Flush();
  EXPECT_EQ(world.home, (Texts{Set("1"), Set("2")}));
  // Nor does it wait longer than for another member.
  world.at_home = false;
  world.Write("3");
  world.now_ms += 5000;
  world.lines->Tick();
  world.lines->Flush();
  EXPECT_TRUE(world.asker.Take().back().starts_with("-CLUSTERDOWN "));
}

TEST(PeerLinesTest, ALostLinkGivesReadsBackAndSaysWhatIsNotKnown) {
  PeerWorld world;
  Member b;
  Member c;
  world.Own("b");
  world.Connect("b");
  world.Write("1");
  world.Read("2");
  world.Carry("b", &b);
  world.Write("3");  // never sent
  world.lines->Flush();
  world.Lose("b");
  ASSERT_EQ(world.asker.replies.size(), 1u);
  EXPECT_TRUE(IsUnknown(world.asker.Take()[0], "b"));
  world.Own("c", 2);
  world.Connect("c");
  world.Carry("c", &c);
  EXPECT_EQ(c.seen, (Texts{Get("2"), Set("3")}));
}

// Whatever byte was the last that the connection took.
TEST(PeerLinesTest, AWriteThatDidNotGoOutWholeIsSentAgain) {
  for (size_t cut = 0;; ++cut) {
    PeerWorld world;
    Member b;
    world.Own("b");
    world.Connect("b");
    world.Write("1");
    world.Write("2");
    world.lines->Flush();
    PeerLink& link = *world.up["b"];
    const size_t all = link.out().bytes();
    ASSERT_GT(all, 0u);
    if (cut > all) break;
    const std::string bytes = TakeBytes(&link.out(), cut);
    link.OnTaken(bytes.size());
    ASSERT_TRUE(b.guest->OnBytes(bytes, 0));
    world.Lose("b");
    Member again;
    world.Connect("b");
    world.Carry("b", &again);
    // Each was got by one of the two, or is unknown, and none by both.
    EXPECT_EQ(b.seen.size() + again.seen.size(), 2u) << cut;
    EXPECT_EQ(world.asker.Take().size(), b.seen.size()) << cut;
  }
}

TEST(PeerLinesTest, PublishIsNotAskedTwice) {
  PeerWorld world;
  Member b;
  world.Own("b");
  world.Connect("b");
  world.lines->Submit(world.asker.Make(RequestKind::kRead, {"PUBLISH", "c", "m"}));
  world.Carry("b", &b);
  world.Lose("b");
  ASSERT_EQ(world.asker.replies.size(), 1u);
  EXPECT_TRUE(IsUnknown(world.asker.replies[0], "b"));
}

Request* Waits(PeerWorld* world, const std::shared_ptr<BlockTicket>& ticket) {
  Request* request = world->asker.Make(RequestKind::kBlocking, {"BLPOP", "l", "0"});
  auto cargo = std::make_unique<BlockingCargo>();
  cargo->ticket = ticket;
  request->Extra().cargo = std::move(cargo);
  return request;
}

Request* Ends(PeerWorld* world, const std::shared_ptr<BlockTicket>& ticket) {
  Request* request = world->asker.Make(RequestKind::kUnblock, {});
  auto cargo = std::make_unique<UnblockCargo>();
  cargo->ticket = ticket;
  request->Extra().cargo = std::move(cargo);
  return request;
}

TEST(PeerLinesTest, WhoWaitsCanBeEnded) {
  PeerWorld world;
  Member b;
  world.Own("b");
  world.Connect("b");
  const auto ticket = std::make_shared<BlockTicket>();
  world.lines->Submit(Waits(&world, ticket));
  world.Write("1");
  world.Carry("b", &b);
  EXPECT_EQ(b.seen.size(), 2u);
  b.Answer("+OK\r\n", 1);
  // Not before it is told: who waits holds nobody up.
  world.lines->Submit(Ends(&world, ticket));
  world.Carry("b", &b);
  world.Return("b", &b);
  EXPECT_EQ(world.asker.Take(), (Texts{"+OK\r\n", "+OK\r\n", std::string(kBlockedForNothing)}));
  // And after it has been answered.
  world.lines->Submit(Ends(&world, ticket));
  world.lines->Flush();
  EXPECT_EQ(world.asker.Take(), Texts{"+OK\r\n"});
}

TEST(PeerLinesTest, WhoWaitsCanBeEndedBeforeThereIsAnOwner) {
  PeerWorld world;
  const auto ticket = std::make_shared<BlockTicket>();
  world.lines->Submit(Waits(&world, ticket));
  world.lines->Flush();
  world.lines->Submit(Ends(&world, ticket));
  EXPECT_TRUE(world.asker.replies.empty());
  world.lines->Flush();
  EXPECT_EQ(world.asker.Take(),
            (Texts{std::string(UnblockedText(UnblockCargo::Why::kTimeout)), "+OK\r\n"}));
}

TEST(PeerLinesTest, NothingIsAnsweredInsideSubmit) {
  PeerWorld world;
  world.Own("b");
  world.lines->Submit(Ends(&world, std::make_shared<BlockTicket>()));
  EXPECT_TRUE(world.asker.replies.empty());
  world.lines->Flush();
  EXPECT_EQ(world.asker.Take(), Texts{"+OK\r\n"});
}

// Who has waited long with one owner has not waited for the next one.
TEST(PeerLinesTest, WhoWaitsMovesAlong) {
  PeerWorld world;
  Member b;
  Member c;
  world.Own("b");
  world.Connect("b");
  const auto ticket = std::make_shared<BlockTicket>();
  world.lines->Submit(Waits(&world, ticket));
  world.Carry("b", &b);
  world.now_ms += 100000;
  world.Own("c", 2);
  b.GiveAll();
  world.Return("b", &b);
  world.lines->Tick();
  world.lines->Flush();
  EXPECT_TRUE(world.asker.replies.empty());
  world.Connect("c");
  world.Carry("c", &c);
  ASSERT_EQ(c.seen.size(), 1u);
  world.lines->Submit(Ends(&world, ticket));
  world.Carry("c", &c);
  world.Return("c", &c);
  EXPECT_EQ(world.asker.Take().size(), 2u);
}

TEST(PeerLinesTest, ALostLinkEndsWhoWaits) {
  PeerWorld world;
  Member b;
  world.Own("b");
  world.Connect("b");
  world.lines->Submit(Waits(&world, std::make_shared<BlockTicket>()));
  world.Carry("b", &b);
  EXPECT_EQ(b.got.size(), 1u);
  world.Lose("b");
  EXPECT_TRUE(IsUnknown(world.asker.Take()[0], "b"));
  b.guest->Lost();
  EXPECT_TRUE(b.got.empty());  // it was told to wait no more
  EXPECT_TRUE(b.guest->Finished());
}

// Any owner, any loss: each session's requests are executed in its order, none twice, and all are
// answered once.
TEST(PeerLinesTest, Storm) {
  for (uint32_t seed = 1; seed <= 100; ++seed) {
    std::mt19937 random(seed);
    PeerWorld world;
    std::map<std::string, std::unique_ptr<Member>> members;
    const std::string names[] = {"b", "c", "d"};
    std::string owner = "b";
    uint64_t epoch = 1;
    std::vector<std::string> executed;
    int asked = 0;
    world.Own(owner);
    const auto serve = [&](Member* member) {
      while (!member->got.empty()) {
        executed.emplace_back(member->got[0]->frame);
        member->Answer("+OK\r\n");
      }
    };
    for (int step = 0; step < 400; ++step) {
      const std::string& name = names[random() % 3];
      std::unique_ptr<Member>& member = members[name];
      const bool up = world.up[name] != nullptr;
      switch (random() % 8) {
        case 0:
        case 1:
          world.Write(std::to_string(100000 + asked++));
          break;
        case 2:
        case 3:
          if (up) world.Carry(name, member.get());
          break;
        case 4:
          if (up) world.Return(name, member.get());
          break;
        case 5:
          if (up && name == owner) serve(member.get());
          break;
        case 6:
          if (up && random() % 4 == 0) {
            world.Lose(name);
            member.reset();
          } else if (!up) {
            member = std::make_unique<Member>();
            member->here = name == owner;
            world.Connect(name);
          }
          break;
        default:
          if (random() % 4 != 0) break;
          if (members[owner] != nullptr) {
            members[owner]->GiveAll();
            members[owner]->here = false;
          }
          owner = name;
          if (members[owner] != nullptr) members[owner]->here = true;
          world.Own(owner, ++epoch);
      }
      world.now_ms += 1;
    }
    for (int turn = 0; turn < 20; ++turn) {
      for (const std::string& name : names) {
        if (world.up[name] == nullptr) {
          members[name] = std::make_unique<Member>();
          members[name]->here = name == owner;
          world.Connect(name);
        }
        world.Carry(name, members[name].get());
        if (name == owner) serve(members[name].get());
        world.Return(name, members[name].get());
      }
      world.now_ms += 30;
      world.lines->Tick();
    }
    EXPECT_EQ(world.asker.replies.size(), static_cast<size_t>(asked)) << "seed " << seed;
    for (size_t i = 1; i < executed.size(); ++i) {
      ASSERT_LT(executed[i - 1], executed[i]) << "seed " << seed;
    }
    EXPECT_FALSE(world.lines->Has(0));
  }
}

}  // namespace
}  // namespace gemel::peer_test
