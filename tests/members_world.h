// Members of a fleet over registers in memory, each with a clock of its own.

#ifndef GEMEL_TESTS_MEMBERS_WORLD_H_
#define GEMEL_TESTS_MEMBERS_WORLD_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "backend/fleet/fleet_founder.h"
#include "backend/fleet/fleet_member.h"
#include "tests/memory_registers.h"

namespace gemel::members_world {

inline constexpr uint32_t kLeaseMs = 500;

inline Topology Founded(int shards) {
  std::vector<ShardMembers> members;
  RingSpec ring;
  ring.points = 8;
  ring.hash_tag = "{}";
  for (int i = 0; i < shards; ++i) {
    const std::string name = "s" + std::to_string(i);
    members.push_back({name, {name + "-1", name + "-2"}});
    ring.shards.push_back({name, 1});
  }
  std::string error;
  Topology topology = *InitialTopology(members, ring, nullptr, &error);
  for (int i = 0; i < shards; ++i) {
    const std::string name = "s" + std::to_string(i);
    EXPECT_TRUE(ApplyTo(&topology, {EditKind::kMarkInSync, name, name + "-2", "run", ""}, &error));
  }
  return topology;
}

// Several members, each with a clock that runs a little faster or slower, and their workers: these
// give away what is leaving as soon as it is said.
class World {
 public:
  struct Process {
    std::string name;
    double rate = 1;
    uint64_t offset = 0;
    bool running = true;
    bool paused = false;
    std::unique_ptr<MemoryRegisters> registers;
    std::unique_ptr<FleetMember> member;
    std::map<std::string, uint64_t> given;  // by shard: of which epoch
  };

  World(uint64_t seed, int members, int shards, double drift = 0)
      : engine_(seed), random_(seed), founded_(Founded(shards)) {
    for (int i = 0; i < members; ++i) {
      auto process = std::make_unique<Process>();
      process->name = "m" + std::to_string(i);
      process->rate = 1 + drift * (static_cast<double>(random_() % 201) - 100) / 100;
      process->offset = random_() % 1000000;
      processes_.push_back(std::move(process));
    }
  }
  ~World() {
    for (auto& process : processes_) process->member.reset();
  }

  MemoryEngine& engine() { return engine_; }
  Process& at(size_t i) { return *processes_[i]; }
  size_t size() const { return processes_.size(); }
  uint64_t ClockOf(const Process& process) const {
    return process.offset +
           static_cast<uint64_t>(static_cast<double>(engine_.now_ms()) * process.rate);
  }

  void Start(size_t i, bool witness = false) {
    Process& process = at(i);
    process.running = true;
    process.given.clear();
    process.registers = engine_.View();
    founder_ = std::make_unique<FleetFounder>(
        process.registers.get(), FleetRecord{"f" + std::to_string(i), {founded_}},
        [this](const std::optional<FleetRecord>& found, const std::string&, bool) {
          was_founded_ = found.has_value();
        });
    was_founded_ = false;
    founder_->Begin();
    ASSERT_TRUE(engine_.RunUntil([&] { return was_founded_; }));
    process.member = std::make_unique<FleetMember>(
        process.registers.get(),
        OwnLife::Options{process.name, "addr-" + process.name, kLeaseMs, witness},
        FleetMember::Hooks{[this, &process] { return ClockOf(process); },
                           [this] { return "id" + std::to_string(++ids_); }, [] {},
                           [this](NoteLevel, const std::string& text) { notes_.push_back(text); }});
    Tick(&process);
  }
  void Kill(size_t i) {
    at(i).running = false;
    at(i).member.reset();
  }
  bool RunUntil(const std::function<bool()>& condition, uint64_t ms = 20000) {
    return engine_.RunUntil(
        [&] {
          if (engine_.now_ms() < looked_ms_ + look_every_ms_) return false;
          looked_ms_ = engine_.now_ms();
          Check();
          return ::testing::Test::HasFatalFailure() || condition();
        },
        ms);
  }
  // Of very many members and shards: whether all is well, and whether there is what is waited for,
  // is looked at no more often than that.
  void LookEvery(uint64_t ms) { look_every_ms_ = ms; }
  void RunFor(uint64_t ms) {
    const uint64_t end = engine_.now_ms() + ms;
    RunUntil([&] { return engine_.now_ms() >= end; }, ms + 1000);
  }

