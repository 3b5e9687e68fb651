// What gemel sets on the nodes of a shard, what of that is durable, and what they get back.

#include "backend/settings/node_settings.h"

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "backend/settings/left_nodes.h"
#include "backend/shard/server_claims.h"
#include "tests/unit/shard_world.h"

namespace gemel::node_settings_test {
namespace {

constexpr char kEight[] = "8388608";
constexpr char kNine[] = "9437184";
constexpr char kSixteen[] = "16777216";

struct ModelNode {
  std::string maxmemory = kEight;
  std::string policy = "allkeys-lru";
  std::string events;
  std::string refuses_get;  // CONFIG GET, with that error
  std::string refuses_set;
  bool answers = true;
  bool keeps = true;  // what it is told
};

class NodeSettingsTest : public ShardWorld, public ControlPort {
 protected:
  ~NodeSettingsTest() override { settings_.reset(); }

  void Begin(uint32_t copies = 2) {
    nodes_.resize(std::max<size_t>(nodes_.size(), copies));
    MakeUp(copies);
    NewGemel();
  }
  // One that finds what the last one left.
  void NewGemel() {
    settings_.reset();
    commands_.clear();
    settings_ = std::make_unique<NodeSettings>(shard_->settings_port(), this, this, config_);
  }
  void Turn(uint32_t times = 1) {
    for (; times > 0; --times) {
      shard_->Tick(now_ms_ += 20, 0);
      settings_->Tick(now_ms_);
      for (int i = 0; i < 20; ++i) {
        if (saves_) RunEdits(disk_ok_);
        AnswerAll();
      }
    }
  }
  // Its link is made anew.
  void Back(uint32_t copy, const std::string& run_id) {
    for (int i = 0; i < 200 && shard_->link(copy)->state() == Link::State::kDown; ++i) Turn();
    Up(copy, run_id);
  }
  void Settle() { Turn(60); }  // longer than nodes are left unread
  void AnswerAll() {
    for (size_t left = commands_.size(); left > 0; --left) {
      Asked command = std::move(commands_.front());
      commands_.pop_front();
      if (!nodes_[command.copy].answers) {
        command.done({false, false, "no answer within 2000 ms", ""});
      } else {
        command.done(Answer(&nodes_[command.copy], command.args));
      }
    }
  }
  static ControlReply Refused(const std::string& error) { return {false, true, error, ""}; }
  static ControlReply Said(std::string text) { return {true, false, "", std::move(text)}; }
  ControlReply Answer(ModelNode* node, const std::vector<std::string>& args) {
    if (args[0] == "INFO") {
      return Said("# Memory\r\nused_memory:1\r\nmaxmemory:" + node->maxmemory +
                  "\r\nmaxmemory_policy:" + node->policy + "\r\n");
    }
    EXPECT_EQ(args[0], "CONFIG");
    if (args[1] == "GET") {
      if (!node->refuses_get.empty()) return Refused(node->refuses_get);
      std::string text;
      for (size_t i = 2; i < args.size(); ++i) {
        text += i > 2 ? "\n" : "";
        if (args[i] == "maxmemory") text += "maxmemory\n" + node->maxmemory;
        if (args[i] == "maxmemory-policy") text += "maxmemory-policy\n" + node->policy;
        if (args[i] == "maxmemory*") {
          text += "maxmemory-policy\n" + node->policy + "\nmaxmemory-samples\n5\nmaxmemory\n" +
                  node->maxmemory;
        }
        if (args[i] == "notify-keyspace-events") text += "notify-keyspace-events\n" + node->events;
      }
      return Said(text);
    }
    if (!node->refuses_set.empty()) return Refused(node->refuses_set);
    sets_ += args[2] + "=" + args[3] + " ";
    if (!node->keeps) return Said("OK");
    (args[2] == "maxmemory" ? node->maxmemory : node->events) = args[3];
    return Said("OK");
  }
  // What was set since it was last looked at.
  std::string Sets() { return std::exchange(sets_, {}); }
  std::string Edits() { return std::exchange(edits_, {}); }
  std::string Notes() { return std::exchange(notes_, {}); }
  std::string Report(uint32_t copy, const std::string& name) {
    for (const auto& [field, value] : settings_->Report(copy)) {
      if (field == name) return value;
    }
    return "(not there)";
  }
  static size_t Count(const std::string& text, const std::string& part) {
    size_t count = 0;
    for (size_t at = 0; (at = text.find(part, at)) != std::string::npos; ++at) ++count;
    return count;
  }
  const std::vector<NodeSetting>& Kept(uint32_t copy) { return Durable().copies[copy].settings; }

