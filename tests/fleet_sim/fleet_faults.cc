#include "tests/fleet_sim/fleet_faults.h"

#include <utility>

#include "tests/fleet_sim/fleet_world.h"

namespace gemel::fleet_sim {

void FleetFaults::Begin() {
  left_ = world_->plan().faults;
  // The first when the shards have owners, mostly.
  world_->loop()->After(world_->loop()->Between(0, 800000), [this] { Turn(); });
}

size_t FleetFaults::AnyMember() { return world_->loop()->Random(world_->plan().members); }
size_t FleetFaults::AnyNode() { return world_->loop()->Random(world_->nodes().size()); }

void FleetFaults::Turn() {
  sim::Loop& loop = *world_->loop();
  if (over_ || left_ == 0 || loop.now_us() >= world_->plan().end_us) return;
  --left_;
  using Fault = void (FleetFaults::*)();
  constexpr Fault kFaults[] = {
      &FleetFaults::KillMember,   &FleetFaults::PauseMember, &FleetFaults::PauseMember,
      &FleetFaults::CutRegisters, &FleetFaults::CutNodes,    &FleetFaults::CutNodes,
      &FleetFaults::CutMembers,   &FleetFaults::Isolate,     &FleetFaults::StrikeNode,
      &FleetFaults::Order,        &FleetFaults::StrandOwner, &FleetFaults::StrandOwner,
      &FleetFaults::UsurpOwner,   &FleetFaults::UsurpOwner};
  (this->*kFaults[loop.Random(std::size(kFaults))])();
  const uint64_t pause_us = loop.Chance(30) ? 20000 : 700000;
  loop.After(loop.Between(0, pause_us), [this] { Turn(); });
}

void FleetFaults::EndLater(const std::string& what, std::function<void()> end) {
  EndWithin(what, 5000, world_->loop()->Chance(40) ? 300000 : 1600000, std::move(end));
}

void FleetFaults::EndWithin(const std::string& what, uint64_t least_us, uint64_t most_us,
                            std::function<void()> end) {
  sim::Loop& loop = *world_->loop();
  world_->findings().Trace("fault: " + what);
  loop.After(loop.Between(least_us, most_us), [this, what, end = std::move(end)] {
    if (over_) return;
    world_->findings().Trace("ends: " + what);
    end();
  });
}

void FleetFaults::KillMember() {
  const size_t i = AnyMember();
  if (world_->member(i) == nullptr) return;
  const bool silently = world_->loop()->Chance(40);
  world_->Kill(i, silently);
  EndLater("m" + std::to_string(i) + (silently ? " loses its machine" : " is killed"), [this, i] {
    if (world_->member(i) == nullptr) world_->Start(i);
  });
}

// The process, or one of its threads.
void FleetFaults::PauseMember() {
  const uint64_t which = world_->loop()->Random(4);
  PauseThreads(AnyMember(), which != 1, which != 2, 5000,
               world_->loop()->Chance(40) ? 300000 : 1600000);
}

void FleetFaults::PauseThreads(size_t i, bool core, bool worker, uint64_t least_us,
                               uint64_t most_us) {
  Member* member = world_->member(i);
  if (member == nullptr || member->core().paused() || member->process().paused()) return;
  if (core) member->core().Pause();
  if (worker) member->process().Pause();
  const std::string what = core && worker ? " is stopped"
                           : core         ? ": its coordinator is stopped"
                                          : ": its worker is stopped";
  EndWithin("m" + std::to_string(i) + what, least_us, most_us,
            [this, i, life = world_->life(i), core, worker] {
              if (world_->life(i) != life || world_->member(i) == nullptr) return;
              Member& stopped = *world_->member(i);
              // Either thread may be the first.
              const bool core_first = world_->loop()->Chance(50);
              if (core && core_first) stopped.core().Unpause();
              if (worker) stopped.process().Unpause();
              if (core && !core_first) stopped.core().Unpause();
            });
}

void FleetFaults::OnStart(size_t i) {
  MemoryFaults faults = world_->RegisterFaults();
  const int wrong = registers_[i];
  if (wrong == 2) faults.request = 100;
  if (wrong == 3) faults.answer = 100;
  world_->member(i)->registers().view().SetFaults(faults);
  if (wrong == 1) world_->CutOff(i, true);
}

// Both ways, or one alone.
void FleetFaults::CutRegisters() {
  const size_t i = AnyMember();
  if (registers_[i] != 0) return;
  registers_[i] = world_->loop()->Chance(50) ? 1 : static_cast<int>(world_->loop()->Between(2, 3));
  if (world_->member(i) != nullptr) OnStart(i);
  const char* const what = registers_[i] == 1   ? " and the registers do not hear each other"
                           : registers_[i] == 2 ? " is not heard by the registers"
                                                : " does not hear the registers";
  EndLater("m" + std::to_string(i) + what, [this, i] {
    const bool was_cut = std::exchange(registers_[i], 0) == 1;
    if (world_->member(i) == nullptr) return;
    if (was_cut) world_->CutOff(i, false);
    if (world_->member(i) != nullptr) OnStart(i);
  });
}

// Between those two, in one direction or both.
void FleetFaults::CutWays(size_t a, size_t b) {
  const uint64_t which = world_->loop()->Random(4);
  if (which != 1) world_->ways().Cut(a, b);
  if (which != 2) world_->ways().Cut(b, a);
  EndLater(
      "from " + std::to_string(a) + " to " + std::to_string(b) + ", cut " + std::to_string(which),
      [this, a, b] {
        world_->ways().Heal(a, b);
        world_->ways().Heal(b, a);
      });
}

void FleetFaults::CutNodes() {
  const size_t member = AnyMember();
  if (!world_->loop()->Chance(30)) return CutWays(member, world_->plan().members + AnyNode());
  for (size_t node = 0; node < world_->nodes().size(); ++node) {
    CutWays(member, world_->plan().members + node);
  }
}

void FleetFaults::CutMembers() {
  const size_t a = AnyMember();
  const size_t b = AnyMember();
  if (a != b) CutWays(a, b);
}

// From most of what there is.
void FleetFaults::Isolate() {
  const size_t i = AnyMember();
  for (size_t other = 0; other < world_->plan().members; ++other) {
    if (other != i && world_->loop()->Chance(80)) CutWays(i, other);
  }
  if (world_->loop()->Chance(30)) {
    for (size_t node = 0; node < world_->nodes().size(); ++node) {
      CutWays(i, world_->plan().members + node);
    }
  }
  if (registers_[i] != 0) return;
  registers_[i] = 1;
  if (world_->member(i) != nullptr) OnStart(i);
  EndLater("m" + std::to_string(i) + " is isolated", [this, i] {
    registers_[i] = 0;
    if (world_->member(i) != nullptr) world_->CutOff(i, false);
    if (world_->member(i) != nullptr) OnStart(i);
  });
}

void FleetFaults::StrikeNode() {
  sim::Loop& loop = *world_->loop();
  sim::Node* node = world_->nodes()[AnyNode()].get();
  if (!node->condition().healthy()) return;
  const std::string name = node->address();
  switch (loop.Random(world_->plan().kills_nodes ? 7 : 5)) {
    case 0:
      node->Hang();
      return EndLater(name + " hangs", [node] { node->Resume(); });
    case 1:
      node->CutOff();
      return EndLater(name + " is cut off", [node] { node->Heal(); });
    case 2:
      world_->findings().Trace("fault: all connections of " + name + " end");
      return node->ResetAll();
    case 3:
      node->Refuse(true);
      node->ResetAll();
      return EndLater(name + " refuses connections", [node] { node->Refuse(false); });
    case 4:
      node->Slow(loop.Between(1000, 60000));
      return EndLater(name + " is slow", [node] { node->Slow(0); });
    default:
      node->Kill(loop.Chance(50));
      return EndLater(name + " dies", [node] { node->Start(); });
  }
}

// Of an operator.
void FleetFaults::Order() {
  const size_t i = AnyMember();
  if (world_->member(i) == nullptr) return;
  MemberCoordinator& coordinator = world_->member(i)->coordinator();
  if (world_->loop()->Chance(40)) {
    coordinator.WithMember([](FleetMember* member) { member->SetDraining(true); });
    return EndLater("m" + std::to_string(i) + " drains", [this, i] {
      if (world_->member(i) == nullptr) return;
      world_->member(i)->coordinator().WithMember(
          [](FleetMember* member) { member->SetDraining(false); });
    });
  }
  const std::string shard = sim::ShardName(world_->loop()->Random(world_->plan().shards));
  const std::string to = "m" + std::to_string(AnyMember());
  world_->findings().Trace("order: " + shard + " to " + to);
  for (size_t owner = 0; owner < world_->plan().members; ++owner) {
    if (world_->member(owner) == nullptr) continue;
    world_->member(owner)->coordinator().WithMember(
        [shard, to](FleetMember* member) { member->Move(shard, to); });
  }
}

size_t FleetFaults::OwnerOf(size_t shard) {
  for (size_t i = 0; i < world_->plan().members; ++i) {
    Member* member = world_->member(i);
    if (member != nullptr && member->LeaseHolds() &&
        member->Served(sim::ShardName(shard)) != nullptr) {
      return i;
    }
  }
  return SIZE_MAX;
}

// One way or another.
void FleetFaults::LoseLease(size_t i) {
  if (over_ || world_->member(i) == nullptr) return;
  const uint64_t which = world_->loop()->Random(4);
  if (which == 0) {
    world_->Kill(i, /*silently=*/true);
    EndWithin("m" + std::to_string(i) + " loses its machine", 300000, 1600000, [this, i] {
      if (world_->member(i) == nullptr) world_->Start(i);
    });
  } else if (which == 1) {
    PauseThreads(i, true, true, 600000, 1600000);
  } else {
    PauseThreads(i, true, false, 600000, 1600000);
  }
}

// What an owner says does not get to its nodes, and then it is none any more: that comes later.
void FleetFaults::StrandOwner() {
  const size_t shard = world_->loop()->Random(world_->plan().shards);
  const size_t owner = OwnerOf(shard);
  if (owner == SIZE_MAX) return;
  const bool both = world_->loop()->Chance(30);
  const uint64_t only = world_->loop()->Random(2);
  for (size_t copy = 0; copy < 2; ++copy) {
    if (!both && copy != only) continue;
    const size_t node = world_->plan().members + 2 * shard + copy;
    world_->ways().Cut(owner, node);
    EndWithin("m" + std::to_string(owner) + " is not heard by node " + std::to_string(node), 500000,
              2000000, [this, owner, node] { world_->ways().Heal(owner, node); });
  }
  world_->loop()->After(world_->loop()->Between(500, 60000), [this, owner] { LoseLease(owner); });
}

// An owner does not know that it is none any more, and its successor cannot reach a copy.
void FleetFaults::UsurpOwner() {
  const size_t shard = world_->loop()->Random(world_->plan().shards);
  const size_t owner = OwnerOf(shard);
  if (owner == SIZE_MAX) return;
  PauseThreads(owner, true, false, 700000, 1600000);
  const size_t node = world_->plan().members + 2 * shard + world_->loop()->Random(2);
  for (size_t i = 0; i < world_->plan().members; ++i) {
    if (i == owner) continue;
    world_->ways().Cut(i, node);
    EndWithin("m" + std::to_string(i) + " is not heard by node " + std::to_string(node), 700000,
              1600000, [this, i, node] { world_->ways().Heal(i, node); });
  }
}

void FleetFaults::HealAll() {
  over_ = true;
  world_->ways().HealAll();
  for (auto& node : world_->nodes()) {
    node->Start();
    node->Refuse(false);
    node->Slow(0);
    node->Resume();
  }
  for (size_t i = 0; i < world_->plan().members; ++i) {
    const bool was_cut = std::exchange(registers_[i], 0) == 1;
    if (world_->member(i) != nullptr) {
      if (world_->member(i)->core().paused()) world_->member(i)->core().Unpause();
      if (world_->member(i)->process().paused()) world_->member(i)->process().Unpause();
      if (was_cut) world_->CutOff(i, false);
    }
    if (world_->member(i) == nullptr) world_->Start(i);
    world_->member(i)->registers().view().SetFaults({});
    world_->member(i)->coordinator().WithMember(
        [](FleetMember* member) { member->SetDraining(false); });
  }
}

}  // namespace gemel::fleet_sim
