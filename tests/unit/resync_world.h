// A shard before the nodes of the model, and the control commands to them: the world of the tests
// of Resync.

#ifndef GEMEL_TESTS_UNIT_RESYNC_WORLD_H_
#define GEMEL_TESTS_UNIT_RESYNC_WORLD_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "backend/resp/resp_writer.h"
#include "backend/resync/resync.h"
#include "backend/shard/shard.h"
#include "tests/unit/resync_model.h"

namespace gemel::resync_test {

// Takes multibulk commands off the front of `bytes`.
inline std::vector<Words> TakeCommands(std::string* bytes) {
  std::vector<Words> commands;
  size_t at = 0;
  const auto number = [&](char kind) {
    EXPECT_EQ((*bytes)[at], kind);
    const size_t end = bytes->find("\r\n", at);
    const int value = std::stoi(bytes->substr(at + 1, end - at - 1));
    at = end + 2;
    return value;
  };
  while (at < bytes->size()) {
    Words words(static_cast<size_t>(number('*')));
    for (std::string& word : words) {
      const size_t size = static_cast<size_t>(number('$'));
      word = bytes->substr(at, size);
      at += size + 2;
    }
    commands.push_back(std::move(words));
  }
  bytes->clear();
  return commands;
}

class World : public ShardEnv, public ControlPort, public RequestSink {
 public:
  struct Options {
    uint32_t copies = 2;
    bool adopted = false;
    std::string user = {};
    std::string password = {};
    std::string primary = "10.0.0.1:7000";
    ResyncConfig resync = {};
    ResyncBoard* board = nullptr;
  };

  explicit World(Options options) : options_(std::move(options)) {
    ShardMembers members{"a", {}};
    ShardOptions shard;
    shard.name = "a";
    shard.journal_keys = 0;  // whole copies are what this is about
    for (uint32_t i = 0; i < options_.copies; ++i) {
      ModelNode node;
      node.address = i == 0 ? options_.primary : "10.0.0." + std::to_string(i + 1) + ":7000";
      node.run_id = "run" + std::to_string(i);
      node.replid = "replid" + std::to_string(i);
      model.nodes.push_back(node);
      members.nodes.push_back(node.address);
      LinkOptions link;
      link.name = node.address;
      link.user = options_.user;
      link.password = options_.password;
      shard.nodes.push_back(link);
    }
    shard.start_ms = 0;
    std::string error;
    Topology topology = *InitialTopology({members}, nullptr, &error);
    const auto apply = [&](Edit edit) { topology = *Apply(topology, edit, &error); };
    apply({EditKind::kSetRunId, "a", model.nodes[0].address, "run0", "test"});
    for (uint32_t i = 1; i < options_.copies && !options_.adopted; ++i) {
      apply({EditKind::kMarkInSync, "a", model.nodes[i].address, "run", "test"});
      apply({EditKind::kMarkStale, "a", model.nodes[i].address, "", "test"});
    }
    topology_ = std::make_shared<const Topology>(topology);
    shard_ = std::make_unique<Shard>(shard, topology_->shards[0], &table_, &pool_, this);
    for (uint32_t i = 0; i < options_.copies; ++i) {
      transports_.push_back(std::make_unique<Transport>());
      shard_->link(i)->set_transport(transports_.back().get());
    }
    resync = std::make_unique<Resync>(shard_->ports().resync, this, this, options_.resync,
                                      options_.board);
  }

  ~World() override {
    resync.reset();
    shard_->Stop();
  }

  // Nodes that were given their state by then are connected to.
  void Start() {
    shard_->Start();
    Settle();
  }

  // What is under way without time passing, then one tick of `ms`.
  void Step(uint64_t ms = 20) {
    Settle();
    now_ms_ += ms;
    shard_->Tick(now_ms_, 0);
    if (resync) resync->Tick(now_ms_);
    Settle();
  }

  bool RunUntil(const std::function<bool()>& condition, int steps = 1000) {
    for (int i = 0; i < steps && !condition(); ++i) Step();
    return condition();
  }
  bool InSync(uint32_t copy = 1) const {
    return (shard_->ports().resync.in_sync() & Bit(copy)) != 0;
  }

  // One reply of a control command, or one edit.
  void Settle() {
    for (int i = 0; i < 50; ++i) {  // who polls without end gets so many replies a step
      bool moved = PumpLinks();
      if (!commands_.empty()) {
        moved = true;
        Asked asked = std::move(commands_.front());
        commands_.pop_front();
        const size_t number = answered_++;
        if (on_command) on_command(number);
        asked.done(number == fail_at ? ControlReply{false, false, "no answer within 2000 ms", ""}
                                     : model.Answer(asked.copy, asked.args));
      } else if (!edits_.empty()) {
        moved = true;
        auto [edit, done] = std::move(edits_.front());
        edits_.pop_front();
        EditResult result;
        std::optional<Topology> next;
        if (!disk_fails) next = Apply(*topology_, edit, &result.error);
        if (disk_fails) result.error = "the disk is full";
        if (next) topology_ = std::make_shared<const Topology>(*next);
        result.ok = next.has_value();
        result.topology = topology_;
        done(result);
      }
      if (!moved || (one_reply_a_step && moved)) return;
    }
  }

