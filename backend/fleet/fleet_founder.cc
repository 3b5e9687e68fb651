#include "backend/fleet/fleet_founder.h"

#include <algorithm>
#include <utility>

namespace gemel {

FleetFounder::FleetFounder(Registers* registers, FleetRecord mine, Done done)
    : registers_(registers), mine_(std::move(mine)), done_(std::move(done)) {}

void FleetFounder::Begin() {
  registers_->List(
      "", alive_.Guard([this](RegisterOutcome outcome, const std::vector<NamedRegister>& all) {
        OnListed(outcome, all);
      }));
}

void FleetFounder::OnListed(RegisterOutcome outcome, const std::vector<NamedRegister>& all) {
  if (outcome != RegisterOutcome::kDone) return Fail();
  for (const NamedRegister& one : all) {
    if (one.name != kFleetRegister || one.value.version == 0) continue;
    std::string why;
    const std::optional<FleetRecord> found = DecodeFleet(one.value.text, &why);
    if (!found)
      why = "what is kept of the fleet at " + registers_->place() + " cannot be read: " + why;
    return done_(found, why, /*final=*/true);
  }
  next_ = 0;
  WriteShards();
}

void FleetFounder::WriteShards() {
  if (next_ == mine_.plan.topology.shards.size()) return WriteFleet();
  ShardRecord record;
  record.info = mine_.plan.topology.shards[next_];
  record.stamp = mine_.id;
  registers_->Write(
      ShardRegister(record.info.name), 0, EncodeShard(record, mine_.plan.topology.rings),
      alive_.Guard([this](RegisterOutcome outcome, uint64_t) {
        if (outcome != RegisterOutcome::kDone && outcome != RegisterOutcome::kConflict) {
          return Fail();
        }
        ++next_;
        WriteShards();
      }));
}

void FleetFounder::WriteFleet() {
  registers_->Write(std::string(kFleetRegister), 0, EncodeFleet(mine_),
                    alive_.Guard([this](RegisterOutcome outcome, uint64_t) {
                      if (outcome == RegisterOutcome::kDone) return done_(mine_, {}, true);
                      if (outcome == RegisterOutcome::kConflict) return Begin();
                      Fail();
                    }));
}

void FleetFounder::Fail() {
  done_(std::nullopt,
        registers_->place() + " cannot be reached" +
            (registers_->trouble().empty() ? "" : ": " + registers_->trouble()),
        /*final=*/false);
}

namespace {

std::string WhyOtherShards(const Topology& fleet, const Topology& mine) {
  for (const ShardInfo& shard : mine.shards) {
    const int known = fleet.IndexOf(shard.name);
    if (known < 0) return "the fleet has no shard \"" + shard.name + "\"";
    const ShardInfo& there = fleet.shards[static_cast<size_t>(known)];
    for (const CopyInfo& copy : shard.copies) {
      if (there.IndexOf(copy.node) < 0) {
        return "shard \"" + shard.name + "\" of the fleet does not have the node " + copy.node;
      }
    }
    for (const CopyInfo& copy : there.copies) {
      if (shard.IndexOf(copy.node) < 0) {
        return "shard \"" + shard.name + "\" of the fleet has the node " + copy.node + ", too";
      }
    }
  }
  for (const ShardInfo& shard : fleet.shards) {
    if (mine.IndexOf(shard.name) < 0) return "the fleet has a shard \"" + shard.name + "\", too";
  }
  if (!fleet.rings.empty() && !mine.rings.empty() &&
      !SameRing(fleet.rings.back(), mine.rings.back())) {
    return "the fleet has another ring: points, hash_tag and the weights of the shards must be "
           "equal";
  }
  return {};
}

}  // namespace

std::string WhyNotOfFleet(const FleetRecord& fleet, const FleetPlan& mine) {
  const std::string fingerprint = FingerprintOf(mine);
  if (fingerprint == FingerprintOf(fleet.plan) ||
      (fleet.next && fingerprint == FingerprintOf(*fleet.next)) ||
      std::find(fleet.before.begin(), fleet.before.end(), fingerprint) != fleet.before.end()) {
    return {};
  }
  const std::string why = WhyOtherShards(fleet.plan.topology, mine.topology);
  return why.empty() ? "a shard of the fleet has another database" : why;
}

}  // namespace gemel
