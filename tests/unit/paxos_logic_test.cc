// The parts of registers by CASPaxos, one by one.

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "backend/paxos/paxos_registers.h"
#include "tests/paxos_network.h"

namespace gemel::paxos_logic_test {
namespace {

TEST(Ballot, ComparesAsItsText) {
  const std::vector<Ballot> rising = {{},     {1, 0},  {1, 9},           {1, 10},        {2, 0},
                                      {9, 1}, {10, 0}, {10, UINT64_MAX}, {UINT64_MAX, 0}};
  for (size_t i = 0; i < rising.size(); ++i) {
    EXPECT_EQ(Ballot::FromText(rising[i].ToText()), rising[i]);
    if (i == 0) continue;
    EXPECT_LT(rising[i - 1], rising[i]);
    EXPECT_LT(rising[i - 1].ToText(), rising[i].ToText());
  }
  for (const char* bad : {"x", "1", "000000000000000000010000000000000000000x"}) {
    EXPECT_EQ(Ballot::FromText(bad), Ballot()) << bad;
  }
}

TEST(PaxosValue, ThereAndBack) {
  for (const PaxosValue& value : {PaxosValue(), PaxosValue{1, 2, 3, ""},
                                  PaxosValue{UINT64_MAX, 1, 0, std::string("\0\r\n", 3)}}) {
    PaxosValue back;
    EXPECT_TRUE(PaxosValue::Decode(value.Encode(), &back));
    EXPECT_EQ(back, value);
  }
  PaxosValue value;
  EXPECT_FALSE(PaxosValue::Decode("short", &value));
  EXPECT_FALSE(PaxosValue::Decode(std::string(60, 'x'), &value));
  EXPECT_FALSE(PaxosValue::Decode(std::string(60, '0'), &value)) << "nobody writes version 0";
}

TEST(PaxosConfig, ThereAndBack) {
  const PaxosConfig config{3, {{"a:1", "n1"}, {"unix:/a b", "n2"}}, {{"a:1", "n3"}}};
  PaxosConfig back;
  ASSERT_TRUE(PaxosConfig::Decode(config.Encode(), &back));
  EXPECT_EQ(back, config);
  EXPECT_EQ(back.Id(), config.Id());
  back.now[0].nonce = "n4";
  EXPECT_NE(back.Id(), config.Id());
  const std::string text = config.Encode();
  for (const std::string& bad : {std::string(), std::string("x\n"), std::string("1\n"),
                                 text + "now n", text + "then n a\n", text + "now n\n"}) {
    EXPECT_FALSE(PaxosConfig::Decode(bad, &back)) << bad;
  }
}

TEST(PaxosConfig, QuorumsOfBoth) {
  PaxosConfig config{1, {{"a", "1"}, {"b", "1"}, {"c", "1"}}, {}};
  EXPECT_TRUE(config.IsQuorum({true, false, true}));
  EXPECT_FALSE(config.IsQuorum({false, false, true}));
  config.next = {{"a", "1"}, {"b", "1"}, {"c", "2"}};
  ASSERT_EQ(config.Acceptors().size(), 4U);
  EXPECT_TRUE(config.IsQuorum({true, true, false, false}));
  EXPECT_FALSE(config.IsQuorum({true, false, true, false})) << "one of the new ones only";
  EXPECT_FALSE(config.IsQuorum({true, false, false, true})) << "one of the old ones only";
  EXPECT_TRUE(config.IsQuorum({true, false, true, true}));
  const PaxosConfig four{1, {{"a", "1"}, {"b", "1"}, {"c", "1"}, {"d", "1"}}, {}};
  EXPECT_FALSE(four.IsQuorum({true, true, false, false})) << "half of them is not enough";
}

TEST(PaxosConfig, WhoeverFoundsFoundsTheSame) {
  EXPECT_EQ(FoundingConfig({{"b", "2"}, {"a", "1"}}).Encode(),
            FoundingConfig({{"a", "1"}, {"b", "2"}}).Encode());
}

TEST(PaxosAnswer, WhatIsNoAnswerIsSilence) {
  using Ask = PaxosAsk::Kind;
  for (const char* bad : {"", "*", "*1\r\n", "*1\r\n$2\r\nO", "*1\r\n$-1\r\n", "*0\r\n", ":1\r\n",
                          "*1\r\n$2\r\nOK\r\n", "*99999999999999999999\r\n", "*2\r\n$2\r\nOK\r\n",
                          "*1\r\n$99999999999999999\r\nOK\r\n", "*1\r\n$5\r\nHELLO\r\n"}) {
    const PaxosAnswer answer = PaxosAnswer::Parse(Ask::kRead, bad);
    EXPECT_EQ(answer.kind, PaxosAnswer::Kind::kSilent) << bad;
    EXPECT_FALSE(answer.why.empty());
  }
  EXPECT_EQ(PaxosAnswer::Parse(Ask::kAccept, "*1\r\n$2\r\nOK\r\n").kind, PaxosAnswer::Kind::kOk);
}

class PaxosRegistersLogic : public ::testing::Test {
 protected:
  explicit PaxosRegistersLogic() : network_(1, 3, PaxosMutant::kNone), port_(&network_) {}

