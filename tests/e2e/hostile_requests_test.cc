// One client asks for what ends the connection that it is asked on, or is sent what the nodes do
// not take. With Redis nobody else would notice, and so it is here.

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "tests/e2e/cluster.h"
#include "tests/e2e/load.h"
#include "tests/e2e/look.h"
#include "tests/e2e/raw_socket.h"

namespace gemel::e2e::hostile_requests_test {
namespace {

constexpr size_t kMb = 1u << 20;

std::string Deep(int levels) {
  return "local t={} for i=1," + std::to_string(levels) + " do t={t} end return t";
}

// A cluster of one shard with a load beside what the test does, which must not be disturbed.
class HostileRequests : public ::testing::TestWithParam<int> {
 protected:
  void Begin(Words redis_options, const std::string& shard_lines = {}) {
    ClusterOptions options;
    options.shards = 1;
    options.copies = GetParam();
    options.redis_options = std::move(redis_options);
    options.sections["health"] = kPatientProbes;
    options.shard_lines = shard_lines;
    cluster_ = std::make_unique<Cluster>(options);
    epoch_ = cluster_->Status(0).epoch;
    load_ = std::make_unique<Load>(cluster_->proxy().port(), Load::Options{});
    load_->WaitForMore(200);
  }
  // Nobody else has noticed, and no copy had to leave.
  void End() {
    EXPECT_TRUE(load_->WaitForMore(500));
    load_->Stop();
    load_->Verify(cluster_->proxy().port());
    EXPECT_EQ(cluster_->Status(0).epoch, epoch_) << "a copy was promoted or marked stale";
    cluster_->ExpectCopiesEqual();
  }
  Client Connect() { return cluster_->Connect(); }
  // A figure of the shard, as PROXY SHARDS has it at once and INFO stats within a second.
  int64_t Figure(const std::string& name) {
    const int64_t figure = Connect()("PROXY", "SHARDS").items.at(0).Field(name).integer;
    EXPECT_TRUE(Eventually([&] { return cluster_->Figure(name) >= figure; })) << name;
    return figure;
  }

