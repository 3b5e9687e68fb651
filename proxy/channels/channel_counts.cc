#include "proxy/channels/channel_counts.h"

#include <utility>

#include "backend/command/glob.h"

namespace gemel {

namespace {

// So many are copied at a time.
constexpr size_t kAtOnce = 256;

size_t KindIndex(ChannelKind kind) { return static_cast<size_t>(kind); }

}  // namespace

void ChannelCounts::Add(const std::string& name) {
  const std::lock_guard<std::mutex> lock(mutex_);
  ++counts_[KindIndex(KindOfChannel(name))][std::string(TextOfChannel(name))];
  total_.fetch_add(1, std::memory_order_release);
}

void ChannelCounts::Remove(const std::string& name) {
  const std::lock_guard<std::mutex> lock(mutex_);
  auto& counts = counts_[KindIndex(KindOfChannel(name))];
  const auto found = counts.find(TextOfChannel(name));
  if (found == counts.end()) return;
  if (--found->second == 0) counts.erase(found);
  total_.fetch_sub(1, std::memory_order_release);
}

uint64_t ChannelCounts::CountOf(const std::string& name) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto& counts = counts_[KindIndex(KindOfChannel(name))];
  const auto found = counts.find(TextOfChannel(name));
  return found != counts.end() ? found->second : 0;
}

// Some at a time are copied with the lock, and looked at without.
template <typename Matches, typename Visit>
void ChannelCounts::ForEachOf(ChannelKind kind, Matches matches, Visit visit) const {
  const Counts& counts = counts_[KindIndex(kind)];
  std::vector<std::pair<std::string, uint64_t>> some;
  bool first = true;
  do {
    const std::string last = some.empty() ? std::string() : some.back().first;
    some.clear();
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      auto it = first ? counts.begin() : counts.upper_bound(last);
      for (; it != counts.end() && some.size() < kAtOnce; ++it) some.push_back(*it);
    }
    first = false;
    for (const auto& [text, count] : some) {
      if (matches(text)) visit(text, count);
    }
  } while (some.size() == kAtOnce);
}

uint64_t ChannelCounts::ReceiversOf(ChannelKind kind, std::string_view channel) const {
  uint64_t receivers = 0;
  bool patterns = false;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    const Counts& counts = counts_[KindIndex(kind)];
    const auto found = counts.find(channel);
    if (found != counts.end()) receivers = found->second;
    patterns = kind == ChannelKind::kChannel && !counts_[KindIndex(ChannelKind::kPattern)].empty();
  }
  if (!patterns) return receivers;
  ForEachOf(
      ChannelKind::kPattern,
      [channel](std::string_view pattern) { return GlobMatchesExactly(pattern, channel); },
      [&receivers](std::string_view, uint64_t count) { receivers += count; });
  return receivers;
}

std::vector<std::string> ChannelCounts::Matching(ChannelKind kind, std::string_view pattern) const {
  std::vector<std::string> matching;
  ForEachOf(
      kind, [pattern](std::string_view channel) { return GlobMatchesExactly(pattern, channel); },
      [&matching](std::string_view channel, uint64_t) { matching.emplace_back(channel); });
  return matching;
}

size_t ChannelCounts::Different(ChannelKind kind) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return counts_[KindIndex(kind)].size();
}

}  // namespace gemel
