// The fleet as one member knows it: the records of all registers, and when it saw each member live.

#ifndef GEMEL_BACKEND_FLEET_FLEET_VIEW_H_
#define GEMEL_BACKEND_FLEET_FLEET_VIEW_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backend/fleet/fleet_records.h"
#include "backend/fleet/registers.h"

namespace gemel {

// Logic only, one thread. It may be behind, and never believes less than it did.
class FleetView {
 public:
  struct Member {
    LifeRecord life;
    uint64_t version = 0;
    uint64_t seen_ms = 0;  // by the own clock: when this beat was seen first
  };
  struct Shard {
    ShardRecord record;
    uint64_t version = 0;  // 0: it has no record yet
    bool planned = true;   // false: the plan has it no more
  };

  FleetView();

  // What a List of all registers that was asked at `asked_ms` has brought. A record that cannot be
  // read is left out, and *error (a sentence) says which.
  void OnList(const std::vector<NamedRegister>& all, uint64_t asked_ms, uint64_t now_ms,
              std::string* error);
  // What was read or written besides. Older ones than are known change nothing.
  void OnLife(const std::string& member, const LifeRecord& life, uint64_t version, uint64_t now_ms);
  void OnShard(const ShardRecord& record, uint64_t version);
  // The same of a text. False and *error if it cannot be read.
  bool OnText(const std::string& name, const RegisterValue& value, uint64_t now_ms,
              std::string* error);

  const std::optional<FleetRecord>& fleet() const { return fleet_; }
  // Of its register.
  uint64_t fleet_version() const { return fleet_version_; }
  // By name.
  const std::map<std::string, Member, std::less<>>& members() const { return members_; }
  const std::map<std::string, Shard, std::less<>>& shards() const { return shards_; }
  const Member* FindMember(std::string_view name) const;
  const Shard* FindShard(std::string_view name) const;
  // When the last List was asked that was answered; 0: none was.
  uint64_t listed_ms() const { return listed_ms_; }

  // What is kept together besides, by the name of its register.
  const std::map<std::string, RegisterValue, std::less<>>& texts() const { return texts_; }

  // No beat of it was seen for so long, though it was looked for: what was asked that long after
  // the last one was seen still had that one.
  bool SilentFor(const Member& member, uint64_t ms) const {
    return listed_ms_ >= member.seen_ms + ms;
  }
  // That life of the member goes on, as far as is known.
  bool Lives(std::string_view member, uint64_t number) const;
  // It may own shards: it lives, wants to, and serves by the plan in effect, or is about to.
  bool MayOwn(const LifeRecord& life) const;
  // Nobody owns the shard: nobody did, or that life has surely ended.
  bool IsFree(const ShardRecord& record) const;

  // All shards and rings; never null. Its epoch grows with each change.
  const std::shared_ptr<const Topology>& topology() const { return topology_; }
  // Grows with each change of anything but beats.
  uint64_t changes() const { return changes_; }

 private:
  void SetFleet(FleetRecord record);
  void TopologyChanged();
  void Assemble();

  std::optional<FleetRecord> fleet_;
  uint64_t fleet_version_ = 0;
  std::map<std::string, Member, std::less<>> members_;
  std::map<std::string, Shard, std::less<>> shards_;
  // The same by the names of their registers: most of a List is known already.
  std::map<std::string, const Shard*, std::less<>> shards_by_register_;
  std::map<std::string, RegisterValue, std::less<>> texts_;
  std::shared_ptr<const Topology> topology_;
  bool listing_ = false;     // it is assembled behind all that a List brings
  bool assembling_ = false;  // then
  uint64_t listed_ms_ = 0;
  uint64_t changes_ = 0;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_FLEET_FLEET_VIEW_H_
