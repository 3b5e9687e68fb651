// How a node that lost its registers becomes an acceptor anew.

#ifndef GEMEL_BACKEND_PAXOS_PAXOS_READMISSION_H_
#define GEMEL_BACKEND_PAXOS_PAXOS_READMISSION_H_

#include <functional>
#include <memory>

#include "backend/paxos/paxos_view.h"

namespace gemel {

// Carries one change of the acceptors through, as far as it gets: first the one that is under way,
// whoever began it; else that of the view's stranger, if it has one. Any number may do so at once.
//
//   1. The stranger forgets what it has and offers itself under a new nonce.
//   2. The config register gets a config in which both its old life and its new one count: a
//      majority of the old acceptors and one of the new ones are needed for everything.
//   3. A quorum follows that config: by the one before nothing can be chosen any more.
//   4. Every register that any of the quorum knows is rewritten, which brings it to the new ones.
//   5. The config register gets the config of the new acceptors alone.
//
// `end` is called later, once, whatever came of it.
void ReadmitPaxosNode(const std::shared_ptr<PaxosView>& view, std::function<void()> end);

// The names that begin so, of registers of which a quorum's acceptors ever accepted a value;
// `done(false, {})`: there was no quorum. Of every register that is written they are.
void AskPaxosNames(const std::shared_ptr<PaxosView>& view, const std::string& prefix,
                   std::function<void(bool, const std::vector<std::string>&)> done);

}  // namespace gemel

#endif  // GEMEL_BACKEND_PAXOS_PAXOS_READMISSION_H_
