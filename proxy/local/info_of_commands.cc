// INFO commandstats, errorstats, latencystats: what the clients saw (proxy/seen).

#include <cstdio>
#include <map>

#include "config/percentiles.h"
#include "proxy/local/info_text.h"
#include "proxy/seen/clients_seen.h"

namespace gemel {

namespace {

std::vector<const CommandStats*> CommandStatsOf(const InfoSources& from) {
  std::vector<const CommandStats*> stats;
  for (const ClientsSeen* worker : from.process.seen) stats.push_back(&worker->commands());
  return stats;
}

// What would end a field or a line, as Redis replaces it.
std::string SafeName(std::string_view name) {
  std::string safe(name);
  for (char& c : safe) {
    if (c == '#' || c == ':' || c == '\n' || c == '\r') c = '_';
  }
  return safe;
}

}  // namespace

void AppendCommandStats(const InfoSources& from, std::string* out) {
  const std::vector<const CommandStats*> stats = CommandStatsOf(from);
  for (const CommandRow& row : from.table.rows()) {
    const CommandStats::Counts counts = CountsOf(stats, row);
    if (!counts.any()) continue;
    const double each =
        counts.calls == 0 ? 0 : static_cast<double>(counts.us) / static_cast<double>(counts.calls);
    *out += "cmdstat_" + SafeName(row.name) + ":calls=" + std::to_string(counts.calls) +
            ",usec=" + std::to_string(counts.us) + ",usec_per_call=" + TwoDigits(each) +
            ",rejected_calls=" + std::to_string(counts.rejected) +
            ",failed_calls=" + std::to_string(counts.failed) + "\r\n";
  }
}

void AppendErrorStats(const InfoSources& from, std::string* out) {
  std::map<std::string, uint64_t> sums;
  for (const ClientsSeen* worker : from.process.seen) worker->errors().AddTo(&sums);
  for (const auto& [prefix, count] : sums) {
    *out += "errorstat_" + SafeName(prefix) + ":count=" + std::to_string(count) + "\r\n";
  }
}

void AppendLatencyStats(const InfoSources& from, std::string* out) {
  if (!from.pool.latency.tracking) return;
  std::vector<double> percentiles;
  ReadPercentiles(from.pool.latency.percentiles, &percentiles);
  const std::vector<const CommandStats*> stats = CommandStatsOf(from);
  for (const CommandRow& row : from.table.rows()) {
    const LatencySum latency = LatencyOf(stats, row);
    if (latency.total() == 0) continue;
    *out += "latency_percentiles_usec_" + SafeName(row.name) + ":";
    for (size_t i = 0; i < percentiles.size(); ++i) {
      char value[64];
      std::snprintf(value, sizeof(value), "%s=%.3f", PercentileName(percentiles[i]).c_str(),
                    static_cast<double>(latency.At(percentiles[i])));
      *out += i > 0 ? ",p" : "p";
      *out += value;
    }
    *out += "\r\n";
  }
}

uint64_t TotalErrors(const InfoSources& from) {
  uint64_t total = 0;
  for (const ClientsSeen* worker : from.process.seen) total += worker->errors().total();
  return total;
}

}  // namespace gemel
