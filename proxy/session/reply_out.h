// The bytes of one client's answers, on their way to it, and how they come to an end.

#ifndef GEMEL_PROXY_SESSION_REPLY_OUT_H_
#define GEMEL_PROXY_SESSION_REPLY_OUT_H_

#include "backend/bytes/flushed_queue.h"
#include "backend/link/link_item.h"
#include "backend/resp/resp2_form.h"
#include "proxy/session/session_context.h"

namespace gemel {

class ReplyOut : public FlushedQueue<SessionTransport> {
 public:
  // `context` outlives it.
  explicit ReplyOut(SessionContext* context) : FlushedQueue(context->chunks), context_(context) {}

  // A reply of RESP3, as it reads in that form. Where that is possible a large one is handed over
  // instead of copied.
  void AppendReply(const Reply& reply, Resp2Form form);

  // Nothing more is put behind what is queued: who appends asks for that.
  void Silence() {
    silent_ = true;
    WantFlush();
  }
  // The same, and nobody is there any more.
  void End() {
    silent_ = true;
    Clear();
  }
  bool silent() const { return silent_; }
  // Too much waits to be taken, or it is not known what was answered: the connection is to end.
  // `limit`: of [limits], that it is above then.
  void Overrun(const char* limit = kHardLimit) {
    overrun_limit_ = limit;
    overrun_ = true;
    Silence();
  }
  bool overrun() const { return overrun_; }
  const char* overrun_limit() const { return overrun_limit_; }

 private:
  static constexpr const char* kHardLimit = "client_output_hard";

  [[gnu::noinline]] void AppendConverted(const Reply& reply, Resp2Form form);

  SessionContext* context_;
  bool silent_ = false;
  bool overrun_ = false;
  const char* overrun_limit_ = kHardLimit;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SESSION_REPLY_OUT_H_
