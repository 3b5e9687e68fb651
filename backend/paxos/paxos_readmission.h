// How the acceptors change: a node that lost its registers becomes one anew, nodes come and go with
// the fleet's plan, and one whose data is about to be overwritten is left out before.

#ifndef GEMEL_BACKEND_PAXOS_PAXOS_READMISSION_H_
#define GEMEL_BACKEND_PAXOS_PAXOS_READMISSION_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "backend/fleet/registers.h"
#include "backend/paxos/paxos_view.h"

namespace gemel {

// Carries one change of the acceptors through, as far as it gets: first the one that is under way,
// whoever began it; else what makes them those that the view wants. Any number may do so at once.
//
//   1. Who is to come, or has lost its registers, forgets what it has and offers itself under a new
//      nonce. Who does not answer comes later.
//   2. The config register gets a config in which both the old acceptors and the new ones count: a
//      majority of each is needed for everything.
//   3. A quorum follows that config: by the one before nothing can be chosen any more.
//   4. Every register that any of the quorum knows is rewritten, which brings it to the new ones.
//   5. The config register gets the config of the new acceptors alone, and they are told.
//
// Nobody is left out as long as fewer than kLeastPaxosNodes, or than half of those that are wanted,
// would remain. `end` is called later, once, whatever came of it.
void ReadmitPaxosNode(const std::shared_ptr<PaxosView>& view, std::function<void()> end);

// The node's data is about to be overwritten: it is no acceptor any more once `done` says so, and
// is one again once that was done (or not, for so long that it will not be). So what is lost is
// never a majority, however many nodes are overwritten: where too few would remain, it is refused.
void ReleasePaxosNode(const std::shared_ptr<PaxosView>& view, const std::string& node,
                      ReleaseDone done);

// The names that begin so, of registers of which a quorum's acceptors ever accepted a value;
// `done(false, {})`: there was no quorum. Of every register that is written they are.
void AskPaxosNames(const std::shared_ptr<PaxosView>& view, const std::string& prefix,
                   std::function<void(bool, const std::vector<std::string>&)> done);

}  // namespace gemel

#endif  // GEMEL_BACKEND_PAXOS_PAXOS_READMISSION_H_
