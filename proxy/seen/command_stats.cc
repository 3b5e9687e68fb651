#include "proxy/seen/command_stats.h"

#include <new>

namespace gemel {

CommandStats::CommandStats(const CommandTable& table)
    : first_(table.rows().data()), entries_(table.rows().size()) {}

CommandStats::~CommandStats() = default;

LatencyHistogram* CommandStats::MakeHistogram(Entry* entry) {
  try {
    histograms_.push_back(std::make_unique<LatencyHistogram>());
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
  entry->histogram.store(histograms_.back().get(), std::memory_order_release);
  return histograms_.back().get();
}

// Who reads at the same time may hold the histograms: they stay.
void CommandStats::Reset() {
  for (Entry& entry : entries_) {
    for (Counter* counter : {&entry.calls, &entry.us, &entry.rejected, &entry.failed}) {
      counter->Set(0);
    }
  }
  for (const auto& histogram : histograms_) histogram->Reset();
}

CommandStats::Counts CommandStats::CountsOf(const CommandRow& row) const {
  const Entry& entry = entries_[static_cast<size_t>(&row - first_)];
  return {entry.calls.Get(), entry.us.Get(), entry.rejected.Get(), entry.failed.Get()};
}

CommandStats::Counts CountsOf(std::span<const CommandStats* const> workers, const CommandRow& row) {
  CommandStats::Counts sum;
  for (const CommandStats* worker : workers) {
    const CommandStats::Counts counts = worker->CountsOf(row);
    sum.calls += counts.calls;
    sum.us += counts.us;
    sum.rejected += counts.rejected;
    sum.failed += counts.failed;
  }
  return sum;
}

LatencySum LatencyOf(std::span<const CommandStats* const> workers, const CommandRow& row) {
  LatencySum sum;
  for (const CommandStats* worker : workers) {
    if (const LatencyHistogram* histogram = worker->HistogramOf(row)) sum.Add(*histogram);
  }
  return sum;
}

}  // namespace gemel
