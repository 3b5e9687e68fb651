#include "proxy/seen/slow_log.h"

#include <algorithm>
#include <utility>

#include "backend/resp/resp_writer.h"

namespace gemel {

void SlowLog::Add(Entry entry, size_t most, uint64_t others) {
  const std::lock_guard<std::mutex> lock(mutex_);
  entry.id = next_id_ + others;
  next_id_ = entry.id + 1;
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

void SlowLog::AppendSplitReply(size_t count, std::string* out) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  count = std::min(count, entries_.size());
  AppendArrayHeader(out, static_cast<int64_t>(count));
  for (size_t i = 0; i < count; ++i) {
    const Entry& entry = entries_[i];
    AppendMapHeader(out, 9);
    for (const auto& [name, value] : {std::pair<std::string_view, uint64_t>{"id", entry.id},
                                      {"time", static_cast<uint64_t>(entry.unix_s)},
                                      {"took_us", entry.took_us},
                                      {"in_gemel_us", entry.split.gemel_us},
                                      {"on_the_wire_us", entry.split.wire_us},
                                      {"at_the_node_us", entry.split.node_us}}) {
      AppendBulk(out, name);
      AppendInteger(out, static_cast<int64_t>(value));
    }
    AppendBulk(out, "client");
    AppendBulk(out, entry.peer);
    AppendBulk(out, "name");
    AppendBulk(out, entry.name);
    AppendBulk(out, "command");
    *out += entry.args;
  }
}

}  // namespace gemel
