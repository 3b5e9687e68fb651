// What follows where the nodes of the shards keep the registers of a fleet themselves
// (coordinator = "paxos").

#ifndef GEMEL_CONFIG_CONFIG_REGISTERS_H_
#define GEMEL_CONFIG_CONFIG_REGISTERS_H_

#include <cstddef>
#include <string>

#include "config/config.h"

namespace gemel {

struct PoolPlaces;
class Mistakes;

// With fewer nodes none could fail. More than the most are of no use: each is asked each time.
inline constexpr size_t kLeastRegisterNodes = 3;
inline constexpr size_t kMostRegisterNodes = 15;

// Whether nodes of shards of the pool do.
bool NodesKeepRegisters(const FleetConfig& fleet, const PoolConfig& pool);

// Then clients of the pool have the databases below that of the registers, and no others: sets
// PoolConfig::registers_database and ::databases.
void PlaceRegisters(const FleetConfig& fleet, PoolConfig* pool);

// What people should know of it, a sentence; empty: nothing, there is another coordinator.
std::string DescribeRegisters(const Config& config);

// Private to config. Adds a mistake if that cannot be: too few nodes, a database that is the
// clients' or a shard's, a shard of one copy.
void CheckRegisters(const Config& config, const PoolPlaces& places, Mistakes* mistakes);

}  // namespace gemel

#endif  // GEMEL_CONFIG_CONFIG_REGISTERS_H_
