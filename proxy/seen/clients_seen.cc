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
  SetSlow();
  log_most_ = config.slowlog.max_len;
  tracking_ = config.latency.tracking;
}

// What is traced is all that comes: it goes the way of what took long.
void ClientsSeen::SetSlow() {
  slow_from_us_ = tracer_.looks() ? 0 : std::min(log_from_us_, latency_from_us_);
}

void ClientsSeen::Trace(const CommandRow& row, const std::string& args, uint64_t took_us,
                        const TimeSplit& split, const Who& who) {
  const bool fixed = row.key_rule == KeyRule::kRange && row.first_key > 0;
  const uint32_t key_place = fixed ? static_cast<uint32_t>(row.first_key) : 0;
  if (!tracer_.Look({UnixUs(), std::string(who.peer), args, took_us, split, key_place})) SetSlow();
}

// Besides Redis's events the parts of what took long, each where it is long itself.
void ClientsSeen::NoteLatency(const CommandRow& row, uint64_t took_us, const TimeSplit& split) {
  if (took_us < latency_from_us_) return;
  const int64_t unix_s = UnixUs() / 1000000;
  const auto note = [&](std::string_view event, uint64_t us) {
    if (us >= latency_from_us_) shared_.latency->Add(event, us / 1000, unix_s);
  };
  note((row.flags & kCmdFast) != 0 ? "fast-command" : "command", took_us);
  note("in-gemel", split.gemel_us);
  note("on-the-wire", split.wire_us);
  note("at-the-node", split.node_us);
}

void ClientsSeen::NoteSlowArgs(const CommandRow& row, uint64_t took_us, std::string args,
                               const Who& who, const AwayTime& away) {
  const TimeSplit split = SplitTime(took_us, away);
  if (tracer_.looks() && (row.flags & kCmdAdmin) == 0) Trace(row, args, took_us, split, who);
  NoteLatency(row, took_us, split);
  if (took_us < log_from_us_ || (row.flags & kCmdSkipSlowlog) != 0) return;
  if (!log_room_.Has(1)) {
    ++not_logged_;
    return;
  }
  log_room_.Take(1);
  SlowLog::Entry entry;
  entry.unix_s = UnixUs() / 1000000;
  entry.took_us = took_us;
  entry.split = split;
  entry.args = std::move(args);
  entry.peer = who.peer;
  entry.name = who.name;
  shared_.slow_log->Add(std::move(entry), log_most_, std::exchange(not_logged_, 0));
}

void ClientsSeen::Reset() {
  commands_.Reset();
  errors_.Reset();
}

}  // namespace gemel
