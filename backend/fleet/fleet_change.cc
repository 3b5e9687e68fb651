#include "backend/fleet/fleet_change.h"

#include <optional>
#include <utility>

namespace gemel {

namespace {

// It becomes the plan in effect.
void Settle(FleetRecord* record, FleetPlan plan) {
  record->before.push_back(FingerprintOf(record->plan));
  if (record->before.size() > kMostPlansBefore) record->before.erase(record->before.begin());
  record->plan = std::move(plan);
  record->next.reset();
}

}  // namespace

FleetChange::FleetChange(Registers* registers, FleetView* view, OwnLife* life, uint32_t lease_ms,
                         std::string self, Hooks hooks)
    : registers_(registers),
      view_(view),
      life_(life),
      lease_ms_(lease_ms),
      self_(std::move(self)),
      hooks_(std::move(hooks)) {}

void FleetChange::Propose(const WantedPlan& wanted, Done done) {
  if (done_ || pending() || !view_->fleet()) {
    return done("another change of the fleet's shards is under way: try again in a moment", 0);
  }
  proposal_ = *view_->fleet();
  expected_ = view_->fleet_version();
  version_ = ++proposal_.last;
  std::string error;
  std::optional<FleetPlan> next =
      NextPlan(proposal_.plan, *view_->topology(), wanted, version_, &error);
  if (!next) return done(error, 0);
  added_.clear();
  next_added_ = 0;
  for (const ShardInfo& shard : next->topology.shards) {
    if (proposal_.plan.topology.IndexOf(shard.name) < 0) added_.push_back(shard);
  }
  if (next->route == proposal_.plan.route) {
    Settle(&proposal_, *std::move(next));
  } else {
    proposal_.next = std::move(next);
  }
  done_ = std::move(done);
  WriteShard();
}

// A shard's record is there before the plan that has it.
void FleetChange::WriteShard() {
  if (next_added_ == added_.size()) return WriteProposal();
  registers_->Read(ShardRegister(added_[next_added_].name),
                   alive_.Guard([this](RegisterOutcome outcome, const RegisterValue& value) {
                     OnShardRead(outcome, value);
                   }));
}

void FleetChange::OnShardRead(RegisterOutcome outcome, const RegisterValue& value) {
  if (outcome != RegisterOutcome::kDone) return End(WhyNotReached());
  const ShardInfo& info = added_[next_added_];
  ShardRecord record;
  if (value.version > 0) {
    // The fleet had one of that name before.
    std::string why;
    const std::optional<ShardRecord> before = DecodeShard(value.text, &why);
    if (before && !view_->IsFree(*before)) {
      return End("shard '" + info.name +
                 "' was removed a moment ago and still answers its last requests: try again");
    }
    if (before) record.owner_epoch = before->owner_epoch;
  }
  record.info = info;
  record.stamp = "plan-" + std::to_string(version_);
  registers_->Write(
      ShardRegister(info.name), value.version,
      EncodeShard(record, (proposal_.next ? *proposal_.next : proposal_.plan).topology.rings),
      alive_.Guard([this](RegisterOutcome written, uint64_t) {
        if (written != RegisterOutcome::kDone) return End(WhyNotReached());
        ++next_added_;
        WriteShard();
      }));
}

void FleetChange::WriteProposal() {
  const size_t size = EncodeFleet(proposal_).size();
  if (size > Registers::kMaxText) {
    return End("the fleet's shards and rings take " + std::to_string(size) +
               " bytes, more than the coordinator keeps in one place");
  }
  WriteFleet(proposal_, expected_, [this](RegisterOutcome outcome) {
    if (outcome == RegisterOutcome::kDone) return End({});
    End(outcome == RegisterOutcome::kConflict
            ? "another member has changed the fleet's shards meanwhile: look at "
              "them and try again"
            : WhyNotReached());
  });
}

void FleetChange::End(const std::string& error) {
  const Done done = std::exchange(done_, nullptr);
  done(error, error.empty() ? version_ : 0);
}

std::string FleetChange::WhyNotReached() const {
  return registers_->place() + " did not answer" +
         (registers_->trouble().empty() ? "" : ": " + registers_->trouble());
}

void FleetChange::Agree(uint64_t version) { life_->SetRoute(route_, version); }

void FleetChange::Serve(uint64_t version, uint64_t route) {
  route_ = route;
  life_->SetRoute(route, version);
}

std::string FleetChange::NotAgreed(uint64_t version) const {
  std::string who;
  for (const auto& [name, member] : view_->members()) {
    if (member.life.ended || member.life.agreed >= version) continue;
    who += (who.empty() ? "member '" : ", member '") + name + "'";
  }
  return who;
}

void FleetChange::Tick(uint64_t now_ms) {
  if (!pending()) {
    seen_version_ = 0;
    return;
  }
  const uint64_t version = view_->fleet()->next->version;
  if (std::exchange(seen_version_, version) != version) {
    seen_ms_ = now_ms;
    agreed_ms_ = 0;
  }
  if (writing_ || !life_->alive()) return;
  const std::string who = NotAgreed(version);
  // Who came before the plan was known must be in the picture.
  if (!who.empty() || view_->listed_ms() <= seen_ms_) {
    if (now_ms >= seen_ms_ + kPatienceMs) GiveUp(who);
    return;
  }
  if (agreed_ms_ == 0) agreed_ms_ = now_ms;
  // One of them will do; the others step in if it does not.
  std::string first;
  for (const auto& [name, member] : view_->members()) {
    if (!member.life.ended && (first.empty() || name < first)) first = name;
  }
  if (first == self_ || now_ms >= agreed_ms_ + lease_ms_ / 5) PutInEffect();
}

void FleetChange::PutInEffect() {
  FleetRecord record = *view_->fleet();
  Settle(&record, *record.next);
  hooks_.note(NoteLevel::kInfo, "all members of the fleet agree to version " +
                                    std::to_string(record.plan.version) +
                                    " of its shards, which takes effect");
  Write(record);
}

void FleetChange::GiveUp(const std::string& who) {
  FleetRecord record = *view_->fleet();
  hooks_.note(
      NoteLevel::kError,
      "version " + std::to_string(record.next->version) + " of the fleet's shards is given up: " +
          (who.empty() ? "the coordinator was not reached" : who + " did not agree") + " in time");
  record.next.reset();
  Write(record);
}

void FleetChange::Write(const FleetRecord& record) {
  writing_ = true;
  WriteFleet(record, view_->fleet_version(), [this](RegisterOutcome) { writing_ = false; });
}

void FleetChange::WriteFleet(const FleetRecord& record, uint64_t expected,
                             std::function<void(RegisterOutcome outcome)> done) {
  const std::string name(kFleetRegister);
  const std::string text = EncodeFleet(record);
  registers_->Write(name, expected, text,
                    alive_.Guard([this, name, text, done = std::move(done)](RegisterOutcome outcome,
                                                                            uint64_t version) {
                      std::string error;
                      if (outcome == RegisterOutcome::kDone) {
                        view_->OnText(name, {text, version}, hooks_.clock(), &error);
                      } else {
                        hooks_.look_soon();
                      }
                      done(outcome);
                    }));
}

}  // namespace gemel
