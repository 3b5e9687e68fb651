// A shard that goes to another process: what is waited for, what is given back in which order, and
// what is cut off when the lease is lost.

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "backend/command/block.h"
#include "tests/unit/shard_first_world.h"

namespace gemel::shard_departure_test {
namespace {

constexpr const char* kCutWrite =
    "-CLUSTERDOWN this member of the fleet lost its lease of shard 'a'; the write may or may not "
    "have been applied\r\n";

class DepartureTest : public ShardFirstWorld {
 protected:
  void BeginMove() {
    shard_->BeginMove([this] { ++drained_; });
  }
  bool Drained() {
    shard_->Tick(now_ms_ += 10, 0);
    return drained_ == 1;
  }
  Asked* New(RequestKind kind, const Args& args, std::unique_ptr<RequestCargo> cargo) {
    Asked* request = &asked_.emplace_back();
    request->sink = this;
    request->session = 7;
    request->kind = kind;
    request->row = table_.Find(args);
    request->frame = {};
    request->Extra().owned.Append(Command(args));
    request->frame = request->extra->owned.view();
    request->extra->cargo = std::move(cargo);
    return request;
  }
  Asked* Block(const Args& args, uint64_t timeout_ms, std::shared_ptr<BlockTicket> ticket) {
    auto cargo = std::make_unique<BlockingCargo>();
    cargo->ticket = std::move(ticket);
    cargo->timeout_ms = timeout_ms;
    Asked* request = New(RequestKind::kBlocking, args, std::move(cargo));
    shard_->Submit(request);
    return request;
  }
  void Both(const std::string& reply) {
    for (uint32_t copy : {0u, 1u}) {
      Sent(copy);
      Reply(copy, reply);
    }
  }

