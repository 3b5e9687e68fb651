// Requests for shards that come and go: whose they are, where they wait, what is counted.

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "backend/shard/watches.h"
#include "proxy/dispatch/dispatcher.h"
#include "proxy/dispatch/elsewhere.h"
#include "tests/unit/session_fakes.h"

namespace gemel::session_test::dispatcher_fleet_test {
namespace {

class FakeElsewhere : public Elsewhere {
 public:
  void Submit(Request* request) override {
    frames += request->frame;
    request->OwnFrame();
    held.push_back(request);
  }
  bool Has(uint32_t) const override { return on_way || !held.empty(); }
  void AnswerAll(const std::string& reply) {
    for (Request* request : std::exchange(held, {})) {
      request->sink->OnReply(request, Reply{reply, nullptr});
    }
  }

  std::string frames;
  std::vector<Request*> held;
  bool on_way = false;  // there is more
};

// Shard a is worker 0's, shard b worker 1's, if the process has them.
class DispatcherFleetTest : public ::testing::Test, public RequestSink {
 protected:
  DispatcherFleetTest() {
    for (uint32_t worker : {0u, 1u}) of(worker).set_elsewhere(&elsewhere_[worker]);
  }
  Dispatcher& of(uint32_t worker) { return world_.workers[worker]->dispatcher; }
  Shard& shard(uint32_t index) { return *world_.workers[index]->shards[index]; }
  Request* New(uint32_t worker, uint32_t index, RequestKind kind, const Args& args) {
    Request* request = of(worker).New();
    request->sink = this;
    request->shard = static_cast<uint16_t>(index);
    request->session = 1;
    request->kind = kind;
    request->row = world_.pool->table().Find(args);
    return request;
  }
  Request* Submit(uint32_t worker, uint32_t index, RequestKind kind, const Args& args,
                  bool guest = false) {
    Request* request = New(worker, index, kind, args);
    request->guest = guest;
    const std::string frame = Command(args);
    request->frame = frame;
    asking_ = worker;
    of(worker).Submit(request);
    return request;
  }
  void OnReply(Request* request, const Reply& reply) override {
    if (request->submitted) of(asking_).Answered(*request);
    told_ += request->not_here ? "not here;" : std::string(reply.bytes);
    if (request->not_here) {
      EXPECT_EQ(reply.bytes, "");
    }
  }
  // The shard leaves in order, with nothing in flight.
  void Move(uint32_t index) {
    bool drained = false;
    shard(index).BeginMove([&] { drained = true; });
    shard(index).Tick(0, 0);
    EXPECT_TRUE(drained);
    EXPECT_TRUE(shard(index).GiveBack());
    of(index).SetShard(index, nullptr);
  }