  // Of no shard two members hold a lease that has not run out by their clocks.
  void Check() {
    if (std::exchange(checked_ms_, engine_.now_ms()) == engine_.now_ms()) return;
    std::map<std::string, std::string> owners;
    for (const auto& process : processes_) {
      if (process->member == nullptr) continue;
      const FleetMember& member = *process->member;
      if (ClockOf(*process) >= member.life().until_ms()) continue;
      for (const auto& [name, shard] : member.view().shards()) {
        if (!member.life().Owns(shard.record)) continue;
        // Whoever gives it away serves it no more, and may not know yet that it is given.
        const auto given = process->given.find(name);
        if (given != process->given.end() && given->second == shard.record.owner_epoch) continue;
        const auto [other, first] = owners.emplace(name, process->name);
        ASSERT_TRUE(first) << name << " is owned by " << other->second << " and " << process->name;
      }
    }
  }
  std::map<std::string, size_t> Loads() {
    std::map<std::string, size_t> loads;
    for (const auto& process : processes_) {
      if (process->member == nullptr) continue;
      size_t& load = loads[process->name];
      for (const auto& [name, shard] : process->member->view().shards()) {
        load += process->member->life().Owns(shard.record) ? 1 : 0;
      }
    }
    return loads;
  }
  bool AllOwned() {
    size_t owned = 0;
    for (const auto& [name, load] : Loads()) owned += load;
    return owned == founded_.shards.size();
  }
  bool Even() {
    size_t least = SIZE_MAX;
    size_t most = 0;
    for (const auto& [name, load] : Loads()) {
      least = std::min(least, load);
      most = std::max(most, load);
    }
    return AllOwned() && most <= least + 1;
  }
  EditResult Edit(size_t i, const gemel::Edit& edit) {
    std::optional<EditResult> result;
    at(i).member->Propose(edit, [&](const EditResult& r) { result = r; });
    EXPECT_TRUE(RunUntil([&] { return result.has_value(); }));
    return result.value_or(EditResult());
  }
  size_t OwnerOf(const std::string& shard) {
    for (size_t i = 0; i < size(); ++i) {
      if (at(i).member != nullptr && at(i).member->LeaseOf(shard).mine) return i;
    }
    return SIZE_MAX;
  }
  std::vector<std::string>& notes() { return notes_; }
  std::mt19937_64& random() { return random_; }

 private:
  void Tick(Process* process) {
    if (!process->running) return;
    engine_.After(10, [this, process] { Tick(process); });
    if (process->paused || process->member == nullptr) return;
    process->member->Tick();
    for (const auto& [name, shard] : process->member->view().shards()) {
      if (shard.record.next.empty()) continue;
      const ShardLease lease = process->member->LeaseOf(name);
      if (!lease.leaving || process->given[name] == lease.epoch) continue;
      process->given[name] = lease.epoch;
      process->member->Give(name, lease.epoch, true);
    }
  }

  MemoryEngine engine_;
  std::mt19937_64 random_;
  const Topology founded_;
  std::vector<std::unique_ptr<Process>> processes_;
  std::unique_ptr<FleetFounder> founder_;
  bool was_founded_ = false;
  uint64_t ids_ = 0;
  uint64_t checked_ms_ = 0;
  uint64_t look_every_ms_ = 0;
  uint64_t looked_ms_ = 0;
  std::vector<std::string> notes_;
};

}  // namespace gemel::members_world

#endif  // GEMEL_TESTS_MEMBERS_WORLD_H_
