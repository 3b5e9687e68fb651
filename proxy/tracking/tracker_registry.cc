#include "proxy/tracking/tracker_registry.h"

#include <algorithm>
#include <utility>

#include "backend/resp/resp_writer.h"

namespace gemel {

namespace {

bool IsMeant(uint32_t session, bool noloop, uint32_t writer, TrackingAudience audience) {
  const bool own = writer != 0 && session == writer;
  if (own && noloop) return false;
  return audience == TrackingAudience::kAll || own == (audience == TrackingAudience::kWriter);
}

}  // namespace

std::unique_ptr<TrackingCargo> TrackerRegistry::Question(
    uint32_t session, bool noloop, const std::vector<std::string>& prefixes) const {
  auto cargo = std::make_unique<TrackingCargo>();
  cargo->worker = dispatcher_->worker();
  cargo->session = session;
  cargo->on = true;
  cargo->noloop = noloop;
  cargo->prefixes = prefixes;
  return cargo;
}

void TrackerRegistry::Begin(uint32_t session, bool noloop,
                            const std::vector<std::string>& prefixes) {
  Forget(session);
  trackers_[session] = {noloop, prefixes};
  for (const std::string& prefix : prefixes) {
    prefixes_[prefix].push_back(session);
    if (totals_ != nullptr) totals_->AddPrefix(prefix);
  }
  if (totals_ != nullptr) totals_->clients.fetch_add(1, std::memory_order_relaxed);
}

void TrackerRegistry::Forget(uint32_t session) {
  const auto tracker = trackers_.find(session);
  if (tracker == trackers_.end()) return;
  for (const std::string& prefix : tracker->second.prefixes) {
    const auto found = prefixes_.find(prefix);
    std::erase(found->second, session);
    if (found->second.empty()) prefixes_.erase(found);
    if (totals_ != nullptr) totals_->RemovePrefix(prefix);
  }
  trackers_.erase(tracker);
  if (totals_ != nullptr) totals_->clients.fetch_sub(1, std::memory_order_relaxed);
}

void TrackerRegistry::AskAgain(uint32_t session) {
  const Tracker& tracker = trackers_.at(session);
  for (const PoolShard& shard : dispatcher_->pool().shards()) {
    Tell(shard.slot, Question(session, tracker.noloop, tracker.prefixes));
  }
}

void TrackerRegistry::End(uint32_t session) {
  Forget(session);
  for (const PoolShard& shard : dispatcher_->pool().shards()) {
    auto cargo = Question(session, false, {});
    cargo->on = false;
    Tell(shard.slot, std::move(cargo));
  }
}

// The answers of a shard that is told anew. Owns itself; gone with the last.
class TrackerRegistry::AllTold : public RequestSink {
 public:
  AllTold(TrackerRegistry* registry, size_t left) : registry_(registry), left_(left) {}

 private:
  void OnReply(Request* request, const Reply& reply) override {
    if (reply.bytes.starts_with("-CLUSTERDOWN")) registry_->again_.insert(request->shard);
    registry_->dispatcher_->Free(request);
    if (--left_ > 0) return;
    // What was read there meanwhile nobody remembers.
    registry_->TellClients();
    delete this;
  }

  TrackerRegistry* registry_;
  size_t left_;
};

void TrackerRegistry::TellClients() {
  for (const auto& [session, tracker] : trackers_) {
    if (TrackedClient* client = Find(session)) client->OnAllChanged(/*later=*/true);
  }
}

void TrackerRegistry::OnShardAnew(uint32_t slot) {
  ++changes_;
  again_.erase(slot);
  const Pool& pool = dispatcher_->pool();
  if (trackers_.empty() || slot >= pool.slot_count() || pool.SlotFrom(slot) != slot) return;
  TellClients();
  auto* sink = new AllTold(this, trackers_.size());
  for (const auto& [session, tracker] : std::map(trackers_)) {
    Tell(slot, Question(session, tracker.noloop, tracker.prefixes), sink);
  }
}

void TrackerRegistry::Retry() {
  for (const uint32_t slot : std::exchange(again_, {})) OnShardAnew(slot);
}

void TrackerRegistry::Tell(uint32_t shard, std::unique_ptr<TrackingCargo> cargo,
                           RequestSink* sink) {
  Request* request = dispatcher_->New();
  request->kind = RequestKind::kTracking;
  request->shard = static_cast<uint16_t>(shard);
  request->frame = {};
  request->Extra().cargo = std::move(cargo);
  request->sink = sink != nullptr ? sink : dispatcher_->unanswered();
  dispatcher_->SubmitApart(request);
}

std::set<std::string, std::less<>> TrackerRegistry::PoolShards() const {
  std::set<std::string, std::less<>> names;
  for (const PoolShard& shard : dispatcher_->pool().shards()) names.insert(shard.name);
  return names;
}

void TrackerRegistry::OnPool(bool moved) {
  const auto known = std::exchange(shards_, PoolShards());
  for (const PoolShard& shard : dispatcher_->pool().shards()) {
    if (known.contains(shard.name)) continue;
    for (const auto& [session, tracker] : trackers_) {
      Tell(shard.slot, Question(session, tracker.noloop, tracker.prefixes));
    }
  }
  if (moved) TellClients();
}

void TrackerRegistry::DeliverPrefix(const std::string& prefix, const WrittenKeyMap& keys,
                                    TrackingAudience audience) const {
  const auto found = prefixes_.find(prefix);
  if (found == prefixes_.end()) return;
  std::string value;
  std::string whole;  // for those who have written none of them
  for (const uint32_t session : found->second) {
    TrackedClient* client = Find(session);
    if (client == nullptr) continue;
    const bool wrote = std::any_of(keys.begin(), keys.end(),
                                   [&](const auto& key) { return key.second == session; });
    if (!wrote && audience == TrackingAudience::kWriter) continue;
    std::string* out = wrote ? &value : &whole;
    if (wrote || whole.empty()) {
      out->clear();
      std::string bulks;
      int64_t count = 0;
      for (const auto& [key, writer] : keys) {
        if (!IsMeant(session, client->noloop(), writer, audience)) continue;
        AppendBulk(&bulks, key);
        ++count;
      }
      if (count == 0) continue;
      AppendArrayHeader(out, count);
      *out += bulks;
    }
    client->OnKeysChanged(*out);
  }
}

}  // namespace gemel
