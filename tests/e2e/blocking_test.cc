// Commands that wait: BLPOP and its like, XREAD and XREADGROUP with BLOCK, CLIENT UNBLOCK. What a
// client gets is what it gets from Redis, whoever wakes it; nothing is lost, and nothing is served
// twice.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/e2e/cluster.h"
#include "tests/e2e/raw_socket.h"
#include "tests/e2e/redis_node.h"
#include "tests/e2e/wait.h"
#include "tests/e2e/wire.h"

namespace gemel::e2e::blocking_test {
namespace {

// What waits, what is done meanwhile, in lines (see WordsOf).
struct Scene {
  std::vector<std::string> before;
  std::string waits;
  std::vector<std::string> acts;
};

const std::vector<Scene> kScenes = {
    {{}, "BLPOP q 0", {"RPUSH q a b", "LRANGE q 0 -1"}},
    {{}, "BRPOP q 0", {"RPUSH q a b", "LRANGE q 0 -1"}},
    {{}, "BLPOP q r 0", {"RPUSH r a", "EXISTS r"}},
    {{},
     "BLPOP r q 0",
     {"MULTI", "RPUSH q a", "RPUSH r b", "EXEC", "LRANGE q 0 -1", "LRANGE r 0 -1"}},
    {{}, "BLPOP q 0", {"MULTI", "RPUSH q a", "DEL q", "RPUSH q b", "EXEC", "LRANGE q 0 -1"}},
    {{}, "BLPOP q 0", {"MULTI", "RPUSH q a", "DEL q", "EXEC", "RPUSH q b", "LRANGE q 0 -1"}},
    {{}, "BLPOP q 0", {"EVAL redis.call('rpush',KEYS[1],'a','b') 1 q", "LRANGE q 0 -1"}},
    {{"RPUSH from a b"}, "BLPOP q 0", {"RENAME from q", "LRANGE q 0 -1"}},
    {{"RPUSH from a b"}, "BLPOP q 0", {"COPY from q", "LRANGE q 0 -1"}},
    {{"RPUSH from a b"}, "BLPOP q 0", {"LMOVE from q LEFT LEFT", "LRANGE from 0 -1", "EXISTS q"}},
    {{"SADD set 3 1 2"}, "BLPOP q 0", {"SORT set STORE q", "LRANGE q 0 -1"}},
    {{}, "BLPOP q 0", {"SET q v", "DEL q", "RPUSH q a"}},
    {{}, "BLPOP q 0", {"LPUSHX q a", "ZADD q 1 m", "DEL q", "LPUSH q c b a", "LRANGE q 0 -1"}},
    {{"SELECT 1", "RPUSH q a", "SELECT 0"}, "BLPOP q 0", {"SWAPDB 0 1", "EXISTS q"}},
    {{"SELECT 1", "RPUSH q a", "SELECT 0"},
     "BLPOP q 0",
     {"SELECT 1", "MOVE q 0", "SELECT 0", "EXISTS q"}},
    {{}, "BLMOVE q r LEFT RIGHT 0", {"RPUSH q a b", "LRANGE q 0 -1", "LRANGE r 0 -1"}},
    {{}, "BRPOPLPUSH q q 0", {"RPUSH q a b", "LRANGE q 0 -1"}},
    {{"SET r v"}, "BLMOVE q r LEFT RIGHT 0", {"RPUSH q a", "LRANGE q 0 -1"}},
    {{}, "BLMPOP 0 2 q r LEFT COUNT 3", {"RPUSH r a b c d", "LRANGE r 0 -1"}},
    {{}, "BLMPOP 0 2 q r RIGHT", {"RPUSH q a b", "LRANGE q 0 -1"}},
    {{}, "BZPOPMIN z 0", {"ZADD z 2 b 1 a", "ZRANGE z 0 -1"}},
    {{}, "BZPOPMAX y z 0", {"ZADD z 2.5 b 1 a", "ZRANGE z 0 -1"}},
    {{}, "BZMPOP 0 2 y z MIN COUNT 2", {"ZADD z 2 b 1 a 3 c", "ZRANGE z 0 -1"}},
    {{"ZADD y 1 a 2 b"}, "BZPOPMIN z 0", {"ZUNIONSTORE z 1 y", "ZRANGE z 0 -1"}},
    {{}, "XREAD BLOCK 0 STREAMS s $", {"XADD s 1-1 f v", "XADD s 1-2 f v"}},
    {{"XADD s 1-1 f v"}, "XREAD BLOCK 0 STREAMS s $", {"XADD s 1-2 f v"}},
    {{"XADD s 1-1 f v"}, "XREAD BLOCK 0 COUNT 1 STREAMS s t 1-1 $", {"XADD t 5-2 f v"}},
    {{"XADD s 1-1 f v"},
     "XREAD BLOCK 0 STREAMS s $",
     {"DEL s", "SET s v", "DEL s", "XADD s 7-1 f v"}},
    {{"XGROUP CREATE s g $ MKSTREAM"},
     "XREADGROUP GROUP g c BLOCK 0 STREAMS s >",
     {"XADD s 1-1 f v", "XPENDING s g"}},
    {{"XGROUP CREATE s g $ MKSTREAM"},
     "XREADGROUP GROUP g c BLOCK 0 NOACK STREAMS s >",
     {"XADD s 1-1 f v", "XPENDING s g"}},
    {{"XGROUP CREATE s g $ MKSTREAM"}, "XREADGROUP GROUP g c BLOCK 0 STREAMS s >", {"DEL s"}},
    {{"XGROUP CREATE s g $ MKSTREAM"}, "XREADGROUP GROUP g c BLOCK 0 STREAMS s >", {"SET s v"}},
    {{"XGROUP CREATE s g $ MKSTREAM"},
     "XREADGROUP GROUP g c BLOCK 0 STREAMS s >",
     {"XGROUP DESTROY s g"}},
    {{"XGROUP CREATE s g $ MKSTREAM"}, "XREADGROUP GROUP g c BLOCK 0 STREAMS s >", {"FLUSHALL"}},
    {{"XGROUP CREATE s g $ MKSTREAM"}, "XREADGROUP GROUP g c BLOCK 0 STREAMS s >", {"RENAME s t"}},
};

// Nobody waits for these, or only for a moment.
const std::vector<std::string> kAtOnce = {
    "RPUSH q a b c d e f",
    "BLPOP q 0",
    "BRPOP none q 0",
    "BLMOVE q r LEFT RIGHT 0",
    "BLMPOP 0 2 none q RIGHT COUNT 2",
    "BLPOP none 0.01",
    "BLMOVE none r LEFT LEFT 0.01",
    "BLMPOP 0.01 1 none LEFT",
    "BZPOPMIN none 0.01",
    "XREAD BLOCK 1 STREAMS none $",
    "BLPOP q -1",
    "BLPOP q x",
    "BLPOP q nan",
    "BLPOP q 1e400",
    "BLPOP q 9223372036854775807",
    "BLPOP q \"\"",
    "BLPOP q 0x0",
    "BLMOVE q r UP LEFT 0",
    "BLMOVE q r LEFT LEFT x",
    "BLMPOP 0 0 q LEFT",
    "BLMPOP 0 1 q UP",
    "BLMPOP 0 1 q LEFT COUNT 0",
    "BLMPOP x 1 q LEFT",
    "BZMPOP 0 1 q UP",
    "XREAD BLOCK -1 STREAMS s $",
    "XREAD BLOCK x STREAMS s $",
    "XREAD BLOCK 1 STREAMS s",
    "XREAD BLOCK 1 STREAMS q $",
    "XREADGROUP GROUP none c BLOCK 1 STREAMS s >",
    "SET string v",
    "BLPOP string 0",
    "BLPOP none string 0",
    "RPUSH q z",
    "BZPOPMIN q 0",
    "MULTI",
    "BLPOP none 0",
    "BLMOVE none r LEFT LEFT 0",
    "BLMPOP 0 1 none LEFT",
    "BZPOPMAX none 0",
    "XREAD BLOCK 0 STREAMS none $",
    "BLPOP q 0",
    "EXEC",
    "CLIENT UNBLOCK 123456789",
    "CLIENT UNBLOCK x",
    "CLIENT UNBLOCK 1 x",
    "EVAL return\\_redis.pcall('blmpop',0,1,KEYS[1],'left') 1 none",
};

// Shards, workers.
class Blocking : public ::testing::TestWithParam<int> {
 protected:
  Blocking() : cluster_({.shards = 1, .workers = GetParam()}) {}

