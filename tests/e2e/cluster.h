// Real redis-servers in shards, and gemel in front of them.

#ifndef GEMEL_TESTS_E2E_CLUSTER_H_
#define GEMEL_TESTS_E2E_CLUSTER_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/e2e/client.h"
#include "tests/e2e/proxy_process.h"
#include "tests/e2e/redis_node.h"

namespace gemel::e2e {

struct ClusterOptions {
  int shards = 2;
  int copies = 2;  // of each shard
  int workers = 1;
  // Lines of TOML by section, in place of the defaults of that section here: {"limits",
  // "max_clients = 5"}.
  std::map<std::string, std::string> sections = {};
  std::string shard_lines = {};  // further lines of every [[shard]]
  Words redis_options = {};
};

// What PROXY SHARDS says of a node and a shard.
struct NodeStatus {
  std::string address, role, state, health, run_id, reason;
  int64_t pending = 0;
};
struct ShardStatus {
  std::string name, primary, config_primary;
  std::string members;  // what of the config's nodes is not yet so; empty: nothing
  int64_t epoch = 0;
  int64_t held = 0;
  std::vector<NodeStatus> nodes;

  bool AllInSync() const;  // and up
  const NodeStatus& Node(const std::string& address) const;
};
// What PROXY SHARDS says to this client, by name.
std::vector<ShardStatus> ReadShards(Client client);

// The probes are patient by default (a busy machine must not look like a dead node): a hang is
// noticed only with ImpatientProbes. A refused or reset connection counts at once either way.
inline constexpr const char* kPatientProbes =
    "interval_ms = 200\ntimeout_ms = 10000\nmin_timeout_ms = 10000\nfailures = 5";
inline constexpr const char* kImpatientProbes =
    "interval_ms = 100\ntimeout_ms = 800\nmin_timeout_ms = 400\nfailures = 3";

class Cluster {
 public:
  // Starts everything and waits until every copy is in sync.
  explicit Cluster(ClusterOptions options = {});

  // Shards are "a", "b", ...; copy 0 is the primary of the config.
  RedisNode& node(int shard, int copy) {
    return *nodes_[static_cast<size_t>(shard * copies_ + copy)];
  }
  int shards() const { return shards_; }
  int copies() const { return copies_; }
  ProxyProcess& proxy() { return proxy_; }
  Client Connect() const { return Client(proxy_.port()); }
  std::string Config() const;

  std::vector<ShardStatus> Status() const;
  ShardStatus Status(int shard) const { return Status()[static_cast<size_t>(shard)]; }
  // The shard that PROXY EXPLAIN names for a key.
  int ShardOf(const std::string& key) const;
  // A number of INFO stats. Throws if there is none.
  int64_t Figure(const std::string& name) const;
  // A key of that shard that begins with `prefix`.
  std::string KeyOn(int shard, const std::string& prefix = "key") const;

  bool WaitUntilInSync() const;
  bool WaitUntilPrimary(int shard, const RedisNode& node) const;
  // Test failures unless every shard is in sync in the end and its copies hold the same data.
  void ExpectCopiesEqual();

 private:
  const ClusterOptions options_;
  const int shards_;
  const int copies_;
  std::vector<std::unique_ptr<RedisNode>> nodes_;
  ProxyProcess proxy_;
};

}  // namespace gemel::e2e

#endif  // GEMEL_TESTS_E2E_CLUSTER_H_
