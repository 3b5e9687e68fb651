#include "proxy/session/refusal.h"

#include <algorithm>

namespace gemel {

std::string WhyRefused(const Pool& pool, const CommandRow& row,
                       std::span<const std::string_view> args, std::span<const uint32_t> keys) {
  if (row.split == Split::kLocal) return {};
  if (const std::string_view refusal = RefusalFor(row, args); !refusal.empty()) {
    return "ERR " + std::string(refusal);
  }
  if (pool.shards().size() > 1 && ReadsUnnamedKeys(row, args)) {
    return "ERR " + std::string(kUnnamedKeysRefusal);
  }
  const SecondCopy second = SecondCopyFor(row, args);
  if (row.split == Split::kOneShard) {
    const uint32_t first = keys.empty() ? pool.shards()[0].slot : pool.ShardOf(args[keys[0]]);
    for (const uint32_t key : keys) {
      if (pool.ShardOf(args[key]) != first) return std::string(kCrossSlot);
    }
    return RefusedAsWrite(pool, second, first) ? "ERR " + std::string(row.refusal) : std::string();
  }
  const bool refused =
      std::any_of(pool.shards().begin(), pool.shards().end(),
                  [&](const PoolShard& shard) { return RefusedAsWrite(pool, second, shard.slot); });
  return refused ? "ERR " + std::string(row.refusal) : std::string();
}

}  // namespace gemel
