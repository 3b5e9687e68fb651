// One reload on its way, for the files of UvReloader.

#ifndef GEMEL_PROXY_SERVER_UV_RELOAD_JOB_H_
#define GEMEL_PROXY_SERVER_UV_RELOAD_JOB_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "backend/files/unique_fd.h"
#include "backend/fleet/fleet_records.h"
#include "backend/tls/openssl_tls.h"
#include "proxy/log/log.h"
#include "proxy/reload/config_diff.h"
#include "proxy/server/uv_node_survey.h"
#include "proxy/server/uv_reloader.h"

namespace gemel {

// Its part on the side thread touches nothing but it.
struct UvReloader::Job : ReloadQueue::Waiting {
  UvWorker::Serving now;
  std::vector<uint32_t> taken;  // slots
  std::string text;             // at first that of the config in effect
  std::vector<std::pair<std::string, std::string>> sets_before;
  UserRules users;  // what the order makes of them
  UserRules users_before;
  std::string error;
  UvWorker::Serving next;
  ConfigDiff diff;
  std::string description;
  std::vector<std::string> warnings;
  std::shared_ptr<const Topology> topology;  // with what was made durable for it

  std::unique_ptr<UvNodeSurvey> survey;  // of nodes that are new to their shards

  // --- in a fleet ---
  std::shared_ptr<const FleetRecord> fleet;  // as it was when the job began; null: there is none
  std::string fingerprint_before;            // what the file in effect says of the fleet's plan
  std::string fingerprint;                   // what this one does
  std::string older;                         // a line: the file says something else
  bool proposes = false;                     // that the fleet goes over to it
  FleetPlan plan;                            // that it goes over to
  std::shared_ptr<Pool> pool;                // next.pool, until the workers have it
  size_t holding = 0;                        // workers whose clients' requests have not ended
  bool all_held = true;
  bool agreeing = false;

  std::shared_ptr<const Tls> tls;  // of the next config; its files are read at each reload

  bool other_file = false;       // than the one that is meant
  bool momentary = false;        // what refused it may be over soon
  std::shared_ptr<NextLog> log;  // if it changes
  std::string log_error;         // why the one in use could not be opened anew
  std::vector<std::pair<Address, std::vector<UniqueFd>>> sockets;
  std::shared_ptr<UvMetrics> metrics;
  UvMetrics::Opened metrics_opened;  // new listeners of metrics
  std::string unbound;               // why one of the new listeners cannot be
  std::string unopened;              // why the new log cannot be
  size_t workers = 0;                // that have not gone over yet
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SERVER_UV_RELOAD_JOB_H_
