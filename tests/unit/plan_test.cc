// Where commands go, as data: for every row of the table, and that the session and PROXY EXPLAIN
// say and do what the plan says.

#include "proxy/session/plan.h"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <string>
#include <vector>

#include "backend/command/second_copy.h"
#include "proxy/session/errors.h"
#include "proxy/session/merge.h"
#include "tests/unit/session_fakes.h"

namespace gemel::plan_test {
namespace {

using session_test::Args;
using session_test::Bulk;
using session_test::FakeNode;
using session_test::World;
using Kind = Plan::Kind;

Plan PlanOf(const Pool& pool, const Args& args) {
  const CommandRow* row = pool.table().Find(args);
  EXPECT_TRUE(row != nullptr && ArityFits(*row, args.size())) << args[0];
  Plan plan;
  MakePlan(pool, *row, args, &plan);
  return plan;
}

Args NameOf(const CommandRow& row) {
  const size_t bar = row.name.find('|');
  if (bar == std::string_view::npos) return {row.name};
  return {row.name.substr(0, bar), row.name.substr(bar + 1)};
}

std::string Text(const Args& args) {
  std::string text;
  for (const std::string_view arg : args) text += std::string(arg) + " ";
  return text;
}

// How often each node was asked, since this was asked last.
std::vector<size_t> Asked(World* world) {
  std::vector<size_t> asked;
  for (FakeNode& node : world->nodes) {
    asked.push_back(node.seen.size());
    node.seen.clear();
  }
  return asked;
}

// Of which shards the plan makes use.
std::vector<size_t> Expected(const World& world, const Plan& plan) {
  std::vector<size_t> asked(world.nodes.size());
  if (plan.kind == Kind::kOneShard || plan.kind == Kind::kCursor) ++asked[plan.shard];
  for (const PlanPart& part : plan.parts) ++asked[part.shard];
  return asked;
}

void ExpectConsistent(const Pool& pool, const CommandRow& row, const Args& args, const Plan& plan) {
  EXPECT_EQ(plan.kind == Kind::kLocal, row.split == Split::kLocal);
  EXPECT_EQ(plan.kind == Kind::kRefused, !plan.error.empty());
  EXPECT_EQ(plan.kind == Kind::kByKey || plan.kind == Kind::kEachShard, !plan.parts.empty());
  ASSERT_EQ(plan.keys.size(), plan.key_shards.size());
  for (size_t i = 0; i < plan.keys.size(); ++i) {
    EXPECT_EQ(plan.key_shards[i], pool.ShardOf(args[plan.keys[i]]));
    if (plan.kind == Kind::kOneShard) {
      EXPECT_EQ(plan.key_shards[i], plan.shard);
    }
  }
  EXPECT_EQ(plan.write(), plan.second_copy != SecondCopy::kNone && !plan.confined);
  EXPECT_EQ(plan.write() || plan.confined, row.split != Split::kLocal && IsWriteFor(row, args));
  if (HasShortPlan(row)) {
    const ShortPlan one = MakeShortPlan(pool, row, args[1]);
    EXPECT_EQ(one.shard, plan.shard);
    EXPECT_EQ(one.request, plan.request);
    EXPECT_EQ(one.refused, plan.kind == Kind::kRefused);
    EXPECT_EQ(one.refused ? RefusalAsWrite(row) : "", plan.error);
  }
}

// The session answers with the plan's error, or asks the plan's shards; EXPLAIN gives the same
// error.
void ExpectCarriedOut(World* world, const CommandRow& row, const Args& args, const Plan& plan) {
  session_test::FakeClient& client = world->Connect();
  Asked(world);
  const std::string answer = world->Ask(client, args);
  if ((row.script == ScriptRule::kSha && answer.starts_with("-NOSCRIPT")) ||
      (row.script == ScriptRule::kFunction && answer.starts_with("-ERR Function not found"))) {
    // Which script or function that is decides here already.
    EXPECT_EQ(Asked(world), std::vector<size_t>(world->nodes.size()));
    client.Close();
    return;
  }
  std::vector<size_t> asked = Asked(world);
  if (plan.may_wait) {
    for (size_t& times : asked) times = std::min<size_t>(times, 1);  // it asks in several commands
  }
  EXPECT_EQ(asked, Expected(*world, plan));
  if (plan.kind != Kind::kRefused) {
    EXPECT_FALSE(answer.empty());
  } else {
    EXPECT_EQ(answer, "-" + plan.error + "\r\n");
    Args explain = {"PROXY", "EXPLAIN"};
    explain.insert(explain.end(), args.begin(), args.end());
    const std::string explained = world->Ask(client, explain);
    if (plan.keys.empty()) {
      EXPECT_EQ(explained, answer);
    } else {
      EXPECT_NE(explained.find(Bulk("refused: " + plan.error)), std::string::npos) << explained;
    }
    EXPECT_EQ(Asked(world), std::vector<size_t>(world->nodes.size()));
  }
  client.Close();
}

struct Shape {
  uint32_t shards;
  uint32_t copies;
};

class EveryRow : public testing::TestWithParam<Shape> {};

TEST_P(EveryRow, HasAPlanThatTheSessionKeeps) {
  constexpr std::string_view kWords[] = {"1", "0",  "2",  "k", "tag", "streams", "block",  "store",
                                         "*", "by", "w*", "~", "set", "maxlen",  "nosuch", "db"};
  World world(GetParam().shards, "[commands]\ndebug = \"yes\"", 1, GetParam().copies);
  std::mt19937 random(GetParam().shards * 10 + GetParam().copies);
  std::set<Kind> kinds;
  size_t refused = 0;
  for (const CommandRow& row : world.pool->table().rows()) {
    bool planned = false;
    for (int i = 0; i < 12; ++i) {
      Args args = NameOf(row);
      const size_t least = static_cast<size_t>(std::abs(row.arity));
      const size_t count = row.arity >= 0 ? least : std::max(least, args.size()) + random() % 4;
      while (args.size() < count) args.push_back(i < 2 ? kWords[i] : kWords[random() % 16]);
      SCOPED_TRACE(Text(args));
      const CommandRow* found = world.pool->table().Find(args);
      if (found != &row || !ArityFits(row, args.size())) continue;  // of a subcommand's
      planned = true;
      Plan plan;
      MakePlan(*world.pool, row, args, &plan);
      kinds.insert(plan.kind);
      ASSERT_NO_FATAL_FAILURE(ExpectConsistent(*world.pool, row, args, plan));
      if (row.split == Split::kLocal) continue;
      refused += plan.kind == Kind::kRefused ? 1 : 0;
      ExpectCarriedOut(&world, row, args, plan);
      if (testing::Test::HasFailure()) return;
    }
    EXPECT_TRUE(planned || (row.flags & kCmdContainer) != 0) << row.name;
  }
  EXPECT_GT(refused, 100u);
  for (const Kind kind : {Kind::kLocal, Kind::kRefused, Kind::kOneShard, Kind::kCursor}) {
    EXPECT_TRUE(kinds.contains(kind)) << static_cast<int>(kind);
  }
  for (const Kind kind : {Kind::kByKey, Kind::kEachShard}) {
    EXPECT_EQ(kinds.contains(kind), GetParam().shards > 1) << static_cast<int>(kind);
  }
}

INSTANTIATE_TEST_SUITE_P(Plan, EveryRow,
                         testing::Values(Shape{1, 1}, Shape{1, 2}, Shape{3, 1}, Shape{3, 2}),
                         [](const auto& info) {
                           return std::to_string(info.param.shards) + "x" +
                                  std::to_string(info.param.copies);
                         });

class PlanTest : public testing::Test {
 protected:
  std::string Key(uint32_t shard, int n = 0) const { return world_.Key(shard, n); }
  Plan Of(const Args& args) { return PlanOf(*world_.pool, args); }
  World world_{3, "", 1, 2};
};

TEST_F(PlanTest, CutByKeyInArgumentOrder) {
  const std::string a0 = Key(0, 0), a1 = Key(0, 1), b = Key(1), c0 = Key(2, 0), c1 = Key(2, 1);
  const Plan plan = Of({"MSET", c0, "1", a0, "2", c1, "3", b, "4", a1, "5", c0, "6"});
  EXPECT_EQ(plan.kind, Kind::kByKey);
  EXPECT_TRUE(plan.write());
  EXPECT_TRUE(plan.names_all_keys);
  EXPECT_EQ(plan.second_copy, SecondCopy::kSameBytes);
  EXPECT_EQ(plan.keys, (std::vector<uint32_t>{1, 3, 5, 7, 9, 11}));
  EXPECT_EQ(plan.key_shards, (std::vector<uint32_t>{2, 0, 2, 1, 0, 2}));
  ASSERT_EQ(plan.parts.size(), 3u);
  const std::vector<std::vector<uint32_t>> places = {{0, 2, 5}, {1, 4}, {3}};
  const uint32_t shards[] = {2, 0, 1};
  for (size_t i = 0; i < 3; ++i) {
    const PlanPart& part = plan.parts[i];
    EXPECT_EQ(part.shard, shards[i]);
    EXPECT_EQ(
        std::vector<uint32_t>(plan.places.begin() + part.begin, plan.places.begin() + part.end),
        places[i]);
  }
}

TEST_F(PlanTest, WholeWhereAllKeysAreOnOneShard) {
  const std::string a0 = Key(1, 0), a1 = Key(1, 1);
  for (const Args& args : {Args{"MGET", a0, a1}, Args{"RENAME", a0, a1}, Args{"DEL", a0}}) {
    const Plan plan = Of(args);
    EXPECT_EQ(plan.kind, Kind::kOneShard);
    EXPECT_EQ(plan.shard, 1u);
    EXPECT_TRUE(plan.parts.empty());
    EXPECT_EQ(plan.write(), args[0] != "MGET");
  }
}

TEST_F(PlanTest, CrossSlot) {
  const std::string a = Key(0), b = Key(1);
  const Plan plan = Of({"RENAME", a, b});
  EXPECT_EQ(plan.kind, Kind::kRefused);
  EXPECT_EQ(plan.error, kCrossSlot);
  EXPECT_EQ(plan.key_shards, (std::vector<uint32_t>{0, 1}));
}

TEST_F(PlanTest, EachShard) {
  const Plan plan = Of({"DBSIZE"});
  EXPECT_EQ(plan.kind, Kind::kEachShard);
  EXPECT_FALSE(plan.write());
  ASSERT_EQ(plan.parts.size(), 3u);
  for (uint32_t i = 0; i < 3; ++i) EXPECT_EQ(plan.parts[i].shard, i);
  EXPECT_TRUE(Of({"FLUSHALL"}).write());
  World one(1);
  EXPECT_EQ(PlanOf(*one.pool, {"DBSIZE"}).kind, Kind::kOneShard);
}

TEST_F(PlanTest, Cursor) {
  Plan plan = Of({"SCAN", "0"});
  EXPECT_EQ(plan.kind, Kind::kCursor);
  EXPECT_EQ(plan.shard, 0u);
  EXPECT_EQ(plan.shard_cursor, 0u);
  EXPECT_EQ(plan.next_shard, 1u);
  EXPECT_FALSE(plan.last_shard);
  plan = Of({"SCAN", EncodeCursor(17, 2)});
  EXPECT_EQ(plan.shard, 2u);
  EXPECT_EQ(plan.shard_cursor, 17u);
  EXPECT_TRUE(plan.last_shard);
  plan = Of({"SCAN", EncodeCursor(17, 9)});
  EXPECT_EQ(plan.kind, Kind::kAnswered);
  EXPECT_EQ(plan.answer, "*2\r\n$1\r\n0\r\n*0\r\n");
  plan = Of({"SCAN", "word"});
  EXPECT_EQ(plan.kind, Kind::kRefused);
  EXPECT_EQ(plan.error, "ERR invalid cursor");
}

TEST_F(PlanTest, UnnamedKeys) {
  const std::string a = Key(0);
  Plan plan = Of({"SORT", a, "BY", "w_*"});
  EXPECT_EQ(plan.kind, Kind::kRefused);
  EXPECT_EQ(plan.error, "ERR " + std::string(kUnnamedKeysRefusal));
  // What has the key's hash tag is where the key is.
  const auto kind = [&](const Args& args) { return Of(args).kind; };
  for (const Args& args : std::vector<Args>{{"SORT", "{t}l", "BY", "{t}w_*", "GET", "{t}v_*->f"},
                                            {"SORT", "x{t}", "BY", "nosort", "GET", "y{t}*"},
                                            {"SORT_RO", "t", "GET", "{t}*", "GET", "#"},
                                            {"SORT", "{t}l", "GET", "a{t}*", "STORE", "{t}d"}}) {
    plan = Of(args);
    EXPECT_EQ(plan.kind, Kind::kOneShard) << args[1];
    EXPECT_EQ(plan.shard, world_.pool->ShardOf("t"));
    EXPECT_FALSE(plan.names_all_keys);
  }
  EXPECT_EQ(kind({"SORT", "{t}l", "BY", "{u}w_*"}), Kind::kRefused);
  EXPECT_EQ(kind({"SORT", "{t}l", "BY", "w_*{t}"}), Kind::kRefused);  // behind the star
  EXPECT_EQ(kind({"SORT", "{t}l", "BY", "{t*}w"}), Kind::kRefused);   // the star is in it
  EXPECT_EQ(kind({"SORT", "{t}l", "BY", "{*{t}"}), Kind::kRefused);
  EXPECT_EQ(kind({"SORT", "{}l", "BY", "{}w_*"}), Kind::kRefused);  // none at all
  EXPECT_EQ(kind({"SORT", "{t}l", "BY", "{t}*", "GET", "v_*"}), Kind::kRefused);
  EXPECT_EQ(kind({"SORT", "{t}l", "GET", "x"}), Kind::kRefused);
  World one(1);
  plan = PlanOf(*one.pool, {"SORT", a, "BY", "w_*"});
  EXPECT_EQ(plan.kind, Kind::kOneShard);
  EXPECT_FALSE(plan.names_all_keys);
  EXPECT_FALSE(plan.write());
  EXPECT_TRUE(PlanOf(*one.pool, {"SORT", a}).names_all_keys);
  EXPECT_TRUE(PlanOf(*one.pool, {"SORT", a, "STORE", a}).write());
}

// One plan after the other in the same memory.
TEST_F(PlanTest, NothingOfTheOneBeforeIsLeftAndNothingIsAllocated) {
  const std::string a = Key(0), b = Key(1), c = Key(2);
  const Args all[] = {{"MGET", a, b, c}, {"RENAME", a, b},        {"SCAN", "0"}, {"DBSIZE"},
                      {"PING"},          {"SORT", a, "BY", "w*"}, {"GET", a},    {"DEL", a, c}};
  Plan plan;
  const auto make = [&](const Args& args) {
    MakePlan(*world_.pool, *world_.pool->table().Find(args), args, &plan);
  };
  make({"MGET", a, b, c, a, b, c});
  const void* const memory[] = {plan.keys.data(), plan.key_shards.data(), plan.parts.data(),
                                plan.places.data(), plan.part_of_slot.data()};
  for (const Args& before : all) {
    for (const Args& args : all) {
      make(before);
      make(args);
      const Plan fresh = Of(args);
      EXPECT_EQ(plan.kind, fresh.kind);
      EXPECT_EQ(plan.request, fresh.request);
      EXPECT_EQ(plan.names_all_keys, fresh.names_all_keys);
      EXPECT_EQ(plan.second_copy, fresh.second_copy);
      EXPECT_EQ(plan.shard, fresh.shard);
      EXPECT_EQ(plan.shard_cursor, fresh.shard_cursor);
      EXPECT_EQ(plan.error, fresh.error);
      EXPECT_EQ(plan.answer, fresh.answer);
      EXPECT_EQ(plan.keys, fresh.keys);
      EXPECT_EQ(plan.key_shards, fresh.key_shards);
      EXPECT_EQ(plan.places, fresh.places);
      EXPECT_EQ(plan.parts.size(), fresh.parts.size());
    }
  }
  const void* const now[] = {plan.keys.data(), plan.key_shards.data(), plan.parts.data(),
                             plan.places.data(), plan.part_of_slot.data()};
  for (size_t i = 0; i < std::size(now); ++i) EXPECT_EQ(now[i], memory[i]) << i;
}

}  // namespace
}  // namespace gemel::plan_test
