// Source: latency.c of Redis 7.0.

#include "proxy/seen/latency_report.h"

#include <algorithm>
#include <cstdio>

#include "proxy/seen/sparkline.h"

namespace gemel {

namespace {

constexpr size_t kGraphColumns = 80;

struct LatencyMeans {
  uint64_t average = 0;
  uint64_t deviation = 0;
  int64_t period_s = 1;
};

LatencyMeans MeansOf(const LatencySeries& series, int64_t now_s) {
  LatencyMeans means;
  const auto count = static_cast<uint64_t>(series.samples.size());
  uint64_t sum = 0;
  for (const LatencySample& sample : series.samples) sum += sample.ms;
  means.average = sum / count;
  sum = 0;
  for (const LatencySample& sample : series.samples) {
    sum += std::max(means.average, sample.ms) - std::min(means.average, sample.ms);
  }
  means.deviation = sum / count;
  means.period_s = std::max<int64_t>(now_s - series.samples.front().unix_s, 1);
  return means;
}

std::string Line(size_t number, const LatencySeries& series, int64_t now_s) {
  const LatencyMeans means = MeansOf(series, now_s);
  char text[256];
  std::snprintf(text, sizeof(text),
                "%d. %s: %d latency spikes (average %lums, mean deviation %lums, period %.2f sec). "
                "Worst all time event %lums.\n",
                static_cast<int>(number), series.event.c_str(),
                static_cast<int>(series.samples.size()), static_cast<unsigned long>(means.average),
                static_cast<unsigned long>(means.deviation),
                static_cast<double>(means.period_s) / static_cast<double>(series.samples.size()),
                static_cast<unsigned long>(series.max_ms));
  return text;
}

// What stands in the node's way, or in gemel's, is advised of in Redis's words.
std::string AdviceOnCommands(const PoolConfig& config) {
  const std::string set = "'CONFIG SET slowlog-log-slower-than " +
                          std::to_string(uint64_t{config.latency.monitor_threshold} * 1000) + "'.";
  std::string advice;
  if (config.slowlog.log_slower_than < 0) {
    advice =
        "- There are latency issues with potentially slow commands you are using. Try to enable "
        "the Slow Log Redis feature using the command " +
        set +
        " If the Slow log is disabled Redis is not able to log slow commands execution for you.\n";
  } else if (config.slowlog.log_slower_than / 1000 > int64_t{config.latency.monitor_threshold}) {
    advice =
        "- Your current Slow Log configuration only logs events that are slower than your "
        "configured latency monitor threshold. Please use " +
        set + "\n";
  }
  return advice +
         "- Check your Slow Log to understand what are the commands you are running which are too "
         "slow to execute. Please check https://redis.io/commands/slowlog for more "
         "information.\n";
}

constexpr std::string_view kAdviceOnScheduling =
    "- The system is slow to execute Redis code paths not containing system calls. This usually "
    "means the system does not provide Redis CPU time to run for long periods. You should try to:\n"
    "  1) Lower the system load.\n"
    "  2) Use a computer / VM just for Redis if you are running other software in the same "
    "system.\n"
    "  3) Check if you have a \"noisy neighbour\" problem.\n"
    "  4) Check with 'redis-cli --intrinsic-latency 100' what is the intrinsic latency in your "
    "system.\n"
    "  5) Check if the problem is allocator-related by recompiling Redis with MALLOC=libc, if you "
    "are using Jemalloc. However this may create fragmentation problems.\n";

constexpr std::string_view kAdviceOnLargeObjects =
    "- Deleting, expiring or evicting (because of maxmemory policy) large objects is a blocking "
    "operation. If you have very large objects that are often deleted, expired, or evicted, try "
    "to fragment those objects into multiple smaller objects.\n";

// "4s", "3m", "2h", "1d": so long ago.
std::string Ago(int64_t elapsed_s) {
  if (elapsed_s < 60) return std::to_string(elapsed_s) + "s";
  if (elapsed_s < 3600) return std::to_string(elapsed_s / 60) + "m";
  if (elapsed_s < 86400) return std::to_string(elapsed_s / 3600) + "h";
  return std::to_string(elapsed_s / 86400) + "d";
}

}  // namespace

std::string LatencyReport(const std::vector<LatencySeries>& events, const PoolConfig& config,
                          int64_t now_s) {
  if (events.empty()) {
    return config.latency.monitor_threshold == 0
               ? "I'm sorry, Dave, I can't do that. Latency monitoring is disabled in this Redis "
                 "instance. You may use \"CONFIG SET latency-monitor-threshold <milliseconds>.\" "
                 "in "
                 "order to enable it. If we weren't in a deep space mission I'd suggest to take a "
                 "look at https://redis.io/topics/latency-monitor.\n"
               : "Dave, no latency spike was observed during the lifetime of this Redis instance, "
                 "not in the slightest bit. I honestly think you ought to sit down calmly, take a "
                 "stress pill, and think things over.\n";
  }
  std::string report =
      "Dave, I have observed latency spikes in this Redis instance. You don't mind talking about "
      "it, do you Dave?\n\n";
  bool commands = false;
  bool fast = false;
  for (size_t i = 0; i < events.size(); ++i) {
    report += Line(i + 1, events[i], now_s);
    commands |= events[i].event == "command";
    fast |= events[i].event == "fast-command";
  }
  report += "\nI have a few advices for you:\n\n";
  if (commands) report += AdviceOnCommands(config);
  if (fast) report += kAdviceOnScheduling;
  if (commands) report += kAdviceOnLargeObjects;
  return report;
}

std::string LatencyGraph(const LatencySeries& series, int64_t now_s) {
  std::vector<SparkSample> samples;
  uint64_t low = series.samples.front().ms;
  uint64_t high = low;
  for (const LatencySample& sample : series.samples) {
    low = std::min(low, sample.ms);
    high = std::max(high, sample.ms);
    samples.push_back({static_cast<double>(sample.ms), Ago(now_s - sample.unix_s)});
  }
  std::string graph = series.event + " - high " + std::to_string(high) + " ms, low " +
                      std::to_string(low) + " ms (all time high " + std::to_string(series.max_ms) +
                      " ms)\n" + std::string(kGraphColumns, '-') + "\n";
  for (size_t begin = 0; begin < samples.size(); begin += kGraphColumns) {
    if (begin > 0) graph += "\n";
    const size_t count = std::min(kGraphColumns, samples.size() - begin);
    graph += Sparkline(std::span(samples).subspan(begin, count), static_cast<double>(low),
                       static_cast<double>(high));
  }
  return graph;
}

}  // namespace gemel
