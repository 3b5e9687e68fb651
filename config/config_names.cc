#include "config/config_names.h"

#include <algorithm>

#include "config/config_options.h"
#include "config/config_text.h"

namespace gemel {

namespace {

std::string Listeners(const PoolConfig& pool) {
  std::string text;
  for (const Address& address : pool.listen) {
    if (!text.empty()) text += ' ';
    text += address.ToString();
  }
  return text;
}

std::string_view Name(Ack ack) {
  return ack == Ack::kAll ? "all" : (ack == Ack::kPrimary ? "primary" : "any");
}

std::string_view Name(ReadFrom from) {
  return from == ReadFrom::kPrimary ? "primary"
                                    : (from == ReadFrom::kReplica ? "replica" : "balanced");
}

std::string_view Name(OnDataLoss policy) {
  return policy == OnDataLoss::kRefuse ? "refuse" : "miss";
}

std::string_view Name(Failback failback) {
  return failback == Failback::kNever ? "never" : "when-in-sync";
}

std::string_view Name(ProtectedConfigs leave) {
  return leave == ProtectedConfigs::kNo ? "no"
                                        : (leave == ProtectedConfigs::kYes ? "yes" : "local");
}

std::string_view Name(OnRingChange policy) {
  return policy == OnRingChange::kForget ? "forget" : "";
}

std::string_view Name(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarn:
      return "warn";
    case LogLevel::kError:
      return "error";
  }
  return "";
}

// Options of the file that have a name of Redis's, too.
struct RedisName {
  std::string_view name;
  std::string_view option;
};

constexpr RedisName kRedisNames[] = {
    {"maxclients", "limits.max_clients"},
    {"timeout", "timeouts.idle_s"},
    {"tcp-keepalive", "timeouts.keepalive_s"},
    {"proto-max-bulk-len", "limits.max_bulk"},
    {"io-threads", "proxy.workers"},
    {"loglevel", "log.level"},
    {"logfile", "log.file"},
    {"dir", "proxy.state_dir"},
    {"protected-mode", "proxy.protected_mode"},
    {"enable-protected-configs", "proxy.protected_configs"},
    {"requirepass", "proxy.password"},  // set only: it is not shown
};

// Under the file's names.
std::vector<ConfigValue> FileValues(const Config& config, const PoolConfig& pool) {
  std::vector<ConfigValue> values;
  const auto add = [&values](std::string_view name, std::string_view value) {
    values.push_back({std::string(name), std::string(value)});
  };
  const auto number = [&add](std::string_view name, uint64_t value) {
    add(name, std::to_string(value));
  };
  const LimitsConfig& limits = pool.limits;
  const TimeoutsConfig& timeouts = pool.timeouts;
  add("proxy.listen", Listeners(pool));
  number("proxy.workers", config.workers);
  add("proxy.scheduling", config.scheduling == Scheduling::kBatch ? "batch" : "normal");
  add("proxy.io_uring", config.io_uring ? "true" : "false");
  add("proxy.state_dir", config.state_dir);
  add("proxy.watch_config", config.watch_config ? "true" : "false");
  add("proxy.protected_mode", pool.protected_mode ? "true" : "false");
  add("proxy.protected_configs", Name(config.protected_configs));
  add("proxy.user", pool.user);
  add("ring.distribution", pool.ring.distribution);
  number("ring.points", pool.ring.points);
  add("ring.hash", pool.ring.hash);
  add("ring.hash_tag", pool.ring.hash_tag);
  add("ring.on_change", Name(pool.ring.on_change));
  number("ring.forget_keys_per_s", pool.ring.forget_keys_per_s);
  add("write.ack", Name(pool.write.ack));
  add("write.on_data_loss", Name(pool.write.on_data_loss));
  add("read.from", Name(pool.read.from));
  number("read.hedge_ms", pool.read.hedge_ms);
  number("health.interval_ms", pool.health.interval_ms);
  number("health.timeout_ms", pool.health.timeout_ms);
  number("health.min_timeout_ms", pool.health.min_timeout_ms);
  number("health.failures", pool.health.failures);
  add("health.failback", Name(pool.health.failback));
  number("health.resolve_s", pool.health.resolve_s);
  number("limits.max_clients", limits.max_clients);
  number("limits.max_bulk", limits.max_bulk);
  number("limits.max_args", limits.max_args);
  number("limits.max_inline", limits.max_inline);
  number("limits.max_request", limits.max_request);
  number("limits.max_reply", limits.max_reply);
  number("limits.client_pending", limits.client_pending);
  number("limits.client_output", limits.client_output);
  number("limits.client_output_hard", limits.client_output_hard);
  number("limits.buffered", limits.buffered);
  number("limits.node_pending_bytes", limits.node_pending_bytes);
  number("limits.node_pending", limits.node_pending);
  number("limits.shard_held", limits.shard_held);
  number("timeouts.connect_ms", timeouts.connect_ms);
  number("timeouts.request_ms", timeouts.request_ms);
  number("timeouts.idle_s", timeouts.idle_s);
  number("timeouts.drain_ms", timeouts.drain_ms);
  number("timeouts.reconnect_min_ms", timeouts.reconnect_min_ms);
  number("timeouts.reconnect_max_ms", timeouts.reconnect_max_ms);
  number("timeouts.keepalive_s", timeouts.keepalive_s);
  number("resync.pause_ms", pool.resync.pause_ms);
  number("resync.timeout_s", pool.resync.timeout_s);
  number("resync.retry_ms", pool.resync.retry_ms);
  number("resync.journal_keys", pool.resync.journal_keys);
  number("resync.journal_bytes", pool.resync.journal_bytes);
  number("resync.repair_keys_per_s", pool.resync.repair_keys_per_s);
  number("audit.keys_per_s", pool.audit.keys_per_s);
  number("audit.interval_s", pool.audit.interval_s);
  number("audit.max_value", pool.audit.max_value);
  number("resync.max_parallel", pool.resync.max_parallel);
  add("log.level", Name(config.log.level));
  add("log.file", config.log.file);
  number("log.rotate_bytes", config.log.rotate_bytes);
  number("log.rotate_files", config.log.rotate_files);
  return values;
}

}  // namespace

