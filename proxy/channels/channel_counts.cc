#include "proxy/channels/channel_counts.h"

#include "backend/command/glob.h"

namespace gemel {

namespace {

size_t KindIndex(ChannelKind kind) { return static_cast<size_t>(kind); }

}  // namespace

void ChannelCounts::Add(const std::string& name) {
  const std::lock_guard<std::mutex> lock(mutex_);
  ++counts_[KindIndex(KindOfChannel(name))][std::string(TextOfChannel(name))];
}

void ChannelCounts::Remove(const std::string& name) {
  const std::lock_guard<std::mutex> lock(mutex_);
  auto& counts = counts_[KindIndex(KindOfChannel(name))];
  const auto found = counts.find(TextOfChannel(name));
  if (found != counts.end() && --found->second == 0) counts.erase(found);
}

uint64_t ChannelCounts::CountOf(const std::string& name) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto& counts = counts_[KindIndex(KindOfChannel(name))];
  const auto found = counts.find(TextOfChannel(name));
  return found != counts.end() ? found->second : 0;
}

uint64_t ChannelCounts::ReceiversOf(ChannelKind kind, std::string_view channel) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto& counts = counts_[KindIndex(kind)];
  const auto found = counts.find(channel);
  uint64_t receivers = found != counts.end() ? found->second : 0;
  if (kind != ChannelKind::kChannel) return receivers;
  for (const auto& [pattern, count] : counts_[KindIndex(ChannelKind::kPattern)]) {
    if (GlobMatchesExactly(pattern, channel)) receivers += count;
  }
  return receivers;
}

std::vector<std::string> ChannelCounts::Matching(ChannelKind kind, std::string_view pattern) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::vector<std::string> matching;
  for (const auto& [channel, count] : counts_[KindIndex(kind)]) {
    if (GlobMatchesExactly(pattern, channel)) matching.push_back(channel);
  }
  return matching;
}

size_t ChannelCounts::Different(ChannelKind kind) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return counts_[KindIndex(kind)].size();
}

}  // namespace gemel
