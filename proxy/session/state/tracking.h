// Whether a client is told of changes to what it has read (CLIENT TRACKING), and how.

#ifndef GEMEL_PROXY_SESSION_STATE_TRACKING_H_
#define GEMEL_PROXY_SESSION_STATE_TRACKING_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "proxy/tracking/tracker_registry.h"

namespace gemel {

// What CLIENT TRACKING ON says.
struct TrackingOptions {
  uint64_t redirect = 0;  // the client that is told in its place; 0: none
  uint32_t redirect_worker = 0;
  bool bcast = false;
  bool optin = false;
  bool optout = false;
  bool noloop = false;
  std::vector<std::string> prefixes;  // sorted, with bcast: at least one
};

// The session's thread. Who tracks nothing takes no memory.
class Tracking {
 public:
  Tracking() = default;
  ~Tracking() { Close(); }
  Tracking(const Tracking&) = delete;
  Tracking& operator=(const Tracking&) = delete;

  bool on() const { return on_; }
  // Only while on.
  const TrackingOptions& options() const { return rep_->options; }
  // The client that is told in its place; -1: it does not track.
  int64_t redirect() const { return on_ ? static_cast<int64_t>(rep_->options.redirect) : -1; }
  // That one was gone when it was to be told.
  bool broken() const { return broken_; }
  void set_broken() { broken_ = true; }
  // CLIENT CACHING was said for the next command.
  bool caching() const { return caching_; }
  void set_caching() { caching_ = true; }
  void EndCaching() { caching_ = false; }
  // What the next command reads is remembered.
  bool Remembers() const {
    if (!on_ || rep_->options.bcast) return false;
    return rep_->options.optin ? caching_ : !(rep_->options.optout && caching_);
  }

  // From now on it may be told something, also in another client's place. No-op if it may already.
  bool entered() const { return rep_ != nullptr; }
  void Enter(TrackerRegistry* registry, uint32_t session, std::unique_ptr<TrackedClient> client) {
    registry->Enter(session, client.get());
    rep_ = std::make_unique<Rep>(Rep{registry, session, std::move(client), false, {}});
  }
  TrackedClient* client() const { return rep_->client.get(); }
  // The shards are being asked. (Entered.)
  void Ask() { rep_->asked = true; }
  void TurnOn(TrackingOptions options) {
    rep_->registry->Begin(rep_->session, options.noloop, options.prefixes);
    rep_->options = std::move(options);
    on_ = true;
    broken_ = false;
  }
  // CLIENT TRACKING OFF, or RESET.
  void Reset() {
    if (rep_ != nullptr && std::exchange(rep_->asked, false)) rep_->registry->End(rep_->session);
    on_ = broken_ = caching_ = false;
  }
  // It is told nothing any more.
  void Close() {
    Reset();
    if (rep_ == nullptr) return;
    rep_->registry->Leave(rep_->session);
    rep_.reset();
  }

 private:
  struct Rep {
    TrackerRegistry* registry;
    uint32_t session;
    std::unique_ptr<TrackedClient> client;
    bool asked;  // the shards know of it, or will
    TrackingOptions options;
  };

  bool on_ = false;
  bool broken_ = false;
  bool caching_ = false;
  std::unique_ptr<Rep> rep_;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SESSION_STATE_TRACKING_H_
