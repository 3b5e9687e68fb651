#include "proxy/metrics/metrics_page.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <map>
#include <utility>
#include <vector>

#include "backend/bytes/printable.h"
#include "backend/figures/metric_name.h"
#include "backend/resync/resync_board.h"
#include "proxy/local/info_text.h"
#include "proxy/metrics/metrics_text.h"
#include "proxy/seen/clients_seen.h"

namespace gemel {

namespace {

constexpr std::string_view kHead = "gemel_";

struct Page {
  const ProcessInfo& process;
  std::span<const WorkerReadings> workers;
  const Config& config;
  const Pool& pool;
  std::string pool_label;
  MetricsText text;

  std::string Labels(std::string_view name, std::string_view value) const {
    return pool_label + "," + LabelsOf({{name, value}});
  }
};

void AppendValue(MetricsText* text, const MetricName& name, std::string_view labels,
                 uint64_t value) {
  if (name.unit == 1) {
    text->Sample(labels, value);
  } else {
    text->Sample(labels, static_cast<double>(value) * name.unit);
  }
}

// Numbers of many things of one kind, that have about the same ones in about the same order.
struct Numbered {
  std::string labels;
  const std::vector<FigureReading>* numbers;
};

// The same numbers by family. A page goes through one family after the other, and the readings, in
// which each thing's numbers lie together, do not fit into a cache: they are gone through once.
class NumberTable {
 public:
  explicit NumberTable(const std::vector<Numbered>& things) : things_(things.size()) {
    for (size_t thing = 0; thing < things.size(); ++thing) {
      const std::vector<FigureReading>& numbers = *things[thing].numbers;
      for (size_t i = 0; i < numbers.size(); ++i) {
        rows_[PlaceOf(numbers[i], i)].cells[thing] = {numbers[i].value, true};
      }
    }
  }

  struct Cell {
    uint64_t value = 0;
    bool there = false;
  };
  struct Row {
    FigureReading family;
    std::vector<Cell> cells;  // by thing
  };
  const std::vector<Row>& rows() const { return rows_; }

 private:
  // `guess`: where it is if this thing has the numbers that all have.
  size_t PlaceOf(const FigureReading& number, size_t guess) {
    if (guess < rows_.size() && rows_[guess].family.name == number.name) return guess;
    const auto found = std::find_if(rows_.begin(), rows_.end(),
                                    [&](const Row& row) { return row.family.name == number.name; });
    if (found != rows_.end()) return static_cast<size_t>(found - rows_.begin());
    rows_.push_back({number, std::vector<Cell>(things_)});
    return rows_.size() - 1;
  }

