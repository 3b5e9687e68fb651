// Whether a client wants replies: CLIENT REPLY. Messages of channels it gets all the same.

#ifndef GEMEL_PROXY_SESSION_STATE_REPLY_MODE_H_
#define GEMEL_PROXY_SESSION_STATE_REPLY_MODE_H_

#include <cstdint>

namespace gemel {

class ReplyMode {
 public:
  // What is asked now has no reply.
  bool silent() const { return off_ || commands_ > 0; }
  void TurnOff() { off_ = true; }
  // Not of the command that is being handled, nor of the one behind it.
  void Skip() {
    if (!off_) commands_ = 2;
  }
  // A command has been handled.
  void Next() {
    if (commands_ > 0) --commands_;
  }
  void Reset() {
    off_ = false;
    commands_ = 0;
  }

 private:
  bool off_ = false;
  uint8_t commands_ = 0;  // of these, the one that is being handled counted
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SESSION_STATE_REPLY_MODE_H_