  bool WaitUntilWaiting(int64_t count) { return WaitIn(cluster_, count); }
  static bool WaitIn(const Cluster& cluster, int64_t count) {
    Client client = cluster.Connect();
    const std::string wanted = ":" + std::to_string(count);
    return Eventually(
        [&] { return client("PROXY", "SHARDS").items.at(0).Field("blocked_clients") == wanted; });
  }
  Cluster cluster_;
};

bool WaitsThere(Client& redis, int64_t count) {
  const std::string wanted = "blocked_clients:" + std::to_string(count) + "\r";
  return Eventually(
      [&] { return redis("INFO", "clients").bytes.find(wanted) != std::string::npos; });
}

TEST_P(Blocking, ClientsGetWhatRedisSays) {
  RedisNode alone({"--enable-debug-command", "yes"});
  Client watcher(alone.port());
  for (const char* protocol : {"2", "3"}) {
    for (const Scene& scene : kScenes) {
      SCOPED_TRACE(scene.waits + " / " + scene.acts[0] + " RESP" + protocol);
      std::vector<std::string> told[2];
      for (const bool gemel : {true, false}) try {
          const uint16_t port = gemel ? cluster_.proxy().port() : alone.port();
          std::vector<std::string>& all = told[gemel ? 0 : 1];
          Wire waits(port);
          Wire acts(port);
          acts.Ask({"FLUSHALL"});
          for (Wire* wire : {&waits, &acts}) wire->Ask({"HELLO", protocol});
          for (const std::string& line : scene.before) all.push_back(acts.Ask(WordsOf(line)));
          waits.Send(Encode(WordsOf(scene.waits)));
          ASSERT_TRUE(gemel ? WaitUntilWaiting(1) : WaitsThere(watcher, 1));
          for (const std::string& line : scene.acts) {
            if (line.starts_with("EVAL")) {
              const size_t end = line.rfind(')') + 1;
              Words words = {"EVAL", line.substr(5, end - 5)};
              for (const std::string& word : WordsOf(line.substr(end + 1))) words.push_back(word);
              all.push_back(acts.Ask(words));
            } else {
              all.push_back(acts.Ask(WordsOf(line)));
            }
          }
          all.push_back(waits.Read());
          ASSERT_TRUE(gemel ? WaitUntilWaiting(0) : WaitsThere(watcher, 0));
        } catch (const std::runtime_error& error) {
          FAIL() << (gemel ? "gemel: " : "redis: ") << error.what() << " behind "
                 << told[gemel ? 0 : 1].size();
        }
      EXPECT_EQ(told[0], told[1]);
    }
    Wire gemel(cluster_.proxy().port());
    Wire redis(alone.port());
    for (Wire* wire : {&gemel, &redis}) wire->Ask({"FLUSHALL"});
    for (Wire* wire : {&gemel, &redis}) wire->Ask({"HELLO", protocol});
    for (const std::string& line : kAtOnce) {
      EXPECT_EQ(gemel.Ask(WordsOf(line)), redis.Ask(WordsOf(line))) << line;
    }
  }
  cluster_.ExpectCopiesEqual();
}

// In the order in which they came, whatever brings it.
TEST_P(Blocking, TheFirstIsServedFirst) {
  constexpr int kClients = 24;
  std::vector<std::unique_ptr<Client>> clients;
  Client act = cluster_.Connect();
  for (int round = 0; round < 4; ++round) {
    clients.clear();
    for (int i = 0; i < kClients; ++i) {
      clients.push_back(std::make_unique<Client>(cluster_.proxy().port()));
      clients.back()->Append(i % 3 == 0 ? Words{"BLPOP", "other", "q", "0"}
                                        : Words{"BLPOP", "q", "0"});
      clients.back()->Append({"PING"});
      clients.back()->Flush();
      ASSERT_TRUE(WaitUntilWaiting(i + 1));
    }
    Words push = {"RPUSH", "q"};
    for (int i = 0; i < kClients; ++i) push.push_back(std::to_string(i));
    if (round == 0) {
      act.Run(push);
    } else if (round == 1) {
      act("MULTI");
      for (int i = 0; i < kClients; ++i) act("RPUSH", "q", std::to_string(i));
      act("EXEC");
    } else if (round == 2) {
      push.insert(push.begin(),
                  {"EVAL", "for i=1,#ARGV do redis.call('RPUSH',KEYS[1],ARGV[i]) end", "1"});
      push.erase(push.begin() + 3);
      act.Run(push);
    } else {
      for (int i = 0; i < kClients; ++i) act("RPUSH", "q", std::to_string(i));
    }
    for (int i = 0; i < kClients; ++i) {
      EXPECT_EQ(clients[static_cast<size_t>(i)]->Read(), "[q " + std::to_string(i) + "]") << round;
      EXPECT_EQ(clients[static_cast<size_t>(i)]->Read(), "PONG");
    }
    EXPECT_EQ(act("EXISTS", "q"), ":0");
  }
  cluster_.ExpectCopiesEqual();
}

TEST_P(Blocking, WhoIsGoneGetsNothing) {
  Client act = cluster_.Connect();
  for (const bool killed : {false, true}) {
    auto waits = std::make_unique<Client>(cluster_.proxy().port());
    const std::string id = (*waits)("CLIENT", "ID").Text().substr(1);
    waits->Append({"BLPOP", "q", "0"});
    waits->Flush();
    ASSERT_TRUE(WaitUntilWaiting(1));
    if (killed) {
      EXPECT_EQ(act("CLIENT", "KILL", "ID", id), ":1");
    } else {
      waits.reset();
    }
    ASSERT_TRUE(WaitUntilWaiting(0));
    EXPECT_EQ(act("RPUSH", "q", "a"), ":1");
    EXPECT_EQ(act("LRANGE", "q", "0", "-1"), "[a]");
    act("DEL", "q");
  }
  cluster_.ExpectCopiesEqual();
}

// However it goes, and whatever it has asked for behind: as with redis-server that is not done.
TEST_P(Blocking, WhoHangsUpGetsNothing) {
  RedisNode alone;
  Client watcher(alone.port());
  const std::string large = Encode({"SET", "behind", std::string(32 << 10, 'x')});
  for (const std::string& behind :
       {std::string(), Encode({"SET", "behind", "v"}), std::string("*1\r\n$4\r\nPI"), large}) {
    for (const bool half : {true, false}) {
      for (const bool gemel : {true, false}) {
        SCOPED_TRACE(behind.substr(0, 30) + (half ? " half" : "") + (gemel ? " gemel" : " redis"));
        const uint16_t port = gemel ? cluster_.proxy().port() : alone.port();
        Client act(port);
        act("DEL", "q", "before", "behind");
        auto waits = std::make_unique<RawSocket>(port);
        waits->Send(Encode({"SET", "before", "v"}) + Encode({"BLPOP", "q", "0"}) + behind);
        ASSERT_TRUE(gemel ? WaitUntilWaiting(1) : WaitsThere(watcher, 1));
        EXPECT_EQ(waits->Read(5), "+OK\r\n");
        if (half) {
          waits->CloseWriting();
          EXPECT_EQ(waits->ReadUntilClosed(), "");
        } else {
          waits.reset();
        }
        ASSERT_TRUE(gemel ? WaitUntilWaiting(0) : WaitsThere(watcher, 0));
        EXPECT_EQ(act("RPUSH", "q", "a"), ":1");
        EXPECT_EQ(act("LRANGE", "q", "0", "-1"), "[a]");
        EXPECT_EQ(act("EXISTS", "before", "behind"), ":1");
      }
    }
  }
  cluster_.ExpectCopiesEqual();
}

// What it asked before has its effect first, though that waits for its turn.
TEST_P(Blocking, BehindOnesOwnWrites) {
  RedisNode alone;
  const std::vector<std::string> lines = {
      "SADD s a b",
      "SPOP s 2",
      "RPUSH q a",
      "BLPOP q 0",
      "SADD s a b",
      "SPOP s 2",
      "DEL q",
      "BLPOP q 0.01",
      "XADD st * f v",
      "XADD st 0-0 f v",
      "XREAD BLOCK 20 STREAMS st $",
      "RPUSH q b c",
      "SADD s a b",
      "SPOP s 2",
      "BLMOVE q r LEFT LEFT 0",
      "BRPOP r q 0",
      "LRANGE q 0 -1",
      "LRANGE r 0 -1",
  };
  std::string pipeline;
  for (const std::string& line : lines) pipeline += Encode(WordsOf(line));
  for (int round = 0; round < 6; ++round) {
    Wire gemel(cluster_.proxy().port());
    Wire redis(alone.port());
    for (Wire* wire : {&gemel, &redis}) {
      wire->Ask({"FLUSHALL"});
      wire->Send(pipeline);
    }
    for (const std::string& line : lines) {
      std::string told[2] = {gemel.Read(), redis.Read()};
      if (line.starts_with("SPOP") || line.starts_with("XADD st *")) continue;
      EXPECT_EQ(told[0], told[1]) << line;
    }
  }
}

// Of one key, in different ways: whatever it is, all are served who wait for that, however it came.
TEST_P(Blocking, OneKeyIsWaitedForInSeveralWays) {
  const std::vector<std::string> waits = {
      "BZPOPMIN q 0", "BLPOP q 0",         "BRPOP q 0",      "XREAD BLOCK 0 STREAMS q 0",
      "BLPOP q 0",    "BLMPOP 0 1 q LEFT", "BZPOPMAX q o 0", "BLMOVE q to LEFT LEFT 0"};
  RedisNode alone;
  Client filled(alone.port());
  filled("RPUSH", "from", "a", "b", "c", "d");
  const std::string value = filled("DUMP", "from").bytes;
  std::vector<std::string> told[2];
  size_t which = 0;
  for (const uint16_t port : {cluster_.proxy().port(), alone.port()}) {
    Client act(port);
    act("FLUSHALL");
    std::vector<std::unique_ptr<Client>> clients;
    for (const std::string& line : waits) {
      clients.push_back(std::make_unique<Client>(port));
      clients.back()->Append(WordsOf(line));
      clients.back()->Flush();
      ASSERT_TRUE(WaitsThere(act, static_cast<int64_t>(clients.size())));
    }
    std::vector<std::string>& all = told[which++];
    act("RESTORE", "q", "0", value);
    for (const size_t i : {1u, 2u, 4u, 5u}) all.push_back(clients[i]->Read().Text());
    all.push_back(act("SET", "q", "v").Text());
    all.push_back(act("BLPOP", "q", "0").Text());
    all.push_back(act("DEL", "q").Text());
    act("ZADD", "q", "1", "m", "2", "n");
    for (const size_t i : {0u, 6u}) all.push_back(clients[i]->Read().Text());
    act("RPUSH", "q", "e", "f");
    all.push_back(clients[7]->Read().Text());
    all.push_back(act("LRANGE", "q", "0", "-1").Text());
    act("DEL", "q");
    act("XADD", "q", "1-1", "f", "v");
    all.push_back(clients[3]->Read().Text());
  }
  EXPECT_EQ(told[0], told[1]);
  cluster_.ExpectCopiesEqual();
}

TEST_P(Blocking, ClientUnblock) {
  Client act = cluster_.Connect();
  Client waits = cluster_.Connect();
  const std::string id = waits("CLIENT", "ID").Text().substr(1);
  for (const Words& how : std::vector<Words>{{}, {"TIMEOUT"}, {"ERROR"}}) {
    waits.Append({"BLPOP", "q", "0"});
    waits.Flush();
    ASSERT_TRUE(WaitUntilWaiting(1));
    EXPECT_NE(act("CLIENT", "LIST", "ID", id).bytes.find("flags=b"), std::string::npos);
    Words unblock = {"CLIENT", "UNBLOCK", id};
    unblock.insert(unblock.end(), how.begin(), how.end());
    EXPECT_EQ(act.Run(unblock), ":1");
    EXPECT_EQ(waits.Read(),
              how == Words{"ERROR"} ? "-UNBLOCKED client unblocked via CLIENT UNBLOCK" : "(nil)");
    EXPECT_EQ(act.Run(unblock), ":0");
  }
  EXPECT_EQ(act("RPUSH", "q", "a"), ":1");
  EXPECT_EQ(act("LLEN", "q"), ":1");
}

// They hold no connection to a node, and no place among what a shard may have to do.
TEST_P(Blocking, ManyWaitAndNobodyElseNotices) {
  constexpr int kClients = 1500;
  Client act = cluster_.Connect();
  const auto connections = [&] {
    const std::string info = cluster_.node(0, 0).Connect()("INFO", "clients").bytes;
    return std::stoi(info.substr(info.find("connected_clients:") + 18));
  };
  const int before = connections();
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < kClients; ++i) {
    clients.push_back(std::make_unique<Client>(cluster_.proxy().port()));
    clients.back()->Append({"BLPOP", "q" + std::to_string(i % 100), "0"});
    clients.back()->Flush();
  }
  ASSERT_TRUE(WaitUntilWaiting(kClients));
  EXPECT_LT(connections(), before + 5);  // links of other purposes come and go
  for (int i = 0; i < kClients; ++i) {
    EXPECT_FALSE(act("RPUSH", "q" + std::to_string(i % 100), "v").IsError());
  }
  for (int i = 0; i < kClients; ++i) {
    EXPECT_EQ(clients[static_cast<size_t>(i)]->Read(), "[q" + std::to_string(i % 100) + " v]");
  }
  EXPECT_EQ(act("DBSIZE"), ":0");
  cluster_.ExpectCopiesEqual();
}

// Jobs come and are taken while nodes are killed: each is taken once.
TEST_P(Blocking, AQueueWhileNodesAreKilled) {
  constexpr int kProducers = 3;
  constexpr int kJobs = 400;
  Cluster cluster({.shards = 1, .workers = GetParam(), .sections = {{"health", kImpatientProbes}}});
  std::atomic<int> taken = 0;
  std::atomic<bool> failed = false;
  std::vector<std::vector<std::string>> got(6);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < got.size(); ++i) {
    threads.emplace_back([&, i] {
      Client client = cluster.Connect();
      while (taken < kProducers * kJobs && !failed) {
        const Reply reply = i % 3 == 0   ? client("BLMPOP", "0.2", "2", "none", "q", "LEFT")
                            : i % 3 == 1 ? client("BLPOP", "q", "0.2")
                                         : client("BRPOP", "none", "q", "0.2");
        if (reply.IsError()) {
          ADD_FAILURE() << reply;
          failed = true;
        } else if (reply.kind == Reply::Kind::kArray) {
          const Reply& job = reply.items.at(1);
          got[i].push_back(job.kind == Reply::Kind::kArray ? job.items.at(0).bytes : job.bytes);
          ++taken;
        }
      }
    });
  }
  std::vector<std::thread> producers;
  for (int p = 0; p < kProducers; ++p) {
    producers.emplace_back([&, p] {
      Client client = cluster.Connect();
      for (int i = 0; i < kJobs && !failed; ++i) {
        const std::string job = std::to_string(p) + ":" + std::to_string(i);
        const Reply reply = client("RPUSH", "q", job);
        if (reply.IsError()) {
          ADD_FAILURE() << reply;
          failed = true;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(3));
      }
    });
  }
  for (int round = 0; round < 3; ++round) {
    RedisNode& node = cluster.node(0, round % 2);
    node.Kill();
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    node.Start();
    EXPECT_TRUE(cluster.WaitUntilInSync());
  }
  for (std::thread& producer : producers) producer.join();
  EXPECT_TRUE(Eventually([&] { return taken == kProducers * kJobs || failed; })) << taken;
  failed = true;
  for (std::thread& thread : threads) thread.join();
  std::vector<std::string> all;
  for (const auto& each : got) all.insert(all.end(), each.begin(), each.end());
  std::sort(all.begin(), all.end());
  EXPECT_EQ(all.size(), static_cast<size_t>(kProducers * kJobs));
  EXPECT_EQ(std::unique(all.begin(), all.end()), all.end()) << "a job was taken twice";
  cluster.ExpectCopiesEqual();
}

// Who waits goes on waiting while the roles change.
TEST_P(Blocking, AFailoverIsNotNoticed) {
  Cluster cluster({.shards = 1, .workers = GetParam()});
  Client waits = cluster.Connect();
  Client act = cluster.Connect();
  waits.Append({"BLPOP", "q", "0"});
  waits.Flush();
  ASSERT_TRUE(WaitIn(cluster, 1));
  cluster.node(0, 0).Kill();
  EXPECT_TRUE(cluster.WaitUntilPrimary(0, cluster.node(0, 1)));
  cluster.node(0, 0).Start();
  EXPECT_TRUE(cluster.WaitUntilInSync());
  EXPECT_EQ(act("RPUSH", "q", "a"), ":1");
  EXPECT_EQ(waits.Read(), "[q a]");
  cluster.ExpectCopiesEqual();
}

INSTANTIATE_TEST_SUITE_P(Workers, Blocking, ::testing::Values(1, 2),
                         [](const auto& info) { return info.param == 1 ? "One" : "TwoThreaded"; });

}  // namespace
}  // namespace gemel::e2e::blocking_test
