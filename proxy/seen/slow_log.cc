#include "proxy/seen/slow_log.h"

#include <algorithm>
#include <utility>

#include "backend/resp/resp_writer.h"

namespace gemel {

void SlowLog::Add(Entry entry, size_t most) {
  const std::lock_guard<std::mutex> lock(mutex_);
  entry.id = next_id_++;
  entries_.push_front(std::move(entry));
  while (entries_.size() > most) entries_.pop_back();
}

size_t SlowLog::size() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return entries_.size();
}

void SlowLog::Reset() {
  const std::lock_guard<std::mutex> lock(mutex_);
  entries_.clear();
}

void SlowLog::AppendReply(size_t count, std::string* out) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  count = std::min(count, entries_.size());
  AppendArrayHeader(out, static_cast<int64_t>(count));
  for (size_t i = 0; i < count; ++i) {
    const Entry& entry = entries_[i];
    AppendArrayHeader(out, 6);
    AppendInteger(out, static_cast<int64_t>(entry.id));
    AppendInteger(out, entry.unix_s);
    AppendInteger(out, static_cast<int64_t>(entry.took_us));
    *out += entry.args;
    AppendBulk(out, entry.peer);
    AppendBulk(out, entry.name);
  }
}

}  // namespace gemel
