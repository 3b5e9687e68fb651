// A script, or a call of a function, without keys, on a shard of several copies. It is a read of
// one copy, guarded so that it is stopped before it changes anything. Most do not. One that is
// stopped says which key it was about to change: if that is one of its shard, it runs anew as a
// write which declares that key, though it is not shown it, and so as any script that changes keys
// which it did not declare (backend/shard/first_writes.h).

#ifndef GEMEL_PROXY_SESSION_KEYLESS_SCRIPT_H_
#define GEMEL_PROXY_SESSION_KEYLESS_SCRIPT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "backend/command/command_table.h"
#include "backend/shard/request.h"

namespace gemel {

class Session;
struct Plan;

// Owns itself.
class KeylessScript : public RequestSink {
 public:
  // The command is in the context's arguments, as Translate has them. Nothing more of the session
  // is handled until `place` is answered.
  static void Begin(Session* session, Request* place, const CommandRow& row, const Plan& plan);

 private:
  KeylessScript(Session* session, Request* place, const CommandRow& row, const Plan& plan);

  // RequestSink
  bool Wanted() const override { return place_->sink->Wanted(); }
  void OnReply(Request* request, const Reply& reply) override;

  void Send(RequestKind kind, const std::string& frame);
  // It was stopped, and can go on as a write.
  bool GoesOn(const Reply& reply);

  Session* session_;
  Request* place_;
  const CommandRow& row_;
  uint32_t shard_;
  bool primary_only_;
  std::vector<std::string> args_;
  bool stops_ = true;  // what was sent is what may be stopped so
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SESSION_KEYLESS_SCRIPT_H_
