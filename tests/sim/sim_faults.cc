// What goes wrong in a run. What is changed on purpose is in sim_changes.cc.

#include <utility>

#include "tests/sim/sim_world.h"

namespace gemel::sim {

void World::StartProxy() {
  proxy_going_ = false;
  if (reloads_) ChooseConfig();
  proxy_ = std::make_unique<SimProxy>(&loop_, &disk_, options_,
                                      [this](const std::string& text) { Problem(text); });
  if (watchers_ != nullptr) watchers_->OnStart();
}

void World::FaultTurn() {
  if (faults_left_ == 0) return;
  const bool well = faults_active_ == 0 && proxy_ != nullptr && !proxy_going_ &&
                    proxy_->serving() && proxy_->Settled();
  if (well || mode_ == Mode::kManyFaults) {
    if (mode_ != Mode::kManyFaults || proxy_ != nullptr) {
      --faults_left_;
      BeginFault();
      // Things that happen at about the same time.
      while (mode_ == Mode::kManyFaults && faults_left_ > 0 && loop_.Chance(30)) {
        --faults_left_;
        BeginFault();
      }
    }
  }
  const bool one = mode_ == Mode::kOneFault;
  loop_.After(loop_.Between(1000, one ? 30000 : 300000), [this] { FaultTurn(); });
}

void World::BeginFault() {
  stall_ = {};
  if (reloads_ && loop_.Chance(45)) {
    BeginReload(/*reverse=*/false);
    return;
  }
  if (refuses_ && loop_.Chance(40)) {
    BeginRefusals();
    return;
  }
  if (pauses_ && loop_.Chance(60)) {
    loop_.Chance(50) ? PauseProxy() : LongCommand();
    return;
  }
  if (mode_ == Mode::kRestarts || (crashes_ && loop_.Chance(25))) {
    if (loop_.Chance(30) && proxy_ != nullptr && !proxy_going_ && proxy_->serving()) {
      OrderOnNode(loop_.Random(nodes_.size()));
    } else if (loop_.Chance(50)) {
      CrashProxy();
    } else {
      RestartProxy();
    }
    return;
  }
  if (loop_.Chance(8) && !disk_.full) {
    const uint64_t while_us = loop_.Between(1000, loop_.Chance(50) ? 50000 : 2000000);
    Trace("fault: the disk is full for " + std::to_string(while_us) + " us");
    disk_.full = true;
    EndLater(while_us, 0, [this] { disk_.full = false; });
    return;
  }
  if (mode_ == Mode::kManyFaults && loop_.Chance(20)) {
    OneAfterTheOther(options_.shards[loop_.Random(options_.shards.size())].name);
    return;
  }
  FaultOnNode(loop_.Random(nodes_.size()), loop_.Random(13));
}

// All copies of a shard die, the primary last, when the others are stale.
void World::OneAfterTheOther(const std::string& shard) {
  if (Durable(shard) == nullptr) return;
  const ShardInfo& info = *Durable(shard);
  const std::string primary = info.copies[info.primary].node;
  for (size_t i = 0; i < nodes_.size(); ++i) {
    Node* node = nodes_[i].get();
    if (ShardOf(i) != shard || !node->alive()) continue;
    const bool last = node->address() == primary;
    const uint64_t away_us = loop_.Between(0, last && loop_.Chance(60) ? 20000 : 900000);
    EndLater(last ? loop_.Between(50000, 400000) : 0, i, [this, i, node, away_us] {
      if (!node->alive()) return;
      Trace("fault: kill " + node->address() + " for " + std::to_string(away_us) + " us");
      KillNode(i, /*silently=*/false);
      EndLater(away_us, i, [node] { node->Start(); });
    });
  }
}

void World::EndLater(uint64_t after_us, size_t node, std::function<void()> end) {
  ++faults_active_;
  loop_.After(after_us, [this, node, end = std::move(end)] {
    end();
    Disturbed(node);
    --faults_active_;
  });
}

void World::FaultOnNode(size_t index, uint64_t kind) {
  Node* node = nodes_[index].get();
  const uint64_t while_us = loop_.Between(1000, loop_.Chance(50) ? 50000 : 900000);
  const std::string where = " " + node->address() + " for " + std::to_string(while_us) + " us";
  Disturbed(index);
  if (kind < 9 && mode_ == Mode::kManyFaults && OtherIsNew(index)) check_.data_lost = true;
  switch (kind) {
    case 0:
    case 1: {
      const bool silently = loop_.Chance(20);
      // A machine that lost its power is not back before its probes were refused.
      const uint64_t away_us = silently    ? while_us + 200000
                               : kind == 0 ? while_us
                                           : loop_.Between(0, 5000);
      if (!node->alive()) return;
      Trace(std::string("fault: kill") + (silently ? " silently " : " ") + node->address() +
            " for " + std::to_string(away_us) + " us");
      ExpectStall(silently ? "silent kill" : "kill",
                  silently ? FaultKind::kSilent : FaultKind::kNoticed);
      KillNode(index, silently);
      EndLater(away_us, index, [node] { node->Start(); });
      return;
    }
    case 2:
      Trace("fault: hang" + where);
      ExpectStall("hang", FaultKind::kSilent);
      node->Hang();
      EndLater(while_us, index, [node] { node->Resume(); });
      return;
    case 3:
    case 4:
      Trace("fault: reset " + node->address());
      ExpectStall("reset", FaultKind::kReset);
      node->ResetAll();
      return;
    case 5:
      Trace("fault: reset and refuse" + where);
      ExpectStall("reset and refuse", FaultKind::kNoticed);
      node->ResetAll();
      node->Refuse(true);
      EndLater(while_us, index, [node] { node->Refuse(false); });
      return;
    case 6:
      Trace("fault: slow" + where);
      node->Slow(loop_.Between(100, loop_.Chance(30) ? 80000 : 5000));
      EndLater(while_us, index, [node] { node->Slow(0); });
      return;
    case 7: {
      const uint64_t count = loop_.Between(1, 5);
      Trace("fault: " + std::to_string(count) + " probes time out of " + node->address());
      ExpectStall("probes", FaultKind::kNoticed);
      if (proxy_ != nullptr) proxy_->FailProbes(node, static_cast<uint32_t>(count));
      EndLater(count * 150000, index, [] {});
      return;
    }
    case 8:
      Trace("fault: cut off" + where);
      ExpectStall("cut off", FaultKind::kSilent);
      node->CutOff();
      EndLater(while_us, index, [node] { node->Heal(); });
      return;
    case 9:
    case 10: {
      const std::string key =
          (reloads_ ? ShardName(loop_.Random(prefixes_)) : ShardOf(index)) + ":x";
      Trace("fault: tamper with " + key + " of " + node->address());
      if (!node->data().contains(key)) return;
      if (loop_.Chance(50)) {
        node->data().erase(key);
      } else {
        node->data()[key] += "tampered;";
      }
      return;
    }
    default:
      if (proxy_ != nullptr && !proxy_going_ && proxy_->serving()) OrderOnNode(index);
      return;
  }
}

// An operator does something, which is no fault: it may be refused, but nobody may notice.
void World::OrderOnNode(size_t index) {
  static constexpr const char* kVerbs[] = {"PROMOTE", "RESYNC", "DRAIN", "DRAIN"};
  const std::string verb =
      refusing_replicaof_ > 0 && loop_.Chance(70) ? "RESYNC" : kVerbs[loop_.Random(4)];
  const Node* node = nodes_[index].get();
  SimShard* shard = proxy_->Find(ShardOf(index));
  if (shard == nullptr || proxy_->paused()) return;
  if (mode_ == Mode::kManyFaults && options_.on_data_loss == OnDataLoss::kRefuse &&
      loop_.Chance(30)) {
    Trace("order: FORCE " + node->address());
    forced_us_ = loop_.now_us();
    proxy_->Order(shard, "FORCE", node, [](bool) {});
    return;
  }
  Trace("order: " + verb + " " + node->address());
  Disturbed(index);
  proxy_->Order(shard, verb, node, [](bool) {});
  if (verb == "DRAIN") {
    EndLater(loop_.Between(1000, 500000), index, [this, index] { UndrainUntilDone(index); });
  }
}

// An order may be refused, and one that was given up may still take effect.
void World::UndrainUntilDone(size_t index) {
  ++faults_active_;
  if (proxy_ != nullptr && !proxy_going_ && proxy_->serving()) {
    if (SimShard* shard = proxy_->Find(ShardOf(index)); shard != nullptr) {
      proxy_->Order(shard, "UNDRAIN", nodes_[index].get(), [](bool) {});
    }
  }
  loop_.After(100000, [this, index] {
    --faults_active_;
    const bool serving =
        proxy_ != nullptr && !proxy_going_ && proxy_->serving() && !proxy_->paused();
    if (serving && proxy_->Find(ShardOf(index)) == nullptr) return;
    const CopyInfo* copy = DurableCopy(index);
    if (!serving || proxy_->Find(ShardOf(index))->shard()->ports().resync.editing() ||
        (copy != nullptr && copy->drained_by == DrainedBy::kOperator)) {
      UndrainUntilDone(index);
    }
  });
}

// Notes whether data may be lost with it: whether there is nobody left who surely has it.
void World::KillNode(size_t index, bool silently) {
  constexpr uint64_t kCalm = 1000 * 1000;
  bool somebody = false;
  if (disk_.durable && disk_.failing_percent == 0 && !disk_.full && proxy_ != nullptr &&
      proxy_->serving()) {
    const std::string shard = ShardOf(index);
    somebody = shard.empty() || (reloads_ && options_.Find(shard) == nullptr);
    for (size_t other = 0; other < nodes_.size(); ++other) {
      if (shard.empty() || other == index || ShardOf(other) != shard || Leaves(other)) continue;
      const Node& node = *nodes_[other];
      const CopyInfo& copy = *DurableCopy(other);
      somebody |= copy.state == CopyState::kInSync && copy.run_id == node.run_id() &&
                  node.healthy() &&
                  (mode_ == Mode::kOneFault || disturbed_us_[other] == 0 ||
                   loop_.now_us() > disturbed_us_[other] + kCalm);
    }
  }
  if (!somebody && !(keeps_ && options_.ack == Ack::kAll)) {
    Trace("data may be lost with it");
    check_.data_lost = true;
  }
  if (removals_ != nullptr) removals_->OnKill(nodes_[index].get());
  nodes_[index]->Kill(silently);
  if (proxy_ != nullptr && !silently) proxy_->ResetProbe(nodes_[index].get());
}

// Has another copy lost its memory, and not been made equal again?
bool World::OtherIsNew(size_t index) const {
  if (!disk_.durable) return true;
  const std::string shard = ShardOf(index);
  for (size_t other = 0; other < nodes_.size(); ++other) {
    if (other == index || shard.empty() || ShardOf(other) != shard) continue;
    if (!nodes_[other]->alive()) return true;
    const CopyInfo& copy = *DurableCopy(other);
    if (copy.state != CopyState::kInSync || copy.run_id != nodes_[other]->run_id()) return true;
  }
  return false;
}

void World::HealAll() {
  for (auto& node : nodes_) {
    node->Start();
    node->Refuse(false);
    node->RefuseWrites({});
    node->Slow(0);
    node->Resume();
  }
  disk_.failing_percent = 0;
  disk_.full = false;
}

// What a node comes back with is this old, or nothing.
void World::SaveTurn() {
  const size_t index = loop_.Random(nodes_.size());
  // An adopted shard leaves a replica with data before an empty primary to the operator.
  const ShardInfo* shard = Durable(ShardOf(index));
  if (shard != nullptr && !shard->adopted) {
    loop_.Chance(15) ? nodes_[index]->Forget() : nodes_[index]->Save();
  }
  if (loop_.now_us() < clients_end_us_) {
    loop_.After(loop_.Between(5000, 300000), [this] { SaveTurn(); });
  }
}

// What the shard says of lost data, it may lose; but it must be so.
void World::OnNote(const std::string& text) {
  if (text.find("on_data_loss = \"miss\"") != std::string::npos) {
    Trace("data is lost for misses");
    check_.data_lost = true;
  }
  if (text.find("PROXY PROMOTE FORCE (epoch") != std::string::npos) {
    // The operator chose the data of a node that was another shard's just before.
    forced_new_ |= text.find("it is new to the shard") != std::string::npos;
    check_.data_lost = true;
    check_.old_from_us = std::min(check_.old_from_us, loop_.now_us());
  }
  if (text.find("all copies in sync restarted; the") == std::string::npos) return;
  check_.data_lost = true;
  check_.old_from_us = std::min(check_.old_from_us, loop_.now_us());
  for (const ShardInfo& shard : disk_.durable->shards) {
    if (text.find("'" + shard.name + "'") == std::string::npos) continue;
    for (const CopyInfo& copy : shard.copies) {
      const Node* node = Find(copy.node);
      if (copy.state == CopyState::kInSync && copy.run_id == node->run_id()) {
        Problem("not all copies in sync restarted: " + copy.node + " did not");
      }
    }
  }
}

// The operator, at last: nobody else will bring a shard back that holds old data, or empty a
// replica that has data before an empty primary (it was half copied when both the primary and the
// proxy died).
void World::AcceptOldData() {
  if (proxy_ == nullptr || proxy_going_ || !proxy_->serving()) return;
  if (loop_.now_us() < forced_us_ + 200000) return;
  for (const auto& sim_shard : proxy_->shards()) {
    Shard* shard = sim_shard->shard();
    if (sim_shard->served().retiring()) continue;
    for (uint32_t copy = 0; copy < shard->copy_count(); ++copy) {
      if (sim_shard->served().ResyncNote(copy).find("the configured primary is empty") !=
          std::string::npos) {
        sim_shard->node(copy)->data().clear();
      }
      // So it was when it was taken out of another shard in the middle of a resync.
      if (sim_shard->served().ResyncNote(copy).find("is itself a REPLICAOF replica") !=
          std::string::npos) {
        sim_shard->node(shard->info().primary)->Detach();
        sim_shard->node(shard->info().primary)->ResetAll();
      }
    }
    if (!shard->roles().HoldsOldData() || options_.on_data_loss == OnDataLoss::kMiss) continue;
    forced_us_ = loop_.now_us();
    proxy_->Order(sim_shard.get(), "FORCE", sim_shard->node(shard->info().primary), [](bool) {});
  }
}

void World::CrashProxy() {
  if (proxy_ == nullptr || proxy_going_) return;
  Trace("fault: the proxy crashes");
  if (removals_ != nullptr) removals_->OnCrash();
  for (size_t i = 0; i < nodes_.size(); ++i) {
    Disturbed(i);
    // The next start may find it the only one in sync.
    const uint64_t until_us = loop_.now_us() + 1000 * 1000;
    if (const std::string& refusal = nodes_[i]->refusal(); !refusal.empty()) {
      refusals_.push_back({ShardOf(i), refusal, until_us});
    }
    // Or not reach it.
    const bool away = !nodes_[i]->alive() || nodes_[i]->hung() || nodes_[i]->cut_off();
    if (away) refusals_.push_back({ShardOf(i), kDown, until_us});
  }
  TakeStats();
  if (forced_us_ > 0 && loop_.now_us() < forced_us_ + 1000 * 1000) {
    // It may be durable without a word of it.
    check_.data_lost = true;
    check_.old_from_us = std::min(check_.old_from_us, loop_.now_us());
  }
  if (forced_reload_) {
    check_.data_lost = true;
    check_.old_from_us = std::min(check_.old_from_us, loop_.now_us());
  }
  if (std::exchange(reload_active_, false)) --faults_active_;
  proxy_going_ = true;
  ignore_replies_ = true;
  if (watchers_ != nullptr) watchers_->OnCrash();
  proxy_.reset();
  ignore_replies_ = false;
  for (SimOp& op : history_.ops()) {
    if (op.outcome != SimOp::Outcome::kPending) continue;
    op.outcome = SimOp::Outcome::kUnknown;
    op.ended_us = loop_.now_us();
    if (op.client > 0) --clients_[op.client - 1].outstanding;
  }
  for (Client& client : clients_) {
    client.line.clear();
    client.fence = ReadFence();
  }
  for (SimOp& copy : copies_) {
    if (copy.outcome == SimOp::Outcome::kPending) copy.outcome = SimOp::Outcome::kUnknown;
  }
  ++faults_active_;
  loop_.After(loop_.Between(0, 200000), [this] {
    --faults_active_;
    StartProxy();
  });
}

void World::RestartProxy() {
  if (proxy_ == nullptr || proxy_going_ || !proxy_->serving()) return;
  Trace("fault: the proxy is restarted in order");
  proxy_going_ = true;
  ++faults_active_;
  // Drained first: what is in flight is answered, and nothing new is taken.
  const uint64_t limit_us = loop_.now_us() + 1000 * 1000;
  auto drain = std::make_shared<std::function<void()>>();
  auto heard = std::make_shared<std::map<Shard*, uint64_t>>();  // see Removals::AllHeard
  *drain = [this, limit_us, drain, heard] {
    bool busy = !Idle();
    for (const auto& sim_shard : proxy_->shards()) {
      Shard* shard = sim_shard->shard();
      for (uint32_t copy = 0; copy < shard->copy_count(); ++copy) {
        busy |= !shard->link(copy)->line().empty();
      }
      busy |= !shard->removals().AllHeard(&(*heard)[shard]);
    }
    if (busy && loop_.now_us() < limit_us) {
      loop_.After(1000, *drain);
      return;
    }
    auto again = [this] {
      TakeStats();
      proxy_going_ = false;
      --faults_active_;
      CrashProxy();
    };
    if (busy) {
      again();  // it takes too long: not in order
    } else {
      proxy_->Close([this, again] { loop_.After(0, again); });
    }
    loop_.After(0, [drain] { *drain = nullptr; });
  };
  loop_.After(0, *drain);
}

}  // namespace gemel::sim
