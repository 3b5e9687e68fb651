#include "proxy/seen/latency_events.h"

#include <algorithm>

#include "backend/command/ascii.h"

namespace gemel {

void LatencyEvents::Add(std::string_view event, uint64_t ms, int64_t unix_s) {
  const std::lock_guard<std::mutex> lock(mutex_);
  auto found = events_.find(event);
  if (found == events_.end()) {
    const std::string name(event);
    found = events_.emplace(name, LatencySeries{name, {}, 0}).first;
  }
  LatencySeries& series = found->second;
  series.max_ms = std::max(series.max_ms, ms);
  if (!series.samples.empty() && series.samples.back().unix_s == unix_s) {
    series.samples.back().ms = std::max(series.samples.back().ms, ms);
    return;
  }
  if (series.samples.size() == kSamples) series.samples.erase(series.samples.begin());
  series.samples.push_back({unix_s, ms});
}

std::vector<LatencySeries> LatencyEvents::All() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::vector<LatencySeries> all;
  for (const auto& [event, series] : events_) all.push_back(series);
  return all;
}

std::optional<LatencySeries> LatencyEvents::Find(std::string_view event) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = events_.find(event);
  return found == events_.end() ? std::nullopt : std::optional(found->second);
}

size_t LatencyEvents::Reset(std::string_view event) {
  const std::lock_guard<std::mutex> lock(mutex_);
  return std::erase_if(events_, [event](const auto& entry) {
    return entry.first.size() == event.size() && EqualsLower(event, entry.first);
  });
}

size_t LatencyEvents::ResetAll() {
  const std::lock_guard<std::mutex> lock(mutex_);
  const size_t count = events_.size();
  events_.clear();
  return count;
}

}  // namespace gemel
