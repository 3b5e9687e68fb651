// Limits of users: who asks for more waits until it is time, whichever worker it is on; who is one
// too many is told so.

#include <gtest/gtest.h>

#include "backend/acl/user_meter.h"
#include "tests/unit/session_fakes.h"

namespace gemel::user_limits_test {
namespace {

using session_test::Bulk;
using session_test::FakeClient;
using session_test::World;

TEST(UserMeter, GivesASecondsWorthAndThenItsRate) {
  UserMeter meter;
  const UserLimits limits{.requests_per_s = 10};
  for (int i = 0; i < 10; ++i) EXPECT_EQ(meter.Take(limits, 1, 1000), 0u);
  const uint64_t wait = meter.Take(limits, 1, 1000);
  EXPECT_GE(wait, 100u);
  EXPECT_LE(wait, 101u);
  EXPECT_NE(meter.Take(limits, 1, 1050), 0u);
  EXPECT_EQ(meter.Take(limits, 1, 1000 + wait), 0u);
  EXPECT_NE(meter.Take(limits, 1, 1000 + wait), 0u);
  // No more is saved up than that.
  uint64_t taken = 0;
  while (meter.Take(limits, 1, 1000000) == 0) ++taken;
  EXPECT_EQ(taken, 10u);
  // The clock of another worker may be behind.
  EXPECT_NE(meter.Take(limits, 1, 999000), 0u);
}

TEST(UserMeter, BytesOfRequestsAndAnswers) {
  UserMeter meter;
  const UserLimits limits{.bytes_per_s = 1000};
  EXPECT_EQ(meter.Take(limits, 100, 0), 0u);
  meter.Spend(5000);  // which nobody knew before
  const uint64_t wait = meter.Take(limits, 1, 0);
  EXPECT_GE(wait, 4100u);
  EXPECT_LE(wait, 4103u);
  EXPECT_EQ(meter.Take(limits, 1, wait), 0u);
  // Without a limit nothing waits, nor is it remembered.
  EXPECT_EQ(meter.Take({}, 1 << 30, wait), 0u);
  EXPECT_EQ(meter.Take(limits, 900, wait), 0u);
}

TEST(UserMeter, Clients) {
  UserMeter meter;
  EXPECT_TRUE(meter.Enter(2));
  EXPECT_TRUE(meter.Enter(2));
  EXPECT_FALSE(meter.Enter(2));
  EXPECT_TRUE(meter.Enter(0));
  EXPECT_EQ(meter.clients(), 3u);
  meter.Leave();
  meter.Leave();
  EXPECT_TRUE(meter.Enter(2));
}

class UserLimitsOfSessions : public testing::Test {
 protected:
  void Wait(uint64_t ms) {
    for (auto& worker : world_.workers) worker->context.now_ms += ms;
    world_.Run();
  }
  FakeClient& As(const std::string& user) {
    FakeClient& client = world_.Connect();
    EXPECT_EQ(world_.Ask(client, {"AUTH", user, "p"}), "+OK\r\n");
    return client;
  }

  World world_{2,
               "[[user]]\nname = \"slow\"\nrules = \"on >p ~* +@all\"\nrequests_per_s = 3\n"
               "[[user]]\nname = \"few\"\nrules = \"on >p ~* +@all\"\nmax_clients = 2\n"};
};

TEST_F(UserLimitsOfSessions, RequestsWaitInTheirTurn) {
  FakeClient& client = As("slow");
  client.Send(Command({"SET", "k", "v"}) + Command({"APPEND", "k", "w"}) +
              Command({"APPEND", "k", "x"}) + Command({"APPEND", "k", "y"}) +
              Command({"GET", "k"}));
  world_.Run();
  EXPECT_EQ(client.Take(), "+OK\r\n:2\r\n:3\r\n");
  EXPECT_FALSE(client.reading);
  // Others are not slowed down.
  FakeClient& other = world_.Connect();
  EXPECT_EQ(world_.Ask(other, {"GET", "k"}), Bulk("vwx"));
  Wait(300);
  EXPECT_EQ(client.Take(), "");
  Wait(40);
  EXPECT_EQ(client.Take(), ":4\r\n");
  Wait(340);
  EXPECT_EQ(client.Take(), Bulk("vwxy"));
  EXPECT_TRUE(client.reading);
}

TEST_F(UserLimitsOfSessions, NoMoreClientsThanThat) {
  As("few");
  FakeClient& second = As("few");
  FakeClient& third = world_.Connect();
  EXPECT_EQ(world_.Ask(third, {"AUTH", "few", "p"}),
            "-ERR max number of clients reached for this user ([[user]] max_clients)\r\n");
  EXPECT_EQ(world_.Ask(third, {"ACL", "WHOAMI"}), Bulk("default"));
  EXPECT_EQ(world_.Ask(second, {"AUTH", "few", "p"}), "+OK\r\n");
  EXPECT_EQ(world_.Ask(second, {"RESET"}), "+RESET\r\n");
  EXPECT_EQ(world_.Ask(third, {"AUTH", "few", "p"}), "+OK\r\n");
}

}  // namespace
}  // namespace gemel::user_limits_test
