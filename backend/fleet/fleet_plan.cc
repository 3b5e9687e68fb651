#include "backend/fleet/fleet_plan.h"

#include <xxhash.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <utility>

#include "backend/topology/edit.h"
#include "backend/topology/topology_text.h"

namespace gemel {

namespace {

constexpr std::string_view kHead = "plan ";

// Those before the first that a shard of the last one still needs are not kept.
std::vector<RingSpec> NeededRings(const Topology& seen) {
  std::vector<RingSpec> rings = seen.rings;
  if (rings.empty()) return rings;
  uint64_t needed = rings.back().id;
  for (const ShardInfo& shard : seen.shards) {
    if (rings.back().IndexOf(shard.name) >= 0) needed = std::min(needed, shard.swept);
  }
  std::erase_if(rings, [needed](const RingSpec& ring) { return ring.id < needed; });
  return rings;
}

// One line a shard, sorted, and one for what all have.
std::string Fingerprint(const std::vector<ShardMembers>& members,
                        const std::vector<uint32_t>& databases, const RingSpec& ring) {
  std::vector<std::string> lines;
  for (size_t i = 0; i < members.size(); ++i) {
    std::vector<std::string> nodes = members[i].nodes;
    std::sort(nodes.begin(), nodes.end());
    const int place = ring.IndexOf(members[i].name);
    std::string line = members[i].name + "\n";
    for (const std::string& node : nodes) line += node + "\t";
    line += std::to_string(place < 0 ? 0 : ring.shards[static_cast<size_t>(place)].weight) + "\t" +
            std::to_string(i < databases.size() ? databases[i] : 0);
    lines.push_back(std::move(line));
  }
  std::sort(lines.begin(), lines.end());
  std::string all = std::to_string(ring.points) + "\t" + ring.hash_tag;
  for (const std::string& line : lines) all += "\r" + line;
  char text[17];
  std::snprintf(text, sizeof(text), "%016llx",
                static_cast<unsigned long long>(XXH3_64bits(all.data(), all.size())));
  return text;
}

// A number that ends at a space or the line's end. False: there is none.
bool TakeNumber(std::string_view* text, uint64_t* number) {
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), *number);
  if (error != std::errc()) return false;
  text->remove_prefix(static_cast<size_t>(end - text->data()));
  if (!text->empty() && text->front() == ' ') text->remove_prefix(1);
  return true;
}

}  // namespace

std::optional<FleetPlan> NextPlan(const FleetPlan& now, const Topology& seen,
                                  const WantedPlan& wanted, uint64_t version, std::string* error) {
  std::optional<Topology> topology = InitialTopology(wanted.members, nullptr, error);
  if (!topology) return std::nullopt;
  topology->rings = NeededRings(seen);
  Edit ring{EditKind::kSetRing, {}, {}, {}, "the fleet's plan"};
  ring.spec = wanted.ring;
  if (!ApplyTo(&*topology, ring, error)) return std::nullopt;
  FleetPlan next{*std::move(topology), version, now.route, wanted.databases};
  const std::vector<RingSpec>& before = now.topology.rings;
  if (before.empty() || !SameRing(before.back(), next.topology.rings.back())) next.route = version;
  return next;
}

std::string FingerprintOf(const FleetPlan& plan) {
  std::vector<ShardMembers> members;
  for (const ShardInfo& shard : plan.topology.shards) {
    ShardMembers& one = members.emplace_back(ShardMembers{shard.name, {}});
    for (const CopyInfo& copy : shard.copies) one.nodes.push_back(copy.node);
  }
  return Fingerprint(members, plan.databases,
                     plan.topology.rings.empty() ? RingSpec() : plan.topology.rings.back());
}

std::string FingerprintOf(const WantedPlan& plan) {
  return Fingerprint(plan.members, plan.databases, plan.ring);
}

std::string EncodePlan(const FleetPlan& plan) {
  std::string text(kHead);
  text += std::to_string(plan.version) + " " + std::to_string(plan.route);
  for (size_t i = 0; i < plan.topology.shards.size(); ++i) {
    text += " " + std::to_string(plan.DatabaseOf(i));
  }
  return text + "\n" + EncodeTopology(plan.topology);
}

std::optional<FleetPlan> DecodePlan(std::string_view text, std::string* error) {
  FleetPlan plan;
  *error = "it has no plan of the shards where one must be";
  const size_t end = text.find('\n');
  if (!text.starts_with(kHead) || end == std::string_view::npos) return std::nullopt;
  std::string_view line = text.substr(kHead.size(), end - kHead.size());
  if (!TakeNumber(&line, &plan.version) || !TakeNumber(&line, &plan.route)) return std::nullopt;
  for (uint64_t database = 0; !line.empty();) {
    if (!TakeNumber(&line, &database)) return std::nullopt;
    plan.databases.push_back(static_cast<uint32_t>(database));
  }
  std::optional<Topology> topology = DecodeTopology(text.substr(end + 1), error);
  if (!topology) return std::nullopt;
  plan.topology = *std::move(topology);
  error->clear();
  return plan;
}

}  // namespace gemel
