// Client-side caching: what clients are told is what Redis tells them, whichever worker has them,
// and whatever becomes of their keys.

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "tests/e2e/caching_client.h"
#include "tests/e2e/cluster.h"
#include "tests/e2e/redis_node.h"
#include "tests/e2e/reload_world.h"
#include "tests/e2e/tracking_scenes.h"
#include "tests/e2e/wait.h"
#include "tests/e2e/wire.h"

namespace gemel::e2e::tracking_test {
namespace {

using Step = TrackingStep;
using Scene = TrackingScene;

constexpr size_t kClients = kTrackingClients;

// A scene at one server or the other.
class Play {
 public:
  // `nulls`: of several shards, so that a flush may be told of more than once.
  Play(uint16_t port, bool nulls) : nulls_(nulls), observer_(port) {
    for (auto& wire : wires_) wire = std::make_unique<Wire>(port);
    id_ = wires_[2]->Ask({"CLIENT", "ID"});
    id_ = id_.substr(1, id_.size() - 3);
  }
  Wire& wire(size_t who) { return *wires_[who]; }
  const std::vector<std::string>& told() const { return told_; }

  void Run(const Scene& scene) {
    for (const Step& step : scene) {
      where_ = step.line;
      if (step.line == "close") {
        wires_[step.who].reset();
        AwaitGone();
        continue;
      }
      if (step.line.starts_with("FLUSH")) ++flushes_;
      std::string line = step.line;
      for (size_t at = 0; (at = line.find("ID2", at)) != std::string::npos;)
        line.replace(at, 3, id_);
      wires_[step.who]->Send(Encode(WordsOf(line)));
      for (const size_t who : step.read) {
        told_.push_back(step.line + ": " + std::to_string(who) + " " + Read(who));
      }
      if (nulls_) LetWorkersTell();
    }
    // Nothing more has come.
    where_ = "the end";
    for (size_t who = 0; who < kClients; ++who) {
      if (wires_[who] == nullptr) continue;
      wires_[who]->Send(Encode({"PING", "end"}));
      const std::string end = Read(who);
      told_.push_back("end: " + std::to_string(who) + " " + end);
      all_read_ = all_read_ && end.find("end\r\n") != std::string::npos;
    }
  }
  const std::string& where() const { return where_; }
  // Else one of the scene's steps may overtake another.
  bool all_read() const { return all_read_; }
  void Note(const std::string& text) { told_.push_back(text); }

  // What is the same, whichever number the client has.
  std::string Read(size_t who) {
    for (;;) {
      std::string text = wires_[who]->Read();
      const bool null =
          text.ends_with("invalidate\r\n_\r\n") || text.ends_with("invalidate\r\n$-1\r\n");
      if (null && ++nulls_seen_[who] > flushes_ && nulls_) {
        --nulls_seen_[who];
        continue;
      }
      const std::string number = ":" + id_ + "\r\n";
      if (const size_t at = text.find(number); !id_.empty() && at != std::string::npos) {
        text.replace(at, number.size(), ":ID2\r\n");
      }
      return text;
    }
  }

 private:
  // The server knows that the third is gone.
  void AwaitGone() {
    EXPECT_TRUE(Eventually([&] {
      return wires_[1]->Ask({"CLIENT", "LIST", "ID", id_}).find("id=") == std::string::npos;
    }));
  }

  // What one worker has told another one is there: each question passes all of them, behind it.
  // (From the shard's to the client's, to that of the client it redirects to, and back.)
  void LetWorkersTell() {
    for (int i = 0; i < 4; ++i) observer_.Ask({"CLIENT", "LIST"});
  }

