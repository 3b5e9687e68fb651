// A reload in the worst moment: while a node dies, while a copy is made, two at a time, and with
// the proxy itself killed in the middle of it.

#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <thread>

#include "config/config_load.h"
#include "proxy/dispatch/pool.h"
#include "tests/e2e/moving_load.h"
#include "tests/e2e/reload_world.h"
#include "tests/e2e/wait.h"

namespace gemel::e2e::reload_faults_test {
namespace {

// GEMEL_RELOAD_SEED: as in a failure that is to be seen again.
unsigned Seed() {
  const char* text = std::getenv("GEMEL_RELOAD_SEED");
  return text == nullptr ? std::random_device{}() : static_cast<unsigned>(std::stoul(text));
}

// A hang is noticed soon, though not so soon that a busy machine looks like one.
void MakeImpatient(ConfigFile* file) {
  file->options["health"] = {{"interval_ms", "100"},
                             {"timeout_ms", "3000"},
                             {"min_timeout_ms", "1500"},
                             {"failures", "3"}};
}

class ReloadFaults : public testing::TestWithParam<int> {};  // workers
INSTANTIATE_TEST_SUITE_P(Workers, ReloadFaults, testing::Values(1, 2), [](const auto& info) {
  return std::string(info.param == 1 ? "One" : "TwoThreaded");
});

// The primary dies, or hangs, in the moment of a reload; which of both is seen first is chance.
TEST_P(ReloadFaults, DuringAFailover) {
  ReloadWorld world({.workers = GetParam()});
  MakeImpatient(&world.file());
  ASSERT_FALSE(world.Reload().starts_with("-"));
  MovingLoad load(world.port());
  ASSERT_TRUE(load.WaitForMore(300));
  for (int round = 0; round < 6; ++round) {
    SCOPED_TRACE(round);
    const std::string struck = world.Shard("a").primary;
    std::vector<std::string>& nodes = world.file().shard("a").nodes;
    std::string spare;
    switch (round / 2) {
      case 0:  // what has nothing to do with it
        world.file().options["limits"]["max_clients"] = std::to_string(1000 + round);
        world.file().options["timeouts"]["connect_ms"] = std::to_string(900 + round);
        break;
      case 1:  // a further replica
        nodes.push_back(world.NewNode());
        break;
      default:  // the one that is struck is replaced
        spare = world.NewNode();
        *std::find(nodes.begin(), nodes.end(), struck) = spare;
        break;
    }
    world.Write();
    std::string answer;
    std::thread reload([&] { answer = world.AskReload(); });
    if (round % 2 == 0) {
      world.node(struck).Kill();
    } else {
      world.node(struck).Pause();
    }
    reload.join();
    EXPECT_FALSE(answer.starts_with("-")) << answer;
    EXPECT_TRUE(Eventually([&] { return world.Shard("a").primary != struck; }));
    ASSERT_TRUE(load.WaitForMore(200));
    if (round % 2 == 0) {
      world.node(struck).Start();
    } else {
      world.node(struck).Resume();
    }
    ASSERT_TRUE(world.WaitUntilSettled()) << world.Connect()("PROXY", "SHARDS");
  }
  EXPECT_TRUE(load.WaitForMore(200));
  load.Stop();
  load.Verify();
  world.ExpectCopiesEqual();
}

TEST_P(ReloadFaults, DuringAResync) {
  ReloadWorld world({.workers = GetParam()});
  {
    // So much that a copy takes its time.
    Client client = world.Connect();
    for (int i = 0; i < 20000; ++i) {
      client.Append({"SET", "bulk:" + std::to_string(i), std::string(500, 'x')});
      if (i % 500 == 499) {
        for (int j = 0; j < 500; ++j) client.Read();
      }
    }
  }
  MovingLoad load(world.port());
  ASSERT_TRUE(load.WaitForMore(300));
  const std::string first = world.NewNode();
  const std::string second = world.NewNode();
  std::vector<std::string>& nodes = world.file().shard("a").nodes;
  const std::vector<std::string> home = nodes;
  for (int round = 0; round < 4; ++round) {
    SCOPED_TRACE(round);
    // It comes, something else changes, it goes again before it is equal, another comes, it comes
    // again.
    nodes = {home[0], home[1], first};
    EXPECT_FALSE(world.Reload().starts_with("-"));
    world.file().options["resync"]["retry_ms"] = std::to_string(100 + round);
    world.file().options["resync"]["max_parallel"] = std::to_string(1 + round % 3);
    EXPECT_FALSE(world.Reload().starts_with("-"));
    nodes = home;
    EXPECT_FALSE(world.Reload().starts_with("-"));
    nodes = {home[0], home[1], second};
    EXPECT_FALSE(world.PatientReload().starts_with("-"));
    nodes = {home[0], home[1], second, first};
    EXPECT_FALSE(world.PatientReload().starts_with("-"));
    if (round % 2 == 1) world.node(first).Kill();
    ASSERT_TRUE(load.WaitForMore(50));
    if (round % 2 == 1) world.node(first).Start();
    ASSERT_TRUE(world.WaitUntilSettled()) << world.Connect()("PROXY", "SHARDS");
    nodes = home;
    world.ReloadAndSettle();
  }
  // The primary leaves while its successor is copied from it.
  nodes = {first, home[1]};
  EXPECT_FALSE(world.Reload().starts_with("-"));
  ASSERT_TRUE(load.WaitForMore(50));
  nodes = {first, second};
  EXPECT_FALSE(world.PatientReload({"FORCE"}).starts_with("-"));
  ASSERT_TRUE(world.WaitUntilSettled()) << world.Connect()("PROXY", "SHARDS");
  EXPECT_TRUE(load.WaitForMore(200));
  load.Stop();
  load.Verify();
  world.ExpectCopiesEqual();
}

TEST_P(ReloadFaults, SeveralAtOnce) {
  ReloadWorld world({.workers = GetParam()});
  MovingLoad load(world.port());
  for (int round = 0; round < 15; ++round) {
    SCOPED_TRACE(round);
    world.file().options["limits"]["max_clients"] = std::to_string(1000 + round);
    world.file().options["read"]["from"] = round % 2 == 0 ? "\"replica\"" : "\"primary\"";
    world.Write();
    const std::vector<Words> orders = {{}, {"DRYRUN"}, {}, {"FORCE"}};
    std::vector<std::string> answers(orders.size());
    std::vector<std::thread> threads;
    for (size_t i = 0; i < orders.size(); ++i) {
      threads.emplace_back([&, i] { answers[i] = world.AskReload(orders[i]); });
    }
    world.proxy().Signal(SIGHUP);
    for (std::thread& thread : threads) thread.join();
    int took = 0;
    for (size_t i = 0; i < orders.size(); ++i) {
      EXPECT_FALSE(answers[i].starts_with("-")) << answers[i];
      if (i != 1 && answers[i] != "nothing changes\n") ++took;
    }
    EXPECT_LE(took, 1);  // none, if the signal was first
    EXPECT_EQ(world.Setting("limits.max_clients"), std::to_string(1000 + round));
  }
  // One that is refused beside one that is good: the file changes under them.
  std::thread writer([&] {
    for (int i = 0; i < 40; ++i) {
      if (i % 2 == 0) {
        WriteOver(world.proxy().config_path(), "[proxy\n");
      } else {
        world.Write();
      }
    }
  });
  for (int i = 0; i < 20; ++i) world.AskReload();
  writer.join();
  EXPECT_EQ(world.Reload(), "nothing changes\n");
  EXPECT_TRUE(load.WaitForMore(100));
  load.Stop();
  load.Verify();
  world.ExpectCopiesEqual();
}

// Clients that live through the death of the proxy. Each knows of its keys what was acknowledged
// and what may have been.
class Survivors {
 public:
  Survivors(uint16_t port, int threads, int keys) : port_(port) {
    for (int i = 0; i < threads; ++i) {
      for (int j = 0; j < keys; ++j) {
        names_.push_back("key:" + std::to_string(i) + ":" + std::to_string(j));
      }
    }
    for (int i = 0; i < threads; ++i) {
      threads_.emplace_back([this, i, keys] { Work(i * keys, keys); });
    }
  }
  ~Survivors() { Stop(); }
  void Stop() {
    stop_ = true;
    for (std::thread& thread : threads_) {
      if (thread.joinable()) thread.join();
    }
  }
  bool WaitForMore(uint64_t requests) const {
    const uint64_t goal = answered_ + requests;
    return Eventually([&] { return answered_ >= goal; });
  }
  // Every key's owner now: who ever had two may have been missed.
  void NoteOwners() {
    Client client(port_);
    for (const std::string& name : names_) client.Append({"PROXY", "EXPLAIN", "GET", name});
    for (const std::string& name : names_) {
      owners_[name].insert(client.Read().items.at(0).Field("shard").bytes);
    }
  }
  // The same by a file that may have been in effect for a moment.
  void NoteOwners(const ConfigFile& file) {
    ConfigError error;
    const std::optional<Config> config = LoadConfigText(file.Text(), "/tmp/gemel.toml", &error);
    ASSERT_TRUE(config) << error.ToString();
    const Pool pool(config->pool(), 1);
    for (const std::string& name : names_) {
      owners_[name].insert(pool.OfSlot(pool.ShardOf(name)).name);
    }
  }
  void Verify() {
    for (const std::string& error : errors_) ADD_FAILURE() << error;
    for (const std::string& key : missed_) {
      EXPECT_GT(owners_[key].size(), 1u) << key << " was lost, and its owner never changed";
    }
  }

