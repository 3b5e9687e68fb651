#include "backend/names/name_table.h"

#include <algorithm>
#include <utility>

namespace gemel {

NameTable::Asked NameTable::Ask(const std::string& host, uint64_t newer_than_ms, uint64_t now_ms,
                                uint64_t id, NameAnswer* answer) {
  Forget(now_ms);
  Name& name = names_[host];
  name.asked_ms = now_ms;
  if (name.looking) {
    name.waiting.push_back(id);
    return Asked::kWaits;
  }
  const bool good = name.known && name.failures == 0;
  if (good ? name.began_ms >= newer_than_ms : now_ms < name.not_before_ms) {
    *answer = name.last;
    return Asked::kAnswered;
  }
  name.looking = true;
  name.began_ms = now_ms;
  name.waiting.push_back(id);
  return Asked::kBegin;
}

void NameTable::Leave(const std::string& host, uint64_t id) {
  const auto found = names_.find(host);
  if (found != names_.end()) std::erase(found->second.waiting, id);
}

std::vector<uint64_t> NameTable::End(const std::string& host, uint64_t now_ms,
                                     const NameAnswer& answer) {
  Name& name = names_[host];
  name.looking = false;
  name.known = true;
  name.last = answer;
  if (answer.addresses.empty()) {
    const uint32_t doublings = std::min(name.failures, 10u);
    name.not_before_ms = now_ms + std::min(kMaxBackOffMs, kBackOffMs << doublings);
    ++name.failures;
  } else {
    name.failures = 0;
    name.not_before_ms = 0;
  }
  return std::exchange(name.waiting, {});
}

uint64_t NameTable::LookingMs(const std::string& host, uint64_t now_ms) const {
  const auto found = names_.find(host);
  if (found == names_.end() || !found->second.looking) return 0;
  return std::max<uint64_t>(now_ms - found->second.began_ms, 1);
}

uint32_t NameTable::Failures(const std::string& host) const {
  const auto found = names_.find(host);
  return found == names_.end() ? 0 : found->second.failures;
}

void NameTable::Forget(uint64_t now_ms) {
  if (now_ms < next_forget_ms_) return;
  next_forget_ms_ = now_ms + kForgetMs / 4;
  std::erase_if(names_, [now_ms](const auto& entry) {
    return !entry.second.looking && now_ms >= entry.second.asked_ms + kForgetMs;
  });
}

}  // namespace gemel
