// What a fleet keeps in its registers, and its text.
//
//   fleet          what all members agree on: which fleet this is, its plan, and the next one
//   life/<member>  whether the member lives: it says so again and again
//   shard/<name>   who owns the shard, and its roles and marks
//
// Member and shard names go into names of registers, so a shard's is written by ShardRegister.

#ifndef GEMEL_BACKEND_FLEET_FLEET_RECORDS_H_
#define GEMEL_BACKEND_FLEET_FLEET_RECORDS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backend/fleet/fleet_plan.h"
#include "backend/topology/topology.h"

namespace gemel {

inline constexpr std::string_view kFleetRegister = "fleet";
inline constexpr std::string_view kLifePrefix = "life/";
inline constexpr std::string_view kShardPrefix = "shard/";
// What members keep together besides, each as it says it (FleetMember::Share).
inline constexpr std::string_view kTextPrefix = "text/";

std::string LifeRegister(std::string_view member);
// Characters that a register's name cannot have are written as _XX, a byte in hex.
std::string ShardRegister(std::string_view shard);

// 1 to 64 of a-z, A-Z, 0-9, '_', '.' and '-'.
bool IsMemberName(std::string_view name);

struct FleetRecord {
  std::string id;       // random, of its founding: who says another one belongs to another fleet
  FleetPlan plan = {};  // in effect
  std::optional<FleetPlan> next = {};    // once all members agree
  uint64_t last = 1;                     // the highest version that was ever proposed
  std::vector<std::string> before = {};  // fingerprints of plans that were in effect, oldest first

  bool operator==(const FleetRecord&) const = default;
};

// One life of a member: from its joining to its end.
struct LifeRecord {
  uint64_t number = 0;  // from 1: which life of that member
  std::string id;       // random, of this life
  uint64_t beat = 0;    // grows while it lives
  bool ended = false;
  bool witness = false;   // owns nothing
  bool draining = false;  // is to own nothing
  // The route (FleetPlan) that it serves by, and the version of the last plan to which it agreed:
  // what its clients had asked is done, and nothing is asked until that plan is in effect or given
  // up.
  uint64_t route = 1;
  uint64_t agreed = 1;
  std::string address;  // where it takes requests of other members; empty: nowhere

  bool operator==(const LifeRecord&) const = default;
};

struct ShardRecord {
  std::string owner;          // a member; empty: nobody, and every copy in sync has all writes
  uint64_t owner_life = 0;    // its LifeRecord's number
  std::string owner_life_id;  // and id
  uint64_t owner_epoch = 0;   // grows with each change of the owner
  std::string next;           // who is to have it next; empty: it stays
  std::string stamp;          // of the write, so that its writer knows it again
  ShardInfo info;             // roles and marks

  bool operator==(const ShardRecord&) const = default;
};

// The shard by itself as a snapshot. Rings would name shards that are not there: of each that has
// it, it keeps its own place alone.
Topology AloneOf(const ShardInfo& info, const std::vector<RingSpec>& rings);

std::string EncodeFleet(const FleetRecord& record);
std::string EncodeLife(const LifeRecord& record);
// `rings`: those of the fleet, by which `info.swept` counts.
std::string EncodeShard(const ShardRecord& record, const std::vector<RingSpec>& rings);

// So many plans that were in effect are remembered, for files that still say one of them.
inline constexpr size_t kMostPlansBefore = 16;

// Nothing and *error (a sentence) if the text is damaged or of a later gemel.
std::optional<FleetRecord> DecodeFleet(std::string_view text, std::string* error);
std::optional<LifeRecord> DecodeLife(std::string_view text, std::string* error);
std::optional<ShardRecord> DecodeShard(std::string_view text, std::string* error);

}  // namespace gemel

#endif  // GEMEL_BACKEND_FLEET_FLEET_RECORDS_H_
