#include "proxy/tracking/tracking_mail.h"

#include <utility>

#include "backend/resp/resp_writer.h"
#include "proxy/peers/peer_seats.h"

namespace gemel {

namespace {

// What an entry takes beside its texts, about.
constexpr size_t kMailEntryBytes = 96;

}  // namespace

TrackingMail::TrackingMail(Dispatcher* dispatcher, TrackerRegistry* registry)
    : dispatcher_(dispatcher), registry_(registry), batches_(dispatcher->workers()) {
  registry_->set_mail(this);
}

TrackingBatch& TrackingMail::To(uint32_t worker) {
  any_ = true;
  const bool seat = PeerSeats::IsSeat(worker, dispatcher_->workers());
  std::unique_ptr<TrackingBatch>& batch = seat ? seats_[worker] : batches_[worker];
  if (batch == nullptr) {
    batch = std::make_unique<TrackingBatch>();
    if (seat) batch->seat = worker;
  }
  return *batch;
}

void TrackingMail::OnKeyChanged(uint32_t worker, uint32_t session, std::string_view key) {
  TrackingBatch& batch = To(worker);
  batch.Count(kMailEntryBytes + key.size());
  batch.keys.push_back({session, false, std::string(key)});
}

void TrackingMail::OnAllChanged(uint32_t worker, uint32_t session) {
  TrackingBatch& batch = To(worker);
  batch.Count(kMailEntryBytes);
  batch.keys.push_back({session, true, {}});
}

void TrackingMail::OnPrefixChanged(uint32_t worker, std::string_view prefix, std::string_view key,
                                   uint32_t writer, TrackingAudience audience) {
  TrackingBatch& batch = To(worker);
  WrittenKeyMap& keys = batch.prefixes[{std::string(prefix), audience}];
  const auto [entry, added] = keys.emplace(key, writer);
  if (added) batch.Count(kMailEntryBytes + key.size());
  // Who wrote one of two must hear of the other one.
  if (entry->second != writer) entry->second = 0;
}

void TrackingMail::Redirect(uint32_t worker, uint64_t target, uint32_t tracker,
                            std::string_view value) {
  TrackingBatch& batch = To(worker);
  batch.Count(kMailEntryBytes + value.size());
  batch.redirected.push_back({target, tracker, dispatcher_->worker(), std::string(value)});
}

void TrackingMail::Flush() {
  const uint32_t own = dispatcher_->worker();
  while (any_) {
    any_ = false;
    // What is delivered here may have to go further.
    if (const auto batch = std::exchange(batches_[own], nullptr); batch != nullptr) Deliver(*batch);
  }
  for (uint32_t worker = 0; worker < batches_.size(); ++worker) {
    if (batches_[worker] == nullptr) continue;
    Send(std::exchange(batches_[worker], nullptr), worker);
  }
  for (auto& [seat, batch] : std::exchange(seats_, {})) {
    Send(std::move(batch), PeerSeats::HomeOf(seat, dispatcher_->workers()));
  }
}

void TrackingMail::Send(std::unique_ptr<TrackingBatch> batch, uint32_t worker) {
  if (worker == dispatcher_->worker()) {
    Deliver(*batch);
    return;
  }
  Request* request = dispatcher_->New();
  request->frame = {};
  request->Extra().cargo = std::move(batch);
  request->sink = dispatcher_->unanswered();
  dispatcher_->SubmitToWorker(request, worker);
}

bool TrackingMail::Take(Request* request) {
  const auto* batch = dynamic_cast<const TrackingBatch*>(request->extra->cargo.get());
  if (batch == nullptr) return false;
  Deliver(*batch);
  request->sink->OnReply(request, Reply{{}, nullptr});
  return true;
}

void TrackingMail::Deliver(const TrackingBatch& batch) {
  if (batch.seat != 0) {
    if (on_seat_) on_seat_(batch);
    return;
  }
  std::string value;
  for (const TrackingBatch::Key& key : batch.keys) {
    TrackedClient* client = registry_->Find(key.session);
    if (client == nullptr) continue;
    if (key.all) {
      client->OnAllChanged(/*later=*/false);
      continue;
    }
    value.clear();
    AppendArrayHeader(&value, 1);
    AppendBulk(&value, key.key);
    client->OnKeysChanged(value);
  }
  for (const auto& [prefix, keys] : batch.prefixes) {
    registry_->DeliverPrefix(prefix.prefix, keys, prefix.audience);
  }
  for (const TrackingBatch::Redirected& redirected : batch.redirected) {
    TrackedClient* target = registry_->Find(static_cast<uint32_t>(redirected.target));
    if (target != nullptr) {
      target->OnRedirected(redirected.value);
    } else {
      To(redirected.worker).broken.push_back(redirected.tracker);
    }
  }
  for (const uint32_t session : batch.broken) {
    if (TrackedClient* client = registry_->Find(session)) client->OnRedirectBroken();
  }
}

}  // namespace gemel