 private:
  struct Value {
    int64_t acknowledged = 0;
    int64_t attempted = 0;  // at least acknowledged
  };
  void Work(int from, int keys) {
    std::vector<Value> values(static_cast<size_t>(keys));
    std::unique_ptr<Client> client;
    for (uint64_t step = 0; !stop_; ++step) {
      const size_t at = (step / 2) % values.size();
      const std::string& name = names_[static_cast<size_t>(from) + at];
      Value& value = values[at];
      try {
        if (!client) client = std::make_unique<Client>(port_);
        if (step % 2 == 0) {
          ++value.attempted;
          const Reply reply = (*client)("SET", name, std::to_string(value.attempted));
          if (reply == "OK") value.acknowledged = value.attempted;
          if (reply.IsError()) Complain(name, reply.Text());
        } else {
          const Reply reply = (*client)("GET", name);
          if (reply.kind == Reply::Kind::kNil) {
            const std::lock_guard lock(mutex_);
            if (value.acknowledged != 0) missed_.insert(name);
          } else if (reply.IsError() || reply.kind != Reply::Kind::kBulk) {
            Complain(name, reply.Text());
          } else {
            const int64_t seen = std::stoll(reply.bytes);
            if (seen < value.acknowledged || seen > value.attempted) {
              Complain(name, "is " + reply.bytes + ", acknowledged " +
                                 std::to_string(value.acknowledged) + ", attempted " +
                                 std::to_string(value.attempted));
            }
            value.acknowledged = seen;
          }
        }
        ++answered_;
        LetOthersRun();
      } catch (const std::runtime_error&) {
        client.reset();  // the proxy is dead
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
      }
    }
  }
  void Complain(const std::string& key, const std::string& what) {
    const std::lock_guard lock(mutex_);
    errors_.push_back(key + ": " + what);
  }

