#include "proxy/server/posix_file_limit.h"

#include <sys/resource.h>

#include <algorithm>

namespace gemel {

namespace {

// Standard streams, the log, the state, the watch of the config, names being resolved.
constexpr uint64_t kOfProcess = 48;
// The loop's own, its ring, and clients over max_clients that are being told so.
constexpr uint64_t kOfWorker = 48;
// The link, the probe, the control connection, and one of them that is being made anew.
constexpr uint64_t kOfNode = 4;

}  // namespace

uint64_t FilesBesideClients(const Config& config) {
  uint64_t files = kOfProcess + kOfWorker * config.workers;
  for (const PoolConfig& pool : config.pools) {
    files += pool.listen.size() * config.workers;
    for (const ShardConfig& shard : pool.shards) files += kOfNode * (1 + shard.replicas.size());
  }
  return files;
}

uint32_t ClientsWithin(uint64_t files, const Config& config) {
  const uint64_t others = FilesBesideClients(config);
  const uint64_t clients = files > others ? files - others : 1;
  return static_cast<uint32_t>(std::min<uint64_t>(clients, UINT32_MAX));
}

uint32_t MakeRoomForClients(const Config& config, std::string* warning) {
  const uint32_t wanted = config.pool().limits.max_clients;
  const uint64_t needed = wanted + FilesBesideClients(config);
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return UINT32_MAX;
  if (limit.rlim_cur < needed) {
    const rlimit before = limit;
    limit.rlim_cur = std::min<rlim_t>(needed, limit.rlim_max);
    if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) limit = before;
  }
  const uint32_t room = ClientsWithin(limit.rlim_cur, config);
  if (room < wanted) {
    *warning = "room for " + std::to_string(room) + " clients only, not for the " +
               std::to_string(wanted) + " of [limits] max_clients: the process may have " +
               std::to_string(limit.rlim_cur) + " files open (ulimit -Hn) and needs " +
               std::to_string(needed) + "; more clients are turned away";
  }
  return room;
}

}  // namespace gemel
