// How a process finds the registers of its fleet, or founds them.

#ifndef GEMEL_BACKEND_PAXOS_PAXOS_FOUNDING_H_
#define GEMEL_BACKEND_PAXOS_PAXOS_FOUNDING_H_

#include <functional>
#include <memory>

#include "backend/paxos/paxos_view.h"

namespace gemel {

// Asks the nodes which config holds, and adopts the latest. If all of them answer and none has any,
// each is to offer itself under a nonce, and keeps to the first that is proposed to it: whoever has
// all offers has the same first config, so that any number may found at once. It holds once all of
// its nodes have followed it, each of which follows one such config by its offer; whoever finds one
// that was begun carries it on. What loses its data later has no offer any more.
// `end` is called later, once; then the config is known or not.
void FindOrFound(const std::shared_ptr<PaxosView>& view, std::function<void()> end);

}  // namespace gemel

#endif  // GEMEL_BACKEND_PAXOS_PAXOS_FOUNDING_H_
