// How a client is told of keys that changed: in its own protocol, or in another client's place.
// Source: sendTrackingMessage in tracking.c of Redis 7.0.

#ifndef GEMEL_PROXY_SESSION_TRACKING_VOICE_H_
#define GEMEL_PROXY_SESSION_TRACKING_VOICE_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "proxy/session/reply_line.h"
#include "proxy/session/session_context.h"
#include "proxy/session/session_state.h"
#include "proxy/tracking/tracked_client.h"

namespace gemel {

class Session;

// The session's thread.
class TrackingVoice : public TrackedClient {
 public:
  // All are the session's, or outlive it.
  TrackingVoice(SessionContext* context, SessionState* state, ReplyLine* replies, uint32_t session)
      : context_(context), state_(state), replies_(replies), session_(session) {}

  void OnKeysChanged(std::string_view keys) override;
  void OnAllChanged(bool later) override;
  void OnRedirected(std::string_view value) override;
  void OnRedirectBroken() override;
  bool noloop() const override {
    return state_->tracking.on() && state_->tracking.options().noloop;
  }

 private:
  void Tell(std::string_view value, bool later);

  SessionContext* context_;
  SessionState* state_;
  ReplyLine* replies_;
  uint32_t session_;
};

// What tells a client that tracks, or is told in the place of others who do, that all that it keeps
// may be old; empty: there is no way to.
std::string PushOfAllChanged(const Protocol& protocol, bool subscribed);

// The session may be told something from now on, if it could not before.
void EnterTracking(Session* session);

}  // namespace gemel

#endif  // GEMEL_PROXY_SESSION_TRACKING_VOICE_H_