  void Lose(uint32_t copy, bool refused = false) {
    transports_[copy]->connected = false;
    transports_[copy]->connecting = false;
    transports_[copy]->closed_by_node = true;
    shard_->link(copy)->OnClosed("reset", refused, now_ms_);
  }
  void Restart(uint32_t copy) {
    ModelNode& node = model.nodes[copy];
    node.run_id += "'";
    node.replid += "'";
    node.replid2 = "0000";
    node.as_replica.on = false;
    node.keys = 0;
    Lose(copy);
  }

  // SET, through the shard. Its reply is counted in `replies`.
  void Write() {
    const std::vector<std::string_view> words = {"SET", "k", "v"};
    writes_.push_back(std::make_unique<OwnedRequest>());
    OwnedRequest& owned = *writes_.back();
    AppendCommand(&owned.frame, words);
    owned.request.sink = this;
    owned.request.row = table_.FindByName("set");
    owned.request.session = writes_.size();
    owned.request.kind = RequestKind::kWrite;
    owned.request.frame = owned.frame;
    shard_->Submit(&owned.request);
  }

  size_t Count(const std::string& command) const {
    return static_cast<size_t>(std::count(log.begin(), log.end(), command));
  }
  size_t Noted(const std::string& part) const {
    return static_cast<size_t>(std::count_if(notes.begin(), notes.end(), [&](const auto& note) {
      return note.find(part) != std::string::npos;
    }));
  }

  // --- ShardEnv ---
  uint64_t NowMs() override { return now_ms_; }
  void Propose(Edit edit, EditDone done) override {
    edits_.emplace_back(std::move(edit), std::move(done));
  }
  bool Release(const std::string& node, ReleaseDone done) override {
    if (!on_release) return false;
    releases.push_back(node);
    // As one more edit: later, never inside the call.
    commands_.push_back(
        {0, {"PING"}, [this, done = std::move(done)](const auto&) { done(on_release()); }});
    return true;
  }
  void Note(NoteLevel, const std::string& text) override { notes.push_back(text); }

  // --- ControlPort ---
  void Command(uint32_t copy, Words args, ControlDone done) override {
    log.push_back(std::to_string(copy) + " " + Join(args));
    commands_.push_back({copy, std::move(args), std::move(done)});
  }

  // --- RequestSink ---
  void OnReply(Request*, const Reply& reply) override { replies.emplace_back(reply.bytes); }

  Shard& shard() { return *shard_; }
  size_t edits() const { return edits_.size(); }  // proposed and not decided

  ModelNodes model;
  std::unique_ptr<Resync> resync;
  std::vector<std::string> log;  // control commands: "1 REPLICAOF 10.0.0.1 7000"
  std::vector<std::string> notes;
  std::vector<std::string> replies;  // to writes
  size_t fail_at = SIZE_MAX;
  std::function<void(size_t)> on_command;  // before the reply to the n-th command
  bool disk_fails = false;
  std::function<NodeRelease()> on_release;  // what becomes of the next ShardEnv::Release
  std::vector<std::string> releases;
  bool one_reply_a_step = false;

 private:
  struct Transport : LinkTransport {
    bool connecting = false;
    bool connected = false;
    bool closed_by_node = false;
    void Connect() override { connecting = true; }
    void Close() override { connecting = connected = false; }
    void WantFlush() override {}
  };
  struct OwnedRequest {
    Request request;
    std::string frame;
  };
  struct Asked {
    uint32_t copy;
    Words args;
    ControlDone done;
  };

  bool PumpLinks() {
    bool moved = false;
    for (uint32_t i = 0; i < model.nodes.size(); ++i) {
      Link* link = shard_->link(i);
      Transport& transport = *transports_[i];
      if (transport.connecting) {
        transport.connecting = false;
        moved = true;
        if (model.nodes[i].alive) {
          transport.connected = true;
          link->OnConnected(now_ms_);
        } else {
          link->OnClosed("refused", true, now_ms_);
        }
      }
      if (!transport.connected || link->out().empty()) continue;
      if (link->up() && !model.nodes[i].answers_writes) continue;
      moved = true;
      std::string bytes;
      link->out().ForEach([&](const char* data, size_t size) {
        bytes.append(data, size);
        return true;
      });
      link->out().Consume(bytes.size());
      link->out().FlushDone();
      for (const Words& words : TakeCommands(&bytes)) {
        if (!transport.connected) break;
        const std::string reply = model.LinkReply(i, words);
        link->OnData(reply.data(), reply.size(), now_ms_);
      }
    }
    return moved;
  }

  Options options_;
  uint64_t now_ms_ = 1000000;
  CommandTable table_;
  ChunkPool pool_;
  std::shared_ptr<const Topology> topology_;
  std::vector<std::unique_ptr<Transport>> transports_;
  std::vector<std::unique_ptr<OwnedRequest>> writes_;
  std::unique_ptr<Shard> shard_;
  std::deque<Asked> commands_;
  std::deque<std::pair<Edit, EditDone>> edits_;
  size_t answered_ = 0;
};

}  // namespace gemel::resync_test

#endif  // GEMEL_TESTS_UNIT_RESYNC_WORLD_H_
