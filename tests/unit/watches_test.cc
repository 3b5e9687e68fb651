// WATCH at the shard's owner: what touches a key, what does not, and when it is known.

#include "backend/shard/watches.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "backend/command/block.h"
#include "backend/keys/key_name.h"
#include "tests/unit/shard_world.h"

namespace gemel::watches_test {
namespace {

using Args = std::vector<std::string_view>;

class WatchesTest : public ShardWorld {
 protected:
  using Ticket = std::shared_ptr<WatchTicket>;

  Ticket Watch(const Args& keys, Ticket ticket = nullptr) {
    if (ticket == nullptr) ticket = std::make_shared<WatchTicket>();
    std::string frame(kMultiFrame);
    for (const std::string_view key : keys) frame += Command({"PTTL", key});
    Send(frame + std::string(kExecFrame), RequestKind::kWatch, "pttl", ticket, {});
    Drain();
    std::string reply = "+OK\r\n";
    for (size_t i = 0; i < keys.size(); ++i) reply += "+QUEUED\r\n";
    reply += "*" + std::to_string(keys.size()) + "\r\n";
    for (size_t i = 0; i < keys.size(); ++i) reply += ":-1\r\n";
    Reply(0, reply);
    return ticket;
  }
  // Its answer: a null if a key was touched.
  Asked* Exec(const Ticket& ticket, const std::vector<std::string>& existed = {}) {
    return Send(std::string(kMultiFrame) + Command({"SET", "own", "1"}) + std::string(kExecFrame),
                RequestKind::kWrite, "set", ticket, existed);
  }
  // The verdict of an EXEC that waits for nothing.
  bool Touched(const Ticket& ticket, const std::vector<std::string>& existed = {}) {
    Asked* exec = Exec(ticket, existed);
    const bool touched = exec->told == "_\r\n";
    for (uint32_t copy = 0; copy < 2; ++copy) {
      EXPECT_EQ(Sent(copy), touched ? "" : Frame(*exec));
      if (!touched) Reply(copy, "+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n");
    }
    return touched;
  }
  // Somebody's write, answered so by both.
  void Write(const Args& args, const std::string& reply) {
    Ask(args, 9);
    Drain();
    for (uint32_t copy = 0; copy < 2; ++copy) Reply(copy, reply);
  }
  void Drain() {
    for (uint32_t copy = 0; copy < shard_->copy_count(); ++copy) Sent(copy);
  }

 private:
  Asked* Send(const std::string& frame, RequestKind kind, std::string_view row,
              const Ticket& ticket, const std::vector<std::string>& existed) {
    Asked* request = &asked_.emplace_back();
    request->sink = this;
    request->session = 1;
    request->reply_log2 = 1;
    request->row = table_.FindByName(row);
    request->kind = kind;
    request->block = true;
    request->guarded = kind == RequestKind::kWrite;
    auto cargo = std::make_unique<WatchCargo>();
    cargo->ticket = ticket;
    cargo->existed = existed;
    request->Extra().cargo = std::move(cargo);
    request->Extra().owned.Append(frame);
    request->frame = request->extra->owned.view();
    frames_[request] = frame;
    shard_->Submit(request);
    return request;
  }
  std::string Frame(const Asked& request) { return frames_[&request]; }

