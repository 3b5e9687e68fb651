// The owner's side of a peer link: what it takes, what it refuses, and what ends with the link.

#include "proxy/peers/peer_guest.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "backend/command/block.h"
#include "tests/unit/peer_world.h"

namespace gemel::peer_test {
namespace {

struct Asked {
  PeerRequest request;
  std::string frame;
  std::string Wire() {
    std::string out;
    request.frame = frame;
    AppendPeerRequest(request, &out);
    return out + frame;
  }
};

Asked Ask(RequestKind kind, std::string frame, std::string_view row) {
  Asked asked;
  asked.request.id = 1;
  asked.request.round = 1;
  asked.request.kind = kind;
  asked.request.session = 5;
  asked.request.shard = "a";
  asked.request.row = row;
  asked.frame = std::move(frame);
  return asked;
}

std::vector<PeerReply> Replies(std::string* wire) {
  std::vector<PeerReply> replies;
  PeerInput input(kMostPeerFrame);
  for (std::string_view rest = *wire; !rest.empty();) {
    const size_t size = WireReader(rest).U32();
    PeerReply reply;
    if (PeerFrameOf(rest.substr(4, size)) == PeerFrame::kReply) {
      EXPECT_TRUE(ReadPeerReply(rest.substr(4, size), &reply));
      replies.push_back(reply);
    }
    rest.remove_prefix(4 + size);
  }
  return replies;
}

TEST(PeerGuestTest, SessionsHaveNumbersOfTheirOwn) {
  Member member;
  Asked asked = Ask(RequestKind::kRead, Get("x"), "get");
  for (const uint32_t session : {5u, 6u, 5u, 0u}) {
    asked.request.session = session;
    ++asked.request.id;
    ASSERT_TRUE(member.guest->OnBytes(asked.Wire(), 0));
  }
  ASSERT_EQ(member.got.size(), 4u);
  EXPECT_EQ(member.got[0]->session, 1001u);
  EXPECT_EQ(member.got[1]->session, 1002u);
  EXPECT_EQ(member.got[2]->session, 1001u);
  EXPECT_EQ(member.got[3]->session, 0u);
}

TEST(PeerGuestTest, WhoIsGoneIsKnownUntilAllIsAnswered) {
  Member member;
  Asked asked = Ask(RequestKind::kRead, Get("x"), "get");
  ASSERT_TRUE(member.guest->OnBytes(asked.Wire(), 0));
  EXPECT_FALSE(member.gone.Has(1001));
  std::string wire;
  AppendPeerNumber(PeerFrame::kGone, 5, &wire);
  ASSERT_TRUE(member.guest->OnBytes(wire, 0));
  EXPECT_TRUE(member.gone.Has(1001));
  member.Answer("$-1\r\n");
  EXPECT_FALSE(member.gone.Has(1001));
  // With the link all are.
  ASSERT_TRUE(member.guest->OnBytes(asked.Wire(), 0));
  member.guest->Lost();
  EXPECT_TRUE(member.gone.Has(1002));
  EXPECT_FALSE(member.guest->Finished());
  member.Answer("$-1\r\n");
  EXPECT_FALSE(member.gone.Has(1002));
  EXPECT_TRUE(member.guest->out().empty());
}

TEST(PeerGuestTest, WatchesEndWithTheLinkOrWhenDropped) {
  Member member;
  const auto watch = [&](uint64_t number) {
    Asked asked = Ask(RequestKind::kWatch, CommandFrame({"EXISTS", "k"}), "exists");
    std::string cargo;
    WireWriter writer(&cargo);
    writer.U64(number);
    writer.U32(0);
    asked.request.cargo = cargo;
    EXPECT_TRUE(member.guest->OnBytes(asked.Wire(), 0));
    return static_cast<const WatchCargo&>(*member.got.back()->extra->cargo).ticket;
  };
  const auto one = watch(1);
  EXPECT_EQ(watch(1), one);
  const auto two = watch(2);
  EXPECT_NE(two, one);
  EXPECT_FALSE(one->dropped || two->dropped || one->lost);
  // One without a number was watched elsewhere before.
  EXPECT_TRUE(watch(0)->lost);
  std::string wire;
  AppendPeerNumber(PeerFrame::kDropWatch, 1, &wire);
  ASSERT_TRUE(member.guest->OnBytes(wire, 0));
  EXPECT_TRUE(one->dropped);
  EXPECT_FALSE(two->dropped);
  member.guest->Lost();
  EXPECT_TRUE(two->dropped);
}

TEST(PeerGuestTest, OtherMembersMayNotKnowTheShardOrTheCommand) {
  Member member;
  Asked asked = Ask(RequestKind::kRead, Get("x"), "get");
  asked.request.shard = "zzz";
  ASSERT_TRUE(member.guest->OnBytes(asked.Wire(), 0));
  std::string wire = TakeBytes(&member.guest->out());
  ASSERT_EQ(Replies(&wire).size(), 1u);
  EXPECT_TRUE(Replies(&wire)[0].not_here);
  ASSERT_TRUE(member.guest->OnBytes(Ask(RequestKind::kRead, Get("x"), "gett").Wire(), 0));
  wire = TakeBytes(&member.guest->out());
  ASSERT_EQ(Replies(&wire).size(), 1u);
  EXPECT_EQ(Replies(&wire)[0].bytes[0], '-');
  EXPECT_TRUE(member.got.empty());
}

TEST(PeerGuestTest, MalformedCommandsReachNoShard) {
  const std::string get = Get("x");
  const std::string multi(kMultiFrame);
  const std::string exec(kExecFrame);
  struct Case {
    RequestKind kind;
    std::string frame;
    std::string row;
    bool block;
    bool fit;
  };
  const Case cases[] = {
      {RequestKind::kRead, get, "get", false, true},
      {RequestKind::kWrite, CommandFrame({"SET", "x", std::string(100000, 'v')}), "set", false,
       true},
      {RequestKind::kRead, get + get, "get", false, false},
      {RequestKind::kRead, get.substr(0, get.size() - 1), "get", false, false},
      {RequestKind::kRead, "GET x\r\n", "get", false, false},
      {RequestKind::kRead, "", "get", false, false},
      {RequestKind::kRead, CommandFrame({"GET"}), "get", false, false},
      {RequestKind::kRead, CommandFrame({"GET", "a", "b"}), "get", false, false},
      {RequestKind::kWrite, Set("x"), "", false, false},
      {RequestKind::kWrite, Set("x"), "set", false, true},
      {RequestKind::kFirstWrite, Set("x"), "", false, false},
      {RequestKind::kWrite, Set("x"), "set", true, false},
      {RequestKind::kWrite, multi + Set("x") + get + exec, "set", true, true},
      {RequestKind::kWrite, multi + Set("x") + "GET x\r\n" + exec, "set", true, false},
      {RequestKind::kWrite, multi + CommandFrame({"SET", "x"}) + exec, "set", true, false},
      {RequestKind::kWrite, multi + exec.substr(1), "set", true, false},
      {RequestKind::kBlocking, get, "get", false, false},
      {RequestKind::kChannels, "", "", false, false},
      {RequestKind::kTracked, get, "get", false, true},
      {RequestKind::kReport, "", "", false, true},
      {RequestKind::kReport, "", "", true, false},
      {RequestKind::kLibraries, "", "", false, true},
      {RequestKind::kLibraries, "x", "", false, false},
      {RequestKind::kBlocking, CommandFrame({"BLPOP", "l", "0"}), "blpop", false, false},  // cargo
      {RequestKind::kControl, "", "", false, false},
  };
  for (const Case& one : cases) {
    Member member;
    Asked asked = Ask(one.kind, one.frame, one.row);
    asked.request.block = one.block;
    EXPECT_EQ(member.guest->OnBytes(asked.Wire(), 0), one.fit) << one.frame;
    EXPECT_EQ(member.got.size(), one.fit ? 1u : 0u) << one.frame;
    EXPECT_EQ(member.guest->error().empty(), one.fit) << one.frame;
  }
}

TEST(PeerGuestTest, ItIsNotReadFromWhileTooMuchIsNotAnswered) {
  Member member;
  std::string wire;
  const size_t all = PeerGuest::kMostCounted + 100;
  for (size_t i = 0; i < all; ++i) {
    Asked asked = Ask(RequestKind::kRead, Get("x"), "get");
    asked.request.id = i + 1;
    asked.request.counted = true;
    wire += asked.Wire();
  }
  ASSERT_TRUE(member.guest->OnBytes(wire, 0));
  EXPECT_TRUE(member.guest->Full());
  EXPECT_EQ(member.got.size(), PeerGuest::kMostCounted + 1);
  ASSERT_TRUE(member.guest->Resume());
  EXPECT_EQ(member.got.size(), PeerGuest::kMostCounted + 1);
  // And it is not taken to be silent meanwhile, and says itself that it is there.
  EXPECT_TRUE(member.guest->Tick(1000000));
  EXPECT_FALSE(member.guest->out().empty());
  while (!member.got.empty()) {
    member.Answer("$-1\r\n");
    ASSERT_TRUE(member.guest->Resume());
  }
  EXPECT_EQ(member.seen.size(), all);
}

TEST(PeerGuestTest, LargeRepliesAreNotCopied) {
  Member member;
  ASSERT_TRUE(member.guest->OnBytes(Ask(RequestKind::kRead, Get("x"), "get").Wire(), 0));
  ByteBuffer reply;
  std::string text;
  AppendBulk(&text, std::string(100000, 'v'));
  reply.Append(text);
  const char* data = reply.data();
  Request* request = member.got[0];
  member.got.clear();
  request->sink->OnReply(request, Reply{reply.view(), &reply});
  bool found = false;
  member.guest->out().ForEach([&](const char* slice, size_t) {
    found |= slice == data;
    return true;
  });
  EXPECT_TRUE(found);
}

// So a member that hears nothing any more is as silent as one that does not speak.
TEST(PeerGuestTest, ItSaysThatItIsThereWhenItHearsSo) {
  Member member;
  EXPECT_TRUE(member.guest->Tick(PeerLink::kAliveMs));
  EXPECT_TRUE(member.guest->out().empty());
  std::string wire;
  AppendPeerAlive(&wire);
  EXPECT_TRUE(member.guest->OnBytes(wire, PeerLink::kAliveMs));
  EXPECT_FALSE(member.guest->out().empty());
}

TEST(PeerGuestTest, SilenceEndsIt) {
  Member member;
  EXPECT_TRUE(member.guest->Tick(PeerLink::kSilenceMs));
  std::string wire;
  AppendPeerAlive(&wire);
  EXPECT_TRUE(member.guest->OnBytes(wire, PeerLink::kSilenceMs));
  EXPECT_TRUE(member.guest->Tick(PeerLink::kSilenceMs + 1));
  EXPECT_FALSE(member.guest->Tick(2 * PeerLink::kSilenceMs + 1));
}

TEST(PeerGuestTest, GarbageEndsItAndNothingElse) {
  std::mt19937 random(5);
  const std::string good = Ask(RequestKind::kRead, Get("x"), "get").Wire();
  for (int i = 0; i < 3000; ++i) {
    Member member;
    std::string wire = good + good;
    const size_t changes = 1 + random() % 3;
    for (size_t c = 0; c < changes; ++c) {
      wire[random() % wire.size()] = static_cast<char>(random());
    }
    member.guest->OnBytes(wire.substr(0, random() % (wire.size() + 1)), 0);
    for (const std::string& frame : member.seen) EXPECT_LE(frame.size(), wire.size());
  }
}

TEST(PeerLinkTest, AnswersToNothingEndIt) {
  for (const uint64_t id : {uint64_t{0}, uint64_t{1} << 32, ~uint64_t{0}, uint64_t{2} << 32}) {
    PeerWorld world;
    world.Own("b");
    world.Connect("b");
    world.Write("1");
    world.lines->Flush();
    PeerReply reply;
    reply.id = id;
    reply.bytes = "+OK\r\n";
    std::string wire;
    AppendPeerReply(reply, &wire);
    wire += reply.bytes;
    // The first request of a link has the place 0, which was never taken before.
    EXPECT_EQ(world.up["b"]->OnBytes(wire, 0), id == uint64_t{1} << 32) << id;
    // None is answered twice.
    EXPECT_FALSE(world.up["b"]->OnBytes(wire, 0));
  }
}

// Requests are no question whether it is there: they may take long.
TEST(PeerLinkTest, ItAsksWhetherTheOtherIsThereThoughRequestsGoOn) {
  PeerWorld world;
  Member b;
  world.Own("b");
  world.Connect("b");
  PeerLink& link = *world.up["b"];
  for (uint64_t waited = 0; waited < PeerLink::kAliveMs; waited += PeerLink::kAliveMs / 5) {
    world.Write("x");
    world.Carry("b", &b);
    world.now_ms += PeerLink::kAliveMs / 5;
    ASSERT_TRUE(link.out().empty());
    ASSERT_TRUE(link.Tick(world.now_ms));
  }
  EXPECT_FALSE(link.out().empty());
}

TEST(PeerLinkTest, SilenceIsALoss) {
  PeerWorld world;
  world.Own("b");
  world.Connect("b");
  PeerLink& link = *world.up["b"];
  EXPECT_TRUE(link.Tick(world.now_ms + PeerLink::kSilenceMs));
  EXPECT_FALSE(link.out().empty());
  EXPECT_FALSE(link.Tick(world.now_ms + PeerLink::kSilenceMs + 1));
  EXPECT_NE(link.error(), "");
}

Request* Watches(PeerWorld* world, const std::shared_ptr<WatchTicket>& ticket, bool exec) {
  Request* request = world->asker.Make(RequestKind::kWatch, {"EXISTS", "k"});
  if (exec) {
    request->kind = RequestKind::kWrite;
    request->guarded = request->block = true;
    static const std::string block = std::string(kMultiFrame) + Set("k") + std::string(kExecFrame);
    request->frame = block;
    request->row = world->pool->table().FindByName("set");
  }
  auto cargo = std::make_unique<WatchCargo>();
  cargo->ticket = ticket;
  request->Extra().cargo = std::move(cargo);
  return request;
}

const WatchTicket& TicketAt(const Member& member, size_t n) {
  return *static_cast<const WatchCargo&>(*member.got[n]->extra->cargo).ticket;
}

TEST(PeerLinkTest, WhatIsWatchedThereIsAskedForThere) {
  PeerWorld world;
  Member b;
  world.Own("b");
  world.Connect("b");
  const auto ticket = std::make_shared<WatchTicket>();
  world.lines->Submit(Watches(&world, ticket, false));
  world.lines->Submit(Watches(&world, ticket, true));
  world.Carry("b", &b);
  ASSERT_EQ(b.got.size(), 2u);
  EXPECT_EQ(&TicketAt(b, 0), &TicketAt(b, 1));
  EXPECT_FALSE(TicketAt(b, 0).lost);
  b.Answer(":0\r\n");
  b.Answer("*1\r\n+OK\r\n");
  world.Return("b", &b);
  EXPECT_EQ(world.asker.replies.size(), 2u);
  ticket->dropped = true;
  world.up["b"]->Tick(world.now_ms);
  world.Carry("b", &b);
  EXPECT_TRUE(world.up["b"]->out().empty());
}

// What another owner has seen of its keys is not known to the next one.
TEST(PeerLinkTest, AWatchDoesNotSurviveItsOwner) {
  for (const bool lost : {false, true}) {
    PeerWorld world;
    Member b;
    Member c;
    world.Own("b");
    world.Connect("b");
    world.Connect("c");
    const auto ticket = std::make_shared<WatchTicket>();
    world.lines->Submit(Watches(&world, ticket, false));
    world.Carry("b", &b);
    b.Answer(":0\r\n");
    world.Return("b", &b);
    if (lost) world.Lose("b");
    world.Own("c", 2);
    world.lines->Submit(Watches(&world, ticket, false));
    world.lines->Submit(Watches(&world, ticket, true));
    world.Carry("c", &c);
    ASSERT_EQ(c.got.size(), 2u);
    EXPECT_TRUE(TicketAt(c, 1).lost);
  }
}

TEST(PeerLinkTest, AWaitIsEndedFromHere) {
  PeerWorld world;
  Member b;
  world.Own("b");
  world.Connect("b");
  const auto ticket = std::make_shared<SyncTicket>();
  Request* request = world.asker.Make(RequestKind::kSync, {});
  auto cargo = std::make_unique<SyncCargo>();
  cargo->wanted = 1;
  cargo->ticket = ticket;
  request->Extra().cargo = std::move(cargo);
  world.lines->Submit(request);
  world.Carry("b", &b);
  ASSERT_EQ(b.got.size(), 1u);
  const auto theirs = static_cast<const SyncCargo&>(*b.got[0]->extra->cargo).ticket;
  EXPECT_FALSE(theirs->ended);
  ticket->ended = true;
  world.up["b"]->Tick(world.now_ms);
  world.Carry("b", &b);
  EXPECT_TRUE(theirs->ended);
}

TEST(PeerLinkTest, WhoLeftIsToldOfOnce) {
  PeerWorld world;
  Member b;
  world.Own("b");
  world.Connect("b");
  world.Read("1", 7);
  world.Read("2", 7);
  world.Carry("b", &b);
  world.gone.Add(7);
  world.up["b"]->Tick(world.now_ms);
  world.Carry("b", &b);
  EXPECT_TRUE(b.gone.Has(1001));
  world.up["b"]->Tick(world.now_ms);
  EXPECT_TRUE(world.up["b"]->out().empty());
}

}  // namespace
}  // namespace gemel::peer_test