  std::unique_ptr<PaxosRegisters> View() {
    PaxosOptions options;
    options.nodes = network_.names();
    options.proposer = options.seed = ++views_;
    return std::make_unique<PaxosRegisters>(&port_, options, "here");
  }
  std::pair<RegisterOutcome, uint64_t> Write(Registers* view, uint64_t expected,
                                             const std::string& text) {
    std::optional<std::pair<RegisterOutcome, uint64_t>> result;
    view->Write("a", expected, text, [&](RegisterOutcome outcome, uint64_t version) {
      result = {outcome, version};
    });
    EXPECT_FALSE(result) << "answered inside Write";
    EXPECT_TRUE(network_.RunUntil([&] { return result.has_value(); }, 5000));
    return result.value_or(std::pair(RegisterOutcome::kUnknown, uint64_t{99}));
  }

  PaxosNetwork network_;
  PaxosNetwork::Port port_;
  uint64_t views_ = 0;
};

using Result = std::pair<RegisterOutcome, uint64_t>;

TEST_F(PaxosRegistersLogic, FoundingNeedsAllNodes) {
  network_.SetDown(2, true);
  const auto view = View();
  EXPECT_EQ(Write(view.get(), 0, "x"), Result(RegisterOutcome::kUnreachable, 0));
  EXPECT_EQ(view->epoch(), 0U);
  EXPECT_EQ(view->trouble(), "n2: no answer in time");
  network_.SetDown(2, false);
  bool told = false;
  view->set_on_change([&] { told = true; });
  EXPECT_EQ(Write(view.get(), 0, "x"), Result(RegisterOutcome::kDone, 1));
  EXPECT_TRUE(told);
  EXPECT_EQ(view->trouble(), "");
  // Now two are enough, for who comes later, too.
  network_.SetDown(0, true);
  EXPECT_EQ(Write(View().get(), 1, "y"), Result(RegisterOutcome::kDone, 2));
}

TEST_F(PaxosRegistersLogic, WhatWasSentAndNotAnsweredIsUnknown) {
  const auto view = View();
  ASSERT_EQ(Write(view.get(), 0, "x"), Result(RegisterOutcome::kDone, 1));
  std::optional<RegisterOutcome> outcome;
  view->Write("a", 1, "y", [&](RegisterOutcome is, uint64_t) { outcome = is; });
  // Once one has promised, and the value may be on its way.
  ASSERT_TRUE(network_.RunUntil([&] { return network_.accepts() > 3; }, 1000));
  for (size_t i = 0; i < 3; ++i) network_.SetDown(i, true);
  ASSERT_TRUE(network_.RunUntil([&] { return outcome.has_value(); }, 5000));
  EXPECT_EQ(outcome, RegisterOutcome::kUnknown);
}

TEST_F(PaxosRegistersLogic, ALostNodeIsReadmittedAndCounts) {
  const auto view = View();
  ASSERT_EQ(Write(view.get(), 0, "x"), Result(RegisterOutcome::kDone, 1));
  network_.Restart(0, false);
  // Nobody notices but by asking it.
  uint64_t version = 1;
  for (int i = 0; i < 20 && !(view->epoch() == 3 && network_.Whole()); ++i) {
    EXPECT_EQ(Write(view.get(), version, std::to_string(i)),
              Result(RegisterOutcome::kDone, version + 1));
    ++version;
    network_.RunUntil([] { return false; }, 300);
  }
  EXPECT_EQ(view->epoch(), 3U) << "to both and to the new ones";
  EXPECT_TRUE(network_.Whole());
  network_.SetDown(1, true);
  EXPECT_EQ(Write(view.get(), version, "z"), Result(RegisterOutcome::kDone, version + 1));
}

TEST_F(PaxosRegistersLogic, TwoLostNodesAreALostMajority) {
  const auto view = View();
  ASSERT_EQ(Write(view.get(), 0, "x"), Result(RegisterOutcome::kDone, 1));
  network_.Restart(0, false);
  network_.Restart(1, false);
  EXPECT_EQ(Write(view.get(), 1, "y"), Result(RegisterOutcome::kUnreachable, 0));
  EXPECT_EQ(Write(View().get(), 0, "y"), Result(RegisterOutcome::kUnreachable, 0))
      << "who comes new must not found it anew either";
  EXPECT_EQ(view->trouble(), "n0: it has lost its registers; n1: it has lost its registers");
}

TEST_F(PaxosRegistersLogic, GoesWithQuestionsUnderWay) {
  auto view = View();
  bool answered = false;
  view->Write("a", 0, "x", [&](RegisterOutcome, uint64_t) { answered = true; });
  view->List("", [&](RegisterOutcome, const auto&) { answered = true; });
  network_.RunUntil([] { return false; }, 3);
  view.reset();
  network_.RunUntil([] { return false; }, 5000);
  EXPECT_FALSE(answered);
}

}  // namespace
}  // namespace gemel::paxos_logic_test
