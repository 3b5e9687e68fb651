// What an operator, or a change of the config, asks of one shard; parsed once, where it is asked.

#ifndef GEMEL_BACKEND_SHARD_SHARD_ORDER_H_
#define GEMEL_BACKEND_SHARD_SHARD_ORDER_H_

#include <cstdint>
#include <functional>
#include <string>

namespace gemel {

struct ShardOrder {
  enum class Verb : uint8_t {
    kPromote,   // the node, or with none named any copy that is in sync and up
    kForce,     // the node even if it is stale, where no copy in sync is up; or the primary, which
                // restarted with data that may be old
    kResync,    // all of the node is copied anew
    kDrain,     // the node is taken out, stale, until it is undrained
    kUndrain,   // it is let in again
    kRemove,    // drained, and then a member no more
    kFailback,  // of the shard's own: as kPromote
  };
  Verb verb = Verb::kPromote;
  std::string node = {};
};

struct OrderResult {
  bool ok = false;
  // A sentence: why it could not be done, or what follows from it (may be empty).
  std::string text = {};
};
using OrderDone = std::function<void(const OrderResult&)>;

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_SHARD_ORDER_H_