  int drained_ = 0;
};

TEST_F(DepartureTest, WhatIsInFlightEndsAndTheRestIsGivenBackInOrder) {
  Begin();
  Asked* set = Ask({"SET", "k", "v"}, 1);
  Asked* get = Ask({"GET", "k"}, 2);
  EXPECT_EQ(Sent(0), Command({"SET", "k", "v"}) + Command({"GET", "k"}));
  EXPECT_EQ(Sent(1), Command({"SET", "k", "v"}));
  BeginMove();
  Asked* later = Ask({"GET", "k"}, 1);
  Asked* other = Ask({"SET", "k", "w"}, 2);
  EXPECT_EQ(Sent(0), "");
  EXPECT_FALSE(Drained());
  Reply(0, "+OK\r\n$1\r\nv\r\n");
  EXPECT_EQ(get->told, "$1\r\nv\r\n");
  EXPECT_FALSE(Drained()) << "the replica has not answered";
  Reply(1, "+OK\r\n");
  EXPECT_EQ(set->told, "+OK\r\n");
  EXPECT_TRUE(Drained());
  EXPECT_TRUE(given_.empty());
  EXPECT_EQ(Sent(0) + Sent(1), "");
  EXPECT_TRUE(shard_->GiveBack());
  EXPECT_EQ(given_, (std::vector<Request*>{later, other}));
  EXPECT_EQ(given_frames_, Command({"GET", "k"}) + Command({"SET", "k", "w"}));
  EXPECT_EQ(later->told + other->told, "");
  Asked* last = Ask({"GET", "k"}, 3);
  EXPECT_EQ(given_.back(), last);
  Pass(100);
  EXPECT_EQ(drained_, 1);
  EXPECT_EQ(edits_, "");
  EXPECT_FALSE(shard_->link(0)->up() || shard_->link(1)->up());
}

TEST_F(DepartureTest, ANodeThatDiesMeanwhileIsMarkedStaleBeforeTheShardGoes) {
  Begin();
  Asked* set = Ask({"SET", "k", "v"});
  BeginMove();
  Lose(1, /*refused=*/true);
  Reply(0, "+OK\r\n");
  EXPECT_EQ(set->told, "");
  EXPECT_FALSE(Drained());
  RunEdits();
  EXPECT_EQ(set->told, "+OK\r\n");
  EXPECT_EQ(Durable().copies[1].state, CopyState::kStale);
  EXPECT_TRUE(Drained());
  EXPECT_TRUE(shard_->GiveBack());
}

// Which of the two lacks the write, only this owner could find out once they are back.
TEST_F(DepartureTest, WithBothLinksLostNothingIsInFlightAndTheShardIsNotClean) {
  Begin();
  Asked* set = Ask({"SET", "k", "v"});
  Sent(0);
  Sent(1);
  Lose(1, /*refused=*/true);
  Lose(0, /*refused=*/true);
  RunEdits();
  EXPECT_NE(set->told, "");
  BeginMove();
  EXPECT_TRUE(Drained()) << "nothing is in flight";
  EXPECT_FALSE(shard_->GiveBack());
}

// It is there, and lacks a write, which could not be said durably.
TEST_F(DepartureTest, WithACopyThatRefusedAWriteTheShardIsNotClean) {
  base_.wait_ms = 200;
  Begin();
  Asked* set = Ask({"SET", "k", "v"});
  Reply(0, "+OK\r\n");
  Reply(1, "-READONLY a replica\r\n");
  RunEdits(false);
  Pass(300);
  RunEdits(false);
  EXPECT_TRUE(set->told.starts_with("-CLUSTERDOWN")) << set->told;
  BeginMove();
  EXPECT_TRUE(Drained()) << "nothing is in flight";
  EXPECT_FALSE(shard_->GiveBack());
}

TEST_F(DepartureTest, ANodeThatHangsIsNotWaitedForForEver) {
  base_.wait_ms = 200;
  Begin();
  Asked* set = Ask({"SET", "k", "v"}, 1);
  Asked* get = Ask({"GET", "k"}, 2);
  BeginMove();
  Pass(100);
  Asked* held = Ask({"SET", "k", "w"}, 3);
  EXPECT_EQ(drained_, 0);
  Pass(150);
  EXPECT_EQ(drained_, 1);
  EXPECT_EQ(held->told, "") << "what waits is not refused meanwhile";
  EXPECT_FALSE(shard_->GiveBack());
  EXPECT_EQ(set->told,
            "-CLUSTERDOWN shard 'a' went to another member of the fleet before its nodes had "
            "answered; the write may or may not have been applied\r\n");
  EXPECT_EQ(given_, (std::vector<Request*>{get, held}));
}

TEST_F(DepartureTest, AWriteThatOneCopyExecutesFirstEndsOnAll) {
  Begin();
  Asked* add = Add();
  Size();
  BeginMove();
  EXPECT_FALSE(Drained());
  Execute();
  EXPECT_FALSE(Drained());
  HaveIt();
  EXPECT_EQ(add->told, kId);
  EXPECT_TRUE(Drained());
}

TEST_F(DepartureTest, ARepairEnds) {
  Begin();
  Ask({"APPEND", "k", "v"});
  for (uint32_t copy : {0u, 1u}) Sent(copy);
  Reply(0, ":1\r\n");
  BeginMove();
  Reply(1, ":2\r\n");  // it differs
  ExpectRepair(0, "k");
  EXPECT_FALSE(Drained());
  Reply(0, "$1\r\nD\r\n:-1\r\n");
  EXPECT_EQ(Sent(1), Command({"RESTORE", "k", "0", "D", "REPLACE"}));
  EXPECT_FALSE(Drained());
  Reply(1, "+OK\r\n");
  EXPECT_TRUE(Drained());
  EXPECT_TRUE(shard_->GiveBack());
}

TEST_F(DepartureTest, ALostLeaseCutsAllAtOnce) {
  Begin();
  Asked* set = Ask({"SET", "k", "v"}, 1);
  Asked* get = Ask({"GET", "k"}, 2);
  Asked* publish = Ask({"PUBLISH", "c", "m"}, 4);
  Sent(0);
  Sent(1);
  Asked* unflushed = Ask({"SET", "k", "w"}, 3);
  Reply(1, "+OK\r\n");
  shard_->Cut();
  EXPECT_EQ(Sent(0) + Sent(1), "") << "what was still to go out stays here";
  EXPECT_EQ(set->told, kCutWrite);
  EXPECT_EQ(unflushed->told, kCutWrite);
  EXPECT_EQ(publish->told.substr(0, 5), "-ERR ");
  EXPECT_EQ(given_, std::vector<Request*>{get});
  EXPECT_EQ(given_frames_, Command({"GET", "k"}));
  EXPECT_EQ(get->told, "");
  EXPECT_EQ(transports_[0].closes, 1);
  EXPECT_EQ(transports_[1].closes, 1);
  Pass(5000);
  EXPECT_EQ(edits_, "") << "it is not for this member to say who is in sync";
  EXPECT_EQ(transports_[0].connects, 1) << "nor to connect again";
}

TEST_F(DepartureTest, AReadGoesBackBeforeWhatWasHeldBehindIt) {
  Begin();
  Asked* get = Ask({"GET", "k"}, 1);
  BeginMove();
  Asked* set = Ask({"SET", "k", "w"}, 1);
  shard_->Cut();
  EXPECT_EQ(given_, (std::vector<Request*>{get, set}));
  EXPECT_EQ(drained_, 0);
}

TEST_F(DepartureTest, AnEditUnderWayIsNotHeardOfAfterTheCut) {
  Begin();
  Asked* set = Ask({"SET", "k", "v"});
  Lose(1, /*refused=*/true);
  Reply(0, "+OK\r\n");
  ASSERT_NE(edits_, "");
  edits_.clear();
  shard_->Cut();
  EXPECT_EQ(set->told, kCutWrite);
  RunEdits();
  Pass(2000);
  EXPECT_EQ(edits_, "");
}

TEST_F(DepartureTest, OfAWriteThatOneCopyExecutesFirstTheCutTellsWhatIsKnown) {
  Begin();
  Asked* early = Add(1);  // it has only asked how large the key is
  shard_->Cut();
  EXPECT_EQ(early->told, "");
  EXPECT_EQ(given_, std::vector<Request*>{early});
  EXPECT_EQ(early->kind, RequestKind::kFirstWrite);
  Begin();
  Asked* late = Add(1);
  Size();
  shard_->Cut();
  EXPECT_EQ(late->told, kCutWrite);
  EXPECT_EQ(given_.size(), 1u);
}

// It stands held, and may have been executed by the copy that was lost.
TEST_F(DepartureTest, WhatMayHaveBeenExecutedIsNotGivenBack) {
  base_.grace_ms = 1000;
  Begin();
  Asked* add = Add();
  Size();
  BeginMove();
  Lose(0);
  EXPECT_EQ(add->told, "");
  EXPECT_FALSE(Drained());
  shard_->Cut();
  EXPECT_EQ(add->told, kCutWrite);
  EXPECT_TRUE(given_.empty());
}

TEST_F(DepartureTest, WhoWaitsForAKeyIsGivenBackWithTheTimeThatIsLeft) {
  Begin();
  const auto ticket = std::make_shared<BlockTicket>();
  Asked* first = Block({"BLPOP", "q", "1"}, 1000, ticket);
  Both("_\r\n");
  BeginMove();
  Asked* second = Block({"BLPOP", "r", "0"}, 0, std::make_shared<BlockTicket>());
  Asked* push = Ask({"RPUSH", "q", "a"});
  EXPECT_EQ(Sent(0), "");
  now_ms_ += 290;
  EXPECT_TRUE(Drained());
  EXPECT_TRUE(shard_->GiveBack());
  EXPECT_EQ(given_, (std::vector<Request*>{first, second, push}));
  EXPECT_EQ(first->kind, RequestKind::kBlocking);
  EXPECT_EQ(static_cast<BlockingCargo&>(*first->extra->cargo).timeout_ms, 700u);
  EXPECT_EQ(static_cast<BlockingCargo&>(*second->extra->cargo).timeout_ms, 0u);
  EXPECT_EQ(ticket->waiter, nullptr);
  EXPECT_EQ(first->told + second->told, "");
}

TEST_F(DepartureTest, WhatIsTakenForOneWhoWaitsReachesIt) {
  Begin();
  Asked* client = Block({"BLPOP", "q", "0"}, 0, std::make_shared<BlockTicket>());
  EXPECT_EQ(Sent(0), Command({"lpop", "q"}));
  BeginMove();
  EXPECT_FALSE(Drained());
  Both("$1\r\na\r\n");
  EXPECT_EQ(client->told, "*2\r\n$1\r\nq\r\n$1\r\na\r\n");
  EXPECT_TRUE(Drained());
}

TEST_F(DepartureTest, WhatWasTakenForNobodyIsPutBackBeforeTheShardGoes) {
  Begin();
  const auto ticket = std::make_shared<BlockTicket>();
  Block({"BLPOP", "q", "0"}, 0, ticket);
  Sent(0);
  BeginMove();
  auto gone = std::make_unique<UnblockCargo>();
  gone->ticket = ticket;
  gone->why = UnblockCargo::Why::kGone;
  Asked* unblock = New(RequestKind::kUnblock, {"PING"}, std::move(gone));
  shard_->Submit(unblock);
  Sent(1);
  Reply(0, "$1\r\na\r\n");
  Reply(1, "$1\r\na\r\n");
  EXPECT_EQ(Sent(0), Command({"lpush", "q", "a"}));
  EXPECT_FALSE(Drained());
  Both(":1\r\n");
  EXPECT_TRUE(Drained());
}

TEST_F(DepartureTest, APopThatIsCutOffIsToldOf) {
  Begin();
  Asked* client = Block({"BLPOP", "q", "0"}, 0, std::make_shared<BlockTicket>());
  shard_->Cut();
  EXPECT_EQ(client->told, kCutWrite) << "it may have taken something";
  EXPECT_TRUE(given_.empty());
}

TEST_F(DepartureTest, WhatWasWatchedCountsAsTouched) {
  Begin();
  const auto ticket = std::make_shared<WatchTicket>();
  const auto cargo = [&] {
    auto made = std::make_unique<WatchCargo>();
    made->ticket = ticket;
    return made;
  };
  reply_log2_ = 1;
  Asked* watch = New(RequestKind::kWatch, {"PTTL", "k"}, cargo());
  shard_->Submit(watch);
  EXPECT_EQ(Sent(0), Command({"PTTL", "k"}));
  BeginMove();
  Asked* exec = New(RequestKind::kWrite, {"SET", "k", "v"}, cargo());
  exec->guarded = true;
  shard_->Submit(exec);
  Asked* other = New(RequestKind::kWatch, {"PTTL", "l"}, cargo());
  shard_->Submit(other);
  shard_->Cut();
  EXPECT_TRUE(ticket->lost);
  EXPECT_EQ(exec->told, "_\r\n");
  EXPECT_EQ(given_, (std::vector<Request*>{watch, other}));
  EXPECT_EQ(watch->kind, RequestKind::kWatch) << "it begins anew there";
}

TEST_F(DepartureTest, ALostWatchIsNotForgottenByTheNextOwner) {
  Begin();
  auto cargo = std::make_unique<WatchCargo>();
  const auto ticket = cargo->ticket = std::make_shared<WatchTicket>();
  ticket->lost = true;
  shard_->Submit(New(RequestKind::kWatch, {"PTTL", "k"}, std::move(cargo)));
  Sent(0);
  Reply(0, ":-1\r\n");
  auto guard = std::make_unique<WatchCargo>();
  guard->ticket = ticket;
  Asked* exec = New(RequestKind::kWrite, {"SET", "k", "v"}, std::move(guard));
  exec->guarded = true;
  shard_->Submit(exec);
  EXPECT_EQ(exec->told, "_\r\n");
}

TEST_F(DepartureTest, WhoWaitsForCopiesIsGivenBackOnlyIfAllIsKnown) {
  for (const bool cut : {false, true}) {
    given_.clear();
    drained_ = 0;
    Begin();
    auto cargo = std::make_unique<SyncCargo>();
    cargo->wanted = 5;
    cargo->timeout_ms = 1000;
    cargo->ticket = std::make_shared<SyncTicket>();
    Asked* wait = New(RequestKind::kSync, {"WAIT", "5", "1000"}, std::move(cargo));
    shard_->Submit(wait);
    if (cut) {
      shard_->Cut();
      EXPECT_EQ(wait->told, ":1\r\n");
      EXPECT_TRUE(given_.empty());
      continue;
    }
    BeginMove();
    EXPECT_TRUE(Drained());
    EXPECT_TRUE(shard_->GiveBack());
    EXPECT_EQ(given_, std::vector<Request*>{wait});
    EXPECT_EQ(static_cast<SyncCargo&>(*wait->extra->cargo).timeout_ms, 990u);
  }
}

TEST_F(DepartureTest, OrdersAndAuditsAreTheNextOwners) {
  Begin();
  BeginMove();
  Asked* order = New(RequestKind::kControl, {"PING"},
                     std::make_unique<OrderCargo>(ShardOrder{ShardOrder::Verb::kPromote, "n1"}));
  shard_->Submit(order);
  Asked* audit = New(RequestKind::kAudit, {"PING"}, nullptr);
  shard_->Submit(audit);
  EXPECT_NE(Explain(true), "");
  EXPECT_TRUE(Drained());
  shard_->GiveBack();
  EXPECT_EQ(given_, (std::vector<Request*>{order, audit}));
  EXPECT_EQ(edits_, "");
}

}  // namespace
}  // namespace gemel::shard_departure_test
