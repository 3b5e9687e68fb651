// What tests of a fleet stand on.

#include "tests/memory_registers.h"

#include <gtest/gtest.h>

#include "tests/registers_conformance.h"

namespace gemel::memory_registers_test {
namespace {

struct Written {
  std::optional<RegisterOutcome> outcome;
  uint64_t version = 0;

  Registers::WriteDone Keep() {
    return [this](RegisterOutcome is, uint64_t at) {
      outcome = is;
      version = at;
    };
  }
};

TEST(MemoryRegisters, AnswersComeWhenTheTestStepsAndConflictsTellTheVersion) {
  MemoryEngine engine;
  const auto view = engine.View();
  int changes = 0;
  view->set_on_change([&] { ++changes; });
  Written first;
  view->Write("a", 0, "one", first.Keep());
  EXPECT_FALSE(first.outcome);
  ASSERT_TRUE(engine.RunUntil([&] { return first.outcome.has_value(); }));
  EXPECT_EQ(first.outcome, RegisterOutcome::kDone);
  EXPECT_EQ(first.version, engine.At("a").version);
  Written second;
  view->Write("a", 0, "two", second.Keep());
  ASSERT_TRUE(engine.RunUntil([&] { return second.outcome.has_value(); }));
  EXPECT_EQ(second.outcome, RegisterOutcome::kConflict);
  EXPECT_EQ(second.version, first.version);
  while (engine.Step()) {
  }
  EXPECT_EQ(changes, 1);
}

TEST(MemoryRegisters, AccidentsAreWhatTheyAreCalled) {
  using Accident = MemoryRegisters::Accident;
  MemoryEngine engine;
  const auto view = engine.View();
  const auto write = [&](Accident accident) {
    Written written;
    view->NextWrite(accident);
    view->Write("a", engine.At("a").version, "x", written.Keep());
    EXPECT_TRUE(engine.RunUntil([&] { return written.outcome.has_value(); }));
    EXPECT_FALSE(view->trouble().empty());
    return *written.outcome;
  };
  EXPECT_EQ(write(Accident::kNoWay), RegisterOutcome::kUnreachable);
  EXPECT_EQ(engine.writes(), 0U);
  EXPECT_EQ(write(Accident::kRequestLost), RegisterOutcome::kUnknown);
  EXPECT_EQ(engine.writes(), 0U);
  EXPECT_EQ(write(Accident::kAnswerLost), RegisterOutcome::kUnknown);
  EXPECT_EQ(engine.writes(), 1U);
  EXPECT_EQ(write(Accident::kLate), RegisterOutcome::kUnknown);
  while (engine.Step()) {
  }
  EXPECT_EQ(engine.writes(), 2U);
}

TEST(MemoryRegisters, WhoIsCutOffReachesNothingAndIsToldWhenItIsBack) {
  MemoryEngine engine;
  const auto view = engine.View();
  int changes = 0;
  view->set_on_change([&] { ++changes; });
  std::optional<RegisterOutcome> under_way;
  std::optional<RegisterOutcome> read;
  view->Read("a", [&](RegisterOutcome outcome, const RegisterValue&) { under_way = outcome; });
  view->CutOff(true);
  view->Read("a", [&](RegisterOutcome outcome, const RegisterValue&) { read = outcome; });
  engine.Put("a", "by another");
  while (engine.Step()) {
  }
  EXPECT_EQ(under_way, RegisterOutcome::kUnreachable);
  EXPECT_EQ(read, RegisterOutcome::kUnreachable);
  EXPECT_EQ(changes, 0);
  view->CutOff(false);
  while (engine.Step()) {
  }
  EXPECT_EQ(changes, 1);
}

TEST(MemoryRegisters, OfOneSeedAllIsTheSame) {
  const auto run = [](uint64_t seed) {
    MemoryEngine engine(seed);
    std::vector<std::unique_ptr<MemoryRegisters>> views;
    for (int i = 0; i < 3; ++i) {
      views.push_back(engine.View());
      views.back()->SetFaults({.request = 10, .answer = 10, .late = 10});
    }
    std::string trace;
    for (int i = 0; i < 200; ++i) {
      const auto& view = views[engine.Draw(3)];
      view->Write("a", engine.At("a").version, "x", [&](RegisterOutcome outcome, uint64_t version) {
        trace += std::to_string(static_cast<int>(outcome)) + ":" + std::to_string(version) + "@" +
                 std::to_string(engine.now_ms()) + " ";
      });
      engine.RunFor(2);
    }
    while (engine.Step()) {
    }
    return trace;
  };
  EXPECT_EQ(run(7), run(7));
  EXPECT_NE(run(7), run(8));
}

class MemoryHarness {
 public:
  static constexpr bool kTells = true;

  std::unique_ptr<Registers> View() { return engine_.View(); }
  bool TurnUntil(const std::function<bool()>& condition) { return engine_.RunUntil(condition); }
  void set_reachable(bool reachable) {
    for (MemoryRegisters* view : engine_.views()) view->CutOff(!reachable);
  }

 private:
  MemoryEngine engine_;
};

}  // namespace
}  // namespace gemel::memory_registers_test

namespace gemel::conformance {
using memory_registers_test::MemoryHarness;
INSTANTIATE_TYPED_TEST_SUITE_P(Memory, RegistersConformance, MemoryHarness);
}  // namespace gemel::conformance
