#include "config/config_registers.h"

#include <algorithm>
#include <set>
#include <string>
#include <string_view>

#include "config/config_check.h"
#include "config/config_text.h"

namespace gemel {

namespace {

std::set<std::string> NodesOf(const PoolConfig& pool) {
  std::set<std::string> nodes;
  for (const ShardConfig& shard : pool.shards) {
    for (const Address& node : shard.Nodes()) nodes.insert(node.ToString());
  }
  return nodes;
}

bool IsPaxos(const FleetConfig& fleet) { return fleet.coordinator == "paxos"; }

// The node that such a server is, if TLS is not looked at; empty: none.
std::string OtherSpelling(const std::set<std::string>& nodes, const std::string& server) {
  constexpr std::string_view kTls = "tls:";
  const std::string other =
      server.starts_with(kTls) ? server.substr(kTls.size()) : std::string(kTls) + server;
  return !nodes.contains(server) && nodes.contains(other) ? other : std::string();
}

// Why these nodes are too few, as a phrase.
std::string TooFew(size_t nodes) {
  return "expected at least " + std::to_string(kLeastRegisterNodes) +
         ", of which one may be down at a time (of five two), found " + std::to_string(nodes);
}

}  // namespace

bool NodesKeepRegisters(const FleetConfig& fleet, const PoolConfig& pool) {
  if (!IsPaxos(fleet)) return false;
  const std::set<std::string> nodes = NodesOf(pool);
  return fleet.servers.empty() ||
         std::any_of(fleet.servers.begin(), fleet.servers.end(),
                     [&](const std::string& server) { return nodes.contains(server); });
}

void PlaceRegisters(const FleetConfig& fleet, PoolConfig* pool) {
  if (!NodesKeepRegisters(fleet, *pool)) return;
  pool->registers_database = fleet.database;
  pool->databases = std::min(pool->databases, fleet.database);
}

std::string DescribeRegisters(const Config& config) {
  const FleetConfig& fleet = config.fleet;
  if (!IsPaxos(fleet)) return {};
  const bool own = fleet.servers.empty();
  const size_t nodes =
      own ? std::min(NodesOf(config.pool()).size(), kMostRegisterNodes) : fleet.servers.size();
  std::string text = "the registers of the fleet are kept by " + std::to_string(nodes) +
                     (own ? " nodes of the shards" : " servers") + ", of which any " +
                     std::to_string((nodes - 1) / 2) + " may be down at a time";
  if (NodesKeepRegisters(fleet, config.pool())) {
    const uint32_t databases = config.pool().Databases();
    text +=
        "; they are in database " + std::to_string(fleet.database) +
        " of these, which no client has (clients have " +
        (databases == 1 ? std::string("one")
                        : std::to_string(databases) + ", 0 to " + std::to_string(databases - 1)) +
        ")";
  }
  return text;
}

void CheckRegisters(const Config& config, const PoolPlaces& places, Mistakes* mistakes) {
  const FleetConfig& fleet = config.fleet;
  if (!IsPaxos(fleet)) return;
  if (fleet.servers.empty()) {
    if (const size_t nodes = NodesOf(config.pool()).size(); nodes < kLeastRegisterNodes) {
      mistakes->Add(places.coordinator,
                    "[fleet] coordinator: without servers \"paxos\" keeps what is agreed on the "
                    "nodes of the shards, " +
                        TooFew(nodes));
    }
  } else if (fleet.servers.size() < kLeastRegisterNodes) {
    mistakes->Add(places.coordinator,
                  "[fleet] servers: too few for \"paxos\", " + TooFew(fleet.servers.size()));
  }
  for (const std::string& server : fleet.servers) {
    const std::string node = OtherSpelling(NodesOf(config.pool()), server);
    if (node.empty()) continue;
    mistakes->Add(places.coordinator, "[fleet] servers: " + Quote(server) + " is the node " +
                                          Quote(node) +
                                          " of a shard, expected it as it stands there");
  }
  if (!NodesKeepRegisters(fleet, config.pool())) return;
  if (fleet.database == 0) {
    mistakes->Add(places.coordinator,
                  "[fleet] database: 0 is the clients', expected that of the registers, 1 to 255, "
                  "above those that clients are to have");
  }
  for (size_t i = 0; i < config.pool().shards.size(); ++i) {
    const ShardConfig& shard = config.pool().shards[i];
    if (shard.database == fleet.database && fleet.database != 0) {
      mistakes->Add(places.shards[i].head,
                    "shard " + Quote(shard.name) + " has database " +
                        std::to_string(shard.database) +
                        ", in which the registers of the fleet are ([fleet] database), expected "
                        "another one");
    }
    if (shard.replicas.empty()) {
      mistakes->Add(places.shards[i].head,
                    "shard " + Quote(shard.name) +
                        " has one copy, where scripts may do what they like, and nodes of the "
                        "shards keep the registers of the fleet: expected a replica, or [fleet] "
                        "servers that hold no shard");
    }
  }
}

}  // namespace gemel
