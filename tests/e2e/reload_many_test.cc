// Two hundred reloads in a row, of every kind, under clients of several libraries: nobody notices,
// and nothing is left over.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <random>

#include "tests/e2e/client_script.h"
#include "tests/e2e/moving_load.h"
#include "tests/e2e/reload_world.h"

namespace gemel::e2e::reload_many_test {
namespace {

constexpr int kReloads = 200;
constexpr int kWarm = 100;  // from here on nothing grows
// To each node one connection is made only when it is first needed.
constexpr size_t kLateConnections = 4;

uint64_t MostGrowth() {
  switch (ProxySanitizer()) {
    case Sanitizer::kAddress:
      return 256 << 20;  // it keeps what was freed
    case Sanitizer::kThread:
      return 128 << 20;  // it notes each address that was ever used
    case Sanitizer::kNone:
      break;
  }
  return 2 << 20;  // 20 kB a reload
}

// GEMEL_RELOAD_SEED: as in a failure that is to be seen again.
unsigned Seed() {
  const char* text = std::getenv("GEMEL_RELOAD_SEED");
  return text == nullptr ? std::random_device{}() : static_cast<unsigned>(std::stoul(text));
}

class Operator {
 public:
  Operator(ReloadWorld* world, MovingLoad* load, unsigned seed)
      : world_(world), load_(load), random_(seed), home_(world->file()) {}

  const std::string& history() const { return history_; }

  // One reload of a random kind.
  void Step() {
    ConfigFile& file = world_->file();
    ConfigFile::Shard& shard = file.shards[Below(file.shards.size())];
    switch (Below(10)) {
      case 0:
      case 1:
        ChangeOption();
        break;
      case 2:
        ToggleListener();
        break;
      case 3:
        if (shard.nodes.size() >= 3 || InUseCount() > 11) return Step();
        shard.nodes.push_back(Spare());
        Reload("replica of " + shard.name + " added");
        break;
      case 4:
        if (shard.nodes.size() < 3) return Step();
        shard.nodes.pop_back();
        Reload("replica of " + shard.name + " removed");
        break;
      case 5:
        ReplacePrimary(&shard);
        break;
      case 6:
        if (file.shards.size() >= 4 || InUseCount() > 11) return Step();
        AddShard();
        break;
      case 7:
        if (file.shards.size() <= 2) return Step();
        RemoveShard(file.shards[2 + Below(file.shards.size() - 2)].name);
        break;
      case 8:
        shard.weight = 1 + shard.weight % 4;
        ReloadRing("weight of " + shard.name + " is " + std::to_string(shard.weight));
        break;
      default:
        BadFile();
        break;
    }
  }

  // Two shards of two nodes with one listener, as in the beginning, though maybe of other nodes.
  void GoHome() {
    ConfigFile& file = world_->file();
    while (file.shards.size() > 2) RemoveShard(file.shards.back().name);
    for (ConfigFile::Shard& shard : file.shards) {
      shard.nodes.resize(2);
      shard.weight = 1;
    }
    file.options = home_.options;
    file.listen = home_.listen;
    ReloadRing("home");
    ASSERT_TRUE(world_->WaitUntilSettled()) << world_->Connect()("PROXY", "SHARDS");
  }

 private:
  size_t Below(size_t bound) { return random_() % bound; }