  std::map<const Asked*, std::string> frames_;
};

TEST_F(WatchesTest, WhatChangesAKeyTouchesIt) {
  MakeUp(2);
  Ticket ticket = Watch({"k"});
  EXPECT_FALSE(Touched(ticket));
  ticket = Watch({"k"});
  Write({"SET", "k", "v"}, "+OK\r\n");
  EXPECT_TRUE(Touched(ticket));
  ticket = Watch({"k"});
  Write({"SET", "other", "v"}, "+OK\r\n");
  EXPECT_FALSE(Touched(ticket));
}

TEST_F(WatchesTest, WhatChangesNothingDoesNot) {
  MakeUp(2);
  const std::vector<std::pair<Args, std::string>> nothing = {
      {{"DEL", "k"}, ":0\r\n"},
      {{"SADD", "k", "m"}, ":0\r\n"},
      {{"SET", "k", "v", "NX"}, "$-1\r\n"},
      {{"SET", "k", "v", "XX"}, "_\r\n"},
      {{"LPOP", "k"}, "$-1\r\n"},
      {{"LPOP", "k", "2"}, "*-1\r\n"},
      {{"ZPOPMIN", "k"}, "*0\r\n"},
      {{"LINSERT", "k", "BEFORE", "a", "b"}, ":-1\r\n"},
      {{"INCR", "k"}, "-ERR value is not an integer or out of range\r\n"},
      {{"EXPIRE", "k", "100"}, ":0\r\n"},
      {{"SUNIONSTORE", "d", "k"}, ":1\r\n"},  // a source
      {{"COPY", "k", "d"}, ":1\r\n"},
      {{"SORT", "k", "STORE", "d"}, ":1\r\n"},
  };
  for (const auto& [args, reply] : nothing) {
    const Ticket ticket = Watch({"k"});
    Write(args, reply);
    EXPECT_FALSE(Touched(ticket)) << args[0];
  }
  const std::vector<std::pair<Args, std::string>> something = {
      {{"DEL", "k"}, ":1\r\n"},
      {{"SET", "k", "v", "GET"}, "$-1\r\n"},
      {{"SET", "k", "v", "XX"}, "+OK\r\n"},
      {{"LPOP", "k"}, "$1\r\na\r\n"},
      {{"HSET", "k", "f", "v"}, ":0\r\n"},
      {{"SUNIONSTORE", "k", "s"}, ":1\r\n"},
      {{"RENAME", "s", "k"}, "+OK\r\n"},
      {{"RENAME", "k", "d"}, "+OK\r\n"},
      {{"COPY", "s", "k"}, ":1\r\n"},
  };
  for (const auto& [args, reply] : something) {
    const Ticket ticket = Watch({"k"});
    Write(args, reply);
    EXPECT_TRUE(Touched(ticket)) << args[0];
  }
}

// What is not answered yet is waited for: it may have changed nothing.
TEST_F(WatchesTest, AnUndecidedWriteIsWaitedFor) {
  MakeUp(2);
  for (const std::string reply : {":0\r\n", ":1\r\n"}) {
    const Ticket ticket = Watch({"k"});
    Ask({"DEL", "k"}, 9);
    Drain();
    Asked* exec = Exec(ticket);
    EXPECT_EQ(Sent(0), "");
    EXPECT_EQ(exec->told, "");
    Reply(0, reply);
    Reply(1, reply);
    const bool touched = reply == ":1\r\n";
    EXPECT_EQ(Sent(0).empty(), touched);
    EXPECT_EQ(exec->told, touched ? "_\r\n" : "");
    Sent(1);
    if (touched) continue;
    Reply(0, "+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n");
    Reply(1, "+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n");
    EXPECT_EQ(exec->told, "*1\r\n+OK\r\n");
  }
}

// Of several sessions that watch one key, the first EXEC goes, and touches it for the others.
TEST_F(WatchesTest, TheFirstOfManyGoes) {
  MakeUp(2);
  const Ticket one = Watch({"own"});
  const Ticket two = Watch({"own"});
  Asked* first = Exec(one);
  EXPECT_NE(Sent(0), "");
  Sent(1);
  Asked* second = Exec(two);
  EXPECT_EQ(Sent(0), "");
  for (uint32_t copy = 0; copy < 2; ++copy) Reply(copy, "+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n");
  EXPECT_EQ(first->told, "*1\r\n+OK\r\n");
  EXPECT_EQ(second->told, "_\r\n");
}

TEST_F(WatchesTest, WithinABlockEachCommandCounts) {
  MakeUp(2);
  for (const bool removed : {false, true}) {
    const Ticket ticket = Watch({"k"});
    Asked* request = &asked_.emplace_back();
    request->sink = this;
    request->session = 9;
    request->row = table_.FindByName("del");
    request->kind = RequestKind::kWrite;
    request->block = true;
    const std::string frame = std::string(kMultiFrame) + Command({"SET", "a", "1"}) +
                              Command({"DEL", "k"}) + std::string(kExecFrame);
    request->frame = frame;
    shard_->Submit(request);
    Drain();
    for (uint32_t copy = 0; copy < 2; ++copy) {
      Reply(copy, std::string("+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n:") +
                      (removed ? "1" : "0") + "\r\n");
    }
    EXPECT_EQ(Touched(ticket), removed);
  }
}

TEST_F(WatchesTest, AFlushTouchesWhatWasThere) {
  MakeUp(2);
  Ticket ticket = Watch({"k", "none"});
  Write({"FLUSHALL"}, "+OK\r\n");
  EXPECT_TRUE(Touched(ticket, {"k"}));
  ticket = Watch({"none"});
  Write({"FLUSHDB"}, "+OK\r\n");
  EXPECT_FALSE(Touched(ticket));
  ticket = Watch({"k"});
  Write({"SWAPDB", "0", "3"}, "+OK\r\n");
  EXPECT_TRUE(Touched(ticket));
  ticket = Watch({"k"});
  Write({"SWAPDB", "2", "3"}, "+OK\r\n");
  EXPECT_FALSE(Touched(ticket, {"k"}));
}

TEST_F(WatchesTest, WhatIsEvictedIsTouched) {
  MakeUp(2);
  const Ticket expired = Watch({"k"});
  const Ticket evicted = Watch({"e"});
  shard_->removals().OnRemoved(1, "k", /*evicted=*/false);
  shard_->removals().OnRemoved(1, "e", /*evicted=*/true);
  EXPECT_EQ(Exec(evicted)->told, "_\r\n");
  EXPECT_EQ(Exec(expired)->told, "");  // sent: that is the session's to know
}

// Who does not ask any more costs nothing.
TEST_F(WatchesTest, WhatIsDroppedIsForgotten) {
  MakeUp(2);
  Ticket ticket = Watch({"k"});
  const std::weak_ptr<WatchTicket> held = ticket;
  ticket->dropped = true;
  ticket.reset();
  EXPECT_FALSE(held.expired());
  Pass(200);
  Drain();
  for (Asked& asked : asked_) asked.extra.reset();
  EXPECT_TRUE(held.expired());
}

// Its data is gone: nobody can say what was touched.
TEST_F(WatchesTest, ALostShardTouchesAll) {
  Make(1);
  Up(0, "r0");
  shard_->Tick(now_ms_ += 2000, 0);
  auto ticket = std::make_shared<WatchTicket>();
  Watch({"k"}, ticket);
  Lose(0);
  Up(0, "r1", 0);
  RunEdits();
  Asked* exec = Exec(ticket, {"k"});
  EXPECT_EQ(exec->told, "_\r\n");
}

}  // namespace
}  // namespace gemel::watches_test
