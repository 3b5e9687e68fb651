// What belongs to a shard that is served, and in which order it comes, changes and goes.

#include "backend/served/served_shard.h"

#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "backend/topology/edit_queue.h"
#include "tests/unit/fake_transport.h"

namespace gemel::served_shard_test {
namespace {

Address At(const std::string& text) {
  std::string error;
  return *ParseAddress(text, &error);
}

// The host, the control port, the disk and the clock; what is asked of them is written down.
class ServedShardTest : public ::testing::Test,
                        public ServedShard::Host,
                        public ControlPort,
                        public ShardEnv,
                        public RequestSink {
 protected:
  ServedShardTest() {
    pool_.health.resolve_s = 30;
    pool_.timeouts.request_ms = 500;
    config_.name = "a";
    config_.primary = At("10.0.0.1:1");
    config_.replicas = {At("10.0.0.2:1")};
  }
  ~ServedShardTest() override { served_.reset(); }

  // Copies as the config has them; those of `stale` are.
  void Make(std::set<uint32_t> stale = {}) {
    Topology topology;
    ShardInfo& info = topology.shards.emplace_back();
    info.name = "a";
    uint32_t index = 0;
    for (const Address& node : config_.Nodes()) {
      const bool old = stale.contains(index);
      info.copies.push_back({node.ToString(), old ? CopyState::kStale : CopyState::kInSync,
                             "r" + std::to_string(index), old ? "test" : ""});
      ++index;
    }
    queue_ = std::make_unique<EditQueue>(std::make_shared<const Topology>(topology));
    served_ = std::make_unique<ServedShard>(
        ServedShard::World{&chunks_, this, this, this, nullptr, false, nullptr, false, {}}, &table_,
        pool_, config_, queue_->current()->shards[0], nullptr);
  }
  void MakeUp(std::set<uint32_t> stale = {}) {
    Make(std::move(stale));
    served_->Start(1);
    for (uint32_t i = 0; i < served_->shard()->copy_count(); ++i) Up(i);
    Turn(100);
    Told();
  }
  void Up(uint32_t copy) {
    Link* link = served_->shard()->link(copy);
    ASSERT_EQ(link->state(), Link::State::kConnecting);
    std::string replies = HandshakeReplies("r" + std::to_string(copy), 5, false, "", "no",
                                           /*subscriber=*/false, /*databases=*/true);
    replies.insert(replies.find(":7\r\n") + 4, "+OK\r\n");  // it gives its name
    gemel::MakeUp(link, &transports_[copy], replies, now_ms_);
    ASSERT_TRUE(link->up());
  }
  // Time passes, edits become durable, and the nodes answer what they are asked for control.
  void Turn(uint32_t times = 1) {
    for (uint32_t i = 0; i < times; ++i) {
      served_->Tick(now_ms_ += 20, 0);
      while (!queue_->idle()) {
        queue_->BeginWrite();
        std::vector<EditQueue::Finished> finished;
        queue_->EndWrite(true, "", &finished);
        for (EditQueue::Finished& edit : finished) edit.done(edit.result);
      }
      while (answers_ && !asked_.empty()) AnswerNext();
    }
  }
  void AnswerNext() {
    Asked asked = std::move(asked_.front());
    asked_.pop_front();
    ControlReply reply;
    reply.ok = true;
    reply.text = "OK";
    const std::string copy = std::to_string(asked.copy);
    if (asked.args[0] == "INFO") {
      reply.text =
          "run_id:r" + copy + "\r\nmaster_replid:x" + copy + "\r\nmaster_repl_offset:100\r\n";
      reply.text += replicating_ == static_cast<int>(asked.copy)
                        ? "role:slave\r\nmaster_host:10.0.0.1\r\nmaster_port:1\r\n"
                          "master_link_status:down\r\nmaster_sync_in_progress:1\r\n"
                          "slave_repl_offset:0\r\n"
                        : "role:master\r\n";
    } else if (asked.args[0] == "REPLICAOF" && asked.args[1] == "10.0.0.1") {
      replicating_ = static_cast<int>(asked.copy);
    } else if (asked.args[0] == "DBSIZE") {
      reply.text = "1";
    } else if (asked.args[0] == "CONFIG" && asked.args[1] == "SET") {
      if (asked.args[2] == "notify-keyspace-events") events_[asked.copy] = asked.args[3];
    } else if (asked.args[0] == "CONFIG" && asked.args[2] == "maxmemory" && has_events_) {
      reply.text = "maxmemory\n0\nnotify-keyspace-events\n" + events_[asked.copy];
    } else if (asked.args[0] == "CONFIG") {
      reply.text = asked.args[2] == "port" ? "port\n1" : "";
    }
    asked.done(reply);
  }
  // What was asked of the host since it was last looked at.
  std::string Told() { return std::exchange(told_, {}); }
  std::string Members() const {
    std::string text;
    for (const CopyInfo& copy : queue_->current()->shards[0].copies) text += copy.node + " ";
    return text;
  }

  // --- ServedShard::Host ---
  void Open(uint32_t copy, const LinkOptions& node, const ServedShard::CopyLinks& links) override {
    Tell("open", copy, node.name);
    if (transports_.size() <= copy) {
      transports_.resize(copy + 1);
      sides_.resize(copy + 1);
    }
    links.main->set_transport(&transports_[copy]);
    links.side->set_transport(&sides_[copy]);
  }
  void Close(uint32_t copy, const std::vector<std::vector<std::string>>& last) override {
    std::string told;
    for (const std::vector<std::string>& command : last) {
      for (const std::string& word : command) told += (told.empty() ? "" : " ") + word;
    }
    Tell("close", copy, told);
  }
  void CloseAll() override { told_ += "close all; "; }
  void SetControl(uint32_t copy, const LinkOptions& node, bool anew) override {
    Tell(anew ? "control anew" : "control", copy, node.password);
  }
  void StartProbe(uint32_t copy, const LinkOptions& node, const HealthConfig&,
                  uint32_t random) override {
    Tell("probe", copy, node.password);
    EXPECT_TRUE(probing_.insert(copy).second) << "they are there already";
    randoms_.insert(random);
  }
  void SetProbe(uint32_t copy, const HealthConfig& health, uint32_t) override {
    Tell("pace", copy, std::to_string(health.interval_ms));
  }
  void ProbeNow(uint32_t copy) override { EXPECT_TRUE(probing_.contains(copy)); }
  void StopProbe(uint32_t copy) override {
    Tell("no probe", copy, "");
    EXPECT_EQ(probing_.erase(copy), 1u) << "there are none";
  }
  void LookAtHosts() override { told_ += "hosts; "; }
  void Adjust(ShardOptions* options) const override { options->grace_ms = grace_ms_; }
  // --- ControlPort ---
  void Command(uint32_t copy, std::vector<std::string> args, ControlDone done) override {
    if (args.size() > 1 && (args[1] == "NO" || args[1] == "KILL") && args[0] != "CLIENT") {
      Tell(args[0] + " " + args[1], copy, "");
    }
    asked_.push_back({copy, std::move(args), std::move(done)});
  }
  // --- ShardEnv ---
  uint64_t NowMs() override { return now_ms_; }
  void Propose(Edit edit, EditDone done) override { queue_->Add(std::move(edit), std::move(done)); }
  void Note(NoteLevel, const std::string& text) override { notes_ += text + "\n"; }
  // --- RequestSink ---
  void OnReply(Request*, const gemel::Reply& reply) override { answered_ += reply.bytes; }

  void Tell(const std::string& what, uint32_t copy, const std::string& more) {
    told_ += what + " " + std::to_string(copy) + (more.empty() ? "" : " " + more) + "; ";
  }

  struct Asked {
    uint32_t copy;
    std::vector<std::string> args;
    ControlDone done;
  };
  PoolConfig pool_;
  ShardConfig config_;
  uint32_t grace_ms_ = 0;
  CommandTable table_;
  ChunkPool chunks_;
  uint64_t now_ms_ = 1000;
  bool answers_ = true;
  int replicating_ = -1;  // the copy that was told to
  bool has_events_ = false;
  std::map<uint32_t, std::string> events_;  // notify-keyspace-events
  std::string told_;
  std::string notes_;
  std::string answered_;
  std::set<uint32_t> probing_;
  std::set<uint32_t> randoms_;
  std::deque<Asked> asked_;
  std::deque<FakeTransport> transports_;
  std::deque<FakeTransport> sides_;
  std::unique_ptr<EditQueue> queue_;
  std::unique_ptr<ServedShard> served_;
};

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

// --- ScriptEnd ---

class ScriptEndTest : public ServedShardTest {
 protected:
  ScriptEndTest() {
    config_.replicas.clear();
    pool_.timeouts.request_ms = 1000;
  }
  // A client's script takes longer than it may.
  void Begin() {
    MakeUp();
    script_.sink = this;
    const std::vector<std::string_view> args = {"EVAL", "while true do end", "0"};
    script_.row = table_.Find(args);
    script_.kind = RequestKind::kWrite;
    frame_ = gemel::Command(args);
    script_.frame = frame_;
    served_->shard()->Submit(&script_);
    answers_ = false;
    asked_.clear();
    Busy(1200);
  }
  void Busy(uint64_t ms) {
    for (const uint64_t end_ms = now_ms_ + ms; now_ms_ < end_ms;) {
      Turn();
      served_->shard()->nodes().OnProbe(0, ProbeOutcome::kSent, now_ms_);
      served_->shard()->nodes().OnProbe(0, ProbeOutcome::kBusy, now_ms_);
    }
  }
  void AnswerKill(const std::string& error) {
    while (asked_.front().args[1] != "KILL" || asked_.front().args[0] == "CLIENT") {
      asked_.pop_front();
      ASSERT_FALSE(asked_.empty());
    }
    const Asked asked = std::move(asked_.front());
    asked_.pop_front();
    ControlReply reply;
    reply.ok = error.empty();
    reply.refused = !error.empty();
    reply.error = error;
    asked.done(reply);
  }
  static size_t Count(const std::string& text, const std::string& part) {
    size_t count = 0;
    for (size_t at = 0; (at = text.find(part, at)) != std::string::npos; ++at) ++count;
    return count;
  }

