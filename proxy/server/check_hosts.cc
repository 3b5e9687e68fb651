#include "proxy/server/check_hosts.h"

#include <netdb.h>
#include <sys/socket.h>

#include <set>
#include <string_view>

namespace gemel {

std::optional<ConfigError> CheckHosts(const Config& config) {
  std::set<std::string_view> resolved;
  for (const PoolConfig& pool : config.pools) {
    for (const ShardConfig& shard : pool.shards) {
      for (const Address& node : shard.Nodes()) {
        if (node.IsUnix() || !resolved.insert(node.host).second) continue;
        addrinfo hints{};
        hints.ai_socktype = SOCK_STREAM;
        addrinfo* found = nullptr;
        const int status = ::getaddrinfo(node.host.c_str(), nullptr, &hints, &found);
        if (status != 0) {
          ConfigError error;
          error.file = config.file;
          error.line = node.line;
          error.column = node.column;
          error.message = "the host of node " + node.ToString() + " of shard '" + shard.name +
                          "' cannot be resolved: " + ::gai_strerror(status);
          return error;
        }
        ::freeaddrinfo(found);
      }
    }
  }
  return std::nullopt;
}

}  // namespace gemel
