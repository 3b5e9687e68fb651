#include "tests/sim/sim_node_faults.h"

namespace gemel::sim {

void NodeFaults::OneAfterTheOther(const std::string& shard) {
  if (scene_->fleet.Durable(shard) == nullptr) return;
  Loop& loop = scene_->loop;
  const ShardInfo& info = *scene_->fleet.Durable(shard);
  const std::string primary = info.copies[info.primary].node;
  for (size_t i = 0; i < scene_->fleet.size(); ++i) {
    Node* node = scene_->fleet.at(i);
    if (scene_->fleet.ShardOf(i) != shard || !node->condition().alive()) continue;
    const bool last = node->address() == primary;
    const uint64_t away_us = loop.Between(0, last && loop.Chance(60) ? 20000 : 900000);
    parts_.schedule->EndLater(last ? loop.Between(50000, 400000) : 0, i, [this, i, node, away_us] {
      if (!node->condition().alive()) return;
      scene_->findings.Trace("fault: kill " + node->address() + " for " + std::to_string(away_us) +
                             " us");
      Kill(i, /*silently=*/false);
      parts_.schedule->EndLater(away_us, i, [node] { node->Start(); });
    });
  }
}

void NodeFaults::Strike(size_t index) {
  const uint64_t kind = scene_->loop.Random(13);
  const uint64_t while_us = scene_->loop.Between(1000, scene_->loop.Chance(50) ? 50000 : 900000);
  parts_.schedule->Disturb(index);
  if (kind < 9 && scene_->plan.mode == Mode::kManyFaults && scene_->fleet.OtherIsNew(index)) {
    parts_.losses->MayLose();
  }
  StrikeAs(index, kind, while_us);
}

void NodeFaults::StrikeAs(size_t index, uint64_t kind, uint64_t while_us) {
  Node* node = scene_->fleet.at(index);
  const auto trace = [this, node, while_us](const std::string& what) {
    scene_->findings.Trace("fault: " + what + " " + node->address() + " for " +
                           std::to_string(while_us) + " us");
  };
  switch (kind) {
    case 0:
    case 1:
      KillFor(index, kind == 1, while_us);
      return;
    case 2:
      trace("hang");
      parts_.stalls->Expect("hang", FaultKind::kSilent);
      node->Hang();
      parts_.schedule->EndLater(while_us, index, [node] { node->Resume(); });
      return;
    case 3:
    case 4:
      scene_->findings.Trace("fault: reset " + node->address());
      parts_.stalls->Expect("reset", FaultKind::kReset);
      node->ResetAll();
      return;
    case 5:
      trace("reset and refuse");
      parts_.stalls->Expect("reset and refuse", FaultKind::kNoticed);
      node->ResetAll();
      node->Refuse(true);
      parts_.schedule->EndLater(while_us, index, [node] { node->Refuse(false); });
      return;
    case 6:
      trace("slow");
      node->Slow(scene_->loop.Between(100, scene_->loop.Chance(30) ? 80000 : 5000));
      parts_.schedule->EndLater(while_us, index, [node] { node->Slow(0); });
      return;
    case 7:
      TimeOutProbes(index);
      return;
    case 8:
      trace("cut off");
      parts_.stalls->Expect("cut off", FaultKind::kSilent);
      node->CutOff();
      parts_.schedule->EndLater(while_us, index, [node] { node->Heal(); });
      return;
    case 9:
    case 10:
      Tamper(index);
      return;
    default:
      if (parts_.lives->serving() != nullptr) parts_.orders->OrderOnNode(index);
      return;
  }
}

void NodeFaults::KillFor(size_t index, bool at_once, uint64_t while_us) {
  Loop& loop = scene_->loop;
  Node* node = scene_->fleet.at(index);
  const bool silently = loop.Chance(20);
  // A machine that lost its power is not back before its probes were refused.
  const uint64_t away_us = silently  ? while_us + 200000
                           : at_once ? loop.Between(0, 5000)
                                     : while_us;
  if (!node->condition().alive()) return;
  scene_->findings.Trace(std::string("fault: kill") + (silently ? " silently " : " ") +
                         node->address() + " for " + std::to_string(away_us) + " us");
  parts_.stalls->Expect(silently ? "silent kill" : "kill",
                        silently ? FaultKind::kSilent : FaultKind::kNoticed);
  Kill(index, silently);
  parts_.schedule->EndLater(away_us, index, [node] { node->Start(); });
}

void NodeFaults::TimeOutProbes(size_t index) {
  Node* node = scene_->fleet.at(index);
  const uint64_t count = scene_->loop.Between(1, 5);
  scene_->findings.Trace("fault: " + std::to_string(count) + " probes time out of " +
                         node->address());
  parts_.stalls->Expect("probes", FaultKind::kNoticed);
  if (SimProxy* proxy = parts_.lives->present(); proxy != nullptr) {
    proxy->FailProbes(node, static_cast<uint32_t>(count));
  }
  parts_.schedule->EndLater(count * 150000, index, [] {});
}

void NodeFaults::Tamper(size_t index) {
  Loop& loop = scene_->loop;
  Node* node = scene_->fleet.at(index);
  const std::string key = (scene_->plan.reloads ? ShardName(loop.Random(scene_->plan.prefixes))
                                                : scene_->fleet.ShardOf(index)) +
                          ":x";
  scene_->findings.Trace("fault: tamper with " + key + " of " + node->address());
  if (!node->data().contains(key)) return;
  if (loop.Chance(50)) {
    node->data().erase(key);
  } else {
    node->data()[key] += "tampered;";
  }
}

bool NodeFaults::SomebodyHas(const std::string& shard, size_t without) const {
  constexpr uint64_t kCalm = 1000 * 1000;
  if (shard.empty()) return true;
  const Fleet& fleet = scene_->fleet;
  bool somebody = scene_->plan.reloads && parts_.file->in_effect().Find(shard) == nullptr;
  for (size_t other = 0; other < fleet.size(); ++other) {
    if (other == without || fleet.ShardOf(other) != shard || parts_.file->Leaves(other)) continue;
    const Node& node = *fleet.at(other);
    const CopyInfo& copy = *fleet.DurableCopy(other);
    somebody |= copy.state == CopyState::kInSync && copy.run_id == node.run_id() &&
                node.condition().healthy() &&
                (scene_->plan.mode == Mode::kOneFault || parts_.schedule->IsCalm(other, kCalm));
  }
  return somebody;
}

void NodeFaults::Kill(size_t index, bool silently) {
  const Disk& disk = scene_->disk;
  SimProxy* proxy = parts_.lives->present();
  const bool somebody = disk.durable && disk.failing_percent == 0 && !disk.full &&
                        proxy != nullptr && proxy->serving() &&
                        SomebodyHas(scene_->fleet.ShardOf(index), index);
  if (!somebody && !(scene_->plan.keeps && parts_.file->in_effect().ack == Ack::kAll)) {
    scene_->findings.Trace("data may be lost with it");
    parts_.losses->MayLose();
  }
  Node* node = scene_->fleet.at(index);
  if (parts_.removals != nullptr) parts_.removals->OnKill(node);
  node->Kill(silently);
  if (proxy != nullptr && !silently) proxy->ResetProbe(node);
}

void NodeFaults::SaveTurn() {
  Loop& loop = scene_->loop;
  const size_t index = loop.Random(scene_->fleet.size());
  Node* node = scene_->fleet.at(index);
  // An adopted shard leaves a replica with data before an empty primary to the operator.
  const ShardInfo* shard = scene_->fleet.Durable(scene_->fleet.ShardOf(index));
  if (shard != nullptr && !shard->adopted) loop.Chance(15) ? node->Forget() : node->Save();
  if (loop.now_us() < scene_->plan.clients.end_us) {
    loop.After(loop.Between(5000, 300000), [this] { SaveTurn(); });
  }
}

}  // namespace gemel::sim
