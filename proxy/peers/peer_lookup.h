// What the names in requests of another member mean here. Most name what the one before them did,
// so that is remembered for as long as the pool is the same.

#ifndef GEMEL_PROXY_PEERS_PEER_LOOKUP_H_
#define GEMEL_PROXY_PEERS_PEER_LOOKUP_H_

#include <cstdint>
#include <string_view>

#include "proxy/dispatch/dispatcher.h"

namespace gemel {

// One thread.
class PeerLookup {
 public:
  // The dispatcher outlives it.
  explicit PeerLookup(const Dispatcher* dispatcher) : dispatcher_(dispatcher) {}

  // Null: there is none of that name. Good until there is another pool.
  const CommandRow* Row(std::string_view name) {
    Follow();
    if (row_ == nullptr || name != row_->name) {
      row_ = dispatcher_->pool().table().FindByName(name);
    }
    return row_;
  }
  const PoolShard* Shard(std::string_view name) {
    Follow();
    if (shard_ == nullptr || name != shard_->name) shard_ = dispatcher_->pool().Find(name);
    return shard_;
  }

 private:
  void Follow() {
    if (pools_ == dispatcher_->pools()) return;
    pools_ = dispatcher_->pools();
    row_ = nullptr;
    shard_ = nullptr;
  }

  const Dispatcher* dispatcher_;
  uint64_t pools_ = 0;  // until which the rest is good
  const CommandRow* row_ = nullptr;
  const PoolShard* shard_ = nullptr;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_PEERS_PEER_LOOKUP_H_
