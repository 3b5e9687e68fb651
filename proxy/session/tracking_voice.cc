#include "proxy/session/tracking_voice.h"

#include <memory>
#include <string>

#include "backend/resp/reply_names.h"
#include "backend/resp/resp_writer.h"
#include "proxy/session/session.h"

namespace gemel {

namespace {

constexpr std::string_view kInvalidate = ">2\r\n$10\r\ninvalidate\r\n";
constexpr std::string_view kInvalidateChannel =
    "*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n";
constexpr std::string_view kBroken = ">2\r\n$21\r\ntracking-redir-broken\r\n";

}  // namespace

// A client of RESP2 that redirects to nobody cannot be told.
void TrackingVoice::Tell(std::string_view value, bool later) {
  const TrackingOptions& options = state_->tracking.options();
  if (options.redirect != 0) {
    context_->trackers->mail()->Redirect(options.redirect_worker, options.redirect, session_,
                                         value);
  } else if (state_->protocol.is_resp3()) {
    const std::string push = std::string(kInvalidate) + std::string(value);
    replies_->PushInTurn(push);
    // Which reads are under way is known of single keys alone (backend/shard/tracked_reads.h).
    if (later || options.bcast) replies_->PushBehindReads(push);
  }
}

void TrackingVoice::OnKeysChanged(std::string_view keys) {
  if (!state_->tracking.on()) return;
  if (!state_->access.prefixed()) return Tell(keys, /*later=*/false);
  std::string own;
  AppendWithoutPrefix(keys, ReplyNames::kElements, state_->access.prefix(), &own);
  if (own != "*0\r\n") Tell(own, /*later=*/false);
}

// As Redis has it, the null is of the protocol of who tracks, whoever is told in its place.
void TrackingVoice::OnAllChanged(bool later) {
  if (!state_->tracking.on()) return;
  Tell(state_->protocol.is_resp3() ? "_\r\n" : "$-1\r\n", later);
}

void TrackingVoice::OnRedirected(std::string_view value) {
  if (state_->protocol.is_resp3()) {
    replies_->PushInTurn(std::string(kInvalidate) + std::string(value));
  } else if (state_->subscriptions.any()) {
    replies_->PushInTurn(std::string(kInvalidateChannel) + std::string(value));
  }
}

void TrackingVoice::OnRedirectBroken() {
  if (!state_->tracking.on() || state_->tracking.options().redirect == 0) return;
  state_->tracking.set_broken();
  if (!state_->protocol.is_resp3()) return;
  std::string push(kBroken);
  AppendInteger(&push, state_->tracking.redirect());
  replies_->PushInTurn(push);
}

std::string PushOfAllChanged(const Protocol& protocol, bool subscribed) {
  if (protocol.is_resp3()) return std::string(kInvalidate) + "_\r\n";
  if (subscribed) return std::string(kInvalidateChannel) + "$-1\r\n";
  return {};
}

void EnterTracking(Session* session) {
  Tracking& tracking = session->state().tracking;
  if (tracking.entered()) return;
  SessionContext& context = session->context();
  const auto id = static_cast<uint32_t>(session->facts().id);
  tracking.Enter(
      context.trackers, id,
      std::make_unique<TrackingVoice>(&context, &session->state(), &session->replies(), id));
}

}  // namespace gemel
