#include "proxy/local/info_text.h"

#include <algorithm>
#include <cstdio>

#include "backend/bytes/budget.h"
#include "backend/bytes/printable.h"
#include "backend/command/ascii.h"
#include "backend/resync/resync_board.h"
#include "backend/shard/tracking_totals.h"
#include "proxy/channels/channel_counts.h"
#include "proxy/dispatch/stats.h"
#include "proxy/log/event_log.h"
#include "proxy/reload/reload_status.h"
#include "proxy/scripts/script_cache.h"
#include "proxy/seen/monitor_feed.h"
#include "proxy/seen/slow_log.h"

namespace gemel {

namespace {

using From = const InfoSources&;

// A field that is made when it is asked for. Empty text from `text` is a value, too; where `there`
// is given and says no, the field is left out. One with a `help` is a number, and a metric.
struct Row {
  std::string_view section;
  std::string_view name;
  std::string (*text)(const InfoSources&);
  bool (*there)(const InfoSources&) = nullptr;
  std::string_view help = {};
  FigureType type = FigureType::kGauge;
  std::string_view metric = {};  // what the metric is called, if not after the field
};

constexpr FigureType kCounter = FigureType::kCounter;
constexpr FigureType kGauge = FigureType::kGauge;
bool Always(const InfoSources&) { return true; }

std::string Number(uint64_t value) { return std::to_string(value); }
std::string Zero(const InfoSources&) { return "0"; }

// Bytes a second as Redis shows them.
std::string Kbps(uint64_t bytes) { return TwoDigits(static_cast<double>(bytes) / 1024); }

uint64_t SumOf(From from, Counter WorkerStats::*counter) {
  uint64_t sum = 0;
  for (const WorkerStats* worker : from.process.stats) sum += (worker->*counter).Get();
  return sum;
}

std::string CpuTime(From from, double CpuTimes::*time) {
  char text[64];
  std::snprintf(text, sizeof(text), "%.6f", from.process.cpu_times().*time);
  return text;
}
bool Cpu(From from) { return from.process.cpu_times != nullptr; }

// Of a worker's own housekeeping.
constexpr uint64_t kTicksPerSecond = 50;

uint64_t UnixUs(From from) { return static_cast<uint64_t>(from.process.unix_time_us()); }

std::string Resident(const InfoSources& from) { return Number(from.process.resident_bytes()); }
std::string ResidentHuman(const InfoSources& from) {
  return HumanBytes(from.process.resident_bytes());
}
std::string Port(const InfoSources& from) {
  return Number(from.pool.listen.empty() ? 0 : from.pool.listen[0].port);
}
bool Reloads(const InfoSources& from) { return from.process.reloads != nullptr; }
bool Channels(const InfoSources& from) { return from.process.channels != nullptr; }
bool Tracks(const InfoSources& from) { return from.process.tracking != nullptr; }
bool Scripts(const InfoSources& from) { return from.process.scripts != nullptr; }
std::string LastReload(const InfoSources& from) {
  const int64_t tried_us = from.process.reloads->Get().tried_unix_us;
  return tried_us == 0 ? std::string() : IsoTime(tried_us);
}
bool Resyncs(const InfoSources& from) { return from.process.resyncs != nullptr; }

constexpr Row kRows[] = {
    {"server", "redis_version", [](From) { return std::string(kRedisVersion); }},
    {"server", "gemel_version", [](From from) { return from.process.version; }},
    {"server", "redis_mode", [](From from) { return std::string(ModeName(from.pool)); }},
    {"server", "redis_git_sha1", [](From) { return std::string("00000000"); }},
    {"server", "redis_git_dirty", Zero},
    {"server", "os", [](From from) { return from.process.os; }},
    {"server", "arch_bits", [](From) { return Number(8 * sizeof(void*)); }},
    {"server", "monotonic_clock", [](From) { return std::string("POSIX clock_gettime"); }},
    {"server", "process_supervised", [](From) { return std::string("no"); }},
    {"server", "multiplexing_api", [](From) { return std::string("libuv"); }},
    {"server", "process_id", [](From from) { return Number(from.process.pid); }},
    {"server", "run_id", [](From from) { return from.process.run_id; }},
    {"server", "tcp_port", Port},
    {"server", "uptime_in_seconds", [](From from) { return Number(from.process.uptime_s()); },
     Always, "Since the process began", kGauge, "uptime_seconds"},
    {"server", "uptime_in_days", [](From from) { return Number(from.process.uptime_s() / 86400); }},
    {"server", "server_time_usec", [](From from) { return Number(UnixUs(from)); }},
    {"server", "hz", [](From) { return Number(kTicksPerSecond); }},
    {"server", "configured_hz", [](From) { return Number(kTicksPerSecond); }},
    {"server", "lru_clock", [](From from) { return Number(UnixUs(from) / 1000000 % (1 << 24)); }},
    {"server", "executable", [](From from) { return from.process.executable; }},
    {"server", "config_file", [](From from) { return from.config.file; }},
    {"server", "io_threads_active", Zero},
    {"server", "workers", [](From from) { return Number(from.config.workers); }, Always,
     "Threads that serve clients"},
    {"reload", "config_loaded",
     [](From from) { return IsoTime(from.process.reloads->Get().loaded_unix_us); }, Reloads},
    {"reload", "reloads", [](From from) { return Number(from.process.reloads->Get().done); },
     Reloads, "Changes of the config that took effect", kCounter},
    {"reload", "reloads_refused",
     [](From from) { return Number(from.process.reloads->Get().refused); }, Reloads,
     "Changes of the config that were refused", kCounter},
    {"reload", "last_reload", LastReload, Reloads},
    {"reload", "last_reload_error", [](From from) { return from.process.reloads->Get().error; },
     Reloads},
    {"clients", "cluster_connections", Zero},
    {"clients", "monitoring_clients",
     [](From from) { return Number(from.process.watchers->count()); },
     [](From from) { return from.process.watchers != nullptr; }, "Clients that MONITOR"},
    {"clients", "maxclients", [](From from) { return Number(from.pool.limits.max_clients); },
     Always, "Clients that are served at most", kGauge, "connected_clients_limit"},
    {"clients", "tracking_clients",
     [](From from) { return Number(from.process.tracking->clients); }, Tracks,
     "Clients that track keys"},
    // Under Redis's names are the nodes'.
    {"memory", "proxy_used_memory", Resident, Always, "Memory of the process", kGauge,
     "resident_memory_bytes"},
    {"memory", "proxy_used_memory_human", ResidentHuman},
    // What is held for clients and nodes, and what may be.
    {"memory", "buffered_bytes", [](From) { return Number(Budget::Held()); }, Always,
     "Bytes held for clients and nodes"},
    {"memory", "buffered_limit", [](From) { return Number(Budget::limit()); }, Always,
     "Bytes that may be held for clients and nodes", kGauge, "buffered_limit_bytes"},
    {"memory", "number_of_cached_scripts",
     [](From from) { return Number(from.process.scripts->size()); }, Scripts,
     "Scripts kept for EVALSHA", kGauge, "cached_scripts"},
    {"memory", "used_memory_scripts",
     [](From from) { return Number(from.process.scripts->bytes()); }, Scripts,
     "Bytes of scripts kept for EVALSHA", kGauge, "cached_scripts_bytes"},
    {"memory", "used_memory_scripts_human",
     [](From from) { return HumanBytes(from.process.scripts->bytes()); }, Scripts},
    // The nodes' business; tools look whether it is loading. The roles, in state_dir, are ours.
    {"persistence", "loading", Zero},
    {"persistence", "async_loading", Zero},
    {"persistence", "log_lines_lost",
     [](From from) { return Number(from.process.lost_log_lines()); },
     [](From from) { return from.process.lost_log_lines != nullptr; },
     "Lines of the log that were lost", kCounter},
    {"persistence", "log_error", [](From from) { return from.process.log_error(); },
     [](From from) { return from.process.log_error != nullptr; }},
    {"stats", "pubsub_channels",
     [](From from) { return Number(from.process.channels->Different(ChannelKind::kChannel)); },
     Channels, "Channels that clients have subscribed to"},
    {"stats", "pubsub_patterns",
     [](From from) { return Number(from.process.channels->Different(ChannelKind::kPattern)); },
     Channels, "Patterns of channels that clients have subscribed to"},
    {"stats", "pubsubshard_channels",
     [](From from) { return Number(from.process.channels->Different(ChannelKind::kShardChannel)); },
     Channels, "Shard channels that clients have subscribed to"},
    {"stats", "tracking_total_keys", [](From from) { return Number(from.process.tracking->keys); },
     Tracks, "Keys that clients track", kGauge, "tracked_keys"},
    {"stats", "tracking_total_items",
     [](From from) { return Number(from.process.tracking->items); }, Tracks},
    {"stats", "tracking_total_prefixes",
     [](From from) { return Number(from.process.tracking->prefixes()); }, Tracks},
    {"stats", "instantaneous_input_kbps",
     [](From from) { return Kbps(SumOf(from, &WorkerStats::input_rate)); }},
    {"stats", "instantaneous_output_kbps",
     [](From from) { return Kbps(SumOf(from, &WorkerStats::output_rate)); }},
    {"stats", "total_error_replies", [](From from) { return Number(TotalErrors(from)); }},
    {"stats", "slowlog_length", [](From from) { return Number(from.process.slow_log->size()); },
     [](From from) { return from.process.slow_log != nullptr; }, "Commands in the slow log"},
    // As ROLE says: to its clients it is a master without replicas.
    {"replication", "role", [](From) { return std::string("master"); }},
    {"replication", "connected_slaves", Zero},
    {"replication", "master_failover_state", [](From) { return std::string("no-failover"); }},
    {"replication", "master_repl_offset", Zero},
    {"replication", "repl_backlog_active", Zero},
    {"replication", "repl_backlog_size", Zero},
    {"replication", "repl_backlog_first_byte_offset", Zero},
    {"replication", "repl_backlog_histlen", Zero},
    {"cpu", "used_cpu_sys", [](From from) { return CpuTime(from, &CpuTimes::system); }, Cpu,
     "Processor time in the kernel", kCounter, "cpu_system_seconds"},
    {"cpu", "used_cpu_user", [](From from) { return CpuTime(from, &CpuTimes::user); }, Cpu,
     "Processor time outside of it", kCounter, "cpu_user_seconds"},
    {"cpu", "used_cpu_sys_children",
     [](From from) { return CpuTime(from, &CpuTimes::children_system); }, Cpu},
    {"cpu", "used_cpu_user_children",
     [](From from) { return CpuTime(from, &CpuTimes::children_user); }, Cpu},
    {"cpu", "used_cpu_sys_main_thread",
     [](From from) { return CpuTime(from, &CpuTimes::main_system); }, Cpu},
    {"cpu", "used_cpu_user_main_thread",
     [](From from) { return CpuTime(from, &CpuTimes::main_user); }, Cpu},
    {"cluster", "cluster_enabled", [](From from) { return Number(from.pool.cluster ? 1 : 0); }},
    {"resync", "resyncs_running",
     [](From from) { return Number(from.process.resyncs->running().size()); }, Resyncs,
     "Resyncs that run"},
    {"resync", "resyncs_done",
     [](From from) { return Number(from.process.resyncs->totals().done); }, Resyncs,
     "Resyncs that came to their end", kCounter},
    {"resync", "resyncs_put_off",
     [](From from) { return Number(from.process.resyncs->totals().put_off); }, Resyncs,
     "Resyncs that came to nothing", kCounter},
    {"resync", "resync_pauses",
     [](From from) { return Number(from.process.resyncs->totals().pauses); }, Resyncs,
     "Pauses of a shard's writes for a resync", kCounter},
    {"resync", "resync_last_pause_ms",
     [](From from) { return Number(from.process.resyncs->totals().last_pause_ms); }, Resyncs,
     "The last of these pauses"},
    {"resync", "resync_longest_pause_ms",
     [](From from) { return Number(from.process.resyncs->totals().longest_pause_ms); }, Resyncs,
     "The longest of these pauses"},
    {"proxy", "pool", [](From from) { return from.pool.name; }},
    {"proxy", "shards", [](From from) { return Number(from.pool.shards.size()); }, Always,
     "Shards of the config"},
};

enum class Shown : uint8_t {
  kIfAny,    // where it has fields
  kAlways,   // as Redis does
  kIfAsked,  // the same, and not by default
};

struct Section {
  std::string_view head;
  std::string_view name;  // in lower case
  Shown shown = Shown::kIfAny;
  bool of_nodes = false;  // they have fields of it
};

// In this order, with Redis's heads.
constexpr Section kSections[] = {
    {"Server", "server"},
    {"Reload", "reload"},
    {"Clients", "clients"},
    {"Memory", "memory", Shown::kIfAny, true},
    {"Persistence", "persistence", Shown::kIfAny, true},
    {"Stats", "stats", Shown::kIfAny, true},
    {"Replication", "replication"},
    {"CPU", "cpu"},
    {"Modules", "modules", Shown::kAlways},
    {"Commandstats", "commandstats", Shown::kIfAsked},
    {"Errorstats", "errorstats", Shown::kAlways},
    {"Latencystats", "latencystats", Shown::kIfAsked},
    {"Cluster", "cluster"},
    {"Resync", "resync"},
    {"Proxy", "proxy"},
    {"Keyspace", "keyspace", Shown::kAlways, true},
};

const Section* FindSection(std::string_view name) {
  for (const Section& section : kSections) {
    if (section.name == name) return &section;
  }
  return nullptr;
}

// "shard=a,source=...,node=...,phase=copying,bytes=12,total=34,percent=35,rate=6,eta_s=4", or keys
// in place of bytes; what is not known is -1.
std::string ResyncLine(const ResyncBoard::Running& resync) {
  const ResyncProgress& progress = resync.progress;
  return "shard=" + resync.shard + ",source=" + resync.source + ",node=" + resync.copy +
         ",phase=" + (progress.phase.empty() ? "preparing" : progress.phase) +
         (progress.keys ? ",keys=" : ",bytes=") + std::to_string(progress.bytes) +
         ",total=" + std::to_string(progress.total) +
         ",percent=" + std::to_string(progress.percent) + ",rate=" + std::to_string(progress.rate) +
         ",eta_s=" + std::to_string(progress.left_s);
}

// A value may be of others' choice: it makes no line of its own.
void AppendField(std::string* out, std::string_view name, std::string_view value) {
  *out += name;
  *out += ':';
  *out += Printable(value);
  *out += "\r\n";
}

std::string SectionText(const InfoSources& from, std::string_view section,
                        const std::vector<FigureSample>& figures,
                        const std::vector<InfoLine>& of_nodes) {
  std::string text;
  for (const InfoLine& line : of_nodes) {
    if (line.section == section) AppendField(&text, line.name, line.text);
  }
  for (const Row& row : kRows) {
    if (row.section != section || (row.there != nullptr && !row.there(from))) continue;
    AppendField(&text, row.name, row.text(from));
  }
  for (const FigureSample& figure : figures) {
    if (figure.info.section == section) {
      AppendField(&text, figure.info.name, std::to_string(figure.value));
    }
  }
  if (section == "resync" && Resyncs(from)) {
    const std::vector<ResyncBoard::Running> running = from.process.resyncs->running();
    for (size_t i = 0; i < running.size(); ++i) {
      AppendField(&text, "resync" + std::to_string(i), ResyncLine(running[i]));
    }
  }
  if (section == "commandstats") AppendCommandStats(from, &text);
  if (section == "errorstats") AppendErrorStats(from, &text);
  if (section == "latencystats") AppendLatencyStats(from, &text);
  return text;
}

// What the nodes say, and in the first section with such fields which shards have said nothing.
std::vector<InfoLine> LinesOfNodes(const InfoSources& from, const InfoSections& sections,
                                   const std::vector<ShardInfoText>& shards) {
  std::vector<InfoLine> lines = SumNodes(shards, from.process.baseline);
  for (InfoLine& line : SumKeyspace(shards)) lines.push_back(std::move(line));
  const auto silent = std::count_if(shards.begin(), shards.end(),
                                    [](const ShardInfoText& shard) { return shard.text.empty(); });
  if (silent == 0) return lines;
  for (const Section& section : kSections) {
    if (!section.of_nodes || !sections.Wants(section.name)) continue;
    lines.insert(lines.begin(), {section.name, "shards_without_answer", std::to_string(silent)});
    break;
  }
  return lines;
}

}  // namespace

void ForEachInfoMetric(const InfoSources& sources,
                       const std::function<void(const InfoMetric&)>& visit) {
  for (const Row& row : kRows) {
    if (row.help.empty() || !row.there(sources)) continue;
    visit({row.metric.empty() ? row.name : row.metric, row.help, row.type, row.text(sources)});
  }
}

InfoSections::InfoSections(std::span<const std::string_view> words) {
  for (const std::string_view word : words) {
    std::string& name = wanted_.emplace_back(word);
    for (char& c : name) c = AsciiLower(c);
  }
  if (wanted_.empty()) wanted_.emplace_back("default");
}

bool InfoSections::Wants(std::string_view section) const {
  const Section* known = FindSection(section);
  for (const std::string& name : wanted_) {
    if (name == section || name == "everything" || name == "all") return true;
    if (name == "default" && known != nullptr && known->shown != Shown::kIfAsked) return true;
  }
  return false;
}

bool InfoSections::WantsNodes() const {
  for (const Section& section : kSections) {
    if (section.of_nodes && Wants(section.name)) return true;
  }
  return false;
}

std::string InfoText(const InfoSources& sources, const InfoSections& sections,
                     const std::vector<ShardInfoText>& shards) {
  std::vector<FigureSample> figures;
  ForEachFigure(sources.process.stats,
                [&figures](const FigureSample& sample) { figures.push_back(sample); });
  const std::vector<InfoLine> of_nodes = LinesOfNodes(sources, sections, shards);
  std::string text;
  for (const Section& section : kSections) {
    if (!sections.Wants(section.name)) continue;
    const std::string fields = SectionText(sources, section.name, figures, of_nodes);
    if (fields.empty() && section.shown == Shown::kIfAny) continue;
    if (!text.empty()) text += "\r\n";
    text += "# ";
    text += section.head;
    text += "\r\n" + fields;
  }
  return text;
}

}  // namespace gemel
