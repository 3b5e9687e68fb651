#include "tests/sim/sim_fleet.h"

#include <utility>

namespace gemel::sim {

uint8_t DatabaseOf(std::string_view key, uint32_t databases) {
  if (databases == 1 || key.size() < 4 || key[0] != 's' || key[2] != ':') return 0;
  const auto shard = static_cast<uint32_t>(key[1] - '0');
  return static_cast<uint8_t>((1 + shard + (key[3] == 'e' || key[3] == 'b' ? 1 : 0)) % databases);
}

Fleet::Fleet(Loop* loop, const RunPlan& plan, const Disk* disk,
             const std::function<void(const std::string&)>& wrong)
    : disk_(disk), fixed_(!plan.reloads), copies_(plan.copies) {
  for (size_t shard = 0; shard < plan.options.shards.size(); ++shard) {
    for (uint64_t copy = 1; copy <= plan.copies; ++copy) {
      Add(loop, "10.0." + std::to_string(shard) + "." + std::to_string(copy) + ":6379");
    }
  }
  for (uint64_t spare = 1; spare <= plan.spares; ++spare) {
    Add(loop, "10.9.0." + std::to_string(spare) + ":6379");
  }
  for (size_t i = 0; i < nodes_.size(); ++i) {
    NodeKind kind;
    kind.knows_debug = plan.nodes[i].knows_debug;
    kind.knows_hello = plan.nodes[i].knows_hello;
    kind.knows_replicaof = plan.nodes[i].knows_replicaof;
    kind.keeps_writes = plan.keeps;
    if (const uint32_t databases = plan.options.databases; databases > 1) {
      kind.databases = databases;
      kind.database_of = [databases](std::string_view key) { return DatabaseOf(key, databases); };
      kind.wrong = wrong;
    }
    nodes_[i]->SetUp(std::move(kind));
  }
}

void Fleet::Add(Loop* loop, const std::string& address) {
  nodes_.push_back(std::make_unique<Node>(loop, address));
  nodes_.back()->set_find([this](const std::string& other) { return Find(other); });
}

std::vector<ShardSetup> Fleet::WithNodes(std::vector<ShardSetup> shards) const {
  size_t next = 0;
  for (ShardSetup& shard : shards) {
    while (shard.nodes.size() < copies_) shard.nodes.push_back(at(next++));
  }
  return shards;
}

void Fleet::HealAll() {
  for (auto& node : nodes_) {
    node->Start();
    node->Refuse(false);
    node->RefuseWrites({});
    node->Slow(0);
    node->Resume();
  }
}

void Fleet::ListenedJustNow() {
  for (auto& node : nodes_) node->removals().ListenedJustNow();
}

Node* Fleet::Find(const std::string& address) const {
  for (auto& node : nodes_) {
    if (node->address() == address) return node.get();
  }
  return nullptr;
}

std::string Fleet::ShardOf(size_t node) const {
  if (fixed_) return ShardName(node / copies_);
  if (!disk_->durable) return {};
  for (const ShardInfo& shard : disk_->durable->shards) {
    if (shard.IndexOf(nodes_[node]->address()) >= 0) return shard.name;
  }
  return {};
}

const ShardInfo* Fleet::Durable(const std::string& shard) const {
  const int index = disk_->durable ? disk_->durable->IndexOf(shard) : -1;
  return index < 0 ? nullptr : &disk_->durable->shards[static_cast<size_t>(index)];
}

const CopyInfo* Fleet::DurableCopy(size_t node) const {
  const ShardInfo* shard = Durable(ShardOf(node));
  const int copy = shard == nullptr ? -1 : shard->IndexOf(nodes_[node]->address());
  return copy < 0 ? nullptr : &shard->copies[static_cast<size_t>(copy)];
}

bool Fleet::IsPrimary(size_t node) const {
  const ShardInfo* shard = Durable(ShardOf(node));
  return shard != nullptr && shard->copies[shard->primary].node == nodes_[node]->address();
}

bool Fleet::OtherIsNew(size_t index) const {
  if (!disk_->durable) return true;
  const std::string shard = ShardOf(index);
  for (size_t other = 0; other < nodes_.size(); ++other) {
    if (other == index || shard.empty() || ShardOf(other) != shard) continue;
    if (!nodes_[other]->condition().alive()) return true;
    const CopyInfo& copy = *DurableCopy(other);
    if (copy.state != CopyState::kInSync || copy.run_id != nodes_[other]->run_id()) return true;
  }
  return false;
}

}  // namespace gemel::sim
