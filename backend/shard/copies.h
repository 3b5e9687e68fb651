// The copies of a shard: their links, their stages, and the shard as the topology has it.
//
// A copy keeps its index for as long as it belongs to the shard, whatever comes and goes beside it:
// masks of copies are in flight. The place of one that was removed stays behind as a stale, drained
// copy without a node, until a new one takes it.

#ifndef GEMEL_BACKEND_SHARD_COPIES_H_
#define GEMEL_BACKEND_SHARD_COPIES_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "backend/link/link.h"
#include "backend/shard/copy_mask.h"
#include "backend/shard/copy_stages.h"
#include "backend/topology/topology.h"

namespace gemel {

// Logic only, the shard's thread.
class Copies {
 public:
  // Both outlive it.
  Copies(LinkOwner* owner, ChunkPool* pool) : owner_(owner), pool_(pool) {}

  // --- who belongs to the shard ---
  // A copy for that node, stale until SetInfo says otherwise: its index, or -1 if there is no
  // place. Its link is new, and not started.
  int Add(const LinkOptions& node);
  // It is no copy any more. Its link stays, for what is in flight there; stop it.
  void Remove(uint32_t copy);
  uint32_t count() const { return static_cast<uint32_t>(places_.size()); }
  bool IsMember(uint32_t copy) const { return stages_.of(copy) != CopyStage::kRemoved; }
  uint32_t members() const;
  // The index of the copy on that node, or -1.
  int IndexOf(std::string_view node) const;
  Link& link(uint32_t copy) { return *places_[copy].link; }
  const Link& link(uint32_t copy) const { return *places_[copy].link; }

  // How many databases there are of which anything may be asked: all that clients may choose from,
  // or one, if the shard has its own database of its nodes, or a node that is up has fewer.
  uint32_t databases() const { return uint32_t{last_database_} + 1; }
  uint8_t last_database() const { return last_database_; }
  // A node came, or what is configured changed.
  void CountDatabases();

  // --- what the topology says ---
  // An edit is in effect. `journals`: of these copies it is known what they miss, should they be
  // stale now.
  void SetInfo(const ShardInfo& info, CopyMask journals);
  // With the copies at their places here.
  const ShardInfo& info() const { return info_; }
  const CopyInfo& info(uint32_t copy) const { return info_.copies[copy]; }
  uint32_t primary() const { return primary_; }
  // Durable, and of no matter for the copies: see ShardInfo.
  void set_swept(uint64_t ring) { info_.swept = ring; }
  // The first of the rings that were kept when an edit of this shard came into effect last; 0: none
  // was known.
  uint64_t first_ring() const { return first_ring_; }
  void set_first_ring(uint64_t ring) { first_ring_ = ring; }
  void set_settings(uint32_t copy, std::vector<NodeSetting> settings) {
    info_.copies[copy].settings = std::move(settings);
  }
  // The process whose data the topology speaks of; what was learnt counts before it is saved.
  const std::string& run_id(uint32_t copy) const { return places_[copy].run_id; }
  void LearnRunId(uint32_t copy, const std::string& run_id) { places_[copy].run_id = run_id; }

  // --- stages, and what follows from them ---
  const CopyStages& stages() const { return stages_; }
  CopyStage stage(uint32_t copy) const { return stages_.of(copy); }
  bool Is(uint32_t copy, CopyStage stage) const { return stages_.of(copy) == stage; }
  bool InSync(uint32_t copy) const { return (in_sync() & Bit(copy)) != 0; }
  void Move(uint32_t copy, CopyStage to) { stages_.Move(copy, to); }
  CopyMask in_sync() const { return stages_.in_sync(); }
  CopyMask joining() const { return stages_.joining(); }
  CopyMask targets() const { return stages_.targets(); }
  // The link is up, and the node is the process that it should be.
  CopyMask up() const { return connected_ & ~stages_.replaced(); }
  // In sync as far as is durable, and known here to lack something, or not known not to.
  CopyMask unsure() const { return stages_.doubtful() & ~stages_.replaced(); }
  bool IsUp(uint32_t copy) const { return (up() & Bit(copy)) != 0; }
  // Those of them to which something can be sent, whatever process each is.
  CopyMask Reachable(CopyMask copies) const;
  // In sync, up and in no doubt: see ShardRoles::Derive, which alone sets it.
  CopyMask readable() const { return readable_; }
  // Each that is in sync is.
  bool AllReadable() const { return in_sync() == readable_; }
  bool Serves(uint32_t copy) const { return (readable_ & Bit(copy)) != 0; }
  void set_readable(CopyMask copies) { readable_ = copies; }

  // --- their links, as they come and go ---
  void Connected(uint32_t copy) { connected_ |= Bit(copy); }
  // It hands back what it lost, from the first call to LossEnded.
  void Losing(uint32_t copy) {
    losing_ = true;
    connected_ &= ~Bit(copy);
    readable_ &= ~Bit(copy);
  }
  void LossEnded(uint32_t copy) {
    losing_ = false;
    connected_ &= ~Bit(copy);
    readable_ &= ~Bit(copy);
  }
  bool losing() const { return losing_; }

  // Empty; or what is true of them that never may be.
  std::string Broken() const;

 private:
  struct Place {
    std::unique_ptr<Link> link;
    std::string run_id;
  };
  ShardInfo Placed(const ShardInfo& info) const;

  LinkOwner* owner_;
  ChunkPool* pool_;
  std::vector<Place> places_;
  CopyStages stages_;
  ShardInfo info_;
  uint64_t first_ring_ = 0;
  uint32_t primary_ = 0;
  uint8_t last_database_ = 0;
  CopyMask connected_ = 0;
  CopyMask readable_ = 0;
  bool losing_ = false;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_COPIES_H_
