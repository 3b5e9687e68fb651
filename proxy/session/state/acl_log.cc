#include "proxy/session/state/acl_log.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "backend/resp/resp_writer.h"

namespace gemel {

namespace {

constexpr int64_t kSameForMs = 60000;
constexpr int kLookedAt = 10;

bool IsLike(const AclLog::Entry& a, const AclLog::Entry& b) {
  return a.reason == b.reason && a.context == b.context && a.object == b.object &&
         a.user == b.user && std::abs(a.unix_ms - b.unix_ms) <= kSameForMs;
}

}  // namespace

void AclLog::Add(Entry entry) {
  entry.object.resize(std::min(entry.object.size(), kMostText));
  entry.user.resize(std::min(entry.user.size(), kMostText));
  const std::lock_guard<std::mutex> lock(mutex_);
  int looked_at = 0;
  for (auto known = entries_.begin(); known != entries_.end() && looked_at < kLookedAt;
       ++known, ++looked_at) {
    if (!IsLike(*known, entry)) continue;
    known->client = std::move(entry.client);
    known->unix_ms = entry.unix_ms;
    ++known->count;
    entries_.splice(entries_.begin(), entries_, known);
    return;
  }
  entries_.push_front(std::move(entry));
  if (entries_.size() > kMost) entries_.pop_back();
}

void AclLog::Reset() {
  const std::lock_guard<std::mutex> lock(mutex_);
  entries_.clear();
}

void AclLog::AppendReply(size_t count, int64_t unix_ms, std::string* out) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  count = std::min(count, entries_.size());
  AppendArrayHeader(out, static_cast<int64_t>(count));
  for (const Entry& entry : entries_) {
    if (count-- == 0) break;
    AppendMapHeader(out, 7);
    AppendBulk(out, "count");
    AppendInteger(out, static_cast<int64_t>(entry.count));
    const std::pair<std::string_view, std::string_view> texts[] = {{"reason", entry.reason},
                                                                   {"context", entry.context},
                                                                   {"object", entry.object},
                                                                   {"username", entry.user}};
    for (const auto& [name, value] : texts) {
      AppendBulk(out, name);
      AppendBulk(out, value);
    }
    AppendBulk(out, "age-seconds");
    char age[40];
    const double age_s = static_cast<double>(unix_ms - entry.unix_ms) / 1000;
    std::snprintf(age, sizeof age, ",%.17g\r\n", age_s);
    *out += age;
    AppendBulk(out, "client-info");
    AppendBulk(out, entry.client);
  }
}

}  // namespace gemel