  std::unique_ptr<Cluster> cluster_;
  std::unique_ptr<Load> load_;
  int64_t epoch_ = 0;
};

TEST_P(HostileRequests, ADeeplyNestedReplyIsForwardedAsItIs) {
  Begin({});
  for (const int levels : {33, 40, 120}) {
    std::string expected;
    for (int i = 0; i < levels; ++i) expected += "*1\r\n";
    expected += "*0\r\n";
    RawSocket client(cluster_->proxy().port());
    client.Send(Encode({"EVAL_RO", Deep(levels), "0"}) + Encode({"PING"}));
    EXPECT_EQ(client.Read(expected.size() + 7), expected + "+PONG\r\n");
  }
  End();
}

// The client leaves before it has read anything.
TEST_P(HostileRequests, ManyLargeRepliesToAClientThatLeaves) {
  Begin({"--client-output-buffer-limit", "normal 256mb 128mb 60"});
  ASSERT_EQ(Connect()("SET", "big", std::string(8 * kMb, 'b')), "OK");
  for (int i = 0; i < 3; ++i) {
    RawSocket client(cluster_->proxy().port());
    for (int j = 0; j < 64; ++j) client.Send(Encode({"GET", "big"}));
    std::this_thread::sleep_for(std::chrono::seconds(1));
  }
  End();
}

// Each by itself is within the limit, but nobody knows before how large what they ask for is.
TEST_P(HostileRequests, ManyClientsWithLargeRepliesAtOnce) {
  Begin({"--client-output-buffer-limit", "normal 16mb 8mb 60"});
  {
    // Behind the proxy's back it would be the audit's; so by small pieces.
    Client writer = Connect();
    for (int i = 0; i < 12; ++i) {
      const std::string key = "list" + std::to_string(i);
      for (int j = 0; j < 40; ++j) writer("RPUSH", key, std::string(50000, 'x'));
    }
  }
  std::vector<std::thread> threads;
  std::atomic<int> good{0};
  for (int i = 0; i < 12; ++i) {
    threads.emplace_back([&, i] {
      Client client = Connect();
      for (int j = 0; j < 8; ++j) client.Append({"LRANGE", "list" + std::to_string(i), "0", "-1"});
      for (int j = 0; j < 8; ++j) {
        if (client.Read().items.size() == 40) ++good;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  if (GetParam() > 1) {
    EXPECT_EQ(good, 12 * 8);
    End();
  } else {
    load_->Stop();  // what was in flight on the only connection is not known
    EXPECT_EQ(good, 12 * 8);
  }
}

// Far below a megabyte each, and more than the node keeps for one client together.
TEST_P(HostileRequests, ManyRepliesBelowAMegabyteAtOnce) {
  Begin({"--client-output-buffer-limit", "normal 32mb 16mb 60"});
  {
    Client writer = Connect();
    for (int j = 0; j < 10; ++j)
      ASSERT_FALSE(writer("RPUSH", "l", std::string(50000, 'x')).IsError());
  }
  std::vector<Client> clients;
  for (int i = 0; i < 12; ++i) {
    clients.push_back(Connect());
    EXPECT_EQ(clients.back()("LRANGE", "l", "0", "-1").items.size(), 10u);
  }
  std::vector<std::thread> threads;
  std::atomic<int> good{0};
  for (Client& client : clients) {
    threads.emplace_back([&] {
      try {
        for (int j = 0; j < 40; ++j) client.Append({"LRANGE", "l", "0", "-1"});
        for (int j = 0; j < 40; ++j) {
          if (client.Read().items.size() == 10) ++good;
        }
      } catch (const std::runtime_error& failure) {
        ADD_FAILURE() << failure.what();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good, 12 * 40);
  EXPECT_FALSE(Has(cluster_->proxy().Log(), "lost the connection to"))
      << "a node has closed a link";
  End();
}

TEST_P(HostileRequests, MemoryOfClientsIsBounded) {
  Begin({"--maxmemory-clients", "100mb"});
  ASSERT_EQ(Connect()("SET", "big", std::string(8 * kMb, 'b')), "OK");
  for (int i = 0; i < 2; ++i) {
    Client client = Connect();
    for (int j = 0; j < 32; ++j) client.Append({"GETEX", "big"});
    for (int j = 0; j < 32; ++j) ASSERT_EQ(client.Read().bytes.size(), 8 * kMb);
  }
  End();
}

// No node would ever give it to anybody: its client is told so, and nobody else waits for it.
TEST_P(HostileRequests, AReplyThatIsMoreThanTheNodeGives) {
  Begin({"--client-output-buffer-limit", "normal 4mb 2mb 60"});
  {
    Client writer = Connect();
    for (int j = 0; j < 160; ++j) writer("RPUSH", "list", std::string(50000, 'x'));
  }
  if (GetParam() == 1) load_->Stop();  // what is in flight on the only connection is not known
  for (int i = 0; i < 20; ++i) {
    Client client = Connect();
    const std::string text = client("LRANGE", "list", "0", "-1").Text();
    EXPECT_TRUE(text.starts_with("-ERR the connection to node 127.0.0.1:")) << text.substr(0, 200);
    EXPECT_EQ(client("LLEN", "list"), ":160") << "the session goes on";
  }
  EXPECT_GE(Figure("side_reads"), 10);
  EXPECT_GE(Figure("blamed_reads"), 10);
  EXPECT_EQ(Figure("refused_large"), 0);
  if (GetParam() == 1) {
    // Known by now: nobody notices any more.
    Client writer = Connect();
    ASSERT_EQ(writer("FLUSHALL"), "OK");
    for (int j = 0; j < 160; ++j) writer("RPUSH", "list", std::string(50000, 'x'));
    load_ = std::make_unique<Load>(cluster_->proxy().port(), Load::Options{});
    for (int i = 0; i < 20; ++i) EXPECT_TRUE(Connect()("LRANGE", "list", "0", "-1").IsError());
  }
  End();
}

TEST_P(HostileRequests, AnArgumentLongerThanTheNodesTake) {
  Begin({"--proto-max-bulk-len", "1mb"});
  for (int i = 0; i < 10; ++i) {
    Client client = Connect();
    EXPECT_EQ(client("SET", "large", std::string(3 * kMb, 'x')),
              "-ERR Protocol error: invalid bulk length");
    EXPECT_TRUE(client("GET", std::string(2 * kMb, 'k')).IsError());
    EXPECT_EQ(client("SET", "fits", std::string(kMb, 'x')), "OK");
    EXPECT_EQ(client("EXISTS", "large"), ":0");
  }
  EXPECT_EQ(Figure("refused_large"), 20);
  EXPECT_EQ(Figure("blamed_reads"), 0);
  End();
}

TEST_P(HostileRequests, AnArgumentLongerThanTheQueryBuffer) {
  Begin({"--client-query-buffer-limit", "1mb"});
  for (int i = 0; i < 10; ++i) {
    EXPECT_TRUE(Connect()("SET", "large", std::string(3 * kMb, 'x')).IsError());
  }
  End();
}

// The limit is lowered while the connections stand, or the node does not tell it: what is behind
// such a request was not read, and goes again.
TEST_P(HostileRequests, ALimitThatIsFoundOut) {
  Begin({});
  for (int copy = 0; copy < GetParam(); ++copy) {
    ASSERT_EQ(cluster_->node(0, copy).Connect()("CONFIG", "SET", "proto-max-bulk-len", "1mb"),
              "OK");
  }
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(Connect()("SET", "large", std::string(3 * kMb, 'x')),
              "-ERR Protocol error: invalid bulk length");
  }
  End();
}

INSTANTIATE_TEST_SUITE_P(Copies, HostileRequests, ::testing::Values(1, 2));

// A client pipelines a read and a write of the same key, and the primary hangs or dies in between:
// the read is answered by the other copy, which must not have the write yet.
TEST(SessionOrder, AReadThatIsMovedSeesNoLaterWriteOfItsSession) {
  for (const bool hang : {true, false}) {
    ClusterOptions options;
    options.shards = 1;
    options.sections["health"] = kImpatientProbes;
    Cluster cluster(options);
    for (int round = 0; round < 4; ++round) {
      ASSERT_TRUE(cluster.WaitUntilInSync());
      Client client = cluster.Connect();
      ASSERT_EQ(client("SET", "k", "old"), "OK");
      ASSERT_EQ(client("HSET", "h", "f", "old").Text().substr(0, 1), ":");
      RedisNode& primary = cluster.Status(0).primary == cluster.node(0, 0).address()
                               ? cluster.node(0, 0)
                               : cluster.node(0, 1);
      primary.Pause();
      client.Append({"GET", "k"});
      client.Append({"SET", "k", "new"});
      client.Append({"GET", "k"});
      client.Append({"MGET", "k", "x"});
      client.Append({"MSET", "k", "newest", "x", "y"});
      client.Append({"HGETALL", "h"});
      client.Append({"DEL", "h"});
      std::thread other([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        if (!hang) primary.Kill();
      });
      EXPECT_EQ(client.Read(), "old");
      EXPECT_EQ(client.Read(), "OK");
      EXPECT_EQ(client.Read(), "new");
      EXPECT_EQ(client.Read(), "[new (nil)]");
      EXPECT_EQ(client.Read(), "OK");
      EXPECT_EQ(client.Read(), "[f old]");
      EXPECT_EQ(client.Read(), ":1");
      EXPECT_EQ(client("DEL", "x"), ":1");
      other.join();
      hang ? primary.Resume() : primary.Start();
    }
  }
}

}  // namespace
}  // namespace gemel::e2e::hostile_requests_test
