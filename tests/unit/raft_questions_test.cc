// Whom a member asks, and what it makes of their silence.

#include "backend/raft/raft_questions.h"

#include <gtest/gtest.h>

#include <optional>
#include <utility>
#include <vector>

namespace gemel {
namespace {

class RaftQuestionsTest : public ::testing::Test {
 protected:
  using Outcome = RegisterOutcome;
  using Kind = RaftAnswer::Kind;

  RaftQuestionsTest() {
    for (size_t i = 0; i < 3; ++i) questions_.OnLine(i, 0);
    questions_.TakeChanged();
  }

  void Write() {
    questions_.Write(
        "a", 0, "x",
        [this](Outcome outcome, uint64_t version) {
          outcome_ = outcome;
          version_ = version;
        },
        now_ms_);
  }
  void Answer(size_t voter, Kind kind, const std::string& leader = "") {
    RaftAnswer answer;
    answer.kind = kind;
    answer.id = 1;
    answer.version = 7;
    answer.leader = leader;
    questions_.OnAnswer(voter, answer, now_ms_);
    Finish();
  }
  void Pass(uint64_t ms) {
    for (const uint64_t end_ms = now_ms_ + ms; now_ms_ < end_ms;) questions_.Tick(++now_ms_);
    Finish();
  }
  void Finish() {
    for (const auto& task : questions_.TakeFinished()) task();
  }

  std::vector<size_t> sent_;
  uint64_t now_ms_ = 0;
  std::optional<Outcome> outcome_;
  uint64_t version_ = 0;
  RaftQuestions questions_{{{"v0", "v1", "v2"}, 42, 1000},
                           [this](size_t voter, const RaftAsk& ask) {
                             if (ask.kind == RaftAsk::Kind::kWrite) {
                               EXPECT_EQ(ask.command.client, 42U);
                               EXPECT_EQ(ask.command.seq, 1U);
                             }
                             sent_.push_back(voter);
                             return true;
                           }};
};

TEST_F(RaftQuestionsTest, GoesToWhoeverIsSaidToLead) {
  Write();
  Answer(0, Kind::kElsewhere, "v2");
  Pass(10);
  EXPECT_EQ(sent_, (std::vector<size_t>{0, 2}));
  Answer(2, Kind::kDone);
  EXPECT_EQ(outcome_, Outcome::kDone);
  EXPECT_EQ(version_, 7U);
  EXPECT_EQ(questions_.current(), 2U);
  EXPECT_EQ(questions_.answer_ms(), 10U) << "all that was tried";
}

TEST_F(RaftQuestionsTest, OneThatIsSilentIsNotBelievedToLeadForAWhile) {
  Write();
  Pass(RaftQuestions::kSilentMs + 10);
  EXPECT_EQ(sent_, (std::vector<size_t>{0, 1}));
  Answer(1, Kind::kElsewhere, "v0");
  Pass(10);
  EXPECT_EQ(sent_.back(), 2U);
  Answer(2, Kind::kDone);
  EXPECT_EQ(outcome_, Outcome::kDone);
}

TEST_F(RaftQuestionsTest, WhoAnswersLateIsHeardStill) {
  Write();
  Pass(RaftQuestions::kSilentMs + 10);
  Answer(0, Kind::kDone);
  EXPECT_EQ(outcome_, Outcome::kDone);
  EXPECT_EQ(questions_.current(), 0U);
}

TEST_F(RaftQuestionsTest, WhatWasRefusedByAllWasSurelyNotDone) {
  Write();
  for (size_t answered = 0; !outcome_; Pass(1)) {
    if (answered == sent_.size()) continue;
    Answer(sent_[answered++], Kind::kElsewhere);
  }
  EXPECT_GT(sent_.size(), 50U);
  EXPECT_EQ(outcome_, Outcome::kUnreachable);
  EXPECT_NE(questions_.trouble(), "");
}

TEST_F(RaftQuestionsTest, WhatWasLostWithALeaderIsAskedAgainAndInTheEndUnknown) {
  Write();
  questions_.OnLost(0, "it is gone", now_ms_);
  Pass(10);
  EXPECT_EQ(sent_, (std::vector<size_t>{0, 1}));
  while (!outcome_) {
    Answer(questions_.current(), Kind::kElsewhere);
    Pass(10);
  }
  EXPECT_EQ(outcome_, Outcome::kUnknown);
  EXPECT_NE(questions_.trouble().find("it is gone"), std::string::npos);
}

TEST_F(RaftQuestionsTest, ALeaderThatLostItsPlaceSaysSoAndIsAskedAgain) {
  Write();
  Answer(0, Kind::kUnknown);
  EXPECT_FALSE(outcome_);
  Pass(10);
  EXPECT_EQ(sent_, (std::vector<size_t>{0, 0}));
  Answer(0, Kind::kConflict);
  EXPECT_EQ(outcome_, Outcome::kConflict);
}

TEST_F(RaftQuestionsTest, TellsOfChangesByTheOneThatLeadsAndOfANewLeader) {
  Answer(1, Kind::kChanged);
  EXPECT_FALSE(questions_.TakeChanged());
  Answer(0, Kind::kChanged);
  EXPECT_TRUE(questions_.TakeChanged());
  questions_.OnLost(0, "gone", now_ms_);
  EXPECT_TRUE(questions_.TakeChanged());
}

// What is asked is told to whom, and said again until somebody knows what became of it.
class RaftChangeTest : public RaftQuestionsTest {
 protected:
  void Change() {
    questions_.Change(
        true, "v3", [this](const std::string& error) { error_ = error; }, now_ms_);
  }
  void Refuse(size_t voter) {
    RaftAnswer answer;
    answer.kind = Kind::kRefused;
    answer.id = 1;
    answer.values.push_back({"why", {"it is night", 0}});
    questions_.OnAnswer(voter, answer, now_ms_);
    Finish();
  }

