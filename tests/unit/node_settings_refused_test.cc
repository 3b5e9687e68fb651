// What nodes refuse, what is left alone, and what they get back.

#include "backend/settings/left_nodes.h"
#include "tests/unit/node_settings_world.h"

namespace gemel::node_settings_test {
namespace {

class NodeSettingsRefusedTest : public NodeSettingsWorld {};

TEST_F(NodeSettingsRefusedTest, ANodeThatAllowsNoConfig) {
  nodes_ = {{}, {}};
  nodes_[0].refuses_get = nodes_[1].refuses_get = "NOPERM no 'config|get'";
  nodes_[0].refuses_set = nodes_[1].refuses_set = "NOPERM no 'config|set'";
  Begin();
  Settle();
  Turn(2000);
  EXPECT_EQ(Count(told_, "CONFIG SET"), 0u) << "what was not looked at is not changed";
  EXPECT_EQ(Edits(), "");
  const std::string notes = Notes();
  EXPECT_EQ(Count(notes,
                  "shard 'a': n1 refuses CONFIG GET notify-keyspace-events (NOPERM no "
                  "'config|get'), so that nobody knows"),
            1u)
      << notes;
  EXPECT_EQ(Count(notes, "it is set to Exe there"), 2u) << "one sentence a node, once";
  EXPECT_EQ(Count(notes,
                  "refuses CONFIG SET maxmemory (NOPERM no 'config|get'): set it to 9437184 "
                  "there, or allow it: until then it evicts by its own judgement"),
            1u)
      << notes;
  EXPECT_EQ(Report(1, "maxmemory"), kEight) << "INFO says it";
  EXPECT_EQ(Report(1, "maxmemory_policy"), "allkeys-lru");
  EXPECT_EQ(Report(1, "notifications"), "unknown");
  EXPECT_NE(Report(1, "settings").find("set to Exe there"), std::string::npos);
  EXPECT_FALSE(settings_->Notifies(1));
  EXPECT_TRUE(settings_->IsKnown(1));
  // It is allowed.
  nodes_[1].refuses_get = nodes_[1].refuses_set = "";
  Settle();
  EXPECT_EQ(nodes_[1].maxmemory, kNine);
  EXPECT_EQ(Report(1, "settings"), "");
  EXPECT_TRUE(settings_->Notifies(1));
}

TEST_F(NodeSettingsRefusedTest, ANodeThatDoesNotLetItselfBeSet) {
  nodes_ = {{}, {}};
  nodes_[1].refuses_set = "NOPERM no";
  nodes_[1].events = "Kg";
  Begin();
  Settle();
  Turn(1500);  // 30 s
  EXPECT_LE(Count(told_, "CONFIG SET maxmemory"), 5u) << "not as fast as it can refuse";
  EXPECT_GE(Count(told_, "CONFIG SET maxmemory"), 3u) << "but again";
  EXPECT_GE(Count(told_, "CONFIG SET notify-keyspace-events gxeKE"), 3u);
  EXPECT_LE(Count(Edits(), "n1"), 1u);
  const std::string notes = Notes();
  EXPECT_EQ(Count(notes,
                  "n1 refuses CONFIG SET notify-keyspace-events (NOPERM no): set it to "
                  "gxeKE there, or allow it"),
            1u)
      << notes;
  EXPECT_EQ(Report(1, "notifications"), "off");
  EXPECT_FALSE(settings_->Notifies(1));
  nodes_[1].refuses_set = "";
  Turn(600);
  EXPECT_EQ(nodes_[1].maxmemory, kNine);
  EXPECT_TRUE(settings_->Notifies(1));
  EXPECT_EQ(Report(1, "settings"), "");
}

TEST_F(NodeSettingsRefusedTest, WhatIsTurnedOffIsTakenBack) {
  nodes_ = {{}, {}};
  nodes_[1].events = "Kg";
  Begin();
  Settle();
  config_.set_limits = false;
  settings_->set_config(config_);
  Settle();
  EXPECT_EQ(nodes_[1].maxmemory, kEight);
  EXPECT_EQ(nodes_[1].events, "gxeKE");
  EXPECT_NE(Report(1, "settings").find("set_limits is false"), std::string::npos);
  config_.follow = false;
  settings_->set_config(config_);
  Settle();
  EXPECT_EQ(nodes_[1].events, "gK");
  EXPECT_TRUE(Kept(0).empty() && Kept(1).empty());
  EXPECT_NE(Report(1, "settings").find("follow is false"), std::string::npos);
  config_ = {};
  settings_->set_config(config_);
  Settle();
  EXPECT_EQ(nodes_[1].maxmemory, kNine);
  EXPECT_EQ(nodes_[0].events, "xeE");
}

TEST_F(NodeSettingsRefusedTest, WhatANodeGetsBack) {
  Begin();
  Settle();
  using Commands = std::vector<NodeSettings::Command>;
  EXPECT_EQ(settings_->TakeBack(1), (Commands{{"CONFIG", "SET", "maxmemory", kEight},
                                              {"CONFIG", "SET", "notify-keyspace-events", ""}}));
  EXPECT_EQ(settings_->TakeBack(0), (Commands{{"CONFIG", "SET", "notify-keyspace-events", ""}}));
  // A node that was not heard of yet.
  NewGemel();
  EXPECT_EQ(settings_->TakeBack(1).size(), 2u);
  // One that is away.
  Settle();
  Lose(1, true);
  Turn(10);
  Notes();
  EXPECT_EQ(settings_->TakeBack(1).size(), 2u);
  EXPECT_EQ(Count(Notes(),
                  "n1 is away while it leaves: unless it restarts its maxmemory stays "
                  "'9437184', which gemel set; its own was '8388608'"),
            1u);
  // What somebody else set meanwhile is left alone.
  NewGemel();
  nodes_[0].events = "AKE";
  Settle();
  EXPECT_EQ(settings_->TakeBack(0), Commands{});
}

TEST_F(NodeSettingsRefusedTest, AShardOfOneCopyIsLeftAlone) {
  Begin(1);
  Settle();
  EXPECT_EQ(Sets(), "");
  EXPECT_EQ(Report(0, "settings"), "");
  EXPECT_EQ(Report(0, "maxmemory"), kEight);
}

TEST_F(NodeSettingsRefusedTest, AServerOfSeveralShardsIsNotLimitedByOne) {
  Begin();
  Settle();
  ASSERT_EQ(nodes_[1].maxmemory, kNine);
  claims_.Claim({"a", "n1"}, "r1", 0);
  claims_.Claim({"b", "n1"}, "r1", 1);
  Settle();
  EXPECT_EQ(nodes_[1].maxmemory, kEight);
  EXPECT_EQ(nodes_[1].events, "xeE");
  EXPECT_NE(Report(0, "settings").find("maxmemory is left alone"), std::string::npos);
  claims_.Claim({"b", "n1"}, "another", 1);
  Settle();
  EXPECT_EQ(nodes_[1].maxmemory, kNine);
  claims_.Claim({"b", "n1"}, "r1", 1);
  Settle();
  EXPECT_EQ(nodes_[1].maxmemory, kEight);
  claims_.ReleaseShard("b");
  Turn(500);  // it was set often of late
  EXPECT_EQ(nodes_[1].maxmemory, kNine);
  claims_.Claim({"b", "n1"}, "r1", 1);
  claims_.Release({"b", "n1"});
  claims_.Release({"b", "n1"});
  EXPECT_FALSE(claims_.IsShared("r1"));
  EXPECT_FALSE(claims_.IsShared("nobody's"));
}

TEST_F(NodeSettingsRefusedTest, NotificationsThatWereOffForAWhileAreOthers) {
  Begin();
  EXPECT_EQ(settings_->NotifyingSince(0), 0u);
  Settle();
  const uint64_t since = settings_->NotifyingSince(0);
  ASSERT_NE(since, 0u);
  EXPECT_NE(settings_->NotifyingSince(1), since);
  Turn(200);
  EXPECT_EQ(settings_->NotifyingSince(0), since);
  nodes_[0].events = "";
  Settle();
  EXPECT_EQ(nodes_[0].events, "xeE");
  const uint64_t then = settings_->NotifyingSince(0);
  EXPECT_NE(then, since);
  EXPECT_NE(then, 0u);
  Lose(0, true);
  EXPECT_EQ(settings_->NotifyingSince(0), 0u);
  EXPECT_FALSE(settings_->IsKnown(0));
}

TEST_F(NodeSettingsRefusedTest, WhoSetsItBackAgainAndAgainIsNotFoughtAsFast) {
  Begin();
  Settle();
  Sets();
  Edits();
  for (int i = 0; i < 120; ++i) {  // two minutes
    nodes_[0].events = "";
    Turn(50);
  }
  const size_t sets = Count(Sets(), "notify-keyspace-events");
  EXPECT_GE(sets, 3u);
  EXPECT_LE(sets, 12u);
  EXPECT_EQ(Edits(), "") << "what is its own was known";
}

TEST_F(NodeSettingsRefusedTest, AServerThatTakesOneNameOnly) {
  nodes_.resize(2);
  Make(2);
  for (uint32_t i = 0; i < 2; ++i) {
    std::string replies = HandshakeReplies("r" + std::to_string(i), 5);
    replies.replace(replies.find("7.0.15"), 6, "6.2.14");
    ASSERT_EQ(shard_->link(i)->state(), Link::State::kConnecting);
    gemel::MakeUp(shard_->link(i), &transports_[i], replies, now_ms_);
  }
  NewGemel();
  Settle();
  EXPECT_EQ(Count(told_, "CONFIG GET maxmemory maxmemory-policy"), 0u);
  EXPECT_EQ(nodes_[1].maxmemory, kNine);
  EXPECT_EQ(nodes_[1].events, "xeE");
}

TEST_F(NodeSettingsRefusedTest, WhichPoliciesGoByUse) {
  nodes_ = {{}, {}};
  nodes_[1].maxmemory = "0";
  Begin();
  EXPECT_FALSE(settings_->EvictsByUse(0)) << "nothing is known yet";
  Settle();
  EXPECT_TRUE(settings_->EvictsByUse(0));
  EXPECT_FALSE(settings_->EvictsByUse(1)) << "it has no limit";
  for (const auto& [policy, by_use] :
       {std::pair("volatile-lfu", true), std::pair("volatile-lru", true),
        std::pair("allkeys-lfu", true), std::pair("allkeys-random", false),
        std::pair("volatile-ttl", false), std::pair("noeviction", false)}) {
    nodes_[0].policy = policy;
    Settle();
    EXPECT_EQ(settings_->EvictsByUse(0), by_use) << policy;
  }
}

TEST_F(NodeSettingsRefusedTest, PoliciesThatDifferAreSaid) {
  nodes_ = {{}, {}};
  nodes_[0].policy = "noeviction";
  nodes_[1].maxmemory = "4194304";
  Begin();
  Settle();
  EXPECT_EQ(nodes_[0].maxmemory, kEight);
  EXPECT_EQ(nodes_[1].maxmemory, "4194304");
  EXPECT_EQ(Report(1, "settings"),
            "has maxmemory-policy allkeys-lru and the primary noeviction: what it evicts at its "
            "own limit goes on every copy");
  nodes_[1].policy = "volatile-ttl";
  nodes_[0].policy = "allkeys-lru";
  Settle();
  EXPECT_EQ(nodes_[0].maxmemory, "4194304");
  EXPECT_EQ(Report(1, "settings"),
            "has maxmemory-policy volatile-ttl and the primary allkeys-lru: once it is promoted "
            "its own is the shard's");
  const std::string notes = Notes();
  EXPECT_EQ(Count(notes, "n1 has maxmemory-policy allkeys-lru and the primary noeviction: "), 1u);
  EXPECT_EQ(Count(notes, "n1 has maxmemory-policy volatile-ttl and the primary allkeys-lru: "), 1u);
}

TEST_F(NodeSettingsRefusedTest, ANodeThatDoesNotAnswerIsAskedAgain) {
  nodes_ = {{}, {}};
  nodes_[1].answers = false;
  Begin();
  Turn(100);
  EXPECT_EQ(nodes_[0].events, "xeE");
  EXPECT_FALSE(settings_->IsKnown(1));
  EXPECT_LE(asked_of_[1], 4u);
  nodes_[1].answers = true;
  Settle();
  EXPECT_EQ(nodes_[1].maxmemory, kNine);
}

TEST_F(NodeSettingsRefusedTest, AnswersForANodeThatWasForgottenAreNotHeard) {
  Begin();
  Settle();
  Turn(51);
  saves_ = false;
  nodes_[1].events = "";
  for (int i = 0; i < 100 && commands_.empty(); ++i) {
    shard_->Tick(now_ms_ += 20, 0);
    settings_->Tick(now_ms_);
  }
  ASSERT_FALSE(commands_.empty());
  settings_->ForgetCopy(0);
  settings_->ForgetCopy(1);
  EXPECT_FALSE(settings_->IsKnown(1));
  AnswerAll();
  EXPECT_FALSE(settings_->IsKnown(1));
  saves_ = true;
  Settle();
  EXPECT_TRUE(settings_->IsKnown(1)) << "it is asked anew";
}

TEST(LeftNodes, AreNamedWithWhatTheyStillHave) {
  Topology stored;
  stored.shards.resize(1);
  stored.shards[0].name = "a";
  stored.shards[0].copies.resize(3);
  for (uint32_t i = 0; i < 3; ++i) stored.shards[0].copies[i].node = "n" + std::to_string(i);
  stored.shards[0].copies[1].settings = {{"maxmemory", "8", "9", ""}};
  stored.shards[0].copies[2].settings = stored.shards[0].copies[1].settings;
  Topology now = stored;
  EXPECT_TRUE(LeftWithSettings(stored, now).empty());
  now.shards[0].name = "b";
  now.shards[0].copies.resize(2);
  EXPECT_EQ(LeftWithSettings(stored, now),
            (std::vector<std::string>{
                "shard 'a': n2 left it while gemel was stopped: unless it restarted its maxmemory "
                "is still '9', which gemel set; its own was '8'"}));
}

}  // namespace
}  // namespace gemel::node_settings_test
