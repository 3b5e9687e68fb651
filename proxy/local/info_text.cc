#include "proxy/local/info_text.h"

#include <cstdio>

#include "backend/bytes/budget.h"
#include "backend/resync/resync_board.h"
#include "proxy/channels/channel_counts.h"
#include "proxy/dispatch/stats.h"
#include "proxy/log/event_log.h"
#include "proxy/log/printable.h"
#include "proxy/reload/reload_status.h"
#include "proxy/scripts/script_cache.h"

namespace gemel {

namespace {

// A field that is made when it is asked for. Empty text from `text` is a value, too; where `there`
// is given and says no, the field is left out.
struct Row {
  std::string_view section;
  std::string_view name;
  std::string (*text)(const InfoSources&);
  bool (*there)(const InfoSources&) = nullptr;
};

std::string Number(uint64_t value) { return std::to_string(value); }
std::string Zero(const InfoSources&) { return "0"; }

// "1.50M", as Redis writes sizes for people.
std::string HumanBytes(uint64_t bytes) {
  char text[32];
  const double size = static_cast<double>(bytes);
  if (bytes < 1024) {
    std::snprintf(text, sizeof(text), "%lluB", static_cast<unsigned long long>(bytes));
  } else if (bytes < 1024 * 1024) {
    std::snprintf(text, sizeof(text), "%.2fK", size / 1024);
  } else if (bytes < 1024ull * 1024 * 1024) {
    std::snprintf(text, sizeof(text), "%.2fM", size / (1024 * 1024));
  } else {
    std::snprintf(text, sizeof(text), "%.2fG", size / (1024.0 * 1024 * 1024));
  }
  return text;
}

std::string Resident(const InfoSources& from) { return Number(from.process.resident_bytes()); }
std::string ResidentHuman(const InfoSources& from) {
  return HumanBytes(from.process.resident_bytes());
}
std::string Port(const InfoSources& from) {
  return Number(from.pool.listen.empty() ? 0 : from.pool.listen[0].port);
}
bool Reloads(const InfoSources& from) { return from.process.reloads != nullptr; }
bool Channels(const InfoSources& from) { return from.process.channels != nullptr; }
bool Scripts(const InfoSources& from) { return from.process.scripts != nullptr; }
std::string LastReload(const InfoSources& from) {
  const int64_t tried_us = from.process.reloads->Get().tried_unix_us;
  return tried_us == 0 ? std::string() : IsoTime(tried_us);
}
bool Resyncs(const InfoSources& from) { return from.process.resyncs != nullptr; }

using From = const InfoSources&;

constexpr Row kRows[] = {
    {"server", "redis_version", [](From) { return std::string(kRedisVersion); }},
    {"server", "gemel_version", [](From from) { return from.process.version; }},
    {"server", "redis_mode", [](From from) { return std::string(ModeName(from.pool)); }},
    {"server", "multiplexing_api", [](From) { return std::string("libuv"); }},
    {"server", "process_id", [](From from) { return Number(from.process.pid); }},
    {"server", "run_id", [](From from) { return from.process.run_id; }},
    {"server", "tcp_port", Port},
    {"server", "uptime_in_seconds", [](From from) { return Number(from.process.uptime_s()); }},
    {"server", "uptime_in_days", [](From from) { return Number(from.process.uptime_s() / 86400); }},
    {"server", "executable", [](From from) { return from.process.executable; }},
    {"server", "config_file", [](From from) { return from.config.file; }},
    {"server", "io_threads_active", Zero},
    {"server", "workers", [](From from) { return Number(from.config.workers); }},
    {"reload", "config_loaded",
     [](From from) { return IsoTime(from.process.reloads->Get().loaded_unix_us); }, Reloads},
    {"reload", "reloads", [](From from) { return Number(from.process.reloads->Get().done); },
     Reloads},
    {"reload", "reloads_refused",
     [](From from) { return Number(from.process.reloads->Get().refused); }, Reloads},
    {"reload", "last_reload", LastReload, Reloads},
    {"reload", "last_reload_error", [](From from) { return from.process.reloads->Get().error; },
     Reloads},
    {"clients", "cluster_connections", Zero},
    {"clients", "maxclients", [](From from) { return Number(from.pool.limits.max_clients); }},
    {"memory", "used_memory", Resident},
    {"memory", "used_memory_human", ResidentHuman},
    {"memory", "used_memory_rss", Resident},
    {"memory", "used_memory_rss_human", ResidentHuman},
    // What is held for clients and nodes, and what may be.
    {"memory", "buffered_bytes", [](From) { return Number(Budget::Held()); }},
    {"memory", "buffered_limit", [](From) { return Number(Budget::limit()); }},
    {"memory", "number_of_cached_scripts",
     [](From from) { return Number(from.process.scripts->size()); }, Scripts},
    {"memory", "used_memory_scripts",
     [](From from) { return Number(from.process.scripts->bytes()); }, Scripts},
    {"memory", "maxmemory", Zero},
    {"memory", "maxmemory_human", [](From) { return std::string("0B"); }},
    {"memory", "mem_allocator", [](From) { return std::string("libc"); }},
    // The nodes' business; tools look whether it is loading. The roles, in state_dir, are ours.
    {"persistence", "loading", Zero},
    {"persistence", "async_loading", Zero},
    {"persistence", "log_lines_lost",
     [](From from) { return Number(from.process.lost_log_lines()); },
     [](From from) { return from.process.lost_log_lines != nullptr; }},
    {"persistence", "log_error", [](From from) { return from.process.log_error(); },
     [](From from) { return from.process.log_error != nullptr; }},
    {"stats", "pubsub_channels",
     [](From from) { return Number(from.process.channels->Different(ChannelKind::kChannel)); },
     Channels},
    {"stats", "pubsub_patterns",
     [](From from) { return Number(from.process.channels->Different(ChannelKind::kPattern)); },
     Channels},
    {"stats", "pubsubshard_channels",
     [](From from) { return Number(from.process.channels->Different(ChannelKind::kShardChannel)); },
     Channels},
    {"replication", "role", [](From) { return std::string("master"); }},
    {"replication", "connected_slaves", Zero},
    {"cluster", "cluster_enabled", [](From from) { return Number(from.pool.cluster ? 1 : 0); }},
    {"resync", "resyncs_running",
     [](From from) { return Number(from.process.resyncs->running().size()); }, Resyncs},
    {"resync", "resyncs_done",
     [](From from) { return Number(from.process.resyncs->totals().done); }, Resyncs},
    {"resync", "resyncs_put_off",
     [](From from) { return Number(from.process.resyncs->totals().put_off); }, Resyncs},
    {"resync", "resync_pauses",
     [](From from) { return Number(from.process.resyncs->totals().pauses); }, Resyncs},
    {"resync", "resync_last_pause_ms",
     [](From from) { return Number(from.process.resyncs->totals().last_pause_ms); }, Resyncs},
    {"resync", "resync_longest_pause_ms",
     [](From from) { return Number(from.process.resyncs->totals().longest_pause_ms); }, Resyncs},
    {"proxy", "pool", [](From from) { return from.pool.name; }},
    {"proxy", "shards", [](From from) { return Number(from.pool.shards.size()); }},
};

// In this order, with Redis's heads.
constexpr std::string_view kSections[] = {"Server",      "Reload", "Clients",     "Memory",
                                          "Persistence", "Stats",  "Replication", "Cluster",
                                          "Resync",      "Proxy"};

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

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return lower;
}

std::string SectionText(const InfoSources& from, std::string_view section,
                        const std::vector<FigureSample>& figures) {
  std::string text;
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
  return text;
}

}  // namespace

bool WantsInfo(const std::vector<std::string>& wanted, std::string_view section) {
  if (wanted.empty()) return true;
  for (const std::string& name : wanted) {
    if (name == section || name == "all" || name == "everything" || name == "default") return true;
  }
  return false;
}

std::string InfoText(const InfoSources& sources, const std::vector<std::string>& wanted) {
  std::vector<FigureSample> figures;
  ForEachFigure(sources.process.stats,
                [&figures](const FigureSample& sample) { figures.push_back(sample); });
  std::string text;
  for (const std::string_view head : kSections) {
    const std::string section = Lower(head);
    if (!WantsInfo(wanted, section)) continue;
    const std::string fields = SectionText(sources, section, figures);
    if (fields.empty()) continue;
    if (!text.empty()) text += "\r\n";
    text += "# ";
    text += head;
    text += "\r\n" + fields;
  }
  return text;
}

}  // namespace gemel
