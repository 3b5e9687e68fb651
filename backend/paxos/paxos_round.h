// One attempt to change a register: a ballot, promises of a quorum, and a value that it accepts.

#ifndef GEMEL_BACKEND_PAXOS_PAXOS_ROUND_H_
#define GEMEL_BACKEND_PAXOS_PAXOS_ROUND_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "backend/paxos/paxos_value.h"
#include "backend/paxos/paxos_view.h"

namespace gemel {

struct PaxosRoundEnd {
  enum class Kind : uint8_t {
    kChosen,    // `value` is the register's, and stays in its history for ever
    kConflict,  // somebody else's ballot is higher
    kMoved,     // the view has another config by now
    kShort,     // too few acceptors answered
  };
  Kind kind = Kind::kShort;
  PaxosValue value = {};
};

// What the register is to be, given what it is; nullopt: what it is.
using PaxosChange = std::function<std::optional<PaxosValue>(const PaxosValue& now)>;

// The view's config must be known. `rewrite`: what stays is accepted anew by this ballot, so that
// nothing of a lower one can be chosen any more; else that is spared if a quorum agrees already.
// After anything but kChosen the changed value may be chosen yet, whatever it was. `done` is called
// once, later; `change` at most once, before it.
void RunPaxosRound(const std::shared_ptr<PaxosView>& view, const std::string& name, bool rewrite,
                   PaxosChange change, std::function<void(const PaxosRoundEnd&)> done);

// Goes by what a quorum has accepted last, without a ballot: kChosen if it is all the same, kShort
// if not.
void RunPaxosRead(const std::shared_ptr<PaxosView>& view, const std::string& name,
                  std::function<void(const PaxosRoundEnd&)> done);

}  // namespace gemel

#endif  // GEMEL_BACKEND_PAXOS_PAXOS_ROUND_H_
