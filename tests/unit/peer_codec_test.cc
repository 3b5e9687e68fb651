// What members say to each other survives the wire, and whatever else comes is refused.

#include "proxy/peers/peer_codec.h"

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "backend/served/nodes_order.h"
#include "backend/shard/blocked_cargo.h"
#include "backend/shard/sync_waits.h"
#include "backend/shard/watches.h"
#include "proxy/peers/peer_cargo.h"
#include "proxy/peers/peer_input.h"

namespace gemel {
namespace {

std::string RandomText(std::mt19937* random, size_t most) {
  std::string text((*random)() % (most + 1), '\0');
  for (char& c : text) c = static_cast<char>((*random)());
  return text;
}

std::string BodyOf(const std::string& frame) {
  std::string body;
  PeerInput input(kMostPeerFrame);
  EXPECT_EQ(input.Feed(frame,
                       [&](std::string_view found) {
                         body = found;
                         return true;
                       }),
            PeerInput::Status::kMore);
  EXPECT_EQ(input.held(), 0u);
  return body;
}

TEST(PeerCodecTest, RequestsSurvive) {
  std::mt19937 random(7);
  for (int i = 0; i < 2000; ++i) {
    const std::string shard = "s" + RandomText(&random, 20);
    const std::string row = RandomText(&random, 20);
    const std::string cargo = RandomText(&random, 50);
    const std::string frame = RandomText(&random, 300);
    PeerRequest sent;
    sent.id = (uint64_t{random()} << 32) | random();
    sent.round = random();
    sent.kind = RequestKind{static_cast<uint8_t>(random() % 16)};
    if (sent.kind >= RequestKind::kWorker) sent.kind = RequestKind::kAudit;
    sent.becomes = TrackedAs{static_cast<uint8_t>(random() % 4)};
    sent.primary_only = random() % 2 != 0;
    sent.cursors = random() % 2 != 0;
    sent.guarded = random() % 2 != 0;
    sent.block = random() % 2 != 0;
    sent.counted = random() % 2 != 0;
    sent.database = static_cast<uint8_t>(random());
    sent.reply_log2 = static_cast<uint8_t>(random() % 64);
    sent.session = random();
    sent.shard = shard;
    sent.row = row;
    sent.cargo = cargo;
    sent.frame = frame;
    std::string wire;
    AppendPeerRequest(sent, &wire);
    wire += frame;
    const std::string body = BodyOf(wire);
    ASSERT_EQ(PeerFrameOf(body), PeerFrame::kRequest);
    PeerRequest got;
    ASSERT_TRUE(ReadPeerRequest(body, &got));
    EXPECT_EQ(got.id, sent.id);
    EXPECT_EQ(got.round, sent.round);
    EXPECT_EQ(got.kind, sent.kind);
    EXPECT_EQ(got.becomes, sent.becomes);
    EXPECT_EQ(got.primary_only, sent.primary_only);
    EXPECT_EQ(got.cursors, sent.cursors);
    EXPECT_EQ(got.guarded, sent.guarded);
    EXPECT_EQ(got.block, sent.block);
    EXPECT_EQ(got.counted, sent.counted);
    EXPECT_EQ(got.database, sent.database);
    EXPECT_EQ(got.reply_log2, sent.reply_log2);
    EXPECT_EQ(got.session, sent.session);
    EXPECT_EQ(got.shard, shard);
    EXPECT_EQ(got.row, row);
    EXPECT_EQ(got.cargo, cargo);
    EXPECT_EQ(got.frame, frame);
    // Cut anywhere before the frame, it is bad.
    const size_t head = body.size() - frame.size();
    EXPECT_FALSE(ReadPeerRequest(std::string_view(body).substr(0, random() % head), &got));
  }
}

TEST(PeerCodecTest, RepliesSurvive) {
  PeerReply sent;
  sent.id = 0x123456789abcdef0;
  sent.bytes = "$2\r\nhi\r\n";
  sent.cargo = "cargo";
  std::string wire;
  AppendPeerReply(sent, &wire);
  wire += sent.bytes;
  const std::string body = BodyOf(wire);
  PeerReply got;
  ASSERT_TRUE(ReadPeerReply(body, &got));
  EXPECT_EQ(got.id, sent.id);
  EXPECT_FALSE(got.not_here);
  EXPECT_EQ(got.bytes, sent.bytes);
  EXPECT_EQ(got.cargo, "cargo");

  PeerReply back;
  back.id = 5;
  back.not_here = true;
  wire.clear();
  AppendPeerReply(back, &wire);
  ASSERT_TRUE(ReadPeerReply(BodyOf(wire), &got));
  EXPECT_TRUE(got.not_here);
  // What was not carried out has no reply.
  EXPECT_FALSE(ReadPeerReply(BodyOf(wire) + "+OK\r\n", &got));
}

TEST(PeerCodecTest, NumbersSurvive) {
  std::string wire;
  AppendPeerNumber(PeerFrame::kGone, 77, &wire);
  uint64_t number = 0;
  ASSERT_TRUE(ReadPeerNumber(BodyOf(wire), &number));
  EXPECT_EQ(number, 77u);
  EXPECT_FALSE(ReadPeerNumber(BodyOf(wire) + "x", &number));
  EXPECT_FALSE(ReadPeerNumber(BodyOf(wire).substr(0, 5), &number));
  wire.clear();
  AppendPeerAlive(&wire);
  EXPECT_EQ(PeerFrameOf(BodyOf(wire)), PeerFrame::kAlive);
}

TEST(PeerCodecTest, RequestsOfTheProcessItselfDoNotTravel) {
  PeerRequest sent;
  sent.shard = "a";
  sent.kind = RequestKind::kWorker;
  std::string wire;
  AppendPeerRequest(sent, &wire);
  PeerRequest got;
  EXPECT_FALSE(ReadPeerRequest(BodyOf(wire), &got));
}

TEST(PeerCodecTest, GarbageIsBounded) {
  std::mt19937 random(11);
  for (int i = 0; i < 20000; ++i) {
    std::string body = RandomText(&random, 80);
    if (!body.empty()) body[0] = static_cast<char>(random() % 8);
    PeerRequest request;
    PeerReply reply;
    uint64_t number = 0;
    if (ReadPeerRequest(body, &request)) {
      EXPECT_LE(request.frame.size(), body.size());
      PeerCargo cargo;
      ReadPeerCargo(request.kind, request.guarded, request.cargo, &cargo);
    }
    ReadPeerReply(body, &reply);
    ReadPeerNumber(body, &number);
    for (int kind = 0; kind < static_cast<int>(RequestKind::kWorker); ++kind) {
      PeerCargo cargo;
      ReadPeerCargo(RequestKind{static_cast<uint8_t>(kind)}, i % 2 == 0, body, &cargo);
    }
    Request asked;
    asked.kind = RequestKind::kNodes;
    asked.Extra().cargo = std::make_unique<NodesOrder>();
    ReadPeerAnswers(body, &asked);
  }
}

TEST(PeerInputTest, FramesComeInPieces) {
  std::mt19937 random(3);
  for (int round = 0; round < 200; ++round) {
    std::string wire;
    std::vector<std::string> wanted;
    for (int i = 0; i < 20; ++i) {
      wanted.push_back("x" + RandomText(&random, 60));
      const auto size = static_cast<uint32_t>(wanted.back().size());
      for (int b = 0; b < 4; ++b) wire.push_back(static_cast<char>(size >> (8 * b)));
      wire += wanted.back();
    }
    std::vector<std::string> got;
    PeerInput input(100);
    const auto visit = [&](std::string_view body) {
      got.emplace_back(body);
      return random() % 4 != 0;  // it may want no more for now
    };
    for (size_t at = 0; at < wire.size();) {
      const size_t size = std::min<size_t>(1 + random() % 50, wire.size() - at);
      ASSERT_NE(input.Feed(std::string(wire, at, size), visit), PeerInput::Status::kBad);
      at += size;
    }
    while (input.Feed({}, visit) == PeerInput::Status::kStopped) {
    }
    EXPECT_EQ(got, wanted);
    EXPECT_EQ(input.held(), 0u);
  }
}

TEST(PeerInputTest, LengthsAreBounded) {
  const auto visit = [](std::string_view) { return true; };
  EXPECT_EQ(PeerInput(100).Feed(std::string("\x65\0\0\0", 4), visit), PeerInput::Status::kBad);
  EXPECT_EQ(PeerInput(100).Feed(std::string("\x64\0\0\0", 4), visit), PeerInput::Status::kMore);
  EXPECT_EQ(PeerInput(100).Feed(std::string("\0\0\0\0", 4), visit), PeerInput::Status::kBad);
}

std::string CargoOf(const Request& request, uint64_t ticket = 0, uint64_t waited_ms = 0) {
  std::string out;
  AppendPeerCargo(request, ticket, waited_ms, &out);
  return out;
}

TEST(PeerCargoTest, CargoesSurvive) {
  Request request;
  PeerCargo read;

  request.kind = RequestKind::kWrite;
  request.guarded = true;
  auto watch = std::make_unique<WatchCargo>();
  watch->existed = {"k1", "", std::string("\0\1k", 3)};
  request.Extra().cargo = std::move(watch);
  ASSERT_TRUE(ReadPeerCargo(request.kind, true, CargoOf(request, 9), &read));
  EXPECT_EQ(read.ticket, 9u);
  EXPECT_EQ(static_cast<WatchCargo&>(*read.cargo).existed,
            (std::vector<std::string>{"k1", "", std::string("\0\1k", 3)}));
  request.guarded = false;

  request.kind = RequestKind::kBlocking;
  auto blocking = std::make_unique<BlockingCargo>();
  blocking->timeout_ms = 1000;
  request.Extra().cargo = std::move(blocking);
  ASSERT_TRUE(ReadPeerCargo(request.kind, false, CargoOf(request, 0, 400), &read));
  EXPECT_EQ(static_cast<BlockingCargo&>(*read.cargo).timeout_ms, 600u);
  // A timeout that has passed is none of "for ever".
  ASSERT_TRUE(ReadPeerCargo(request.kind, false, CargoOf(request, 0, 4000), &read));
  EXPECT_EQ(static_cast<BlockingCargo&>(*read.cargo).timeout_ms, 1u);

  request.kind = RequestKind::kUnblock;
  auto unblock = std::make_unique<UnblockCargo>();
  unblock->why = UnblockCargo::Why::kGone;
  request.Extra().cargo = std::move(unblock);
  ASSERT_TRUE(ReadPeerCargo(request.kind, false, CargoOf(request, 12), &read));
  EXPECT_EQ(read.ticket, 12u);
  EXPECT_EQ(static_cast<UnblockCargo&>(*read.cargo).why, UnblockCargo::Why::kGone);

  request.kind = RequestKind::kSync;
  auto sync = std::make_unique<SyncCargo>();
  sync->wanted = -1;
  sync->timeout_ms = 0;
  request.Extra().cargo = std::move(sync);
  ASSERT_TRUE(ReadPeerCargo(request.kind, false, CargoOf(request, 0, 10), &read));
  EXPECT_EQ(static_cast<SyncCargo&>(*read.cargo).wanted, -1);
  EXPECT_EQ(static_cast<SyncCargo&>(*read.cargo).timeout_ms, 0u);

  request.kind = RequestKind::kControl;
  request.Extra().cargo = std::make_unique<OrderCargo>(ShardOrder{ShardOrder::Verb::kDrain, "n1"});
  ASSERT_TRUE(ReadPeerCargo(request.kind, false, CargoOf(request), &read));
  EXPECT_EQ(static_cast<OrderCargo&>(*read.cargo).order.verb, ShardOrder::Verb::kDrain);
  EXPECT_EQ(static_cast<OrderCargo&>(*read.cargo).order.node, "n1");
}

TEST(PeerCargoTest, WhatNodesAreAskedAndSayTravels) {
  Request request;
  request.kind = RequestKind::kNodes;
  auto order = std::make_unique<NodesOrder>();
  order->commands = {{"CONFIG", "GET", "maxmemory"}, {"LASTSAVE"}};
  order->of_nodes["n2"] = {{"PING"}};
  order->own_values = {"save"};
  order->poll = {"INFO", "persistence"};
  order->while_has = "busy:1";
  order->delay_ms = 5;
  request.Extra().cargo = std::move(order);
  PeerCargo read;
  ASSERT_TRUE(ReadPeerCargo(request.kind, false, CargoOf(request), &read));
  auto& got = static_cast<NodesOrder&>(*read.cargo);
  EXPECT_EQ(got.commands,
            (std::vector<NodesOrder::Command>{{"CONFIG", "GET", "maxmemory"}, {"LASTSAVE"}}));
  EXPECT_EQ(got.of_nodes["n2"], std::vector<NodesOrder::Command>{{"PING"}});
  EXPECT_EQ(got.own_values, std::vector<std::string>{"save"});
  EXPECT_EQ(got.poll, (NodesOrder::Command{"INFO", "persistence"}));
  EXPECT_EQ(got.while_has, "busy:1");
  EXPECT_EQ(got.delay_ms, 5u);

  Request answered;
  answered.kind = RequestKind::kNodes;
  got.answers.push_back({"n1", true, false, {{true, false, "", "text", "*0\r\n"}}});
  got.answers.push_back({"n2", false, true, {}});
  answered.Extra().cargo = std::move(read.cargo);
  std::string said;
  AppendPeerAnswers(answered, &said);
  ASSERT_TRUE(ReadPeerAnswers(said, &request));
  const auto& answers = static_cast<NodesOrder&>(*request.extra->cargo).answers;
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_TRUE(answers[0].primary && !answers[0].away && answers[1].away);
  EXPECT_EQ(answers[0].replies[0].frame, "*0\r\n");
  EXPECT_FALSE(ReadPeerAnswers(said.substr(0, said.size() - 1), &request));
}

}  // namespace
}  // namespace gemel
