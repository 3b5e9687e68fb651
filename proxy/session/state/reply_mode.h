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
    if (off_) return;
    commands_ = 2;
    client_skips_ = UINT32_MAX;
  }
  // So many commands that come next are none of the client's (they bring back what it had in
  // another process), and it is told nothing of them, nor what it has subscribed to.
  void Mute(uint32_t commands) {
    client_skips_ = commands_;
    commands_ += commands;
  }
  // Asked only where it is silent.
  bool muted() const { return commands_ > client_skips_; }
  bool off() const { return off_; }
  uint32_t skips() const { return commands_; }
  // As it was in another process.
  void Restore(bool off, uint32_t skips) {
    off_ = off;
    commands_ = skips;
  }
  // A command has been handled.
  void Next() {
    if (commands_ > 0) --commands_;
  }
  void Reset() {
    off_ = false;
    commands_ = 0;
    client_skips_ = UINT32_MAX;
  }

 private:
  bool off_ = false;
  uint32_t commands_ = 0;               // of these, the one that is being handled counted
  uint32_t client_skips_ = UINT32_MAX;  // of these, what the client itself has said
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SESSION_STATE_REPLY_MODE_H_
