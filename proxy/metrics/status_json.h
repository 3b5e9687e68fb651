// What the status page is fed with.

#ifndef GEMEL_PROXY_METRICS_STATUS_JSON_H_
#define GEMEL_PROXY_METRICS_STATUS_JSON_H_

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backend/shard/shard_report.h"
#include "proxy/local/local_commands.h"
#include "proxy/metrics/readings.h"

namespace gemel {

// All that the page shows of the process, the shards, and what happened. Numbers that grow are told
// as they are: the page makes rates of them. `actions`: who looks may order something. Any thread.
std::string StatusJson(const ProcessInfo& process, std::span<const WorkerReadings> workers,
                       bool actions);

// A command as one types it: words with blanks between them, "..." with \", \\, \n, \r, \t and
// \xHH,
// '...' as it stands. Nothing if a quote does not end.
std::optional<std::vector<std::string>> SplitCommand(std::string_view line);

// Where a command would go by the pool: for each of its keys what its shard is asked (`shards` have
// to be asked that), or why it goes nowhere.
struct KeyPlace {
  std::string key;
  std::string hashed;  // the part that counts
  uint64_t hash = 0;
  uint64_t point = 0;  // on the ring
  uint32_t slot = 0;
  std::string shard;
  ShardExplanation told;  // of the shard; empty: it is another member's
};
struct CommandPlaces {
  std::string error;  // a sentence; empty: it could be said
  std::string refused;
  std::string_view frame;  // for ExplanationOf
  bool primary_only = false;
  std::vector<KeyPlace> keys;
};
CommandPlaces PlacesOf(const Pool& pool, const std::vector<std::string>& command);
std::string PlacesJson(const CommandPlaces& places);

}  // namespace gemel

#endif  // GEMEL_PROXY_METRICS_STATUS_JSON_H_
