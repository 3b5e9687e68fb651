// Which gemels a node has connections of. Each names its connections (CLIENT SETNAME) and then
// looks at all names (CLIENT LIST) before it writes: of two that serve the same database of a node
// at least one sees the other, whoever comes first, and gives way.

#ifndef GEMEL_BACKEND_LINK_OTHER_PROXIES_H_
#define GEMEL_BACKEND_LINK_OTHER_PROXIES_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "backend/link/connection_name.h"

namespace gemel {

struct SeenProxy {
  ProxyInstance proxy;
  bool serves = false;                  // else it has not decided yet
  uint64_t idle_s = 0;                  // of the connection on which it said something last
  std::vector<std::string> client_ids;  // its connections
};

// The gemels in a CLIENT LIST that have connections to that database, but for this one and the
// members of its fleet. One that serves is there a second time if it has undecided connections
// besides.
std::vector<SeenProxy> ProxiesIn(std::string_view client_list, uint32_t database,
                                 const ProxyInstance& self);

// "gemel on host web1 (pid 12, listening on 127.0.0.1:6379, started 2026-11-26 16:00:00 UTC)"
std::string Describe(const ProxyInstance& proxy);

// What one who starts is to do about the others that it sees, all of its own connections being
// named: those that are gone are left out.
enum class StartStep : uint8_t {
  kServe,
  kWait,   // for an undecided one that must give way to it
  kYield,  // to *whom
};
StartStep NextStartStep(const ProxyInstance& self, const std::vector<SeenProxy>& others,
                        ProxyInstance* whom);

// What the process knows of other gemels; outlives its links. Any thread.
class OtherProxies {
 public:
  virtual ~OtherProxies() = default;
  virtual const ProxyInstance& self() const = 0;
  // It has ended, or is to be ended: what its connections have left is thrown away.
  virtual bool IsGone(const SeenProxy& other) = 0;
  // Another serves that node, whose link is not used then. `newcomer`: the node has not been used
  // by this process, which served before.
  virtual void OnRival(const ProxyInstance& other, const std::string& node, bool newcomer) = 0;
  // A node has connections of another member of the fleet that owns the shard in a later turn: this
  // process's turn is over, whatever it knew. Told at each connection that finds it, from within
  // that connection's work: what follows from it is to be done later.
  virtual void OnLaterTurn(const std::string& shard, uint64_t owner_epoch) {
    (void)shard;
    (void)owner_epoch;
  }
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_LINK_OTHER_PROXIES_H_
