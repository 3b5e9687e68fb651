#include "proxy/server/uv_check_hosts.h"

#include <algorithm>
#include <map>
#include <set>

#include "backend/names/node_addresses.h"
#include "backend/uv/uv_names.h"

namespace gemel {

namespace {

constexpr uint64_t kListenMs = 10000;

bool IsName(const Address& address) { return !address.IsUnix() && !IsNumber(address.host); }

// By host: why it does not resolve.
std::map<std::string, std::string> Unresolved(const std::vector<std::string>& hosts,
                                              uint64_t patience_ms) {
  const std::vector<NameAnswer> answers = UvNames::Process().Resolve(hosts, patience_ms);
  std::map<std::string, std::string> failed;
  for (size_t i = 0; i < hosts.size(); ++i) {
    if (answers[i].addresses.empty()) failed[hosts[i]] = answers[i].error;
  }
  return failed;
}

}  // namespace

std::optional<ConfigError> CheckListenHosts(const Config& config) {
  std::set<std::string> hosts;
  for (const PoolConfig& pool : config.pools) {
    for (const Address& address : pool.listen) {
      if (IsName(address)) hosts.insert(address.host);
    }
  }
  const auto failed = Unresolved({hosts.begin(), hosts.end()}, kListenMs);
  for (const PoolConfig& pool : config.pools) {
    for (const Address& address : pool.listen) {
      const auto why = failed.find(address.host);
      if (address.IsUnix() || why == failed.end()) continue;
      return ConfigError{config.file, address.line, address.column,
                         "the host of listen address " + address.ToString() +
                             " cannot be resolved: " + why->second};
    }
  }
  return std::nullopt;
}

std::vector<std::string> WarnOfNodeHosts(const Config& config, const Config* before,
                                         uint64_t patience_ms) {
  std::set<std::string> served;
  if (before != nullptr) {
    for (const ShardConfig& shard : before->pool().shards) {
      for (const Address& node : shard.Nodes()) served.insert(node.host);
    }
  }
  std::set<std::string> hosts;
  for (const ShardConfig& shard : config.pool().shards) {
    for (const Address& node : shard.Nodes()) {
      if (IsName(node) && !served.contains(node.host)) hosts.insert(node.host);
    }
  }
  const auto failed = Unresolved({hosts.begin(), hosts.end()}, patience_ms);
  std::vector<std::string> warnings;
  for (const ShardConfig& shard : config.pool().shards) {
    for (const Address& node : shard.Nodes()) {
      const auto why = failed.find(node.host);
      if (node.IsUnix() || why == failed.end()) continue;
      warnings.push_back(ConfigError{config.file, node.line, node.column,
                                     "warning: the host of node " + node.ToString() +
                                         " of shard '" + shard.name +
                                         "' cannot be resolved: " + why->second +
                                         "; until it can be, it counts as a node that does not "
                                         "answer"}
                             .ToString());
    }
  }
  return warnings;
}

}  // namespace gemel