  const bool nulls_;
  Wire observer_;
  std::unique_ptr<Wire> wires_[kClients];
  std::string id_;
  std::string where_;
  std::vector<std::string> told_;
  bool all_read_ = true;
  size_t flushes_ = 0;
  size_t nulls_seen_[kClients] = {};
};

// Shards, workers, copies.
class Tracking : public ::testing::TestWithParam<std::tuple<int, int, int>> {
 protected:
  Tracking()
      : cluster_({.shards = std::get<0>(GetParam()),
                  .copies = std::get<2>(GetParam()),
                  .workers = std::get<1>(GetParam())}) {
    // All nodes tell of what they remove: until then what is read is told of at once.
    CachingClient client(cluster_.proxy().port());
    for (int shard = 0; shard < cluster_.shards(); ++shard) {
      const std::string key = cluster_.KeyOn(shard);
      EXPECT_TRUE(Eventually([&] {
        client.Get(key);
        client.Ask({"ECHO", "x"});
        return client.Has(key);
      }));
    }
  }

  // The same at both, after `prepare`.
  template <typename Prepare>
  void Compare(const Scene& scene, const std::string& name, Prepare prepare,
               bool some_unread = false) {
    std::vector<std::string> told[2];
    for (const bool gemel : {true, false}) {
      Client(alone_.port())("FLUSHALL");
      cluster_.Connect()("FLUSHALL");
      Play play(gemel ? cluster_.proxy().port() : alone_.port(), gemel && cluster_.shards() > 1);
      try {
        prepare(&play);
        play.Run(scene);
      } catch (const std::runtime_error& error) {
        FAIL() << (gemel ? "gemel: " : "redis: ") << error.what() << " in " << name << " behind "
               << play.where();
      }
      EXPECT_TRUE(play.all_read() || some_unread) << name;
      told[gemel ? 0 : 1] = play.told();
    }
    EXPECT_EQ(told[0], told[1]) << name;
  }
  // Of INFO, which is in bytes.
  int64_t Info(const std::string& field) {
    const std::string text = cluster_.Connect()("INFO", "everything").bytes;
    const size_t at = text.find("\n" + field + ":");
    return at == std::string::npos ? -1 : std::stoll(text.substr(at + field.size() + 2));
  }

