// Whether a client is read from: not while too much of it is unanswered, not taken or on its way,
// nor while it is others' turn.

#ifndef GEMEL_PROXY_SESSION_READING_H_
#define GEMEL_PROXY_SESSION_READING_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "backend/bytes/budget.h"
#include "proxy/session/pace.h"
#include "proxy/session/reply_line.h"
#include "proxy/session/session_context.h"
#include "proxy/session/session_state.h"

namespace gemel {

// One client's.
class Reading {
 public:
  // All outlive it.
  Reading(SessionContext* context, const SessionState* state, const ReplyLine* replies,
          const Pace* pace)
      : context_(context), state_(state), replies_(replies), pace_(pace), held_(&context->pause) {}
  void set_transport(SessionTransport* transport) { transport_ = transport; }

  // The client holds more of its replies than [limits] client_output.
  bool OutputFull() const {
    const LimitsConfig& limits = context_->pool->config().limits;
    const uint64_t held = replies_->Held();
    return held > std::min(limits.client_output, limits.client_output_hard) ||
           (held > kStrangerOutput && !state_->access.authenticated());
  }
  bool MustPause() const {
    const LimitsConfig& limits = context_->pool->config().limits;
    return replies_->pending() >= limits.client_pending || OutputFull() ||
           replies_->pending() * replies_->forecast().mean() > limits.client_output ||
           replies_->stops().awaits_order() || pace_->waiting() ||
           (Budget::Tight() && !replies_->Idle()) ||
           pace_->Congested(*context_->dispatcher, replies_->pending(),
                            replies_->forecast().expects_large()) ||
           pace_->MadeEnough() || state_->access.Waits() || context_->pause.all();
  }
  // Its bytes are not handled, nor read, until Resume.
  bool paused() const { return paused_; }
  void Pause() {
    context_->again |= pace_->MadeEnough();
    context_->stats->paused_clients.Add(1);
    PutOff();
  }
  // The same for a command that is to be read again: nobody has too much.
  void PutOff() {
    paused_ = true;
    const PausedClients& pause = context_->pause;
    held_.Set(pause.all() || (pause.active() && !replies_->stops().fenced() && !MustPause()));
    transport_->PauseReading();
  }
  // What is kept is handled again; only then (GoOn) more is read, for that may pause it again.
  void Resume() { paused_ = false; }
  void GoOn() {
    held_.Set(false);
    transport_->ResumeReading();
  }
  // Something that it has asked waits for the end of CLIENT PAUSE. While that is tried again, too.
  bool held_by_pause() const { return held_.held(); }
  // Nothing more of it is handled.
  void Close() { held_.Set(false); }

 private:
  // What a client may hold of its replies that has not authenticated.
  static constexpr size_t kStrangerOutput = 16 * 1024;

  SessionContext* context_;
  const SessionState* state_;
  const ReplyLine* replies_;
  const Pace* pace_;
  SessionTransport* transport_ = nullptr;
  bool paused_ = false;
  HeldByPause held_;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SESSION_READING_H_
