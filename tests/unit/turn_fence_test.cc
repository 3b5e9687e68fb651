// A link of a shard's owner in a fleet: what it does about other owners' connections to the node.

#include "backend/link/turn_fence.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "backend/link/subscriber_options.h"
#include "tests/unit/link_world.h"

namespace gemel::link_test {
namespace {

ProxyInstance Proxy(const std::string& id) {
  return {id, "state-" + id, "machine", 12, 345, 100, "web1", "127.0.0.1:6379"};
}

struct Others : OtherProxies {
  const ProxyInstance& self() const override { return me; }
  bool IsGone(const SeenProxy& other) override { return gone.contains(other.proxy.id); }
  void OnRival(const ProxyInstance& other, const std::string&, bool) override {
    told.push_back("rival " + other.id);
  }
  void OnLaterTurn(const std::string& shard, uint64_t epoch) override {
    told.push_back(shard + " " + std::to_string(epoch));
  }

  ProxyInstance me = Proxy("me");
  std::set<std::string> gone;
  std::vector<std::string> told;
};

// A connection as a node lists it.
struct Seen {
  int id;
  std::string proxy;
  std::string shard;
  ShardTurn turn;
  int database = 0;
  std::string end = "";
};

std::string ListOf(const std::vector<Seen>& all) {
  std::string text;
  for (const Seen& seen : all) {
    text += "id=" + std::to_string(seen.id) +
            " addr=1:1 name=" + ConnectionName(Proxy(seen.proxy), seen.shard, true, seen.turn) +
            seen.end + " age=9 idle=0 flags=N db=" + std::to_string(seen.database) + " sub=0\n";
  }
  std::string list;
  AppendBulk(&list, text);
  return list;
}

ShardTurn Turn(uint64_t epoch, const std::string& member = "m9") { return {"f1", epoch, member}; }
const Seen kOwn{7, "me", "a", Turn(5, "m1")};

class TurnFenceTest : public LinkTest {
 protected:
  TurnFenceTest() {
    others_.me.fleet_id = "f1";
    options_.others = &others_;
    options_.client_name = ConnectionName(others_.me, "a", true, Turn(5, "m1"));
  }

  // A connection is made; the node has answered what is asked before the list.
  void Connect(const std::string& name_answer = "+OK\r\n",
               const std::string& kill_answer = ":0\r\n") {
    Make(options_);
    log_.clear();
    link_->OnConnected(now_ms_);
    EXPECT_EQ(transport_.Sent(link_.get()),
              Command({"PING"}) + Command({"INFO"}) + Command({"CLIENT", "ID"}) +
                  Command({"CLIENT", "SETNAME", options_.client_name}) +
                  Command({"CLIENT", "KILL", "ID", "9223372036854775807"}));
    std::string info;
    AppendBulk(&info, "run_id:abc\r\n");
    Answer(link_.get(), "+PONG\r\n" + info + ":7\r\n");
    // Asked before it is known that it has its name, in one pipeline behind that.
    EXPECT_EQ(transport_.Sent(link_.get()), kList);
    Answer(link_.get(), name_answer);
    if (link_->state() != Link::State::kDown) Answer(link_.get(), kill_answer);
  }
  void List(const std::vector<Seen>& all) { Answer(link_.get(), ListOf(all)); }
  static std::string Kills(const std::vector<int>& ids) {
    std::string asked;
    for (int id : ids) asked += Command({"CLIENT", "KILL", "ID", std::to_string(id)});
    return asked + kList;
  }
  // The node has nobody left, and is asked who it is.
  void ExpectSettled() {
    EXPECT_TRUE(
        transport_.Sent(link_.get()).starts_with(Command({"CONFIG", "GET", "*-buffer-limit"})));
    Answer(link_.get(),
           "*0\r\n*0\r\n*0\r\n*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n:5\r\n+OK\r\n*0\r\n%0\r\n");
    EXPECT_TRUE(link_->up());
  }
  void ExpectRefused(const std::string& why) {
    EXPECT_EQ(log_, Log{"down " + why});
    EXPECT_EQ(transport_.Sent(link_.get()).find("CONFIG"), std::string::npos);
  }

