#include "backend/fleet/fleet_member.h"

#include <algorithm>
#include <utility>

#include "backend/fleet/owner_plan.h"
#include "backend/topology/edit_queue.h"

namespace gemel {

namespace {

// Of the shards of a fleet, and not of one shard.
bool IsOfProcess(EditKind kind) { return kind == EditKind::kOpen || kind == EditKind::kClose; }
bool IsOfFleet(EditKind kind) { return kind == EditKind::kAddShard || kind == EditKind::kSetRing; }

// Its register changes with each word for balance.
constexpr std::string_view kBalanceText = "balance";

// What its last owner left without an order: writes may have reached one copy only.
bool TakeUnclean(ShardRecord* record, std::string* error) {
  Topology stored = AloneOf(record->info, {});
  stored.clean = false;
  ShardMembers members{record->info.name, {}};
  for (const CopyInfo& copy : record->info.copies) members.nodes.push_back(copy.node);
  stored.shards[0].swept = 0;
  const std::optional<Topology> next = InitialTopology({members}, &stored, error);
  if (!next) return false;
  const uint64_t swept = record->info.swept;
  record->info = next->shards[0];
  record->info.swept = swept;
  return true;
}

// Its owner leaves it in order, and may have written since it took it from one that had not: a copy
// that was equal then need not be any more.
void LeaveClean(ShardRecord* record) {
  for (CopyInfo& copy : record->info.copies) {
    if (copy.cause == StaleCause::kNotClean) copy.cause = StaleCause::kNotCleanBefore;
  }
}

}  // namespace

FleetMember::FleetMember(Registers* registers, OwnLife::Options options, Hooks hooks)
    : registers_(registers),
      options_(options),
      hooks_(std::move(hooks)),
      life_(registers, &view_, options,
            {hooks_.clock, hooks_.random_id, [this] { plan_due_ = look_soon_ = true; },
             [this](const std::string& why) { OnLost(why); },
             [this](const std::string& text) { hooks_.note(NoteLevel::kWarn, text); }}),
      others_(registers, &view_, options.name, options.lease_ms, hooks_.clock,
              [this](const std::string& text) { hooks_.note(NoteLevel::kWarn, text); }),
      writes_(registers, &view_, hooks_.random_id, hooks_.clock),
      change_(registers, &view_, &life_, options.lease_ms, options.name,
              {hooks_.clock, [this] { LookSoon(); }, hooks_.note}) {}

void FleetMember::Tick() {
  const uint64_t now_ms = hooks_.clock();
  life_.Tick(now_ms);
  writes_.Tick(now_ms);
  Look(now_ms);
  if (!closing_) change_.Tick(now_ms);
  if (people_.empty() || view_.changes() != seen_changes_) {
    if (const std::string people = PeopleOf(); people != people_) {
      people_ = people;
      people_ms_ = now_ms;
    }
  }
  if (view_.changes() != seen_changes_) {
    seen_changes_ = view_.changes();
    plan_due_ = true;
    HearOfBalance();
    hooks_.on_change();
  }
  if (std::exchange(plan_due_, false)) PlanAndAct();
  CheckClosed();
}

// At least five times a lease; soon after something has changed, but not all the time.
void FleetMember::Look(uint64_t now_ms) {
  const uint64_t beat = options_.lease_ms / 5;
  const uint64_t gap = std::max<uint64_t>(beat / 5, view_.members().size());
  if (look_soon_) next_look_ms_ = std::min(next_look_ms_, looked_ms_ + gap);
  if (looking_ || now_ms < next_look_ms_) return;
  looking_ = true;
  look_soon_ = false;
  looked_ms_ = now_ms;
  next_look_ms_ = now_ms + beat;
  // Of a shard that was not in the plan then the view has not kept what was said.
  const uint64_t fleet = view_.fleet_version();
  registers_->ListSince("", fleet == listed_fleet_ ? listed_version_ : 0,
                        alive_.Guard([this, now_ms, fleet](RegisterOutcome outcome,
                                                           const std::vector<NamedRegister>& all) {
                          looking_ = false;
                          if (outcome == RegisterOutcome::kDone) OnLooked(now_ms, fleet, all);
                        }));
}

void FleetMember::OnLooked(uint64_t asked_ms, uint64_t fleet,
                           const std::vector<NamedRegister>& all) {
  listed_fleet_ = fleet;
  for (const NamedRegister& one : all) {
    listed_version_ = std::max(listed_version_, one.value.version);
  }
  std::string error;
  view_.OnList(all, asked_ms, hooks_.clock(), &error);
  if (error != told_ && !error.empty()) hooks_.note(NoteLevel::kError, error);
  told_ = error;
  if (view_.fleet_version() != fleet) look_soon_ = true;
  plan_due_ = true;
  if (!closing_) others_.EndSilent();
}

std::string FleetMember::PeopleOf() const {
  std::string people = ".";
  for (const auto& [name, member] : view_.members()) {
    if (member.life.ended) continue;
    people += name + (member.life.draining ? "-" : "+") + std::to_string(member.life.number) + " ";
  }
  return people;
}

void FleetMember::Balance() {
  people_ms_ = 0;
  plan_due_ = true;
  Share(std::string(kBalanceText), hooks_.random_id());
}

// What was said before this member looked first is no word for it.
void FleetMember::HearOfBalance() {
  const auto said = view_.texts().find(std::string(kTextPrefix) + std::string(kBalanceText));
  if (said == view_.texts().end()) return;
  if (std::exchange(balance_, said->second.version) != said->second.version && looked_ms_ > 0 &&
      life_.alive()) {
    people_ms_ = 0;
  }
}

bool FleetMember::Settled(uint64_t now_ms) const {
  return now_ms >= people_ms_ + uint64_t{options_.lease_ms} * 2;
}

bool FleetMember::NamedByAny() const {
  for (const auto& [name, shard] : view_.shards()) {
    if (shard.record.owner == options_.name && shard.record.owner_life == life_.record().number) {
      return true;
    }
  }
  return false;
}

void FleetMember::OnLost(const std::string& why) {
  writes_.DropAll("this member of the fleet has lost its leases");
  if (NamedByAny()) {
    hooks_.note(NoteLevel::kError,
                "this member of the fleet owns no shard any more and serves none itself: " + why);
  }
  hooks_.on_change();
}

void FleetMember::PlanAndAct() {
  // What there was before this life is no ground to own anything.
  if (!life_.alive() || closing_ || view_.listed_ms() <= life_.joined_ms() || !view_.fleet())
    return;
  const uint64_t life = life_.record().number;
  if (!change_.pending()) established_life_ = life;
  if (established_life_ != life) return;
  const OwnerPlan plan =
      PlanOwners(view_, options_.name, options_.lease_ms, Settled(hooks_.clock()));
  for (const std::string& shard : plan.claims) Claim(shard);
  if (change_.pending()) return;
  for (const OwnerPlan::Move& move : plan.moves) Move(move.shard, move.to);
}

void FleetMember::Claim(const std::string& shard) {
  if (writes_.Busy(shard)) return;
  writes_.Add(
      shard,
      [this](ShardRecord* record, std::string* error) {
        if (!life_.alive() || !view_.IsFree(*record)) {
          *error = "it has an owner";
          return false;
        }
        if (!record->owner.empty() && !TakeUnclean(record, error)) return false;
        record->owner = options_.name;
        record->owner_life = life_.record().number;
        record->owner_life_id = life_.record().id;
        record->next.clear();
        ++record->owner_epoch;
        return true;
      },
      [this, shard](const std::string& error) {
        if (!error.empty()) return;
        const ShardLease lease = LeaseOf(shard);
        if (!lease.mine) return;
        hooks_.note(NoteLevel::kInfo, "shard '" + shard + "': this member owns it now (turn " +
                                          std::to_string(lease.epoch) + ")");
      });
}

void FleetMember::Move(const std::string& shard, const std::string& to) {
  if (writes_.Busy(shard)) return;
  writes_.Add(
      shard,
      [this, to](ShardRecord* record, std::string* error) {
        const FleetView::Member* next = view_.FindMember(to);
        if (!life_.Owns(*record) || !record->next.empty() || next == nullptr || next->life.ended) {
          *error = "it does not move";
          return false;
        }
        record->next = to;
        return true;
      },
      [](const std::string&) {});
}

void FleetMember::Give(const std::string& shard, uint64_t epoch, bool clean) {
  writes_.Add(
      shard,
      [this, epoch, clean](ShardRecord* record, std::string* error) {
        if (!life_.Owns(*record) || record->owner_epoch != epoch) {
          *error = "it is not this member's";
          return false;
        }
        if (clean) {
          LeaveClean(record);
        } else if (!TakeUnclean(record, error)) {
          return false;
        }
        std::string to = NextOwner(view_, options_.name, record->next, options_.lease_ms);
        // While the plan changes nobody gets what was not to be his before.
        if (change_.pending() && to != record->next) to.clear();
        const FleetView::Member* next = view_.FindMember(to);
        // Nobody: then whoever comes first claims it, or this member itself.
        record->owner = to;
        record->owner_life = next == nullptr ? 0 : next->life.number;
        record->owner_life_id = next == nullptr ? "" : next->life.id;
        record->next.clear();
        ++record->owner_epoch;
        return true;
      },
      [this, shard](const std::string& error) {
        if (!error.empty()) return;
        const FleetView::Shard* given = view_.FindShard(shard);
        hooks_.note(NoteLevel::kInfo, "shard '" + shard + "': handed over" +
                                          (given != nullptr && !given->record.owner.empty()
                                               ? " to member " + given->record.owner
                                               : std::string()));
      });
}

void FleetMember::Propose(Edit edit, EditDone done) {
  const auto answer = [this, done](const std::string& error) {
    done({error.empty(), error, view_.topology()});
  };
  if (IsOfFleet(edit.kind)) {
    return writes_.Later(answer,
                         "the shards and the ring of a fleet are not changed by one member");
  }
  // Whether it stopped in order is said of each shard and not of the process.
  if (IsOfProcess(edit.kind)) return writes_.Later(answer, {});
  if (closing_) return writes_.Later(answer, std::string(kCoordinatorClosed));
  if (edit.kind == EditKind::kRemoveShard) return Release(edit.shard, answer);
  writes_.Add(
      edit.shard,
      [this, edit](ShardRecord* record, std::string* error) {
        if (!life_.Owns(*record)) {
          *error = "shard \"" + record->info.name + "\" is " +
                   (record->owner.empty() ? "nobody's" : "member " + record->owner + "'s") + " now";
          return false;
        }
        Topology alone = AloneOf(record->info, view_.topology()->rings);
        if (!ApplyTo(&alone, edit, error)) return false;
        record->info = alone.shards[0];
        return true;
      },
      answer);
}

// The plan has it no more, and nobody serves it.
void FleetMember::Release(const std::string& shard,
                          const std::function<void(const std::string&)>& answer) {
  const FleetView::Shard* known = view_.FindShard(shard);
  if (known == nullptr) return writes_.Later(answer, {});
  if (known->planned) {
    return writes_.Later(answer, "shard \"" + shard + "\" is one of the fleet's");
  }
  writes_.Add(
      shard,
      [this](ShardRecord* record, std::string* error) {
        if (!life_.Owns(*record)) {
          *error = "it is not this member's";
          return false;
        }
        record->owner.clear();
        record->owner_life = 0;
        record->owner_life_id.clear();
        record->next.clear();
        ++record->owner_epoch;
        return true;
      },
      answer);
}

void FleetMember::Share(const std::string& name, const std::string& text) {
  if (sharing_ || view_.listed_ms() == 0 || text.size() > Registers::kMaxText) return;
  const std::string place = std::string(kTextPrefix) + name;
  const auto known = view_.texts().find(place);
  const uint64_t expected = known != view_.texts().end() ? known->second.version : 0;
  sharing_ = true;
  registers_->Write(place, expected, text,
                    alive_.Guard([this, place, text](RegisterOutcome outcome, uint64_t version) {
                      sharing_ = false;
                      std::string error;
                      if (outcome == RegisterOutcome::kDone) {
                        view_.OnText(place, {text, version}, hooks_.clock(), &error);
                      } else {
                        LookSoon();
                      }
                    }));
}

bool FleetMember::owns_any() const {
  for (const auto& [name, shard] : view_.shards()) {
    if (life_.Owns(shard.record)) return true;
  }
  return false;
}

ShardLease FleetMember::LeaseOf(const ShardRecord& record) const {
  ShardLease lease;
  lease.epoch = record.owner_epoch;
  if (view_.IsFree(record)) return lease;
  lease.owner = record.owner;
  lease.mine = life_.Owns(record);
  if (lease.mine) {
    lease.until_ms = life_.until_ms();
    lease.leaving = !record.next.empty();
  } else if (record.owner != options_.name) {
    const FleetView::Member* owner = view_.FindMember(record.owner);
    if (owner != nullptr) lease.address = owner->life.address;
  }
  return lease;
}

ShardLease FleetMember::LeaseOf(std::string_view shard) const {
  const FleetView::Shard* known = view_.FindShard(shard);
  return known == nullptr ? ShardLease() : LeaseOf(known->record);
}

std::map<std::string, ShardLease, std::less<>> FleetMember::Leases() const {
  std::map<std::string, ShardLease, std::less<>> leases;
  for (const auto& [name, shard] : view_.shards()) {
    if (shard.planned || life_.Owns(shard.record)) leases.emplace(name, LeaseOf(shard.record));
  }
  return leases;
}

void FleetMember::Close(bool clean, EditDone done) {
  closing_ = true;
  clean_ = clean;
  closed_ = std::move(done);
}

// First what was asked before, then the shards, then the life.
void FleetMember::CheckClosed() {
  if (!closing_ || ending_ || !closed_ || !writes_.idle()) return;
  if (clean_ && life_.alive()) {
    bool left = false;
    for (const auto& [name, shard] : view_.shards()) {
      if (!life_.Owns(shard.record)) continue;
      left = true;
      Give(name, shard.record.owner_epoch, true);
    }
    if (left) return;
  }
  ending_ = true;
  // Who owns nothing leaves nothing behind.
  const bool ok = !clean_ || life_.alive() || !NamedByAny();
  life_.End(alive_.Guard([this, ok] {
    const EditDone done = std::exchange(closed_, nullptr);
    if (done) done({ok, ok ? "" : "the fleet's registers were not reached", view_.topology()});
  }));
}

}  // namespace gemel