  std::optional<std::string> error_;
};

TEST_F(RaftChangeTest, IsAskedAgainUntilItIsDone) {
  questions_.OnLost(0, "gone", 0);
  Change();
  for (int i = 0; i < 3; ++i) {
    Answer(1, Kind::kUnknown);
    Pass(RaftQuestions::kChangePaceMs + 1);
  }
  EXPECT_EQ(sent_, (std::vector<size_t>{1, 1, 1, 1}));
  EXPECT_EQ(error_, std::nullopt);
  Answer(1, Kind::kDone);
  EXPECT_EQ(error_, "");
  EXPECT_EQ(questions_.answer_ms(), std::nullopt) << "it says nothing of how fast the voters are";
}

TEST_F(RaftChangeTest, ARefusalIsTheLastWord) {
  Change();
  Refuse(0);
  EXPECT_EQ(error_, "it is night");
  EXPECT_FALSE(questions_.any());
}

TEST_F(RaftChangeTest, NobodyKnowsForever) {
  Change();
  for (int i = 0; i < 1000 && !error_; ++i) {
    Answer(questions_.current(), Kind::kUnknown);
    Pass(60);
  }
  EXPECT_EQ(error_,
            "no voter that leads has said in time what became of it, and it may be done still");
  EXPECT_EQ(questions_.trouble(), "") << "registers are reached";
}

TEST_F(RaftChangeTest, AVoterThatIsNewIsAskedLikeTheOthers) {
  questions_.AddVoter("v3");
  Write();
  Answer(0, Kind::kElsewhere, "v3");
  Pass(10);
  EXPECT_EQ(sent_.back(), 0U) << "there is no connection yet, so the next one that has one";
  questions_.OnLine(3, now_ms_);
  Answer(questions_.current(), Kind::kElsewhere, "v3");
  Pass(10);
  EXPECT_EQ(sent_.back(), 3U);
  Answer(3, Kind::kDone);
  EXPECT_EQ(outcome_, Outcome::kDone);
}

}  // namespace
}  // namespace gemel
