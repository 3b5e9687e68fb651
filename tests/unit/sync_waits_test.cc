// WAIT: how many copies are said to have what was written, and when.

#include "backend/shard/sync_waits.h"

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "backend/shard/write_generations.h"
#include "tests/unit/shard_world.h"

namespace gemel::sync_waits_test {
namespace {

TEST(WriteGenerations, EndWithTheWritesOfTheirTime) {
  WriteGenerations generations;
  EXPECT_TRUE(generations.HaveEnded(generations.now()));
  const uint8_t before = generations.Begin();
  const uint64_t asked = generations.now();
  EXPECT_FALSE(generations.HaveEnded(asked));
  const uint8_t later = generations.Begin();
  EXPECT_FALSE(generations.HaveEnded(asked));
  generations.End(before);
  EXPECT_EQ(generations.in_flight(), 1u);
  EXPECT_TRUE(generations.HaveEnded(asked)) << "one that came later is in flight";
  // Asked again at once: that of the later write cannot end before the write.
  const uint64_t again = generations.now();
  EXPECT_FALSE(generations.HaveEnded(again));
  const uint8_t last = generations.Begin();
  generations.End(later);
  EXPECT_TRUE(generations.HaveEnded(again));
  EXPECT_TRUE(generations.HaveEnded(asked)) << "it stays so";
  generations.End(last);
  EXPECT_EQ(generations.in_flight(), 0u);
}

// Without a moment in which nothing is in flight, each comes to its end all the same.
TEST(WriteGenerations, EndUnderLoad) {
  WriteGenerations generations;
  std::deque<uint8_t> open;
  for (int i = 0; i < 10; ++i) open.push_back(generations.Begin());
  for (int round = 0; round < 20; ++round) {
    const uint64_t asked = generations.now();
    const size_t of_its_time = open.size();
    int until = 0;
    while (!generations.HaveEnded(asked)) {
      open.push_back(generations.Begin());
      generations.End(open.front());
      open.pop_front();
      ASSERT_LT(++until, 100);
    }
    EXPECT_GE(static_cast<size_t>(until), of_its_time) << "a write of its time is in flight";
  }
}

class SyncWaitsTest : public ShardWorld {
 protected:
  struct Waiting {
    Asked* request;
    std::shared_ptr<SyncTicket> ticket;
  };
  Waiting Wait(int64_t wanted, uint64_t timeout_ms) {
    Asked* request = &asked_.emplace_back();
    auto cargo = std::make_unique<SyncCargo>();
    cargo->wanted = wanted;
    cargo->timeout_ms = timeout_ms;
    auto ticket = std::make_shared<SyncTicket>();
    cargo->ticket = ticket;
    request->sink = this;
    request->kind = RequestKind::kSync;
    request->Extra().cargo = std::move(cargo);
    shard_->Submit(request);
    return {request, ticket};
  }
};

TEST_F(SyncWaitsTest, SaysHowManyAreInSync) {
  MakeUp(3);
  EXPECT_EQ(Wait(0, 0).request->told, ":2\r\n");
  EXPECT_EQ(Wait(2, 0).request->told, ":2\r\n");
  const Waiting more = Wait(3, 50);
  EXPECT_EQ(more.request->told, "");
  EXPECT_FALSE(shard_->Idle());
  Pass(40);
  EXPECT_EQ(more.request->told, "");
  Pass(20);
  EXPECT_EQ(more.request->told, ":2\r\n");
  EXPECT_TRUE(shard_->Idle());
}

TEST_F(SyncWaitsTest, EndsWhenTheClientIsToldOtherwise) {
  MakeUp(2);
  const Waiting waiting = Wait(5, 0);
  Pass(5000);
  EXPECT_EQ(waiting.request->told, "");
  waiting.ticket->ended = true;
  Pass(10);
  EXPECT_EQ(waiting.request->told, ":1\r\n");
  const Waiting last = Wait(5, 0);
  shard_->Stop();
  EXPECT_EQ(last.request->told, ":1\r\n");
}

// Where writes are answered early, what is on its way counts when it has come.
TEST_F(SyncWaitsTest, WhatIsOnItsWay) {
  MakeUp(2, Ack::kPrimary);
  Asked* write = Ask({"SET", "k", "v"});
  Reply(0, "+OK\r\n");
  EXPECT_EQ(write->told, "+OK\r\n");
  const Waiting waiting = Wait(1, 0);
  EXPECT_EQ(waiting.request->told, "");
  Pass(20);
  EXPECT_EQ(waiting.request->told, "");
  Ask({"SET", "later", "v"});
  Reply(1, "+OK\r\n");
  Pass(10);
  EXPECT_EQ(waiting.request->told, ":1\r\n") << "the write behind it is not asked about";
  const Waiting none = Wait(0, 0);
  EXPECT_EQ(none.request->told, "") << "it is not known yet";
  Reply(0, "+OK\r\n");
  Reply(1, "+OK\r\n");
  Pass(10);
  EXPECT_EQ(none.request->told, ":1\r\n");
}

// A copy that is lost is in sync no more, whatever was on its way there.
TEST_F(SyncWaitsTest, ALostCopyDoesNotCount) {
  MakeUp(2, Ack::kPrimary);
  Ask({"SET", "k", "v"});
  Reply(0, "+OK\r\n");
  const Waiting waiting = Wait(1, 500);
  Lose(1);
  RunEdits();
  Pass(100);
  EXPECT_EQ(waiting.request->told, "");
  Pass(500);
  EXPECT_EQ(waiting.request->told, ":0\r\n");
}

}  // namespace
}  // namespace gemel::sync_waits_test