  const size_t things_;
  std::vector<Row> rows_;
};

void AppendNumbers(Page* page, const std::string& head, const std::vector<Numbered>& things) {
  const NumberTable table(things);
  for (const NumberTable::Row& row : table.rows()) {
    const FigureReading& family = row.family;
    const MetricName name = MetricNameOf(head, family.name, family.type);
    if (name.name.empty()) continue;
    page->text.Begin(name.name, family.help, family.type);
    for (size_t thing = 0; thing < things.size() && !page->text.unwanted(); ++thing) {
      const NumberTable::Cell& cell = row.cells[thing];
      if (cell.there) AppendValue(&page->text, name, things[thing].labels, cell.value);
    }
  }
}

void AppendProcess(Page* page) {
  page->text.Begin("gemel_build_info", "The version that runs", FigureType::kGauge);
  page->text.Sample(LabelsOf({{"version", page->process.version}}), uint64_t{1});
  const InfoSources sources{page->process, page->config, page->pool.config(), page->pool.table()};
  ForEachInfoMetric(sources, [page](const InfoMetric& metric) {
    MetricName name = MetricNameOf(kHead, metric.name, metric.type);
    page->text.Begin(name.name, metric.help, metric.type);
    if (name.unit == 1) {
      page->text.SampleText({}, metric.value);
    } else {
      page->text.Sample({}, std::stod(metric.value) * name.unit);
    }
  });
  ForEachFigure(page->process.stats, [page](const FigureSample& sample) {
    if (sample.of_shards) return;  // each shard tells its own
    const MetricName name = MetricNameOf(kHead, sample.info.name, sample.type);
    if (name.name.empty()) return;
    page->text.Begin(name.name, sample.help, sample.type);
    AppendValue(&page->text, name, page->pool_label, sample.value);
  });
  uint64_t in_flight = 0;
  for (const WorkerReadings& worker : page->workers) in_flight += worker.in_flight;
  page->text.Begin("gemel_requests_in_flight", "Requests that shards have not answered",
                   FigureType::kGauge);
  page->text.Sample(page->pool_label, in_flight);
}

void AppendLimits(Page* page) {
  const LimitsConfig& limits = page->pool.config().limits;
  const struct {
    std::string_view name;
    std::string_view help;
    uint64_t value;
  } kLimits[] = {
      {"gemel_node_pending_limit", "[limits] node_pending, of gemel_node_pending",
       limits.node_pending},
      {"gemel_node_pending_limit_bytes", "[limits] node_pending_bytes, of gemel_node_pending_bytes",
       limits.node_pending_bytes},
      {"gemel_shard_held_limit", "[limits] shard_held, of gemel_shard_held", limits.shard_held},
      {"gemel_client_pending_limit", "[limits] client_pending: requests of one client",
       limits.client_pending},
      {"gemel_client_output_limit_bytes", "[limits] client_output: replies of one client",
       limits.client_output},
      {"gemel_tracked_keys_limit", "[limits] tracking_table_max_keys, of gemel_tracked_keys",
       limits.tracking_table_max_keys},
      {"gemel_cached_scripts_limit_bytes", "[limits] scripts, of gemel_cached_scripts_bytes",
       limits.scripts},
  };
  for (const auto& limit : kLimits) {
    page->text.Begin(limit.name, limit.help, FigureType::kGauge);
    page->text.Sample(page->pool_label, limit.value);
  }
}

void AppendErrors(Page* page) {
  std::map<std::string, uint64_t> sums;
  for (const ClientsSeen* worker : page->process.seen) worker->errors().AddTo(&sums);
  page->text.Begin("gemel_error_replies_total", "Errors that clients were told, by kind",
                   FigureType::kCounter);
  for (const auto& [kind, count] : sums) {
    page->text.Sample(page->Labels("kind", Printable(kind)), count);
  }
}

void AppendCommands(Page* page) {
  std::vector<const CommandStats*> stats;
  for (const ClientsSeen* worker : page->process.seen) stats.push_back(&worker->commands());
  struct Called {
    const CommandRow* row;
    std::string labels;
    CommandStats::Counts counts;
  };
  std::vector<Called> called;
  for (const CommandRow& row : page->pool.table().rows()) {
    const CommandStats::Counts counts = CountsOf(stats, row);
    if (counts.any()) called.push_back({&row, page->Labels("command", row.name), counts});
  }
  const struct {
    std::string_view name;
    std::string_view help;
    uint64_t CommandStats::Counts::*count;
  } kCounts[] = {
      {"gemel_command_calls_total", "Commands that were carried out", &CommandStats::Counts::calls},
      {"gemel_command_failed_total", "Of these, answered with an error",
       &CommandStats::Counts::failed},
      {"gemel_command_rejected_total", "Commands that were refused before they were carried out",
       &CommandStats::Counts::rejected},
  };
  for (const auto& count : kCounts) {
    page->text.Begin(count.name, count.help, FigureType::kCounter);
    for (const Called& one : called) page->text.Sample(one.labels, one.counts.*count.count);
  }
  std::array<uint64_t, LatencyBuckets::kBounds> bounds;
  for (size_t i = 0; i < bounds.size(); ++i) bounds[i] = LatencyBuckets::BoundUs(i);
  page->text.Begin("gemel_command_duration_seconds",
                   "From when a command was read until its answer was complete, as clients saw it "
                   "([latency] tracking)",
                   "histogram");
  for (const Called& one : called) {
    const LatencySum sum = LatencyOf(stats, *one.row);
    if (sum.total() == 0) continue;
    page->text.Histogram(one.labels, sum.UpToEach(bounds), sum.total(),
                         static_cast<double>(one.counts.us) / 1e6);
  }
}

// What the clients of all workers saw of a slot.
ShardSeen SeenOf(const Page& page, uint32_t slot) {
  ShardSeen sum;
  for (const WorkerReadings& worker : page.workers) {
    if (slot >= worker.seen.size()) continue;
    sum.times.Add(worker.seen[slot].times);
    for (const auto& [kind, count] : worker.seen[slot].errors) sum.errors[kind] += count;
  }
  return sum;
}

void AppendSeenOfShards(Page* page) {
  std::vector<std::pair<std::string, ShardSeen>> seen;
  for (const PoolShard& shard : page->pool.shards()) {
    seen.emplace_back(page->Labels("shard", shard.name), SeenOf(*page, shard.slot));
  }
  page->text.Begin("gemel_shard_duration_seconds",
                   "From when a request to one shard was read until its answer was complete, as "
                   "clients saw it",
                   "histogram");
  for (const auto& [labels, shard] : seen) page->text.Histogram(labels, shard.times);
  page->text.Begin("gemel_shard_error_replies_total",
                   "Errors that clients were told of requests to one shard, by kind",
                   FigureType::kCounter);
  for (const auto& [labels, shard] : seen) {
    for (const auto& [kind, count] : shard.errors) {
      page->text.Sample(labels + "," + LabelsOf({{"kind", Printable(kind)}}), count);
    }
  }
}

void AppendUsers(Page* page) {
  UserSeenMap users;
  for (const WorkerReadings& worker : page->workers) {
    for (const auto& [name, seen] : worker.users) {
      UserSeen& sum = users[name];
      sum.failed += seen.failed;
      sum.reply_bytes += seen.reply_bytes;
      sum.clients += seen.clients;
      sum.times.Add(seen.times);
    }
  }
  std::vector<std::pair<std::string, const UserSeen*>> all;
  for (const auto& [name, seen] : users) {
    all.emplace_back(page->Labels("user", Printable(name)), &seen);
  }
  page->text.Begin("gemel_user_connected_clients", "Clients that are that user now",
                   FigureType::kGauge);
  for (const auto& [labels, seen] : all) page->text.Sample(labels, seen->clients);
  page->text.Begin("gemel_user_failed_total", "Commands of that user answered with an error",
                   FigureType::kCounter);
  for (const auto& [labels, seen] : all) page->text.Sample(labels, seen->failed);
  page->text.Begin("gemel_user_reply_bytes_total", "Bytes of answers to that user",
                   FigureType::kCounter);
  for (const auto& [labels, seen] : all) page->text.Sample(labels, seen->reply_bytes);
  page->text.Begin("gemel_user_duration_seconds",
                   "From when a command of that user was read until its answer was complete",
                   "histogram");
  for (const auto& [labels, seen] : all) page->text.Histogram(labels, seen->times);
}

void AppendShards(Page* page) {
  std::vector<Numbered> shards;
  std::vector<Numbered> nodes;
  std::vector<std::pair<size_t, const LatencyBuckets*>> answers;
  for (const WorkerReadings& worker : page->workers) {
    for (const ShardReadings& shard : worker.shards) {
      shards.push_back({page->Labels("shard", shard.name), &shard.numbers});
      for (const NodeReadings& node : shard.nodes) {
        answers.emplace_back(nodes.size(), &node.answers);
        nodes.push_back({shards.back().labels + "," + LabelsOf({{"node", Printable(node.address)}}),
                         &node.numbers});
      }
    }
  }
  AppendNumbers(page, "gemel_shard_", shards);
  AppendNumbers(page, "gemel_node_", nodes);
  page->text.Begin("gemel_node_duration_seconds",
                   "From when a command was sent to the node until its answer came", "histogram");
  for (const auto& [place, times] : answers) {
    page->text.Histogram(nodes[place].labels, *times);
  }
}

void AppendResyncs(Page* page) {
  if (page->process.resyncs == nullptr) return;
  std::vector<std::pair<std::string, ResyncProgress>> running;
  for (const ResyncBoard::Running& resync : page->process.resyncs->running()) {
    running.emplace_back(
        page->Labels("shard", resync.shard) + "," + LabelsOf({{"node", Printable(resync.copy)}}),
        resync.progress);
  }
  page->text.Begin("gemel_resync_progress_ratio",
                   "How much of its phase a resync has done; without a sample: not known",
                   FigureType::kGauge);
  for (const auto& [labels, progress] : running) {
    if (progress.percent >= 0) page->text.Sample(labels, progress.percent / 100.0);
  }
  page->text.Begin("gemel_resync_copied_bytes", "Bytes of a phase of a resync that are copied",
                   FigureType::kGauge);
  for (const auto& [labels, progress] : running) {
    if (!progress.keys) page->text.Sample(labels, static_cast<uint64_t>(progress.bytes));
  }
  page->text.Begin("gemel_resync_copied_keys", "Keys that a resync key by key has copied",
                   FigureType::kGauge);
  for (const auto& [labels, progress] : running) {
    if (progress.keys) page->text.Sample(labels, static_cast<uint64_t>(progress.bytes));
  }
  page->text.Begin("gemel_resync_left_seconds", "Until the phase of a resync ends, as it seems",
                   FigureType::kGauge);
  for (const auto& [labels, progress] : running) {
    if (progress.left_s >= 0) page->text.Sample(labels, static_cast<uint64_t>(progress.left_s));
  }
}

}  // namespace

void WriteMetricsPage(const ProcessInfo& process, std::span<const WorkerReadings> workers,
                      const PageSink& sink) {
  const WorkerReadings& first = workers[0];
  Page page{process,
            workers,
            *first.config,
            *first.pool,
            LabelsOf({{"pool", first.pool->config().name}}),
            MetricsText(sink)};
  AppendProcess(&page);
  AppendLimits(&page);
  AppendErrors(&page);
  AppendCommands(&page);
  AppendUsers(&page);
  AppendSeenOfShards(&page);
  AppendShards(&page);
  AppendResyncs(&page);
  page.text.Finish();
}

}  // namespace gemel
