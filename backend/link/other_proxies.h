// Which gemels a node has connections of. Each names its connections (CLIENT SETNAME) and then
// looks at all names (CLIENT LIST) before it writes: of two that serve the same database of a node
// at least one sees the other, whoever comes first, and gives way.
//
// A name is "gemel:<shard>;<id>;<state>;<machine>;<pid>.<since>;<start>;<host>;<listen>", or begins
// with "gemel?:" while that gemel has not decided yet whether it may serve.

#ifndef GEMEL_BACKEND_LINK_OTHER_PROXIES_H_
#define GEMEL_BACKEND_LINK_OTHER_PROXIES_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gemel {

// One life of a gemel, as its connections tell it.
struct ProxyInstance {
  std::string id;       // random, of this life
  std::string state;    // of its state folder, which one gemel at a time can hold
  std::string machine;  // where its pid means something
  uint64_t pid = 0;
  uint64_t pid_since = 0;  // which of those that had this pid
  uint64_t started_s = 0;  // Unix time
  std::string host;
  std::string listen;

  bool operator==(const ProxyInstance&) const = default;
};

// What a connection for that shard is called.
std::string ConnectionName(const ProxyInstance& self, std::string_view shard, bool serves);

struct SeenProxy {
  ProxyInstance proxy;
  bool serves = false;                  // else it has not decided yet
  uint64_t idle_s = 0;                  // of the connection on which it said something last
  std::vector<std::string> client_ids;  // its connections
};

// The gemels in a CLIENT LIST that have connections to that database, but for the one of that id.
// One that serves is there a second time if it has undecided connections besides.
std::vector<SeenProxy> ProxiesIn(std::string_view client_list, uint32_t database,
                                 std::string_view but_id);

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
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_LINK_OTHER_PROXIES_H_
