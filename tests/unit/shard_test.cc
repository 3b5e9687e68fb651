// A shard on fake transports: who is asked, when a client is answered, and what a fault leads to.

#include "backend/shard/shard.h"

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "tests/unit/fake_transport.h"

namespace gemel {
namespace {

class ShardTest : public ::testing::Test, public ShardEnv, public RequestSink {
 protected:
  struct Asked : Request {
    std::string told;
  };

  // A shard whose copies are all in sync, with run_ids r0, r1, ...
  void Make(uint32_t copies, Ack ack = Ack::kAll, ReadFrom from = ReadFrom::kPrimary) {
    ShardOptions options;
    options.name = "a";
    options.ack = ack;
    options.read_from = from;
    options.grace_ms = grace_ms_;
    Topology topology;
    topology.shards.emplace_back();
    ShardInfo& info = topology.shards[0];
    info.name = "a";
    for (uint32_t i = 0; i < copies; ++i) {
      LinkOptions node;
      node.name = "n" + std::to_string(i);
      options.nodes.push_back(node);
      info.copies.push_back({node.name, CopyState::kInSync, "r" + std::to_string(i), ""});
    }
    topology_ = std::make_shared<const Topology>(topology);
    queue_ = std::make_unique<EditQueue>(topology_);
    shard_ = std::make_unique<Shard>(options, info, &table_, &pool_, this);
    transports_.resize(copies);
    for (uint32_t i = 0; i < copies; ++i) shard_->link(i)->set_transport(&transports_[i]);
    shard_->Start();
  }
  void Up(uint32_t copy, const std::string& run_id, uint64_t keys = 5) {
    Link* link = shard_->link(copy);
    if (link->state() == Link::State::kDown) shard_->Tick(now_ms_, 0);
    ASSERT_EQ(link->state(), Link::State::kConnecting);
    gemel::MakeUp(link, &transports_[copy], HandshakeReplies(run_id, keys), now_ms_);
  }
  void MakeUp(uint32_t copies, Ack ack = Ack::kAll, ReadFrom from = ReadFrom::kPrimary) {
    Make(copies, ack, from);
    for (uint32_t i = 0; i < copies; ++i) Up(i, "r" + std::to_string(i));
    now_ms_ += 2000;  // it waits for nobody any more, as it does at the start
  }
  Asked* Ask(std::vector<std::string_view> args, uint32_t session = 1) {
    Asked* request = &asked_.emplace_back();
    request->sink = this;
    request->session = session;
    request->row = table_.Find(args);
    request->kind = request->row->IsWrite() ? RequestKind::kWrite : RequestKind::kRead;
    const std::string frame = Command(args);
    request->frame = frame;
    shard_->Submit(request);
    return request;
  }
  std::string Sent(uint32_t copy) { return transports_[copy].Sent(shard_->link(copy)); }
  void Reply(uint32_t copy, const std::string& bytes) {
    Answer(shard_->link(copy), bytes, now_ms_);
  }
  void Lose(uint32_t copy, bool refused = false) {
    shard_->link(copy)->OnClosed(refused ? "refused" : "reset", refused, now_ms_);
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
  void Propose(Edit edit, EditDone done) override { queue_->Add(std::move(edit), std::move(done)); }
  void Note(NoteLevel, const std::string& text) override { notes_ += text + "\n"; }
  void OnReply(Request* request, const gemel::Reply& reply) override {
    auto* asked = static_cast<Asked*>(request);
    EXPECT_EQ(asked->told, "");
    asked->told = reply.bytes;
  }

  CommandTable table_;
  ChunkPool pool_;
  uint64_t now_ms_ = 1000;
  std::shared_ptr<const Topology> topology_;
  std::unique_ptr<EditQueue> queue_;
  std::deque<FakeTransport> transports_;
  uint32_t grace_ms_ = 0;
  std::deque<Asked> asked_;
  std::string notes_;
  std::unique_ptr<Shard> shard_;
};

TEST_F(ShardTest, WritesToAllAndAnswersWhenAllHaveIt) {
  MakeUp(2);
  Asked* set = Ask({"SET", "k", "v"});
  EXPECT_EQ(Sent(0), Command({"SET", "k", "v"}));
  EXPECT_EQ(Sent(1), Command({"SET", "k", "v"}));
  Reply(1, "+OK\r\n");
  EXPECT_EQ(set->told, "");
  Reply(0, "+OK\r\n");
  EXPECT_EQ(set->told, "+OK\r\n");
}

TEST_F(ShardTest, AnswersEarlierIfToldTo) {
  MakeUp(2, Ack::kPrimary);
  Asked* one = Ask({"SET", "k", "v"});
  Reply(1, "+OK\r\n");
  EXPECT_EQ(one->told, "");
  Reply(0, "+OK\r\n");
  EXPECT_EQ(one->told, "+OK\r\n");
  MakeUp(2, Ack::kAny);
  Asked* two = Ask({"SET", "k", "v"});
  Reply(1, "+OK\r\n");
  EXPECT_EQ(two->told, "+OK\r\n");
  Reply(0, "+OK\r\n");
}

TEST_F(ShardTest, ReadsByPolicy) {
  MakeUp(3, Ack::kAll, ReadFrom::kPrimary);
  Ask({"GET", "k"});
  EXPECT_NE(Sent(0), "");
  MakeUp(3, Ack::kAll, ReadFrom::kReplica);
  Ask({"GET", "k"});
  Ask({"GET", "k"});
  EXPECT_EQ(Sent(0), "");
  EXPECT_EQ(Sent(1), Command({"GET", "k"}));  // the one with the fewest pending
  EXPECT_EQ(Sent(2), Command({"GET", "k"}));
  MakeUp(3, Ack::kAll, ReadFrom::kBalanced);
  for (int i = 0; i < 3; ++i) Ask({"GET", "k"});
  for (uint32_t i = 0; i < 3; ++i) EXPECT_EQ(Sent(i), Command({"GET", "k"}));
}

TEST_F(ShardTest, ReadsElsewhereIfTheFirstIsNotFit) {
  MakeUp(2);
  Asked* get = Ask({"GET", "k"});
  Reply(0, "-LOADING Redis is loading the dataset in memory\r\n");
  EXPECT_EQ(get->told, "");
  EXPECT_EQ(Sent(1), Command({"GET", "k"}));
  Reply(1, "-LOADING too\r\n");
  EXPECT_EQ(get->told, "-LOADING too\r\n");
  Asked* lost = Ask({"GET", "k"});
  Lose(0);
  EXPECT_EQ(Sent(1), Command({"GET", "k"}));
  Reply(1, "$1\r\nv\r\n");
  EXPECT_EQ(lost->told, "$1\r\nv\r\n");
}

TEST_F(ShardTest, MarksStaleBeforeItAnswers) {
  MakeUp(2);
  Asked* set = Ask({"SET", "k", "v"});
  Lose(1);
  Reply(0, "+OK\r\n");
  EXPECT_EQ(set->told, "");
  EXPECT_EQ(Durable().copies[1].state, CopyState::kInSync);
  RunEdits();
  EXPECT_EQ(Durable().copies[1].state, CopyState::kStale);
  EXPECT_EQ(set->told, "+OK\r\n");
  Asked* next = Ask({"SET", "k", "w"});
  Reply(0, "+OK\r\n");
  EXPECT_EQ(next->told, "+OK\r\n");
}

TEST_F(ShardTest, PromotesTheReplica) {
  MakeUp(2);
  Asked* set = Ask({"SET", "k", "v"});
  Lose(0);
  Asked* held = Ask({"SET", "k", "w"});
  Sent(1);
  Reply(1, "+OK\r\n");
  EXPECT_EQ(set->told, "");
  RunEdits();
  EXPECT_EQ(set->told, "+OK\r\n");
  EXPECT_EQ(Durable().primary, 1u);
  EXPECT_EQ(Durable().copies[0].state, CopyState::kStale);
  EXPECT_EQ(Sent(1), Command({"SET", "k", "w"}));
  Reply(1, "+OK\r\n");
  EXPECT_EQ(held->told, "+OK\r\n");
  EXPECT_EQ(shard_->stats().promotions, 1u);
}

TEST_F(ShardTest, ALostIdleConnectionIsNoReasonToLeave) {
  grace_ms_ = 40;
  MakeUp(2);
  Lose(1);
  Asked* set = Ask({"SET", "k", "v"});
  EXPECT_EQ(Sent(0), "");  // it waits
  Up(1, "r1");
  EXPECT_EQ(Sent(0), Command({"SET", "k", "v"}));
  EXPECT_EQ(Sent(1), Command({"SET", "k", "v"}));
  Reply(0, "+OK\r\n");
  Reply(1, "+OK\r\n");
  EXPECT_EQ(set->told, "+OK\r\n");
  EXPECT_TRUE(queue_->idle());
}

TEST_F(ShardTest, ARestartedNodeHasLostItsData) {
  MakeUp(2);
  Lose(0);
  Up(0, "another", 0);
  RunEdits();
  EXPECT_EQ(Durable().primary, 1u);
  Asked* get = Ask({"GET", "k"});
  EXPECT_EQ(Sent(0), "");
  EXPECT_EQ(Sent(1), Command({"GET", "k"}));
  Reply(1, "$-1\r\n");
  EXPECT_EQ(get->told, "$-1\r\n");
  // Once it is made equal it takes part again.
  EXPECT_EQ(shard_->CopyToResync(), 0);
  bool drained = false;
  shard_->Pause([&] { drained = true; });
  EXPECT_TRUE(drained);
  bool done = false;
  shard_->ProposeInSync(0, [&](bool ok) { done = ok; });
  RunEdits();
  shard_->Resume();
  EXPECT_TRUE(done);
  Asked* set = Ask({"SET", "k", "v"});
  Reply(0, "+OK\r\n");
  Reply(1, "+OK\r\n");
  EXPECT_EQ(set->told, "+OK\r\n");
}

TEST_F(ShardTest, WhatWasEmptyOnceIsNoEmptyTwin) {
  Make(2);
  Up(0, "r0", 0);
  Up(1, "r1", 0);
  Ask({"SET", "k", "v"});
  Reply(0, "+OK\r\n");
  Reply(1, "+OK\r\n");
  Lose(0);
  Up(0, "r0", 1);
  Lose(0);
  Up(0, "another", 0);
  RunEdits();
  EXPECT_EQ(Durable().primary, 1u);
  EXPECT_EQ(Durable().copies[0].state, CopyState::kStale);
}

TEST_F(ShardTest, EmptyCopiesAreEqual) {
  Make(2);
  Up(0, "r0");
  Up(1, "another", 0);
  RunEdits();
  EXPECT_EQ(Durable().copies[1].state, CopyState::kStale);  // the primary is not empty
  Make(2);
  Up(1, "another", 0);
  Up(0, "r0", 0);
  RunEdits();
  EXPECT_EQ(Durable().copies[1].state, CopyState::kInSync);
  EXPECT_EQ(Durable().copies[1].run_id, "another");
}

TEST_F(ShardTest, RepairsAKeyWhoseCopiesDiffer) {
  MakeUp(2);
  Asked* incr = Ask({"INCR", "k"});
  Sent(0);
  Sent(1);
  Reply(0, ":5\r\n");
  Reply(1, ":4\r\n");
  EXPECT_EQ(incr->told, "");  // the replica does not have it yet
  EXPECT_EQ(Sent(0), Command({"DUMP", "k"}) + Command({"PEXPIRETIME", "k"}));
  Asked* held = Ask({"GET", "k"}, 2);
  Asked* other = Ask({"GET", "other"}, 3);
  EXPECT_EQ(Sent(0), Command({"GET", "other"}));
  Reply(0, "$3\r\nabc\r\n:-1\r\n$-1\r\n");
  EXPECT_EQ(other->told, "$-1\r\n");
  EXPECT_EQ(Sent(1), Command({"RESTORE", "k", "0", "abc", "REPLACE"}));
  EXPECT_EQ(held->told, "");
  Reply(1, "+OK\r\n");
  EXPECT_EQ(incr->told, ":5\r\n");
  EXPECT_EQ(Sent(0), Command({"GET", "k"}));
  EXPECT_EQ(shard_->stats().repaired, 1u);
  EXPECT_TRUE(queue_->idle());
}

TEST_F(ShardTest, AKeyThatCannotBeRepairedCostsTheCopyItsPlace) {
  MakeUp(2);
  Asked* incr = Ask({"INCR", "k"});
  Reply(0, ":5\r\n");
  Reply(1, ":4\r\n");
  Reply(0, "$3\r\nabc\r\n:-1\r\n");
  Reply(1, "-OOM command not allowed\r\n");
  EXPECT_EQ(incr->told, "");
  RunEdits();
  EXPECT_EQ(incr->told, ":5\r\n");
  EXPECT_EQ(Durable().copies[1].state, CopyState::kStale);
}

TEST_F(ShardTest, SaysThatItIsDown) {
  MakeUp(1);
  Asked* lost = Ask({"SET", "k", "v"});
  Lose(0);
  EXPECT_EQ(
      lost->told,
      "-CLUSTERDOWN shard 'a': the connection to n0 was lost before it answered; the write may "
      "or may not have been applied\r\n");
  Asked* held = Ask({"GET", "k"});
  EXPECT_EQ(held->told, "");
  shard_->Tick(now_ms_, 0);
  Lose(0, true);
  EXPECT_EQ(held->told,
            "-CLUSTERDOWN shard 'a' is down: n0 (primary) cannot be reached: refused\r\n");
  EXPECT_EQ(Ask({"GET", "k"})->told, held->told);
}

TEST_F(ShardTest, SaysThatTheStateCannotBeSaved) {
  MakeUp(2);
  Asked* set = Ask({"SET", "k", "v"});
  Lose(1);
  Reply(0, "+OK\r\n");
  RunEdits(false);
  EXPECT_EQ(set->told, "");
  const std::string& told = Ask({"SET", "k", "w"})->told;
  EXPECT_TRUE(told.ends_with("; the state cannot be saved: the disk is full\r\n")) << told;
  shard_->Tick(now_ms_ += 1500, 0);
  RunEdits();
  EXPECT_EQ(set->told, "+OK\r\n");
}

TEST_F(ShardTest, WaitsWithABound) {
  MakeUp(2);
  Lose(1);
  Asked* held = Ask({"SET", "k", "v"});
  Asked* behind = Ask({"GET", "k"});  // of the same session: it may not overtake
  EXPECT_EQ(Ask({"GET", "k"}, 2)->told, "");
  EXPECT_EQ(Sent(0), Command({"GET", "k"}));
  shard_->Tick(now_ms_ += 5000, 0);
  EXPECT_TRUE(held->told.starts_with("-CLUSTERDOWN"));
  EXPECT_TRUE(behind->told.starts_with("-CLUSTERDOWN"));
}

TEST_F(ShardTest, AnswersAllWhenItStops) {
  MakeUp(2);
  Asked* half = Ask({"SET", "k", "v"});
  Asked* read = Ask({"GET", "k"});
  Reply(0, "+OK\r\n");
  shard_->Pause([] {});
  Asked* held = Ask({"SET", "k", "w"});
  shard_->Stop();
  for (Asked* request : {half, read, held}) {
    EXPECT_TRUE(request->told.starts_with("-CLUSTERDOWN")) << request->told;
  }
}

}  // namespace
}  // namespace gemel
