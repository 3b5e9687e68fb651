// What a worker's clients saw of their commands: counted here, and noted where it took long.

#ifndef GEMEL_PROXY_SEEN_CLIENTS_SEEN_H_
#define GEMEL_PROXY_SEEN_CLIENTS_SEEN_H_

#include <cstdint>
#include <functional>
#include <new>
#include <string>
#include <string_view>
#include <utility>

#include "backend/command/command_table.h"
#include "backend/pace/token_bucket.h"
#include "config/config.h"
#include "proxy/seen/command_stats.h"
#include "proxy/seen/error_counts.h"
#include "proxy/seen/latency_events.h"
#include "proxy/seen/shards_seen.h"
#include "proxy/seen/slow_log.h"
#include "proxy/seen/time_split.h"
#include "proxy/seen/tracer.h"
#include "proxy/seen/users_seen.h"

namespace gemel {

// The worker writes; what its parts count any thread may read.
class ClientsSeen {
 public:
  // What all workers share; outlives it.
  struct Shared {
    SlowLog* slow_log = nullptr;
    LatencyEvents* latency = nullptr;
    std::function<int64_t()> unix_time_us;  // wall clock
    std::function<uint64_t()> clock_us;     // that only grows
    TraceDesk* traces = nullptr;            // may be null
  };
  // Who asked something that took long.
  struct Who {
    std::string_view peer;
    std::string_view name;
  };

  // `table`: of the pools; outlives it.
  ClientsSeen(Shared shared, const CommandTable& table)
      : shared_(std::move(shared)), tracer_(shared_.traces), commands_(table) {
    RefillLog(0);
  }

  void SetOptions(const PoolConfig& config);
  // To be called often. `commands`: how many there were in all.
  void OnTick(uint64_t now_ms, uint64_t commands) {
    RefillLog(now_ms);
    tracer_.set_commands(commands);
    if (tracer_.Tick()) SetSlow();
  }

  // --- what is asked for each command ---
  // Is it to be noted what took so long?
  bool IsSlow(uint64_t took_us) const { return took_us >= slow_from_us_; }
  // May the slow log want to know what was asked?
  bool keeps_args() const { return log_from_us_ != kNever || tracer_.looks(); }
  // Does anybody want to know what was asked that took long, or is it one of a flood?
  bool WantsSlowArgs() const { return log_room_.Has(1) || tracer_.looks(); }
  // One was carried out.
  void OnDone(const CommandRow& row, uint64_t took_us) { commands_.Add(row, took_us, tracking_); }

  // --- on the longer ways ---
  // It took long, `away` of it at a node. `show(&args)` appends what was asked, an array of RESP
  // (shown_args.h); it is not called where nobody wants to know. Where there is no memory it is not
  // noted: the client has its answer all the same.
  template <typename Show>
  void NoteSlow(const CommandRow& row, uint64_t took_us, const Who& who, const AwayTime& away,
                Show show) try {
    std::string args;
    if (WantsSlowArgs()) show(&args);
    NoteSlowArgs(row, took_us, std::move(args), who, away);
  } catch (const std::bad_alloc&) {
  }
  void OnRejected(const CommandRow& row) { commands_.AddRejected(row); }
  void OnFailed(const CommandRow& row) { commands_.AddFailed(row); }
  void OnError(std::string_view error) { errors_.Add(error); }
  // For what is over within the turn of a loop.
  uint64_t ClockUs() const { return shared_.clock_us(); }
  int64_t UnixUs() const { return shared_.unix_time_us(); }

  // Not for other threads.
  ShardsSeen& shards() { return shards_; }
  // Counts only while `shards` do.
  UsersSeen& users() { return users_; }

  const CommandStats& commands() const { return commands_; }
  const ErrorCounts& errors() const { return errors_; }
  // CONFIG RESETSTAT.
  void Reset();

 private:
  static constexpr uint64_t kNever = ~uint64_t{0};
  // So many go into the slow log a second, and the rest only takes its ids: where all are slow, as
  // behind a client that sends thousands at once, to note each would make all of them slower.
  static constexpr double kLogged = 10'000;

  void RefillLog(uint64_t now_ms) {
    log_room_.Refill(now_ms, kLogged, kLogged, ~uint64_t{0}, kLogged);
  }
  void SetSlow();
  void NoteSlowArgs(const CommandRow& row, uint64_t took_us, std::string args, const Who& who,
                    const AwayTime& away);
  void Trace(const CommandRow& row, const std::string& args, uint64_t took_us,
             const TimeSplit& split, const Who& who);
  void NoteLatency(const CommandRow& row, uint64_t took_us, const TimeSplit& split);

  Shared shared_;
  Tracer tracer_;
  uint64_t slow_from_us_ = kNever;  // the least of the next two; all, while they are traced
  uint64_t log_from_us_ = kNever;
  uint64_t latency_from_us_ = kNever;
  size_t log_most_ = 0;
  TokenBucket log_room_;
  uint64_t not_logged_ = 0;  // since the last that was
  bool tracking_ = true;
  CommandStats commands_;
  ErrorCounts errors_;
  ShardsSeen shards_;
  UsersSeen users_;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SEEN_CLIENTS_SEEN_H_