  const uint16_t port_;
  std::vector<std::string> names_;
  std::map<std::string, std::set<std::string>> owners_;
  std::atomic<bool> stop_{false};
  std::atomic<uint64_t> answered_{0};
  std::mutex mutex_;
  std::vector<std::string> errors_;
  std::set<std::string> missed_;
  std::vector<std::thread> threads_;
};

// Changes of the file, one after the other; keys only ever move to other shards, never back.
std::string NextChange(ReloadWorld* world, int round, std::mt19937* random) {
  ConfigFile& file = world->file();
  std::vector<std::string>& nodes = file.shard("a").nodes;
  switch (round % 6) {
    case 0:
      file.options["limits"]["max_clients"] = std::to_string(1000 + round);
      return "an option";
    case 1:
      nodes.push_back(world->NewNode());
      return "a replica comes";
    case 2:
      nodes.erase(nodes.begin() + 1 + static_cast<long>((*random)() % (nodes.size() - 1)));
      return "a node goes";
    case 3:
      *std::find(nodes.begin(), nodes.end(), world->Shard("a").primary) = world->NewNode();
      return "the primary is replaced";
    case 4:
      file.shard("b").weight += 1;
      return "a weight grows";
    default:
      file.shards.push_back({"new" + std::to_string(round), {world->NewNode(), world->NewNode()}});
      return "a shard comes";
  }
}

TEST_P(ReloadFaults, KilledWhileApplying) {
  const unsigned seed = Seed();
  std::string history = "GEMEL_RELOAD_SEED=" + std::to_string(seed);
  std::mt19937 random(seed);
  ReloadWorld world({.workers = GetParam()});
  Survivors clients(world.port(), 3, 20);
  ASSERT_TRUE(clients.WaitForMore(300));
  int cut = 0;
  for (int round = 0; round < 12; ++round) {
    clients.NoteOwners();
    const ConfigFile before = world.file();
    history += "\n" + NextChange(&world, round, &random);
    clients.NoteOwners(world.file());
    world.Write();
    std::thread reload([&] {
      try {
        world.AskReload();
      } catch (const std::runtime_error&) {  // it died before it could answer
        ++cut;
      }
    });
    const unsigned wait_us = random() % (round % 2 == 0 ? 6000 : 60000);
    history += ", killed after us " + std::to_string(wait_us);
    SCOPED_TRACE(history);
    std::this_thread::sleep_for(std::chrono::microseconds(wait_us));
    world.proxy().Kill();
    reload.join();
    // The other half in the second turn.
    if (round % 2 == round / 6) {
      history += ", and the file of before put back";
      world.file() = before;
      world.Write();
    }
    ASSERT_NO_THROW(world.proxy().Restart()) << history << "\n" << world.proxy().Log();
    ASSERT_TRUE(world.WaitUntilSettled()) << history << world.Connect()("PROXY", "SHARDS");
    EXPECT_EQ(world.AskReload(), "nothing changes\n");
    ASSERT_TRUE(clients.WaitForMore(100)) << history;
  }
  SCOPED_TRACE(history);
  EXPECT_GT(cut, 0);
  clients.NoteOwners();
  clients.Stop();
  clients.Verify();
  world.ExpectCopiesEqual();
}

TEST_P(ReloadFaults, ForceHoldsBesideOtherReloads) {
  ReloadWorld world({.copies = 1, .workers = GetParam()});
  MakeImpatient(&world.file());
  ASSERT_FALSE(world.Reload().starts_with("-"));
  const std::string old = world.file().shard("a").nodes[0];
  const std::string added = world.NewNode();
  world.node(added).Pause();
  world.file().shard("a").nodes = {added};
  ASSERT_FALSE(world.Reload({"FORCE"}).starts_with("-"));
  // As long as nobody else has the data.
  EXPECT_EQ(world.Shard("a").primary, old);
  EXPECT_EQ(world.Connect()("CONFIG", "SET", "maxclients", "77"), "OK");
  world.file().options["limits"]["max_clients"] = "78";
  EXPECT_FALSE(world.Reload().starts_with("-"));
  EXPECT_EQ(world.Setting("limits.max_clients"), "78");
  world.node(old).Kill();
  world.node(added).Resume();
  EXPECT_TRUE(world.WaitUntilSettled()) << world.Connect()("PROXY", "SHARDS");
  EXPECT_EQ(world.Shard("a").primary, added);
}

// The file is in effect, but the node that was to take over has died since.
TEST_P(ReloadFaults, ForceAlsoWhereTheFileStays) {
  ReloadWorld world({.copies = 1, .workers = GetParam()});
  MakeImpatient(&world.file());
  const std::string old = world.file().shard("a").nodes[0];
  const std::string second = world.NewNode();
  world.file().shard("a").nodes = {old, second};
  world.ReloadAndSettle();
  // It does not answer a write, so that there can be no hand-over to it.
  world.node(second).Pause();
  Client client = world.Connect();
  const std::string key = world.KeyOn("a");
  std::thread write([&] { client("SET", key, "v"); });
  world.file().shard("a").nodes = {second};
  EXPECT_TRUE(Eventually([&] { return world.Shard("a").Node(second).pending > 0; }));
  EXPECT_FALSE(world.Reload().starts_with("-"));
  write.join();
  EXPECT_EQ(world.Shard("a").Node(second).state, "stale");
  EXPECT_EQ(world.AskReload(), "nothing changes\n");
  EXPECT_EQ(world.AskReload({"DRYRUN", "FORCE"}),
            "nothing changes but that this is done by force:\nshard a: node " + old + " leaves\n");
  world.node(old).Kill();
  world.node(second).Resume();
  EXPECT_NE(world.AskReload({"FORCE"}).find("node " + old + " leaves"), std::string::npos);
  EXPECT_TRUE(world.WaitUntilSettled()) << world.Connect()("PROXY", "SHARDS");
  EXPECT_EQ(world.Shard("a").primary, second);
  EXPECT_EQ(world.AskReload({"FORCE"}), "nothing changes\n");
}

TEST_P(ReloadFaults, StoppedWhileApplying) {
  const unsigned seed = Seed();
  std::mt19937 random(seed);
  ReloadWorld world({.workers = GetParam()});
  Survivors clients(world.port(), 2, 10);
  for (int round = 0; round < 6; ++round) {
    SCOPED_TRACE("GEMEL_RELOAD_SEED=" + std::to_string(seed) + " round " + std::to_string(round));
    clients.NoteOwners();
    NextChange(&world, round, &random);
    world.Write();
    world.proxy().Signal(SIGHUP);
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 20000));
    EXPECT_EQ(world.proxy().Stop(), 0);
    ASSERT_NO_THROW(world.proxy().Restart());
    ASSERT_TRUE(world.WaitUntilSettled()) << world.Connect()("PROXY", "SHARDS");
    ASSERT_TRUE(clients.WaitForMore(50));
  }
  clients.NoteOwners();
  clients.Stop();
  clients.Verify();
  world.ExpectCopiesEqual();
}

}  // namespace
}  // namespace gemel::e2e::reload_faults_test
