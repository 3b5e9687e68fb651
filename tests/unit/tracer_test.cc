// A trace: what it takes, and that it costs no more than it may.

#include "proxy/seen/tracer.h"

#include <gtest/gtest.h>

#include "backend/resp/resp_writer.h"

namespace gemel::tracer_test {
namespace {

TracedRequest Request(std::initializer_list<std::string_view> words) {
  TracedRequest request;
  AppendCommand(&request.args, std::vector<std::string_view>(words));
  return request;
}

TEST(Tracer, TakesWhatMatches) {
  TraceDesk desk;
  Tracer tracer(&desk);
  EXPECT_FALSE(tracer.Tick());
  EXPECT_FALSE(tracer.looks());
  const auto id = desk.Begin({"user:*", 100});
  ASSERT_TRUE(id);
  EXPECT_FALSE(desk.Begin({"other", 1})) << "one at a time";
  EXPECT_FALSE(tracer.looks()) << "before the tick";
  EXPECT_TRUE(tracer.Tick());
  EXPECT_TRUE(tracer.looks());
  tracer.Look(Request({"GET", "user:1"}));
  tracer.Look(Request({"GET", "other"}));
  tracer.Look(Request({"MGET", "other", "user:2"}));
  tracer.Look(Request({"GET", "User:3"}));
  tracer.set_commands(10);
  EXPECT_FALSE(tracer.Tick());
  EXPECT_FALSE(desk.Full(*id));
  const TraceDesk::Seen seen = desk.End(*id);
  ASSERT_EQ(seen.requests.size(), 2u);
  EXPECT_EQ(seen.requests[0].args, Request({"GET", "user:1"}).args);
  EXPECT_EQ(seen.requests[1].args, Request({"MGET", "other", "user:2"}).args);
  EXPECT_EQ(seen.looked_at, 4u);
  EXPECT_EQ(seen.passed_over, 6u);
  EXPECT_TRUE(tracer.Tick());
  EXPECT_FALSE(tracer.looks());
  EXPECT_TRUE(desk.Begin({"next", 1}));
}

TEST(Tracer, EndsWithTheLastThatIsWanted) {
  TraceDesk desk;
  Tracer one(&desk);
  Tracer two(&desk);
  const auto id = desk.Begin({"*", 3});
  one.Tick();
  two.Tick();
  EXPECT_TRUE(one.Look(Request({"A"})));
  EXPECT_TRUE(two.Look(Request({"B"})));
  EXPECT_FALSE(one.Look(Request({"C"})));
  EXPECT_TRUE(desk.Full(*id));
  EXPECT_FALSE(two.Look(Request({"D"})));
  one.Tick();
  two.Tick();
  EXPECT_FALSE(one.looks() || two.looks());
  EXPECT_EQ(desk.End(*id).requests.size(), 3u);
  EXPECT_TRUE(desk.End(*id).requests.empty());
}

TEST(Tracer, LooksAtSoManyUntilTheNextTick) {
  TraceDesk desk;
  Tracer tracer(&desk);
  const auto id = desk.Begin({"nothing", 1});
  for (uint64_t tick = 1; tick <= 3; ++tick) {
    tracer.Tick();
    uint32_t looks = 0;
    while (tracer.looks()) {
      tracer.Look(Request({"A"}));
      ++looks;
    }
    EXPECT_EQ(looks, Tracer::kLooksPerTick);
    tracer.set_commands(tick * 1000);
  }
  tracer.Tick();
  const TraceDesk::Seen seen = desk.End(*id);
  EXPECT_EQ(seen.looked_at, 3 * Tracer::kLooksPerTick);
  EXPECT_EQ(seen.looked_at + seen.passed_over, 3000u);
}

}  // namespace
}  // namespace gemel::tracer_test