  static const std::string kList;
  Others others_;
  LinkOptions options_;
};
const std::string TurnFenceTest::kList = Command({"CLIENT", "LIST"});

TEST_F(TurnFenceTest, NobodyElseIsThere) {
  Connect();
  List({kOwn});
  ExpectSettled();
  EXPECT_TRUE(others_.told.empty());
}

// Of all kinds, of several members, of the own process, whatever database they are at.
TEST_F(TurnFenceTest, EndsEarlierTurnsAndLooksAgainUntilNoneIsLeft) {
  Connect();
  const Seen side{8, "me", "a", Turn(5, "m1"), 0, ":side"};
  List({{1, "aa", "a", Turn(4)},
        {2, "aa", "a", Turn(4), 0, ":side"},
        {3, "aa", "a", Turn(4), 2, ":channels"},
        {4, "bb", "a", Turn(3)},
        {5, "me", "a", Turn(2, "m1")},
        kOwn,
        side});
  EXPECT_EQ(transport_.Sent(link_.get()), Kills({1, 2, 3, 4, 5}));
  Answer(link_.get(), ":1\r\n:1\r\n:0\r\n:1\r\n:1\r\n");
  EXPECT_EQ(transport_.Sent(link_.get()), "");
  // One of them is still being closed, and one connected anew.
  List({{3, "aa", "a", Turn(4), 2, ":channels"}, kOwn, side, {9, "aa", "a", Turn(4)}});
  EXPECT_EQ(transport_.Sent(link_.get()), Kills({3, 9}));
  Answer(link_.get(), "-ERR No such client\r\n:1\r\n");
  EXPECT_FALSE(link_->up());
  List({kOwn, side});
  ExpectSettled();
  EXPECT_TRUE(others_.told.empty());
}

TEST_F(TurnFenceTest, IsNotUpWhileAnEarlierTurnIsThere) {
  Connect();
  int rounds = 0;
  while (link_->state() == Link::State::kHandshake && rounds < 1000) {
    transport_.Sent(link_.get());
    List({{1, "aa", "a", Turn(4)}, kOwn});
    if (link_->state() == Link::State::kHandshake) Answer(link_.get(), ":1\r\n");
    ++rounds;
  }
  EXPECT_LT(rounds, 1000);
  ExpectRefused(
      "connections of an earlier owner of shard 'a' are still there, although the node was told to "
      "end them");
}

TEST_F(TurnFenceTest, ALaterTurnIsNotWrittenBeside) {
  Connect();
  // Whether that one lives is no question; nobody is ended for a turn that is over.
  others_.gone = {"bb"};
  List({{1, "aa", "a", Turn(4)}, kOwn, {2, "bb", "a", Turn(6, "m2")}});
  EXPECT_EQ(transport_.Sent(link_.get()).find("KILL"), std::string::npos);
  ExpectRefused("member m2 owns shard 'a' now");
  EXPECT_EQ(others_.told, std::vector<std::string>{"a 6"});
}

// What is left of an earlier turn's links ends without a word to those of the present one.
TEST_F(TurnFenceTest, ALaterTurnOfTheOwnProcessIsKnownToIt) {
  Connect();
  List({kOwn, {2, "me", "a", Turn(6, "m1")}});
  ExpectRefused("member m1 owns shard 'a' now");
  EXPECT_TRUE(others_.told.empty());
}

TEST_F(TurnFenceTest, OneTurnHasOneProcess) {
  Connect();
  List({kOwn, {2, "bb", "a", Turn(5, "m1")}});
  ASSERT_EQ(log_.size(), 1u);
  EXPECT_TRUE(log_[0].starts_with(
      "down another process is the owner of shard 'a' in the same turn: gemel on host web1"))
      << log_[0];
  // Unless it has ended.
  others_.gone = {"bb"};
  Connect();
  List({kOwn, {2, "bb", "a", Turn(5, "m1")}});
  EXPECT_EQ(transport_.Sent(link_.get()), Kills({2}));
  Answer(link_.get(), ":1\r\n");
  List({kOwn});
  ExpectSettled();
}

TEST_F(TurnFenceTest, AnotherShardOfTheFleetOnTheSameDatabase) {
  Connect();
  List({kOwn, {2, "bb", "b", Turn(9, "m2")}});
  ExpectRefused("it is the same server as a node of shard 'b', which member m2 owns");
  EXPECT_TRUE(others_.told.empty());
  // Another database, one of the own process (of which its claims know), one that only looks.
  Connect();
  List({kOwn,
        {2, "bb", "b", Turn(9, "m2"), 1},
        {3, "me", "c", Turn(3, "m1")},
        {4, "cc", "d", Turn(0, "m3")},
        {5, "cc", "a", Turn(0, "m3")}});
  ExpectSettled();
  others_.gone = {"bb"};
  Connect();
  List({kOwn, {2, "bb", "b", Turn(9, "m2")}});
  EXPECT_EQ(transport_.Sent(link_.get()), Kills({2}));
}

TEST_F(TurnFenceTest, StrangersAreRivalsAsWithoutAFleet) {
  const ShardTurn turns[] = {{"f2", 1, "m1"}, {"f2", 9, "m1"}, {}};
  for (const ShardTurn& turn : turns) {
    others_.told.clear();
    others_.gone.clear();
    Connect();
    List({kOwn, {2, "bb", "a", turn}});
    ASSERT_EQ(log_.size(), 1u);
    EXPECT_TRUE(log_[0].starts_with("down another gemel serves it: gemel on host web1")) << log_[0];
    EXPECT_EQ(others_.told, std::vector<std::string>{"rival bb"});
    others_.gone = {"bb"};
    Connect();
    List({kOwn, {2, "bb", "a", turn}});
    EXPECT_TRUE(transport_.Sent(link_.get()).starts_with(Command({"CLIENT", "KILL", "ID", "2"})));
    EXPECT_TRUE(log_.empty());
  }
}

TEST_F(TurnFenceTest, WithoutAFleetItIsAStranger) {
  others_.me.fleet_id.clear();
  options_.client_name = ConnectionName(others_.me, "a", true);
  Make(options_);
  log_.clear();
  link_->OnConnected(now_ms_);
  std::string info;
  AppendBulk(&info, "run_id:abc\r\n");
  // Nobody asks for permissions there.
  EXPECT_EQ(transport_.Sent(link_.get()).find("KILL"), std::string::npos);
  Answer(link_.get(), "+PONG\r\n" + info + ":7\r\n+OK\r\n" + ListOf({{2, "bb", "a", Turn(9)}}));
  ASSERT_EQ(log_.size(), 1u);
  EXPECT_TRUE(log_[0].starts_with("down another gemel serves it: ")) << log_[0];
  EXPECT_TRUE(log_[0].ends_with(", member m9 of fleet f1)")) << log_[0];
}

TEST_F(TurnFenceTest, AUserThatIsNotAllowedToLookIsRefused) {
  const std::string no = "-NOPERM this user has no permissions\r\n";
  const std::string why =
      " (NOPERM this user has no permissions), without which an earlier owner of the shard could "
      "still write to it: allow its user +client";
  Connect(no);
  ExpectRefused("the node does not carry out CLIENT SETNAME" + why);
  Connect("+OK\r\n", no);
  ExpectRefused("the node does not carry out CLIENT KILL" + why);
  Connect();
  Answer(link_.get(), no);
  ExpectRefused("the node does not carry out CLIENT LIST" + why);
  Connect();
  List({kOwn, {1, "aa", "a", Turn(4)}});
  Answer(link_.get(), no);
  EXPECT_EQ(log_, Log{"down the node does not carry out CLIENT KILL" + why});
}

TEST_F(TurnFenceTest, ANodeThatIsBusyIsNoMatterOfPermission) {
  Connect("-BUSY Redis is busy running a script\r\n");
  ExpectRefused("the node does not carry out CLIENT SETNAME: BUSY Redis is busy running a script");
}

// It never writes: the main link looks, and others see it.
TEST_F(TurnFenceTest, ASubscriberOnlyHasTheName) {
  options_ = SubscriberOptions(options_, ":feed");
  Make(options_);
  link_->OnConnected(now_ms_);
  const std::string sent = transport_.Sent(link_.get());
  EXPECT_NE(sent.find(";f1;5;m1:feed"), std::string::npos);
  EXPECT_EQ(sent.find("KILL"), std::string::npos);
  EXPECT_EQ(sent.find("LIST"), std::string::npos);
}

}  // namespace
}  // namespace gemel::link_test
