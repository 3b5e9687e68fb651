// What a client waits for (BLPOP and its like): the ticket by which that is ended early.

#ifndef GEMEL_PROXY_SESSION_STATE_BLOCKING_H_
#define GEMEL_PROXY_SESSION_STATE_BLOCKING_H_

#include <cstdint>
#include <memory>
#include <utility>

#include "backend/shard/blocked_clients.h"

namespace gemel {

// RESET has nothing to do here: a client that waits is not heard.
class BlockingState {
 public:
  void Begin(std::shared_ptr<BlockTicket> ticket, uint32_t shard) {
    ticket_ = std::move(ticket);
    shard_ = shard;
  }
  void End() { ticket_.reset(); }
  bool active() const { return ticket_ != nullptr; }
  const std::shared_ptr<BlockTicket>& ticket() const { return ticket_; }
  uint32_t shard() const { return shard_; }

 private:
  std::shared_ptr<BlockTicket> ticket_;
  uint32_t shard_ = 0;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SESSION_STATE_BLOCKING_H_
