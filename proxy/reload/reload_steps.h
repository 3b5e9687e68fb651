// The steps by which a good config takes effect: new shards durable, the new ring durable, all
// workers go over, and what was removed is forgotten once nobody serves it any more. Until the ring
// is durable all of it can be taken back.

#ifndef GEMEL_PROXY_RELOAD_RELOAD_STEPS_H_
#define GEMEL_PROXY_RELOAD_RELOAD_STEPS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backend/events/note.h"
#include "backend/topology/coordinator.h"
#include "backend/topology/topology.h"

namespace gemel {

// A shard that a reload removed, until its worker lets go of it.
struct LeavingShard {
  std::string name;
  uint32_t slot = 0;

  bool operator==(const LeavingShard&) const = default;
};

// Logic only, on one thread.
class ReloadSteps {
 public:
  // Carries the steps out; the product's and the simulator's. What is asked of it may have come to
  // its end before it returns.
  class Host {
   public:
    virtual ~Host() = default;
    // See Coordinator: `done` comes later, and not at all once the steps are gone.
    virtual void Propose(Edit edit, EditDone done) = 0;
    virtual std::shared_ptr<const Topology> Durable() const = 0;
    // The rings of `topology` are made, which takes long; OnRingsMade follows.
    virtual void MakeRings(std::shared_ptr<const Topology> topology) = 0;
    // All workers go over to the next config. `topology`: with what was made durable for it.
    // OnChanged follows when all have.
    virtual void ChangeWorkers(std::shared_ptr<const Topology> topology) = 0;
    // The end: all of it is in effect, or nothing of it.
    virtual void OnTakenEffect() = 0;
    virtual void OnRefused(const std::string& why) = 0;
    // --- a member of a fleet; see Plan::fleet ---
    // The fleet's members are asked for what is planned. OnProposed follows.
    virtual void ProposePlan() {}
    // With the rings of the plan that the workers are to go over to.
    virtual std::shared_ptr<const Topology> Planned() const { return Durable(); }
    // Nothing more is read from clients, and what they asked comes to its end. OnHeld follows.
    virtual void HoldClients() {}
    virtual void LetClientsGo() {}
    // This member agrees to the plan. OnAgreed follows, once all have or it is given up.
    virtual void AgreeOnPlan() {}
    // One line for the log.
    virtual void Note(NoteLevel level, const std::string& text) = 0;
  };
  struct Plan {
    std::string cause;
    std::vector<ShardMembers> added;
    std::optional<RingSpec> ring;  // if it is another
    std::vector<LeavingShard> removed;
    // Of a fleet the shards and the ring are not proposed here: all members go over to its plan
    // (FleetChange).
    enum class Fleet : uint8_t {
      kAlone,
      kFollows,   // the plan is in effect
      kWaits,     // once all members agree
      kProposes,  // it is this member's, and is to be proposed first
    };
    Fleet fleet = Fleet::kAlone;
  };

  // `host` outlives it.
  explicit ReloadSteps(Host* host) : host_(host) {}
  ReloadSteps(const ReloadSteps&) = delete;
  ReloadSteps& operator=(const ReloadSteps&) = delete;

  // REQUIRES: none is under way. Ends with OnTakenEffect or OnRefused, once.
  void Begin(Plan plan);
  void OnRingsMade();
  // `error`: why it was not proposed, a sentence. `waits`: all members are to agree to it first.
  void OnProposed(const std::string& error, bool waits);
  // False: some of what clients asked did not come to its end in time.
  void OnHeld(bool all);
  // `error`: why it was given up, a sentence.
  void OnAgreed(const std::string& error);
  void OnChanged();
  // A worker has let go of a shard that a change removed; maybe before the others have gone over.
  void OnRetired(const std::string& shard);
  // What has not come to the workers yet is refused at its next step, and takes nothing back: the
  // next start goes by the file.
  void Stop() { stopped_ = true; }

  // The workers are going over, which nothing stops.
  bool changing() const { return changing_; }
  const std::vector<LeavingShard>& leaving() const { return leaving_; }

 private:
  void AddShards();
  void OnShardAdded(const std::string& shard, const EditResult& result);
  void SetRing();
  void Change();
  void Follow();
  void TakeBack(const std::string& why);
  void Refuse(const std::string& why);

  Host* host_;
  bool stopped_ = false;
  bool changing_ = false;
  bool holding_ = false;                      // clients
  Plan plan_;                                 // of the one under way
  std::shared_ptr<const Topology> topology_;  // with what was made durable for it
  std::vector<std::string> added_;            // shards that are durable, though none serves them
  size_t edits_ = 0;                          // that have no result yet
  std::string error_;                         // the first of them that failed
  std::vector<LeavingShard> leaving_;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_RELOAD_RELOAD_STEPS_H_
