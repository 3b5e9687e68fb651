// One member of a fleet: it lives, takes over what nobody owns, gives away what another is to have,
// and makes edits of its shards durable.
//
// Invariants:
//  - A shard's record names its owner's life. Only that life edits it, and only while it lives.
//  - Ownership changes by compare-and-set of that record: by its owner, or by anyone once the
//    owner's life has ended. The owner epoch grows with each change.
//  - What the owner had not handed over in order is taken over with every replica stale: a write
//    may have reached one copy only.

#ifndef GEMEL_BACKEND_FLEET_FLEET_MEMBER_H_
#define GEMEL_BACKEND_FLEET_FLEET_MEMBER_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "backend/events/note.h"
#include "backend/fleet/fleet_change.h"
#include "backend/fleet/fleet_view.h"
#include "backend/fleet/others_lives.h"
#include "backend/fleet/own_life.h"
#include "backend/fleet/registers.h"
#include "backend/fleet/shard_writes.h"
#include "backend/life/alive.h"
#include "backend/topology/coordinator.h"

namespace gemel {

// Logic only, one thread.
class FleetMember {
 public:
  struct Hooks {
    std::function<uint64_t()> clock;  // see OwnLife
    std::function<std::string()> random_id;
    // Who owns what, or the snapshot, may be another now.
    std::function<void()> on_change;
    std::function<void(NoteLevel level, const std::string& text)> note;
  };

  // `registers` outlives it.
  FleetMember(Registers* registers, OwnLife::Options options, Hooks hooks);

  // To be called every few milliseconds, and soon after anything else was called here.
  void Tick();
  // Something may have changed in the registers.
  void LookSoon() { look_soon_ = true; }

  // See Coordinator: of a shard that this member owns. `done` comes in a later Tick.
  void Propose(Edit edit, EditDone done);
  void Give(const std::string& shard, uint64_t epoch, bool clean);
  // Wants to own nothing from now on (or wants again): its shards move, one after the other.
  void SetDraining(bool draining) { life_.SetDraining(draining); }
  // Shards of all members may move for the sake of balance now, though somebody came or went a
  // moment ago.
  void Balance();
  // The shard is to move to the member that has the fewest.
  void Move(const std::string& shard, const std::string& to);
  // Writes what members keep together under that name, over what is known of it (FleetView::texts),
  // once; if it has changed meanwhile nothing is written, and it is for the caller to look and to
  // make of both what is to be. Nothing while one is on its way, or the text is too long.
  void Share(const std::string& name, const std::string& text);
  // The orderly end. Shards that are still owned are free afterwards: of `clean` with all copies as
  // they are. `done` runs once, in a later Tick.
  void Close(bool clean, EditDone done);

  const FleetView& view() const { return view_; }
  const OwnLife& life() const { return life_; }
  const std::string& name() const { return options_.name; }
  bool owns_any() const;
  ShardLease LeaseOf(std::string_view shard) const;
  // Of all shards, by name: those of the plan, and those that this member still owns besides.
  std::map<std::string, ShardLease, std::less<>> Leases() const;
  // How the fleet comes to serve something else.
  FleetChange& change() { return change_; }

 private:
  ShardLease LeaseOf(const ShardRecord& record) const;
  void Look(uint64_t now_ms);
  // What a look that was asked then has brought, by that version of the fleet's register.
  void OnLooked(uint64_t asked_ms, uint64_t fleet, const std::vector<NamedRegister>& all);
  void OnLost(const std::string& why);
  void PlanAndAct();
  void Claim(const std::string& shard);
  void Release(const std::string& shard, const std::function<void(const std::string&)>& answer);
  void CheckClosed();
  void HearOfBalance();
  bool Settled(uint64_t now_ms) const;
  // The record of a shard names the own life, which may have ended.
  bool NamedByAny() const;
  std::string PeopleOf() const;

  Registers* registers_;
  const OwnLife::Options options_;
  const Hooks hooks_;
  FleetView view_;
  OwnLife life_;
  OthersLives others_;
  ShardWrites writes_;
  FleetChange change_;
  uint64_t seen_changes_ = 0;
  uint64_t next_look_ms_ = 0;
  uint64_t looked_ms_ = 0;
  uint64_t listed_version_ = 0;  // the highest that a List has said
  uint64_t listed_fleet_ = 0;    // by that version of the fleet's register
  bool looking_ = false;
  bool look_soon_ = false;
  bool sharing_ = false;
  bool plan_due_ = false;
  std::string people_;  // who lives and may own, when that was last looked at
  uint64_t people_ms_ = 0;
  // The life that was there when no plan waited for agreement: it is asked for its own before the
  // next one takes effect.
  uint64_t established_life_ = 0;
  uint64_t balance_ = 0;  // the version of the last word for it that was heard
  std::string told_;      // what could not be read
  bool closing_ = false;
  bool ending_ = false;
  bool clean_ = true;
  EditDone closed_;
  Alive alive_;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_FLEET_FLEET_MEMBER_H_
