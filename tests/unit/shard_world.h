// A shard on fake transports, whose nodes and disk the test plays.

#ifndef GEMEL_TESTS_UNIT_SHARD_WORLD_H_
#define GEMEL_TESTS_UNIT_SHARD_WORLD_H_

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "backend/command/second_copy.h"
#include "backend/shard/shard.h"
#include "backend/topology/edit_queue.h"
#include "tests/module_command.h"
#include "tests/unit/fake_transport.h"

namespace gemel {

class ShardWorld : public ::testing::Test, public ShardEnv, public RequestSink {
 protected:
  ShardWorld() { base_.grace_ms = 0; }  // who loses a connection leaves at once

  struct Asked : Request {
    std::string told;
  };

  // A shard whose copies are all in sync, with run_ids r0, r1, ...
  void Make(uint32_t copies, Ack ack = Ack::kAll, ReadFrom from = ReadFrom::kPrimary) {
    ShardOptions options = base_;
    options.name = "a";
    options.ack = ack;
    options.read_from = from;
    Topology topology;
    topology.shards.emplace_back();
    topology.rings = rings_;
    ShardInfo& info = topology.shards[0];
    info.name = "a";
    info.swept = swept_;
    for (uint32_t i = 0; i < copies; ++i) {
      LinkOptions node;
      node.name = "n" + std::to_string(i);
      options.nodes.push_back(node);
      const bool counts = (!fresh_ && !killed_) || i == 0;
      info.copies.push_back({node.name, counts ? CopyState::kInSync : CopyState::kStale,
                             fresh_ ? "" : "r" + std::to_string(i),
                             counts ? "" : "its data is not known yet",
                             counts || fresh_ ? StaleCause::kOther : StaleCause::kNotClean});
    }
    topology_ = std::make_shared<const Topology>(topology);
    queue_ = std::make_unique<EditQueue>(topology_);
    shard_ = std::make_unique<Shard>(options, info, &table_, &pool_, this);
    transports_.resize(copies);
    for (uint32_t i = 0; i < copies; ++i) shard_->link(i)->set_transport(&transports_[i]);
    shard_->Start();
  }
  void Up(uint32_t copy, const std::string& run_id, uint64_t keys = 5,
          const std::string& fsync = "") {
    Link* link = shard_->link(copy);
    if (link->state() == Link::State::kDown) shard_->Tick(now_ms_, 0);
    ASSERT_EQ(link->state(), Link::State::kConnecting);
    gemel::MakeUp(link, &transports_[copy], HandshakeReplies(run_id, keys, false, fsync), now_ms_);
  }
  void MakeUp(uint32_t copies, Ack ack = Ack::kAll, ReadFrom from = ReadFrom::kPrimary) {
    Make(copies, ack, from);
    for (uint32_t i = 0; i < copies; ++i) Up(i, "r" + std::to_string(i));
    shard_->Tick(now_ms_ += 2000, 0);  // it waits for nobody any more, as it does at the start
  }
  Asked* Ask(std::vector<std::string_view> args, uint32_t session = 1) {
    Asked* request = &asked_.emplace_back();
    request->sink = this;
    request->session = session;
    request->reply_log2 = reply_log2_;
    request->row = table_.Find(args);
    const SecondCopy second = SecondCopyFor(*request->row, args);
    request->kind = second == SecondCopy::kNone ? RequestKind::kRead
                    : OneCopyFirst(second)      ? RequestKind::kFirstWrite
                                                : RequestKind::kWrite;
    const std::string frame = Command(args);
    request->frame = frame;
    shard_->Submit(request);
    return request;
  }
  // The shard's part of PROXY EXPLAIN.
  std::string Explain(bool write) {
    Asked* request = &asked_.emplace_back();
    request->sink = this;
    request->kind = RequestKind::kExplain;
    if (write) request->frame = kExplainWrite;
    shard_->Submit(request);
    return request->told;
  }
  std::string Sent(uint32_t copy) { return transports_[copy].Sent(shard_->link(copy)); }
  void Reply(uint32_t copy, const std::string& bytes) {
    Answer(shard_->link(copy), bytes, now_ms_);
  }
  // A repair asks how large a key is, which is not much, and then for the key.
  void ExpectRepair(uint32_t source, const std::string& key) {
    EXPECT_EQ(Sent(source), Command({"MEMORY", "USAGE", key}));
    Reply(source, ":100\r\n");
    EXPECT_EQ(Sent(source), Command({"DUMP", key}) + Command({"PEXPIRETIME", key}));
  }
  void Lose(uint32_t copy, bool refused = false) {
    shard_->link(copy)->OnClosed(refused ? "refused" : "reset", refused, now_ms_);
  }
  // Time passes, with a tick every so often.
  void Pass(uint64_t ms, uint64_t step_ms = 10) {
    for (const uint64_t end_ms = now_ms_ + ms; now_ms_ < end_ms;) {
      shard_->Tick(now_ms_ += step_ms, 0);
    }
  }
  // Carries out the edits that were proposed.
  void RunEdits(bool ok = true) {
    while (!queue_->idle()) {
      queue_->BeginWrite();
      std::vector<EditQueue::Finished> finished;
      queue_->EndWrite(ok, ok ? "" : "the disk is full", &finished);
      for (EditQueue::Finished& edit : finished) edit.done(edit.result);
    }
  }
  const ShardInfo& Durable() const { return queue_->current()->shards[0]; }

  uint64_t NowMs() override { return now_ms_; }
  int64_t UnixMs() override { return unix_ms_; }
  bool IsGone(uint32_t session) override { return session == gone_; }
  void Propose(Edit edit, EditDone done) override {
    edits_ += std::string(EditKindName(edit.kind)) + " " + edit.node + ": " + edit.reason + "\n";
    queue_->Add(std::move(edit), std::move(done));
  }
  void NotHere(Request* request) override {
    given_.push_back(request);
    given_frames_ += request->frame;
  }
  void Note(NoteLevel, const std::string& text) override { notes_ += text + "\n"; }
  void OnReply(Request* request, const gemel::Reply& reply) override {
    auto* asked = static_cast<Asked*>(request);
    EXPECT_EQ(asked->told, "");
    asked->told = reply.bytes;
  }

  ShardOptions base_;  // what Make begins with
  std::vector<RingSpec> rings_;
  uint64_t swept_ = 0;
  bool fresh_ = false;   // nothing is known of the nodes, and the first counts
  bool killed_ = false;  // the proxy was, before: the first is the primary, the others were in sync
  CommandTable table_{ModuleCommands()};
  ChunkPool pool_;
  uint64_t now_ms_ = 1000;
  int64_t unix_ms_ = 0;     // the wall clock
  uint8_t reply_log2_ = 0;  // what replies Ask expects
  uint32_t gone_ = ~0u;     // the session whose client is gone
  std::shared_ptr<const Topology> topology_;
  std::unique_ptr<EditQueue> queue_;
  std::deque<FakeTransport> transports_;
  std::deque<Asked> asked_;
  std::string notes_;
  std::string edits_;            // that were proposed
  std::vector<Request*> given_;  // back
  std::string given_frames_;
  std::unique_ptr<Shard> shard_;
};

}  // namespace gemel

#endif  // GEMEL_TESTS_UNIT_SHARD_WORLD_H_
