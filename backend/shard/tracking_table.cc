#include "backend/shard/tracking_table.h"

#include <algorithm>
#include <utility>

#include "backend/bytes/budget.h"

namespace gemel {

namespace {

// What a key takes beside its text, about.
constexpr size_t kEntryBytes = 128;
// Where a key has that many clients those that are gone are looked for.
constexpr size_t kManyClients = 64;

}  // namespace

void TrackingTable::Add(std::string_view key, uint32_t session,
                        const std::function<bool(uint32_t)>& lives) {
  auto found = keys_.find(key);
  if (found == keys_.end()) {
    found = keys_.emplace(std::string(key), Entry()).first;
    found->second.place = order_.size();
    order_.push_back(&*found);
    Budget::Take(kEntryBytes + key.size());
    totals_->keys.fetch_add(1, std::memory_order_relaxed);
  }
  std::vector<uint32_t>& sessions = found->second.sessions;
  auto at = std::lower_bound(sessions.begin(), sessions.end(), session);
  if (at != sessions.end() && *at == session) return;
  if (sessions.size() >= kManyClients && sessions.size() == sessions.capacity()) {
    const size_t gone = std::erase_if(sessions, [&](uint32_t other) { return !lives(other); });
    totals_->items.fetch_sub(gone, std::memory_order_relaxed);
    at = std::lower_bound(sessions.begin(), sessions.end(), session);
  }
  sessions.insert(at, session);
  totals_->items.fetch_add(1, std::memory_order_relaxed);
}

std::vector<uint32_t> TrackingTable::Take(std::string_view key) {
  const auto found = keys_.find(key);
  if (found == keys_.end()) return {};
  std::vector<uint32_t> sessions = std::move(found->second.sessions);
  totals_->items.fetch_sub(sessions.size(), std::memory_order_relaxed);
  found->second.sessions.clear();
  Forget(found);
  return sessions;
}

void TrackingTable::Forget(Keys::iterator entry) {
  const size_t place = entry->second.place;
  order_[place] = order_.back();
  order_[place]->second.place = place;
  order_.pop_back();
  Budget::Give(kEntryBytes + entry->first.size());
  totals_->keys.fetch_sub(1, std::memory_order_relaxed);
  keys_.erase(entry);
}

void TrackingTable::Clear() {
  uint64_t items = 0;
  for (const auto& [key, entry] : keys_) {
    items += entry.sessions.size();
    Budget::Give(kEntryBytes + key.size());
  }
  totals_->items.fetch_sub(items, std::memory_order_relaxed);
  totals_->keys.fetch_sub(keys_.size(), std::memory_order_relaxed);
  Keys().swap(keys_);
  std::vector<Keys::value_type*>().swap(order_);
}

}  // namespace gemel
