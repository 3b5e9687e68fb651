// The transaction that a client has begun. There is none yet: MULTI is refused.

#ifndef GEMEL_PROXY_SESSION_STATE_TRANSACTION_H_
#define GEMEL_PROXY_SESSION_STATE_TRANSACTION_H_

#include <cstdint>

namespace gemel {

class Transaction {
 public:
  // Commands that wait for EXEC; -1: outside a transaction.
  int64_t queued() const { return -1; }
  void Reset() {}
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SESSION_STATE_TRANSACTION_H_
