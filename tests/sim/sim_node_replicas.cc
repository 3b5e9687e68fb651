// Redis's own replication between simulated nodes, for as long as a resync borrows it.

#include <utility>

#include "tests/sim/sim_node.h"

namespace gemel::sim {

void Node::LoseReplicas() {
  std::vector<Replica> replicas = std::move(replicas_);
  replicas_.clear();
  for (Replica& replica : replicas) {
    if (replica.node->master_ != this || replica.node->sync_number_ != replica.sync_number)
      continue;
    ++replica.node->sync_number_;
    replica.node->synced_ = false;
    replica.node->Sync();
  }
}

void Node::ReplicaOf(Node* master) {
  if (master_ != nullptr) {
    std::erase_if(master_->replicas_,
                  [this](const Replica& replica) { return replica.node == this; });
  }
  ++sync_number_;
  if (master_ != nullptr && master == nullptr) NewReplid();
  master_ = master;
  keys_.set_is_replica(master_ != nullptr);
  synced_ = false;
  LoseReplicas();
  if (master_ != nullptr) Sync();
}

// Takes a whole copy of the master, when that can be had, and then its stream.
void Node::Sync() {
  const uint64_t number = sync_number_;
  loop_->After(loop_->Between(1000, 40000), [this, number] {
    if (number != sync_number_ || master_ == nullptr || !alive_) return;
    if (!master_->Answers() || !Answers() || (master_->master_ != nullptr && !master_->synced_)) {
      Sync();
      return;
    }
    keys_.Load(master_->keys_.Save(), /*all=*/true);
    offset_ = master_->offset_;
    replid_ = master_->replid_;
    synced_ = true;
    master_->replicas_.push_back({this, number, 0});
  });
}

}  // namespace gemel::sim
