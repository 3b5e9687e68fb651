// What is changed on purpose in a run: options, nodes and the ring, while it serves and between two
// lives of the proxy.

#include <algorithm>
#include <utility>

#include "tests/sim/sim_world.h"

namespace gemel::sim {

Node* World::Find(const std::string& address) const {
  for (auto& node : nodes_) {
    if (node->address() == address) return node.get();
  }
  return nullptr;
}

std::string World::ShardOf(size_t node) const {
  if (!reloads_) return ShardName(shard_of_[node]);
  if (!disk_.durable) return {};
  for (const ShardInfo& shard : disk_.durable->shards) {
    if (shard.IndexOf(nodes_[node]->address()) >= 0) return shard.name;
  }
  return {};
}

const ShardInfo* World::Durable(const std::string& shard) const {
  const int index = disk_.durable ? disk_.durable->IndexOf(shard) : -1;
  return index < 0 ? nullptr : &disk_.durable->shards[static_cast<size_t>(index)];
}

const CopyInfo* World::DurableCopy(size_t node) const {
  const ShardInfo* shard = Durable(ShardOf(node));
  const int copy = shard == nullptr ? -1 : shard->IndexOf(nodes_[node]->address());
  return copy < 0 ? nullptr : &shard->copies[static_cast<size_t>(copy)];
}

// A copy that a change may take out of its shard at any moment: nobody may count on it.
bool World::Leaves(size_t node) const {
  if (!reloads_) return false;
  const std::string shard = ShardOf(node);
  for (const ProxyOptions* config : {&options_, &wanted_}) {
    const ShardSetup* setup = config->Find(shard);
    if (setup != nullptr && !setup->Has(nodes_[node].get())) return true;
  }
  return false;
}

void World::PrepareReloads() {
  for (uint64_t more = loop_.Between(2, 5), i = 1; i <= more; ++i) {
    nodes_.push_back(std::make_unique<Node>(&loop_, "10.9.0." + std::to_string(i) + ":6379"));
    nodes_.back()->set_find([this](const std::string& address) { return Find(address); });
    GiveDatabases(nodes_.back().get());
  }
  prefixes_ = loop_.Between(prefixes_, 3);
  options_.routed = loop_.Chance(85);
  if (!options_.routed) prefixes_ = options_.shards.size();
  options_.points = static_cast<uint32_t>(loop_.Between(1, 6));
  if (loop_.Chance(15)) options_.hash_tag = "s:";
  for (ShardSetup& shard : options_.shards) {
    shard.weight = static_cast<uint32_t>(loop_.Between(1, 3));
  }
  if (!loop_.Chance(20))
    options_.forget_keys_per_s =
        static_cast<uint32_t>(loop_.Between(1, loop_.Chance(50) ? 10 : 200));
  if (mode_ == Mode::kManyFaults && loop_.Chance(15)) options_.mark_keys = loop_.Between(1, 5);
  options_.routes_by = [this](const RingSpec& ring) {
    if (!proxy_->serving()) ring_log_.OnStart(*disk_.durable, loop_.now_us());
    ring_log_.OnRouted(ring, loop_.now_us());
  };
}

// Those that no config of the moment knows, nor the topology.
std::vector<Node*> World::FreeNodes(const ProxyOptions& config) const {
  std::vector<Node*> free;
  for (size_t i = 0; i < nodes_.size(); ++i) {
    bool taken = !ShardOf(i).empty();
    for (const ProxyOptions* known : {&config, &options_, &wanted_}) {
      for (const ShardSetup& shard : known->shards) taken |= shard.Has(nodes_[i].get());
    }
    if (!taken) free.push_back(nodes_[i].get());
  }
  return free;
}

ProxyOptions World::Changed(const ProxyOptions& from) {
  ProxyOptions next = from;
  do {
    if (loop_.Chance(35)) ChangeOptions(&next);
    if (loop_.Chance(45)) ChangeNodes(&next);
    if (next.routed && loop_.Chance(45)) ChangeRing(&next);
  } while (loop_.Chance(30));
  return next;
}

void World::ChangeOptions(ProxyOptions* config) {
  config->read_from = static_cast<ReadFrom>(loop_.Random(3));
  config->hedge_ms = loop_.Chance(20) ? 0 : static_cast<uint32_t>(loop_.Between(1, 60));
  config->failback = loop_.Chance(30);
  config->hang.least_ms = static_cast<uint32_t>(loop_.Between(30, 150));
  config->hang.most_ms = static_cast<uint32_t>(loop_.Between(100, 300));
  config->probe_failures = static_cast<uint32_t>(loop_.Between(2, 4));
  config->grace_ms = static_cast<uint32_t>(loop_.Between(10, 60));
  config->journal_keys = loop_.Chance(30) ? loop_.Between(1, 4) : 1000000;
  config->repair_keys_per_s = static_cast<uint32_t>(loop_.Between(20, 20000));
  config->forget_keys_per_s = loop_.Chance(20) ? 0 : static_cast<uint32_t>(loop_.Between(1, 50));
  config->resync_retry_ms = static_cast<uint32_t>(loop_.Between(20, 100));
  config->audit_keys_per_s = static_cast<uint32_t>(loop_.Between(100, 2000));
  if (loop_.Chance(30)) ++config->password;
  if (mode_ != Mode::kManyFaults) return;
  config->held_limit = loop_.Chance(20) ? static_cast<uint32_t>(loop_.Between(1, 20)) : 64 * 1024;
  if (!check_.all_acks) config->ack = static_cast<Ack>(loop_.Random(3));
}

void World::ChangeNodes(ProxyOptions* config) {
  ShardSetup& shard = config->shards[loop_.Random(config->shards.size())];
  const size_t least =
      mode_ == Mode::kManyFaults && !saves_ ? 1 : std::min<size_t>(copies_of_each_, 2);
  const std::vector<Node*> free = FreeNodes(*config);
  Node* other = free.empty() ? nullptr : free[loop_.Random(free.size())];
  const size_t place = loop_.Random(shard.nodes.size());
  ShardSetup& second = config->shards[loop_.Random(config->shards.size())];
  const size_t its_place = loop_.Random(second.nodes.size());
  switch (loop_.Random(8)) {
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

void World::ChangeRing(ProxyOptions* config) {
  switch (loop_.Random(7)) {
    case 0:
    case 1: {
      std::vector<Node*> free = FreeNodes(*config);
      const size_t count = std::min<size_t>(copies_of_each_, 2);
      if (free.size() < count || config->shards.size() >= 4) return;
      ShardSetup shard;
      size_t number = loop_.Random(5);
      while (config->Find(ShardName(number)) != nullptr) number = (number + 1) % 5;
      shard.name = ShardName(number);
      shard.weight = static_cast<uint32_t>(loop_.Between(1, 3));
      while (shard.nodes.size() < count) {
        const size_t chosen = loop_.Random(free.size());
        shard.nodes.push_back(free[chosen]);
        free.erase(free.begin() + static_cast<ptrdiff_t>(chosen));
        // New servers, or ones that still have what they had elsewhere.
        if (loop_.Chance(60)) shard.nodes.back()->data().clear();
      }
      config->shards.push_back(std::move(shard));
      return;
    }
    case 2:
    case 3:
      if (config->shards.size() > 1) {
        config->shards.erase(config->shards.begin() +
                             static_cast<ptrdiff_t>(loop_.Random(config->shards.size())));
      }
      return;
    case 4:
    case 5:
      config->shards[loop_.Random(config->shards.size())].weight =
          static_cast<uint32_t>(loop_.Between(1, 3));
      return;
    default:
      if (loop_.Chance(70)) {
        config->points = static_cast<uint32_t>(loop_.Between(1, 6));
      } else {
        config->hash_tag = config->hash_tag.empty() ? "s:" : "";
      }
      return;
  }
}

void World::BeginReload(bool reverse) {
  if (proxy_ == nullptr || proxy_going_ || !proxy_->serving() || proxy_->reloading() ||
      proxy_->paused()) {
    return;
  }
  // Back to what was before, as often as on to something new.
  const bool back = !before_.shards.empty() && (reverse || loop_.Chance(35));
  const ProxyOptions next = back ? before_ : Changed(options_);
  const bool force = mode_ == Mode::kManyFaults && loop_.Chance(10);
  std::string text = std::string("reload") + (back ? " (back)" : "") + (force ? " (FORCE)" : "");
  for (const ShardSetup& shard : next.shards) {
    text += " " + shard.name + "*" + std::to_string(shard.weight) + ":";
    for (const Node* node : shard.nodes) text += " " + node->address();
    text += ";";
  }
  Trace(text + " points " + std::to_string(next.points) + " tag '" + next.hash_tag + "'");
  wanted_ = next;
  forced_reload_ |= force;
  reload_active_ = true;
  ++faults_active_;
  proxy_->Reload(next, force, [this, next](const std::string& why) {
    if (std::exchange(reload_active_, false)) --faults_active_;
    if (why.empty()) {
      Trace("reloaded");
      ++changes_;
      const bool ring_changed = next.routed && !SameRing(options_.ring(), next.ring());
      before_ = std::exchange(options_, next);
      if (ring_changed && loop_.Chance(50) && loop_.now_us() + 200000 < clients_end_us_) {
        // While deletions are still running.
        loop_.After(loop_.Between(0, 100000), [this] { BeginReload(/*reverse=*/true); });
      }
    } else {
      Trace("the reload is refused: " + why);
      if (loop_.Chance(50)) wanted_ = options_;
    }
  });
  if (crashes_ && faults_left_ > 0 && loop_.Chance(25)) {
    --faults_left_;
    loop_.After(loop_.Between(0, 60000), [this] { CrashProxy(); });
  }
  if (faults_left_ > 0 && loop_.Chance(45)) {
    // Before the one before has come to its end.
    loop_.After(loop_.Between(0, 100000), [this] {
      if (faults_left_ > 0) BeginReload(/*reverse=*/false);
    });
  }
}

bool World::CanStart(const ProxyOptions& config) const {
  std::string error;
  const Topology* stored = &*disk_.durable;
  return (config.routed ? InitialTopology(config.members(), config.ring(), stored, &error)
                        : InitialTopology(config.members(), stored, &error))
      .has_value();
}

// While the proxy is not there to see to it, a change of the file may take the last good copy away.
bool World::DropsTheLast(const ProxyOptions& config) const {
  for (const ShardSetup& setup : config.shards) {
    const ShardInfo* shard = Durable(setup.name);
    if (shard == nullptr) continue;
    bool drops = false;
    const CopyInfo* next = nullptr;  // who is going to be primary
    if (setup.Has(Find(shard->copies[shard->primary].node))) next = &shard->copies[shard->primary];
    for (const CopyInfo& copy : shard->copies) {
      if (copy.state == CopyState::kInSync) drops |= !setup.Has(Find(copy.node));
    }
    for (const Node* node : setup.nodes) {
      const int known = shard->IndexOf(node->address());
      if (next != nullptr || known < 0) continue;
      const CopyInfo& copy = shard->copies[static_cast<size_t>(known)];
      if (copy.state == CopyState::kInSync) next = &copy;
    }
    if (!drops) continue;
    const Node* node = next == nullptr ? nullptr : Find(next->node);
    if (node == nullptr || !node->healthy() || node->run_id() != next->run_id) return true;
  }
  return false;
}

// What the file says when the proxy is started again: it may have been written before the end of
// the last life or after it.
void World::ChooseConfig() {
  if (!disk_.durable) return;
  std::vector<ProxyOptions> choice = {options_, wanted_};
  if (loop_.Chance(50)) std::swap(choice[0], choice[1]);
  if (loop_.Chance(15)) choice.insert(choice.begin(), Changed(choice[0]));
  for (const ProxyOptions& config : choice) {
    if (!CanStart(config) || DropsTheLast(config)) continue;
    options_ = wanted_ = config;
    return;
  }
  // The operator does what the refusal says: the node that has the data is put back.
  for (ShardSetup& setup : options_.shards) {
    const ShardInfo* shard = Durable(setup.name);
    if (shard == nullptr) continue;
    for (const CopyInfo& copy : shard->copies) {
      Node* node = Find(copy.node);
      const bool taken = std::any_of(options_.shards.begin(), options_.shards.end(),
                                     [&](const ShardSetup& other) { return other.Has(node); });
      if (copy.state == CopyState::kInSync && !taken) setup.nodes.push_back(node);
    }
  }
  wanted_ = options_;
  Trace("the nodes that have the data are put back");
}

}  // namespace gemel::sim
