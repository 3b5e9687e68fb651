// What became of each command of a worker's clients: INFO commandstats and latencystats, LATENCY
// HISTOGRAM. The worker writes, any thread may read.

#ifndef GEMEL_PROXY_SEEN_COMMAND_STATS_H_
#define GEMEL_PROXY_SEEN_COMMAND_STATS_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "backend/command/command_table.h"
#include "proxy/dispatch/stats.h"
#include "proxy/seen/latency_histogram.h"

namespace gemel {

class CommandStats {
 public:
  // Of rows of this table, which outlives it.
  explicit CommandStats(const CommandTable& table);
  ~CommandStats();
  CommandStats(const CommandStats&) = delete;
  CommandStats& operator=(const CommandStats&) = delete;

  // One was carried out and answered after so long. `tracking`: it counts in the histogram.
  void Add(const CommandRow& row, uint64_t took_us, bool tracking) {
    Entry& entry = Of(row);
    entry.calls.Add(1);
    entry.us.Add(took_us);
    if (!tracking) return;
    LatencyHistogram* histogram = entry.histogram.load(std::memory_order_relaxed);
    if (histogram == nullptr) [[unlikely]]
      histogram = MakeHistogram(&entry);
    if (histogram != nullptr) [[likely]]
      histogram->Add(took_us);
  }
  // One that was carried out was answered with an error; one was refused before it was carried out.
  void AddFailed(const CommandRow& row) { Of(row).failed.Add(1); }
  void AddRejected(const CommandRow& row) { Of(row).rejected.Add(1); }
  // The worker's.
  void Reset();

  struct Counts {
    uint64_t calls = 0;
    uint64_t us = 0;
    uint64_t rejected = 0;
    uint64_t failed = 0;
    bool any() const { return calls + rejected + failed > 0; }
  };
  Counts CountsOf(const CommandRow& row) const;
  // Null: there is none.
  const LatencyHistogram* HistogramOf(const CommandRow& row) const {
    return entries_[static_cast<size_t>(&row - first_)].histogram.load(std::memory_order_acquire);
  }

 private:
  struct Entry {
    Counter calls;
    Counter us;
    Counter rejected;
    Counter failed;
    std::atomic<LatencyHistogram*> histogram{nullptr};
  };
  Entry& Of(const CommandRow& row) { return entries_[static_cast<size_t>(&row - first_)]; }
  // Null where there is no memory.
  [[gnu::noinline]] LatencyHistogram* MakeHistogram(Entry* entry);

  const CommandRow* first_;
  std::vector<Entry> entries_;
  std::vector<std::unique_ptr<LatencyHistogram>> histograms_;
};

// The sums over workers, whose tables are one.
CommandStats::Counts CountsOf(std::span<const CommandStats* const> workers, const CommandRow& row);
LatencySum LatencyOf(std::span<const CommandStats* const> workers, const CommandRow& row);

}  // namespace gemel

#endif  // GEMEL_PROXY_SEEN_COMMAND_STATS_H_
