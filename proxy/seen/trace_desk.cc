#include "proxy/seen/trace_desk.h"

#include <algorithm>
#include <utility>

namespace gemel {

std::optional<uint64_t> TraceDesk::Begin(Trace trace) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (trace_ != nullptr) return std::nullopt;
  trace_ = std::make_shared<const Trace>(std::move(trace));
  seen_ = Seen();
  id_.store(++last_id_, std::memory_order_relaxed);
  return last_id_;
}

bool TraceDesk::Full(uint64_t id) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return trace_ == nullptr || id != last_id_ || seen_.requests.size() >= trace_->most;
}

TraceDesk::Seen TraceDesk::End(uint64_t id) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (trace_ == nullptr || id != last_id_) return {};
  trace_.reset();
  id_.store(0, std::memory_order_relaxed);
  // A worker may not have said yet at how many it looked.
  seen_.looked_at = std::max<uint64_t>(seen_.looked_at, seen_.requests.size());
  return std::exchange(seen_, {});
}

std::shared_ptr<const TraceDesk::Trace> TraceDesk::Find(uint64_t id) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return id == last_id_ ? trace_ : nullptr;
}

bool TraceDesk::Add(uint64_t id, TracedRequest request) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (trace_ == nullptr || id != last_id_ || seen_.requests.size() >= trace_->most) return false;
  seen_.requests.push_back(std::move(request));
  return seen_.requests.size() < trace_->most;
}

void TraceDesk::Count(uint64_t id, uint64_t looked_at, uint64_t passed_over) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (trace_ == nullptr || id != last_id_) return;
  seen_.looked_at += looked_at;
  seen_.passed_over += passed_over;
}

}  // namespace gemel
