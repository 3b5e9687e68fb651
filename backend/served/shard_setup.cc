#include "backend/served/shard_setup.h"

#include <algorithm>
#include <utility>

namespace gemel {

namespace {

// A DUMP may be larger than any string that clients may send, but those that are too large to be
// asked for (backend/shard/key_repair.cc) are far below this.
constexpr uint64_t kOwnReplies = uint64_t{512} << 20;
// Where the config says that there is no limit, a wait has this one all the same.
constexpr uint32_t kLongestWaitMs = 60000;

LinkOptions LinkOptionsOf(const PoolConfig& pool, const ShardConfig& shard, const Address& node,
                          OtherProxies* others, const ShardTurn& turn) {
  LinkOptions link;
  link.name = node.ToString();
  link.user = shard.user;
  link.password = shard.password;
  link.database = shard.database;
  link.databases = pool.Databases();
  link.hidden_database = pool.registers_database;
  // What the proxy asks for itself (INFO, DUMP) is not a client's.
  link.limits.max_bulk = std::max<uint64_t>(pool.limits.max_bulk, kOwnReplies);
  link.max_reply = pool.limits.max_reply;
  link.connect_timeout_ms =
      pool.timeouts.connect_ms > 0 ? pool.timeouts.connect_ms : kLongestWaitMs;
  link.request_timeout_ms = pool.timeouts.request_ms;
  link.reconnect_min_ms = pool.timeouts.reconnect_min_ms;
  link.reconnect_max_ms = pool.timeouts.reconnect_max_ms;
  link.client_name = ClientNameOf(shard.name, others, turn);
  link.others = others;
  return link;
}

}  // namespace

// CLIENT SETNAME takes no spaces and nothing unprintable.
std::string ClientNameOf(const std::string& shard, OtherProxies* others, const ShardTurn& turn) {
  if (others != nullptr) return ConnectionName(others->self(), shard, /*serves=*/true, turn);
  std::string name = "gemel:" + shard;
  for (char& c : name) {
    if (c < '!' || c > '~') c = '_';
  }
  return name;
}

ShardOptions ShardOptionsOf(const PoolConfig& pool, const ShardConfig& shard, OtherProxies* others,
                            const ShardTurn& turn) {
  ShardOptions options;
  options.name = shard.name;
  options.ack = pool.write.ack;
  options.read_from = pool.read.from;
  options.probe_failures = pool.health.failures;
  options.hang = {pool.health.min_timeout_ms, pool.health.timeout_ms};
  options.hedge_ms = pool.read.hedge_ms;
  options.held_limit = pool.limits.shard_held;
  options.wait_ms = pool.timeouts.request_ms > 0 ? pool.timeouts.request_ms : kLongestWaitMs;
  options.start_ms = pool.timeouts.connect_ms;
  options.pause_ms = pool.resync.pause_ms;
  options.has_all_keys = pool.shards.size() == 1;
  options.hash_tag = pool.ring.hash_tag;
  options.home = shard.primary.ToString();
  options.failback = pool.health.failback == Failback::kWhenInSync;
  options.lag_bytes = pool.limits.node_pending_bytes;
  options.on_data_loss = pool.write.on_data_loss;
  options.journal_keys = pool.resync.journal_keys;
  options.journal_bytes = pool.resync.journal_bytes;
  options.repair_keys_per_s = pool.resync.repair_keys_per_s;
  options.tracking_table_max_keys = pool.limits.tracking_table_max_keys;
  for (const Address& node : shard.Nodes()) {
    options.nodes.push_back(LinkOptionsOf(pool, shard, node, others, turn));
  }
  return options;
}

}  // namespace gemel
