// A worker's clients that track keys or are told in others' places; and what the shards are told of
// them.

#ifndef GEMEL_PROXY_TRACKING_TRACKER_REGISTRY_H_
#define GEMEL_PROXY_TRACKING_TRACKER_REGISTRY_H_

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "backend/shard/tracked_keys.h"
#include "backend/shard/tracking_totals.h"
#include "proxy/dispatch/dispatcher.h"
#include "proxy/tracking/tracked_client.h"

namespace gemel {

// Tells a client, of whichever worker, in the place of a client of this one.
class RedirectMail {
 public:
  virtual ~RedirectMail() = default;
  virtual void Redirect(uint32_t worker, uint64_t target, uint32_t tracker,
                        std::string_view value) = 0;
};

// The worker's thread.
class TrackerRegistry {
 public:
  // Both outlive it; `totals` may be null.
  TrackerRegistry(Dispatcher* dispatcher, TrackingTotals* totals)
      : dispatcher_(dispatcher), totals_(totals) {}
  TrackerRegistry(const TrackerRegistry&) = delete;
  TrackerRegistry& operator=(const TrackerRegistry&) = delete;

  void set_mail(RedirectMail* mail) { mail_ = mail; }
  RedirectMail* mail() const { return mail_; }

  // A session that may be told something, until Leave.
  void Enter(uint32_t session, TrackedClient* client) { clients_[session] = client; }
  void Leave(uint32_t session) { clients_.erase(session); }
  TrackedClient* Find(uint32_t session) const {
    const auto found = clients_.find(session);
    return found != clients_.end() ? found->second : nullptr;
  }

  // What each shard is to be asked for the session to track so.
  std::unique_ptr<TrackingCargo> Question(uint32_t session, bool noloop,
                                          const std::vector<std::string>& prefixes) const;
  // It tracks so from now on; each shard has been asked, or is on the way.
  void Begin(uint32_t session, bool noloop, const std::vector<std::string>& prefixes);
  // Asks all shards again, for there are others than were asked.
  void AskAgain(uint32_t session);
  // It does not any more, nor will it if it was only asked for; the shards are told.
  void End(uint32_t session);

  // The pool is another one. Shards that are new are told who tracks. `moved`: keys may have come
  // to other shards, which do not know who has read them.
  void OnPool(bool moved);
  // Whoever has that shard now does not know who tracks: it is told, and the clients that any key
  // may have changed, now and when it knows. Retry, now and then: who could not be told is.
  void OnShardAnew(uint32_t slot);
  void Retry();
  // Grows whenever shards are told anew: who asked them before is to ask again.
  uint64_t changes() const { return changes_ + dispatcher_->pool().number(); }
  // To those that track the prefix.
  void DeliverPrefix(const std::string& prefix, const WrittenKeyMap& keys,
                     TrackingAudience audience) const;

 private:
  struct Tracker {
    bool noloop = false;
    std::vector<std::string> prefixes;
  };

  void Forget(uint32_t session);
  class AllTold;
  void Tell(uint32_t shard, std::unique_ptr<TrackingCargo> cargo, RequestSink* sink = nullptr);
  void TellClients();
  std::set<std::string, std::less<>> PoolShards() const;

  Dispatcher* dispatcher_;
  TrackingTotals* totals_;
  RedirectMail* mail_ = nullptr;
  std::unordered_map<uint32_t, TrackedClient*> clients_;
  std::map<uint32_t, Tracker> trackers_;
  std::map<std::string, std::vector<uint32_t>> prefixes_;
  std::set<std::string, std::less<>> shards_ = PoolShards();
  uint64_t changes_ = 0;
  std::set<uint32_t> again_;  // shards that could not be told
};

}  // namespace gemel

#endif  // GEMEL_PROXY_TRACKING_TRACKER_REGISTRY_H_
