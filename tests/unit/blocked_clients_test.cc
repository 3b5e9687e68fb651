// Clients that wait for what a key will have: what the nodes are asked behind which write, and who
// gets what came of it.

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "backend/command/block.h"
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
  // There is nothing, which is known of who waits before it.
  Client ParkBehind(const std::string& key, uint32_t session) {
    const Client client = Wait({"BLPOP", key, "0"}, session);
    ExpectSent("");
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
  clients.push_back(Park("q", 10));
  for (uint32_t i = 1; i < 4; ++i) clients.push_back(ParkBehind("q", 10 + i));
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

// Of what a write has brought, nothing is left: that is known of a question behind it, not of one
// that was on its way before.
TEST_F(BlockedClientsTest, AQuestionFromBeforeDoesNotEndWhatAWriteBrings) {
  MakeUp(2);
  std::vector<Client> clients;
  clients.push_back(Park("q", 10));
  clients.push_back(ParkBehind("q", 11));
  clients.push_back(Wait({"BLPOP", "other", "q", "0"}, 12));
  Sent(0);
  Sent(1);
  AnswerAll("+OK\r\n+QUEUED\r\n*1\r\n_\r\n");
  clients.push_back(Wait({"BLPOP", "other", "q", "0"}, 13));
  clients.push_back(Wait({"BLPOP", "q", "0"}, 14));
  Sent(0);
  Sent(1);
  Ask({"RENAME", "from", "q"});  // of three elements, say
  ExpectSent(Command({"RENAME", "from", "q"}) + Command({"lpop", "q"}));
  AnswerAll("+OK\r\n+QUEUED\r\n*1\r\n_\r\n_\r\n");  // to the two who came last
  AnswerAll("+OK\r\n$1\r\na\r\n");
  EXPECT_EQ(clients[0].request->told, "*2\r\n$1\r\nq\r\n$1\r\na\r\n");
  ExpectSent(Command({"lpop", "q"}));
  AnswerAll("$1\r\nb\r\n");
  EXPECT_EQ(clients[1].request->told, "*2\r\n$1\r\nq\r\n$1\r\nb\r\n");
  ExpectSent(Command({"lpop", "q"}));
  AnswerAll("$1\r\nc\r\n");
  EXPECT_EQ(clients[2].request->told, "*2\r\n$1\r\nq\r\n$1\r\nc\r\n");
  ExpectSent(Command({"lpop", "q"}));
  AnswerAll("_\r\n");
  ExpectSent("");
}

// One transaction fills two lists, and all wait for both: as Redis serves them, first from the list
// that was filled first, each in its turn.
TEST_F(BlockedClientsTest, WhatOneWriteBringsUnderTwoKeysIsGivenInTheirOrder) {
  MakeUp(2);
  std::vector<Client> clients;
  for (uint32_t i = 0; i < 5; ++i) {
    clients.push_back(Wait({"BLPOP", "q", "r", "0"}, 10 + i));
    Sent(0);
    Sent(1);
    AnswerAll("+OK\r\n+QUEUED\r\n*1\r\n_\r\n");
  }
  const std::string fill = std::string(kMultiFrame) + Command({"RPUSH", "q", "a", "b"}) +
                           Command({"RPUSH", "r", "c"}) + std::string(kExecFrame);
  Asked block;
  block.sink = this;
  block.kind = RequestKind::kWrite;
  block.block = true;
  block.row = table_.FindByName("rpush");
  block.frame = fill;
  shard_->Submit(&block);
  const auto served = [&](size_t client, const std::string& key, const std::string& answer,
                          const std::string& reply) {
    ExpectSent(Command({"lpop", key}));
    AnswerAll(answer);
    EXPECT_EQ(clients[client].request->told, reply) << client;
  };
  ExpectSent(fill + Command({"lpop", "q"}));
  AnswerAll("+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:2\r\n:1\r\n$1\r\na\r\n");
  EXPECT_EQ(clients[0].request->told, "*2\r\n$1\r\nq\r\n$1\r\na\r\n");
  served(1, "q", "$1\r\nb\r\n", "*2\r\n$1\r\nq\r\n$1\r\nb\r\n");
  served(2, "q", "_\r\n", "");
  served(2, "r", "$1\r\nc\r\n", "*2\r\n$1\r\nr\r\n$1\r\nc\r\n");
  served(3, "r", "_\r\n", "");
  EXPECT_EQ(Sent(0), "");
  EXPECT_EQ(Waiting(), 2);
}

// What takes from one of several keys brings nothing to any.
TEST_F(BlockedClientsTest, AQuestionAboutTwoKeysWakesNobody) {
  MakeUp(2);
  const std::string question = Command({"lmpop", "2", "q", "r", "left"});
  std::vector<Client> clients;
  for (uint32_t i = 0; i < 2; ++i) {
    clients.push_back(Wait({"BLMPOP", "0", "2", "q", "r", "left"}, 10 + i));
    ExpectSent(question);
    AnswerAll("_\r\n");
  }
  EXPECT_EQ(Sent(0), "");
  Ask({"RPUSH", "r", "a"});
  ExpectSent(Command({"RPUSH", "r", "a"}) + question);
  const std::string taken = "*2\r\n$1\r\nr\r\n*1\r\n$1\r\na\r\n";
  AnswerAll(":1\r\n" + taken);
  EXPECT_EQ(clients[0].request->told, taken);
  EXPECT_EQ(clients[1].request->told, "");
  EXPECT_EQ(Sent(0), "");
}

// The element stays where it is if it cannot go where the first one wants it, and the next is asked
// for.
TEST_F(BlockedClientsTest, WhoCannotTakeItLeavesItToTheNext) {
  MakeUp(2);
  const auto wait = [this](std::string_view to, uint32_t session) {
    const Client client = Wait({"BRPOPLPUSH", "q", to, "0"}, session);
    ExpectSent(Command({"rpoplpush", "q", to}));
    AnswerAll("_\r\n");
    return client;
  };
  const Client first = wait("wrong", 10);
  const Client second = wait("right", 11);
  Ask({"LPUSH", "q", "a"});
  ExpectSent(Command({"LPUSH", "q", "a"}) + Command({"rpoplpush", "q", "wrong"}));
  AnswerAll(":1\r\n-WRONGTYPE no\r\n");
  EXPECT_EQ(Sent(0), Command({"MULTI"}) + Command({"TYPE", "q"}) + Command({"TYPE", "wrong"}) +
                         Command({"EXEC"}));
  Reply(0, "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+list\r\n+string\r\n");
  EXPECT_EQ(first.request->told,
            "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n");
  ExpectSent(Command({"rpoplpush", "q", "right"}));
  AnswerAll("$1\r\na\r\n");
  EXPECT_EQ(second.request->told, "$1\r\na\r\n");
  EXPECT_EQ(Waiting(), 0);
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
  const Client second = ParkBehind("q", 8);
  Ask({"LPUSHX", "q", "a"});  // brings nothing
  Ask({"RPUSH", "q", "b"});
  ExpectSent(Command({"LPUSHX", "q", "a"}) + Command({"lpop", "q"}) + Command({"RPUSH", "q", "b"}) +
             Command({"lpop", "q"}));
  AnswerAll(":0\r\n");
  AnswerAll("_\r\n");
  AnswerAll(":1\r\n");
  AnswerAll("$1\r\nb\r\n");
  ExpectSent("");
  EXPECT_EQ(first.request->told, "*2\r\n$1\r\nq\r\n$1\r\nb\r\n");
  EXPECT_EQ(second.request->told, "");
  EXPECT_EQ(Waiting(), 1);
}

// As long as all that is pushed is taken by those who wait, there is nothing for who comes.
TEST_F(BlockedClientsTest, WhoComesToAnEmptyKeyNeedNotAsk) {
  MakeUp(2);
  Park("q", 7);
  std::vector<Client> clients;
  for (uint32_t i = 0; i < 2; ++i) clients.push_back(ParkBehind("q", 8 + i));
  Ask({"RPUSH", "q", "a"});
  Ask({"RPUSH", "q", "b"});
  ExpectSent(Command({"RPUSH", "q", "a"}) + Command({"lpop", "q"}) + Command({"RPUSH", "q", "b"}) +
             Command({"lpop", "q"}));
  const Client late = ParkBehind("q", 20);
  AnswerAll(":1\r\n$1\r\na\r\n:1\r\n$1\r\nb\r\n");
  ExpectSent("");
  EXPECT_EQ(clients[0].request->told, "*2\r\n$1\r\nq\r\n$1\r\nb\r\n");
  EXPECT_EQ(Waiting(), 2);
  // More than they take: what is left is for who comes.
  Ask({"RPUSH", "q", "c", "d", "e"});
  ExpectSent(Command({"RPUSH", "q", "c", "d", "e"}) + Command({"lpop", "q"}) +
             Command({"lpop", "q"}));
  const Client last = Wait({"BLPOP", "q", "0"}, 30);
  ExpectSent(Command({"lpop", "q"}));
  AnswerAll(":3\r\n$1\r\nc\r\n$1\r\nd\r\n$1\r\ne\r\n");
  EXPECT_EQ(late.request->told, "*2\r\n$1\r\nq\r\n$1\r\nd\r\n");
  EXPECT_EQ(last.request->told, "*2\r\n$1\r\nq\r\n$1\r\ne\r\n");
}

// Whatever else may have made the key is a reason to ask.
TEST_F(BlockedClientsTest, WhoComesAsksWhereTheKeyMayBeThere) {
  MakeUp(2);
  Park("q", 7);
  Ask({"SET", "q", "v"});
  ExpectSent(Command({"SET", "q", "v"}) + Command({"lpop", "q"}));
  const Client during = Wait({"BLPOP", "q", "0"}, 8);
  ExpectSent(Command({"lpop", "q"}));
  AnswerAll("+OK\r\n-WRONGTYPE no\r\n-WRONGTYPE no\r\n");
  EXPECT_EQ(during.request->told, "-WRONGTYPE no\r\n");
  const Client after = Wait({"BLPOP", "q", "0"}, 9);
  ExpectSent(Command({"lpop", "q"}));
  AnswerAll("-WRONGTYPE no\r\n");
  EXPECT_EQ(after.request->told, "-WRONGTYPE no\r\n");
  EXPECT_EQ(Waiting(), 1);
  Ask({"DEL", "q"});
  ExpectSent(Command({"DEL", "q"}) + Command({"lpop", "q"}));
  AnswerAll(":1\r\n_\r\n");
  ParkBehind("q", 10);
  // What the arguments are is for the node to say; and a copy that comes may bring the key.
  Wait({"BLMPOP", "0", "1", "q", "LEFT", "COUNT", "0"}, 11);
  Sent(1);
  EXPECT_NE(Sent(0), "");
  AnswerAll("-ERR count should be greater than 0\r\n");
  shard_->blocked().Doubt();
  Park("q", 12);
}

// A write of one key may bring many elements; and who waits for another kind is not in the way.
TEST_F(BlockedClientsTest, AWholeValueServesAllWhoWaitForItsKind) {
  MakeUp(2);
  const auto wait = [this](std::string_view name, std::string_view at_once, uint32_t session) {
    const Client client = Wait({name, "q", "0"}, session);
    if (const std::string sent = Sent(0); !sent.empty()) {
      EXPECT_EQ(sent, Command({at_once, "q"}));
      Sent(1);
      AnswerAll("_\r\n");
    } else {
      ExpectSent("");
    }
    return client;
  };
  const Client first = wait("BZPOPMIN", "zpopmin", 6);
  std::vector<Client> lists;
  for (uint32_t i = 0; i < 3; ++i) lists.push_back(wait("BLPOP", "lpop", 7 + i));
  Ask({"RESTORE", "q", "0", "x"});
  ExpectSent(Command({"RESTORE", "q", "0", "x"}) + Command({"zpopmin", "q"}));
  AnswerAll("+OK\r\n-WRONGTYPE no\r\n");
  for (const Client& client : lists) {
    EXPECT_EQ(client.request->told, "");
    ExpectSent(Command({"lpop", "q"}));
    AnswerAll("$1\r\na\r\n");
    EXPECT_EQ(client.request->told, "*2\r\n$1\r\nq\r\n$1\r\na\r\n");
  }
  EXPECT_EQ(first.request->told, "");
  // A push is for who waits for lists.
  const Client list = wait("BLPOP", "lpop", 20);
  Ask({"RPUSH", "q", "b"});
  ExpectSent(Command({"RPUSH", "q", "b"}) + Command({"lpop", "q"}));
  AnswerAll(":1\r\n$1\r\nb\r\n");
  EXPECT_EQ(list.request->told, "*2\r\n$1\r\nq\r\n$1\r\nb\r\n");
  EXPECT_EQ(Waiting(), 1);
  // What is neither is asked for once of each.
  wait("BRPOP", "rpop", 30);
  Ask({"SET", "q", "v"});
  ExpectSent(Command({"SET", "q", "v"}) + Command({"zpopmin", "q"}));
  AnswerAll("+OK\r\n-WRONGTYPE no\r\n");
  ExpectSent(Command({"rpop", "q"}));
  AnswerAll("-WRONGTYPE no\r\n");
  ExpectSent("");
  EXPECT_EQ(Waiting(), 2);
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
  const Client by_hand = ParkBehind("q", 8);
  const Client by_error = ParkBehind("q", 9);
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
