// A shard, its nodes as a model and the control commands to them: the world of the tests of Resync.

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

namespace gemel::resync_test {

using Words = std::vector<std::string>;

inline std::string Join(const Words& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

// A node's state as far as Resync and the link's handshake ask for it.
struct ModelNode {
  std::string address;
  std::string run_id;
  bool alive = true;
  bool answers_writes = true;
  bool odd = false;  // answers writes otherwise than others
  int64_t keys = 1;
  int64_t offset = 1 << 30;
  std::string replid;
  std::string replid2 = "0000";
  int64_t second_offset = -1;
  int64_t input = 1000;           // total_net_repl_input_bytes
  std::string refuses_replicaof;  // the error
  std::string refuses_info;       // the same
  std::string version = "7.0.15";
  std::string port = "7000";  // as CONFIG GET port says it
  // CONFIG GET repl-diskless-sync*; empty: it knows none of that.
  std::string diskless;
  int64_t full_syncs = 0;     // that it gave
  bool waits_bgsave = false;  // its replica waits for a snapshot
  // As a replica:
  bool replica = false;
  std::string host;
  std::string host_port;
  bool read_only = true;
  bool reaches = true;        // its master
  int sync_polls = 0;         // INFO replies until the copying is done
  bool gets_nothing = false;  // of it: it says that it copies, and does not
  bool goes_round = false;    // the copying begins again when it is done
  int64_t sync_read = 0;
  int64_t sync_total = 0;
  bool loading = false;
  int64_t lag = 0;
  int64_t catches_up = 1 << 30;  // bytes per INFO reply
};

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
      nodes.push_back(node);
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
    apply({EditKind::kSetRunId, "a", nodes[0].address, "run0", "test"});
    for (uint32_t i = 1; i < options_.copies && !options_.adopted; ++i) {
      apply({EditKind::kMarkInSync, "a", nodes[i].address, "run", "test"});
      apply({EditKind::kMarkStale, "a", nodes[i].address, "", "test"});
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
                                     : Answer(asked.copy, asked.args));
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
    ModelNode& node = nodes[copy];
    node.run_id += "'";
    node.replid += "'";
    node.replid2 = "0000";
    node.replica = false;
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

  std::vector<ModelNode> nodes;
  std::unique_ptr<Resync> resync;
  std::vector<std::string> log;  // control commands: "1 REPLICAOF 10.0.0.1 7000"
  std::vector<std::string> notes;
  std::vector<std::string> replies;                      // to writes
  std::vector<size_t> written = std::vector<size_t>(8);  // SETs that reached each node
  size_t fail_at = SIZE_MAX;
  std::function<void(size_t)> on_command;  // before the reply to the n-th command
  bool disk_fails = false;
  std::string refuses_scan;  // the error
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
    for (uint32_t i = 0; i < nodes.size(); ++i) {
      Link* link = shard_->link(i);
      Transport& transport = *transports_[i];
      if (transport.connecting) {
        transport.connecting = false;
        moved = true;
        if (nodes[i].alive) {
          transport.connected = true;
          link->OnConnected(now_ms_);
        } else {
          link->OnClosed("refused", true, now_ms_);
        }
      }
      if (!transport.connected || link->out().empty()) continue;
      if (link->up() && !nodes[i].answers_writes) continue;
      moved = true;
      std::string bytes;
      link->out().ForEach([&](const char* data, size_t size) {
        bytes.append(data, size);
        return true;
      });
      link->out().Consume(bytes.size());
      link->FlushDone();
      for (const Words& words : TakeCommands(&bytes)) {
        if (!transport.connected) break;
        const std::string reply = LinkReply(i, words);
        link->OnData(reply.data(), reply.size(), now_ms_);
      }
    }
    return moved;
  }

  std::string LinkReply(uint32_t copy, const Words& words) {
    const ModelNode& node = nodes[copy];
    if (words[0] == "PING") return "+PONG\r\n";
    if (words[0] == "DBSIZE") return ":" + std::to_string(node.keys) + "\r\n";
    if (words[0] == "ROLE")
      return node.replica ? "*1\r\n$5\r\nslave\r\n" : "*1\r\n$6\r\nmaster\r\n";
    if (words[0] == "INFO" && !node.refuses_info.empty()) {
      return "-" + node.refuses_info + "\r\n";
    }
    if (words[0] == "INFO") {
      std::string reply;
      AppendBulk(&reply, Server(node) + Replication(&nodes[copy], /*polled=*/false));
      return reply;
    }
    if (words[0] == "CLIENT") return ":1\r\n";
    if (words[0] == "AUTH") return "+OK\r\n";
    if (words[0] == "SCAN") {
      if (!refuses_scan.empty()) return "-" + refuses_scan + "\r\n";
      return "*2\r\n$1\r\n0\r\n*0\r\n";  // its keys are of no interest here
    }
    if (words[0] != "SET") return "-ERR not in this model\r\n";
    ++written[copy];
    return node.odd ? ":1\r\n" : "+OK\r\n";
  }

