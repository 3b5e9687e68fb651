#include "tests/sim/sim_operator.h"

#include <memory>
#include <utility>

namespace gemel::sim {

void Operator::OrderOnNode(size_t index) {
  static constexpr const char* kVerbs[] = {"PROMOTE", "RESYNC", "DRAIN", "DRAIN"};
  Loop& loop = scene_->loop;
  const std::string verb =
      scene_->plan.refusing() > 0 && loop.Chance(70) ? "RESYNC" : kVerbs[loop.Random(4)];
  const Node* node = scene_->fleet.at(index);
  SimProxy* proxy = lives_->present();
  SimShard* shard = proxy->Find(scene_->fleet.ShardOf(index));
  if (shard == nullptr || proxy->process().paused()) return;
  if (scene_->plan.mode == Mode::kManyFaults &&
      file_->in_effect().on_data_loss == OnDataLoss::kRefuse && loop.Chance(30)) {
    scene_->findings.Trace("order: FORCE " + node->address());
    losses_->OnForce();
    proxy->orders().Order(shard, "FORCE", node, [](bool) {});
    return;
  }
  scene_->findings.Trace("order: " + verb + " " + node->address());
  schedule_->Disturb(index);
  proxy->orders().Order(shard, verb, node, [](bool) {});
  if (verb == "DRAIN") {
    schedule_->EndLater(loop.Between(1000, 500000), index,
                        [this, index] { UndrainUntilDone(index); });
  }
}

// An order may be refused, and one that was given up may still take effect.
void Operator::UndrainUntilDone(size_t index) {
  schedule_->Begin();
  auto refused = std::make_shared<bool>(false);  // the drain itself may be under way
  if (SimProxy* proxy = lives_->serving(); proxy != nullptr) {
    if (SimShard* shard = proxy->Find(scene_->fleet.ShardOf(index)); shard != nullptr) {
      proxy->orders().Order(shard, "UNDRAIN", scene_->fleet.at(index),
                            [refused](bool ok) { *refused = !ok; });
    }
  }
  scene_->loop.After(100000, [this, index, refused] {
    schedule_->Over();
    SimProxy* proxy = lives_->awake();
    if (proxy == nullptr) {
      UndrainUntilDone(index);
      return;
    }
    SimShard* shard = proxy->Find(scene_->fleet.ShardOf(index));
    if (shard == nullptr) return;
    const CopyInfo* copy = scene_->fleet.DurableCopy(index);
    if (*refused || shard->shard()->ports().resync.editing() ||
        (copy != nullptr && copy->drained_by == DrainedBy::kOperator)) {
      UndrainUntilDone(index);
    }
  });
}

void Operator::Reload(bool reverse) {
  SimProxy* proxy = lives_->awake();
  if (proxy == nullptr || proxy->reload().under_way()) return;
  Loop& loop = scene_->loop;
  bool back = false;
  const ProxyOptions next = file_->Next(reverse, &back);
  // While one thing is wrong an operator does not begin anew where it is.
  if (scene_->plan.mode != Mode::kManyFaults && file_->AddsAShardThatIsNotWell(next)) return;
  const bool force = scene_->plan.mode == Mode::kManyFaults && loop.Chance(10);
  std::string text = std::string("reload") + (back ? " (back)" : "") + (force ? " (FORCE)" : "");
  for (const ShardSetup& shard : next.shards) {
    text += " " + shard.name + "*" + std::to_string(shard.weight) + ":";
    for (const Node* node : shard.nodes) text += " " + node->address();
    text += ";";
  }
  scene_->findings.Trace(text + " points " + std::to_string(next.points) + " tag '" +
                         next.hash_tag + "'");
  file_->Write(next);
  if (force) losses_->OnForcedReload();
  reloading_ = true;
  schedule_->Begin();
  proxy->reload().Begin(next, force, [this, next](const std::string& why) {
    ReloadIsOver();
    if (!why.empty()) {
      scene_->findings.Trace("the reload is refused: " + why);
      file_->OnRefused();
      return;
    }
    scene_->findings.Trace("reloaded");
    Loop& loop = scene_->loop;
    const bool ring_changed = file_->OnTakenEffect(next);
    if (ring_changed && loop.Chance(50) && loop.now_us() + 200000 < scene_->plan.clients.end_us) {
      // While deletions are still running.
      loop.After(loop.Between(0, 100000), [this] { Reload(/*reverse=*/true); });
    }
  });
  FollowUp();
}

void Operator::FollowUp() {
  Loop& loop = scene_->loop;
  if (schedule_->may_crash() && loop.Chance(25)) {
    schedule_->Take();
    loop.After(loop.Between(0, 60000), [this] { lives_->Crash(); });
  }
  if (schedule_->more() && loop.Chance(45)) {
    // Before the one before has come to its end.
    loop.After(loop.Between(0, 100000), [this] {
      if (schedule_->more()) Reload(/*reverse=*/false);
    });
  }
}

void Operator::ReloadIsOver() {
  if (std::exchange(reloading_, false)) schedule_->Over();
}

void Operator::AcceptOldData() {
  SimProxy* proxy = lives_->serving();
  if (proxy == nullptr || losses_->ForcedWithin(200000)) return;
  for (const auto& sim_shard : proxy->shards()) {
    if (sim_shard->served().retiring()) continue;
    MendCopies(sim_shard.get());
    Shard* shard = sim_shard->shard();
    if (!shard->roles().HoldsOldData() || file_->in_effect().on_data_loss == OnDataLoss::kMiss) {
      continue;
    }
    losses_->OnForce();
    proxy->orders().Order(sim_shard.get(), "FORCE", sim_shard->node(shard->info().primary),
                          [](bool) {});
  }
}

void Operator::MendCopies(SimShard* sim_shard) {
  Shard* shard = sim_shard->shard();
  const auto is_told = [sim_shard](uint32_t copy, const char* what) {
    return sim_shard->served().ResyncNote(copy).find(what) != std::string::npos;
  };
  for (uint32_t copy = 0; copy < shard->copy_count(); ++copy) {
    if (is_told(copy, "the configured primary is empty")) sim_shard->node(copy)->data().clear();
    // So it was when it was taken out of another shard in the middle of a resync.
    if (is_told(copy, "is itself a REPLICAOF replica")) {
      sim_shard->node(shard->info().primary)->Detach();
      sim_shard->node(shard->info().primary)->ResetAll();
    }
  }
}

}  // namespace gemel::sim
