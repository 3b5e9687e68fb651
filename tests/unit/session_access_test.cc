// Passwords that wait, clients that are turned away and cut off: sessions under a clock of the
// test.

#include <gtest/gtest.h>

#include "tests/unit/session_fakes.h"

namespace gemel::session_access_test {
namespace {

using session_test::Args;
using session_test::Bulk;
using session_test::FakeClient;
using session_test::World;

constexpr char kOk[] = "+OK\r\n";
constexpr char kWrong[] = "-WRONGPASS invalid username-password pair or user is disabled.\r\n";

class SessionAccess : public testing::Test {
 protected:
  SessionAccess() { context().access = &guard_; }
  SessionContext& context() { return world_.workers[0]->context; }
  WorkerStats& stats() { return world_.workers[0]->stats; }
  void Wait(uint64_t ms) {
    context().now_ms += ms;
    world_.Run();
  }

  World world_{2, "[proxy]\npassword = \"secret\""};
  AccessGuard guard_{nullptr};
};

TEST_F(SessionAccess, AGuessWaitsInItsTurn) {
  FakeClient& client = world_.Connect();
  EXPECT_EQ(world_.Ask(client, {"AUTH", "wrong"}), kWrong);
  // What comes with the next stays behind it, and is executed once.
  client.Send(Command({"AUTH", "wrong"}) + Command({"AUTH", "secret"}) +
              Command({"SET", "k", "v"}) + Command({"APPEND", "k", "w"}) + Command({"GET", "k"}));
  world_.Run();
  EXPECT_EQ(client.Take(), "");
  EXPECT_FALSE(client.reading);
  EXPECT_EQ(stats().denied_auth.Get(), 1u);
  EXPECT_EQ(stats().commands.Get(), 1u);
  Wait(AccessGuard::kFirstWaitMs - 1);
  EXPECT_EQ(client.Take(), "");
  Wait(1);
  EXPECT_EQ(client.Take(), kWrong);
  EXPECT_EQ(stats().denied_auth.Get(), 2u);
  Wait(2 * AccessGuard::kFirstWaitMs - 1);
  EXPECT_EQ(client.Take(), "");
  Wait(1);
  EXPECT_EQ(client.Take(), std::string(kOk) + kOk + ":2\r\n" + Bulk("vw"));
  EXPECT_EQ(stats().commands.Get(), 6u);
  EXPECT_TRUE(client.reading);
  // The right one has made good for it.
  EXPECT_EQ(world_.Ask(client, {"AUTH", "secret"}), kOk);
}

TEST_F(SessionAccess, NoPasswordStaysInTheBuffer) {
  FakeClient& client = world_.Connect();
  for (const Args& args :
       {Args{"AUTH", "secret"}, {"HELLO", "2", "AUTH", "default", "secret"}, {"AUTH", "wrong"}}) {
    std::string bytes = Command(args);
    client.session.OnData(bytes.data(), bytes.size());
    EXPECT_EQ(bytes.find(args.back()), std::string::npos) << bytes;
    world_.Run();
  }
  EXPECT_TRUE(client.Take().ends_with(kWrong));
}

TEST_F(SessionAccess, TheWaitDoesNotTellRightFromWrong) {
  for (int i = 0; i < 1000; ++i) guard_.Note(Rejection::kPassword, "127.0.0.1:9", 0);
  FakeClient& right = world_.Connect();
  FakeClient& wrong = world_.Connect();
  FakeClient& hello = world_.Connect();
  right.Command({"AUTH", "secret"});
  wrong.Command({"AUTH", "wrong"});
  hello.Command({"HELLO", "2", "AUTH", "default", "secret", "AUTH", "default", "secret"});
  Wait(AccessGuard::kLongestNetworkWaitMs - 1);
  EXPECT_EQ(right.Take() + wrong.Take() + hello.Take(), "");
  Wait(1);
  EXPECT_EQ(right.Take(), kOk);
  EXPECT_EQ(wrong.Take(), kWrong);
  EXPECT_TRUE(hello.Take().starts_with("*14\r\n"));
}

TEST_F(SessionAccess, WhoWaitsMayEnd) {
  FakeClient& ends = world_.Connect();
  FakeClient& hangs_up = world_.Connect();
  for (FakeClient* client : {&ends, &hangs_up}) {
    EXPECT_EQ(world_.Ask(*client, {"AUTH", "wrong"}), kWrong);
    client->Command({"AUTH", "wrong"});
    world_.Run();
  }
  hangs_up.Close();
  ends.End();
  world_.Run();
  EXPECT_FALSE(ends.closed);
  Wait(AccessGuard::kFirstWaitMs);
  EXPECT_EQ(ends.Take(), kWrong) << "what was sent is answered";
  EXPECT_TRUE(ends.closed);
  EXPECT_EQ(stats().denied_auth.Get(), 3u);
}

TEST_F(SessionAccess, CutOffWithNothingMoreSent) {
  FakeClient& client = world_.Connect();
  client.Send(Command({"AUTH", "secret"}) + Command({"SET", "k", "v"}) + Command({"GET", "k"}) +
              "POST / HTTP/1.1\r\nSET k x\r\n" + Command({"SET", "k", "x"}));
  client.Turn();
  EXPECT_TRUE(client.closed);
  world_.Run();
  EXPECT_EQ(stats().cross_protocol.Get(), 1u);
  FakeClient& other = world_.Connect();
  EXPECT_EQ(world_.Ask(other, {"AUTH", "secret"}), kOk);
  EXPECT_EQ(world_.Ask(other, {"GET", "k"}), Bulk("v"));
}

}  // namespace
}  // namespace gemel::session_access_test
