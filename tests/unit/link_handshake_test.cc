// A link's handshake: who the node is, and whose connections to it are ended.

#include <gtest/gtest.h>

#include <string>

#include "tests/unit/link_world.h"

namespace gemel::link_test {
namespace {

TEST_F(LinkTest, ShakesHands) {
  Make();
  EXPECT_EQ(transport_.connects, 1);
  link_->OnConnected(now_ms_);
  EXPECT_EQ(link_->state(), Link::State::kHandshake);
  EXPECT_EQ(transport_.flushes, 1);
  EXPECT_EQ(transport_.Sent(link_.get()),
            Command({"PING"}) + Command({"INFO"}) + Command({"CLIENT", "ID"}));
  for (char c : HandshakeReplies("abc", 7, true)) Answer(link_.get(), std::string(1, c), now_ms_);
  EXPECT_EQ(log_, Log{"up abc 7 replica"});
  EXPECT_TRUE(link_->up());
  EXPECT_EQ(link_->times().connects(), 1u);
}

TEST_F(LinkTest, AuthenticatesAndSelects) {
  LinkOptions options;
  options.user = "u";
  options.password = "p";
  options.database = 4;
  Make(options);
  link_->OnConnected(now_ms_);
  EXPECT_TRUE(transport_.Sent(link_.get())
                  .starts_with(Command({"AUTH", "u", "p"}) + Command({"SELECT", "4"})));
  Answer(link_.get(), "+OK\r\n+OK\r\n" + HandshakeReplies("abc"), now_ms_);
  EXPECT_TRUE(link_->up());
}

TEST_F(LinkTest, IsRefusedByANodeThatIsNotReady) {
  for (const char* reply :
       {"-LOADING Redis is loading\r\n", "-NOAUTH Authentication required.\r\n"}) {
    Make();
    link_->OnConnected(now_ms_);
    log_.clear();
    Answer(link_.get(), reply, now_ms_);
    ASSERT_EQ(log_.size(), 1u);
    EXPECT_TRUE(log_[0].starts_with("down the node refuses the connection: ")) << log_[0];
    EXPECT_FALSE(link_->times().hopeful());
  }
}

std::string Times(int count, const std::string& text) {
  std::string out;
  for (int i = 0; i < count; ++i) out += text;
  return out;
}

TEST_F(LinkTest, KnowsNoRunIdWhereItIsHidden) {
  Make();
  link_->OnConnected(now_ms_);
  Answer(link_.get(), "+PONG\r\n" + Times(10, "-NOPERM no\r\n"), now_ms_);
  EXPECT_EQ(log_, Log{"up unknown 0"});
  EXPECT_FALSE(link_->identity().speaks_resp3);
  EXPECT_FALSE(link_->identity().takes_blocks);
}

TEST_F(LinkTest, AnOldConnectionThatWasEndedIsNotEndedAgain) {
  BringUp();
  link_->OnClosed("reset", false, now_ms_);
  link_->Tick(now_ms_ += 1000, 0);
  link_->OnConnected(now_ms_);
  const std::string replies = HandshakeReplies("abc");
  Answer(link_.get(), replies.substr(0, replies.find(":7\r\n") + 4));  // up to CLIENT ID
  EXPECT_NE(transport_.Sent(link_.get()).find("KILL"), std::string::npos);
  // It answers that, and is lost before it is up.
  Answer(link_.get(), ":1\r\n");
  link_->OnClosed("reset", false, now_ms_);
  link_->Tick(now_ms_ += 1000, 0);
  MakeUp(link_.get(), &transport_, replies, now_ms_);
  EXPECT_TRUE(link_->up());
  EXPECT_FALSE(link_->identity().unsettled);
}

// What a killed proxy had sent to a node that hung is thrown away before anything new is sent.
TEST_F(LinkTest, EndsTheConnectionsOfAProxyThatWasKilled) {
  LinkOptions options;
  options.client_name = "gemel:a";
  options.after_crash = true;
  options.database = 2;
  Make(options);
  link_->OnConnected(now_ms_);
  EXPECT_EQ(transport_.Sent(link_.get()), Command({"SELECT", "2"}) + Command({"PING"}) +
                                              Command({"INFO"}) + Command({"CLIENT", "ID"}) +
                                              Command({"CLIENT", "SETNAME", "gemel:a"}));
  std::string info;
  AppendBulk(&info, "run_id:abc\r\n");
  Answer(link_.get(), "+OK\r\n+PONG\r\n" + info + ":7\r\n+OK\r\n");
  EXPECT_EQ(transport_.Sent(link_.get()), Command({"CLIENT", "LIST"}));
  std::string list;
  AppendBulk(&list,
             "id=3 addr=1:1 laddr=1:1 fd=8 name=gemel:a age=9 db=2 sub=0\n"
             "id=4 addr=1:2 laddr=1:1 fd=9 name=gemel:a age=9 db=1 sub=0\n"
             "id=5 addr=1:3 laddr=1:1 fd=10 name=gemel:ab age=9 db=2 sub=0\n"
             "id=6 addr=1:4 laddr=1:1 fd=11 name= age=9 db=2 sub=0\n"
             "id=7 addr=1:5 laddr=1:1 fd=12 name=gemel:a age=0 db=2 sub=0\n");
  Answer(link_.get(), list);
  // Before it is asked what it is and has.
  EXPECT_EQ(transport_.Sent(link_.get()),
            Command({"CLIENT", "KILL", "ID", "3"}) + Command({"CONFIG", "GET", "*-buffer-limit"}) +
                Command({"CONFIG", "GET", "proto-max-bulk-len"}) +
                Command({"CONFIG", "GET", "maxmemory*"}) + Command({"ROLE"}) + Command({"DBSIZE"}) +
                Command({"MULTI"}) + Command({"EXEC"}) + Command({"HELLO", "3"}));
  Answer(link_.get(),
         ":1\r\n*0\r\n-ERR no such "
         "option\r\n*0\r\n*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n:5\r\n+OK\r\n*0\r\n%0\r\n");
  EXPECT_TRUE(link_->up());
  EXPECT_TRUE(link_->identity().speaks_resp3);
  EXPECT_TRUE(link_->identity().takes_blocks);
  // Only the first time, also with options that came later.
  options.name = "node";
  options.after_crash = false;
  link_->set_options(options);
  link_->OnClosed("reset", false, now_ms_);
  link_->Tick(now_ms_ += 1000, 0);
  link_->OnConnected(now_ms_);
  Answer(link_.get(), "+PONG\r\n" + info + ":9\r\n+OK\r\n");
  EXPECT_EQ(transport_.Sent(link_.get()).find("LIST"), std::string::npos);
}

TEST_F(LinkTest, AListOfClientsThatIsNotGivenIsNoHindrance) {
  LinkOptions options;
  options.client_name = "gemel:a";
  options.after_crash = true;
  Make(options);
  link_->OnConnected(now_ms_);
  std::string info;
  AppendBulk(&info, "run_id:abc\r\n");
  Answer(link_.get(), "+PONG\r\n" + info + ":7\r\n-NOPERM no\r\n-NOPERM no\r\n");
  Answer(link_.get(), Times(3, "-NOPERM no\r\n") + "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n:5\r\n" +
                          Times(3, "-NOPERM no\r\n"));
  EXPECT_TRUE(link_->up());
}

TEST_F(LinkTest, AsksForTheNodesLimits) {
  Make();
  link_->OnConnected(now_ms_);
  std::string info;
  AppendBulk(&info, "run_id:abc\r\n");
  auto pairs = [](std::vector<std::string> words) {
    std::string out;
    AppendArrayHeader(&out, words.size());
    for (const std::string& word : words) AppendBulk(&out, word);
    return out;
  };
  Answer(link_.get(), "+PONG\r\n" + info + ":7\r\n");
  Answer(link_.get(), pairs({"client-query-buffer-limit", "2097152", "client-output-buffer-limit",
                             "normal 9000000 8000000 60 slave 1 1 1 pubsub 1 1 1"}));
  Answer(link_.get(), pairs({"proto-max-bulk-len", "1048576"}));
  Answer(link_.get(), pairs({"maxmemory-clients", "5%", "maxmemory", "100000000"}));
  Answer(link_.get(), "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n:5\r\n+OK\r\n*0\r\n-ERR no\r\n");
  ASSERT_TRUE(link_->up());
  EXPECT_EQ(link_->identity().limits.argument, 1048576u);
  EXPECT_EQ(link_->identity().limits.output, 5000000u);
}

TEST_F(LinkTest, KnowsWhoKeepsEveryWrite) {
  for (const std::string fsync : {"", "always", "everysec", "no"}) {
    for (const std::string on_rewrite : {"no", "yes"}) {
      Make();
      MakeUp(link_.get(), &transport_, HandshakeReplies("abc", 3, false, fsync, on_rewrite),
             now_ms_);
      EXPECT_TRUE(link_->up());
      EXPECT_EQ(link_->identity().keeps_writes, fsync == "always" && on_rewrite == "no");
    }
  }
}

TEST_F(LinkTest, IsNotUpWithANodeThatIsNotToBeUsed) {
  why_not_ = "it is the same server";
  Make();
  MakeUp(link_.get(), &transport_, HandshakeReplies("abc"), now_ms_);
  EXPECT_EQ(log_, Log{"down it is the same server"});
  EXPECT_FALSE(link_->times().hopeful());  // it is tried again after a while, not at once
  link_->Tick(now_ms_, 0);
  EXPECT_EQ(link_->state(), Link::State::kDown);
}

TEST_F(LinkTest, IsNotUpWithAnotherGemel) {
  Make();
  link_->OnConnected(now_ms_);
  std::string info;
  AppendBulk(&info, "redis_version:7.0.15\r\ngemel_version:0.1.0\r\nrun_id:abc\r\n");
  Answer(link_.get(), "+PONG\r\n" + info, now_ms_);
  EXPECT_EQ(log_, Log{"down it is a gemel, no Redis server: name the nodes themselves"});
}

}  // namespace
}  // namespace gemel::link_test
