#include "backend/shard/shard_readings.h"

#include <bit>

#include "backend/shard/copies.h"
#include "backend/shard/hold.h"
#include "backend/shard/node_watch.h"
#include "backend/shard/removals.h"
#include "backend/shard/shard_roles.h"
#include "backend/shard/way_back.h"

namespace gemel {

namespace {

using enum FigureType;
using Parts = const ShardParts&;

const Link& LinkOf(Parts parts, uint32_t copy) { return parts.copies->link(copy); }

uint64_t StaleCopies(Parts parts) {
  return parts.copies->members() - static_cast<uint64_t>(std::popcount(parts.copies->in_sync()));
}

uint64_t Sweeping(Parts parts) { return parts.notes.sweep && !parts.notes.sweep().empty() ? 1 : 0; }

uint64_t BytesInFlight(Parts parts) {
  uint64_t bytes = 0;
  for (uint32_t i = 0; i < parts.copies->count(); ++i) bytes += LinkOf(parts, i).line().bytes();
  return bytes;
}

constexpr ShardNumber kShardNumbers[] = {
    {"epoch", "Times that the roles of the shard's copies were changed", kGauge,
     [](Parts parts) { return parts.copies->info().epoch; }},
    {"held", "Requests that wait until they can be sent", kGauge,
     [](Parts parts) { return uint64_t{parts.hold->size()}; }},
    {"copies", "Nodes of the shard", kGauge,
     [](Parts parts) { return uint64_t{parts.copies->members()}; }},
    {"copies_in_sync", "Nodes that have all acknowledged writes", kGauge,
     [](Parts parts) { return static_cast<uint64_t>(std::popcount(parts.copies->in_sync())); }},
    {"copies_stale", "Nodes that may lack writes", kGauge, StaleCopies},
    {"copies_readable", "Nodes that reads can be sent to", kGauge,
     [](Parts parts) { return static_cast<uint64_t>(std::popcount(parts.copies->readable())); }},
    {"in_flight_bytes", "Bytes sent to the shard's nodes and not answered", kGauge, BytesInFlight},
    {"sweeping", "1 while keys are deleted after a change of the ring", kGauge, Sweeping},
};

constexpr NodeNumber kNodeNumbers[] = {
    {"pending", "Requests sent to the node and not answered", kGauge,
     [](Parts parts, uint32_t copy) { return uint64_t{LinkOf(parts, copy).line().size()}; }},
    {"pending_bytes", "Bytes of these", kGauge,
     [](Parts parts, uint32_t copy) { return uint64_t{LinkOf(parts, copy).line().bytes()}; }},
    {"requests", "Commands sent to the node", kCounter,
     [](Parts parts, uint32_t copy) { return LinkOf(parts, copy).line().last_place(); }},
    {"error_replies", "Errors that the node answered", kCounter,
     [](Parts parts, uint32_t copy) { return LinkOf(parts, copy).traffic().error_replies; }},
    {"received_bytes", "Bytes received from the node", kCounter,
     [](Parts parts, uint32_t copy) { return LinkOf(parts, copy).traffic().received_bytes; }},
    {"sent_bytes", "Bytes sent to the node", kCounter,
     [](Parts parts, uint32_t copy) { return LinkOf(parts, copy).traffic().sent_bytes; }},
    {"connects", "Connections for requests that were made", kCounter,
     [](Parts parts, uint32_t copy) { return LinkOf(parts, copy).times().connects(); }},
    {"connections_lost", "Of these, ended while they were in use", kCounter,
     [](Parts parts, uint32_t copy) { return LinkOf(parts, copy).traffic().lost; }},
    {"connections_overdue", "Of these, given up since no answer came in time", kCounter,
     [](Parts parts, uint32_t copy) { return LinkOf(parts, copy).traffic().overdue; }},
    {"primary", "1: it is the shard's primary", kGauge,
     [](Parts parts, uint32_t copy) { return uint64_t{copy == parts.copies->primary()}; },
     /*in_words=*/true},
    {"in_sync", "1: it has all acknowledged writes", kGauge,
     [](Parts parts, uint32_t copy) { return uint64_t{parts.copies->InSync(copy)}; },
     /*in_words=*/true},
    {"stale", "1: it may lack writes, and is neither read nor promoted", kGauge,
     [](Parts parts, uint32_t copy) { return uint64_t{!parts.copies->InSync(copy)}; },
     /*in_words=*/true},
    {"link_up", "1: its connection for requests is up", kGauge,
     [](Parts parts, uint32_t copy) { return uint64_t{LinkOf(parts, copy).up()}; },
     /*in_words=*/true},
    {"up", "1: it answers probes and requests", kGauge,
     [](Parts parts, uint32_t copy) { return uint64_t{!parts.nodes->IsDown(copy)}; },
     /*in_words=*/true},
    {"removals_heard", "1: it tells which keys it expires or evicts", kGauge,
     [](Parts parts, uint32_t copy) { return uint64_t{parts.removals->feeds().IsFollowed(copy)}; },
     /*in_words=*/true},
};

void ReadNode(Parts parts, uint32_t copy, bool for_people, NodeReadings* node) {
  node->address = parts.copies->info(copy).node;
  if (for_people) {
    node->role = RoleWord(parts, copy);
    node->state = StateWord(parts, copy);
    node->health = NodeHealthName(parts.nodes->HealthOf(copy));
    node->reason = ReasonText(parts, copy);
    node->resync = ResyncText(parts, copy);
  }
  node->numbers.reserve(std::size(kNodeNumbers));
  for (const NodeNumber& number : kNodeNumbers) {
    node->numbers.push_back({number.name, number.help, number.type, number.value(parts, copy)});
  }
  const LinkTraffic& traffic = LinkOf(parts, copy).traffic();
  if (traffic.answers != nullptr) node->answers = traffic.answers->times();
}

}  // namespace

std::span<const ShardNumber> ShardNumbers() { return kShardNumbers; }
std::span<const NodeNumber> NodeNumbers() { return kNodeNumbers; }

void ReadShard(Parts parts, bool for_people, ShardReadings* readings) {
  readings->name = parts.options.name;
  if (for_people) {
    if (parts.notes.members) readings->members = parts.notes.members();
    if (parts.notes.sweep) readings->sweep = parts.notes.sweep();
    readings->hot = parts.sample->Hot();
    readings->big = parts.sample->Big();
  }
  const auto figures = parts.figures->all();
  readings->numbers.reserve(std::size(kShardNumbers) + figures.size());
  for (const ShardNumber& number : kShardNumbers) {
    readings->numbers.push_back({number.name, number.help, number.type, number.value(parts)});
  }
  for (const Figure* figure : figures) readings->numbers.push_back(figure->Read());
  for (uint32_t i = 0; i < parts.copies->count(); ++i) {
    if (!parts.copies->IsMember(i)) continue;
    ReadNode(parts, i, for_people, &readings->nodes.emplace_back());
  }
}

std::string_view RoleWord(Parts parts, uint32_t copy) {
  return copy == parts.copies->primary() ? "primary" : "replica";
}

std::string_view StateWord(Parts parts, uint32_t copy) {
  if (parts.copies->InSync(copy)) return "in-sync";
  return parts.copies->info(copy).drained() ? "drained" : "stale";
}

std::string ReasonText(Parts parts, uint32_t copy) {
  const std::string& refusal = parts.roles->refusal(copy);
  if (!refusal.empty()) return "not used: " + refusal;
  return parts.copies->InSync(copy) ? LinkOf(parts, copy).last_error()
                                    : parts.copies->info(copy).reason;
}

std::string ResyncText(Parts parts, uint32_t copy) {
  std::string resync = parts.notes.resync ? parts.notes.resync(copy) : std::string();
  return resync.empty() ? parts.way_back->Note(copy) : resync;
}

}  // namespace gemel
