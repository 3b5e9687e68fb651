#include "tests/sim/sim_file.h"

#include <algorithm>
#include <utility>

namespace gemel::sim {

ConfigFile::ConfigFile(Scene* scene) : scene_(scene), in_effect_(scene->plan.options) {
  in_effect_.shards = scene->fleet.WithNodes(in_effect_.shards);
  wanted_ = in_effect_;
  if (const uint32_t rate = scene->plan.first_repair_keys_per_s; rate > 0) {
    in_effect_.repair_keys_per_s = rate;
  }
}

void ConfigFile::HaveNoAudits() { in_effect_.audit_interval_s = wanted_.audit_interval_s = 0; }

ProxyOptions ConfigFile::Next(bool reverse, bool* back) {
  // Back to what was before, as often as on to something new.
  *back = !before_.shards.empty() && (reverse || scene_->loop.Chance(35));
  return *back ? before_ : Changed(in_effect_);
}

bool ConfigFile::OnTakenEffect(const ProxyOptions& next) {
  ++changes_;
  const bool ring_changed = next.routed && !SameRing(in_effect_.ring(), next.ring());
  before_ = std::exchange(in_effect_, next);
  return ring_changed;
}

bool ConfigFile::AddsAShardThatIsNotWell(const ProxyOptions& next) const {
  return std::any_of(next.shards.begin(), next.shards.end(), [this](const ShardSetup& shard) {
    return in_effect_.Find(shard.name) == nullptr &&
           std::any_of(shard.nodes.begin(), shard.nodes.end(),
                       [](const Node* node) { return !node->condition().healthy(); });
  });
}

void ConfigFile::OnRefused() {
  if (scene_->loop.Chance(50)) wanted_ = in_effect_;
}

bool ConfigFile::Leaves(size_t node) const {
  if (!scene_->plan.reloads) return false;
  const std::string shard = scene_->fleet.ShardOf(node);
  for (const ProxyOptions* config : {&in_effect_, &wanted_}) {
    const ShardSetup* setup = config->Find(shard);
    if (setup != nullptr && !setup->Has(scene_->fleet.at(node))) return true;
  }
  return false;
}

// Those that no config of the moment knows, nor the topology.
std::vector<Node*> ConfigFile::FreeNodes(const ProxyOptions& config) const {
  std::vector<Node*> free;
  for (size_t i = 0; i < scene_->fleet.size(); ++i) {
    bool taken = !scene_->fleet.ShardOf(i).empty();
    for (const ProxyOptions* known : {&config, &in_effect_, &wanted_}) {
      for (const ShardSetup& shard : known->shards) taken |= shard.Has(scene_->fleet.at(i));
    }
    if (!taken) free.push_back(scene_->fleet.at(i));
  }
  return free;
}

ProxyOptions ConfigFile::Changed(const ProxyOptions& from) {
  ProxyOptions next = from;
  do {
    if (scene_->loop.Chance(35)) ChangeOptions(&next);
    if (scene_->loop.Chance(45)) ChangeNodes(&next);
    if (next.routed && scene_->loop.Chance(45)) ChangeRing(&next);
  } while (scene_->loop.Chance(30));
  return next;
}

void ConfigFile::ChangeOptions(ProxyOptions* config) {
  config->read_from = static_cast<ReadFrom>(scene_->loop.Random(3));
  config->hedge_ms =
      scene_->loop.Chance(20) ? 0 : static_cast<uint32_t>(scene_->loop.Between(1, 60));
  config->failback = scene_->loop.Chance(30);
  config->hang.least_ms = static_cast<uint32_t>(scene_->loop.Between(30, 150));
  config->hang.most_ms = static_cast<uint32_t>(scene_->loop.Between(100, 300));
  config->probe_failures = static_cast<uint32_t>(scene_->loop.Between(2, 4));
  config->grace_ms = static_cast<uint32_t>(scene_->loop.Between(10, 60));
  config->journal_keys = scene_->loop.Chance(30) ? scene_->loop.Between(1, 4) : 1000000;
  config->repair_keys_per_s = static_cast<uint32_t>(scene_->loop.Between(20, 20000));
  config->forget_keys_per_s =
      scene_->loop.Chance(20) ? 0 : static_cast<uint32_t>(scene_->loop.Between(1, 50));
  config->resync_retry_ms = static_cast<uint32_t>(scene_->loop.Between(20, 100));
  config->audit_keys_per_s = static_cast<uint32_t>(scene_->loop.Between(100, 2000));
  if (scene_->loop.Chance(30)) ++config->password;
  if (scene_->plan.mode != Mode::kManyFaults) return;
  config->held_limit =
      scene_->loop.Chance(20) ? static_cast<uint32_t>(scene_->loop.Between(1, 20)) : 64 * 1024;
  if (!scene_->plan.all_acks()) config->ack = static_cast<Ack>(scene_->loop.Random(3));
}

void ConfigFile::ChangeNodes(ProxyOptions* config) {
  ShardSetup& shard = config->shards[scene_->loop.Random(config->shards.size())];
  const size_t least = scene_->plan.mode == Mode::kManyFaults && !scene_->plan.saves
                           ? 1
                           : std::min<size_t>(scene_->plan.copies, 2);
  const std::vector<Node*> free = FreeNodes(*config);
  Node* other = free.empty() ? nullptr : free[scene_->loop.Random(free.size())];
  const size_t place = scene_->loop.Random(shard.nodes.size());
  ShardSetup& second = config->shards[scene_->loop.Random(config->shards.size())];
  const size_t its_place = scene_->loop.Random(second.nodes.size());
  switch (scene_->loop.Random(8)) {
    case 6:
      // The first of each, or any, whoever is primary by now.
      std::swap(shard.nodes[0], second.nodes[0]);
      return;
    case 7:
      std::swap(shard.nodes[place], second.nodes[its_place]);
      return;
    case 0:
    case 1:
      if (other != nullptr && shard.nodes.size() < 4) shard.nodes.push_back(other);
      return;
    case 2:
      if (shard.nodes.size() > least) {
        shard.nodes.erase(shard.nodes.begin() + static_cast<ptrdiff_t>(place));
      }
      return;
    case 3:
      if (other != nullptr) shard.nodes[place] = other;
      return;
    case 4:
      if (other != nullptr) shard.nodes[0] = other;
      return;
    default:
      std::swap(shard.nodes[0], shard.nodes[place]);
      return;
  }
}

void ConfigFile::ChangeRing(ProxyOptions* config) {
  switch (scene_->loop.Random(7)) {
    case 0:
    case 1:
      AddShard(config);
      return;
    case 2:
    case 3:
      if (config->shards.size() > 1) {
        config->shards.erase(config->shards.begin() +
                             static_cast<ptrdiff_t>(scene_->loop.Random(config->shards.size())));
      }
      return;
    case 4:
    case 5:
      config->shards[scene_->loop.Random(config->shards.size())].weight =
          static_cast<uint32_t>(scene_->loop.Between(1, 3));
      return;
    default:
      if (scene_->loop.Chance(70)) {
        config->points = static_cast<uint32_t>(scene_->loop.Between(1, 6));
      } else {
        config->hash_tag = config->hash_tag.empty() ? "s:" : "";
      }
      return;
  }
}

void ConfigFile::AddShard(ProxyOptions* config) {
  std::vector<Node*> free = FreeNodes(*config);
  const size_t count = std::min<size_t>(scene_->plan.copies, 2);
  if (free.size() < count || config->shards.size() >= 4) return;
  ShardSetup shard;
  size_t number = scene_->loop.Random(5);
  while (config->Find(ShardName(number)) != nullptr) number = (number + 1) % 5;
  shard.name = ShardName(number);
  shard.weight = static_cast<uint32_t>(scene_->loop.Between(1, 3));
  while (shard.nodes.size() < count) {
    const size_t chosen = scene_->loop.Random(free.size());
    shard.nodes.push_back(free[chosen]);
    free.erase(free.begin() + static_cast<ptrdiff_t>(chosen));
    // New servers, or ones that still have what they had elsewhere.
    if (scene_->loop.Chance(60)) shard.nodes.back()->data().clear();
  }
  config->shards.push_back(std::move(shard));
}

bool ConfigFile::CanStart(const ProxyOptions& config) const {
  std::string error;
  const Topology* stored = &*scene_->disk.durable;
  return (config.routed ? InitialTopology(config.members(), config.ring(), stored, &error)
                        : InitialTopology(config.members(), stored, &error))
      .has_value();
}

// While the proxy is not there to see to it, a change of the file may take the last good copy away.
bool ConfigFile::DropsTheLast(const ProxyOptions& config) const {
  for (const ShardSetup& setup : config.shards) {
    const ShardInfo* shard = scene_->fleet.Durable(setup.name);
    if (shard == nullptr) continue;
    bool drops = false;
    const CopyInfo* next = nullptr;  // who is going to be primary
    const CopyInfo& primary = shard->copies[shard->primary];
    if (setup.Has(scene_->fleet.Find(primary.node))) next = &primary;
    for (const CopyInfo& copy : shard->copies) {
      if (copy.state == CopyState::kInSync) drops |= !setup.Has(scene_->fleet.Find(copy.node));
    }
    for (const Node* node : setup.nodes) {
      const int known = shard->IndexOf(node->address());
      if (next != nullptr || known < 0) continue;
      const CopyInfo& copy = shard->copies[static_cast<size_t>(known)];
      if (copy.state == CopyState::kInSync) next = &copy;
    }
    if (!drops) continue;
    const Node* node = next == nullptr ? nullptr : scene_->fleet.Find(next->node);
    if (node == nullptr || !node->condition().healthy() || node->run_id() != next->run_id) {
      return true;
    }
  }
  return false;
}

void ConfigFile::ChooseAtStart() {
  if (!scene_->disk.durable) return;
  std::vector<ProxyOptions> choice = {in_effect_, wanted_};
  if (scene_->loop.Chance(50)) std::swap(choice[0], choice[1]);
  if (scene_->loop.Chance(15)) choice.insert(choice.begin(), Changed(choice[0]));
  for (const ProxyOptions& config : choice) {
    if (!CanStart(config) || DropsTheLast(config)) continue;
    in_effect_ = wanted_ = config;
    return;
  }
  PutBackWhatHasTheData();
}

// The operator does what the refusal says.
void ConfigFile::PutBackWhatHasTheData() {
  for (ShardSetup& setup : in_effect_.shards) {
    const ShardInfo* shard = scene_->fleet.Durable(setup.name);
    if (shard == nullptr) continue;
    for (const CopyInfo& copy : shard->copies) {
      Node* node = scene_->fleet.Find(copy.node);
      if (copy.state != CopyState::kInSync || setup.Has(node)) continue;
      // Shards that were to exchange their nodes: each has its own again.
      for (ShardSetup& other : in_effect_.shards) {
        if (other.nodes.size() > 1) std::erase(other.nodes, node);
      }
      const bool taken = std::any_of(in_effect_.shards.begin(), in_effect_.shards.end(),
                                     [&](const ShardSetup& other) { return other.Has(node); });
      if (!taken) setup.nodes.push_back(node);
    }
  }
  wanted_ = in_effect_;
  scene_->findings.Trace("the nodes that have the data are put back");
}

}  // namespace gemel::sim
