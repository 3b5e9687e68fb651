// Which order to reload comes next.

#include "proxy/reload/reload_queue.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace gemel::reload_queue_test {
namespace {

class ReloadQueueTest : public ::testing::Test {
 protected:
  void Add(const std::string& cause, bool patient = false, std::optional<uint64_t> seen = {}) {
    ReloadOrder order;
    order.cause = cause;
    order.patient = patient;
    order.seen = seen;
    Add(std::move(order));
  }
  void Add(ReloadOrder order) {
    queue_.Add(order, [this, cause = order.cause](const ReloadOutcome& outcome) {
      EXPECT_FALSE(outcome.ok);
      told_ += cause + ": " + outcome.text + "; ";
    });
  }
  // Empty if none is next.
  std::string Next() {
    std::optional<ReloadQueue::Waiting> next = queue_.Take();
    return next ? next->order.cause : "";
  }
  std::string Told() { return std::exchange(told_, {}); }

  ReloadQueue queue_;
  std::string told_;
};

TEST_F(ReloadQueueTest, AsTheyCome) {
  EXPECT_EQ(Next(), "");
  Add("a");
  Add("b");
  Add("a");
  EXPECT_EQ(Next(), "a");
  EXPECT_EQ(Next(), "b");
  EXPECT_EQ(Next(), "a");
  EXPECT_EQ(Next(), "");
  EXPECT_EQ(Told(), "");
}

TEST_F(ReloadQueueTest, ManySignalsAreOne) {
  Add("SIGHUP", true);
  Add("SIGHUP", true);
  Add("the file", true, 1);
  Add("the file", true, 2);
  Add("the file", true, 2);
  Add("SIGHUP");  // somebody waits for that one
  EXPECT_EQ(Next(), "SIGHUP");
  Add("SIGHUP", true);  // the one before has begun
  EXPECT_EQ(Next(), "the file");
  EXPECT_EQ(Next(), "the file");
  EXPECT_EQ(Next(), "SIGHUP");
  EXPECT_EQ(Next(), "SIGHUP");
  EXPECT_EQ(Next(), "");
}

TEST_F(ReloadQueueTest, WhoHasLeftIsNotServed) {
  const auto gone = std::make_shared<std::atomic<bool>>(false);
  ReloadOrder order;
  order.cause = "a";
  order.gone = gone;
  Add(order);
  Add("b");
  *gone = true;
  EXPECT_EQ(Next(), "b");
  EXPECT_EQ(Told(), "a: the client has left; ");
}

TEST_F(ReloadQueueTest, HasItsBound) {
  const auto gone = std::make_shared<std::atomic<bool>>(false);
  ReloadOrder order;
  order.cause = "gone";
  order.gone = gone;
  Add(order);
  for (size_t i = 1; i < ReloadQueue::kMaxWaiting; ++i) Add("a");
  Add("b");
  EXPECT_EQ(Told(), "b: 1024 orders wait already: try again when they are done; ");
  *gone = true;
  Add("c");
  EXPECT_EQ(Told(), "gone: the client has left; ") << "who has left makes room";
}

TEST_F(ReloadQueueTest, APatientOneLetsOthersGoFirst) {
  Add("p", true);
  Add("a");
  ReloadQueue::Waiting p = *queue_.Take();
  ASSERT_TRUE(queue_.MayTryLater(p));
  queue_.TryLater(std::move(p));
  EXPECT_EQ(Next(), "a");
  EXPECT_EQ(Next(), "") << "its time has not come";
  Add("b");
  EXPECT_TRUE(queue_.Again());
  EXPECT_FALSE(queue_.Again());
  EXPECT_EQ(Next(), "b");
  p = *queue_.Take();
  EXPECT_EQ(p.order.cause, "p");
  EXPECT_EQ(p.tries, 1u);
  EXPECT_EQ(Told(), "");
}

TEST_F(ReloadQueueTest, OnlyAPatientOneIsTriedAgainAndNotForEver) {
  Add("a");
  EXPECT_FALSE(queue_.MayTryLater(*queue_.Take()));
  Add("p", true);
  uint32_t tries = 0;
  for (ReloadQueue::Waiting p = *queue_.Take(); queue_.MayTryLater(p); p = *queue_.Take()) {
    queue_.TryLater(std::move(p));
    ASSERT_TRUE(queue_.Again());
    ASSERT_LT(++tries, 100u);
  }
  EXPECT_EQ(tries, ReloadQueue::kMaxTries - 1);
}

TEST_F(ReloadQueueTest, ALaterOneTakesThePlaceOfOneThatWaits) {
  Add("p", true);
  Add("q", true);
  queue_.TryLater(*queue_.Take());
  queue_.TryLater(*queue_.Take());
  EXPECT_EQ(Told(), "p: a later reload takes its place; ");
  queue_.DropLater("the file was loaded meanwhile");
  EXPECT_EQ(Told(), "q: the file was loaded meanwhile; ");
  EXPECT_FALSE(queue_.Again());
}

TEST_F(ReloadQueueTest, StoppedItRefusesAll) {
  Add("p", true);
  ReloadQueue::Waiting p = *queue_.Take();
  queue_.TryLater(p);
  Add("a");
  Add("b");
  queue_.Stop();
  EXPECT_EQ(Told(),
            "p: gemel is being stopped; a: gemel is being stopped; b: gemel is being stopped; ");
  Add("c");
  EXPECT_EQ(Told(), "c: gemel is being stopped; ");
  EXPECT_EQ(Next(), "");
  EXPECT_FALSE(queue_.MayTryLater(p));
}

// A client whose order has ended may send its next one at once.
TEST_F(ReloadQueueTest, WhoIsRefusedMayAskAgainInTheMiddle) {
  ReloadOrder order;
  order.cause = "a";
  queue_.Add(order, [this](const ReloadOutcome&) { Add("again"); });
  Add("b");
  queue_.Stop();
  EXPECT_EQ(Told(), "again: gemel is being stopped; b: gemel is being stopped; ");
}

}  // namespace
}  // namespace gemel::reload_queue_test
