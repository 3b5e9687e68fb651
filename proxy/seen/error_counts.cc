#include "proxy/seen/error_counts.h"

#include <new>

namespace gemel {

std::string_view ErrorPrefix(std::string_view error) {
  if (error.starts_with('-')) error.remove_prefix(1);
  const size_t space = error.substr(0, 31).find(' ');
  return space == std::string_view::npos || space == 0 ? kErrorOfNoKind : error.substr(0, space);
}

void ErrorCounts::Add(std::string_view error) try {
  const std::string_view prefix = ErrorPrefix(error);
  const std::lock_guard<std::mutex> lock(mutex_);
  ++total_;
  auto found = counts_.find(prefix);
  if (found == counts_.end()) {
    found = counts_.emplace(counts_.size() < kMost ? prefix : kErrorOfNoKind, 0).first;
  }
  ++found->second;
} catch (const std::bad_alloc&) {  // the total has it
}

void ErrorCounts::Reset() {
  const std::lock_guard<std::mutex> lock(mutex_);
  counts_.clear();
  total_ = 0;
}

uint64_t ErrorCounts::total() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return total_;
}

void ErrorCounts::AddTo(std::map<std::string, uint64_t>* sums) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  for (const auto& [prefix, count] : counts_) (*sums)[prefix] += count;
}

bool IsRejection(std::string_view error) {
  const std::string_view prefix = ErrorPrefix(error);
  for (const std::string_view known :
       {"OOM", "LOADING", "BUSY", "MISCONF", "MASTERDOWN", "READONLY", "NOREPLICAS", "NOPERM",
        "NOAUTH", "CLUSTERDOWN", "TRYAGAIN", "CROSSSLOT", "MOVED", "ASK"}) {
    if (prefix == known) return true;
  }
  return false;
}

}  // namespace gemel
