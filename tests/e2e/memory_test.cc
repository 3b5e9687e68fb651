// [limits] buffered bounds what is held for clients and nodes, whoever makes it grow; the others go
// on; and memory is given back.

#include <gtest/gtest.h>

#include <thread>

#include "tests/e2e/cluster.h"
#include "tests/e2e/raw_socket.h"

namespace gemel::e2e::memory_test {
namespace {

constexpr uint64_t kMb = 1 << 20;
// What is not counted: the loop's scratch memory, sessions, small holes. Sanitizers keep freed
// memory (AddressSanitizer 256 MB of it) and put shadows beside it.
uint64_t Slack() { return ProxySanitizer() == Sanitizer::kNone ? 16 * kMb : 700 * kMb; }

uint64_t Number(Client client, const std::string& field) {
  const std::string info = client("INFO").bytes;
  const size_t at = info.find("\r\n" + field + ":");
  if (at == std::string::npos) throw std::runtime_error("INFO has no " + field);
  return std::stoull(info.substr(at + field.size() + 3));
}

// Clients that send as much as is taken of them and read nothing.
class Crowd {
 public:
  Crowd(Cluster* cluster, size_t count, std::string bytes)
      : cluster_(cluster), bytes_(std::move(bytes)), sent_(count) {
    for (size_t i = 0; i < count; ++i) {
      sockets_.push_back(std::make_unique<RawSocket>(cluster->proxy().port()));
    }
  }
  RawSocket& socket(size_t i) { return *sockets_[i]; }
  bool SentAll(size_t i) const { return sent_[i] == bytes_.size(); }
  bool SentAllOfThem() const {
    return std::all_of(sent_.begin(), sent_.end(),
                       [this](size_t sent) { return sent == bytes_.size(); });
  }
  // Sends until nothing more is taken for half a second, or for `patience` where that is given and
  // not all is sent; those that are closed are left. Returns the most memory that the proxy had
  // meanwhile.
  uint64_t Push(std::chrono::seconds patience = {}) {
    uint64_t most = 0;
    const int enough = patience.count() == 0 ? 50 : static_cast<int>(patience.count() * 100);
    for (int idle = 0; idle < enough; ++idle) {
      for (size_t i = 0; i < sockets_.size(); ++i) {
        if (SentAll(i)) continue;
        try {
          const size_t sent = sockets_[i]->SendSome(std::string_view(bytes_).substr(sent_[i]));
          sent_[i] += sent;
          if (sent > 0) idle = 0;
        } catch (const std::runtime_error&) {
          sent_[i] = bytes_.size();
          ++closed;
        }
      }
      most = std::max(most, cluster_->proxy().ResidentBytes());
      if (patience.count() > 0 && SentAllOfThem()) break;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return most;
  }
  size_t closed = 0;

 private:
  Cluster* cluster_;
  const std::string bytes_;
  std::vector<size_t> sent_;  // of it, by client
  std::vector<std::unique_ptr<RawSocket>> sockets_;
};

std::string Repeat(const std::string& text, size_t count) {
  std::string all;
  for (size_t i = 0; i < count; ++i) all += text;
  return all;
}

// Half of a SET of that many bytes.
std::string HalfOfSet(const std::string& key, size_t size) {
  const std::string whole = Encode({"SET", key, std::string(size, 'v')});
  return whole.substr(0, whole.size() / 2);
}

const char* const kSmall = "buffered = \"64mb\"\nclient_output = \"4mb\"";
uint64_t SmallMost() { return 64 * kMb + 64 * kMb / 10 + Slack(); }

TEST(Memory, ClientsThatHaveNotAuthenticatedHoldLittle) {
  Cluster cluster({.shards = 1, .copies = 1, .sections = {{"limits", kSmall}}});
  Client client = cluster.Connect();
  ASSERT_EQ(client("CONFIG", "SET", "requirepass", "secret"), "OK");
  const uint64_t before = cluster.proxy().ResidentBytes();
  // Each gets an error to each, and reads none.
  Crowd crowd(&cluster, 300, Repeat("GET x\r\n", 1000000));
  EXPECT_LT(crowd.Push(), before + 40 * kMb + Slack());
  Client polite = cluster.Connect();
  EXPECT_EQ(polite("AUTH", "secret"), "OK");
  EXPECT_EQ(polite("SET", "k", "v"), "OK");
  EXPECT_EQ(polite("GET", "k"), "v");
}

TEST(Memory, UnfinishedRequestsCount) {
  for (const int workers : {1, 2}) {
    Cluster cluster(
        {.shards = 1, .copies = 1, .workers = workers, .sections = {{"limits", kSmall}}});
    EXPECT_EQ(cluster.Connect()("SET", "k", "v"), "OK");
    const uint64_t before = cluster.proxy().ResidentBytes();
    Crowd crowd(&cluster, 40, HalfOfSet("big", 20 * kMb));
    EXPECT_LT(crowd.Push(), before + SmallMost());
    EXPECT_EQ(cluster.Connect()("GET", "k"), "v");
    EXPECT_EQ(cluster.Connect()("SET", "k", std::string(kMb, 'w')), "OK");
    EXPECT_TRUE(
        Eventually([&] { return Number(cluster.Connect(), "buffered_closed_clients") > 0; }));
    EXPECT_TRUE(cluster.proxy().Logs("[limits] buffered"));
  }
}

// What is announced and does not come takes nothing.
TEST(Memory, AnnouncedBytesAreNotHeld) {
  Cluster cluster({.shards = 1, .copies = 1, .sections = {{"limits", kSmall}}});
  Crowd crowd(&cluster, 100,
              "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$500000000\r\n" + std::string(100000, 'v'));
  crowd.Push();
  EXPECT_EQ(crowd.closed, 0u);
  EXPECT_EQ(Number(cluster.Connect(), "buffered_closed_clients"), 0u);
}

// All of them together would be too much: they wait for each other, and each is served.
TEST(Memory, LargeRequestsComeInOneAfterTheOther) {
  // The last one waits for all others, on whatever machine.
  Cluster cluster({.shards = 1,
                   .copies = 1,
                   .sections = {{"limits", kSmall}, {"timeouts", "request_ms = 120000"}}});
  const uint64_t before = cluster.proxy().ResidentBytes();
  Crowd crowd(&cluster, 30, Encode({"SET", "k", std::string(10 * kMb, 'v')}));
  EXPECT_LT(crowd.Push(std::chrono::seconds(60)), before + SmallMost());
  EXPECT_EQ(crowd.closed, 0u);
  for (size_t i = 0; i < 30; ++i) EXPECT_EQ(crowd.socket(i).Read(5), "+OK\r\n") << i;
  EXPECT_EQ(cluster.Connect()("STRLEN", "k"), ":" + std::to_string(10 * kMb));
}

// Who sends a large request byte by byte does not keep others from sending theirs.
TEST(Memory, SlowRequestsAreNotWaitedFor) {
  Cluster cluster({.shards = 1, .copies = 1, .sections = {{"limits", kSmall}}});
  const std::string slow = Encode({"SET", "slow", std::string(11 * kMb, 'v')});
  Crowd crowd(&cluster, 4, slow.substr(0, 10 * kMb));
  crowd.Push();
  std::atomic<bool> done = false;
  std::thread drip([&] {
    for (size_t at = 10 * kMb; !done; ++at) {
      for (size_t i = 0; i < 4; ++i) {
        try {
          crowd.socket(i).SendSome(slow.substr(at, 1));
        } catch (const std::runtime_error&) {  // it was closed
        }
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
  });
  EXPECT_EQ(cluster.Connect()("SET", "k", std::string(5 * kMb, 'v')), "OK");
  done = true;
  drip.join();
}

// The nodes' replies and the proxy's own, all the same to who does not read them.
TEST(Memory, RepliesThatAreNotTakenCount) {
  Cluster cluster({.shards = 1, .copies = 1, .sections = {{"limits", kSmall}}});
  EXPECT_EQ(cluster.Connect()("SET", "big", std::string(kMb, 'v')), "OK");
  const uint64_t before = cluster.proxy().ResidentBytes();
  // Of what each may have for itself, all of them would have more than what is for all.
  Crowd nodes(&cluster, 24, Repeat(Encode({"GET", "big"}), 100));
  EXPECT_LT(nodes.Push(), before + SmallMost());
  // Replies that take long to make (COMMAND) would have those behind them wait on a slow machine.
  Crowd own(&cluster, 24, Repeat(Encode({"INFO", "server"}) + Encode({"PROXY", "HELP"}), 1000));
  EXPECT_LT(own.Push(), before + SmallMost());
  EXPECT_EQ(cluster.Connect()("SET", "k", "v"), "OK");
  EXPECT_EQ(cluster.Connect()("GET", "big"), std::string(kMb, 'v'));
}

TEST(Memory, RepliesBehindAHungShardCount) {
  Cluster cluster(
      {.copies = 1, .sections = {{"limits", kSmall}, {"timeouts", "request_ms = 60000"}}});
  const std::string slow = cluster.KeyOn(1);
  const std::string fast = cluster.KeyOn(0);
  EXPECT_EQ(cluster.Connect()("SET", fast, std::string(kMb, 'v')), "OK");
  const uint64_t before = cluster.proxy().ResidentBytes();
  cluster.node(1, 0).Pause();
  Crowd crowd(&cluster, 50, Encode({"GET", slow}) + Repeat(Encode({"GET", fast}), 100));
  EXPECT_LT(crowd.Push(), before + SmallMost());
  EXPECT_EQ(cluster.Connect()("GET", fast), std::string(kMb, 'v'));
  cluster.node(1, 0).Resume();
}

// Nobody is closed for what a node that hangs has not taken: they wait, the others go on.
TEST(Memory, RequestsToAHungShardCount) {
  Cluster cluster(
      {.copies = 1, .sections = {{"limits", kSmall}, {"timeouts", "request_ms = 60000"}}});
  const std::string slow = cluster.KeyOn(1);
  const std::string fast = cluster.KeyOn(0);
  const uint64_t before = cluster.proxy().ResidentBytes();
  cluster.node(1, 0).Pause();
  Crowd crowd(&cluster, 50, Repeat(Encode({"SET", slow, std::string(100000, 'v')}), 20));
  EXPECT_LT(crowd.Push(), before + SmallMost());
  EXPECT_EQ(cluster.Connect()("SET", fast, std::string(kMb, 'v')), "OK");
  EXPECT_EQ(cluster.Connect()("GET", fast), std::string(kMb, 'v'));
  EXPECT_EQ(crowd.closed, 0u);
  cluster.node(1, 0).Resume();
  crowd.Push(std::chrono::seconds(60));
  for (size_t i = 0; i < 50; ++i) {
    ASSERT_TRUE(crowd.SentAll(i));
    EXPECT_EQ(crowd.socket(i).Read(100), Repeat("+OK\r\n", 20));
  }
}

TEST(Memory, PartsThatAreGatheredCount) {
  Cluster cluster({.copies = 1, .sections = {{"limits", kSmall}}});
  const std::string one = cluster.KeyOn(0);
  const std::string two = cluster.KeyOn(1);
  Client client = cluster.Connect();
  EXPECT_EQ(client("SET", one, std::string(kMb, 'v')), "OK");
  EXPECT_EQ(client("SET", two, std::string(kMb, 'w')), "OK");
  const uint64_t before = cluster.proxy().ResidentBytes();
  // Each part is too large, or both are with the whole that is made of them.
  for (const int times : {300, 25}) {
    std::vector<std::string> mget = {"MGET"};
    for (int i = 0; i < times; ++i) mget.insert(mget.end(), {one, two});
    uint64_t most = 0;
    std::atomic<bool> done = false;
    std::thread watch([&] {
      while (!done) {
        most = std::max(most, cluster.proxy().ResidentBytes());
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
    });
    const Reply reply = client.Run(mget);
    done = true;
    watch.join();
    const Reply& error = reply.items.empty() ? reply : reply.items[0];
    EXPECT_TRUE(error.IsError()) << error.Text().substr(0, 100);
    EXPECT_NE(error.bytes.find("buffered"), std::string::npos) << error.Text().substr(0, 200);
    EXPECT_LT(most, before + SmallMost());
    // The same client goes on, and so do the links: nobody else has noticed.
    EXPECT_EQ(client("STRLEN", one), ":" + std::to_string(kMb));
    EXPECT_EQ(client.Run({"MGET", one, two}).items.size(), 2u);
  }
  for (const ShardStatus& shard : cluster.Status()) EXPECT_EQ(shard.epoch, 1);
  EXPECT_EQ(Number(cluster.Connect(), "buffered_closed_clients"), 0u);
}

TEST(Memory, IsGivenBack) {
  Cluster cluster({.shards = 1, .copies = 1});
  Client client = cluster.Connect();
  EXPECT_EQ(client("SET", "k", std::string(2000, 'v')), "OK");
  const uint64_t fresh = cluster.proxy().ResidentBytes();
  {
    // Small replies, requests in large numbers, and large buffers.
    Crowd small(&cluster, 20, Repeat(Encode({"GET", "k"}), 10000));
    Crowd many(&cluster, 20, Repeat("*1\r\n$4\r\nPING\r\n", 50000));
    Crowd large(&cluster, 10, HalfOfSet("big", 20 * kMb));
    EXPECT_TRUE(Eventually([&] { return small.Push() > fresh + 100 * kMb; }));
    many.Push();
    large.Push();
    Words keys(300'000, "k");
    keys.insert(keys.begin(), "EXISTS");
    RawSocket arguments(cluster.proxy().port());
    arguments.Send(Encode(keys));
    EXPECT_EQ(arguments.Read(9), ":300000\r\n");
  }
  if (ProxySanitizer() != Sanitizer::kNone) return;  // which keep what is freed
  uint64_t now = 0;
  EXPECT_TRUE(Eventually([&] {
    now = cluster.proxy().ResidentBytes();
    return now <= fresh + fresh / 2;
  })) << now
      << " bytes, fresh: " << fresh;
  // Clients that have left are noticed one by one.
  EXPECT_TRUE(Eventually([&] {
    now = Number(cluster.Connect(), "buffered_bytes");
    return now < kMb;
  })) << now;
}

// A client may write all that it has to ask before it reads anything.
TEST(Memory, AClientMayWriteForLongBeforeItReads) {
  Cluster cluster({.shards = 1, .copies = 1});
  Client client = cluster.Connect();
  EXPECT_EQ(client("SET", "k", std::string(200, 'v')), "OK");
  constexpr int kRequests = 1500000;
  RawSocket writer(cluster.proxy().port());
  const std::string some = Repeat(Encode({"GET", "k"}), 1000);
  for (int i = 0; i < kRequests / 1000; ++i) writer.Send(some);
  const std::string reply = "$200\r\n" + std::string(200, 'v') + "\r\n";
  const std::string replies = Repeat(reply, 1000);
  for (int i = 0; i < kRequests / 1000; ++i) ASSERT_EQ(writer.Read(replies.size()), replies);
}

TEST(Memory, ReachingTheLimitOfAClientIsLogged) {
  Cluster cluster({.shards = 1, .copies = 1, .sections = {{"limits", "client_output = \"1mb\""}}});
  EXPECT_EQ(cluster.Connect()("SET", "k", std::string(10000, 'v')), "OK");
  Crowd crowd(&cluster, 1, Repeat(Encode({"GET", "k"}), 10000));
  crowd.Push();
  EXPECT_TRUE(cluster.proxy().Logs("it is not read from while more than [limits] client_output"));
}

// 1.5 GB in large values, read by and by.
TEST(Memory, ManyLargeRepliesAreReadSlowly) {
  Cluster cluster({.shards = 1, .copies = 1});
  Client client = cluster.Connect();
  constexpr size_t kValue = 10 * kMb;
  EXPECT_EQ(client("SET", "k", std::string(kValue, 'v')), "OK");
  RawSocket slow(cluster.proxy().port());
  slow.Send(Repeat(Encode({"GET", "k"}), 150));
  const std::string head = "$" + std::to_string(kValue) + "\r\n";
  for (int i = 0; i < 150; ++i) {
    ASSERT_EQ(slow.Read(head.size()), head) << i;
    ASSERT_EQ(slow.Read(kValue + 2).substr(kValue), "\r\n");
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

// Each client has one order at a time, and those of clients that have left are dropped.
TEST(Memory, OrdersThatQueue) {
  Cluster cluster({.shards = 1, .copies = 1, .sections = {{"limits", kSmall}}});
  const uint64_t before = cluster.proxy().ResidentBytes();
  {
    std::string orders;
    for (int i = 0; i < 1000; ++i) {
      orders += Encode({"CONFIG", "SET", "timeout", std::to_string(1000 + i)});
      orders += Encode({"PROXY", "RELOAD"});
    }
    Crowd crowd(&cluster, 200, orders);
    EXPECT_LT(crowd.Push(), before + SmallMost());
    EXPECT_EQ(cluster.Connect()("CONFIG", "SET", "timeout", "77"), "OK");
  }
  // Nothing goes on behind those that have left.
  uint64_t last = 0;
  EXPECT_TRUE(Eventually([&] {
    const uint64_t now = Number(cluster.Connect(), "reloads");
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    return std::exchange(last, now) == now && Number(cluster.Connect(), "reloads") == now;
  }));
  Client client = cluster.Connect();
  EXPECT_TRUE(client("CONFIG", "SET", "timeout", std::string(100000, '1')).IsError());
  EXPECT_EQ(client("CONFIG", "SET", "timeout", "78"), "OK");
}

}  // namespace
}  // namespace gemel::e2e::memory_test
