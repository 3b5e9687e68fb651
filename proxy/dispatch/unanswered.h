// The sink of a request whose answer is told to nobody.

#ifndef GEMEL_PROXY_DISPATCH_UNANSWERED_H_
#define GEMEL_PROXY_DISPATCH_UNANSWERED_H_

#include "proxy/dispatch/dispatcher.h"

namespace gemel {

// Owns itself; gone with the answer. For requests of Dispatcher::SubmitApart.
class Unanswered : public RequestSink {
 public:
  static Unanswered* Make(Dispatcher* dispatcher) { return new Unanswered(dispatcher); }

 private:
  explicit Unanswered(Dispatcher* dispatcher) : dispatcher_(dispatcher) {}
  void OnReply(Request* request, const Reply&) override {
    dispatcher_->Free(request);
    delete this;
  }

  Dispatcher* dispatcher_;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_DISPATCH_UNANSWERED_H_
