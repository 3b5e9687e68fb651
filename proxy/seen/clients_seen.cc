#include "proxy/seen/clients_seen.h"

#include <algorithm>
#include <new>
#include <utility>

namespace gemel {

void ClientsSeen::SetOptions(const PoolConfig& config) {
  const int64_t log_us = config.slowlog.log_slower_than;
  log_from_us_ = log_us < 0 ? kNever : static_cast<uint64_t>(log_us);
  const uint64_t latency_ms = config.latency.monitor_threshold;
  latency_from_us_ = latency_ms == 0 ? kNever : latency_ms * 1000;
  slow_from_us_ = std::min(log_from_us_, latency_from_us_);
  log_most_ = config.slowlog.max_len;
  tracking_ = config.latency.tracking;
}

// Where there is no memory it is not noted: the client has its answer all the same.
void ClientsSeen::NoteSlow(const CommandRow& row, uint64_t took_us, std::string args,
                           const Who& who) try {
  const int64_t unix_s = UnixUs() / 1000000;
  if (took_us >= latency_from_us_) {
    shared_.latency->Add((row.flags & kCmdFast) != 0 ? "fast-command" : "command", took_us / 1000,
                         unix_s);
  }
  if (took_us < log_from_us_ || (row.flags & kCmdSkipSlowlog) != 0) return;
  SlowLog::Entry entry;
  entry.unix_s = unix_s;
  entry.took_us = took_us;
  entry.args = std::move(args);
  entry.peer = who.peer;
  entry.name = who.name;
  shared_.slow_log->Add(std::move(entry), log_most_);
} catch (const std::bad_alloc&) {
}

void ClientsSeen::Reset() {
  commands_.Reset();
  errors_.Reset();
}

}  // namespace gemel
