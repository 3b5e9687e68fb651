#include "proxy/seen/shards_seen.h"

#include <new>
#include <utility>

#include "proxy/seen/error_counts.h"

namespace gemel {

void ShardsSeen::Use(std::vector<std::string> names) {
  seen_.resize(names.size());
  for (size_t i = 0; i < names.size() && i < names_.size(); ++i) {
    if (names[i] != names_[i]) seen_[i] = {};
  }
  names_ = std::move(names);
}

void ShardsSeen::OnError(uint32_t slot, std::string_view error) try {
  if (slot >= seen_.size()) return;
  auto& errors = seen_[slot].errors;
  const std::string_view kind = ErrorPrefix(error);
  auto found = errors.find(kind);
  if (found == errors.end()) {
    found = errors.emplace(errors.size() < kMostKinds ? kind : kErrorOfNoKind, 0).first;
  }
  ++found->second;
} catch (const std::bad_alloc&) {  // it is not counted
}

}  // namespace gemel