  ControlReply Answer(uint32_t copy, const Words& args) {
    ModelNode& node = nodes[copy];
    if (!node.alive) return {false, false, "Connection refused", ""};
    const std::string command = Join(args);
    if (command == "DBSIZE") return Said(std::to_string(node.keys));
    if (args[0] == "INFO" && !node.refuses_info.empty()) {
      return {false, true, node.refuses_info, ""};
    }
    if (command == "CONFIG GET repl-diskless-sync*") return Said(node.diskless);
    if (command == "CONFIG GET port") return Said("port\n" + node.port);
    if (args[0] == "REPLICAOF" && !node.refuses_replicaof.empty()) {
      return {false, true, node.refuses_replicaof, ""};
    }
    if (command == "REPLICAOF NO ONE") {
      if (node.replica) {
        node.replid2 = node.sync_polls > 0 ? node.replid : nodes[master_index].replid;
        node.second_offset = nodes[master_index].offset - node.lag + 1;
        node.replid += "+";
      }
      node.replica = false;
    } else if (args[0] == "REPLICAOF") {
      if (!node.replica || node.host != args[1] || node.host_port != args[2]) {
        node.replica = true;
        node.host = args[1];
        node.host_port = args[2];
        node.lag = start_lag;
        node.sync_polls = start_sync_polls;
        node.input += 5000;
        ++nodes[master_index].full_syncs;
      }
    } else if (command == "INFO replication") {
      return Said(Replication(&node, /*polled=*/true));
    } else if (command == "INFO") {
      return Said(Server(node) + Replication(&node, /*polled=*/true) +
                  "# Stats\r\nsync_full:" + std::to_string(node.full_syncs) +
                  "\r\ntotal_net_repl_input_bytes:" + std::to_string(node.input) +
                  "\r\n# Persistence\r\nloading:0\r\ncurrent_save_keys_processed:" +
                  std::to_string(saved_keys) + "\r\ncurrent_save_keys_total:200\r\n");
    }
    return Said("OK");
  }

  static ControlReply Said(std::string text) { return {true, false, "", std::move(text)}; }

  bool GivesCopy() const {
    return std::any_of(nodes.begin(), nodes.end(), [](const ModelNode& node) {
      return node.replica && node.reaches && node.sync_polls > 0 && !node.gets_nothing;
    });
  }

  static std::string Server(const ModelNode& node) {
    return "# Server\r\nredis_version:" + node.version + "\r\nrun_id:" + node.run_id + "\r\n";
  }

  std::string Replication(ModelNode* node, bool polled) {
    const std::string second = "master_replid2:" + node->replid2 +
                               "\r\nsecond_repl_offset:" + std::to_string(node->second_offset) +
                               "\r\n";
    if (!node->replica) {
      return "# Replication\r\nrole:master\r\nmaster_replid:" + node->replid +
             "\r\nmaster_repl_offset:" + std::to_string(node->offset) + "\r\n" + second +
             (node->waits_bgsave || GivesCopy()
                  ? "slave0:ip=10.0.0.2,port=7000,state=wait_bgsave,offset=0\r\n"
                  : "");
    }
    const ModelNode& master = nodes[master_index];
    std::string text = "# Replication\r\nrole:slave\r\nmaster_host:" + node->host +
                       "\r\nmaster_port:" + node->host_port +
                       "\r\nslave_read_only:" + (node->read_only ? "1" : "0") + "\r\n";
    if (!node->reaches) {
      return text + "master_link_status:down\r\nmaster_sync_in_progress:0\r\n" +
             "slave_repl_offset:0\r\nmaster_replid:" + node->replid + "\r\n";
    }
    if (polled && node->goes_round && node->sync_polls == 1) {
      node->sync_polls = start_sync_polls;
      ++nodes[master_index].full_syncs;
    }
    if (node->sync_polls > 0) {
      if (polled) --node->sync_polls;
      return text + "master_link_status:down\r\nmaster_sync_in_progress:1\r\n" +
             "master_sync_read_bytes:" + std::to_string(node->sync_read) +
             "\r\nmaster_sync_total_bytes:" + std::to_string(node->sync_total) +
             "\r\nslave_repl_offset:0\r\nmaster_replid:" + node->replid + "\r\n";
    }
    node->keys = master.keys;
    if (polled) node->lag = std::max<int64_t>(0, node->lag - node->catches_up);
    const int64_t offset = master.offset - node->lag;
    return text + "master_link_status:up\r\nmaster_sync_in_progress:0\r\nslave_repl_offset:" +
           std::to_string(offset) + "\r\nmaster_replid:" + master.replid +
           "\r\nmaster_repl_offset:" + std::to_string(offset) + "\r\n";
  }

 public:
  int64_t saved_keys = 0;  // of 200, by any node's snapshot
  int start_sync_polls = 3;
  int64_t start_lag = 0;
  uint32_t master_index = 0;  // whom a replica really copies from

 private:
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
