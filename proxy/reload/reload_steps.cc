#include "proxy/reload/reload_steps.h"

#include <utility>

#include "proxy/reload/reload_order.h"

namespace gemel {

namespace {

constexpr char kNotDurable[] = "the change could not be made durable: ";

}  // namespace

void ReloadSteps::Begin(Plan plan) {
  plan_ = std::move(plan);
  added_.clear();
  error_.clear();
  switch (plan_.fleet) {
    case Plan::Fleet::kAlone:
      return AddShards();
    case Plan::Fleet::kProposes:
      return host_->ProposePlan();
    default:
      return Follow();
  }
}

void ReloadSteps::OnProposed(const std::string& error, bool waits) {
  if (!error.empty()) return Refuse(error);
  plan_.fleet = waits ? Plan::Fleet::kWaits : Plan::Fleet::kFollows;
  Follow();
}

void ReloadSteps::Follow() {
  if (plan_.ring) return host_->MakeRings(host_->Planned());
  OnRingsMade();
}

void ReloadSteps::OnHeld(bool all) {
  if (all && !stopped_) return host_->AgreeOnPlan();
  holding_ = false;
  host_->LetClientsGo();
  Refuse(stopped_
             ? kReloadStopped
             : "what clients had asked did not come to its end in time: it may be tried again");
}

void ReloadSteps::OnAgreed(const std::string& error) {
  if (error.empty()) return Change();
  holding_ = false;
  host_->LetClientsGo();
  Refuse(error);
}

void ReloadSteps::AddShards() {
  const std::shared_ptr<const Topology> durable = host_->Durable();
  std::vector<Edit> edits;
  for (const ShardMembers& shard : plan_.added) {
    if (durable->IndexOf(shard.name) >= 0) continue;
    edits.push_back({EditKind::kAddShard, shard.name, {}, {}, plan_.cause, shard.nodes});
  }
  if (edits.empty()) {
    SetRing();
    return;
  }
  edits_ = edits.size();
  for (Edit& edit : edits) {
    const std::string added = edit.shard;
    host_->Propose(std::move(edit),
                   [this, added](const EditResult& result) { OnShardAdded(added, result); });
  }
}

void ReloadSteps::OnShardAdded(const std::string& shard, const EditResult& result) {
  if (result.ok) added_.push_back(shard);
  if (!result.ok && error_.empty()) error_ = result.error;
  if (--edits_ > 0) return;
  if (!error_.empty()) {
    TakeBack(kNotDurable + error_);
  } else if (stopped_) {
    TakeBack(kReloadStopped);
  } else {
    SetRing();
  }
}

// Last: a ring that is remembered cannot be taken back.
void ReloadSteps::SetRing() {
  if (!plan_.ring) {
    Change();
    return;
  }
  Edit edit{EditKind::kSetRing, {}, {}, {}, plan_.cause};
  edit.spec = *plan_.ring;
  host_->Propose(std::move(edit), [this](const EditResult& result) {
    if (!result.ok) {
      TakeBack(kNotDurable + result.error);
    } else if (stopped_) {
      TakeBack(kReloadStopped);
    } else {
      topology_ = host_->Durable();
      host_->MakeRings(topology_);
    }
  });
}

void ReloadSteps::OnRingsMade() {
  if (plan_.fleet != Plan::Fleet::kWaits || stopped_) return Change();
  holding_ = true;
  host_->HoldClients();
}

void ReloadSteps::Change() {
  // The workers may be gone. If clients are held, others go by the next plan already: then nothing
  // is read from them any more.
  if (stopped_) {
    Refuse(kReloadStopped);
    return;
  }
  changing_ = true;
  if (topology_ == nullptr) topology_ = host_->Durable();
  // From here on, since the first worker may be done with them before the last has gone over.
  leaving_.insert(leaving_.end(), plan_.removed.begin(), plan_.removed.end());
  host_->ChangeWorkers(std::exchange(topology_, nullptr));
}

void ReloadSteps::OnChanged() {
  changing_ = false;
  if (std::exchange(holding_, false)) host_->LetClientsGo();
  host_->OnTakenEffect();
}

// A shard that nobody serves would keep its nodes from all others.
void ReloadSteps::TakeBack(const std::string& why) {
  if (added_.empty() || stopped_) {
    Refuse(why);
    return;
  }
  edits_ = added_.size();
  for (const std::string& shard : added_) {
    host_->Propose({EditKind::kRemoveShard, shard, {}, {}, "the reload was refused"},
                   [this, why, shard](const EditResult& result) {
                     if (!result.ok) {
                       host_->Note(
                           NoteLevel::kWarn,
                           "shard '" + shard +
                               "' keeps its nodes until gemel is started again: " + result.error);
                     }
                     if (--edits_ == 0) Refuse(why);
                   });
  }
}

void ReloadSteps::Refuse(const std::string& why) {
  topology_ = nullptr;
  host_->OnRefused(why);
}

void ReloadSteps::OnRetired(const std::string& shard) {
  host_->Propose(
      {EditKind::kRemoveShard, shard, {}, {}, "the config has it no more"},
      [this, shard](const EditResult& result) {
        std::erase_if(leaving_, [&](const LeavingShard& one) { return one.name == shard; });
        host_->Note(result.ok ? NoteLevel::kInfo : NoteLevel::kWarn,
                    "shard '" + shard + "': removed" +
                        (result.ok ? std::string()
                                   : ", but that could not be made durable: " + result.error));
      });
}

}  // namespace gemel
