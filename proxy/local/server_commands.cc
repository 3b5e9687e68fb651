// INFO, CONFIG, TIME, LOLWUT.

#include <algorithm>
#include <cstdio>

#include "backend/bytes/budget.h"
#include "backend/command/ascii.h"
#include "backend/resp/reply_reader.h"
#include "backend/resp/request_reader.h"
#include "backend/resp/resp_writer.h"
#include "config/config_names.h"
#include "proxy/local/glob.h"
#include "proxy/local/local_commands.h"
#include "proxy/log/event_log.h"
#include "proxy/log/printable.h"
#include "proxy/reload/reload_status.h"
#include "proxy/session/gather.h"
#include "proxy/session/session.h"

namespace gemel {

namespace {

void Time(LocalCommands& local, Session& session, const CommandRow&, LocalArgs) {
  const int64_t now_us = local.process().unix_time_us();
  std::string out;
  AppendArrayHeader(&out, 2);
  AppendBulk(&out, std::to_string(now_us / 1000000));
  AppendBulk(&out, std::to_string(now_us % 1000000));
  session.ReplyNow(out);
}

void Lolwut(LocalCommands& local, Session& session, const CommandRow&, LocalArgs) {
  std::string out;
  AppendBulk(&out, "  ( )( )\n\nTwo rings made as one. gemel " + local.process().version + "\n");
  session.ReplyNow(out);
}

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

uint64_t Sum(const ProcessInfo& process, Counter WorkerStats::*counter) {
  uint64_t sum = 0;
  for (const WorkerStats* stats : process.stats) sum += (stats->*counter).Get();
  return sum;
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

class InfoText {
 public:
  void Section(std::string_view name) {
    if (!text_.empty()) text_ += "\r\n";
    text_ += "# ";
    text_ += name;
    text_ += "\r\n";
  }
  // A value may be of others' choice: it makes no line of its own.
  void Field(std::string_view name, std::string_view value) {
    text_ += name;
    text_ += ':';
    text_ += Printable(value);
    text_ += "\r\n";
  }
  void Field(std::string_view name, uint64_t value) { Field(name, std::to_string(value)); }
  std::string Take() { return std::move(text_); }

 private:
  std::string text_;
};

// The sections that are known here; `wanted` is lower case, or empty for all.
std::string MakeInfo(const LocalCommands& local, Session& session,
                     const std::vector<std::string>& wanted) {
  const ProcessInfo& process = local.process();
  const SessionContext& context = session.context();
  const PoolConfig& pool = context.pool->config();
  InfoText info;
  const auto wants = [&wanted](std::string_view section) {
    if (wanted.empty()) return true;
    for (const std::string& name : wanted) {
      if (name == section || name == "all" || name == "everything" || name == "default")
        return true;
    }
    return false;
  };
  if (wants("server")) {
    const uint64_t uptime_s = process.uptime_s();
    info.Section("Server");
    info.Field("redis_version", kRedisVersion);
    info.Field("gemel_version", process.version);
    info.Field("redis_mode", "standalone");
    info.Field("multiplexing_api", "libuv");
    info.Field("process_id", process.pid);
    info.Field("run_id", process.run_id);
    info.Field("tcp_port", pool.listen.empty() ? 0 : pool.listen[0].port);
    info.Field("uptime_in_seconds", uptime_s);
    info.Field("uptime_in_days", uptime_s / 86400);
    info.Field("executable", process.executable);
    info.Field("config_file", context.config->file);
    info.Field("io_threads_active", "0");
    info.Field("workers", context.config->workers);
  }
  if (wants("reload") && process.reloads != nullptr) {
    const ReloadStatus::Values reloads = process.reloads->Get();
    info.Section("Reload");
    info.Field("config_loaded", IsoTime(reloads.loaded_unix_us));
    info.Field("reloads", reloads.done);
    info.Field("reloads_refused", reloads.refused);
    info.Field("last_reload", reloads.tried_unix_us == 0 ? "" : IsoTime(reloads.tried_unix_us));
    info.Field("last_reload_error", reloads.error);
  }
  if (wants("clients")) {
    info.Section("Clients");
    info.Field("connected_clients", Sum(process, &WorkerStats::clients));
    info.Field("cluster_connections", uint64_t{0});
    info.Field("maxclients", pool.limits.max_clients);
    info.Field("blocked_clients", uint64_t{0});
  }
  if (wants("memory")) {
    const uint64_t resident = process.resident_bytes();
    info.Section("Memory");
    info.Field("used_memory", resident);
    info.Field("used_memory_human", HumanBytes(resident));
    info.Field("used_memory_rss", resident);
    info.Field("used_memory_rss_human", HumanBytes(resident));
    // What is held for clients and nodes, and what may be.
    info.Field("buffered_bytes", Budget::Held());
    info.Field("buffered_limit", Budget::limit());
    info.Field("buffered_closed_clients", Sum(process, &WorkerStats::memory_closed));
    info.Field("buffered_dropped_replies", Sum(process, &WorkerStats::replies_dropped));
    info.Field("maxmemory", uint64_t{0});
    info.Field("maxmemory_human", "0B");
    info.Field("mem_allocator", "libc");
  }
  if (wants("persistence")) {
    info.Section("Persistence");  // the nodes' business; tools look whether it is loading
    info.Field("loading", uint64_t{0});
    info.Field("async_loading", uint64_t{0});
    // The roles, in state_dir, are ours.
    info.Field("state_edits_failed", Sum(process, &WorkerStats::edits_failed));
    info.Field("state_unsaved_shards", Sum(process, &WorkerStats::unsaved_shards));
    if (process.lost_log_lines) info.Field("log_lines_lost", process.lost_log_lines());
    if (process.log_error) info.Field("log_error", process.log_error());
  }
  if (wants("stats")) {
    info.Section("Stats");
    info.Field("total_connections_received", Sum(process, &WorkerStats::connections));
    info.Field("total_commands_processed", Sum(process, &WorkerStats::commands));
    info.Field("total_net_input_bytes", Sum(process, &WorkerStats::input_bytes));
    info.Field("total_net_output_bytes", Sum(process, &WorkerStats::output_bytes));
    info.Field("rejected_connections", Sum(process, &WorkerStats::rejected));
    info.Field("acl_access_denied_auth", Sum(process, &WorkerStats::denied_auth));
    info.Field("protected_mode_denials", Sum(process, &WorkerStats::denials));
    info.Field("cross_protocol_aborts", Sum(process, &WorkerStats::cross_protocol));
    info.Field("client_protocol_errors", Sum(process, &WorkerStats::protocol_errors));
    info.Field("client_output_overruns", Sum(process, &WorkerStats::output_overruns));
    info.Field("client_pauses", Sum(process, &WorkerStats::paused_clients));
    info.Field("hedged_reads", Sum(process, &WorkerStats::hedged));
    info.Field("hedge_wins", Sum(process, &WorkerStats::hedge_wins));
    info.Field("side_reads", Sum(process, &WorkerStats::side_reads));
    info.Field("blamed_reads", Sum(process, &WorkerStats::blamed_reads));
    info.Field("refused_large", Sum(process, &WorkerStats::refused_large));
    info.Field("ended_scripts", Sum(process, &WorkerStats::ended_scripts));
    uint64_t longest_turn_ms = 0;
    for (const WorkerStats* stats : process.stats) {
      longest_turn_ms = std::max(longest_turn_ms, stats->longest_turn_ms.Get());
    }
    info.Field("longest_turn_ms", longest_turn_ms);
  }
  if (wants("replication")) {
    info.Section("Replication");
    info.Field("role", "master");
    info.Field("connected_slaves", uint64_t{0});
  }
  if (wants("cluster")) {
    info.Section("Cluster");
    info.Field("cluster_enabled", uint64_t{0});
  }
  if (wants("resync") && process.resyncs != nullptr) {
    const ResyncBoard::Totals totals = process.resyncs->totals();
    const std::vector<ResyncBoard::Running> running = process.resyncs->running();
    info.Section("Resync");
    info.Field("resyncs_running", running.size());
    info.Field("resyncs_done", totals.done);
    info.Field("resyncs_put_off", totals.put_off);
    info.Field("resync_pauses", totals.pauses);
    info.Field("resync_last_pause_ms", totals.last_pause_ms);
    info.Field("resync_longest_pause_ms", totals.longest_pause_ms);
    for (size_t i = 0; i < running.size(); ++i) {
      info.Field("resync" + std::to_string(i), ResyncLine(running[i]));
    }
  }
  if (wants("proxy")) {
    info.Section("Proxy");
    info.Field("pool", pool.name);
    info.Field("shards", pool.shards.size());
  }
  return info.Take();
}

void Info(LocalCommands& local, Session& session, const CommandRow& row, LocalArgs args) {
  std::vector<std::string> wanted;
  for (std::string_view arg : args.subspan(1)) {
    std::string name(arg);
    for (char& c : name) c = AsciiLower(c);
    wanted.push_back(std::move(name));
  }
  bool keyspace = wanted.empty();
  for (const std::string& name : wanted) {
    keyspace |= name == "keyspace" || name == "all" || name == "everything" || name == "default";
  }
  std::string text = MakeInfo(local, session, wanted);
  if (!keyspace) {
    std::string out;
    AppendBulk(&out, text);
    session.ReplyNow(out);
    return;
  }
  // The number of keys is the nodes' to tell.
  const SessionContext& context = session.context();
  GatherPtr gather =
      Gather::Make(context.dispatcher, session.Reserve(&row),
                   [text](const std::vector<PartReply>& parts, std::string* out) {
                     int64_t keys = 0;
                     for (const PartReply& part : parts) {
                       int64_t here = 0;
                       if (ParseInteger(ReplyText(part.reply), &here)) keys += here;
                     }
                     std::string whole = text;
                     if (!whole.empty()) whole += "\r\n";
                     whole += "# Keyspace\r\n";
                     if (keys > 0)
                       whole += "db0:keys=" + std::to_string(keys) + ",expires=0,avg_ttl=0\r\n";
                     AppendBulk(out, whole);
                   });
  const CommandRow* dbsize = context.pool->table().FindByName("dbsize");
  for (const PoolShard& shard : context.pool->shards()) {
    gather->AddShard(shard.slot, RequestKind::kRead, dbsize, "*1\r\n$6\r\nDBSIZE\r\n");
  }
  Gather::Launch(std::move(gather));
}

void ConfigGet(LocalCommands&, Session& session, const CommandRow&, LocalArgs args) {
  const std::vector<ConfigValue> values =
      ConfigValues(*session.context().config, session.context().pool->config());
  std::vector<const ConfigValue*> chosen;
  for (const ConfigValue& value : values) {
    for (std::string_view pattern : args.subspan(2)) {
      if (GlobMatches(pattern, value.name)) {
        chosen.push_back(&value);
        break;
      }
    }
  }
  std::string out;
  AppendArrayHeader(&out, static_cast<int64_t>(chosen.size() * 2));
  for (const ConfigValue* value : chosen) {
    AppendBulk(&out, value->name);
    AppendBulk(&out, value->value);
  }
  session.ReplyNow(out);
}

void ConfigResetStat(LocalCommands&, Session& session, const CommandRow&, LocalArgs) {
  session.ReplyError(
      "ERR CONFIG RESETSTAT is not supported by gemel: its counters only grow, take differences");
}

void ConfigHelp(LocalCommands&, Session& session, const CommandRow&, LocalArgs) {
  std::string out;
  AppendArrayHeader(&out, 9);
  AppendSimple(&out, "CONFIG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
  AppendSimple(&out, "GET <pattern>");
  AppendSimple(&out, "    Return parameters matching the glob-like <pattern> and their values.");
  AppendSimple(&out, "SET <name> <value> [<name> <value> ...]");
  AppendSimple(&out, "    Change options, as a reload would; REWRITE keeps them.");
  AppendSimple(&out, "REWRITE");
  AppendSimple(&out, "    Write what was set into the file, with its comments and order.");
  AppendSimple(&out, "HELP");
  AppendSimple(&out, "    Print this help.");
  session.ReplyNow(out);
}

}  // namespace

LocalHandler ServerHandler(LocalCommand command) {
  switch (command) {
    case LocalCommand::kTime:
      return Time;
    case LocalCommand::kInfo:
      return Info;
    case LocalCommand::kLolwut:
      return Lolwut;
    case LocalCommand::kConfigGet:
      return ConfigGet;
    case LocalCommand::kConfigResetStat:
      return ConfigResetStat;
    case LocalCommand::kConfigHelp:
      return ConfigHelp;
    default:
      return nullptr;
  }
}

}  // namespace gemel
