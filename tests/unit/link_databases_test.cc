// A link whose items are about several databases.

#include <gtest/gtest.h>

#include <string>

#include "tests/unit/link_world.h"

namespace gemel::link_test::link_databases_test {
namespace {

class LinkDatabases : public LinkTest {
 protected:
  static LinkOptions Several() {
    LinkOptions options;
    options.databases = 16;
    return options;
  }
  void Up() {
    if (link_ == nullptr) Make(Several());
    MakeUp(link_.get(), &transport_,
           HandshakeReplies("abc", 7, false, "", "no", /*subscriber=*/false, /*databases=*/true),
           now_ms_);
    ASSERT_TRUE(link_->up());
    transport_.Sent(link_.get());
    log_.clear();
  }
  static Item Of(int number, uint8_t database) {
    Item item(number);
    item.database = database;
    return item;
  }
  static std::string Select(const std::string& index) { return Command({"SELECT", index}); }
};

TEST_F(LinkDatabases, AreSelectedWhereTheyChange) {
  Up();
  Item one = Of(1, 0), two = Of(2, 3), three = Of(3, 3), four = Of(4, 12), five = Of(5, 0);
  link_->Send(&one, "first");
  link_->Send(&two, "second");
  link_->Send(&three, "third");
  link_->Send(&four, "fourth");
  link_->Send(&five, "fifth");
  EXPECT_EQ(transport_.Sent(link_.get()), "first" + Select("3") + "secondthird" + Select("12") +
                                              "fourth" + Select("0") + "fifth");
  Answer(link_.get(), "+1\r\n+OK\r\n+2\r\n+3\r\n+OK\r\n+4\r\n+OK\r\n+5\r\n");
  EXPECT_EQ(log_, (Log{"reply 1 +1. to first", "reply 2 +2. to second", "reply 3 +3. to third",
                       "reply 4 +4. to fourth", "reply 5 +5. to fifth"}));
  EXPECT_EQ(link_->line().size(), 0u);
}

TEST_F(LinkDatabases, OfANewConnectionIsTheFirst) {
  Up();
  Item one = Of(1, 3), two = Of(2, 3);
  link_->Send(&one, "first");
  link_->OnClosed("reset", false, now_ms_);
  EXPECT_EQ(log_, (Log{"lost 1 first", "down reset"}));
  link_->Tick(now_ms_ += 1000, 0);
  Up();
  link_->Send(&two, "second");
  EXPECT_EQ(transport_.Sent(link_.get()), Select("3") + "second");
}

// A node that is busy refuses all.
TEST_F(LinkDatabases, OneThatIsRefusedWithWhatStandsBehindItIsSelectedAgain) {
  Up();
  Item one = Of(1, 3), two = Of(2, 3), three = Of(3, 3);
  link_->Send(&one, "first");
  link_->Send(&two, "second");
  transport_.Sent(link_.get());
  Answer(link_.get(), "-BUSY a script\r\n-BUSY a script\r\n-BUSY a script\r\n");
  EXPECT_EQ(log_, (Log{"reply 1 -BUSY a script. to first", "reply 2 -BUSY a script. to second"}));
  link_->Send(&three, "third");
  EXPECT_EQ(transport_.Sent(link_.get()), Select("3") + "third");
  Answer(link_.get(), "+OK\r\n+3\r\n");
  EXPECT_EQ(log_.back(), "reply 3 +3. to third");
}

TEST_F(LinkDatabases, WhatIsCarriedOutBehindARefusedOneIsInTheWrongPlace) {
  Up();
  Item one = Of(1, 2), two = Of(2, 3), three = Of(3, 3), four = Of(4, 5);
  link_->Send(&one, "first");
  link_->Send(&two, "second");
  link_->Send(&three, "third");
  link_->Send(&four, "fourth");
  // The script ends between the second and the third.
  Answer(link_.get(), "+OK\r\n+1\r\n-BUSY a script\r\n-BUSY a script\r\n+3\r\n+OK\r\n+4\r\n");
  EXPECT_EQ(log_, (Log{"reply 1 +1. to first", "reply 2 -BUSY a script. to second", "lost 3 third",
                       "lost 4 fourth",
                       "down a command came to another database: the node had refused SELECT"}));
  EXPECT_TRUE(misplaced_);
  EXPECT_EQ(instead_of_, 2);
}

TEST_F(LinkDatabases, ATransactionThatIsNotExecutedIsNowhere) {
  Up();
  Item one = Of(1, 3), two = Of(2, 3), three = Of(3, 3), four = Of(4, 3);
  link_->Send(&one, Command({"MULTI"}));
  link_->Send(&two, "second");
  link_->Send(&three, "third");
  link_->Send(&four, "fourth");
  Answer(link_.get(), "-BUSY a script\r\n+OK\r\n-BUSY a script\r\n+QUEUED\r\n-EXECABORT no\r\n");
  EXPECT_TRUE(link_->up());
  EXPECT_EQ(log_.size(), 4u);
}

// One of the database that is selected has not been misplaced.
TEST_F(LinkDatabases, WhatIsWhereItShouldBeIsAnswered) {
  Up();
  Item one = Of(1, 3), two = Of(2, 0);
  link_->Send(&one, "first");
  link_->Send(&two, "second");
  Answer(link_.get(), "-BUSY a script\r\n-BUSY a script\r\n-BUSY a script\r\n+2\r\n");
  EXPECT_EQ(log_, (Log{"reply 1 -BUSY a script. to first", "reply 2 +2. to second"}));
}

TEST_F(LinkDatabases, WhetherTheNodeHasThemIsAsked) {
  Make(Several());
  link_->OnConnected(now_ms_);
  transport_.Sent(link_.get());
  std::string info;
  AppendBulk(&info, "run_id:abc\r\n");
  Answer(link_.get(), "+PONG\r\n" + info + ":7\r\n");
  const std::string asked = transport_.Sent(link_.get());
  EXPECT_TRUE(asked.ends_with(Command({"DBSIZE"}) + Command({"INFO", "keyspace"}) + Select("15") +
                              Select("0") + Command({"MULTI"}) + Command({"EXEC"}) +
                              Command({"HELLO", "3"})))
      << asked;
  std::string keyspace;
  AppendBulk(&keyspace,
             "# Keyspace\r\ndb0:keys=2,expires=1,avg_ttl=5\r\ndb3:keys=40,expires=0\r\n");
  Answer(link_.get(), "*0\r\n*0\r\n*0\r\n*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n:2\r\n" + keyspace +
                          "-ERR DB index is out of range\r\n+OK\r\n+OK\r\n*0\r\n%0\r\n");
  EXPECT_TRUE(link_->up());
  EXPECT_EQ(link_->identity().keys, 42u);
  EXPECT_FALSE(link_->identity().has_databases);
}

}  // namespace
}  // namespace gemel::link_test::link_databases_test
