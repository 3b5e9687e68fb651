// What belongs to a shard that is served, and in which order it comes, changes and goes.
#include "tests/unit/served_shard_world.h"

namespace gemel::served_shard_test {
namespace {

// So that a later owner knows which connections it has to end.
TEST_F(ServedShardTest, AllConnectionsTellTheTurn) {
  struct Others : OtherProxies {
    const ProxyInstance& self() const override { return me; }
    bool IsGone(const SeenProxy&) override { return false; }
    void OnRival(const ProxyInstance&, const std::string&, bool) override {}
    ProxyInstance me{"id", "state", "machine", 12, 345, 100, "web1", "127.0.0.1:6379"};
  } others;
  others_ = &others;
  turn_ = {"f1", 7, "m1"};
  Make();
  served_->Start(1);
  EXPECT_EQ(probing_.size(), 2u);
  EXPECT_EQ(names_.size(), 4u);
  for (const std::string& name : names_) {
    const std::optional<NamedConnection> named = ParseConnectionName(name);
    ASSERT_TRUE(named.has_value()) << name;
    EXPECT_EQ(named->shard, "a");
    EXPECT_EQ(named->turn, turn_) << name;
  }
  // Also after a reload.
  served_->Change(pool_, config_, false);
  for (const Link* link : {served_->shard()->link(0), served_->shard()->side_link(1)}) {
    EXPECT_EQ(ParseConnectionName(link->options().client_name)->turn, turn_);
  }
  served_.reset();
}

TEST_F(ServedShardTest, OpensItsNodesAndProbesThemOnceItStarts) {
  grace_ms_ = 7;
  Make();
  EXPECT_EQ(Told(), "open 0 10.0.0.1:1; open 1 10.0.0.2:1; ");
  EXPECT_EQ(served_->shard()->options().grace_ms, 7u) << "the host has the last word";
  served_->Start(1);
  EXPECT_EQ(Told(), "probe 0; probe 1; ");
  EXPECT_EQ(randoms_.size(), 2u) << "they do not go out at once";
}

TEST_F(ServedShardTest, LooksAtTheHostNamesNowAndThen) {
  Make();
  served_->Start(1);
  Told();
  Turn();
  EXPECT_EQ(Told(), "hosts; ");
  Turn(1000);
  EXPECT_EQ(Told(), "");
  Turn(600);
  EXPECT_EQ(Told(), "hosts; ");
  pool_.health.resolve_s = 0;
  served_->Change(pool_, config_, false);
  Told();
  Turn(5000);
  EXPECT_EQ(Told(), "hosts; ") << "once, for the reload";
}

TEST_F(ServedShardTest, TheNodesOfTheTopologyAreServedWhateverTheConfigSays) {
  config_.password = "p";
  Make();
  config_.replicas = {At("10.0.0.3:1")};
  served_->Change(pool_, config_, false);
  served_->Start(1);
  EXPECT_EQ(Told(), "open 0 10.0.0.1:1; open 1 10.0.0.2:1; probe 0 p; probe 1 p; ")
      << "the one that leaves is reached as the others are";
}

TEST_F(ServedShardTest, OptionsThatConcernNoConnectionTouchNone) {
  MakeUp();
  pool_.read.from = ReadFrom::kReplica;
  served_->Change(pool_, config_, false);
  EXPECT_EQ(served_->shard()->options().read_from, ReadFrom::kReplica);
  EXPECT_EQ(Told(), "");
  Turn();
  EXPECT_EQ(Told(), "hosts; ") << "a reload looks at once";
}

TEST_F(ServedShardTest, AnotherPaceOfTheProbesKeepsTheirConnections) {
  MakeUp();
  pool_.health.interval_ms = 77;
  served_->Change(pool_, config_, false);
  EXPECT_EQ(Told(), "pace 0 77; pace 1 77; ");
}

TEST_F(ServedShardTest, AnotherPasswordMakesTheProbesAnew) {
  MakeUp();
  config_.password = "new";
  pool_.health.interval_ms = 77;
  served_->Change(pool_, config_, false);
  EXPECT_EQ(Told(),
            "control 0 new; no probe 0; probe 0 new; control 1 new; no probe 1; probe 1 new; ");
  EXPECT_TRUE(served_->shard()->link(0)->up()) << "what is in flight goes on";
}

TEST_F(ServedShardTest, AllFollowsALinkToAnotherAddress) {
  MakeUp();
  served_->OnLinkMoved(1);
  EXPECT_EQ(Told(), "control anew 1; no probe 1; probe 1; ");
  EXPECT_TRUE(served_->shard()->link(1)->up());
}

TEST_F(ServedShardTest, AHostNameThatStandsForAnotherAddressEndsItsConnections) {
  MakeUp();
  served_->OnMoved(1, "10.9.9.9");
  EXPECT_EQ(Told(), "control anew 1; no probe 1; probe 1; ");
  EXPECT_FALSE(served_->shard()->link(1)->up());
  EXPECT_NE(notes_.find("10.0.0.2:1 has another address now, 10.9.9.9"), std::string::npos);
}

TEST_F(ServedShardTest, NodesComeAndGo) {
  MakeUp({1});
  ASSERT_TRUE(served_->resyncing()) << notes_;
  config_.replicas = {At("10.0.0.3:1")};
  served_->Change(pool_, config_, false);
  EXPECT_FALSE(served_->members_settled());
  EXPECT_EQ(served_->OutstandingMembers(), "10.0.0.3:1 comes, 10.0.0.2:1 leaves");
  Turn(10);
  EXPECT_EQ(Members(), "10.0.0.1:1 10.0.0.3:1 ");
  EXPECT_EQ(Told(), "hosts; open 2 10.0.0.3:1; probe 2; no probe 1; close 1 REPLICAOF NO ONE; ")
      << "nobody replicates for a shard that it has left";
  EXPECT_TRUE(served_->members_settled()) << notes_;
}

TEST_F(ServedShardTest, RetiresOnceItsNodesReplicateNoMore) {
  MakeUp({1});
  ASSERT_TRUE(served_->resyncing()) << notes_;
  answers_ = false;
  asked_.clear();
  served_->Retire(now_ms_);
  EXPECT_EQ(Told(), "REPLICAOF NO 1; ") << "the other one is a master";
  EXPECT_FALSE(served_->resyncing());
  Turn(10);
  EXPECT_FALSE(served_->Retired(now_ms_));
  EXPECT_EQ(asked_.size(), 1u) << "nothing else is asked";
  AnswerNext();
  EXPECT_TRUE(served_->Retired(now_ms_));
  EXPECT_EQ(Told(), "") << "its links and probes stay to the end";
  served_->Stop();
  EXPECT_EQ(Told(), "no probe 0; no probe 1; ");
  served_.reset();
  EXPECT_EQ(Told(), "close all; ");
}

TEST_F(ServedShardTest, NodesGetBackWhatTheyHadOfTheirOwn) {
  has_events_ = true;
  events_[0] = events_[1] = "Kg";
  MakeUp({1});
  ASSERT_EQ(events_[0] + events_[1], "gxeKEgxeKE");
  pool_.removals.follow = false;
  served_->Change(pool_, config_, false);
  Turn(100);
  EXPECT_EQ(events_[0] + events_[1], "gKgK");
  pool_.removals.follow = true;
  served_->Change(pool_, config_, false);
  Turn(100);
  ASSERT_EQ(events_[1], "gxeKE");
  Told();
  config_.replicas = {At("10.0.0.3:1")};
  served_->Change(pool_, config_, false);
  Turn(100);
  const std::string told = Told();
  EXPECT_NE(told.find("close 1 CONFIG SET notify-keyspace-events gK REPLICAOF NO ONE; "),
            std::string::npos)
      << told;
  served_->Retire(now_ms_);
  EXPECT_FALSE(served_->Retired(now_ms_)) << "it waits for the answer";
  Turn(2);
  EXPECT_EQ(events_[0], "gK");
}

TEST_F(ServedShardTest, ANodeThatDoesNotAnswerHoldsUpNoEnd) {
  MakeUp({1});
  answers_ = false;
  asked_.clear();
  served_->Retire(now_ms_);
  const uint64_t retired_ms = now_ms_;
  EXPECT_FALSE(served_->Retired(retired_ms + 2 * 500 - 1));
  EXPECT_TRUE(served_->Retired(retired_ms + 2 * 500));
  served_->Stop();
  served_.reset();
  AnswerNext();  // too late, and for nobody
}

TEST_F(ServedShardTest, WhatIsInFlightIsServedBeforeItRetires) {
  MakeUp();
  Request request;
  request.sink = this;
  const std::vector<std::string_view> args = {"SET", "k", "v"};
  request.row = table_.Find(args);
  request.kind = RequestKind::kWrite;
  const std::string frame = gemel::Command(args);
  request.frame = frame;
  served_->shard()->Submit(&request);
  served_->Retire(now_ms_);
  EXPECT_FALSE(served_->Retired(now_ms_));
  for (uint32_t i = 0; i < 2; ++i) Answer(served_->shard()->link(i), "+OK\r\n", now_ms_);
  EXPECT_EQ(answered_, "+OK\r\n");
  EXPECT_TRUE(served_->Retired(now_ms_));
}

TEST_F(ServedShardTest, WhoWaitsForAnAuditIsAnsweredWhenItRetires) {
  MakeUp();
  Request request;
  request.sink = this;
  request.kind = RequestKind::kAudit;
  served_->shard()->Submit(&request);
  EXPECT_EQ(answered_, "");
  served_->Retire(now_ms_);
  EXPECT_EQ(answered_.substr(0, 1), "-");
}

TEST_F(ServedShardTest, StopsWithoutHavingRetired) {
  MakeUp({1});
  ASSERT_TRUE(served_->resyncing()) << notes_;
  served_->Stop();
  EXPECT_EQ(Told(), "no probe 0; no probe 1; ");
  EXPECT_FALSE(served_->resyncing());
  EXPECT_EQ(served_->shard()->link(0)->state(), Link::State::kDown);
  served_.reset();
  EXPECT_EQ(Told(), "close all; ");
}

// --- the shard goes to another process ---

}  // namespace
}  // namespace gemel::served_shard_test
