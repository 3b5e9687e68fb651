// Subscribers of one worker: what they are told, what they may say, when they are cut off.

#include <gtest/gtest.h>

#include <string>

#include "proxy/channels/channel_counts.h"
#include "tests/unit/session_fakes.h"

namespace gemel::session_test {
namespace {

std::string Message(const std::string& channel, const std::string& text) {
  return Command({"message", channel, text});
}
void Publish(World* world, const std::string& messages) {
  world->workers[0]->channels.Deliver(messages);
  world->Run();
}

TEST(SessionChannelsTest, MessagesComeInTheClientsProtocol) {
  World world;
  FakeClient& two = world.Connect();
  FakeClient& three = world.Connect();
  world.Ask(three, {"HELLO", "3"});
  EXPECT_EQ(world.Ask(two, {"SUBSCRIBE", "a"}), "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n");
  EXPECT_EQ(world.Ask(three, {"SUBSCRIBE", "a", "b"}),
            ">3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n>3\r\n$9\r\nsubscribe\r\n$1\r\nb\r\n:2\r\n");
  Publish(&world, Message("a", "1") + Message("b", "2") + Message("c", "3"));
  EXPECT_EQ(two.Take(), Message("a", "1"));
  std::string pushes = Message("a", "1") + Message("b", "2");
  pushes[0] = pushes[Message("a", "1").size()] = '>';
  EXPECT_EQ(three.Take(), pushes);
  // Large ones are shared, and read the same.
  const std::string large = Message("a", std::string(100000, 'x'));
  Publish(&world, large + large);
  EXPECT_EQ(two.Take(), large + large);
  EXPECT_EQ(three.Take().size(), 2 * large.size());
}

TEST(SessionChannelsTest, AMessageStandsBetweenReplies) {
  World world(1);
  FakeClient& client = world.Connect();
  world.Ask(client, {"HELLO", "3"});
  world.Ask(client, {"SUBSCRIBE", "a"});
  client.Send(Command({"GET", "k"}));
  std::string push = Message("a", "1");
  push[0] = '>';
  world.workers[0]->channels.Deliver(Message("a", "1"));
  world.Run();
  EXPECT_EQ(client.Take(), push + "$-1\r\n");
}

TEST(SessionChannelsTest, ASubscriberOfResp2MaySayLittle) {
  World world;
  FakeClient& client = world.Connect();
  world.Ask(client, {"PSUBSCRIBE", "a*"});
  EXPECT_EQ(
      world.Ask(client, {"GET", "k"}),
      "-ERR Can't execute 'get': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET "
      "are allowed in this context\r\n");
  EXPECT_EQ(world.Ask(client, {"PING", "x"}), "*2\r\n$4\r\npong\r\n$1\r\nx\r\n");
  EXPECT_EQ(world.Ask(client, {"RESET"}), "+RESET\r\n");
  EXPECT_EQ(world.Ask(client, {"GET", "k"}), "$-1\r\n");
  EXPECT_EQ(world.channel_counts.Different(ChannelKind::kPattern), 0u);
}

TEST(SessionChannelsTest, WhoLeavesIsNoSubscriberAnyMore) {
  World world;
  FakeClient& one = world.Connect();
  FakeClient& two = world.Connect();
  FakeClient& asks = world.Connect();
  world.Ask(one, {"SUBSCRIBE", "a", "b"});
  world.Ask(two, {"SUBSCRIBE", "a"});
  EXPECT_EQ(world.Ask(asks, {"PUBSUB", "NUMSUB", "a", "b"}),
            "*4\r\n$1\r\na\r\n:2\r\n$1\r\nb\r\n:1\r\n");
  EXPECT_NE(world.Ask(asks, {"CLIENT", "LIST", "TYPE", "pubsub"}).find(" sub=2 psub=0"),
            std::string::npos);
  one.Close();
  Publish(&world, Message("a", "1") + Message("b", "1"));
  EXPECT_EQ(two.Take(), Message("a", "1"));
  EXPECT_EQ(world.Ask(asks, {"PUBSUB", "NUMSUB", "a", "b"}),
            "*4\r\n$1\r\na\r\n:1\r\n$1\r\nb\r\n:0\r\n");
  EXPECT_EQ(world.Ask(asks, {"CLIENT", "KILL", "TYPE", "pubsub"}), ":1\r\n");
  EXPECT_TRUE(two.closed);
  EXPECT_EQ(world.channel_counts.Different(ChannelKind::kChannel), 0u);
}

TEST(SessionChannelsTest, WhoTakesNothingIsCutOff) {
  World world(1, "[limits]\nsubscriber_output = \"16kb\"\nsubscriber_output_soft = \"8kb\"");
  FakeClient& client = world.Connect();
  world.Ask(client, {"SUBSCRIBE", "a"});
  client.takes = 0;
  const std::string message = Message("a", std::string(4000, 'x'));
  for (int i = 0; i < 5; ++i) Publish(&world, message);
  EXPECT_FALSE(client.closed);
  Publish(&world, message);
  EXPECT_TRUE(client.closed);
  EXPECT_STREQ(client.session.replies().overrun_limit(), "subscriber_output");
}

TEST(SessionChannelsTest, OrIfItIsSlowForAMinute) {
  World world(1, "[limits]\nsubscriber_output = \"16kb\"\nsubscriber_output_soft = \"8kb\"");
  FakeClient& client = world.Connect();
  world.Ask(client, {"SUBSCRIBE", "a"});
  client.takes = 0;
  uint64_t& now_ms = world.workers[0]->context.now_ms;
  const std::string message = Message("a", std::string(4000, 'x'));
  now_ms = 1000;
  for (int i = 0; i < 4; ++i) Publish(&world, message);
  now_ms = 60000;
  Publish(&world, Message("a", "1"));
  EXPECT_FALSE(client.closed);
  now_ms = 62000;
  Publish(&world, Message("a", "1"));
  EXPECT_TRUE(client.closed);
  EXPECT_STREQ(client.session.replies().overrun_limit(), "subscriber_output_soft");
}

// Nothing is said to it, and its connection ends all the same once what it asked is done.
TEST(SessionChannelsTest, WhoWantsNoRepliesLeavesWhenAllIsDone) {
  World world(1);
  FakeClient& client = world.Connect();
  client.Send(Command({"CLIENT", "REPLY", "OFF"}) + Command({"GET", "k"}));
  client.End();
  EXPECT_FALSE(client.closed);
  world.Run();
  EXPECT_TRUE(client.closed);
  EXPECT_EQ(client.received, "");
}

// Who says QUIT gets what it is owed, and no message behind it.
TEST(SessionChannelsTest, NoMessageComesBehindTheEnd) {
  World world(1);
  FakeClient& client = world.Connect();
  world.Ask(client, {"SUBSCRIBE", "a"});
  client.Send(Command({"QUIT"}));
  world.workers[0]->channels.Deliver(Message("a", "1"));
  world.Run();
  EXPECT_EQ(client.Take(), "+OK\r\n");
  EXPECT_TRUE(client.closed);
}

TEST(ChannelCountsTest, Receivers) {
  ChannelCounts counts;
  for (const char* channel : {"news", "news", "other"}) {
    counts.Add(MakeChannelName(ChannelKind::kChannel, channel));
  }
  for (const char* pattern : {"n*", "n[de]ws", "N*"}) {
    counts.Add(MakeChannelName(ChannelKind::kPattern, pattern));
  }
  counts.Add(MakeChannelName(ChannelKind::kShardChannel, "news"));
  EXPECT_EQ(counts.ReceiversOf(ChannelKind::kChannel, "news"), 4u);
  EXPECT_EQ(counts.ReceiversOf(ChannelKind::kShardChannel, "news"), 1u);
  EXPECT_EQ(counts.ReceiversOf(ChannelKind::kChannel, "NEWS"), 1u);
  EXPECT_EQ(counts.Different(ChannelKind::kPattern), 3u);
  EXPECT_EQ(counts.Matching(ChannelKind::kChannel, "*").size(), 2u);
  counts.Remove(MakeChannelName(ChannelKind::kChannel, "news"));
  EXPECT_EQ(counts.CountOf(MakeChannelName(ChannelKind::kChannel, "news")), 1u);
}

}  // namespace
}  // namespace gemel::session_test
