// Who is asked before a request goes to the nodes, while some keys there must not be seen as they
// are.

#ifndef GEMEL_BACKEND_SHARD_SHARD_GATE_H_
#define GEMEL_BACKEND_SHARD_SHARD_GATE_H_

#include <cstdint>
#include <string_view>

#include "backend/shard/request.h"

namespace gemel {

class ShardGate {
 public:
  virtual ~ShardGate() = default;

  enum class Verdict : uint8_t {
    kPass,
    kHold,    // it waits with what is held, and is asked about again
    kRefuse,  // it is answered with Refusal()
  };
  // A read or a write that was submitted, or could be sent now that it was held. It is sent in this
  // very call's wake if the verdict is kPass and nothing else is in its way. The gate may send
  // writes of its own here (Shard::SendAhead), and calls nothing else of the shard that could
  // release what is held.
  virtual Verdict Before(const Request& request) = 0;
  // An error's text; valid until the next call.
  virtual std::string_view Refusal() const = 0;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_SHARD_GATE_H_
