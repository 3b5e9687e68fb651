// What a client waits for (BLPOP and its like, WAIT): the ticket by which that is ended early.

#ifndef GEMEL_PROXY_SESSION_STATE_BLOCKING_H_
#define GEMEL_PROXY_SESSION_STATE_BLOCKING_H_

#include <cstdint>
#include <memory>
#include <utility>

#include "backend/shard/blocked_clients.h"
#include "backend/shard/sync_waits.h"

namespace gemel {

// RESET has nothing to do here: a client that waits is not heard. What it waits for is over when
// its request is answered; the ticket may stay until something else is waited for.
class BlockingState {
 public:
  // For what keys of that shard will have.
  void Begin(std::shared_ptr<BlockTicket> ticket, uint32_t shard) {
    ticket_ = std::move(ticket);
    shard_ = shard;
    sync_ = nullptr;
  }
  // For copies to have what it wrote.
  void BeginSync(std::shared_ptr<SyncTicket> ticket) {
    sync_ = std::move(ticket);
    ticket_ = nullptr;
  }
  // The client is waited for for another reason.
  void End() {
    ticket_ = nullptr;
    sync_ = nullptr;
  }
  bool active() const { return ticket_ != nullptr || sync_ != nullptr; }
  const std::shared_ptr<BlockTicket>& ticket() const { return ticket_; }
  uint32_t shard() const { return shard_; }
  const std::shared_ptr<SyncTicket>& sync() const { return sync_; }

 private:
  std::shared_ptr<BlockTicket> ticket_;
  std::shared_ptr<SyncTicket> sync_;
  uint32_t shard_ = 0;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SESSION_STATE_BLOCKING_H_
