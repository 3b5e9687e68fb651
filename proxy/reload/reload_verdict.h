// What becomes of an order to reload, by all that was found out about it.

#ifndef GEMEL_PROXY_RELOAD_RELOAD_VERDICT_H_
#define GEMEL_PROXY_RELOAD_RELOAD_VERDICT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "backend/topology/topology.h"
#include "proxy/reload/config_diff.h"
#include "proxy/reload/reload_order.h"

namespace gemel {

// What was found without touching anything.
struct ReloadFacts {
  const ReloadOrder& order;
  const Config& now;
  const Config* next;      // null: there is none that is good, and `error` says why
  const ConfigDiff& diff;  // of them
  const std::string& description;
  const std::string& error;     // of the file or the nodes; empty: both are good
  const std::string& unbound;   // why one of the new listeners cannot be
  const std::string& unopened;  // why the new log cannot be
  // The shards and the ring are those of the plan of a fleet, which was judged when it was
  // proposed.
  bool planned = false;
};

struct ReloadVerdict {
  enum class Kind : uint8_t { kRefused, kNothing, kDryRun, kChange };
  Kind kind = Kind::kRefused;
  std::string why;          // it is refused, a sentence
  std::string description;  // what would change, in lines
  bool momentary = false;   // what refuses it may be over soon
};

// `leaving`: the shards that an earlier reload removed, and that are still served. Pure.
ReloadVerdict JudgeReload(const ReloadFacts& facts, const Topology& topology,
                          const std::vector<std::string>& leaving);

}  // namespace gemel

#endif  // GEMEL_PROXY_RELOAD_RELOAD_VERDICT_H_
