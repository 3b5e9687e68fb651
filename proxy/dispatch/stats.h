// What a worker counts. One worker writes, any thread may read.

#ifndef GEMEL_PROXY_DISPATCH_STATS_H_
#define GEMEL_PROXY_DISPATCH_STATS_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <span>
#include <string_view>
#include <vector>

#include "backend/figures/figures.h"

namespace gemel {

class Counter;

// What is declared of a counter that an operator sees. All texts are literals.
struct CounterInfo {
  InfoPlace info;
  std::string_view help;
  FigureType type = FigureType::kCounter;
  bool largest = false;  // of several workers the largest counts, not the sum
};

// The counters of one thing, in the order in which they were declared.
class CounterList {
 public:
  struct Entry {
    CounterInfo info;
    const Counter* counter;
  };
  CounterList() = default;
  CounterList(const CounterList&) = delete;
  CounterList& operator=(const CounterList&) = delete;
  std::span<const Entry> counters() const { return counters_; }

 private:
  friend class Counter;
  std::vector<Entry> counters_;
};

// A number with one writer: no locked instruction is needed to add.
class Counter {
 public:
  Counter() = default;
  Counter(CounterList* list, const CounterInfo& info) { list->counters_.push_back({info, this}); }

  void Add(uint64_t value) {
    value_.store(value_.load(std::memory_order_relaxed) + value, std::memory_order_relaxed);
  }
  void Sub(uint64_t value) {
    value_.store(value_.load(std::memory_order_relaxed) - value, std::memory_order_relaxed);
  }
  void Set(uint64_t value) { value_.store(value, std::memory_order_relaxed); }
  uint64_t Get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

// Figures that INFO and whoever else lists them show: of all workers, or of all shards.
struct FigureSample {
  InfoPlace info = {};
  std::string_view help = {};
  FigureType type = FigureType::kCounter;
  uint64_t value = 0;
  bool of_shards = false;
};

// The sums over a worker's shards of what their figures say belongs into INFO. Any thread.
class ShardSums {
 public:
  void Set(std::vector<FigureSample> sums) {
    const std::lock_guard<std::mutex> lock(mutex_);
    sums_ = std::move(sums);
  }
  std::vector<FigureSample> Get() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return sums_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<FigureSample> sums_;
};

struct alignas(64) WorkerStats : CounterList {
  // Touched for each request.
  Counter commands{this, {{"stats", "total_commands_processed"}, "Commands read from clients"}};
  Counter input_bytes{this, {{"stats", "total_net_input_bytes"}, "Bytes read from clients"}};
  Counter output_bytes{this, {{"stats", "total_net_output_bytes"}, "Bytes sent to clients"}};

  Counter connections{this, {{"stats", "total_connections_received"}, "Clients accepted"}};
  Counter clients{this,
                  {{"clients", "connected_clients"}, "Clients connected now", FigureType::kGauge}};
  Counter blocked_clients{this,
                          {{"clients", "blocked_clients"},
                           "Clients that wait for keys, copies or the end of a CLIENT PAUSE",
                           FigureType::kGauge}};
  Counter rejected{this,
                   {{"stats", "rejected_connections"},
                    "Clients turned away at max_clients, or for want of files"}};
  Counter denied_auth{this, {{"stats", "acl_access_denied_auth"}, "Wrong users or passwords"}};
  Counter denied_cmd{this, {{"stats", "acl_access_denied_cmd"}, "Commands that users may not"}};
  Counter denied_key{this, {{"stats", "acl_access_denied_key"}, "Keys that users may not"}};
  Counter denied_channel{this,
                         {{"stats", "acl_access_denied_channel"}, "Channels that users may not"}};
  Counter user_pauses{
      this, {{"stats", "user_limit_pauses"}, "Commands that waited for the limits of a [[user]]"}};
  Counter denials{this,
                  {{"stats", "protected_mode_denials"}, "Clients turned away by protected mode"}};
  Counter cross_protocol{
      this, {{"stats", "cross_protocol_aborts"}, "Clients cut off for a browser's request"}};
  Counter protocol_errors{
      this, {{"stats", "client_protocol_errors"}, "Clients closed for what they sent"}};
  Counter tls_failures{
      this, {{"stats", "tls_failures"}, "Clients closed because TLS with them failed"}};
  Counter output_overruns{
      this, {{"stats", "client_output_overruns"}, "Clients closed for what they did not take"}};
  Counter paused_clients{
      this, {{"stats", "client_pauses"}, "Times a client was not read from, by back-pressure"}};
  Counter memory_closed{
      this,
      {{"memory", "buffered_closed_clients"}, "Clients closed because all together held too much"}};
  Counter replies_dropped{this,
                          {{"memory", "buffered_dropped_replies"},
                           "Replies of nodes dropped because all together held too much"}};
  Counter longest_turn_ms{this,
                          {{"stats", "longest_turn_ms"},
                           "Longest turn of an event loop in the last 10 to 11 seconds",
                           FigureType::kGauge,
                           /*largest=*/true}};

  Counter commands_rate{
      this,
      {{"stats", "instantaneous_ops_per_sec"}, "Commands a second, of late", FigureType::kGauge}};
  Counter input_rate;  // bytes a second, of late
  Counter output_rate;

  Counter beats;         // the loop turns
  Counter worst_holder;  // of workers for each other: bytes that the client or reply holds that
                         // holds the most, while that matters
  ShardSums shards;      // once a second

  // CONFIG RESETSTAT: what Redis resets. The worker's.
  void Reset() {
    for (Counter* counter : {&commands, &input_bytes, &output_bytes, &connections, &rejected,
                             &denied_auth, &denied_cmd, &denied_key, &denied_channel}) {
      counter->Set(0);
    }
  }
};

// Calls visit(sample) once for each figure of the process: what the workers declare, and the sums
// over all shards.
void ForEachFigure(std::span<const WorkerStats* const> workers,
                   const std::function<void(const FigureSample&)>& visit);

// Adds what a shard's figures say belongs into INFO. `sums` has the same order for all shards.
void AddShardFigures(const Figures& figures, std::vector<FigureSample>* sums);

}  // namespace gemel

#endif  // GEMEL_PROXY_DISPATCH_STATS_H_
