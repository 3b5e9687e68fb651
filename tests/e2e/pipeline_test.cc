// Requests in any cut and any number: deep pipelines, splits at every byte, inline commands;
// replies in order; a client reads its own writes.

#include <gtest/gtest.h>

#include <thread>

#include "tests/e2e/cluster.h"
#include "tests/e2e/raw_socket.h"

namespace gemel::e2e::pipeline_test {
namespace {

// A conversation over both shards with every kind of answer: from a shard, split over shards,
// local, errors. Bytes to send, and what must come back.
struct Talk {
  std::string request;
  std::string reply;
};

Talk MakeTalk() {
  Talk talk;
  auto add = [&talk](const std::string& request, const std::string& reply) {
    talk.request += request;
    talk.reply += reply;
  };
  add(Encode({"SET", "k1", "v1"}), "+OK\r\n");
  add(Encode({"MSET", "k2", "v2", "k3", "a\r\nb", "k4", ""}), "+OK\r\n");
  add(Encode({"GET", "k1"}), "$2\r\nv1\r\n");
  add("GET k2\r\n", "$2\r\nv2\r\n");
  add("PING\n", "+PONG\r\n");
  add("\r\n", "");
  add("*0\r\n", "");
  add(Encode({"MGET", "k1", "none", "k3", "k4"}),
      "*4\r\n$2\r\nv1\r\n$-1\r\n$4\r\na\r\nb\r\n$0\r\n\r\n");
  add("SET k5 \"a b\\x41\\n\"\r\n", "+OK\r\n");
  add("SET k6 'it\\'s'\r\n", "+OK\r\n");
  add(Encode({"GET", "k5"}), "$5\r\na bA\n\r\n");
  add(Encode({"GET", "k6"}), "$4\r\nit's\r\n");
  add(Encode({"NOSUCH"}), "-ERR unknown command 'NOSUCH', with args beginning with: \r\n");
  add(Encode({"DEL", "k1", "k2", "k3", "k4", "k5", "k6", "none"}), ":6\r\n");
  return talk;
}

TEST(Pipeline, TenThousandDeep) {
  Cluster cluster;
  Client client = cluster.Connect();
  constexpr int kDepth = 10000;
  for (int i = 0; i < kDepth; ++i) {
    client.Append({"SET", "key:" + std::to_string(i % 100), std::to_string(i)});
    client.Append({"GET", "key:" + std::to_string(i % 100)});
    if (i % 10 == 0) client.Append({"PING", std::to_string(i)});
  }
  for (int i = 0; i < kDepth; ++i) {
    ASSERT_EQ(client.Read(), "OK");
    ASSERT_EQ(client.Read(), std::to_string(i));  // its own write
    if (i % 10 == 0) {
      ASSERT_EQ(client.Read(), std::to_string(i));
    }
  }
  cluster.ExpectCopiesEqual();
}

TEST(Pipeline, DeeperThanEveryLimit) {
  // Far more requests under way than [limits] client_pending: the client is made to wait, no more.
  Cluster cluster({.sections = {{"limits", "client_pending = 64"}}});
  RawSocket socket(cluster.proxy().port());
  constexpr int kRequests = 100000;
  std::thread sender([&socket] {
    std::string batch;
    for (int i = 0; i < kRequests; ++i) {
      batch += Encode({"INCR", i % 2 == 0 ? "even" : "odd"});
      if (batch.size() > 100000 || i + 1 == kRequests) {
        socket.Send(batch);
        batch.clear();
      }
    }
  });
  std::string expected;
  for (int i = 0; i < kRequests; ++i) expected += ":" + std::to_string(i / 2 + 1) + "\r\n";
  EXPECT_TRUE(socket.Read(expected.size()) == expected);
  sender.join();
}

TEST(Pipeline, ReadsOwnWritesWhicheverCopyServes) {
  for (const char* from : {"primary", "replica", "balanced"}) {
    Cluster cluster({.shards = 1,
                     .sections = {{"read", "from = \"" + std::string(from) + "\""},
                                  {"write", "ack = \"any\""}}});
    Client client = cluster.Connect();
    for (int i = 0; i < 2000; ++i) {
      client.Append({"SET", "k", std::to_string(i)});
      client.Append({"GET", "k"});
    }
    for (int i = 0; i < 2000; ++i) {
      ASSERT_EQ(client.Read(), "OK");
      ASSERT_EQ(client.Read(), std::to_string(i)) << from;
    }
  }
}

TEST(Pipeline, SplitAtEveryByte) {
  Cluster cluster;
  RawSocket socket(cluster.proxy().port());
  const Talk talk = MakeTalk();
  for (size_t i = 1; i < talk.request.size(); ++i) {
    socket.Send(talk.request.substr(0, i));
    std::this_thread::sleep_for(std::chrono::milliseconds(1));  // so that it is read alone
    socket.Send(talk.request.substr(i));
    ASSERT_EQ(socket.Read(talk.reply.size()), talk.reply) << "split at " << i;
  }
}

TEST(Pipeline, ByteByByte) {
  Cluster cluster;
  RawSocket socket(cluster.proxy().port());
  const Talk talk = MakeTalk();
  for (const char byte : talk.request) {
    socket.Send(std::string(1, byte));
    std::this_thread::sleep_for(std::chrono::microseconds(500));
  }
  EXPECT_EQ(socket.Read(talk.reply.size()), talk.reply);
}

TEST(Pipeline, AClientThatIsDoneSendingGetsItsReplies) {
  Cluster cluster;
  RawSocket socket(cluster.proxy().port());
  const Talk talk = MakeTalk();
  socket.Send(talk.request);
  socket.CloseWriting();
  EXPECT_EQ(socket.ReadUntilClosed(), talk.reply);
}

TEST(Pipeline, QuitAnswersWhatCameBefore) {
  Cluster cluster;
  RawSocket socket(cluster.proxy().port());
  const Talk talk = MakeTalk();
  socket.Send(talk.request + Encode({"QUIT"}) + Encode({"SET", "after", "quit"}));
  EXPECT_EQ(socket.ReadUntilClosed(), talk.reply + "+OK\r\n");
  EXPECT_EQ(cluster.Connect()("GET", "after"), "(nil)");
}

}  // namespace
}  // namespace gemel::e2e::pipeline_test
