// A transaction that writes nothing else, with scripts or functions without keys, on a shard of
// several copies: as KeylessScript has a script alone. They are stopped before they change
// anything, so that nothing has happened, and then the transaction goes anew, as a write of the
// keys that they were stopped at.

#ifndef GEMEL_PROXY_SESSION_KEYLESS_BLOCK_H_
#define GEMEL_PROXY_SESSION_KEYLESS_BLOCK_H_

#include <span>
#include <string>
#include <string_view>

#include "backend/shard/request.h"
#include "proxy/session/session_context.h"

namespace gemel {

// Owns itself.
class KeylessBlock : public RequestSink {
 public:
  // `request` brings the transaction to its shard. It is answered, and is not sent itself.
  static void Begin(SessionContext* context, Request* request);
  // What it would be sent as changes nothing else.
  static bool IsFor(const Request& request);

 private:
  KeylessBlock(SessionContext* context, Request* request)
      : context_(context), request_(request), frame_(request->frame) {}

  // RequestSink
  bool Wanted() const override { return request_->sink->Wanted(); }
  void OnHeld(int64_t bytes) override { request_->sink->OnHeld(bytes); }
  void OnReply(Request* request, const Reply& reply) override;

  void Send(bool writes, const std::string& frame);
  // As it can be stopped; or, with the answers to that, as a write. Empty: none of it was stopped
  // at a key of its shard.
  std::string Stopping() const;
  std::string Writing(std::span<const std::string_view> answers) const;

  SessionContext* context_;
  Request* request_;
  std::string frame_;
  bool stops_ = true;  // what was sent is what may be stopped so
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SESSION_KEYLESS_BLOCK_H_
