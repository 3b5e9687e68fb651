#include "tests/sim/sim_keyspace.h"

#include <utility>

namespace gemel::sim {

uint64_t Keyspace::UnixMs() const {
  return kEpochMs + loop_->now_us() / 1000 + static_cast<uint64_t>(ahead_ms_);
}

void Keyspace::RemoveExpired() {
  std::vector<std::string> expired;
  for (const auto& [key, at_ms] : expiries_) {
    if (IsPast(at_ms)) expired.push_back(key);
  }
  for (const std::string& key : expired) Look(key);
}

bool Keyspace::EvictOne(Loop* dice, const std::function<bool(const std::string&)>& may_go) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : values_) {
    if (may_go(key)) keys.push_back(key);
  }
  if (keys.empty()) return false;
  Remove(Gone::kEvicted, keys[dice->Random(keys.size())]);
  return true;
}

void Keyspace::Load(Snapshot snapshot, bool all) {
  values_ = std::move(snapshot.values);
  expiries_ = std::move(snapshot.expiries);
  if (all) return;
  for (const auto& [key, at_ms] : std::map(expiries_)) {
    if (IsPast(at_ms)) Remove(Gone::kUnsaid, key);
  }
}

std::string* Keyspace::Look(const std::string& key) {
  const auto found = values_.find(key);
  if (found == values_.end()) return nullptr;
  if (is_replica_ || !IsPast(ExpiryOf(key))) return &found->second;
  Remove(Gone::kExpired, key);
  return nullptr;
}

std::string& Keyspace::Make(const std::string& key) {
  if (Look(key) == nullptr) expiries_.erase(key);
  return values_[key];
}

bool Keyspace::Erase(const std::string& key) {
  expiries_.erase(key);
  return values_.erase(key) > 0;
}

uint64_t Keyspace::ExpiryOf(const std::string& key) const {
  const auto found = expiries_.find(key);
  return found == expiries_.end() || !values_.contains(key) ? 0 : found->second;
}

void Keyspace::SetExpiry(const std::string& key, uint64_t at_ms) {
  if (at_ms == 0) {
    expiries_.erase(key);
  } else {
    expiries_[key] = at_ms;
  }
}

void Keyspace::Put(const std::string& key, const std::string& value, uint64_t expiry_ms) {
  values_[key] = value;
  SetExpiry(key, expiry_ms);
}

void Keyspace::Remove(Gone how, const std::string& key) {
  Erase(key);
  removed_(how, key);
}

void Keyspace::EraseDatabase(int database) {
  std::erase_if(expiries_, [&](const auto& key) { return DatabaseOf(key.first) == database; });
  std::erase_if(values_, [&](const auto& key) { return DatabaseOf(key.first) == database; });
}

}  // namespace gemel::sim
