// What the files of the topology share with each other, and with nobody else.

#ifndef GEMEL_BACKEND_TOPOLOGY_TOPOLOGY_PARTS_H_
#define GEMEL_BACKEND_TOPOLOGY_TOPOLOGY_PARTS_H_

#include <string>
#include <string_view>
#include <vector>

#include "backend/topology/topology.h"

namespace gemel::topology_parts {

std::string Quoted(std::string_view name);
// "n1 of shard "a"".
std::string OfShard(const ShardInfo& shard, std::string_view node);

void MakeStale(CopyInfo* copy, std::string_view reason, StaleCause cause = StaleCause::kOther);
void MakeInSync(CopyInfo* copy);
// A copy that a known shard did not have before.
CopyInfo NewCopy(std::string_view node);
// A shard without a history: adopted.
ShardInfo NewShard(const ShardMembers& members);

// Why these cannot be the settings of a copy, a phrase about it; empty if they can.
std::string WhyNoSettings(const std::vector<NodeSetting>& settings);

// The invariants of one shard; see CheckTopology.
bool CheckShard(const ShardInfo& shard, std::string* error);

// Makes `spec` the ring in effect. False, *error and *topology as it was if that cannot be.
bool SetRing(Topology* topology, const RingSpec& spec, std::string* error);

}  // namespace gemel::topology_parts

#endif  // GEMEL_BACKEND_TOPOLOGY_TOPOLOGY_PARTS_H_
