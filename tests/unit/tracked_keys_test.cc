// CLIENT TRACKING at the shard's owner: which clients are told of what, and when.

#include "backend/shard/tracked_keys.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "backend/command/block.h"
#include "backend/keys/key_name.h"
#include "backend/shard/tracking_totals.h"
#include "tests/unit/removals_world.h"

namespace gemel::tracked_keys_test {
namespace {

using Args = std::vector<std::string_view>;

// Sessions 1 to 9; those that track are of worker 0. Session 20 writes.
class TrackedKeysTest : public RemovalsWorld, public TrackingSink {
 protected:
  // All nodes tell of what they remove.
  void Start(uint32_t copies, Ack ack = Ack::kAll, ReadFrom from = ReadFrom::kPrimary) {
    Begin(copies, ack, from);
    for (uint32_t copy = 0; copy < copies; ++copy) {
      shard_->removals().feeds().SetNotifying(copy, 1);
      Follow(copy);
    }
    shard_->Tick(now_ms_ += 20, 0);
    AnswerPings();
  }
  void Track(uint32_t session, bool on = true, const std::vector<std::string>& prefixes = {},
             bool noloop = false, bool waits = false) {
    auto cargo = std::make_unique<TrackingCargo>();
    cargo->session = session;
    cargo->on = on;
    cargo->noloop = noloop;
    cargo->prefixes = prefixes;
    Asked* request = &asked_.emplace_back();
    request->sink = this;
    request->kind = RequestKind::kTracking;
    request->Extra().cargo = std::move(cargo);
    shard_->Submit(request);
    EXPECT_EQ(request->told, waits ? "" : "+OK\r\n");
  }
  // A tracked request, of a command or of a block.
  Asked* Send(const std::string& frame, const CommandRow* row, uint32_t session,
              TrackedAs becomes) {
    Asked* request = &asked_.emplace_back();
    request->sink = this;
    request->session = session;
    request->row = row;
    request->kind = RequestKind::kTracked;
    request->becomes = becomes;
    request->block = frame.starts_with(kMultiFrame);
    request->Extra().owned.Append(frame);
    request->frame = request->extra->owned.view();
    shard_->Submit(request);
    return request;
  }
  Asked* Get(const std::string& key, uint32_t session) {
    return Send(Command({"GET", key}), table_.FindByName("get"), session, TrackedAs::kRead);
  }
  // And answered by the primary.
  void Read(const std::string& key, uint32_t session) {
    Get(key, session);
    Drain();
    Reply(0, "$1\r\nv\r\n");
  }
  void Write(const Args& args, const std::string& reply, uint32_t session = 20) {
    Ask(args, session);
    Drain();
    for (uint32_t copy = 0; copy < shard_->copy_count(); ++copy) Reply(copy, reply);
  }
  void Drain() {
    for (uint32_t copy = 0; copy < shard_->copy_count(); ++copy) Sent(copy);
  }
  // What was told since it was asked last: "1:k" is key k to session 1, "1:*" all of them.
  std::string Told() { return std::exchange(told_, {}); }

  TrackingSink* tracking() override { return this; }
  TrackingTotals* tracking_totals() override { return &totals_; }
  void OnKeyChanged(uint32_t worker, uint32_t session, std::string_view key) override {
    EXPECT_EQ(worker, 0u);
    Add(std::to_string(session) + ":" + std::string(key));
  }
  void OnAllChanged(uint32_t, uint32_t session) override { Add(std::to_string(session) + ":*"); }
  void OnPrefixChanged(uint32_t, std::string_view prefix, std::string_view key, uint32_t writer,
                       TrackingAudience audience) override {
    const char* who[] = {"all", "others", "writer"};
    Add(std::string(prefix) + "*:" + std::string(key) + " by " + std::to_string(writer) + " to " +
        who[static_cast<size_t>(audience)]);
  }
  void Add(const std::string& text) { told_ += (told_.empty() ? "" : " ") + text; }