  void Command(uint32_t copy, std::vector<std::string> args, ControlDone done) override {
    ++asked_of_[copy];
    std::string text;
    for (const std::string& arg : args) text += (text.empty() ? "" : " ") + arg;
    told_ += text + "; ";
    commands_.push_back({copy, std::move(args), std::move(done)});
  }

  struct Asked {
    uint32_t copy;
    std::vector<std::string> args;
    ControlDone done;
  };
  ServerClaims* claims() override { return &claims_; }

  ServerClaims claims_;
  RemovalsConfig config_;
  std::vector<ModelNode> nodes_;
  bool saves_ = true;
  bool disk_ok_ = true;
  std::string sets_;
  std::string told_;
  std::map<uint32_t, size_t> asked_of_;
  std::deque<Asked> commands_;
  std::unique_ptr<NodeSettings> settings_;
};

using List = std::vector<NodeSetting>;

TEST_F(NodeSettingsTest, SetsWhatLacksAndKeepsWhatWasThere) {
  nodes_ = {{}, {}};
  nodes_[1].events = "K$";
  Begin();
  Settle();
  EXPECT_EQ(nodes_[0].maxmemory, kEight);
  EXPECT_EQ(nodes_[1].maxmemory, kNine);
  EXPECT_EQ(nodes_[0].events, "xeE");
  EXPECT_EQ(nodes_[1].events, "$xeKE");
  EXPECT_EQ(Kept(0), (List{{"notify-keyspace-events", "", "xeE", ""}}));
  EXPECT_EQ(Kept(1), (List{{"maxmemory", kEight, kNine, ""},
                           {"notify-keyspace-events", "$K", "$xeKE", ""}}));
  const std::string notes = Notes();
  EXPECT_EQ(Count(notes,
                  "shard 'a': n1 has maxmemory '9437184' now (its own: '8388608'), so that "
                  "it follows the primary and evicts nothing of its own\n"),
            1u)
      << notes;
  EXPECT_EQ(Count(notes,
                  "shard 'a': n0 has notify-keyspace-events 'xeE' now (its own: ''), so "
                  "that it tells of keys that it expires and evicts\n"),
            1u)
      << notes;
  EXPECT_EQ(Report(1, "maxmemory"), kNine);
  EXPECT_EQ(Report(1, "maxmemory_own"), kEight);
  EXPECT_EQ(Report(1, "maxmemory_policy"), "allkeys-lru");
  EXPECT_EQ(Report(1, "notifications"), "on");
  EXPECT_EQ(Report(1, "settings"), "");
}

TEST_F(NodeSettingsTest, ASteadyShardMakesNoEditsAndIsReadOnceASecond) {
  Begin();
  Settle();
  Sets();
  Edits();
  Notes();
  asked_of_.clear();
  Turn(500);  // 10 s
  EXPECT_EQ(Sets(), "");
  EXPECT_EQ(Edits(), "");
  EXPECT_EQ(Notes(), "");
  EXPECT_GE(asked_of_[0], 8u);
  EXPECT_LE(asked_of_[0], 10u);
}

TEST_F(NodeSettingsTest, WhatNeedsNothingIsNotTouched) {
  nodes_ = {{}, {}};
  nodes_[0].events = "KEA";
  nodes_[1].events = "Exe";
  nodes_[1].maxmemory = "0";
  Begin();
  Settle();
  EXPECT_EQ(Sets(), "");
  EXPECT_EQ(Edits(), "");
  EXPECT_EQ(Notes(), "");
  EXPECT_TRUE(settings_->Notifies(0) && settings_->Notifies(1));
}

TEST_F(NodeSettingsTest, NothingIsSetBeforeItsOwnIsDurable) {
  saves_ = false;
  Begin();
  Settle();
  EXPECT_EQ(Sets(), "");
  saves_ = true;
  disk_ok_ = false;
  Settle();
  EXPECT_EQ(Sets(), "");
  EXPECT_TRUE(Kept(1).empty());
  disk_ok_ = true;
  Settle();
  EXPECT_EQ(nodes_[1].maxmemory, kNine);
  EXPECT_EQ(nodes_[1].events, "xeE");
}

TEST_F(NodeSettingsTest, TheLeastOfTheLimitsIsThePrimarys) {
  nodes_ = {{}, {}};
  nodes_[0].maxmemory = kSixteen;
  Begin();
  Settle();
  EXPECT_EQ(nodes_[0].maxmemory, kEight);
  EXPECT_EQ(nodes_[1].maxmemory, kNine);
  EXPECT_EQ(Count(Notes(),
                  "n0 has maxmemory '8388608' now (its own: '16777216'), for n1 may use "
                  "no more, and the least limit is the shard's"),
            1u);
  EXPECT_EQ(Report(0, "maxmemory_own"), kSixteen);
}

TEST_F(NodeSettingsTest, APromotionTurnsTheLimitsRound) {
  Begin();
  Settle();
  Lose(0, /*refused=*/true);
  Settle();
  ASSERT_EQ(shard_->info().primary, 1u);
  EXPECT_EQ(nodes_[1].maxmemory, kEight);
  EXPECT_EQ(Kept(1), (List{{"notify-keyspace-events", "", "xeE", ""}}));
  EXPECT_EQ(Report(0, "notifications"), "unknown");
  Back(0, "r0");
  Settle();
  EXPECT_EQ(nodes_[0].maxmemory, kNine);
  EXPECT_EQ(nodes_[1].maxmemory, kEight);
}

TEST_F(NodeSettingsTest, TheLimitStaysWhereTheLeastIsAway) {
  nodes_ = {{}, {}, {}};
  nodes_[0].maxmemory = nodes_[1].maxmemory = kSixteen;
  Begin(3);
  Settle();
  EXPECT_EQ(nodes_[0].maxmemory, kEight);
  Lose(2, true);
  Settle();
  ASSERT_EQ(Durable().copies[2].state, CopyState::kStale);
  Turn(1000);
  EXPECT_EQ(nodes_[0].maxmemory, kEight) << "it will be back";
  EXPECT_EQ(nodes_[1].maxmemory, kSixteen);
}

TEST_F(NodeSettingsTest, WhatAnOperatorSetsIsItsOwnFromThenOn) {
  Begin();
  Settle();
  Notes();
  nodes_[1].maxmemory = kSixteen;
  nodes_[1].events = "Kg";
  Settle();
  EXPECT_EQ(nodes_[1].maxmemory, kSixteen);
  EXPECT_EQ(nodes_[1].events, "gxeKE");
  EXPECT_EQ(Kept(1), (List{{"notify-keyspace-events", "gK", "gxeKE", ""}}));
  const std::string notes = Notes();
  EXPECT_EQ(Count(notes, "n1 has a maxmemory of its own of '16777216' now, no more '8388608'"), 1u)
      << notes;
  // Less than the primary has: the shard's is that.
  nodes_[1].maxmemory = "4194304";
  Settle();
  EXPECT_EQ(nodes_[0].maxmemory, "4194304");
  EXPECT_EQ(nodes_[1].maxmemory, "5242880");
  EXPECT_EQ(Kept(0)[0], (NodeSetting{"maxmemory", kEight, "4194304", ""}));
  // What gemel once set, and has not for long, is an operator's, too.
  nodes_[1].maxmemory = kNine;
  Settle();
  EXPECT_EQ(Report(1, "maxmemory_own"), kNine);
  EXPECT_EQ(nodes_[0].maxmemory, kEight);
}

TEST_F(NodeSettingsTest, ARestartedNodeHasWhatItsFileSays) {
  Begin();
  Settle();
  Lose(1);
  nodes_[1].events = "Kx";
  nodes_[1].maxmemory = "6291456";
  Back(1, "another");
  Settle();
  EXPECT_EQ(nodes_[0].maxmemory, "6291456");
  EXPECT_EQ(nodes_[1].maxmemory, "7340032");
  EXPECT_EQ(nodes_[1].events, "xeKE");
  EXPECT_EQ(Report(1, "maxmemory_own"), "6291456");
}

TEST_F(NodeSettingsTest, TheNextGemelKnowsWhatIsTheirOwn) {
  Begin();
  Settle();
  Sets();
  Edits();
  Notes();
  NewGemel();
  Settle();
  EXPECT_EQ(Sets(), "");
  EXPECT_EQ(Edits(), "");
  EXPECT_EQ(Notes(), "");
  EXPECT_EQ(Report(1, "maxmemory_own"), kEight);
  config_ = {false, false};
  settings_->set_config(config_);
  Settle();
  EXPECT_EQ(nodes_[1].maxmemory, kEight);
  EXPECT_EQ(nodes_[1].events, "");
}

// It dies at each moment between an edit and what follows from it.
TEST_F(NodeSettingsTest, AGemelThatIsKilledForgetsNothing) {
  nodes_ = {{}, {}};
  Begin();
  // The first time.
  for (ModelNode& node : nodes_) node.keeps = false;
  Settle();
  ASSERT_FALSE(Kept(1).empty());
  for (ModelNode& node : nodes_) node.keeps = true;
  NewGemel();
  Settle();
  EXPECT_EQ(Report(1, "maxmemory_own"), kEight);
  EXPECT_EQ(nodes_[1].maxmemory, kNine);
  // A change of what is set: the node still has what was set before.
  nodes_[1].keeps = false;
  nodes_[0].maxmemory = "7864320";
  Settle();
  ASSERT_EQ(Kept(1)[0], (NodeSetting{"maxmemory", kEight, "8912896", kNine}));
  ASSERT_EQ(nodes_[1].maxmemory, kNine);
  nodes_[1].keeps = true;
  NewGemel();
  Settle();
  EXPECT_EQ(Report(1, "maxmemory_own"), kEight);
  EXPECT_EQ(nodes_[1].maxmemory, "8912896");
  // And when it is taken back.
  nodes_[1].keeps = false;
  config_.set_limits = false;
  settings_->set_config(config_);
  Settle();
  EXPECT_EQ(Kept(1)[0].own, kEight);
  nodes_[1].keeps = true;
  NewGemel();
  Settle();
  EXPECT_EQ(nodes_[1].maxmemory, kEight);
}

TEST_F(NodeSettingsTest, ANodeThatAllowsNoConfig) {
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

TEST_F(NodeSettingsTest, ANodeThatDoesNotLetItselfBeSet) {
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

TEST_F(NodeSettingsTest, WhatIsTurnedOffIsTakenBack) {
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

TEST_F(NodeSettingsTest, WhatANodeGetsBack) {
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

TEST_F(NodeSettingsTest, AShardOfOneCopyIsLeftAlone) {
  Begin(1);
  Settle();
  EXPECT_EQ(Sets(), "");
  EXPECT_EQ(Report(0, "settings"), "");
  EXPECT_EQ(Report(0, "maxmemory"), kEight);
}

TEST_F(NodeSettingsTest, AServerOfSeveralShardsIsNotLimitedByOne) {
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

TEST_F(NodeSettingsTest, NotificationsThatWereOffForAWhileAreOthers) {
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

TEST_F(NodeSettingsTest, WhoSetsItBackAgainAndAgainIsNotFoughtAsFast) {
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

TEST_F(NodeSettingsTest, AServerThatTakesOneNameOnly) {
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

TEST_F(NodeSettingsTest, WhichPoliciesGoByUse) {
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

TEST_F(NodeSettingsTest, PoliciesThatDifferAreSaid) {
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
  EXPECT_EQ(Count(Notes(), "n1 has maxmemory-policy"), 2u);
}

TEST_F(NodeSettingsTest, ANodeThatDoesNotAnswerIsAskedAgain) {
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

TEST_F(NodeSettingsTest, AnswersForANodeThatWasForgottenAreNotHeard) {
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
