// Resync against nodes of a model: a real shard, scripted links and control commands, and every
// place where something can go wrong.

#include "backend/resync/resync.h"

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

namespace gemel {
namespace {

using Words = std::vector<std::string>;

std::string Join(const Words& words) {
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
  std::string port = "7000";  // as CONFIG GET port says it
  // As a replica:
  bool replica = false;
  std::string host;
  std::string host_port;
  int sync_polls = 0;  // INFO replies until the copying is done
  int64_t lag = 0;
  int64_t catches_up = 1 << 30;  // bytes per INFO reply
};

// Takes multibulk commands off the front of `bytes`.
std::vector<Words> TakeCommands(std::string* bytes) {
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
  };

  explicit World(Options options) : options_(std::move(options)) {
    ShardMembers members{"a", {}};
    ShardOptions shard;
    shard.name = "a";
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
    resync = std::make_unique<Resync>(shard_.get(), this, this, options_.resync);
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
  bool InSync(uint32_t copy = 1) const { return (shard_->in_sync() & Bit(copy)) != 0; }

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
        asked.done(number == fail_at ? ControlReply{false, "no answer within 2000 ms", ""}
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

  std::vector<ModelNode> nodes;
  std::unique_ptr<Resync> resync;
  std::vector<std::string> log;  // control commands: "1 REPLICAOF 10.0.0.1 7000"
  std::vector<std::string> notes;
  std::vector<std::string> replies;                      // to writes
  std::vector<size_t> written = std::vector<size_t>(8);  // SETs that reached each node
  size_t fail_at = SIZE_MAX;
  std::function<void(size_t)> on_command;  // before the reply to the n-th command
  bool disk_fails = false;
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
    if (words[0] == "INFO") {
      std::string reply;
      AppendBulk(&reply, "# Server\r\nrun_id:" + node.run_id + "\r\n");
      return reply;
    }
    if (words[0] == "AUTH") return "+OK\r\n";
    if (words[0] != "SET") return "-ERR not in this model\r\n";
    ++written[copy];
    return node.odd ? ":1\r\n" : "+OK\r\n";
  }

  ControlReply Answer(uint32_t copy, const Words& args) {
    ModelNode& node = nodes[copy];
    if (!node.alive) return {false, "Connection refused", ""};
    const std::string command = Join(args);
    if (command == "DBSIZE") return {true, "", std::to_string(node.keys)};
    if (command == "ROLE") return {true, "", node.replica ? "slave\nx\n7000" : "master\n1000"};
    if (command == "CONFIG GET port") return {true, "", "port\n" + node.port};
    if (command == "REPLICAOF NO ONE") {
      node.replica = false;
      node.replid += "+";
    } else if (args[0] == "REPLICAOF") {
      if (!node.replica || node.host != args[1] || node.host_port != args[2]) {
        node.replica = true;
        node.host = args[1];
        node.host_port = args[2];
        node.lag = start_lag;
        node.sync_polls = start_sync_polls;
      }
    } else if (command == "INFO replication") {
      return {true, "", Replication(&node)};
    }
    return {true, "", "OK"};
  }

  std::string Replication(ModelNode* node) {
    if (!node->replica) {
      return "# Replication\r\nrole:master\r\nmaster_replid:" + node->replid +
             "\r\nmaster_repl_offset:" + std::to_string(node->offset) + "\r\n";
    }
    const ModelNode& master = nodes[master_index];
    std::string text = "# Replication\r\nrole:slave\r\nmaster_host:" + node->host +
                       "\r\nmaster_port:" + node->host_port + "\r\n";
    if (node->sync_polls > 0) {
      --node->sync_polls;
      return text +
             "master_link_status:down\r\nmaster_sync_in_progress:1\r\nmaster_sync_left_bytes:77"
             "\r\nslave_repl_offset:0\r\nmaster_replid:" +
             node->replid + "\r\n";
    }
    node->keys = master.keys;
    node->lag = std::max<int64_t>(0, node->lag - node->catches_up);
    const int64_t offset = master.offset - node->lag;
    return text + "master_link_status:up\r\nmaster_sync_in_progress:0\r\nslave_repl_offset:" +
           std::to_string(offset) + "\r\nmaster_replid:" + master.replid +
           "\r\nmaster_repl_offset:" + std::to_string(offset) + "\r\n";
  }

 public:
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

TEST(Resync, MakesAStaleCopyEqual) {
  World world({});
  world.Start();
  std::vector<std::string> shown;
  ASSERT_TRUE(world.RunUntil([&] {
    const std::string note = world.shard().resync_note(1);
    if (shown.empty() || shown.back() != note) shown.push_back(note);
    return world.InSync();
  }));
  world.log.erase(std::unique(world.log.begin(), world.log.end()), world.log.end());
  EXPECT_EQ(world.log,
            (Words{"1 REPLICAOF 10.0.0.1 7000", "1 INFO replication", "0 INFO replication",
                   "1 INFO replication", "1 REPLICAOF NO ONE", "1 ROLE"}));
  EXPECT_EQ(shown, (Words{"", "copying from 10.0.0.1:7000",
                          "copying from 10.0.0.1:7000, 77 bytes left", ""}));
  EXPECT_FALSE(world.shard().paused());
  EXPECT_FALSE(world.resync->active());
  EXPECT_EQ(world.shard().info().copies[1].run_id, "run1");
  EXPECT_EQ(world.shard().stats().resyncs, 1U);
  EXPECT_EQ(world.Noted("was resynced from"), 1U);
  world.Write();
  world.Settle();
  EXPECT_EQ(world.written[1], 1U);
}

TEST(Resync, NothingToDo) {
  World world({.copies = 1});
  world.Start();
  for (int i = 0; i < 100; ++i) world.Step();
  EXPECT_TRUE(world.log.empty());
}

TEST(Resync, PasswordIsGivenToTheCopyAndToNobodyElse) {
  World world({.user = "gemel", .password = "secret"});
  world.Start();
  world.fail_at = 0;
  ASSERT_TRUE(world.RunUntil([&] { return world.InSync(); }));
  EXPECT_EQ(world.log[0], "1 CONFIG SET masterauth secret");
  EXPECT_EQ(world.log[1], "1 CONFIG SET masterauth secret") << "the first one failed";
  EXPECT_EQ(world.log[2], "1 CONFIG SET masteruser gemel");
  EXPECT_EQ(world.Noted("CONFIG SET masterauth"), 1U);
  EXPECT_EQ(world.Noted("secret"), 0U);
}

TEST(Resync, PrimaryOnAUnixSocket) {
  World world({.primary = "unix:/tmp/a.sock"});
  world.nodes[0].port = "6400";
  world.Start();
  ASSERT_TRUE(world.RunUntil([&] { return world.InSync(); }));
  EXPECT_EQ(world.log[0], "0 CONFIG GET port");
  EXPECT_EQ(world.log[1], "1 REPLICAOF 127.0.0.1 6400");
}

TEST(Resync, PrimaryWithoutAPort) {
  World world({.primary = "unix:/tmp/a.sock"});
  world.nodes[0].port = "0";
  world.Start();
  EXPECT_FALSE(world.RunUntil([&] { return world.InSync(); }, 200));
  EXPECT_EQ(world.Noted("give it a port on 127.0.0.1"), 1U) << "logged once, not at each retry";
  EXPECT_EQ(world.Count("1 REPLICAOF 127.0.0.1 0"), 0U);
  EXPECT_NE(world.shard().resync_note(1).find("put off: "), std::string::npos);
}

TEST(Resync, EmptyPrimaryDoesNotWipeItsReplica) {
  World world({.adopted = true});
  world.nodes[0].keys = 0;
  world.nodes[1].keys = 1234;
  world.Start();
  EXPECT_FALSE(world.RunUntil([&] { return world.InSync(); }, 500));
  EXPECT_EQ(world.Noted("holds 1234 keys: perhaps they are swapped"), 1U);
  // Also once the primary got its first key through the proxy.
  world.nodes[0].keys = 1;
  EXPECT_FALSE(world.RunUntil([&] { return world.InSync(); }, 500));
  EXPECT_EQ(world.Noted("was empty at the first start"), 1U);
  EXPECT_EQ(world.Count("1 REPLICAOF 10.0.0.1 7000"), 0U);
  // FLUSHALL by hand.
  world.nodes[1].keys = 0;
  EXPECT_TRUE(world.RunUntil([&] { return world.InSync(); }));
}

TEST(Resync, AdoptedShardWithDataInThePrimary) {
  World world({.adopted = true});
  world.nodes[0].keys = 1;
  world.nodes[1].keys = 1234;
  world.Start();
  EXPECT_TRUE(world.RunUntil([&] { return world.InSync(); }));
  EXPECT_EQ(world.Noted("swapped"), 0U);
}

TEST(Resync, WhatItCopiedItselfIsNotTakenForSomebodysData) {
  World world({.adopted = true});
  world.nodes[0].keys = 0;
  world.nodes[1].keys = 0;
  world.nodes[1].alive = false;
  world.Start();
  world.Write();
  world.Settle();
  world.nodes[0].keys = 1;
  world.nodes[1].alive = true;
  world.start_lag = 100;
  world.nodes[1].catches_up = 0;  // so the first hand-over fails, and the copy holds keys
  ASSERT_TRUE(world.RunUntil([&] { return world.Noted("hand-over took longer") > 0; }));
  EXPECT_EQ(world.nodes[1].keys, 1);
  world.nodes[1].catches_up = 100;
  EXPECT_TRUE(world.RunUntil([&] { return world.InSync(); }));
}

TEST(Resync, EmptyPrimaryOfAKnownShardIsCopied) {
  // FLUSHALL through the proxy while the replica was away.
  World world({});
  world.nodes[0].keys = 0;
  world.nodes[1].keys = 1234;
  world.Start();
  EXPECT_TRUE(world.RunUntil([&] { return world.InSync(); }));
}

TEST(Resync, WritesAreHeldDuringTheHandOverAndThenReachBoth) {
  World world({});
  world.Start();
  bool wrote = false;
  world.on_command = [&](size_t) {
    if (wrote || !world.shard().paused()) return;
    wrote = true;
    world.Write();
    EXPECT_EQ(world.written[0], 0U);
  };
  ASSERT_TRUE(world.RunUntil([&] { return world.InSync() && !world.resync->active(); }));
  world.Settle();
  EXPECT_TRUE(wrote);
  EXPECT_EQ(world.written[0], 1U);
  EXPECT_EQ(world.written[1], 1U);
  EXPECT_EQ(world.replies, Words{"+OK\r\n"});
}

TEST(Resync, WaitsForWritesInFlight) {
  World world({});
  world.Start();
  world.nodes[0].answers_writes = false;
  world.Write();
  ASSERT_TRUE(world.RunUntil([&] { return world.shard().paused(); }));
  const size_t commands = world.log.size();
  world.Step();
  EXPECT_EQ(world.log.size(), commands) << "nothing is read before the writes are answered";
  world.nodes[0].answers_writes = true;
  EXPECT_TRUE(world.RunUntil([&] { return world.InSync(); }));
  EXPECT_EQ(world.replies, Words{"+OK\r\n"});
}

TEST(Resync, PausesOnlyOnceTheCopyIsNear) {
  World world({});
  world.start_lag = 10 << 20;
  world.nodes[1].catches_up = 1 << 20;
  world.Start();
  std::string last;
  ASSERT_TRUE(world.RunUntil([&] {
    last = world.shard().resync_note(1);
    return last.starts_with("catching up, ");
  }));
  EXPECT_FALSE(world.shard().paused());
  EXPECT_TRUE(world.RunUntil([&] { return world.InSync(); }));
  EXPECT_EQ(world.Noted("hand-over took longer"), 0U);
}

TEST(Resync, PauseHasAnEnd) {
  World world({});
  world.start_lag = 500;
  world.nodes[1].catches_up = 0;
  world.Start();
  ASSERT_TRUE(world.RunUntil([&] { return world.shard().paused(); }));
  world.Write();
  ASSERT_TRUE(world.RunUntil([&] { return !world.shard().paused(); }));
  world.Settle();
  EXPECT_EQ(world.replies, Words{"+OK\r\n"}) << "the primary goes on alone";
  EXPECT_FALSE(world.InSync());
  EXPECT_EQ(world.Noted("pause_ms"), 1U);
  world.nodes[1].catches_up = 1 << 20;
  EXPECT_TRUE(world.RunUntil([&] { return world.InSync(); }));
  // The copying itself was not begun anew.
  EXPECT_EQ(world.Count("1 REPLICAOF NO ONE"), 1U);
}

TEST(Resync, CopyThatNeverCatchesUpCostsFewPauses) {
  World world({.resync = {.pause_ms = 100, .timeout_s = 3600, .retry_ms = 1000}});
  world.start_lag = 100 << 20;
  world.nodes[1].catches_up = 0;
  world.Start();
  int paused = 0;
  for (int i = 0; i < 30000; ++i) {  // ten minutes
    world.Step();
    paused += world.shard().paused() ? 1 : 0;
  }
  EXPECT_GT(paused, 0);
  EXPECT_LT(paused, 300) << "less than 1 % of the time";
}

TEST(Resync, AnotherServerBehindTheAddress) {
  // REPLICAOF 127.0.0.1 on another machine.
  World world({.copies = 3});
  world.master_index = 2;
  world.Start();
  EXPECT_FALSE(world.RunUntil([&] { return world.InSync(1); }, 500));
  EXPECT_GE(world.Noted("led it to another server"), 1U);
  EXPECT_EQ(world.Count("1 REPLICAOF NO ONE"), 0U);
}

TEST(Resync, SomebodyElsesReplicaOf) {
  World world({});
  world.start_sync_polls = 1000;
  world.Start();
  ASSERT_TRUE(world.RunUntil([&] { return world.nodes[1].replica; }));
  world.nodes[1].host = "10.9.9.9";
  ASSERT_TRUE(
      world.RunUntil([&] { return world.Noted("made it a replica of 10.9.9.9:7000") > 0; }));
  world.start_sync_polls = 1;
  EXPECT_TRUE(world.RunUntil([&] { return world.InSync(); }));
}

TEST(Resync, CopyRestartsOnTheWay) {
  World world({});
  world.start_sync_polls = 1000;
  world.Start();
  ASSERT_TRUE(world.RunUntil([&] { return world.nodes[1].replica; }));
  world.Restart(1);
  world.start_sync_polls = 2;
  EXPECT_TRUE(world.RunUntil([&] { return world.InSync(); }));
  EXPECT_EQ(world.Count("1 REPLICAOF 10.0.0.1 7000"), 2U);
  EXPECT_EQ(world.shard().info().copies[1].run_id, "run1'");
}

TEST(Resync, CopyThatRestartsAtAnyMomentIsNeverTakenForInSync) {
  for (size_t at = 0; at < 20; ++at) {
    World world({});
    world.Start();
    bool restarted = false;
    world.on_command = [&](size_t number) {
      if (number != at) return;
      restarted = true;
      world.Restart(1);
    };
    ASSERT_TRUE(world.RunUntil([&] { return world.InSync(); })) << at;
    if (!restarted) break;
    EXPECT_EQ(world.Count("1 REPLICAOF 10.0.0.1 7000"), 2U) << at;
    EXPECT_EQ(world.shard().info().copies[1].run_id, "run1'") << at;
    EXPECT_EQ(world.nodes[1].keys, 1) << at;
  }
}

TEST(Resync, ConnectionLostByTheSameProcessIsNoMatter) {
  World world({});
  world.start_sync_polls = 20;
  world.Start();
  ASSERT_TRUE(world.RunUntil([&] { return world.nodes[1].replica; }));
  world.Lose(1);
  EXPECT_TRUE(world.RunUntil([&] { return world.InSync(); }));
  EXPECT_EQ(world.Count("1 REPLICAOF 10.0.0.1 7000"), 1U);
}

TEST(Resync, ProcessThatHidesItsRunIdIsKnownByItsConnection) {
  World world({});
  world.nodes[1].run_id = "";
  world.start_sync_polls = 20;
  world.Start();
  ASSERT_TRUE(world.RunUntil([&] { return world.nodes[1].replica; }));
  world.Lose(1);
  EXPECT_TRUE(world.RunUntil([&] { return world.InSync(); }));
  EXPECT_EQ(world.Count("1 REPLICAOF 10.0.0.1 7000"), 2U);
}

TEST(Resync, PrimaryAwayOnTheWay) {
  World world({});
  world.start_sync_polls = 1000;
  world.Start();
  ASSERT_TRUE(world.RunUntil([&] { return world.nodes[1].replica; }));
  world.nodes[0].alive = false;
  world.Lose(0);
  world.Step();
  EXPECT_FALSE(world.resync->active());
  EXPECT_FALSE(world.RunUntil([&] { return world.resync->active(); }, 200));
  world.nodes[0].alive = true;
  world.nodes[1].sync_polls = 1;
  EXPECT_TRUE(world.RunUntil([&] { return world.InSync(); }));
}

TEST(Resync, PrimaryChangesOnTheWay) {
  World world({.copies = 3});
  world.Start();
  ASSERT_TRUE(world.RunUntil([&] { return world.InSync(1) && world.InSync(2); }));
  world.start_sync_polls = 1000;
  world.Restart(2);  // is stale now, and copied from node 0
  ASSERT_TRUE(world.RunUntil([&] { return world.nodes[2].replica; }));
  world.nodes[0].alive = false;
  world.Lose(0, true);
  world.master_index = 1;
  world.start_sync_polls = 3;
  ASSERT_TRUE(world.RunUntil([&] { return world.InSync(2); }));
  EXPECT_EQ(world.shard().info().primary, 1U);
  EXPECT_EQ(world.Count("2 REPLICAOF 10.0.0.2 7000"), 1U);
}

TEST(Resync, CopyThatCannotBeMadeEqualDoesNotKeepOthersWaiting) {
  World world({.copies = 3});
  world.Start();
  world.nodes[1].alive = false;  // its connection stays open, but no command gets through
  EXPECT_TRUE(world.RunUntil([&] { return world.InSync(2); }));
  EXPECT_FALSE(world.InSync(1));
  world.nodes[1].alive = true;
  EXPECT_TRUE(world.RunUntil([&] { return world.InSync(1); }));
}

TEST(Resync, AnyCommandMayFail) {
  for (size_t at = 0;; ++at) {
    World world({.adopted = true, .user = "gemel", .password = "secret"});
    world.Start();
    world.fail_at = at;
    ASSERT_TRUE(world.RunUntil([&] { return world.InSync() && !world.resync->active(); })) << at;
    EXPECT_FALSE(world.shard().paused()) << at;
    if (world.log.size() <= at) break;
  }
}

TEST(Resync, MayBeDestroyedAtAnyMoment) {
  for (size_t at = 0;; ++at) {
    World world({});
    world.Start();
    bool destroyed = false;
    world.on_command = [&](size_t number) {
      if (number != at) return;
      destroyed = true;
      world.resync.reset();
    };
    world.RunUntil([&] { return world.InSync(); }, 100);
    EXPECT_FALSE(world.shard().paused()) << at;
    world.Write();
    world.Settle();
    EXPECT_EQ(world.replies.size(), 1U) << at;
    if (!destroyed) break;
  }
}

TEST(Resync, MayBeDestroyedWhileTheEditIsOnItsWay) {
  World world({});
  world.one_reply_a_step = true;
  world.Start();
  ASSERT_TRUE(world.RunUntil([&] { return world.Count("1 ROLE") == 1; }));
  world.Settle();  // ROLE is answered, and the edit proposed
  world.resync.reset();
  world.Write();
  world.one_reply_a_step = false;
  world.Settle();
  EXPECT_TRUE(world.InSync());
  EXPECT_EQ(world.written[0], 1U);
  EXPECT_EQ(world.written[1], 1U) << "held until the edit was in effect";
}

TEST(Resync, EditThatFails) {
  World world({});
  world.Start();
  world.disk_fails = true;
  ASSERT_TRUE(world.RunUntil([&] { return world.Noted("could not be marked in sync") > 0; }));
  EXPECT_FALSE(world.shard().paused());
  EXPECT_FALSE(world.InSync());
  world.disk_fails = false;
  EXPECT_TRUE(world.RunUntil([&] { return world.InSync(); }));
  EXPECT_EQ(world.Count("1 REPLICAOF 10.0.0.1 7000"), 2U);
}

TEST(Resync, EmptyCopyThatIsBeingCopiedIsNoEmptyTwin) {
  // The shard marks a copy in sync when both are empty, but what the copy's connection began with
  // says nothing any more once it was made a replica.
  World world({});
  world.nodes[0].keys = 1;
  world.nodes[1].keys = 0;
  world.start_sync_polls = 1000;
  world.Start();
  ASSERT_TRUE(world.RunUntil([&] { return world.nodes[1].replica; }));
  world.nodes[0].keys = 0;  // FLUSHALL
  world.Lose(0);
  for (int i = 0; i < 200; ++i) {
    world.Step();
    ASSERT_FALSE(world.InSync() && world.nodes[1].replica);
  }
  world.nodes[1].sync_polls = 0;
  EXPECT_TRUE(world.RunUntil([&] { return world.InSync(); }));
  EXPECT_FALSE(world.nodes[1].replica);
}

TEST(Resync, CopyWhoseConnectionBeganEmptyIsNoEmptyTwinOnceItWasWrittenTo) {
  World world({.adopted = true});
  world.nodes[0].keys = 0;
  world.nodes[1].keys = 0;
  world.Start();
  ASSERT_TRUE(world.RunUntil([&] { return world.InSync(); }));
  EXPECT_TRUE(world.log.empty()) << "both were empty";
  world.Write();
  world.Settle();
  world.nodes[0].keys = world.nodes[1].keys = 1;
  // It loses its place, and not its connection.
  world.nodes[1].odd = true;
  world.Write();
  ASSERT_TRUE(world.RunUntil([&] { return !world.InSync(); }));
  world.nodes[0].keys = 0;  // FLUSHALL
  world.Lose(0);
  ASSERT_TRUE(world.RunUntil([&] { return world.InSync(); }));
  EXPECT_EQ(world.Count("1 REPLICAOF NO ONE"), 1U);
  EXPECT_EQ(world.nodes[1].keys, 0);
}

TEST(Resync, WholeCopyThatTakesTooLongStartsAgain) {
  World world({.resync = {.pause_ms = 1000, .timeout_s = 10, .retry_ms = 100}});
  world.start_sync_polls = 1000000;
  world.Start();
  ASSERT_TRUE(world.RunUntil([&] { return world.Noted("timeout_s") > 0; }));
  EXPECT_EQ(world.Count("1 REPLICAOF NO ONE"), 1U);
  world.start_sync_polls = 1;
  EXPECT_TRUE(world.RunUntil([&] { return world.InSync(); }));
}

TEST(Resync, SilentCopyIsWaitedForAWhile) {
  World world({});
  world.start_sync_polls = 20;
  world.Start();
  ASSERT_TRUE(world.RunUntil([&] { return world.nodes[1].replica; }));
  // Emptying its old data: no command is answered, and the link notices nothing.
  world.nodes[1].alive = false;
  for (int i = 0; i < 500; ++i) world.Step();
  EXPECT_TRUE(world.resync->active());
  world.nodes[1].alive = true;
  EXPECT_TRUE(world.RunUntil([&] { return world.InSync(); }));
  EXPECT_EQ(world.Count("1 REPLICAOF 10.0.0.1 7000"), 1U);
}

}  // namespace
}  // namespace gemel
