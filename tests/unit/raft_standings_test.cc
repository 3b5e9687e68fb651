// What people see of the voters.

#include "backend/raft/raft_standings.h"

#include <gtest/gtest.h>

#include <string>

namespace gemel::raft_standings_test {
namespace {

using Contact = EngineStatus::Contact;

RaftAnswer Says(const std::string& leader, uint64_t term, uint64_t committed, uint64_t applied) {
  RaftAnswer answer;
  answer.kind = RaftAnswer::Kind::kStanding;
  answer.leader = leader;
  answer.standing = {term, committed, applied};
  return answer;
}

class RaftStandingsTest : public ::testing::Test {
 protected:
  RaftStandings standings_{{"v0", "v1", "v2"}};
};

TEST_F(RaftStandingsTest, NobodyIsReachedBeforeItHasSpoken) {
  const EngineStatus status = standings_.Status(0);
  EXPECT_EQ(status.leader, "");
  EXPECT_FALSE(status.leaderless);
  ASSERT_EQ(status.servers.size(), 3U);
  for (const EngineStatus::Server& server : status.servers) {
    EXPECT_EQ(server.contact, Contact::kNot);
    EXPECT_EQ(server.lag, std::nullopt);
  }
}

TEST_F(RaftStandingsTest, EachIsBehindWhatAnyKnowsToBeAgreed) {
  standings_.OnAnswer(0, Says("v1", 2, 100, 90), 10);
  standings_.OnAnswer(1, Says("v1", 2, 120, 120), 10);
  const EngineStatus status = standings_.Status(20);
  EXPECT_EQ(status.leader, "v1");
  EXPECT_EQ(status.servers[0], (EngineStatus::Server{"v0", Contact::kReached, 30}));
  EXPECT_EQ(status.servers[1], (EngineStatus::Server{"v1", Contact::kReached, 0}));
  EXPECT_EQ(status.servers[2], (EngineStatus::Server{"v2", Contact::kNot, std::nullopt}));
}

TEST_F(RaftStandingsTest, OfTwoThatSayThatTheyLeadTheLaterOneDoes) {
  standings_.OnAnswer(1, Says("v1", 3, 1, 1), 10);
  standings_.OnAnswer(0, Says("v0", 2, 1, 1), 10);
  EXPECT_EQ(standings_.Status(20).leader, "v1");
  standings_.OnAnswer(0, Says("v0", 4, 1, 1), 10);
  EXPECT_EQ(standings_.Status(20).leader, "v0");
}

TEST_F(RaftStandingsTest, WhatOthersBelieveIsNoLeader) {
  standings_.OnAnswer(0, Says("v2", 2, 1, 1), 10);
  EXPECT_EQ(standings_.Status(20).leader, "");
}

TEST_F(RaftStandingsTest, WhoIsSilentOrLostIsNotReachedAndDoesNotLead) {
  standings_.OnAnswer(0, Says("v0", 2, 1, 1), 10);
  EXPECT_EQ(standings_.Status(9 + RaftStandings::kHeardMs).leader, "v0");
  EXPECT_EQ(standings_.Status(10 + RaftStandings::kHeardMs).leader, "");
  standings_.OnAnswer(0, Says("v0", 2, 1, 1), 5000);
  standings_.OnLost(0);
  EXPECT_EQ(standings_.Status(5001).leader, "");
  EXPECT_EQ(standings_.Status(5001).servers[0].contact, Contact::kNot);
}

TEST_F(RaftStandingsTest, WhoDoesNotVoteIsNotShown) {
  standings_.Add("v3");
  standings_.OnAnswer(0, Says("v0", 2, 9, 9), 10);
  standings_.OnAnswer(3, Says("v0", 2, 9, 7), 10);
  standings_.SetVotes(0, false);
  const EngineStatus status = standings_.Status(20);
  EXPECT_EQ(status.leader, "");
  ASSERT_EQ(status.servers.size(), 3U);
  EXPECT_EQ(status.servers[0].name, "v1");
  EXPECT_EQ(status.servers[2], (EngineStatus::Server{"v3", Contact::kReached, 2}));
}

}  // namespace
}  // namespace gemel::raft_standings_test
