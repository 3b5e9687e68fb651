// A served shard without I/O: what it opens, asks and ends is noted.

#ifndef GEMEL_TESTS_UNIT_SERVED_SHARD_WORLD_H_
#define GEMEL_TESTS_UNIT_SERVED_SHARD_WORLD_H_

#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "backend/served/served_shard.h"
#include "backend/topology/edit_queue.h"
#include "tests/unit/fake_transport.h"

namespace gemel::served_shard_test {

inline Address At(const std::string& text) {
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
        ServedShard::World{&chunks_, this, this, this, nullptr, false, others_, false, {}, turn_},
        &table_, pool_, config_, queue_->current()->shards[0], nullptr);
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
    for (const Link* link : {links.main, links.side, links.feed, links.channels}) {
      names_.insert(link->options().client_name);
    }
    names_.insert(node.client_name);
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
    names_.insert(node.client_name);
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
  void NotHere(Request*) override { told_ += "given back; "; }
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
  OtherProxies* others_ = nullptr;
  ShardTurn turn_;
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
  std::set<std::string> names_;  // of connections
  std::set<uint32_t> randoms_;
  std::deque<Asked> asked_;
  std::deque<FakeTransport> transports_;
  std::deque<FakeTransport> sides_;
  std::unique_ptr<EditQueue> queue_;
  std::unique_ptr<ServedShard> served_;
};

// So that a later owner knows which connections it has to end.

}  // namespace gemel::served_shard_test

#endif  // GEMEL_TESTS_UNIT_SERVED_SHARD_WORLD_H_