std::vector<ConfigValue> ConfigValues(const Config& config, const PoolConfig& pool) {
  const std::vector<ConfigValue> options = FileValues(config, pool);
  std::vector<ConfigValue> values;
  for (const RedisName& redis : kRedisNames) {
    const auto option = std::find_if(options.begin(), options.end(), [&](const ConfigValue& value) {
      return value.name == redis.option;
    });
    if (option == options.end()) continue;
    std::string value = option->value;
    if (redis.option == "proxy.protected_mode") value = pool.protected_mode ? "yes" : "no";
    values.push_back({std::string(redis.name), std::move(value)});
  }
  const Address first = pool.listen.empty() ? Address() : pool.listen[0];
  values.push_back({"port", std::to_string(first.port)});
  values.push_back({"bind", first.host});
  // What gemel has no notion of has the value that says so.
  values.push_back({"databases", "1"});
  values.push_back({"save", ""});
  values.push_back({"appendonly", "no"});
  values.push_back({"maxmemory", "0"});
  values.push_back({"maxmemory-policy", "noeviction"});
  values.insert(values.end(), options.begin(), options.end());
  return values;
}

std::string_view FileOption(std::string_view name) {
  const std::string lower = LowerCase(name);
  for (const RedisName& redis : kRedisNames) {
    if (redis.name == lower) return redis.option;
  }
  const OptionInfo* option = FindOption(lower);
  return option == nullptr ? std::string_view() : option->name;
}

std::string_view FileValue(std::string_view redis_name, std::string_view value) {
  if (LowerCase(redis_name) != "loglevel") return value;
  const std::string level = LowerCase(value);
  if (level == "verbose") return "debug";
  if (level == "notice") return "info";
  if (level == "warning") return "warn";
  if (level == "nothing") return "error";
  return value;
}

}  // namespace gemel
