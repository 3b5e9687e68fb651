// Requests for shards that another member of the fleet owns.

#ifndef GEMEL_PROXY_DISPATCH_ELSEWHERE_H_
#define GEMEL_PROXY_DISPATCH_ELSEWHERE_H_

#include "backend/shard/request.h"

namespace gemel {

// One worker's, on its thread: of the shards that this worker would have if the process owned them.
class Elsewhere {
 public:
  virtual ~Elsewhere() = default;
  // Brings a request to its shard's owner, whoever that is by then, and answers it through its
  // sink, once, later, never inside the call. The frame is valid during the call. Requests of one
  // shard are executed in the order in which they were given.
  virtual void Submit(Request* request) = 0;
  // It has requests of that slot that stand before whatever comes for it: those come here, too,
  // till then, also where the shard is this worker's by now.
  virtual bool Has(uint32_t slot) const {
    (void)slot;
    return false;
  }
};

}  // namespace gemel

#endif  // GEMEL_PROXY_DISPATCH_ELSEWHERE_H_
