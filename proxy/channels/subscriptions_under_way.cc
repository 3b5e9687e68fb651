#include "proxy/channels/subscriptions_under_way.h"

#include "backend/channels/keyspace_name.h"
#include "backend/command/glob.h"

namespace gemel {

namespace {

// So many patterns are copied at a time, and looked at without the lock.
constexpr size_t kPatternsAtOnce = 256;

}  // namespace

bool Published::IsFor(std::string_view name) const {
  if (unknown || (of_keys && MayBeAboutKeys(name))) return true;
  const ChannelKind of = KindOfChannel(name);
  const std::string_view text = TextOfChannel(name);
  for (const auto& [kind, channel] : channels) {
    if (of == kind && text == channel) return true;
    if (of == ChannelKind::kPattern && kind == ChannelKind::kChannel &&
        GlobMatchesExactly(text, channel)) {
      return true;
    }
  }
  return false;
}

void SubscriptionsUnderWay::Begin(uint32_t worker, const std::string& name) {
  const std::lock_guard<std::mutex> lock(mutex_);
  ++names_[name][worker];
  ++by_worker_[worker];
  count_.fetch_add(1, std::memory_order_release);
  if (!MayBeAboutKeys(name)) return;
  ++of_keys_by_worker_[worker];
  of_keys_.fetch_add(1, std::memory_order_release);
}

void SubscriptionsUnderWay::End(uint32_t worker, const std::string& name) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = names_.find(name);
  if (found == names_.end()) return;
  if (--found->second[worker] == 0) found->second.erase(worker);
  if (found->second.empty()) names_.erase(found);
  if (--by_worker_[worker] == 0) by_worker_.erase(worker);
  count_.fetch_sub(1, std::memory_order_release);
  if (!MayBeAboutKeys(name)) return;
  if (--of_keys_by_worker_[worker] == 0) of_keys_by_worker_.erase(worker);
  of_keys_.fetch_sub(1, std::memory_order_release);
}

void SubscriptionsUnderWay::BeginChange(uint32_t worker, bool of_keys) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto [change, is_new] = changing_.try_emplace(worker, false);
  if (is_new) count_.fetch_add(1, std::memory_order_release);
  if (!of_keys || std::exchange(change->second, true)) return;
  of_keys_.fetch_add(1, std::memory_order_release);
}

void SubscriptionsUnderWay::EndChange(uint32_t worker) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = changing_.find(worker);
  if (found == changing_.end()) return;
  count_.fetch_sub(1, std::memory_order_release);
  if (found->second) of_keys_.fetch_sub(1, std::memory_order_release);
  changing_.erase(found);
}

void SubscriptionsUnderWay::AddMatching(const std::string& channel,
                                        std::set<uint32_t>* workers) const {
  const std::string first = MakeChannelName(ChannelKind::kPattern, {});
  const std::string behind = MakeChannelName(ChannelKind::kShardChannel, {});
  std::vector<std::pair<std::string, std::map<uint32_t, uint32_t>>> some;
  do {
    const std::string last = some.empty() ? std::string() : some.back().first;
    some.clear();
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      auto it = last.empty() ? names_.lower_bound(first) : names_.upper_bound(last);
      for (; it != names_.end() && it->first < behind && some.size() < kPatternsAtOnce; ++it) {
        some.push_back(*it);
      }
    }
    for (const auto& [name, by_worker] : some) {
      if (!GlobMatchesExactly(TextOfChannel(name), channel)) continue;
      for (const auto& [worker, times] : by_worker) workers->insert(worker);
    }
  } while (some.size() == kPatternsAtOnce);
}

std::vector<uint32_t> SubscriptionsUnderWay::WorkersFor(const Published& published) const {
  std::set<uint32_t> workers;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    const bool somewhere = published.unknown || !published.channels.empty();
    for (const auto& [worker, of_keys] : changing_) {
      if (somewhere || (published.of_keys && of_keys)) workers.insert(worker);
    }
    for (const auto& [worker, count] : by_worker_) {
      if (published.unknown) workers.insert(worker);
    }
    for (const auto& [worker, count] : of_keys_by_worker_) {
      if (published.of_keys) workers.insert(worker);
    }
    for (const auto& [kind, channel] : published.channels) {
      const auto found = names_.find(MakeChannelName(kind, channel));
      if (found == names_.end()) continue;
      for (const auto& [worker, times] : found->second) workers.insert(worker);
    }
  }
  for (const auto& [kind, channel] : published.channels) {
    if (kind == ChannelKind::kChannel) AddMatching(channel, &workers);
  }
  return {workers.begin(), workers.end()};
}

}  // namespace gemel
