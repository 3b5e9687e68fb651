// A session handed over from one process to the next: two worlds, between which only a
// HandedSession goes.

#include <gtest/gtest.h>

#include <string>

#include "tests/unit/session_fakes.h"

namespace gemel::session_test {
namespace {

class SessionHandOver : public ::testing::Test {
 protected:
  // What `client` was goes on in the other world.
  FakeClient& HandOver(FakeClient& client, const std::string& told = "+OK told\r\n") {
    EXPECT_TRUE(client.session.Settled());
    FakeClient& next = after_.Connect();
    taken_ = next.session.TakeOver(client.session.HandOver(), told);
    after_.Run();
    return next;
  }

  World before_{2, "[proxy]\ndatabases = 4\n"};
  World after_{2, "[proxy]\ndatabases = 4\n"};
  FakeClient& client_ = before_.Connect();
  bool taken_ = false;
};

TEST_F(SessionHandOver, WhatAClientHasSetStays) {
  EXPECT_NE(before_.Ask(client_, {"HELLO", "3", "SETNAME", "me"}), "");
  EXPECT_EQ(before_.Ask(client_, {"SELECT", "2"}), "+OK\r\n");
  EXPECT_EQ(before_.Ask(client_, {"CLIENT", "SETINFO", "LIB-NAME", "lib"}), "+OK\r\n");
  FakeClient& next = HandOver(client_);
  EXPECT_TRUE(taken_);
  EXPECT_EQ(next.Take(), "");
  EXPECT_EQ(after_.Ask(next, {"CLIENT", "GETNAME"}), Bulk("me"));
  EXPECT_TRUE(next.session.state().protocol.is_resp3());
  EXPECT_EQ(next.session.state().database.index(), 2);
  EXPECT_EQ(next.session.state().library.name(), "lib");
  EXPECT_EQ(next.session.facts().commands, client_.session.facts().commands + 1);
}

TEST_F(SessionHandOver, WhatIsOwedAndWhatIsUnreadGoAlong) {
  client_.takes = 0;
  EXPECT_EQ(before_.Ask(client_, {"PING"}), "");
  const std::string half = Command({"PING", "x"});
  client_.Send(half.substr(0, 9));
  FakeClient& next = HandOver(client_);
  EXPECT_EQ(next.Take(), "+PONG\r\n");
  next.Send(half.substr(9));
  after_.Run();
  EXPECT_EQ(next.Take(), Bulk("x"));
}

TEST_F(SessionHandOver, WhatIsHeldIsCarriedOutThere) {
  before_.workers[0]->context.pause.Hold();
  client_.Send(Command({"SET", "k0", "v"}) + Command({"GET", "k0"}));
  before_.Run();
  EXPECT_EQ(client_.Take(), "");
  FakeClient& next = HandOver(client_);
  EXPECT_EQ(next.Take(), "+OK\r\n" + Bulk("v"));
  for (const FakeNode& node : before_.nodes) EXPECT_TRUE(node.seen.empty());
}

TEST_F(SessionHandOver, WhatIsInFlightIsWaitedFor) {
  client_.Send(Command({"GET", "k0"}));
  EXPECT_FALSE(client_.session.Settled());
  before_.Run();
  EXPECT_TRUE(client_.session.Settled());
}

TEST_F(SessionHandOver, ATransactionIsQueuedAgainUnanswered) {
  const std::string key = before_.Key(0);
  before_.Ask(client_, {"MULTI"});
  before_.Ask(client_, {"SET", key, "1"});
  before_.Ask(client_, {"GET", key});
  FakeClient& next = HandOver(client_);
  EXPECT_EQ(next.Take(), "");
  EXPECT_EQ(after_.Ask(next, {"EXEC"}), "*2\r\n+OK\r\n" + Bulk("1"));
  EXPECT_EQ(after_.Ask(next, {"PING"}), "+PONG\r\n");
}

TEST_F(SessionHandOver, ATransactionThatIsToFailFails) {
  before_.Ask(client_, {"MULTI"});
  before_.Ask(client_, {"NO_SUCH_COMMAND"});
  FakeClient& next = HandOver(client_);
  EXPECT_EQ(next.Take(), "");
  EXPECT_EQ(after_.Ask(next, {"EXEC"}).substr(0, 10), "-EXECABORT");
}

// Handed over twice it is still what the client sent.
TEST_F(SessionHandOver, AScriptInATransactionIsHandedOverAsItWasSent) {
  const std::string key = before_.Key(0);
  before_.Ask(client_, {"MULTI"});
  EXPECT_EQ(before_.Ask(client_, {"EVAL", "return 1", "1", key}), "+QUEUED\r\n");
  const HandedSession handed = client_.session.HandOver();
  EXPECT_EQ(handed.transaction.frames, std::vector{Command({"EVAL", "return 1", "1", key})});
  FakeClient& next = HandOver(client_);
  EXPECT_EQ(next.session.HandOver().transaction.frames, handed.transaction.frames);
}

TEST_F(SessionHandOver, WhatIsWatchedCountsAsTouched) {
  const std::string key = before_.Key(0);
  HandedSession handed = client_.session.HandOver();
  handed.watched = {key};
  after_.workers[0]->context.now_ms = 5;
  handed.transaction = {true, false, {Command({"SET", key, "v"})}};
  FakeClient& next = after_.Connect();
  EXPECT_TRUE(next.session.TakeOver(handed, ""));
  EXPECT_EQ(after_.Ask(next, {"EXEC"}), "*-1\r\n");
  EXPECT_FALSE(next.session.state().watched.any());
  EXPECT_TRUE(after_.nodes[0].seen.empty());
}

TEST_F(SessionHandOver, WhatAClientHasSubscribedToItHasUnconfirmed) {
  HandedSession handed = client_.session.HandOver();
  for (int i = 0; i < 200; ++i) handed.subscriptions.push_back("0c" + std::to_string(i));
  handed.subscriptions.emplace_back("1p*");
  FakeClient& next = after_.Connect();
  EXPECT_TRUE(next.session.TakeOver(handed, ""));
  after_.Run();
  EXPECT_EQ(next.Take(), "");
  EXPECT_EQ(next.session.state().subscriptions.channels(), 200u);
  EXPECT_EQ(next.session.state().subscriptions.patterns(), 1u);
  EXPECT_EQ(next.session.HandOver().subscriptions.size(), 201u);
}

TEST_F(SessionHandOver, WhoIsSilentStaysSo) {
  client_.Send(Command({"CLIENT", "REPLY", "OFF"}));
  before_.Run();
  FakeClient& next = HandOver(client_);
  EXPECT_EQ(after_.Ask(next, {"PING"}), "");
  EXPECT_EQ(after_.Ask(next, {"CLIENT", "REPLY", "ON"}), "+OK\r\n");
}

TEST_F(SessionHandOver, ASkippedReplyIsTheNextOnesThoughATransactionIsBroughtBack) {
  before_.Ask(client_, {"MULTI"});
  HandedSession handed = client_.session.HandOver();
  handed.client.replies_skipped = 1;
  FakeClient& next = after_.Connect();
  EXPECT_TRUE(next.session.TakeOver(handed, ""));
  EXPECT_EQ(after_.Ask(next, {"GET", "k0"}), "");
  EXPECT_EQ(after_.Ask(next, {"GET", "k0"}), "+QUEUED\r\n");
  // Its subscriptions are told again, too.
  EXPECT_EQ(after_.Ask(next, {"DISCARD"}), "+OK\r\n");
}

TEST_F(SessionHandOver, WhoTracksIsToldToForget) {
  HandedSession handed = client_.session.HandOver();
  handed.client.protocol = 3;
  handed.tracking.on = true;
  FakeClient& next = after_.Connect();
  EXPECT_TRUE(next.session.TakeOver(handed, ""));
  after_.Run();
  EXPECT_EQ(next.Take(), ">2\r\n" + Bulk("invalidate") + "_\r\n");
  EXPECT_TRUE(next.session.state().tracking.on());
}

TEST_F(SessionHandOver, WhoAskedIsTold) {
  HandedSession handed = client_.session.HandOver();
  handed.asked = true;
  FakeClient& next = after_.Connect();
  EXPECT_TRUE(next.session.TakeOver(handed, "+OK told\r\n"));
  after_.Run();
  EXPECT_EQ(next.Take(), "+OK told\r\n");
}

TEST_F(SessionHandOver, WhoseUserIsGoneIsNotTaken) {
  HandedSession handed = client_.session.HandOver();
  handed.client.user = "nobody";
  EXPECT_FALSE(after_.Connect().session.TakeOver(handed, ""));
}

TEST_F(SessionHandOver, WhoIsToBeClosedIsClosedWhenItIsPaid) {
  client_.takes = 0;
  client_.Send(Command({"QUIT"}));
  before_.Run();
  FakeClient& next = HandOver(client_);
  EXPECT_EQ(next.Take(), "+OK\r\n");
  EXPECT_TRUE(next.closed);
}

TEST_F(SessionHandOver, WhatIsTakenBackGoesOnHere) {
  before_.workers[0]->context.pause.Hold();
  client_.session.BeginHandOver();
  client_.Send(Command({"SET", "k0", "v"}));
  before_.Run();
  client_.session.HandOver();
  before_.workers[0]->context.pause.LetGo();
  client_.session.EndHandOver();
  before_.Run();
  EXPECT_EQ(client_.Take(), "+OK\r\n");
}

}  // namespace
}  // namespace gemel::session_test
