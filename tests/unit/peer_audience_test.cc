// Who listens over a peer link, to channels and for keys: how its workers and clients are called
// at the owner, what comes back for them, and what becomes of it when the owner or the link is
// another one.

#include "proxy/peers/peer_audience.h"

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "proxy/peers/peer_push.h"
#include "tests/unit/peer_world.h"

namespace gemel::peer_test {
namespace {

using Texts = std::vector<std::string>;

Request* Wants(PeerWorld* world, uint32_t worker, std::vector<std::string> names) {
  Request* request = world->asker.Make(RequestKind::kChannels, {});
  request->submitted = false;
  auto cargo = std::make_unique<ChannelsCargo>();
  cargo->worker = worker;
  cargo->names = std::move(names);
  request->Extra().cargo = std::move(cargo);
  return request;
}

Request* Tracks(PeerWorld* world, uint32_t worker, uint32_t session, bool on) {
  Request* request = world->asker.Make(RequestKind::kTracking, {}, 0);
  request->submitted = false;
  auto cargo = std::make_unique<TrackingCargo>();
  cargo->worker = worker;
  cargo->session = session;
  cargo->on = on;
  cargo->noloop = true;
  if (on) cargo->prefixes = {"p:"};
  request->Extra().cargo = std::move(cargo);
  return request;
}

const ChannelsCargo& ChannelsAt(const Member& member, size_t n) {
  return static_cast<const ChannelsCargo&>(*member.got[n]->extra->cargo);
}
const TrackingCargo& TrackingAt(const Member& member, size_t n) {
  return static_cast<const TrackingCargo&>(*member.got[n]->extra->cargo);
}

std::string Message(std::string_view channel, std::string_view text) {
  return CommandFrame({"message", channel, text});
}

TEST(PeerSeatsTest, ASeatSaysWhoseItIsAndIsNoWorker) {
  PeerSeats seats(2, 3);
  const uint32_t one = seats.Take(nullptr, 0);
  const uint32_t two = seats.Take(nullptr, 1);
  EXPECT_NE(one, two);
  for (const uint32_t seat : {one, two}) {
    EXPECT_TRUE(PeerSeats::IsSeat(seat, 3));
    EXPECT_EQ(PeerSeats::HomeOf(seat, 3), 2u);
    seats.OnMessages(seat, "nobody hears it");
  }
  EXPECT_FALSE(PeerSeats::IsSeat(2, 3));
  seats.OnMessages(2, "no seat");
  seats.OnMessages(1000000, "no seat");
  seats.Leave(one);
  EXPECT_NE(seats.Take(nullptr, 0), one);  // a shard may still know it
  seats.Free(one);
  EXPECT_EQ(seats.Take(nullptr, 0), one);
}

TEST(PeerAudienceTest, MessagesComeToTheWorkerThatWantsThemInFrontOfTheReply) {
  PeerWorld world;
  Member b;
  world.Own("b");
  world.Connect("b");
  world.lines->Submit(Wants(&world, 3, {"0c"}));
  world.lines->Submit(Wants(&world, 1, {"0c", "1*"}));
  world.Carry("b", &b);
  ASSERT_EQ(b.got.size(), 2u);
  const uint32_t third = ChannelsAt(b, 0).worker;
  const uint32_t first = ChannelsAt(b, 1).worker;
  EXPECT_NE(third, first);
  EXPECT_TRUE(PeerSeats::IsSeat(third, 1) && PeerSeats::IsSeat(first, 1));
  EXPECT_EQ(ChannelsAt(b, 1).names, (Texts{"0c", "1*"}));
  const std::string message = Message("c", "x") + Message("c", "y");
  b.seats.OnMessages(third, message);
  b.Answer("+OK\r\n");
  b.seats.OnMessages(first, message);
  b.Answer("+OK\r\n");
  world.Return("b", &b);
  EXPECT_EQ(world.asker.Take(), (Texts{"3> " + message, "+OK\r\n", "1> " + message, "+OK\r\n"}));
}

TEST(PeerAudienceTest, WithTheLinkItsSeatsAreEmptied) {
  PeerWorld world;
  Member b;
  world.Own("b");
  world.Connect("b");
  world.lines->Submit(Wants(&world, 0, {"0c"}));
  world.Carry("b", &b);
  const uint32_t seat = ChannelsAt(b, 0).worker;
  b.guest->Lost();
  ASSERT_EQ(b.got.size(), 2u);
  EXPECT_EQ(ChannelsAt(b, 1).worker, seat);
  EXPECT_FALSE(ChannelsAt(b, 1).wanted);
  EXPECT_TRUE(ChannelsAt(b, 1).all);
  EXPECT_EQ(b.seats.taken(), 1u);
  b.seats.OnMessages(seat, Message("c", "x"));  // to nobody
  b.Answer("+OK\r\n", 1);
  EXPECT_EQ(b.seats.taken(), 0u);
  b.Answer("+OK\r\n");
  EXPECT_TRUE(b.guest->out().empty());
  world.asker.Take();
}

TEST(PeerAudienceTest, WhatChangesIsToldOfTheAskersOwnSessions) {
  PeerWorld world;
  Member b;
  world.Own("b");
  world.Connect("b");
  world.lines->Submit(Tracks(&world, 2, 77, true));
  Request* read = world.asker.Make(RequestKind::kTracked, {"GET", "k"}, 77);
  world.lines->Submit(read);
  world.Carry("b", &b);
  ASSERT_EQ(b.got.size(), 2u);
  const TrackingCargo& cargo = TrackingAt(b, 0);
  EXPECT_TRUE(cargo.on && cargo.noloop);
  EXPECT_EQ(cargo.prefixes, Texts{"p:"});
  const uint32_t here = cargo.session;
  EXPECT_NE(here, 77u);
  EXPECT_EQ(b.got[1]->kind, RequestKind::kTracked);
  EXPECT_EQ(b.got[1]->session, here);
  TrackingBatch batch;
  batch.seat = cargo.worker;
  batch.keys = {{here, false, "k"}, {here + 1000, false, "another's"}, {here, true, ""}};
  batch.prefixes[{"p:", TrackingAudience::kOthers}] = {{"p:1", here}, {"p:2", here + 1000}};
  b.Answer("+OK\r\n");
  b.Answer("$1\r\nv\r\n");
  b.seats.OnChanges(batch.seat, batch);
  world.Return("b", &b);
  EXPECT_EQ(world.told.lines, (Texts{"2 77 k", "2 77 all", "2 77 p:* p:1 1", "2 0 p:* p:2 1"}));
  EXPECT_EQ(world.asker.Take(), (Texts{"+OK\r\n", "$1\r\nv\r\n"}));
}

TEST(PeerAudienceTest, WhoTracksKeepsItsNumberUntilItDoesNot) {
  PeerWorld world;
  Member b;
  world.Own("b");
  world.Connect("b");
  world.lines->Submit(Tracks(&world, 2, 77, true));
  world.Carry("b", &b);
  const uint32_t here = TrackingAt(b, 0).session;
  b.Answer("+OK\r\n");
  world.Return("b", &b);
  std::string alive;
  AppendPeerAlive(&alive);
  const uint64_t much_later = 3600 * 1000;
  ASSERT_TRUE(b.guest->OnBytes(alive, much_later));
  ASSERT_TRUE(b.guest->Tick(much_later));
  world.Read("k", 77);
  world.lines->Submit(Tracks(&world, 2, 77, false));
  world.Carry("b", &b);
  EXPECT_EQ(b.got[0]->session, here);
  EXPECT_EQ(TrackingAt(b, 1).session, here);
  b.Answer("$-1\r\n");
  b.Answer("+OK\r\n");
  // One that is lost with the link tracks no more, either.
  world.lines->Submit(Tracks(&world, 2, 78, true));
  world.Carry("b", &b);
  const uint32_t other = TrackingAt(b, 0).session;
  b.Answer("+OK\r\n");
  b.guest->Lost();
  ASSERT_EQ(b.got.size(), 2u);
  EXPECT_EQ(TrackingAt(b, 0).session, other);
  EXPECT_FALSE(TrackingAt(b, 0).on);
}

TEST(PeerAudienceTest, WhoDoesNotTakeItsMessagesIsCutOff) {
  PeerWorld world;
  Member b;
  world.Own("b");
  world.Connect("b");
  world.lines->Submit(Wants(&world, 0, {"0c"}));
  world.Carry("b", &b);
  const uint32_t seat = ChannelsAt(b, 0).worker;
  const uint64_t most = ThePool()->config().limits.subscriber_output;
  const std::string message = Message("c", std::string(1 << 20, 'x'));
  for (uint64_t sent = 0; sent <= most; sent += message.size()) {
    EXPECT_EQ(b.guest->error(), "");
    b.seats.OnMessages(seat, message);
  }
  EXPECT_NE(b.guest->error().find("subscriber_output"), std::string::npos);
  const size_t held = b.guest->out().bytes();
  b.seats.OnMessages(seat, message);
  EXPECT_EQ(b.guest->out().bytes(), held);
  EXPECT_FALSE(b.guest->Tick(0));
}

TEST(PeerAudienceTest, ThoseWhoListenSaySoAnewToAnotherOwner) {
  PeerWorld world;
  world.Own("b");
  EXPECT_TRUE(world.anew.empty());
  world.Connect("b");
  EXPECT_TRUE(world.anew.empty());  // whoever listened before knew of no other
  world.Own("c", 2);
  EXPECT_TRUE(world.anew.empty());  // it cannot be reached yet
  world.Connect("c");
  EXPECT_EQ(world.anew, (std::vector<uint32_t>{0, 1}));
  world.Own("c", 3);  // it was nobody's for a while
  EXPECT_EQ(world.anew.size(), 4u);
  world.lines->Tick();
  EXPECT_EQ(world.anew.size(), 4u);
  // At home it is told by others.
  world.owner = {true, "me", "", 4, true};
  world.lines->OnOwners();
  EXPECT_EQ(world.anew.size(), 4u);
  world.Own("c", 5);
  EXPECT_EQ(world.anew.size(), 6u);
}

TEST(PeerAudienceTest, ThoseWhoListenSaySoAnewOnAnotherLink) {
  for (const bool listens : {true, false}) {
    PeerWorld world;
    world.listens = listens;
    world.Own("b");
    world.Connect("b");
    world.lines->Tick();
    EXPECT_TRUE(world.anew.empty());
    world.Lose("b");
    world.Connect("b");
    world.lines->Tick();
    EXPECT_EQ(world.anew, (std::vector<uint32_t>{0, 1}));
  }
}

TEST(PeerAudienceTest, WorkersThatThereAreNotEndTheLink) {
  PeerWorld world;
  Member b;
  world.Own("b");
  world.Connect("b");
  world.lines->Submit(Wants(&world, kMostPeerWorkers, {"0c"}));
  world.lines->Flush();
  EXPECT_FALSE(b.guest->OnBytes(TakeBytes(&world.up["b"]->out()), 0));
  EXPECT_TRUE(b.got.empty());
  std::string wire;
  AppendPeerMessages(4, Message("c", "x"), &wire);
  EXPECT_FALSE(world.up["b"]->OnBytes(wire, 0));
  EXPECT_NE(world.up["b"]->error(), "");
}

TEST(PeerAudienceTest, GarbageIsNoMessage) {
  const auto said = [](const std::string& messages) {
    PeerWorld world;
    world.Connect("b");
    std::string wire;
    AppendPeerMessages(0, messages, &wire);
    return world.up["b"]->OnBytes(wire, 0);
  };
  const std::string good = Message("c", "x");
  EXPECT_TRUE(said(good + good));
  EXPECT_FALSE(said(good + good.substr(0, good.size() - 1)));
  EXPECT_FALSE(said("*1\r\n$1\r\nx\r\n"));
  EXPECT_FALSE(said("x"));
  TrackingBatch batch;
  batch.keys = {{5, false, "key"}, {6, true, ""}};
  batch.prefixes[{"p", TrackingAudience::kAll}] = {{"pk", 5}};
  std::string wire;
  AppendPeerChanges(
      1, batch, [](uint32_t session) { return session; }, &wire);
  std::mt19937 random(3);
  for (int i = 0; i < 3000; ++i) {
    PeerWorld world;
    world.Connect("b");
    std::string bad = wire;
    bad[random() % bad.size()] = static_cast<char>(random());
    world.up["b"]->OnBytes(bad, 0);
    EXPECT_LE(world.told.lines.size(), bad.size());
  }
}

}  // namespace
}  // namespace gemel::peer_test
