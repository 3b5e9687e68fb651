// Which nodes answer: what the probes and the links have seen, and what follows from it. A node
// that hangs is told from one that is busy with what it was asked.

#ifndef GEMEL_BACKEND_SHARD_NODE_WATCH_H_
#define GEMEL_BACKEND_SHARD_NODE_WATCH_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "backend/figures/figures.h"
#include "backend/health/failure_detector.h"
#include "backend/health/hang_detector.h"
#include "backend/health/probe_outcome.h"
#include "backend/link/link.h"
#include "backend/shard/frame_keys.h"
#include "backend/shard/request.h"
#include "backend/shard/shard_parts.h"

namespace gemel {

// Logic only, the shard's thread.
class NodeWatch {
 public:
  explicit NodeWatch(ShardParts* parts) : parts_(parts) {}

  void AddCopy(uint32_t copy);
  void SetOptions();
  // Who hangs is given up.
  void Tick(uint64_t now_ms);

  // `began_ms`: when that attempt began.
  void OnProbe(uint32_t copy, ProbeOutcome probe, uint64_t began_ms = ~uint64_t{0});
  // Must a probe of the copy go out now, out of turn? True once a wish.
  bool TakeProbeWish(uint32_t copy);
  // Who takes requests of kind kKill; null: nobody does.
  void set_killer(std::function<void(Request*)> killer) { killer_ = std::move(killer); }
  bool PassToKiller(Request* request) const {
    if (killer_) killer_(request);
    return killer_ != nullptr;
  }
  // Must a script be ended that the copy runs (SCRIPT KILL)? The same.
  bool TakeEndScriptWish(uint32_t copy);
  // It was, and its reply is on its way.
  void OnScriptEnded(uint32_t copy);

  void OnLinkUp(uint32_t copy);
  // What was in line has been handed back, of whatever link that ended.
  void OnLinkEnd(uint32_t copy);
  void OnLinkRefused(uint32_t copy);
  // See LinkOwner::MayTakeLonger.
  bool MayTakeLonger(const Link& link, uint64_t overdue_ms);
  // Its link was given up because no answer came in time: for a script that does not end? It would
  // not end elsewhere either, and take that copy, too.
  bool MayNotRunAgain(uint32_t copy, const Request& request);

  NodeHealth HealthOf(uint32_t copy) const;
  bool IsDown(uint32_t copy) const { return nodes_[copy]->detector.health() == NodeHealth::kDown; }
  // How long the copy's line has not moved.
  uint64_t stalled_ms(uint32_t copy) const { return nodes_[copy]->hang.stalled_ms(); }
  // Requests wait for a node.
  bool Waiting() const;
  void Trim() { frame_.Trim(); }

 private:
  enum class Work : uint8_t {
    kUnknown,    // not looked at yet
    kShort,      // nothing that may take long
    kLong,       // a command that may take long, and that other copies were sent, too
    kLongAlone,  // one that this copy alone was sent: a read
    kScript,     // such a one that may never end by itself
  };
  struct Node {
    FailureDetector detector;
    HangDetector hang;
    bool probe_wish = false;
    bool end_script_wish = false;
    bool runs_script = false;      // for longer than it should, as it says itself
    bool left_script = false;      // its link was given up because of one
    uint64_t script_ended_ms = 0;  // by us, and nothing was answered since; 0: none was
    // What it may be working on while it is silent: of so many, the first in line on its links.
    Work work = Work::kUnknown;
    size_t worked_on = 0;
    size_t side_worked_on = 0;
    Node(uint32_t failures, HangLimits limits) : detector(failures), hang(limits) {}
  };

  NodeHealth Judge(uint32_t copy, ProbeOutcome probe, uint64_t began_ms);
  bool CanDoWithout(uint32_t copy) const;
  bool MayBeBusy(uint32_t copy, uint64_t probe_began_ms) const;
  uint64_t PatienceWith(uint32_t copy, uint64_t now_ms);
  Work WorkOf(uint32_t copy);
  Work WorkOfFirst(const Op& op);
  Work WorkIn(const Link& link, size_t first);
  bool HasScript(const Link& link);
  void GiveUp(uint32_t copy);
  void EndLinks(uint32_t copy, const std::string& why);

  ShardParts* parts_;
  std::vector<std::unique_ptr<Node>> nodes_;  // by copy
  std::function<void(Request*)> killer_;
  bool lost_script_ = false;  // of what is handed back the first script, given up because of that
  FrameKeys frame_{parts_->table};
  Figure ended_scripts_{parts_->figures,
                        "ended_scripts",
                        "Scripts ended on the nodes, for they took too long",
                        {"stats", "ended_scripts"}};
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_NODE_WATCH_H_
