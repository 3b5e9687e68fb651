#include "proxy/server/check_hosts.h"

#include <netdb.h>
#include <sys/socket.h>

#include <set>
#include <string>

namespace gemel {

namespace {

// The error, if the host does not resolve; `what` says whose it is.
std::optional<ConfigError> Check(const Config& config, const Address& address, int flags,
                                 const std::string& what) {
  if (address.IsUnix()) return std::nullopt;
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags;
  addrinfo* found = nullptr;
  const int status = ::getaddrinfo(address.host.c_str(), nullptr, &hints, &found);
  if (status == 0) {
    ::freeaddrinfo(found);
    return std::nullopt;
  }
  return ConfigError{config.file, address.line, address.column,
                     "the host of " + what + " cannot be resolved: " + ::gai_strerror(status)};
}

}  // namespace

std::optional<ConfigError> CheckHosts(const Config& config) {
  std::set<std::string> resolved;
  for (const PoolConfig& pool : config.pools) {
    for (const Address& address : pool.listen) {
      if (auto error = Check(config, address, AI_PASSIVE, "listen address " + address.ToString())) {
        return error;
      }
    }
    for (const ShardConfig& shard : pool.shards) {
      for (const Address& node : shard.Nodes()) {
        if (!resolved.insert(node.host).second) continue;
        const std::string what = "node " + node.ToString() + " of shard '" + shard.name + "'";
        if (auto error = Check(config, node, 0, what)) return error;
      }
    }
  }
  return std::nullopt;
}

}  // namespace gemel
