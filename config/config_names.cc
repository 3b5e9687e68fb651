#include "config/config_names.h"

#include <algorithm>

#include "config/config_options.h"
#include "config/config_text.h"

namespace gemel {

namespace {

// Options of the file that have a name of Redis's, too.
struct RedisName {
  std::string_view name;
  std::string_view option;
};

constexpr RedisName kRedisNames[] = {
    {"maxclients", "limits.max_clients"},
    {"tracking-table-max-keys", "limits.tracking_table_max_keys"},
    {"timeout", "timeouts.idle_s"},
    {"tcp-keepalive", "timeouts.keepalive_s"},
    {"proto-max-bulk-len", "limits.max_bulk"},
    {"io-threads", "proxy.workers"},
    {"loglevel", "log.level"},
    {"logfile", "log.file"},
    {"dir", "proxy.state_dir"},
    {"protected-mode", "proxy.protected_mode"},
    {"slowlog-log-slower-than", "slowlog.log_slower_than"},
    {"slowlog-max-len", "slowlog.max_len"},
    {"latency-monitor-threshold", "latency.monitor_threshold"},
    {"latency-tracking", "latency.tracking"},
    {"latency-tracking-info-percentiles", "latency.percentiles"},
    {"enable-protected-configs", "proxy.protected_configs"},
    {"requirepass", "proxy.password"},  // set only: it is not shown
};

}  // namespace

std::vector<ConfigValue> ConfigValues(const Config& config, const PoolConfig& pool) {
  Config shown = config;
  shown.pool() = pool;
  const std::vector<OptionInfo> options = OptionsOf(shown);
  std::vector<ConfigValue> values;
  for (const RedisName& redis : kRedisNames) {
    const auto option = std::find_if(options.begin(), options.end(), [&](const OptionInfo& known) {
      return known.name == redis.option && known.kind != OptionKind::kSecret;
    });
    if (option == options.end()) continue;
    std::string value = option->value;
    if (option->kind == OptionKind::kFlag) value = value == "true" ? "yes" : "no";
    values.push_back({std::string(redis.name), std::move(value)});
  }
  const Address first = pool.listen.empty() ? Address() : pool.listen[0];
  values.push_back({"port", std::to_string(first.port)});
  values.push_back({"bind", first.host});
  // What gemel has no notion of has the value that says so.
  values.push_back({"databases", std::to_string(pool.Databases())});
  values.push_back({"cluster-enabled", pool.cluster ? "yes" : "no"});
  values.push_back({"save", ""});
  values.push_back({"appendonly", "no"});
  values.push_back({"maxmemory", "0"});
  values.push_back({"maxmemory-policy", "noeviction"});
  for (const OptionInfo& option : options) {
    if (option.kind != OptionKind::kSecret) values.push_back({option.name, option.value});
  }
  return values;
}

bool IsNodesOption(std::string_view name) {
  return name == "save" || name == "appendonly" || name == "maxmemory" ||
         name == "maxmemory-policy";
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