  Request script_;
  std::string frame_;
};

TEST_F(ScriptEndTest, IsAskedOnceAtATime) {
  Begin();
  Busy(200);
  EXPECT_EQ(Count(Told(), "SCRIPT KILL 0"), 1u);
  AnswerKill("");
  EXPECT_EQ(Count(notes_, "was told to end a script"), 1u);
  Busy(200);
  EXPECT_EQ(Told(), "") << "the next one has its time";
}

TEST_F(ScriptEndTest, AFunctionIsEndedByAnotherCommand) {
  Begin();
  AnswerKill("BUSY Redis is busy running a script");
  EXPECT_EQ(Told(), "SCRIPT KILL 0; FUNCTION KILL 0; ");
  AnswerKill("BUSY Redis is busy running a script");
  EXPECT_EQ(Told(), "") << "that is all that there is";
  EXPECT_EQ(Count(notes_, "does not end it"), 1u);
}

TEST_F(ScriptEndTest, WhatCannotBeEndedIsSaidOnce) {
  Begin();
  AnswerKill("UNKILLABLE it wrote");
  Busy(200);
  AnswerKill("UNKILLABLE it wrote");
  EXPECT_EQ(Count(notes_, "does not end it: UNKILLABLE it wrote"), 1u);
}

TEST_F(ScriptEndTest, AnotherConnectionIsAskedAnew) {
  Begin();
  ASSERT_EQ(Count(Told(), "SCRIPT KILL 0"), 1u);
  served_->OnLinkMoved(0);
  Told();
  Busy(200);
  EXPECT_EQ(Count(Told(), "SCRIPT KILL 0"), 1u);
  AnswerKill("UNKILLABLE of the last connection");
  EXPECT_EQ(notes_.find("last connection"), std::string::npos);
}

}  // namespace
}  // namespace gemel::served_shard_test
