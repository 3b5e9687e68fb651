// What a client waits for (BLPOP and its like, WAIT), and how that is ended early.

#ifndef GEMEL_PROXY_SESSION_CLIENT_WAIT_H_
#define GEMEL_PROXY_SESSION_CLIENT_WAIT_H_

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string_view>

#include "backend/shard/blocked_cargo.h"
#include "backend/shard/sync_waits.h"
#include "proxy/session/reply_line.h"
#include "proxy/session/session_context.h"

namespace gemel {

// One client's. RESET has nothing to do here: a client that waits is not heard. What it waits for
// is over when its request is answered; the ticket may stay until something else is waited for.
class ClientWait {
 public:
  // Both outlive it.
  ClientWait(SessionContext* context, ReplyLine* replies) : context_(context), replies_(replies) {}
  ClientWait(const ClientWait&) = delete;
  ClientWait& operator=(const ClientWait&) = delete;

  // It waits, and nothing more of it is handled before that is answered ...
  // ... for what keys of that shard will have: the command is sent there. `tracked`: what it gets
  // is remembered for it.
  void ForKeys(const CommandRow& row, std::string_view frame, uint32_t shard, uint64_t timeout_ms,
               bool tracked);
  // ... for copies to have what it wrote, until `place` is answered.
  void ForCopies(Request* place, std::shared_ptr<SyncTicket> ticket);
  // ... for something else, which nobody ends early.
  void ForOther(Request* place);

  // It waits for keys or for copies.
  bool active() const {
    return (ticket_ != nullptr || sync_ != nullptr) && replies_->stops().awaits_order();
  }
  // Ends that, soon; no-op if it does not wait.
  void End(UnblockCargo::Why why);

  // --- for who hands the client over to another process ---
  // Ends it so that it is carried out again by that: its command is put back
  // (ReplyLine::put_back), or, where copies are waited for, it is answered with what is known.
  void HandOver() { End(sync_ != nullptr ? UnblockCargo::Why::kTimeout : kHandedOver); }
  // How long what was put back may wait still; 0: for ever.
  uint64_t LeftMs() const {
    return end_ms_ == 0 ? 0 : std::max(end_ms_, context_->now_ms + 1) - context_->now_ms;
  }
  // The next command that waits for keys is the one that was put back, with so much time left.
  void Continue(uint64_t left_ms) {
    continues_ = true;
    left_ms_ = left_ms;
  }

 private:
  static constexpr UnblockCargo::Why kHandedOver = UnblockCargo::Why::kHandedOver;

  SessionContext* context_;
  ReplyLine* replies_;
  std::shared_ptr<BlockTicket> ticket_;
  std::shared_ptr<SyncTicket> sync_;
  uint32_t shard_ = 0;
  bool continues_ = false;
  uint64_t left_ms_ = 0;
  uint64_t end_ms_ = 0;  // of what it waits for; 0: none
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SESSION_CLIENT_WAIT_H_
