// The way from one plan of a fleet to the next.
//
// A plan that leaves every key where it is takes effect by one write. One that gives keys to other
// shards is proposed first: every member that lives lets what its clients have asked come to its
// end, holds what they ask next, and says that it agrees. Once all have, the plan is in effect, and
// each goes over to it. So no key is served by two shards at a time.
//
// While a plan is proposed no owner hands a shard to another, and who comes meanwhile takes over
// none: so all who own any are asked. (A shard whose owner dies is taken over by one who was there
// before.) A plan to which somebody does not agree in time is given up, and its number is not used
// again.

#ifndef GEMEL_BACKEND_FLEET_FLEET_CHANGE_H_
#define GEMEL_BACKEND_FLEET_FLEET_CHANGE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "backend/events/note.h"
#include "backend/fleet/fleet_view.h"
#include "backend/fleet/own_life.h"
#include "backend/fleet/registers.h"
#include "backend/life/alive.h"

namespace gemel {

// Logic only, one thread. A member's.
class FleetChange {
 public:
  // So long members may take to agree.
  static constexpr uint64_t kPatienceMs = 5000;

  // `error`: a sentence if nothing was proposed; else `version` is in effect or waits for all.
  using Done = std::function<void(const std::string& error, uint64_t version)>;
  struct Hooks {
    std::function<uint64_t()> clock;
    std::function<void()> look_soon;
    std::function<void(NoteLevel level, const std::string& text)> note;
  };

  // All outlives it.
  FleetChange(Registers* registers, FleetView* view, OwnLife* life, uint32_t lease_ms,
              std::string self, Hooks hooks);

  // What the fleet is to serve. One at a time; `done` comes later, or, with an error, in this call.
  void Propose(const WantedPlan& wanted, Done done);
  // This process holds its clients for that plan.
  void Agree(uint64_t version);
  // It serves by that plan from now on.
  void Serve(uint64_t version, uint64_t route);
  // Somebody's plan waits for all to agree.
  bool pending() const { return view_->fleet() && view_->fleet()->next; }
  // Time passes, or the view has changed.
  void Tick(uint64_t now_ms);

 private:
  void WriteShard();
  void OnShardRead(RegisterOutcome outcome, const RegisterValue& value);
  void WriteProposal();
  void End(const std::string& error);
  std::string WhyNotReached() const;
  // The members that live and have not agreed, as a phrase; empty: all have.
  std::string NotAgreed(uint64_t version) const;
  void PutInEffect();
  void GiveUp(const std::string& who);
  void Write(const FleetRecord& record);
  // The fleet's register, where it is of the version `expected`; the view knows of it then.
  void WriteFleet(const FleetRecord& record, uint64_t expected,
                  std::function<void(RegisterOutcome outcome)> done);

  Registers* registers_;
  FleetView* view_;
  OwnLife* life_;
  const uint32_t lease_ms_;
  const std::string self_;
  const Hooks hooks_;
  uint64_t route_ = 1;  // that this process serves by

  // --- a proposal of this member's ---
  Done done_;  // null: there is none
  FleetRecord proposal_;
  uint64_t expected_ = 0;
  uint64_t version_ = 0;
  std::vector<ShardInfo> added_;
  size_t next_added_ = 0;

  // --- whoever's ---
  uint64_t seen_version_ = 0;  // the plan that waits
  uint64_t seen_ms_ = 0;       // since when it is known
  uint64_t agreed_ms_ = 0;     // since when all are known to agree; 0: they are not
  bool writing_ = false;
  Alive alive_;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_FLEET_FLEET_CHANGE_H_
