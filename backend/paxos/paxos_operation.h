// A change of one register: rounds, with pauses, until one is through or the time is over.

#ifndef GEMEL_BACKEND_PAXOS_PAXOS_OPERATION_H_
#define GEMEL_BACKEND_PAXOS_PAXOS_OPERATION_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "backend/paxos/paxos_round.h"
#include "backend/paxos/paxos_view.h"

namespace gemel {

struct PaxosPlan {
  std::string name;
  PaxosChange change;             // runs once a round
  std::function<bool()> rewrite;  // asked before each round, see RunPaxosRound
  bool read_first = false;        // without a ballot, if a quorum agrees
};

// `done` is called once, later, within the view's time limit: with what was chosen, or with
// nothing.
void RunPaxosOperation(const std::shared_ptr<PaxosView>& view, PaxosPlan plan,
                       std::function<void(const std::optional<PaxosValue>&)> done);

// The register of the configs: version n - 1 is the config of epoch n, and that of epoch 1, which
// is not in it, is the founders'. No register that others name is called so.
inline constexpr const char* kConfigRegister = "%config";

}  // namespace gemel

#endif  // GEMEL_BACKEND_PAXOS_PAXOS_OPERATION_H_