  RedisNode alone_;
  Cluster cluster_;
};

TEST_P(Tracking, ClientsGetWhatRedisSays) {
  for (size_t scene = 0; scene < TrackingScenes().size(); ++scene) {
    Compare(TrackingScenes()[scene], "scene " + std::to_string(scene), [](Play* play) {
      for (size_t who = 0; who < kClients; ++who) play->wire(who).Ask({"HELLO", "3"});
    });
  }
  EXPECT_TRUE(Eventually([&] { return Info("tracking_clients") == 0; }));
}

TEST_P(Tracking, OthersAreToldInTheirPlaceAsRedisDoes) {
  for (const char* own : {"2", "3"}) {
    for (const char* target : {"2", "3"}) {
      for (size_t scene = 0; scene < RedirectScenes().size(); ++scene) {
        Compare(
            RedirectScenes()[scene],
            "scene " + std::to_string(scene) + " RESP" + own + " to RESP" + target,
            [&](Play* play) {
              play->wire(0).Ask({"HELLO", own});
              play->wire(2).Ask({"HELLO", target});
              // Any subscription makes a subscriber.
              if (target[0] == '2') play->wire(2).Ask({"SUBSCRIBE", "__redis__:invalidate"});
            },
            // At the end of that one a RESP3 client is told of the broken redirection besides.
            /*some_unread=*/scene == 1);
      }
    }
  }
}

// Who speaks RESP2 and has subscribed to nothing cannot be told.
TEST_P(Tracking, NobodyIsToldWhoCannotBe) {
  Compare({{0, "CLIENT TRACKING ON", {0}},
           {0, "GET k", {0}},
           {1, "SET k 1", {1}},
           {0, "CLIENT TRACKING ON REDIRECT ID2", {0}},
           {0, "GET k", {0}},
           {1, "SET k 2", {1}},
           {2, "SUBSCRIBE other", {2}},
           {0, "GET k", {0}},
           {1, "SET k 3", {1, 2}},
           {2, "UNSUBSCRIBE other", {2}},
           {0, "GET k", {0}},
           {1, "SET k 4", {1}}},
          "RESP2", [](Play*) {});
}

// As soon as it is to tell the one that is gone, and no sooner.
TEST_P(Tracking, ABrokenRedirectionIsSaid) {
  Wire own(cluster_.proxy().port());
  Wire writer(cluster_.proxy().port());
  auto target = std::make_unique<Wire>(cluster_.proxy().port());
  own.Ask({"HELLO", "3"});
  std::string id = target->Ask({"CLIENT", "ID"});
  id = id.substr(1, id.size() - 3);
  EXPECT_EQ(own.Ask({"CLIENT", "TRACKING", "ON", "REDIRECT", id}), "+OK\r\n");
  own.Ask({"GET", "k"});
  target.reset();
  EXPECT_TRUE(Eventually([&] {
    return writer.Ask({"CLIENT", "LIST", "ID", id}).find("id=") == std::string::npos;
  }));
  EXPECT_EQ(own.Ask({"CLIENT", "TRACKINGINFO"}).find("broken"), std::string::npos);
  writer.Ask({"SET", "k", "1"});
  EXPECT_EQ(own.Read(), ">2\r\n$21\r\ntracking-redir-broken\r\n:" + id + "\r\n");
  EXPECT_NE(own.Ask({"CLIENT", "TRACKINGINFO"}).find("broken_redirect"), std::string::npos);
  const std::string info = own.Ask({"CLIENT", "INFO"});
  EXPECT_NE(info.find("flags=tR "), std::string::npos) << info;
  EXPECT_NE(info.find("redir=" + id), std::string::npos) << info;
  EXPECT_EQ(own.Ask({"CLIENT", "TRACKING", "OFF"}), "+OK\r\n");
  EXPECT_EQ(own.Ask({"CLIENT", "TRACKING", "ON", "BCAST"}), "+OK\r\n");
  EXPECT_NE(own.Ask({"CLIENT", "INFO"}).find("flags=tB "), std::string::npos);
}

// That a key expires is told when a node removes it, and nobody need ask for it.
TEST_P(Tracking, WhatExpiresIsTold) {
  CachingClient own(cluster_.proxy().port());
  CachingClient all(cluster_.proxy().port(), {"BCAST"});
  Wire writer(cluster_.proxy().port());
  for (int i = 0; i < 5; ++i) {
    all.Ask({"ECHO", "x"});
    const size_t before = all.keys_told();
    EXPECT_EQ(writer.Ask({"SET", "k", "v", "PX", "300"}), "+OK\r\n");
    own.Get("k");
    while (own.Has("k") && own.cache().at("k") != "_\r\n") own.Await();
    // Of the write and of the end. (Where two copies removed it, it may be more.)
    while (all.keys_told() < before + 2) all.Await();
    EXPECT_TRUE(Eventually([&] { return writer.Ask({"EXISTS", "k"}) == ":0\r\n"; }));
  }
  EXPECT_EQ(own.all_told() + all.all_told(), 0u);
}

// INFO counts, and what is more than the table takes is forgotten, and told.
TEST_P(Tracking, TheTableIsBounded) {
  Wire own(cluster_.proxy().port());
  own.Ask({"HELLO", "3"});
  EXPECT_EQ(own.Ask({"CONFIG", "SET", "tracking-table-max-keys", "10"}), "+OK\r\n");
  EXPECT_EQ(own.Ask({"CLIENT", "TRACKING", "ON"}), "+OK\r\n");
  EXPECT_EQ(Info("tracking_clients"), 1);
  for (int i = 0; i < 10; ++i) own.Ask({"GET", "key" + std::to_string(i)});
  EXPECT_EQ(Info("tracking_total_keys"), 10);
  EXPECT_EQ(Info("tracking_total_items"), 10);
  std::set<std::string> told;
  for (int i = 10; i < 50; ++i) {
    own.Send(Encode({"GET", "key" + std::to_string(i)}));
    std::string text = own.Read();
    while (text[0] == '>') {
      told.insert(text);
      text = own.Read();
    }
  }
  while (told.size() < 40) told.insert(own.Read());
  EXPECT_EQ(own.Ask({"ECHO", "x"}), "$1\r\nx\r\n");
  EXPECT_EQ(Info("tracking_total_keys"), 10);
  Wire other(cluster_.proxy().port());
  other.Ask({"HELLO", "3"});
  EXPECT_EQ(other.Ask({"CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", "a", "PREFIX", "b"}),
            "+OK\r\n");
  EXPECT_EQ(Info("tracking_total_prefixes"), 2);
  EXPECT_EQ(own.Ask({"RESET"}), "+RESET\r\n");
  EXPECT_EQ(other.Ask({"CLIENT", "TRACKING", "OFF"}), "+OK\r\n");
  EXPECT_TRUE(Eventually([&] {
    return Info("tracking_clients") == 0 && Info("tracking_total_keys") == 0 &&
           Info("tracking_total_prefixes") == 0;
  }));
}

// What a node evicts for want of memory is told.
TEST_P(Tracking, WhatIsEvictedIsTold) {
  for (int shard = 0; shard < cluster_.shards(); ++shard) {
    for (int copy = 0; copy < cluster_.copies(); ++copy) {
      Client node = cluster_.node(shard, copy).Connect();
      EXPECT_EQ(node("CONFIG", "SET", "maxmemory-policy", "allkeys-random"), "OK");
      EXPECT_EQ(node("CONFIG", "SET", "maxmemory", "6mb"), "OK");
    }
  }
  CachingClient own(cluster_.proxy().port());
  Wire writer(cluster_.proxy().port());
  const std::string value(1000, 'x');
  for (int i = 0; i < 100; ++i) {
    const std::string key = "read" + std::to_string(i);
    writer.Ask({"SET", key, value});
    own.Get(key);
  }
  for (int i = 0; i < 20000; ++i) writer.Ask({"SET", "fill" + std::to_string(i), value});
  // All that is kept is there still.
  EXPECT_TRUE(Eventually([&] {
    own.Ask({"ECHO", "x"});
    for (const auto& [key, kept] : own.cache()) {
      if (kept.size() > 1000 && writer.Ask({"EXISTS", key}) != ":1\r\n") return false;
    }
    return true;
  }));
  EXPECT_LT(own.cache().size(), 100u);
  EXPECT_GT(own.keys_told(), 0u);
}

INSTANTIATE_TEST_SUITE_P(Ways, Tracking,
                         ::testing::Values(std::tuple(1, 1, 2), std::tuple(2, 2, 2),
                                           std::tuple(1, 1, 1)),
                         [](const auto& info) {
                           return std::get<2>(info.param) == 1   ? "OneCopy"
                                  : std::get<0>(info.param) == 1 ? "OneShard"
                                                                 : "TwoShardsThreaded";
                         });

// Where keys go to other shards, who has read them is told: by whoever has them now nobody would
// be.
TEST(TrackingAndReloads, AChangeOfTheRingIsToldThreaded) {
  ReloadWorld world({.shards = 1, .copies = 1, .workers = 2});
  std::vector<std::unique_ptr<CachingClient>> clients;
  for (int i = 0; i < 4; ++i) {
    clients.push_back(std::make_unique<CachingClient>(world.proxy().port()));
    for (int j = 0; j < 16; ++j) clients.back()->Get("k" + std::to_string(j));
  }
  const std::string added = world.NewNode();
  world.file().shards.push_back({"z", {added}});
  world.ReloadAndSettle();
  for (auto& client : clients) {
    while (client->all_told() == 0) client->Await();
  }
  // The new one knows who tracks.
  Client writer(world.proxy().port());
  for (int j = 0; j < 16; ++j) {
    const std::string key = "k" + std::to_string(j);
    for (auto& client : clients) client->Get(key);
    EXPECT_EQ(writer("SET", key, "v"), "OK");
    for (auto& client : clients) {
      while (client->Has(key)) client->Await();
    }
  }
}

}  // namespace
}  // namespace gemel::e2e::tracking_test