  void Reload(const std::string& what) {
    history_ += "\n  " + what;
    const std::string answer = world_->PatientReload();
    EXPECT_FALSE(answer.starts_with("-")) << what << ": " << answer;
  }
  void ReloadRing(const std::string& what) {
    load_->WhileOwnersChange([&] { Reload(what); });
  }
  void ChangeOption() {
    const struct {
      const char *section, *key;
      std::vector<std::string> values;
    } options[] = {
        {"read", "from", {"\"primary\"", "\"replica\"", "\"balanced\""}},
        {"write", "ack", {"\"all\"", "\"primary\""}},
        {"limits", "max_clients", {"5000", "6000"}},
        {"limits", "client_pending", {"1000", "16", "100"}},
        {"timeouts", "connect_ms", {"900", "1100"}},
        {"health", "interval_ms", {"100", "150", "200"}},
        {"resync", "retry_ms", {"50", "100"}},
        {"audit", "keys_per_s", {"10000", "1000"}},
        {"log", "level", {"\"warn\"", "\"info\""}},
    };
    const auto& option = options[Below(std::size(options))];
    const std::string& value = option.values[Below(option.values.size())];
    world_->file().options[option.section][option.key] = value;
    Reload(std::string(option.key) + " = " + value);
  }
  void ToggleListener() {
    const size_t which = Below(2);
    const std::string address = which == 0 ? "127.0.0.1:" + std::to_string(further_.number())
                                           : "unix:" + world_->proxy().folder() + "/gemel.sock";
    std::vector<std::string>& listen = world_->file().listen;
    const bool there = std::erase(listen, address) > 0;
    if (!there) listen.push_back(address);
    Reload(address + (there ? " removed" : " added"));
    if (there || which != 0) return;
    EXPECT_EQ(Client(further_.number())("PING"), "PONG");
  }
  void ReplacePrimary(ConfigFile::Shard* shard) {
    const std::string old = world_->Shard(shard->name).primary;
    const auto at = std::find(shard->nodes.begin(), shard->nodes.end(), old);
    if (at == shard->nodes.end()) return Step();  // it is on its way out
    *at = Spare();
    Reload("primary of " + shard->name + " replaced");
  }
  void AddShard() {
    const std::string first = Spare();
    const std::vector<std::string> nodes = {first, Spare(first)};
    // A shard that nobody knows is taken with the data that it has.
    for (const std::string& node : nodes) {
      EXPECT_EQ(world_->node(node).Connect()("FLUSHALL"), "OK");
    }
    world_->file().shards.push_back({"s" + std::to_string(++shards_), nodes});
    ReloadRing("shard " + world_->file().shards.back().name + " added");
  }
  void RemoveShard(const std::string& name) {
    world_->file().RemoveShard(name);
    ReloadRing("shard " + name + " removed");
  }
  void BadFile() {
    history_ += "\n  bad file";
    const std::string good = world_->file().Text();
    const std::string bad[] = {"", "[proxy", good + "[[shard]]\nname = \"x\"\n",
                               good + "[nothing]\n", good.substr(0, good.rfind("weight") + 4)};
    WriteOver(world_->proxy().config_path(), bad[Below(std::size(bad))]);
    const std::string answer = world_->AskReload();
    EXPECT_TRUE(answer.starts_with("-ERR " + world_->proxy().config_path() + ":")) << answer;
  }
  // A node that no shard has any more, and not `other`; a new one as long as there are few.
  std::string Spare(const std::string& other = "") {
    if (spares_.size() < 10) {
      spares_.push_back(world_->NewNode());
      return spares_.back();
    }
    std::vector<std::string> all = spares_;
    for (const ConfigFile::Shard& shard : home_.shards) {
      all.insert(all.end(), shard.nodes.begin(), shard.nodes.end());
    }
    std::string found;
    EXPECT_TRUE(Eventually([&] {
      for (const std::string& node : all) {
        if (node != other && !InUse(node) && ProxyIsGone(node)) {
          found = node;
          return true;
        }
      }
      return false;
    })) << Leftovers(all);
    return found;
  }
  // Nobody is connected to it, and it to nobody.
  bool ProxyIsGone(const std::string& node) const {
    Client client = world_->node(node).Connect();
    const std::string list = client("CLIENT", "LIST").bytes;
    return std::count(list.begin(), list.end(), '\n') == 1;
  }
  // Who is connected to nodes that belong to no shard.
  std::string Leftovers(const std::vector<std::string>& nodes) const {
    std::string text;
    for (const std::string& node : nodes) {
      if (!InUse(node)) text += node + ":\n" + world_->node(node).Connect()("CLIENT", "LIST").bytes;
    }
    return text;
  }
  size_t InUseCount() const {
    size_t count = 0;
    for (const ConfigFile::Shard& shard : world_->file().shards) count += shard.nodes.size();
    return count;
  }
  bool InUse(const std::string& node) const {
    for (const ConfigFile::Shard& shard : world_->file().shards) {
      if (std::find(shard.nodes.begin(), shard.nodes.end(), node) != shard.nodes.end()) return true;
    }
    for (const ShardStatus& shard : world_->Shards()) {
      for (const NodeStatus& status : shard.nodes) {
        if (status.address == node) return true;
      }
    }
    return false;
  }

  ReloadWorld* world_;
  MovingLoad* load_;
  std::mt19937 random_;
  const ConfigFile home_;
  FreePort further_;
  std::vector<std::string> spares_;
  int shards_ = 0;
  std::string history_;
};

class ReloadMany : public testing::TestWithParam<int> {};  // workers
INSTANTIATE_TEST_SUITE_P(Workers, ReloadMany, testing::Values(2),
                         [](const auto&) { return std::string("TwoThreaded"); });

TEST_P(ReloadMany, UnderClientsOfSeveralLibraries) {
  const unsigned seed = Seed();
  SCOPED_TRACE("GEMEL_RELOAD_SEED=" + std::to_string(seed));
  ASSERT_NO_FATAL_FAILURE(UseModule("ioredis"));

  ReloadWorld world({.workers = GetParam()});
  MovingLoad load(world.port(), {.threads = 3});
  Script python("/usr/bin/python3", "reload_redis_py.py", world.port());
  Script node("node", "reload_ioredis.js", world.port());
  Operator hand(&world, &load, seed);
  uint64_t memory = 0;
  size_t files = 0;
  for (int i = 1; i <= kReloads; ++i) {
    hand.Step();
    ASSERT_EQ(load.Errors(), "") << hand.history();
    ASSERT_FALSE(HasFailure()) << hand.history();
    if (i == kWarm) {
      hand.GoHome();
      memory = world.proxy().ResidentBytes();
      files = world.OpenFiles();
    }
  }
  SCOPED_TRACE(hand.history());
  hand.GoHome();
  EXPECT_TRUE(Eventually([&] { return world.OpenFiles() <= files + kLateConnections; }))
      << world.OpenFiles() << " descriptors, after " << kWarm << " reloads " << files;
  EXPECT_TRUE(Eventually([&] { return world.proxy().ResidentBytes() <= memory + MostGrowth(); }))
      << world.proxy().ResidentBytes() << " bytes, after " << kWarm << " reloads " << memory;
  EXPECT_TRUE(load.WaitForMore(500));
  python.ExpectGood();
  node.ExpectGood();
  load.Stop();
  load.Verify();
  world.ExpectCopiesEqual();
}

}  // namespace
}  // namespace gemel::e2e::reload_many_test
