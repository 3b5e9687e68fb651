// Brings what this worker's shards say of keys that changed to the workers whose clients track
// them, or on their way to workers of other members. All of a loop turn goes together at its end,
// on the way of the replies and so behind those that left before: a client must have a value before
// it is told that it is old.

#ifndef GEMEL_PROXY_TRACKING_TRACKING_MAIL_H_
#define GEMEL_PROXY_TRACKING_TRACKING_MAIL_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "backend/shard/tracking_sink.h"
#include "proxy/dispatch/dispatcher.h"
#include "proxy/tracking/tracker_registry.h"
#include "proxy/tracking/tracking_batch.h"

namespace gemel {

// The worker's thread.
class TrackingMail : public TrackingSink, public RedirectMail {
 public:
  // Both outlive it.
  TrackingMail(Dispatcher* dispatcher, TrackerRegistry* registry);

  // Who passes on what is for workers of other members: seats of this worker. Null: there are none.
  using OnSeat = std::function<void(const TrackingBatch& batch)>;
  void set_on_seat(OnSeat on_seat) { on_seat_ = std::move(on_seat); }

  // The end of a turn: to the clients of this worker, and into the outboxes.
  void Flush();
  bool empty() const { return !any_; }
  // A request to this worker: true if it was such a batch, which is delivered and answered now.
  bool Take(Request* request);

  // --- TrackingSink ---
  void OnKeyChanged(uint32_t worker, uint32_t session, std::string_view key) override;
  void OnAllChanged(uint32_t worker, uint32_t session) override;
  void OnPrefixChanged(uint32_t worker, std::string_view prefix, std::string_view key,
                       uint32_t writer, TrackingAudience audience) override;

  // --- RedirectMail ---
  void Redirect(uint32_t worker, uint64_t target, uint32_t tracker,
                std::string_view value) override;

 private:
  // What goes to that worker.
  TrackingBatch& To(uint32_t worker);
  void Deliver(const TrackingBatch& batch);
  void Send(std::unique_ptr<TrackingBatch> batch, uint32_t worker);

  Dispatcher* dispatcher_;
  TrackerRegistry* registry_;
  std::vector<std::unique_ptr<TrackingBatch>> batches_;                 // by worker
  std::unordered_map<uint32_t, std::unique_ptr<TrackingBatch>> seats_;  // by seat
  OnSeat on_seat_;
  bool any_ = false;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_TRACKING_TRACKING_MAIL_H_
