// Clients that wait for what a key will have: what the nodes are asked behind which write, and who
// gets what came of it.

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/unit/shard_world.h"

namespace gemel::blocked_clients_test {
namespace {

class BlockedClientsTest : public ShardWorld {
 protected:
  struct Client {
    Asked* request;
    std::shared_ptr<BlockTicket> ticket;
  };
  Client Wait(std::vector<std::string_view> args, uint32_t session, uint64_t timeout_ms = 0) {
    Asked* request = &asked_.emplace_back();
    auto cargo = std::make_unique<BlockingCargo>();
    cargo->ticket = std::make_shared<BlockTicket>();
    cargo->timeout_ms = timeout_ms;
    Client client{request, cargo->ticket};
    request->sink = this;
    request->session = session;
    request->kind = RequestKind::kBlocking;
    request->row = table_.Find(args);
    const std::string frame = Command(args);
    request->frame = frame;
    request->OwnFrame();
    request->extra->cargo = std::move(cargo);
    shard_->Submit(request);
    return client;
  }
  // There is nothing yet.
  Client Park(const std::string& key, uint32_t session, uint64_t timeout_ms = 0) {
    const Client client = Wait({"BLPOP", key, "0"}, session, timeout_ms);
    ExpectSent(Command({"lpop", key}));
    AnswerAll("_\r\n");
    EXPECT_EQ(client.request->told, "");
    return client;
  }
  void End(const Client& client, UnblockCargo::Why why) {
    Asked* request = &asked_.emplace_back();
    auto cargo = std::make_unique<UnblockCargo>();
    cargo->ticket = client.ticket;
    cargo->why = why;
    request->sink = this;
    request->kind = RequestKind::kUnblock;
    request->frame = {};
    request->Extra().cargo = std::move(cargo);
    shard_->Submit(request);
    EXPECT_EQ(request->told, "+OK\r\n");
  }
  void ExpectSent(const std::string& bytes) {
    EXPECT_EQ(Sent(0), bytes);
    EXPECT_EQ(Sent(1), bytes);
  }
  void AnswerAll(const std::string& bytes) {
    Reply(0, bytes);
    Reply(1, bytes);
  }
  int64_t Waiting() const { return static_cast<int64_t>(shard_->figures().Get("blocked_clients")); }
};

TEST_F(BlockedClientsTest, APushAndWhatItIsForGoTogether) {
  MakeUp(2);
  const Client client = Park("q", 7);
  EXPECT_EQ(Waiting(), 1);
  EXPECT_FALSE(shard_->Idle());
  Asked* push = Ask({"RPUSH", "q", "a"});
  ExpectSent(Command({"RPUSH", "q", "a"}) + Command({"lpop", "q"}));
  AnswerAll(":1\r\n$1\r\na\r\n");
  EXPECT_EQ(push->told, ":1\r\n");
  EXPECT_EQ(client.request->told, "*2\r\n$1\r\nq\r\n$1\r\na\r\n");
  EXPECT_EQ(Waiting(), 0);
  EXPECT_TRUE(shard_->Idle());
}

TEST_F(BlockedClientsTest, AsManyAreAskedForAsMayBeServedAndInTheirOrder) {
  MakeUp(2);
  std::vector<Client> clients;
  for (uint32_t i = 0; i < 4; ++i) clients.push_back(Park("q", 10 + i));
  Ask({"RPUSH", "q", "a", "b"});
  ExpectSent(Command({"RPUSH", "q", "a", "b"}) + Command({"lpop", "q"}) + Command({"lpop", "q"}));
  AnswerAll(":2\r\n$1\r\na\r\n$1\r\nb\r\n");
  EXPECT_EQ(clients[0].request->told, "*2\r\n$1\r\nq\r\n$1\r\na\r\n");
  EXPECT_EQ(clients[1].request->told, "*2\r\n$1\r\nq\r\n$1\r\nb\r\n");
  EXPECT_EQ(clients[2].request->told, "");
  // Of what has several keys it is not known: one after the other, until there is nothing.
  Ask({"RENAME", "from", "q"});
  ExpectSent(Command({"RENAME", "from", "q"}) + Command({"lpop", "q"}));
  AnswerAll("+OK\r\n$1\r\nc\r\n");
  EXPECT_EQ(clients[2].request->told, "*2\r\n$1\r\nq\r\n$1\r\nc\r\n");
  ExpectSent(Command({"lpop", "q"}));
  AnswerAll("_\r\n");
  EXPECT_EQ(clients[3].request->told, "");
  EXPECT_EQ(Waiting(), 1);
}

// A write on the way of the first question.
TEST_F(BlockedClientsTest, WhatComesMeanwhileIsAskedForAgain) {
  MakeUp(2);
  const Client client = Wait({"BLPOP", "q", "r", "0"}, 7);
  const std::string first =
      Command({"MULTI"}) + Command({"BLPOP", "q", "r", "0"}) + Command({"EXEC"});
  ExpectSent(first);
  Ask({"RPUSH", "r", "a"});
  ExpectSent(Command({"RPUSH", "r", "a"}));
  // By the keys in the order in which they were written, as Redis does.
  Ask({"RPUSH", "q", "b"});
  ExpectSent(Command({"RPUSH", "q", "b"}));
  AnswerAll("+OK\r\n+QUEUED\r\n*1\r\n_\r\n:1\r\n:1\r\n");
  ExpectSent(Command({"lpop", "r"}));
  AnswerAll("$1\r\na\r\n");
  EXPECT_EQ(client.request->told, "*2\r\n$1\r\nr\r\n$1\r\na\r\n");
  EXPECT_EQ(Waiting(), 0);
}

// What was written first is gone again; the other key is asked for, too.
TEST_F(BlockedClientsTest, AllThatCameMeanwhileIsAskedFor) {
  MakeUp(2);
  const Client client = Wait({"BLPOP", "q", "r", "0"}, 7);
  ExpectSent(Command({"MULTI"}) + Command({"BLPOP", "q", "r", "0"}) + Command({"EXEC"}));
  Ask({"RPUSH", "r", "a"});
  Ask({"RPUSH", "q", "b"});
  ExpectSent(Command({"RPUSH", "r", "a"}) + Command({"RPUSH", "q", "b"}));
  AnswerAll("+OK\r\n+QUEUED\r\n*1\r\n_\r\n:1\r\n:1\r\n");
  ExpectSent(Command({"lpop", "r"}));
  AnswerAll("_\r\n");
  ExpectSent(Command({"lpop", "q"}));
  AnswerAll("$1\r\nb\r\n");
  EXPECT_EQ(client.request->told, "*2\r\n$1\r\nq\r\n$1\r\nb\r\n");
}

TEST_F(BlockedClientsTest, WhoHasWaitedLongerGetsWhatAnotherWasAskedFor) {
  MakeUp(2);
  const Client first = Park("q", 7);
  const Client second = Park("q", 8);
  Ask({"LPUSHX", "q", "a"});  // brings nothing
  Ask({"RPUSH", "q", "b"});
  ExpectSent(Command({"LPUSHX", "q", "a"}) + Command({"lpop", "q"}) + Command({"RPUSH", "q", "b"}) +
             Command({"lpop", "q"}));
  AnswerAll(":0\r\n");
  AnswerAll("_\r\n");
  // It was written on the way, so that it is asked for again.
  ExpectSent(Command({"lpop", "q"}));
  AnswerAll(":1\r\n");
  AnswerAll("$1\r\nb\r\n");
  AnswerAll("_\r\n");
  EXPECT_EQ(first.request->told, "*2\r\n$1\r\nq\r\n$1\r\nb\r\n");
  EXPECT_EQ(second.request->told, "");
  EXPECT_EQ(Waiting(), 1);
}

TEST_F(BlockedClientsTest, WhatWasTakenForWhoIsGoneIsPutBack) {
  MakeUp(2);
  const Client client = Park("q", 7);
  Ask({"RPUSH", "q", "a", "b"});
  ExpectSent(Command({"RPUSH", "q", "a", "b"}) + Command({"lpop", "q"}));
  End(client, UnblockCargo::Why::kGone);
  AnswerAll(":2\r\n$1\r\na\r\n");
  ExpectSent(Command({"lpush", "q", "a"}));
  AnswerAll(":2\r\n");
  EXPECT_EQ(Waiting(), 0);
  EXPECT_EQ(shard_->figures().Get("put_back"), 1u);
  EXPECT_TRUE(shard_->Idle());
  // Nobody is asked for who was gone before.
  const Client gone = Park("q", 8);
  End(gone, UnblockCargo::Why::kGone);
  EXPECT_NE(gone.request->told, "");
  Ask({"RPUSH", "q", "c"});
  ExpectSent(Command({"RPUSH", "q", "c"}));
}

TEST_F(BlockedClientsTest, TheEndsOfWaiting) {
  MakeUp(2);
  const Client by_time = Park("q", 7, 100);
  const Client by_hand = Park("q", 8);
  const Client by_error = Park("q", 9);
  Pass(90);
  EXPECT_EQ(by_time.request->told, "");
  Pass(20);
  EXPECT_EQ(by_time.request->told, "_\r\n");
  End(by_hand, UnblockCargo::Why::kTimeout);
  EXPECT_EQ(by_hand.request->told, "_\r\n");
  End(by_error, UnblockCargo::Why::kError);
  EXPECT_EQ(by_error.request->told, "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n");
  const Client moved = Park("q", 10);
  const Client stays = Park("r", 11);
  shard_->blocked().OnMoved([](std::string_view key) { return key == "q"; });
  EXPECT_TRUE(moved.request->told.starts_with("-UNBLOCKED ")) << moved.request->told;
  EXPECT_EQ(stays.request->told, "");
  shard_->Stop();
  EXPECT_TRUE(stays.request->told.starts_with("-UNBLOCKED ")) << stays.request->told;
  EXPECT_EQ(Waiting(), 0);
}

TEST_F(BlockedClientsTest, WhoeverWaitsForWhatAMoveBrings) {
  MakeUp(2);
  const Client mover = Wait({"BLMOVE", "q", "r", "LEFT", "RIGHT", "0"}, 7);
  ExpectSent(Command({"lmove", "q", "r", "LEFT", "RIGHT"}));
  AnswerAll("_\r\n");
  const Client other = Park("r", 8);
  Ask({"RPUSH", "q", "a"});
  ExpectSent(Command({"RPUSH", "q", "a"}) + Command({"lmove", "q", "r", "LEFT", "RIGHT"}) +
             Command({"lpop", "r"}));
  AnswerAll(":1\r\n$1\r\na\r\n$1\r\na\r\n");
  EXPECT_EQ(mover.request->told, "$1\r\na\r\n");
  EXPECT_EQ(other.request->told, "*2\r\n$1\r\nr\r\n$1\r\na\r\n");
  // Who moves to a key does not wait for what that will have.
  const Client again = Wait({"BLMOVE", "q", "r", "LEFT", "RIGHT", "0"}, 9);
  ExpectSent(Command({"lmove", "q", "r", "LEFT", "RIGHT"}));
  AnswerAll("_\r\n");
  Ask({"RPUSH", "r", "b"});
  ExpectSent(Command({"RPUSH", "r", "b"}));
  EXPECT_EQ(again.request->told, "");
}

}  // namespace
}  // namespace gemel::blocked_clients_test
