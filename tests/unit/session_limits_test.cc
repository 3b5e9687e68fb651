// Back-pressure: clients that are not read from for a while lose nothing, those that take nothing
// are closed, and what is large is not copied.

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "tests/unit/session_fakes.h"

namespace gemel::session_test::session_limits_test {
namespace {

std::string Numbered(int count, World* world) {
  std::string sent;
  for (int i = 0; i < count; ++i) {
    sent += Command({"APPEND", world->Key(static_cast<uint32_t>(i) % 2), "x"});
  }
  return sent;
}
std::string NumberedReplies(int count) {
  std::string out;
  for (int i = 0; i < count; ++i) AppendInteger(&out, i / 2 + 1);
  return out;
}

TEST(SessionLimitsTest, ClientPending) {
  World world(2, "[limits]\nclient_pending = 5");
  FakeClient& client = world.Connect();
  client.Send(Numbered(40, &world));
  EXPECT_EQ(client.session.replies().pending(), 5u);
  EXPECT_FALSE(client.reading);
  EXPECT_EQ(client.pauses, 1);
  client.Turn();
  EXPECT_EQ(client.session.replies().pending(), 5u);
  EXPECT_EQ(client.pauses, 1);
  // What the client sends meanwhile, if the transport has it already, comes behind.
  client.Command({"PING"});
  EXPECT_TRUE(world.nodes[0].Serve());
  client.Turn();
  EXPECT_EQ(client.session.replies().pending(), 5u);  // one gone, one come
  world.Run();
  EXPECT_EQ(client.received, NumberedReplies(40) + "+PONG\r\n");
  EXPECT_TRUE(client.reading);
  EXPECT_EQ(world.workers[0]->stats.paused_clients.Get(), static_cast<uint64_t>(client.pauses));
}

// Who asks for much that is made here leaves the loop to others in between.
TEST(SessionLimitsTest, RepliesMadeHereInTurns) {
  World world(1, "");
  FakeClient& client = world.Connect();
  const std::string one = Command({"COMMAND"});
  client.Send(one);
  client.Turn();
  const size_t size = client.received.size();
  client.received.clear();
  constexpr size_t kCount = 100;
  std::string sent;
  for (size_t i = 0; i < kCount; ++i) sent += one;
  client.Send(sent);
  size_t turns = 0;
  for (size_t had = 0; client.received.size() < kCount * size && turns < kCount; ++turns) {
    EXPECT_EQ(client.reading, !world.workers[0]->context.again);
    world.workers[0]->context.again = false;
    client.Turn();
    EXPECT_LE(client.received.size() - had, 2 * (64 * 1024 + size));
    had = client.received.size();
  }
  EXPECT_EQ(client.received.size(), kCount * size);
  EXPECT_GT(turns, kCount * size / (64 * 1024 + size) / 2);
  EXPECT_TRUE(client.reading);
}

TEST(SessionLimitsTest, ClientOutput) {
  World world(1, "[limits]\nclient_output = \"1kb\"");
  FakeClient& client = world.Connect();
  client.takes = 0;
  const std::string text(200, 'x');
  std::string sent;
  std::string wanted;
  for (int i = 0; i < 50; ++i) {
    sent += Command({"ECHO", text + std::to_string(i)});
    wanted += Bulk(text + std::to_string(i));
  }
  client.Send(sent);
  EXPECT_FALSE(client.reading);
  EXPECT_GT(client.session.replies().out().bytes(), 1024u);
  EXPECT_LT(client.session.replies().out().bytes(),
            1024u + 220u);  // no more than one reply above it
  world.Turn();
  EXPECT_FALSE(client.reading);
  client.takes = 100;
  for (int i = 0; i < 500; ++i) {
    world.Turn();
    EXPECT_LT(client.session.replies().out().bytes(), 1024u + 220u);
  }
  EXPECT_EQ(client.received, wanted);
  EXPECT_TRUE(client.reading);
}

// Replies that are still to come count too, by the size of those before.
TEST(SessionLimitsTest, ExpectedOutput) {
  World world(1, "[limits]\nclient_output = \"10kb\"");
  FakeClient& client = world.Connect();
  const std::string value(2000, 'v');
  world.Ask(client, {"SET", "k", value});
  for (int i = 0; i < 30; ++i) EXPECT_EQ(world.Ask(client, {"GET", "k"}), Bulk(value));
  std::string sent;
  std::string wanted;
  for (int i = 0; i < 100; ++i) {
    sent += Command({"GET", "k"});
    wanted += Bulk(value);
  }
  client.Send(sent);
  EXPECT_LE(client.session.replies().pending(), 7u);
  EXPECT_FALSE(client.reading);
  world.Run();
  EXPECT_EQ(client.received, wanted);
}

// What all clients of a shard may have coming from it, though each reply is far below a megabyte.
TEST(SessionLimitsTest, CrowdedByReplies) {
  World world(1, "[limits]\nclient_output = \"1gb\"");
  constexpr size_t kSize = 100'000;
  constexpr size_t kCounted = 128 * 1024;  // the next power of two
  const std::string value(kSize, 'v');
  FakeClient& small = world.Connect();
  world.Ask(small, {"SET", "s", "v"});
  for (int i = 0; i < 100; ++i) world.Ask(small, {"GET", "s"});  // it is known to ask for little
  FakeClient& one = world.Connect();
  FakeClient& two = world.Connect();
  world.Ask(one, {"SET", "k", value});
  EXPECT_EQ(world.Ask(one, {"GET", "k"}), Bulk(value));
  EXPECT_EQ(world.Ask(two, {"GET", "k"}), Bulk(value));
  std::string sent;
  for (int i = 0; i < 500; ++i) sent += Command({"GET", "k"});
  one.received.clear();
  two.received.clear();
  one.Send(sent);
  two.Send(sent);
  EXPECT_FALSE(one.reading);
  EXPECT_FALSE(two.reading);
  EXPECT_GT(one.session.replies().pending(), 1u);
  // Each may go one request too far.
  EXPECT_LE((one.session.replies().pending() + two.session.replies().pending()) * kCounted,
            SideReads::kRoom + 2 * kCounted);
  // Who asks for little is not concerned.
  small.received.clear();
  small.Send(Command({"GET", "s"}) + Command({"GET", "s"}));
  EXPECT_TRUE(small.reading);
  EXPECT_EQ(small.session.replies().pending(), 2u);
  world.Run();
  EXPECT_EQ(small.received, Bulk("v") + Bulk("v"));
  EXPECT_EQ(one.received.size(), 500 * Bulk(value).size());
  EXPECT_EQ(two.received.size(), 500 * Bulk(value).size());
  EXPECT_TRUE(one.reading && two.reading);
}

TEST(SessionLimitsTest, CongestedByRequests) {
  World world(2, "[limits]\nnode_pending = 3");
  FakeClient& one = world.Connect();
  FakeClient& two = world.Connect();
  const std::string busy = world.Key(0);
  const std::string free = world.Key(1);
  std::string sent;
  for (int i = 0; i < 10; ++i) sent += Command({"GET", busy});
  one.Send(sent);
  EXPECT_FALSE(one.reading);
  EXPECT_EQ(one.session.replies().pending(), 4u);
  // A client of the other shard goes on.
  for (int i = 0; i < 3; ++i) EXPECT_EQ((two.Command({"GET", free}), world.nodes[1].Serve()), true);
  two.Turn();
  EXPECT_EQ(two.received, "$-1\r\n$-1\r\n$-1\r\n");
  world.Run();
  EXPECT_EQ(one.received.size(), 10 * 5u);
  EXPECT_TRUE(one.reading);
}

// A few clients with very many requests are not to make all others wait behind them.
TEST(SessionLimitsTest, CongestedByThoseWhoAskForMuch) {
  World world(1, "[limits]\nnode_pending = 8000");
  FakeClient& one = world.Connect();
  FakeClient& two = world.Connect();
  FakeClient& three = world.Connect();
  // Little is expected of what was little before.
  for (FakeClient* client : {&one, &two, &three}) {
    for (int i = 0; i < 50; ++i) EXPECT_EQ(world.Ask(*client, {"GET", "k"}), "$-1\r\n");
    client->received.clear();
  }
  std::string sent;
  for (int i = 0; i < 5000; ++i) sent += Command({"GET", "k"});
  one.Send(sent);
  EXPECT_FALSE(one.reading);
  EXPECT_EQ(one.session.replies().pending(), 1001u);  // an eighth
  two.Send(sent);
  EXPECT_FALSE(two.reading);
  EXPECT_EQ(two.session.replies().pending(), 257u);
  three.Send(Command({"GET", "k"}));
  EXPECT_TRUE(three.reading);
  EXPECT_EQ(three.session.replies().pending(), 1u);
  world.Run();
  EXPECT_EQ(one.received.size(), 5000 * 5u);
  EXPECT_EQ(two.received.size(), 5000 * 5u);
  EXPECT_TRUE(one.reading && two.reading);
}

TEST(SessionLimitsTest, CongestedByBytes) {
  World world(2, "[limits]\nnode_pending_bytes = \"1kb\"");
  FakeClient& client = world.Connect();
  const std::string key = world.Key(1);
  const std::string value(400, 'v');
  std::string sent;
  std::string wanted;
  for (int i = 0; i < 20; ++i) {
    sent += Command({"SET", key, value});
    wanted += "+OK\r\n";
  }
  client.Send(sent);
  EXPECT_EQ(client.session.replies().pending(), 3u);
  world.Run();
  EXPECT_EQ(client.received, wanted);
}

// Commands that are split wait for each of their shards.
TEST(SessionLimitsTest, CongestedBySplitCommands) {
  World world(3, "[limits]\nnode_pending = 3");
  std::vector<std::string> keys = {world.Key(1), world.Key(2)};
  for (const Args& args :
       std::vector<Args>{{"DBSIZE"}, {"SCAN", "2"}, {"MGET", keys[0], keys[1]}}) {
    FakeClient& client = world.Connect();
    // Shard 0 answers at once.
    for (int i = 0; i < 50; ++i) {
      client.Command(args);
      while (world.nodes[0].Serve()) {
      }
    }
    EXPECT_FALSE(client.reading) << args[0];
    EXPECT_LE(client.session.replies().pending(), 5u) << args[0];
    world.Run();
    EXPECT_TRUE(client.reading);
    EXPECT_EQ(client.session.replies().pending(), 0u);
  }
}

TEST(SessionLimitsTest, EndOfInputWhilePaused) {
  World world(2, "[limits]\nclient_pending = 2");
  FakeClient& client = world.Connect();
  client.Send(Numbered(20, &world));
  EXPECT_FALSE(client.reading);
  client.End();
  EXPECT_FALSE(client.closed);
  world.Run();
  EXPECT_EQ(client.received, NumberedReplies(20));
  EXPECT_TRUE(client.closed);
}

TEST(SessionLimitsTest, QuitBehindAPause) {
  World world(2, "[limits]\nclient_pending = 2");
  FakeClient& client = world.Connect();
  client.Send(Numbered(5, &world) + "QUIT\r\n" + Numbered(5, &world));
  world.Run();
  EXPECT_EQ(client.received, NumberedReplies(5) + "+OK\r\n");
  EXPECT_TRUE(client.closed);
}

// All limits at once, small, at random: the same replies as without any.
TEST(SessionLimitsTest, NothingLostOrReordered) {
  for (uint32_t seed = 1; seed <= 150; ++seed) {
    std::mt19937 random(seed);
    World world(1 + seed % 3, "[limits]\nclient_pending = " + std::to_string(1 + random() % 6) +
                                  "\nclient_output = " + std::to_string(1024 + random() % 1024) +
                                  "\nnode_pending = " + std::to_string(1 + random() % 4) +
                                  "\nnode_pending_bytes = " +
                                  std::to_string(1024 + random() % 1024) + "\nbuffered = \"40kb\"");
    std::vector<FakeClient*> clients;
    std::vector<std::string> sent(3);
    std::vector<std::string> wanted(3);
    for (uint32_t c = 0; c < 3; ++c) {
      clients.push_back(&world.Connect());
      Data model;  // each client has keys of its own
      for (int i = 0; i < 60; ++i) {
        const std::string key = std::to_string(c) + "k" + std::to_string(random() % 5);
        const std::string other = std::to_string(c) + "k" + std::to_string(random() % 5);
        const std::string value(random() % (random() % 10 == 0 ? 5000 : 50), 'v');
        Args args;
        switch (random() % 5) {
          case 0:
            args = {"MGET", key, other, key};
            break;
          case 1:
            args = {"MSET", key, value, other, "z"};
            break;
          case 2:
            args = {"APPEND", key, value};
            break;
          case 3:
            args = {"DEL", key, other};
            break;
          default:
            args = {"GET", key};
        }
        sent[c] += Command(args);
        wanted[c] += Execute(&model, args);
      }
    }
    for (bool more = true; more;) {
      more = false;
      for (uint32_t c = 0; c < 3; ++c) {
        if (clients[c]->reading && !sent[c].empty()) {
          const size_t size = std::min<size_t>(sent[c].size(), 1 + random() % 3000);
          clients[c]->Send(std::string_view(sent[c]).substr(0, size));
          sent[c].erase(0, size);
        }
        more |= !sent[c].empty();
        clients[c]->Turn(random() % 2000);
        if (random() % 2 == 0) world.nodes[random() % world.nodes.size()].Serve();
      }
    }
    world.Run(seed);
    for (uint32_t c = 0; c < 3; ++c) {
      ASSERT_EQ(clients[c]->received, wanted[c]) << "seed " << seed << ", client " << c;
      EXPECT_TRUE(clients[c]->reading);
    }
  }
}

// A client that takes nothing is closed at the hard limit, and gets no reply in another's place.
TEST(SessionLimitsTest, OverrunCloses) {
  World world(1, "[limits]\nclient_output = \"4kb\"\nclient_output_hard = \"4kb\"");
  FakeClient& client = world.Connect();
  client.takes = 0;
  world.nodes[0].data["large"] = std::string(3000, 'v');
  world.nodes[0].data["small"] = "s";
  client.Send(Command({"GET", "large"}) + Command({"GET", "large"}) + Command({"GET", "small"}));
  EXPECT_TRUE(world.nodes[0].Serve());
  client.Turn();  // the socket is full: nothing more will be said of it
  EXPECT_FALSE(client.dirty);
  EXPECT_TRUE(world.nodes[0].Serve());
  EXPECT_TRUE(client.session.replies().out().overrun());
  EXPECT_TRUE(world.nodes[0].Serve());
  client.Turn(1 << 20);
  EXPECT_TRUE(client.closed);
  EXPECT_EQ(client.received, Bulk(std::string(3000, 'v')));
}

TEST(SessionLimitsTest, OverrunIsNoticedWithoutTheClient) {
  World world(1, "[limits]\nclient_output = \"4kb\"\nclient_output_hard = \"4kb\"");
  FakeClient& client = world.Connect();
  client.takes = 0;
  world.nodes[0].data["large"] = std::string(3000, 'v');
  client.Send(Command({"GET", "large"}) + Command({"GET", "large"}));
  EXPECT_TRUE(world.nodes[0].Serve());
  client.Turn();
  EXPECT_TRUE(world.nodes[0].Serve());
  client.Turn();
  EXPECT_TRUE(client.closed);
}

TEST(SessionLimitsTest, OneReplyMayBeLargerThanTheHardLimit) {
  World world(1, "[limits]\nclient_output = \"4kb\"\nclient_output_hard = \"4kb\"");
  FakeClient& client = world.Connect();
  world.nodes[0].data["large"] = std::string(300000, 'v');
  EXPECT_EQ(world.Ask(client, {"GET", "large"}), Bulk(std::string(300000, 'v')));
  EXPECT_FALSE(client.closed);
}

TEST(SessionLimitsTest, LargeRequestsAreNotCopied) {
  World world;
  FakeClient& client = world.Connect();
  const std::string key = world.Key(1);
  const std::string value(200000, 'v');
  const std::string frame = Command({"SET", key, value});
  client.Send(std::string_view(frame).substr(0, 65536));
  client.Send(std::string_view(frame).substr(65536, 50000));
  client.Send(std::string_view(frame).substr(65536 + 50000));
  ASSERT_NE(client.last_direct, nullptr);
  bool found = false;
  world.nodes[1].link()->out().ForEach([&](const char* data, size_t size) {
    found |= data < client.last_direct && client.last_direct < data + size;
    return true;
  });
  EXPECT_TRUE(found);
  EXPECT_EQ(client.session.input().size(), 0u);
  EXPECT_EQ(world.Ask(client, {"GET", key}), "+OK\r\n" + Bulk(value));
  // With something behind it, and the large one as a part of a pipeline and of a split command.
  client.last_direct = nullptr;
  const std::string split = Command({"MSET", world.Key(0), value, key, value + "2"});
  client.Send("PING\r\n" + frame.substr(0, 100));
  client.Send(frame.substr(100) + split.substr(0, 70000));
  client.Send(split.substr(70000) + Command({"MGET", key, world.Key(0)}) + "PING\r\n");
  world.Run();
  EXPECT_EQ(client.received,
            "+PONG\r\n+OK\r\n+OK\r\n*2\r\n" + Bulk(value + "2") + Bulk(value) + "+PONG\r\n");
}

TEST(SessionLimitsTest, LargeRepliesAreNotCopied) {
  World world;
  FakeClient& client = world.Connect();
  const std::string value(200000, 'v');
  const std::string reply = Bulk(value);
  // As the second in line: kept until its turn.
  for (const bool waits : {false, true}) {
    if (waits) client.Command({"GET", world.Key(1)});
    client.Command({"GET", world.Key(0)});
    Link* link = world.nodes[0].link();
    world.nodes[0].transport.Sent(link);
    link->OnData(reply.data(), 70000, 0);
    size_t size = 0;
    char* direct = link->DirectSpace(&size);
    ASSERT_NE(direct, nullptr);
    ASSERT_EQ(size, reply.size() - 70000);
    std::copy_n(reply.data() + 70000, size, direct);
    link->OnDirect(size, 0);
    if (waits) world.nodes[1].Serve();
    client.Turn();
    EXPECT_EQ(client.Take(), (waits ? "$-1\r\n" : "") + reply);
    EXPECT_EQ(client.last_slice.data(), direct - 70000) << waits;
  }
}

}  // namespace
}  // namespace gemel::session_test::session_limits_test