  TrackingTotals totals_;
  std::string told_;
};

TEST_F(TrackedKeysTest, AKeyThatWasReadIsToldOnce) {
  Start(2);
  Track(1);
  Track(2);
  Read("k", 1);
  Read("k", 2);
  Read("other", 2);
  EXPECT_EQ(totals_.keys, 2u);
  EXPECT_EQ(totals_.items, 3u);
  Write({"SET", "k", "w"}, "+OK\r\n");
  EXPECT_EQ(Told(), "1:k 2:k");
  Write({"SET", "k", "x"}, "+OK\r\n");
  EXPECT_EQ(Told(), "");
  EXPECT_EQ(totals_.keys, 1u);
  EXPECT_EQ(totals_.items, 1u);
  Track(2, /*on=*/false);
  Write({"SET", "other", "x"}, "+OK\r\n");
  EXPECT_EQ(Told(), "");
}

TEST_F(TrackedKeysTest, WhoDoesNotTrackIsNotRemembered) {
  Start(2);
  Read("k", 1);
  EXPECT_EQ(totals_.keys, 0u);
  Track(2);
  Ask({"GET", "k"}, 2);  // without the wish
  Drain();
  Reply(0, "$1\r\nv\r\n");
  EXPECT_EQ(totals_.keys, 0u);
}

TEST_F(TrackedKeysTest, WhatChangesNothingIsToldToNobody) {
  Start(2);
  Track(1);
  const std::vector<std::pair<Args, std::string>> nothing = {
      {{"DEL", "k"}, ":0\r\n"},
      {{"SADD", "k", "m"}, ":0\r\n"},
      {{"SET", "k", "v", "NX"}, "$-1\r\n"},
      {{"INCR", "k"}, "-ERR value is not an integer or out of range\r\n"},
      {{"SUNIONSTORE", "d", "k"}, ":1\r\n"},
      {{"COPY", "k", "d"}, ":1\r\n"},
      {{"SET", "j", "v"}, "+OK\r\n"},
  };
  Read("k", 1);
  for (const auto& [args, reply] : nothing) {
    Write(args, reply);
    EXPECT_EQ(Told(), "") << args[0];
  }
  Write({"DEL", "j", "k"}, ":1\r\n");
  EXPECT_EQ(Told(), "1:k");
}

// As soon as one copy has it, for a client may have read it there.
TEST_F(TrackedKeysTest, TheFirstAnswerCounts) {
  Start(2);
  Track(1);
  Read("k", 1);
  Ask({"SET", "k", "w"}, 20);
  Drain();
  EXPECT_EQ(Told(), "");
  Reply(1, "+OK\r\n");
  EXPECT_EQ(Told(), "1:k");
  Reply(0, "+OK\r\n");
  EXPECT_EQ(Told(), "");
}

// Who wrote it is told behind the answer.
TEST_F(TrackedKeysTest, ItsOwnWriteIsToldLast) {
  Start(2);
  Track(1);
  Track(2);
  Track(3, true, {}, /*noloop=*/true);
  Read("k", 1);
  Read("k", 2);
  Asked* write = Ask({"SET", "k", "w"}, 1);
  Drain();
  Reply(0, "+OK\r\n");
  EXPECT_EQ(Told(), "2:k");
  EXPECT_EQ(write->told, "");
  Reply(1, "+OK\r\n");
  EXPECT_EQ(write->told, "+OK\r\n");
  EXPECT_EQ(Told(), "1:k");
  Read("k", 3);
  Read("k", 1);
  Write({"SET", "k", "x"}, "+OK\r\n", 3);
  EXPECT_EQ(Told(), "1:k");
  Write({"SET", "k", "x"}, "+OK\r\n");
  EXPECT_EQ(Told(), "");
}

// A read that was sent before a write may bring what was before: its client is told behind it.
TEST_F(TrackedKeysTest, AReadThatAWriteOvertakesIsToldBehindIt) {
  Start(2, Ack::kAll, ReadFrom::kReplica);
  Track(1);
  Asked* read = Get("k", 1);
  Ask({"SET", "k", "w"}, 20);
  Drain();
  Reply(0, "+OK\r\n");
  EXPECT_EQ(Told(), "");
  EXPECT_EQ(read->told, "");
  Reply(1, "$3\r\nold\r\n");
  EXPECT_EQ(read->told, "$3\r\nold\r\n");
  EXPECT_EQ(Told(), "1:k");
  EXPECT_EQ(totals_.keys, 0u);
  Reply(1, "+OK\r\n");
  EXPECT_EQ(Told(), "");
}

// One behind it brings what was written, and is remembered.
TEST_F(TrackedKeysTest, AReadBehindAWriteIsNot) {
  Start(2, Ack::kAll, ReadFrom::kReplica);
  Track(1);
  Ask({"SET", "k", "w"}, 20);
  Get("k", 1);
  Drain();
  Reply(0, "+OK\r\n");
  Reply(1, "+OK\r\n");
  Reply(1, "$1\r\nw\r\n");
  EXPECT_EQ(Told(), "");
  EXPECT_EQ(totals_.keys, 1u);
  Write({"SET", "k", "x"}, "+OK\r\n");
  EXPECT_EQ(Told(), "1:k");
}

// With ack = "any" the answer comes before the others have it.
TEST_F(TrackedKeysTest, AnEarlyAnswerIsNoReason) {
  Start(2, Ack::kAny, ReadFrom::kReplica);
  Track(1);
  Asked* early = Get("k", 1);
  Asked* write = Ask({"SET", "k", "w"}, 20);
  Asked* late = Get("k", 1);
  Drain();
  Reply(0, "+OK\r\n");
  EXPECT_EQ(write->told, "+OK\r\n");
  Reply(1, "$3\r\nold\r\n");
  EXPECT_EQ(early->told, "$3\r\nold\r\n");
  EXPECT_EQ(Told(), "1:k");
  Reply(1, "+OK\r\n");
  Reply(1, "$1\r\nw\r\n");
  EXPECT_EQ(late->told, "$1\r\nw\r\n");
  EXPECT_EQ(Told(), "");
  EXPECT_EQ(totals_.keys, 1u);
}

TEST_F(TrackedKeysTest, WithinABlockEachCommandCounts) {
  Start(2);
  Track(1);
  Send(std::string(kMultiFrame) + Command({"GET", "a"}) + Command({"SET", "b", "1"}) +
           Command({"LLEN", "c"}) + std::string(kExecFrame),
       table_.FindByName("set"), 1, TrackedAs::kWrite);
  Drain();
  for (uint32_t copy = 0; copy < 2; ++copy) {
    Reply(copy, "+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*3\r\n$-1\r\n+OK\r\n:0\r\n");
  }
  EXPECT_EQ(Told(), "");
  EXPECT_EQ(totals_.keys, 2u);
  Asked* request = &asked_.emplace_back();
  request->sink = this;
  request->session = 20;
  request->row = table_.FindByName("del");
  request->kind = RequestKind::kWrite;
  request->block = true;
  const std::string frame = std::string(kMultiFrame) + Command({"DEL", "a"}) +
                            Command({"RPUSH", "c", "1"}) + std::string(kExecFrame);
  request->frame = frame;
  shard_->Submit(request);
  Drain();
  for (uint32_t copy = 0; copy < 2; ++copy) {
    Reply(copy, "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:0\r\n:1\r\n");
  }
  EXPECT_EQ(Told(), "1:c");
}

// It may have written before its error.
TEST_F(TrackedKeysTest, AScriptsErrorSaysNothing) {
  MakeUp(1);
  Track(1);
  Read("k", 1);
  Write({"EVAL", "x", "1", "k"}, "-ERR something\r\n");
  EXPECT_EQ(Told(), "1:k");
}

TEST_F(TrackedKeysTest, PrefixesAreToldOfEachWrite) {
  Start(2);
  Track(1, true, {"a", "b"});
  Track(2, true, {""});
  Write({"SET", "a1", "1"}, "+OK\r\n");
  EXPECT_EQ(Told(), "*:a1 by 20 to others a*:a1 by 20 to others");
  Write({"SET", "c", "1"}, "+OK\r\n", 1);
  EXPECT_EQ(Told(), "*:c by 1 to others *:c by 1 to writer");
  Read("a1", 1);
  EXPECT_EQ(totals_.keys, 0u);
  Track(2, false);
  Write({"SET", "c", "1"}, "+OK\r\n");
  EXPECT_EQ(Told(), "");
}

TEST_F(TrackedKeysTest, AFlushIsToldToAll) {
  Start(2);
  Track(1);
  Track(2, true, {"a"});
  Read("k", 1);
  for (const Args& args : {Args{"FLUSHALL"}, Args{"FLUSHDB"}, Args{"SWAPDB", "0", "1"}}) {
    Write(args, "+OK\r\n");
    const std::string told = Told();
    EXPECT_TRUE(told == "1:* 2:*" || told == "2:* 1:*") << told;
    EXPECT_EQ(totals_.keys, 0u);
  }
  Write({"SWAPDB", "1", "1"}, "+OK\r\n");
  EXPECT_EQ(Told(), "");
  Write({"FLUSHALL"}, "+OK\r\n", 1);
  EXPECT_EQ(Told(), "2:* 1:*") << "the one that wrote last";
}

// Keys are the same in all databases.
TEST_F(TrackedKeysTest, WhatANodeRemovesIsTold) {
  for (const std::string event : {"expired", "evicted"}) {
    Start(2);
    Track(1);
    Read("k", 1);
    Tell(1, {"k"}, event);
    EXPECT_EQ(Told(), "1:k") << event;
    Anew();
  }
  Start(2);
  Track(1);
  Read("k", 1);
  shard_->removals().OnRemoved(0, MakeKeyName(2, "k"), false);
  EXPECT_EQ(Told(), "1:k");
  Anew();
  // Of a read in flight, behind it.
  Start(2);
  Track(1);
  Asked* read = Get("k", 1);
  Drain();
  Tell(0, {"k"});
  EXPECT_EQ(Told(), "");
  Reply(0, "$1\r\nv\r\n");
  EXPECT_EQ(read->told, "$1\r\nv\r\n");
  EXPECT_EQ(Told(), "1:k");
}

// A shard of one node hears what that removes only for this.
TEST_F(TrackedKeysTest, ANodeAloneIsHeardWhileSomebodyTracks) {
  Make(1);
  feeds_.resize(1);
  shard_->feed_link(0)->set_transport(&feeds_[0]);
  Up(0, "r0");
  shard_->Tick(now_ms_ += 2000, 0);
  EXPECT_EQ(feeds_[0].connects, 0);
  Track(1, true, {}, false, /*waits=*/true);
  Asked* request = &asked_.back();
  shard_->Tick(now_ms_ += 20, 0);
  EXPECT_EQ(request->told, "") << "it waits for the node";
  shard_->removals().feeds().SetNotifying(0, 1);
  Follow(0);
  shard_->Tick(now_ms_ += 20, 0);
  EXPECT_EQ(request->told, "+OK\r\n");
  EXPECT_EQ(Told(), "");
  Read("k", 1);
  Tell(0, {"k"});
  EXPECT_EQ(Told(), "1:k");
  EXPECT_TRUE(shard_->removals().feeds().none()) << "there is nobody to be equal to";
}

// While a node does not tell what expires, what is read may be old before anybody knows.
TEST_F(TrackedKeysTest, WhereANodeIsNotHeardNothingIsKept) {
  Start(2);
  Track(1);
  Read("k", 1);
  EXPECT_EQ(totals_.keys, 1u);
  shard_->feed_link(1)->OnClosed("reset", false, now_ms_);
  EXPECT_EQ(Told(), "1:*");
  EXPECT_EQ(totals_.keys, 0u);
  Read("k", 1);
  EXPECT_EQ(Told(), "1:k");
  EXPECT_EQ(totals_.keys, 0u);
  // Of prefixes it is not known what was read.
  Track(2, true, {"a"}, false, /*waits=*/true);
  Pass(1000);
  Follow(1);
  EXPECT_EQ(Told(), "2:*");
  Read("k", 1);
  EXPECT_EQ(Told(), "");
  EXPECT_EQ(totals_.keys, 1u);
}

TEST_F(TrackedKeysTest, WhereDataWasLostAllIsTold) {
  Make(1);
  Up(0, "r0");
  shard_->Tick(now_ms_ += 2000, 0);
  Track(1);
  Read("k", 1);
  Lose(0);
  Up(0, "r1", 0);
  RunEdits();
  EXPECT_NE(Told().find("1:*"), std::string::npos);
  EXPECT_EQ(totals_.keys, 0u);
}

// Whoever is promoted has what was acknowledged, but what was only read may be otherwise.
TEST_F(TrackedKeysTest, AChangeOfRolesIsTold) {
  MakeUp(2);
  Track(1);
  Read("k", 1);
  Lose(0, /*refused=*/true);
  RunEdits();
  EXPECT_EQ(shard_->copies().primary(), 1u);
  EXPECT_NE(Told().find("1:*"), std::string::npos);
  EXPECT_EQ(totals_.keys, 0u);
}

// All that had it are gone: it is not known what came of it.
TEST_F(TrackedKeysTest, AnUnknownOutcomeIsToldToAll) {
  MakeUp(1);
  Track(1);
  Read("k", 1);
  Ask({"SET", "j", "w"}, 20);
  Drain();
  Lose(0);
  Pass(10'000, 100);
  EXPECT_NE(Told().find("1:*"), std::string::npos);
  EXPECT_EQ(totals_.keys, 0u);
}

TEST_F(TrackedKeysTest, MoreKeysThanTheLimitAreForgottenAndTold) {
  base_.tracking_table_max_keys = 3;
  Start(2);
  Track(1);
  Track(2);
  for (int i = 0; i < 3; ++i) Read("k" + std::to_string(i), 1);
  EXPECT_EQ(Told(), "");
  for (int i = 3; i < 20; ++i) {
    Read("k" + std::to_string(i), 2);
    const std::string told = Told();
    EXPECT_TRUE(told.starts_with("1:k") || told.starts_with("2:k")) << told;
    EXPECT_EQ(told.find(' '), std::string::npos);
    EXPECT_EQ(totals_.keys, 3u);
  }
  ShardOptions options = shard_->options();
  options.tracking_table_max_keys = 1;
  shard_->SetOptions(options);
  shard_->Tick(now_ms_ += 20, 0);
  EXPECT_EQ(totals_.keys, 1u);
  shard_.reset();
  EXPECT_EQ(totals_.keys, 0u);
  EXPECT_EQ(totals_.items, 0u);
}

// Clients that are gone do not fill the table.
TEST(TrackingTableTest, WhoIsGoneIsForgotten) {
  TrackingTotals totals;
  TrackingTable table(&totals);
  for (uint32_t session = 1; session <= 10'000; ++session) {
    table.Add("k", session, [session](uint32_t other) { return other + 10 > session; });
    table.Add("k", session, [](uint32_t) { return true; });
  }
  EXPECT_LE(totals.items, 200u);
  const std::vector<uint32_t> sessions = table.Take("k");
  EXPECT_EQ(sessions.back(), 10'000u);
  EXPECT_TRUE(std::is_sorted(sessions.begin(), sessions.end()));
  EXPECT_EQ(totals.items, 0u);
  EXPECT_EQ(totals.keys, 0u);
}

}  // namespace
}  // namespace gemel::tracked_keys_test