  std::array<FakeElsewhere, 2> elsewhere_;
  uint32_t asking_ = 0;
  std::string told_;
  World world_{2, "[proxy]\nworkers = 2\n[limits]\nnode_pending = 2", 2};  // answers at its end
};

TEST_F(DispatcherFleetTest, AWorkersOwnClientsAreServedElsewhere) {
  of(0).SetShard(0, nullptr);
  for (int i = 0; i < 3; ++i) Submit(0, 0, RequestKind::kRead, {"GET", "k"});
  EXPECT_EQ(elsewhere_[0].frames,
            Command({"GET", "k"}) + Command({"GET", "k"}) + Command({"GET", "k"}));
  EXPECT_EQ(told_, "");
  EXPECT_TRUE(of(0).Congested(0));
  elsewhere_[0].AnswerAll("+1\r\n");
  EXPECT_EQ(told_, "+1\r\n+1\r\n+1\r\n");
  EXPECT_FALSE(of(0).Congested(0));
  EXPECT_TRUE(of(0).outbox(0).empty() && of(0).outbox(1).empty());
}

TEST_F(DispatcherFleetTest, AnotherWorkersClientsAreServedElsewhereAndAnsweredThere) {
  of(1).SetShard(1, nullptr);
  Submit(0, 1, RequestKind::kWrite, {"SET", "k", "v"});
  EXPECT_TRUE(world_.Exchange());
  EXPECT_EQ(elsewhere_[1].frames, Command({"SET", "k", "v"}));
  elsewhere_[1].AnswerAll("+OK\r\n");
  EXPECT_EQ(told_, "");
  EXPECT_TRUE(world_.Exchange());
  EXPECT_EQ(told_, "+OK\r\n");
}

TEST_F(DispatcherFleetTest, AGuestIsToldThatTheShardIsNotHere) {
  of(0).SetShard(0, nullptr);
  of(1).SetShard(1, nullptr);
  for (int i = 0; i < 3; ++i) Submit(0, 0, RequestKind::kRead, {"GET", "k"}, /*guest=*/true);
  EXPECT_EQ(told_, "not here;not here;not here;");
  EXPECT_FALSE(of(0).Congested(0));
  for (int i = 0; i < 3; ++i) Submit(0, 1, RequestKind::kRead, {"GET", "k"}, /*guest=*/true);
  world_.Exchange();
  world_.Exchange();
  EXPECT_EQ(told_, "not here;not here;not here;not here;not here;not here;");
  EXPECT_FALSE(of(0).Congested(1));
  EXPECT_TRUE(elsewhere_[0].held.empty() && elsewhere_[1].held.empty());
}

TEST_F(DispatcherFleetTest, WhatAShardGivesBackGoesFirst) {
  shard(1).BeginMove(nullptr);
  Submit(0, 1, RequestKind::kWrite, {"SET", "k", "1"});
  world_.Exchange();
  Submit(1, 1, RequestKind::kWrite, {"SET", "k", "2"});
  Submit(0, 1, RequestKind::kWrite, {"SET", "k", "guest"}, /*guest=*/true);
  world_.Exchange();
  EXPECT_FALSE(world_.nodes[1].Serve());
  EXPECT_TRUE(shard(1).GiveBack());
  of(1).SetShard(1, nullptr);
  Submit(1, 1, RequestKind::kWrite, {"SET", "k", "3"});
  EXPECT_EQ(elsewhere_[1].frames,
            Command({"SET", "k", "1"}) + Command({"SET", "k", "2"}) + Command({"SET", "k", "3"}));
  EXPECT_EQ(told_, "");
  asking_ = 0;
  world_.Exchange();
  EXPECT_EQ(told_, "not here;");
}

TEST_F(DispatcherFleetTest, WhatComesHomeIsCountedOnce) {
  of(0).SetShard(0, nullptr);
  for (const char* value : {"1", "2", "3"}) {
    Submit(0, 0, RequestKind::kWrite, {"SET", "k", value});
  }
  of(0).SetShard(0, &shard(0));
  for (Request* request : std::exchange(elsewhere_[0].held, {})) of(0).ComeHome(request);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(world_.nodes[0].Serve());
  EXPECT_EQ(world_.nodes[0].data["k"], "3");
  EXPECT_EQ(told_, "+OK\r\n+OK\r\n+OK\r\n");
  EXPECT_FALSE(of(0).Congested(0));
}

// Also what is on its way to the owner before, and may come back, goes before what is new.
TEST_F(DispatcherFleetTest, NothingOvertakesWhatComesHome) {
  of(0).SetShard(0, nullptr);
  Submit(0, 0, RequestKind::kWrite, {"SET", "k", "1"});
  elsewhere_[0].on_way = true;
  of(0).SetShard(0, &shard(0));
  Submit(0, 0, RequestKind::kWrite, {"SET", "k", "2"});
  Submit(1, 0, RequestKind::kWrite, {"SET", "k", "3"});
  world_.Exchange();
  EXPECT_FALSE(world_.nodes[0].Serve());
  EXPECT_EQ(elsewhere_[0].held.size(), 3u);
  // What other members ask has no place among these.
  Submit(0, 0, RequestKind::kWrite, {"SET", "k", "guest"}, /*guest=*/true);
  EXPECT_TRUE(world_.nodes[0].Serve());
  asking_ = 0;
  const std::vector<Request*> home = std::exchange(elsewhere_[0].held, {});
  for (Request* request : home) of(0).ComeHome(request);
  elsewhere_[0].on_way = false;
  Submit(0, 0, RequestKind::kWrite, {"SET", "k", "4"});
  EXPECT_TRUE(elsewhere_[0].held.empty());
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(world_.nodes[0].Serve());
  EXPECT_EQ(world_.nodes[0].data["k"], "4");
}

TEST_F(DispatcherFleetTest, WhatComesHomeTooLateStaysWhereItIs) {
  of(0).SetShard(0, nullptr);
  Submit(0, 0, RequestKind::kWrite, {"SET", "k", "1"});
  Request* request = std::exchange(elsewhere_[0].held, {})[0];
  EXPECT_FALSE(of(0).ComeHome(request));
  EXPECT_TRUE(elsewhere_[0].held.empty());
  of(0).SetShard(0, &shard(0));
  EXPECT_TRUE(of(0).ComeHome(request));
  EXPECT_TRUE(world_.nodes[0].Serve());
}

TEST_F(DispatcherFleetTest, ATransactionWhoseWatchWentWithTheShardIsNotCarriedOut) {
  Move(0);
  for (const bool lost : {false, true}) {
    auto cargo = std::make_unique<WatchCargo>();
    cargo->ticket = std::make_shared<WatchTicket>();
    cargo->ticket->lost = lost;
    Request* request = New(0, 0, RequestKind::kWrite, {"SET", "k", "v"});
    request->guarded = true;
    request->Extra().cargo = std::move(cargo);
    const std::string frame = Command({"SET", "k", "v"});
    request->frame = frame;
    of(0).Submit(request);
    EXPECT_EQ(told_, lost ? "_\r\n" : "");
    EXPECT_EQ(elsewhere_[0].held.size(), 1u);
  }
}

TEST_F(DispatcherFleetTest, FreedRequestsAreNoGuests) {
  of(0).SetShard(0, nullptr);
  Request* request = Submit(0, 0, RequestKind::kRead, {"GET", "k"}, /*guest=*/true);
  ASSERT_TRUE(request->guest && request->not_here);
  of(0).Free(request);
  Request* again = of(0).New();
  ASSERT_EQ(again, request);
  EXPECT_FALSE(again->guest || again->not_here);
}

}  // namespace
}  // namespace gemel::session_test::dispatcher_fleet_test
