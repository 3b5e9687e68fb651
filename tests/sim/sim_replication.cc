#include "tests/sim/sim_replication.h"

#include <algorithm>
#include <utility>

#include "tests/sim/sim_key_trace.h"

namespace gemel::sim {

Replication::Replication(Loop* loop, const std::string& address, const Condition* condition,
                         Keyspace* keys, KeyCommands* commands)
    : loop_(loop), address_(address), condition_(condition), keys_(keys), commands_(commands) {
  NewId();
}

void Replication::LoseReplicas() {
  std::vector<Replica> replicas = std::move(replicas_);
  replicas_.clear();
  for (Replica& replica : replicas) {
    if (replica.node->master_ != this || replica.node->sync_number_ != replica.sync_number) {
      continue;
    }
    ++replica.node->sync_number_;
    replica.node->synced_ = false;
    replica.node->Sync();
  }
}

void Replication::Follow(Replication* master) {
  if (master != master_) FollowAnew(master);
}

void Replication::FollowAnew(Replication* master) {
  if (master_ != nullptr) {
    std::erase_if(master_->replicas_,
                  [this](const Replica& replica) { return replica.node == this; });
  }
  ++sync_number_;
  if (master_ != nullptr && master == nullptr) NewId();
  master_ = master;
  keys_->set_is_replica(master_ != nullptr);
  synced_ = false;
  LoseReplicas();
  if (master_ != nullptr) Sync();
}

// Takes a whole copy of the master, when that can be had, and then its stream.
void Replication::Sync() {
  const uint64_t number = sync_number_;
  loop_->After(loop_->Between(1000, 40000), [this, number] {
    if (number != sync_number_ || master_ == nullptr || !condition_->alive()) return;
    if (!master_->condition_->Answers() || !condition_->Answers() ||
        (master_->master_ != nullptr && !master_->synced_)) {
      Sync();
      return;
    }
    keys_->Load(master_->keys_->Save(), /*all=*/true);
    offset_ = master_->offset_;
    id_ = master_->id_;
    synced_ = true;
    master_->replicas_.push_back({this, number, 0});
  });
}

void Replication::Send(std::vector<std::vector<std::string>> effect) {
  ++offset_;
  for (Replica& replica : replicas_) {
    Replication* node = replica.node;
    const uint64_t number = replica.sync_number;
    replica.last_us = std::max(replica.last_us, loop_->now_us() + loop_->Between(20, 1000));
    loop_->At(replica.last_us, [node, number, effect] {
      if (!node->condition_->alive() || node->master_ == nullptr || node->sync_number_ != number) {
        return;
      }
      for (const std::vector<std::string>& command : effect) {
        node->commands_->Execute(command);
        TraceKey(*node->loop_, node->address_, command, "(replicated)\r\n");
      }
      ++node->offset_;
    });
  }
}

void Replication::OnKill() {
  LoseReplicas();
  FollowAnew(nullptr);
}

void Replication::OnStart() {
  offset_ = 0;
  NewId();
}

std::string Replication::Info() const {
  std::string text = "# Replication\r\n";
  text += std::string("role:") + (master_ != nullptr ? "slave" : "master") + "\r\n";
  if (master_ != nullptr) {
    const size_t colon = master_->address_.rfind(':');
    text += "master_host:" + master_->address_.substr(0, colon) + "\r\n";
    text += "master_port:" + master_->address_.substr(colon + 1) + "\r\n";
    text += std::string("master_link_status:") + (synced_ ? "up" : "down") + "\r\n";
    text += std::string("master_sync_in_progress:") + (synced_ ? "0" : "1") + "\r\n";
    text += "slave_repl_offset:" + std::to_string(offset_) + "\r\n";
  }
  text += "master_replid:" + id_ + "\r\n";
  text += "master_repl_offset:" + std::to_string(offset_) + "\r\n";
  return text;
}

}  // namespace gemel::sim
