// Every option: its default, that it is read, and both ends of its range.

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "config/config_load.h"

namespace gemel::config_options_test {
namespace {

constexpr char kShard[] = "[[shard]]\nname = \"s\"\nprimary = \"127.0.0.1:7001\"\n";

std::optional<Config> Load(const std::string& text) {
  ConfigError error;
  std::optional<Config> config = LoadConfigText(text, "dir/gemel.toml", &error);
  if (!config) ADD_FAILURE() << error.ToString() << "\n" << text;
  return config;
}

bool Loads(const std::string& text) {
  ConfigError error;
  return LoadConfigText(text, "dir/gemel.toml", &error).has_value();
}

void ExpectDefaultProcess(const Config& config) {
  EXPECT_EQ(config.file, "dir/gemel.toml");
  EXPECT_EQ(config.workers, 1u);
  EXPECT_EQ(config.state_dir, "dir/state");
  EXPECT_EQ(config.scheduling, Scheduling::kBatch);
  EXPECT_TRUE(config.io_uring);
  EXPECT_TRUE(config.watch_config);
  EXPECT_EQ(config.protected_configs, ProtectedConfigs::kNo);
  EXPECT_EQ(config.metrics, MetricsConfig());
  EXPECT_EQ(config.log.level, LogLevel::kInfo);
  EXPECT_EQ(config.log.file, "");
  EXPECT_EQ(config.log.rotate_bytes, 64u << 20);
  EXPECT_EQ(config.log.rotate_files, 5u);
}

void ExpectDefaultShards(const PoolConfig& pool) {
  EXPECT_EQ(pool.name, "default");
  ASSERT_EQ(pool.listen.size(), 1u);
  EXPECT_EQ(pool.listen[0].ToString(), "127.0.0.1:6380");
  EXPECT_EQ(pool.user, "");
  EXPECT_EQ(pool.password, "");
  EXPECT_TRUE(pool.protected_mode);
  EXPECT_EQ(pool.ring.distribution, "ring");
  EXPECT_EQ(pool.ring.points, 1024u);
  EXPECT_EQ(pool.ring.hash, "xxh3");
  EXPECT_EQ(pool.ring.hash_tag, "{}");
  EXPECT_EQ(pool.ring.on_change, OnRingChange::kForget);
  EXPECT_EQ(pool.ring.forget_keys_per_s, 20000u);
  ASSERT_EQ(pool.shards.size(), 1u);
  EXPECT_EQ(pool.shards[0].name, "s");
  EXPECT_EQ(pool.shards[0].primary.ToString(), "127.0.0.1:7001");
  EXPECT_TRUE(pool.shards[0].replicas.empty());
  EXPECT_EQ(pool.shards[0].weight, 1u);
  EXPECT_EQ(pool.shards[0].user, "");
  EXPECT_EQ(pool.shards[0].password, "");
  EXPECT_EQ(pool.shards[0].database, 0u);
}

void ExpectDefaultService(const PoolConfig& pool) {
  EXPECT_EQ(pool.write.ack, Ack::kAll);
  EXPECT_EQ(pool.write.on_data_loss, OnDataLoss::kRefuse);
  EXPECT_EQ(pool.read.from, ReadFrom::kPrimary);
  EXPECT_EQ(pool.read.hedge_ms, 50u);
  EXPECT_EQ(pool.health.interval_ms, 500u);
  EXPECT_EQ(pool.health.timeout_ms, 1000u);
  EXPECT_EQ(pool.health.min_timeout_ms, 500u);
  EXPECT_EQ(pool.health.failures, 3u);
  EXPECT_EQ(pool.health.failback, Failback::kNever);
  EXPECT_EQ(pool.health.resolve_s, 30u);
  EXPECT_EQ(pool.timeouts.connect_ms, 1000u);
  EXPECT_EQ(pool.timeouts.request_ms, 5000u);
  EXPECT_EQ(pool.timeouts.idle_s, 0u);
  EXPECT_EQ(pool.timeouts.drain_ms, 5000u);
  EXPECT_EQ(pool.timeouts.reconnect_min_ms, 20u);
  EXPECT_EQ(pool.timeouts.reconnect_max_ms, 1000u);
  EXPECT_EQ(pool.timeouts.keepalive_s, 60u);
  EXPECT_EQ(pool.resync.pause_ms, 1000u);
  EXPECT_EQ(pool.resync.timeout_s, 3600u);
  EXPECT_EQ(pool.resync.retry_ms, 1000u);
  EXPECT_EQ(pool.resync.journal_keys, 1000000u);
  EXPECT_EQ(pool.resync.journal_bytes, 64u << 20);
  EXPECT_EQ(pool.resync.repair_keys_per_s, 20000u);
  EXPECT_EQ(pool.audit.keys_per_s, 1000u);
  EXPECT_EQ(pool.audit.interval_s, 3600u);
  EXPECT_EQ(pool.audit.max_value, 4u << 20);
  EXPECT_EQ(pool.resync.max_parallel, 2u);
  EXPECT_TRUE(pool.removals.follow);
  EXPECT_TRUE(pool.removals.set_limits);
  EXPECT_EQ(pool.slowlog.log_slower_than, 10000);
  EXPECT_EQ(pool.slowlog.max_len, 128u);
  EXPECT_EQ(pool.latency.monitor_threshold, 0u);
  EXPECT_TRUE(pool.latency.tracking);
  EXPECT_EQ(pool.latency.percentiles, "50 99 99.9");
  EXPECT_TRUE(pool.commands.empty());
  EXPECT_EQ(pool.command_rules, CommandsConfig());
}

void ExpectDefaultLimits(const PoolConfig& pool) {
  const auto& limits = pool.limits;
  EXPECT_EQ(limits.max_clients, 10000u);
  EXPECT_EQ(limits.max_bulk, 512u << 20);
  EXPECT_EQ(limits.max_args, 1048576u);
  EXPECT_EQ(limits.max_inline, 65536u);
  EXPECT_EQ(limits.max_request, 1u << 30);
  EXPECT_EQ(limits.client_pending, 16384u);
  EXPECT_EQ(limits.client_watched, 16384u);
  EXPECT_EQ(limits.client_subscriptions, 262144u);
  EXPECT_EQ(limits.tracking_table_max_keys, 1000000u);
  EXPECT_EQ(limits.scripts, 64u << 20);
  EXPECT_EQ(limits.max_reply, 1u << 30);
  EXPECT_EQ(limits.client_output, 512u << 20);
  EXPECT_EQ(limits.client_output_hard, 2u << 30);
  EXPECT_EQ(limits.subscriber_output, 32u << 20);
  EXPECT_EQ(limits.subscriber_output_soft, 8u << 20);
  EXPECT_EQ(limits.buffered, uint64_t{4} << 30);
  EXPECT_EQ(limits.node_pending_bytes, 64u << 20);
  EXPECT_EQ(limits.node_pending, 262144u);
  EXPECT_EQ(limits.shard_held, 65536u);
}

TEST(ConfigOptions, Defaults) {
  std::optional<Config> config = Load(kShard);
  ASSERT_TRUE(config);
  ExpectDefaultProcess(*config);
  ASSERT_EQ(config->pools.size(), 1u);
  ExpectDefaultShards(config->pool());
  ExpectDefaultService(config->pool());
  ExpectDefaultLimits(config->pool());
}

TEST(ConfigOptions, EmptySectionsChangeNothing) {
  std::optional<Config> plain = Load(kShard);
  std::optional<Config> empty = Load(
      std::string(kShard) +
      "[proxy]\n[ring]\n[write]\n[read]\n[health]\n[limits]\n"
      "[timeouts]\n[resync]\n[audit]\n[removals]\n[slowlog]\n[latency]\n[metrics]\n[commands]\n"
      "[log]\n");
  ASSERT_TRUE(plain && empty);
  EXPECT_EQ(*plain, *empty);
}

// A numeric option of a section. `extra` keeps the rules between options out of the way.
struct Number {
  std::string section;
  std::string key;
  uint64_t min;
  uint64_t max;
  bool is_size;
  std::function<uint64_t(const Config&)> get;
  std::string extra_min = "";
  std::string extra_max = "";
};

#define GEMEL_FIELD(expression) [](const Config& c) -> uint64_t { return expression; }

const std::vector<Number>& Numbers() {
  static const uint64_t kb = 1024, mb = kb << 10, gb = mb << 10;
  static const std::vector<Number> numbers = {
      {"ring", "points", 1, 65536, false, GEMEL_FIELD(c.pool().ring.points)},
      {"ring", "forget_keys_per_s", 1, 10000000, false,
       GEMEL_FIELD(c.pool().ring.forget_keys_per_s)},
      {"read", "hedge_ms", 0, 3600000, false, GEMEL_FIELD(c.pool().read.hedge_ms)},
      {"health", "interval_ms", 10, 3600000, false, GEMEL_FIELD(c.pool().health.interval_ms)},
      {"health", "timeout_ms", 10, 3600000, false, GEMEL_FIELD(c.pool().health.timeout_ms)},
      {"health", "min_timeout_ms", 10, 3600000, false, GEMEL_FIELD(c.pool().health.min_timeout_ms)},
      {"health", "failures", 1, 1000, false, GEMEL_FIELD(c.pool().health.failures)},
      {"health", "resolve_s", 0, 86400, false, GEMEL_FIELD(c.pool().health.resolve_s)},
      {"limits", "max_clients", 1, 1000000, false, GEMEL_FIELD(c.pool().limits.max_clients)},
      {"limits", "max_bulk", kb, 16 * gb, true, GEMEL_FIELD(c.pool().limits.max_bulk), "",
       "max_request = \"64gb\""},
      {"limits", "max_args", 16, 16777216, false, GEMEL_FIELD(c.pool().limits.max_args)},
      {"limits", "max_inline", 64, 64 * mb, true, GEMEL_FIELD(c.pool().limits.max_inline)},
      {"limits", "max_request", kb, 64 * gb, true, GEMEL_FIELD(c.pool().limits.max_request),
       "max_bulk = 1024"},
      {"limits", "max_reply", kb, 64 * gb, true, GEMEL_FIELD(c.pool().limits.max_reply)},
      {"limits", "client_pending", 1, 16777216, false, GEMEL_FIELD(c.pool().limits.client_pending)},
      {"limits", "scripts", kb, 64 * gb, true, GEMEL_FIELD(c.pool().limits.scripts)},
      {"limits", "client_watched", 1, 16777216, false, GEMEL_FIELD(c.pool().limits.client_watched)},
      {"limits", "client_subscriptions", 1, 16777216, false,
       GEMEL_FIELD(c.pool().limits.client_subscriptions)},
      {"limits", "tracking_table_max_keys", 1, 1000000000, false,
       GEMEL_FIELD(c.pool().limits.tracking_table_max_keys)},
      {"limits", "client_output", kb, 64 * gb, true, GEMEL_FIELD(c.pool().limits.client_output), "",
       "client_output_hard = \"64gb\""},
      {"limits", "client_output_hard", kb, 64 * gb, true,
       GEMEL_FIELD(c.pool().limits.client_output_hard), "client_output = 1024"},
      {"limits", "subscriber_output", kb, 64 * gb, true,
       GEMEL_FIELD(c.pool().limits.subscriber_output), "subscriber_output_soft = 1024"},
      {"limits", "subscriber_output_soft", kb, 64 * gb, true,
       GEMEL_FIELD(c.pool().limits.subscriber_output_soft), "", "subscriber_output = \"64gb\""},
      {"limits", "buffered", kb, 1024 * gb, true, GEMEL_FIELD(c.pool().limits.buffered)},
      {"limits", "node_pending_bytes", kb, 64 * gb, true,
       GEMEL_FIELD(c.pool().limits.node_pending_bytes)},
      {"limits", "node_pending", 1, 16777216, false, GEMEL_FIELD(c.pool().limits.node_pending)},
      {"limits", "shard_held", 1, 16777216, false, GEMEL_FIELD(c.pool().limits.shard_held)},
      {"timeouts", "connect_ms", 0, 3600000, false, GEMEL_FIELD(c.pool().timeouts.connect_ms)},
      {"timeouts", "request_ms", 0, 3600000, false, GEMEL_FIELD(c.pool().timeouts.request_ms)},
      {"timeouts", "idle_s", 0, 31536000, false, GEMEL_FIELD(c.pool().timeouts.idle_s)},
      {"timeouts", "drain_ms", 0, 3600000, false, GEMEL_FIELD(c.pool().timeouts.drain_ms)},
      {"timeouts", "reconnect_min_ms", 1, 3600000, false,
       GEMEL_FIELD(c.pool().timeouts.reconnect_min_ms), "", "reconnect_max_ms = 3600000"},
      {"timeouts", "reconnect_max_ms", 1, 3600000, false,
       GEMEL_FIELD(c.pool().timeouts.reconnect_max_ms), "reconnect_min_ms = 1"},
      {"timeouts", "keepalive_s", 0, 32767, false, GEMEL_FIELD(c.pool().timeouts.keepalive_s)},
      {"resync", "pause_ms", 1, 60000, false, GEMEL_FIELD(c.pool().resync.pause_ms)},
      {"resync", "timeout_s", 1, 604800, false, GEMEL_FIELD(c.pool().resync.timeout_s)},
      {"resync", "retry_ms", 10, 3600000, false, GEMEL_FIELD(c.pool().resync.retry_ms)},
      {"resync", "journal_keys", 0, 1000000000, false, GEMEL_FIELD(c.pool().resync.journal_keys)},
      {"resync", "journal_bytes", kb, 1024 * gb, true, GEMEL_FIELD(c.pool().resync.journal_bytes)},
      {"resync", "repair_keys_per_s", 1, 10000000, false,
       GEMEL_FIELD(c.pool().resync.repair_keys_per_s)},
      {"audit", "keys_per_s", 1, 1000000, false, GEMEL_FIELD(c.pool().audit.keys_per_s)},
      {"audit", "interval_s", 0, 2592000, false, GEMEL_FIELD(c.pool().audit.interval_s)},
      {"audit", "max_value", kb, 16 * gb, true, GEMEL_FIELD(c.pool().audit.max_value)},
      {"resync", "max_parallel", 1, 1000, false, GEMEL_FIELD(c.pool().resync.max_parallel)},
      {"log", "rotate_bytes", 4 * kb, 1024 * gb, true, GEMEL_FIELD(c.log.rotate_bytes)},
      {"log", "rotate_files", 0, 1000, false, GEMEL_FIELD(c.log.rotate_files)},
  };
  return numbers;
}

std::string With(const Number& number, const std::string& value, const std::string& extra) {
  return "[" + number.section + "]\n" + number.key + " = " + value + "\n" + extra + "\n" + kShard;
}

TEST(ConfigOptions, NumbersTakeBothEndsOfTheirRange) {
  for (const Number& number : Numbers()) {
    SCOPED_TRACE(number.section + "." + number.key);
    std::optional<Config> least = Load(With(number, std::to_string(number.min), number.extra_min));
    std::optional<Config> most = Load(With(number, std::to_string(number.max), number.extra_max));
    ASSERT_TRUE(least && most);
    EXPECT_EQ(number.get(*least), number.min);
    EXPECT_EQ(number.get(*most), number.max);
  }
}

TEST(ConfigOptions, NumbersRefuseWhatIsBeyond) {
  for (const Number& number : Numbers()) {
    SCOPED_TRACE(number.section + "." + number.key);
    // FormatSize has its own test; here the ends are written out by hand.
    auto size = [](uint64_t bytes) {
      if (bytes % (1 << 30) == 0) return std::to_string(bytes >> 30) + "gb";
      if (bytes % (1 << 20) == 0) return std::to_string(bytes >> 20) + "mb";
      if (bytes % (1 << 10) == 0) return std::to_string(bytes >> 10) + "kb";
      return std::to_string(bytes);
    };
    const std::string expected =
        "[" + number.section + "] " + number.key + ": expected " +
        (number.is_size ? "a size from " + size(number.min) + " to " + size(number.max) +
                              " (bytes, or a string such as \"64mb\")"
                        : "an integer from " + std::to_string(number.min) + " to " +
                              std::to_string(number.max)) +
        ", found ";
    const std::string below = std::to_string(static_cast<int64_t>(number.min) - 1);
    const std::string above = std::to_string(number.max + 1);
    const std::pair<std::string, std::string> cases[] = {
        {below, "the integer " + below},
        {above, "the integer " + above},
        {"-9223372036854775808", "the integer -9223372036854775808"},
        {"9223372036854775807", "the integer 9223372036854775807"},
        {"4294967296", "the integer 4294967296"},
        {"\"many\"", "the string \"many\""},
        {"1.5", "the float 1.5"},
        {"true", "true"},
        {"[1]", "an array"},
        {"{}", "a table"},
    };
    for (const auto& [value, found] : cases) {
      if (value == "4294967296" && number.max >= 4294967296) continue;
      ConfigError error;
      EXPECT_FALSE(LoadConfigText(With(number, value, ""), "f", &error)) << value;
      EXPECT_EQ(error.message, expected + found);
      EXPECT_EQ(error.line, 2u);
      EXPECT_EQ(error.column, number.key.size() + 4) << value;
    }
  }
}

TEST(ConfigOptions, SizesTakeUnits) {
  for (const Number& number : Numbers()) {
    if (!number.is_size) continue;
    SCOPED_TRACE(number.section + "." + number.key);
    std::optional<Config> config = Load(With(number, "\"48KB\"", number.extra_min));
    ASSERT_TRUE(config);
    EXPECT_EQ(number.get(*config), 48u * 1024);
  }
}

TEST(ConfigOptions, Proxy) {
  std::optional<Config> config = Load(
      "[proxy]\nlisten = [\"0.0.0.0:1\", \"[::1]:2\", \"unix:/run/g.sock\"]\nworkers = 7\n"
      "scheduling = \"normal\"\nio_uring = false\nstate_dir = \"/var/lib/gemel\"\nwatch_config = "
      "false\nprotected_mode = false\nprotected_configs = \"local\"\nuser = "
      "\"app\"\npassword = \"p\\u0000 "
      "w\"\n" +
      std::string(kShard));
  ASSERT_TRUE(config);
  const PoolConfig& pool = config->pool();
  ASSERT_EQ(pool.listen.size(), 3u);
  EXPECT_EQ(pool.listen[0].ToString(), "0.0.0.0:1");
  EXPECT_EQ(pool.listen[1].ToString(), "[::1]:2");
  EXPECT_EQ(pool.listen[2].ToString(), "unix:/run/g.sock");
  EXPECT_EQ(config->workers, 7u);
  EXPECT_EQ(config->state_dir, "/var/lib/gemel");
  EXPECT_EQ(config->scheduling, Scheduling::kNormal);
  EXPECT_FALSE(config->io_uring);
  EXPECT_FALSE(config->watch_config);
  EXPECT_FALSE(pool.protected_mode);
  EXPECT_EQ(config->protected_configs, ProtectedConfigs::kLocal);
  EXPECT_EQ(pool.user, "app");
  EXPECT_EQ(pool.password, std::string("p\0 w", 4));
}

TEST(ConfigOptions, WorkersZeroIsOneACore) {
  std::optional<Config> config = Load("[proxy]\nworkers = 0\n" + std::string(kShard));
  ASSERT_TRUE(config);
  EXPECT_EQ(config->workers, std::max(1u, std::thread::hardware_concurrency()));
  config = Load("[proxy]\nworkers = 256\n" + std::string(kShard));
  ASSERT_TRUE(config);
  EXPECT_EQ(config->workers, 256u);
}

TEST(ConfigOptions, PathsStartFromTheFolderOfTheFile) {
  const std::string text =
      "[proxy]\nstate_dir = \"s/t\"\n[log]\nfile = \"../g.log\"\n" + std::string(kShard);
  ConfigError error;
  std::optional<Config> config = LoadConfigText(text, "/etc/gemel/gemel.toml", &error);
  ASSERT_TRUE(config);
  EXPECT_EQ(config->state_dir, "/etc/gemel/s/t");
  EXPECT_EQ(config->log.file, "/etc/gemel/../g.log");
  config = LoadConfigText(text, "gemel.toml", &error);
  ASSERT_TRUE(config);
  EXPECT_EQ(config->state_dir, "s/t");
  EXPECT_EQ(config->log.file, "../g.log");
  config = LoadConfigText("[log]\nfile = \"/var/log/g\"\n" + std::string(kShard), "/etc/g", &error);
  ASSERT_TRUE(config);
  EXPECT_EQ(config->state_dir, "/etc/state");
  EXPECT_EQ(config->log.file, "/var/log/g");
}

TEST(ConfigOptions, Ring) {
  std::optional<Config> config =
      Load("[ring]\ndistribution = \"ring\"\npoints = 9\nhash = \"xxh3\"\nhash_tag = \"<>\"\n" +
           std::string(kShard));
  ASSERT_TRUE(config);
  EXPECT_EQ(config->pool().ring.points, 9u);
  EXPECT_EQ(config->pool().ring.hash_tag, "<>");
  config = Load("ring = { hash_tag = \"\" }\n" + std::string(kShard));
  ASSERT_TRUE(config);
  EXPECT_EQ(config->pool().ring.hash_tag, "");
  config = Load("ring.hash_tag = \"$$\"\n" + std::string(kShard));
  ASSERT_TRUE(config);
  EXPECT_EQ(config->pool().ring.hash_tag, "$$");
}

TEST(ConfigOptions, Shards) {
  const std::string longest(64, 'n');
  std::optional<Config> config = Load(
      "[[shard]]\nname = \"Az09_.:-\"\nprimary = \"unix:/a\"\n"
      "replicas = [\"b:1\", \"[::1]:2\"]\nweight = 1000\nuser = \"u\"\npassword = \"p\"\n"
      "database = 1023\n"
      "[[shard]]\nname = \"" +
      longest + "\"\nprimary = \"b:2\"\nreplicas = []\nweight = 1\npassword = \"q\"\n");
  ASSERT_TRUE(config);
  ASSERT_EQ(config->pool().shards.size(), 2u);
  const ShardConfig& a = config->pool().shards[0];
  EXPECT_EQ(a.name, "Az09_.:-");
  EXPECT_EQ(a.weight, 1000u);
  EXPECT_EQ(a.user, "u");
  EXPECT_EQ(a.password, "p");
  EXPECT_EQ(a.database, 1023u);
  std::vector<std::string> nodes;
  for (const Address& address : a.Nodes()) nodes.push_back(address.ToString());
  EXPECT_EQ(nodes, (std::vector<std::string>{"unix:/a", "b:1", "[::1]:2"}));
  const ShardConfig& b = config->pool().shards[1];
  EXPECT_EQ(b.name, longest);
  EXPECT_EQ(b.user, "");
  EXPECT_EQ(b.password, "q");
  EXPECT_EQ(b.Nodes().size(), 1u);
}

TEST(ConfigOptions, MostReplicas) {
  std::string replicas;
  for (int i = 0; i < 15; i++) replicas += "\"r:" + std::to_string(i + 1) + "\", ";
  std::optional<Config> config = Load(std::string(kShard) + "replicas = [" + replicas + "]\n");
  ASSERT_TRUE(config);
  EXPECT_EQ(config->pool().shards[0].replicas.size(), 15u);
}

TEST(ConfigOptions, Choices) {
  auto load = [](const std::string& line) { return Load(line + "\n" + kShard).value_or(Config()); };
  EXPECT_EQ(load("write.ack = \"all\"").pools.at(0).write.ack, Ack::kAll);
  EXPECT_EQ(load("write.ack = \"primary\"").pools.at(0).write.ack, Ack::kPrimary);
  EXPECT_EQ(load("write.ack = \"any\"").pools.at(0).write.ack, Ack::kAny);
  EXPECT_EQ(load("write.on_data_loss = \"refuse\"").pools.at(0).write.on_data_loss,
            OnDataLoss::kRefuse);
  EXPECT_EQ(load("write.on_data_loss = \"miss\"").pools.at(0).write.on_data_loss,
            OnDataLoss::kMiss);
  EXPECT_EQ(load("read.from = \"primary\"").pools.at(0).read.from, ReadFrom::kPrimary);
  EXPECT_EQ(load("read.from = \"replica\"").pools.at(0).read.from, ReadFrom::kReplica);
  EXPECT_EQ(load("read.from = \"balanced\"").pools.at(0).read.from, ReadFrom::kBalanced);
  EXPECT_EQ(load("ring.on_change = \"forget\"").pools.at(0).ring.on_change, OnRingChange::kForget);
  EXPECT_EQ(load("log.level = \"debug\"").log.level, LogLevel::kDebug);
  EXPECT_EQ(load("log.level = \"info\"").log.level, LogLevel::kInfo);
  EXPECT_EQ(load("log.level = \"warn\"").log.level, LogLevel::kWarn);
  EXPECT_EQ(load("log.level = \"error\"").log.level, LogLevel::kError);
}

TEST(ConfigOptions, Removals) {
  std::optional<Config> config =
      Load("[removals]\nfollow = false\nset_limits = false\n" + std::string(kShard));
  ASSERT_TRUE(config);
  EXPECT_FALSE(config->pool().removals.follow);
  EXPECT_FALSE(config->pool().removals.set_limits);
}

TEST(ConfigOptions, CommandsOfClients) {
  std::optional<Config> config = Load(
      "[commands]\ndisabled = [\"FLUSHALL\", \"config set\", \"client|kill\"]\n"
      "renamed = [\"KEYS=Slow-Keys=1\"]\ndebug = \"local\"\nnode_options = false\n" +
      std::string(kShard));
  ASSERT_TRUE(config);
  const CommandsConfig& commands = config->pool().command_rules;
  const std::vector<CommandAlias> names = {
      {"flushall", ""}, {"config|set", ""}, {"client|kill", ""}, {"keys", "Slow-Keys=1"}};
  EXPECT_EQ(commands.names, names);
  EXPECT_EQ(commands.names[1].line, 2u);
  EXPECT_EQ(commands.debug, DebugFor::kLocal);
  EXPECT_FALSE(commands.node_options);
}

TEST(ConfigOptions, Slowlog) {
  std::optional<Config> config =
      Load("[slowlog]\nlog_slower_than = -1\nmax_len = 0\n" + std::string(kShard));
  ASSERT_TRUE(config);
  EXPECT_EQ(config->pool().slowlog.log_slower_than, -1);
  EXPECT_EQ(config->pool().slowlog.max_len, 0u);
  EXPECT_FALSE(Loads("[slowlog]\nlog_slower_than = -2\n" + std::string(kShard)));
  EXPECT_FALSE(Loads("[slowlog]\nmax_len = -1\n" + std::string(kShard)));
}

TEST(ConfigOptions, Latency) {
  std::optional<Config> config = Load(
      "[latency]\nmonitor_threshold = 7\ntracking = false\npercentiles = \"0.0 50.50 100.0\"\n" +
      std::string(kShard));
  ASSERT_TRUE(config);
  EXPECT_EQ(config->pool().latency.monitor_threshold, 7u);
  EXPECT_FALSE(config->pool().latency.tracking);
  EXPECT_EQ(config->pool().latency.percentiles, "0 50.5 100");
  EXPECT_FALSE(Loads("[latency]\nmonitor_threshold = -1\n" + std::string(kShard)));
  for (const char* wrong : {"-1", "100.1", "x", "50,99", "5 x", "nan", "0x10"}) {
    EXPECT_FALSE(
        Loads("[latency]\npercentiles = \"" + std::string(wrong) + "\"\n" + std::string(kShard)))
        << wrong;
  }
  EXPECT_TRUE(Load("[latency]\npercentiles = \"\"\n" + std::string(kShard)));
}

TEST(ConfigOptions, Commands) {
  std::optional<Config> config =
      Load(std::string(kShard) +
           "[[command]]\nname = \"json.mset\"\narity = -4\nwrite = true\n"
           "first_key = 1\nlast_key = -3\nkey_step = 3\n"
           "deterministic = true\n"
           "[[command]]\nname = \"_ft.cfg-1\"\n"
           "[[command]]\nname = \"m.none\"\nfirst_key = 0\n"
           "[[command]]\nname = \"m.second\"\narity = 3\nfirst_key = 2\n"
           "[[command]]\nname = \"m.zero\"\nfirst_key = 0\n"
           "last_key = 0\nkey_step = 0\n"
           "[[command]]\nname = \"m.alone\"\narity = 1\nfirst_key = 0\n");
  ASSERT_TRUE(config);
  const std::vector<ExtraCommand> expected = {
      {"json.mset", -4, true, 1, -3, 3, true}, {"_ft.cfg-1", -1, false, 1, 1, 1, false},
      {"m.none", -1, false, 0, 0, 0, false},   {"m.second", 3, false, 2, 2, 1, false},
      {"m.zero", -1, false, 0, 0, 0, false},   {"m.alone", 1, false, 0, 0, 0, false},
  };
  EXPECT_EQ(config->pool().commands, expected);
}

}  // namespace
}  // namespace gemel::config_options_test
