#include "config/config_sections.h"

#include <algorithm>
#include <string>
#include <tuple>
#include <utility>

#include "config/config_commands.h"
#include "config/config_fleet.h"
#include "config/config_seen.h"
#include "config/config_text.h"
#include "config/config_tls.h"
#include "config/config_users.h"

namespace gemel {

namespace {

constexpr size_t kMaxListens = 64;
constexpr size_t kMaxShards = 4096;
constexpr size_t kMaxReplicas = 15;

constexpr uint64_t kKb = 1ull << 10;
constexpr uint64_t kMb = 1ull << 20;
constexpr uint64_t kGb = 1ull << 30;
constexpr int64_t kMinuteMs = 60 * 1000;
constexpr int64_t kHourMs = 60 * kMinuteMs;
constexpr int64_t kDayS = 24 * 60 * 60;

constexpr char kAddress[] = "an address such as \"127.0.0.1:6379\" or \"unix:/run/redis.sock\"";
constexpr char kAnnounce[] = "an address such as \"cache.example.org:6379\", or \"\"";
constexpr char kAddresses[] = "an array of addresses such as [\"127.0.0.1:6379\"]";

bool ToAddress(TableReader& table, std::string_view key, const std::string& text, Place place,
               Address* address) {
  std::string error;
  std::optional<Address> parsed = ParseAddress(text, &error);
  if (!parsed) {
    table.Reject(key, place, "bad address " + Quote(text) + ", " + error);
    return false;
  }
  *address = std::move(*parsed);
  address->line = place.line;
  address->column = place.column;
  return true;
}

// An array of addresses. Returns its place if there is one and all of it is good.
std::optional<Place> ReadAddresses(TableReader& table, std::string_view key, size_t most,
                                   std::vector<Address>* addresses, std::vector<Place>* places) {
  std::vector<TableReader::Item> items;
  std::optional<Place> place = table.Strings(key, kAddresses, most, &items);
  table.Protect(key);
  std::string shown;
  for (const Address& address : *addresses)
    shown += (shown.empty() ? "" : " ") + address.ToString();
  table.Show(std::move(shown));
  if (!place) return std::nullopt;
  addresses->clear();
  bool good = true;
  for (const TableReader::Item& item : items) {
    Address address;
    good = ToAddress(table, key, item.text, item.place, &address) && good;
    addresses->push_back(std::move(address));
    places->push_back(item.place);
  }
  return good ? place : std::nullopt;
}

// Returns its place, if there is one.
std::optional<Place> ReadPath(TableReader& table, std::string_view key, bool may_be_empty,
                              std::string* path) {
  std::optional<Place> place = table.String(key, "a path as a string", path);
  table.Protect(key);  // who names a file writes one
  if (!place) return place;
  if (path->empty() && !may_be_empty) {
    table.Reject(key, *place, "empty path, expected that of a folder");
  } else if (HasControl(*path)) {
    table.Reject(key, *place, "bad path " + Quote(*path) + ", expected no control characters");
  }
  return place;
}

void ReadProxy(TableReader table, Config* config, PoolPlaces* places) {
  PoolConfig& pool = config->pool();
  if (pool.listen.empty()) pool.listen = {Address{"127.0.0.1", 6380, ""}};
  auto listen = ReadAddresses(table, "listen", kMaxListens, &pool.listen, &places->listen);
  if (listen && pool.listen.empty()) {
    table.Reject("listen", *listen, "expected at least one address, found none");
  }
  table.Integer("workers", 0, 256, &config->workers);
  table.Choice<Scheduling>("scheduling",
                           {{"batch", Scheduling::kBatch}, {"normal", Scheduling::kNormal}},
                           &config->scheduling);
  table.Bool("io_uring", &config->io_uring);
  ReadPath(table, "state_dir", false, &config->state_dir);
  table.Bool("watch_config", &config->watch_config);
  table.Integer("databases", 1, 256, &pool.databases);
  table.Bool("cluster", &pool.cluster);
  std::string announce = pool.announce.host.empty() ? "" : pool.announce.ToString();
  if (auto place = table.String("announce", kAnnounce, &announce); place && !announce.empty()) {
    Address address;
    if (ToAddress(table, "announce", announce, *place, &address) &&
        (address.IsUnix() || address.tls)) {
      table.Reject("announce", *place,
                   std::string("expected ") + kAnnounce + ", found " + Quote(announce));
    }
    pool.announce = std::move(address);
  }
  table.Bool("protected_mode", &pool.protected_mode);
  table.Protect("protected_mode");
  table.Choice<ProtectedConfigs>("protected_configs",
                                 {{"no", ProtectedConfigs::kNo},
                                  {"yes", ProtectedConfigs::kYes},
                                  {"local", ProtectedConfigs::kLocal}},
                                 &config->protected_configs);
  table.Protect("protected_configs", Guard::kFileOnly);
  ReadCredentials(&table, &pool.user, &pool.password);
  table.Bool("allow_readable_secrets", &config->allow_readable_secrets);
  table.Protect("allow_readable_secrets", Guard::kFileOnly);
  table.Finish();
}

void ReadRing(TableReader table, RingConfig* ring, PoolPlaces* places) {
  table.Choice<std::string>("distribution", {{"ring", "ring"}}, &ring->distribution);
  places->points = table.Integer("points", 1, 65536, &ring->points);
  table.Choice<std::string>("hash", {{"xxh3", "xxh3"}}, &ring->hash);
  constexpr char kTag[] = "two characters such as \"{}\", or \"\" for none";
  if (auto place = table.String("hash_tag", kTag, &ring->hash_tag)) {
    const std::string& tag = ring->hash_tag;
    bool ascii = std::all_of(tag.begin(), tag.end(),
                             [](char c) { return static_cast<unsigned char>(c) < 0x80; });
    if (!tag.empty() && (tag.size() != 2 || !ascii || HasControl(tag))) {
      table.Reject("hash_tag", *place, std::string("expected ") + kTag + ", found " + Quote(tag));
    }
  }
  table.Choice<OnRingChange>("on_change", {{"forget", OnRingChange::kForget}}, &ring->on_change);
  table.Integer("forget_keys_per_s", 1, 10000000, &ring->forget_keys_per_s);
  table.Finish();
}

void ReadShard(TableReader table, ShardConfig* shard, ShardPlaces* places) {
  places->head = table.place();
  constexpr char kName[] = "1 to 64 of the characters A-Z a-z 0-9 _ . : -";
  if (auto place = table.String("name", "a string", &shard->name)) {
    places->name = *place;
    if (!IsName(shard->name, "_.:-", true)) {
      table.Reject("name", *place, "bad name " + Quote(shard->name) + ", expected " + kName);
    }
  } else if (!table.Has("name")) {
    table.Missing("name", std::string("a name of ") + kName);
  }
  std::string primary;
  if (auto place = table.String("primary", kAddress, &primary)) {
    places->primary = *place;
    ToAddress(table, "primary", primary, *place, &shard->primary);
  } else if (!table.Has("primary")) {
    table.Missing("primary", kAddress);
  }
  ReadAddresses(table, "replicas", kMaxReplicas, &shard->replicas, &places->replicas);
  places->weight = table.Integer("weight", 1, 1000, &shard->weight);
  ReadCredentials(&table, &shard->user, &shard->password);
  table.Integer("database", 0, 1023, &shard->database);
  table.Finish();
}

void ReadWrite(TableReader table, WriteConfig* write) {
  table.Choice<Ack>("ack", {{"all", Ack::kAll}, {"primary", Ack::kPrimary}, {"any", Ack::kAny}},
                    &write->ack);
  table.Choice<OnDataLoss>("on_data_loss",
                           {{"refuse", OnDataLoss::kRefuse}, {"miss", OnDataLoss::kMiss}},
                           &write->on_data_loss);
  table.Finish();
}

void ReadRead(TableReader table, ReadConfig* read) {
  table.Choice<ReadFrom>("from",
                         {{"primary", ReadFrom::kPrimary},
                          {"replica", ReadFrom::kReplica},
                          {"balanced", ReadFrom::kBalanced}},
                         &read->from);
  table.Integer("hedge_ms", 0, kHourMs, &read->hedge_ms);
  table.Finish();
}

void ReadHealth(TableReader table, HealthConfig* health) {
  table.Integer("interval_ms", 10, kHourMs, &health->interval_ms);
  table.Integer("timeout_ms", 10, kHourMs, &health->timeout_ms);
  table.Integer("min_timeout_ms", 10, kHourMs, &health->min_timeout_ms);
  table.Integer("failures", 1, 1000, &health->failures);
  table.Choice<Failback>("failback",
                         {{"never", Failback::kNever}, {"when-in-sync", Failback::kWhenInSync}},
                         &health->failback);
  table.Integer("resolve_s", 0, kDayS, &health->resolve_s);
  table.Finish();
}

// The bound `key` must not be below `other`; the mistake is put where the file says one of them.
void CheckOrder(TableReader& table, std::string_view key, std::optional<Place> place, bool in_order,
                std::string_view other, std::optional<Place> other_place, const std::string& value,
                const std::string& other_value) {
  if (in_order || table.IsWrong(key) || table.IsWrong(other) || (!place && !other_place)) return;
  table.Reject(place ? key : other, place ? *place : *other_place,
               "expected " + std::string(key) + " (" + value + ") to be at least " +
                   std::string(other) + " (" + other_value + ")");
}

void ReadLimits(TableReader table, LimitsConfig* limits) {
  table.Integer("max_clients", 1, 1000 * 1000, &limits->max_clients);
  auto max_bulk = table.Size("max_bulk", kKb, 16 * kGb, &limits->max_bulk);
  table.Integer("max_args", 16, 16 * 1024 * 1024, &limits->max_args);
  table.Size("max_inline", 64, 64 * kMb, &limits->max_inline);
  auto max_request = table.Size("max_request", kKb, 64 * kGb, &limits->max_request);
  table.Size("max_reply", kKb, 64 * kGb, &limits->max_reply);
  table.Integer("client_pending", 1, 16 * 1024 * 1024, &limits->client_pending);
  table.Integer("client_watched", 1, 16 * 1024 * 1024, &limits->client_watched);
  table.Integer("client_subscriptions", 1, 16 * 1024 * 1024, &limits->client_subscriptions);
  table.Integer("tracking_table_max_keys", 1, 1000 * 1000 * 1000, &limits->tracking_table_max_keys);
  auto output = table.Size("client_output", kKb, 64 * kGb, &limits->client_output);
  auto hard = table.Size("client_output_hard", kKb, 64 * kGb, &limits->client_output_hard);
  auto messages = table.Size("subscriber_output", kKb, 64 * kGb, &limits->subscriber_output);
  auto soft = table.Size("subscriber_output_soft", kKb, 64 * kGb, &limits->subscriber_output_soft);
  table.Size("scripts", kKb, 64 * kGb, &limits->scripts);
  table.Size("buffered", kKb, 1024 * kGb, &limits->buffered);
  table.Size("node_pending_bytes", kKb, 64 * kGb, &limits->node_pending_bytes);
  table.Integer("node_pending", 1, 16 * 1024 * 1024, &limits->node_pending);
  table.Integer("shard_held", 1, 16 * 1024 * 1024, &limits->shard_held);
  CheckOrder(table, "max_request", max_request, limits->max_request >= limits->max_bulk, "max_bulk",
             max_bulk, FormatSize(limits->max_request), FormatSize(limits->max_bulk));
  // A default above it is no mistake: the lower one counts.
  CheckOrder(table, "client_output_hard", hard,
             !output || limits->client_output_hard >= limits->client_output, "client_output",
             output, FormatSize(limits->client_output_hard), FormatSize(limits->client_output));
  CheckOrder(table, "subscriber_output", messages,
             !soft || limits->subscriber_output >= limits->subscriber_output_soft,
             "subscriber_output_soft", soft, FormatSize(limits->subscriber_output),
             FormatSize(limits->subscriber_output_soft));
  table.Finish();
}

void ReadTimeouts(TableReader table, TimeoutsConfig* timeouts) {
  table.Integer("connect_ms", 0, kHourMs, &timeouts->connect_ms);
  table.Integer("request_ms", 0, kHourMs, &timeouts->request_ms);
  table.Integer("idle_s", 0, 365 * kDayS, &timeouts->idle_s);
  table.Integer("drain_ms", 0, kHourMs, &timeouts->drain_ms);
  // Not 0: a dead node would be tried again without a pause.
  auto least = table.Integer("reconnect_min_ms", 1, kHourMs, &timeouts->reconnect_min_ms);
  auto most = table.Integer("reconnect_max_ms", 1, kHourMs, &timeouts->reconnect_max_ms);
  table.Integer("keepalive_s", 0, 32767, &timeouts->keepalive_s);  // the kernel's own bound
  CheckOrder(table, "reconnect_max_ms", most,
             timeouts->reconnect_max_ms >= timeouts->reconnect_min_ms, "reconnect_min_ms", least,
             std::to_string(timeouts->reconnect_max_ms),
             std::to_string(timeouts->reconnect_min_ms));
  table.Finish();
}

void ReadResync(TableReader table, ResyncConfig* resync) {
  table.Integer("pause_ms", 1, kMinuteMs, &resync->pause_ms);
  table.Integer("timeout_s", 1, 7 * kDayS, &resync->timeout_s);
  table.Integer("retry_ms", 10, kHourMs, &resync->retry_ms);
  table.Integer("journal_keys", 0, 1000000000, &resync->journal_keys);
  table.Size("journal_bytes", 1024, 1ull << 40, &resync->journal_bytes);
  table.Integer("repair_keys_per_s", 1, 10000000, &resync->repair_keys_per_s);
  table.Integer("max_parallel", 1, 1000, &resync->max_parallel);
  table.Finish();
}

void ReadAudit(TableReader table, AuditConfig* audit) {
  table.Integer("keys_per_s", 1, 1000 * 1000, &audit->keys_per_s);
  table.Integer("interval_s", 0, 30 * kDayS, &audit->interval_s);
  table.Size("max_value", kKb, 16 * kGb, &audit->max_value);
  table.Finish();
}

void ReadRemovals(TableReader table, RemovalsConfig* removals) {
  table.Bool("follow", &removals->follow);
  table.Bool("set_limits", &removals->set_limits);
  table.Finish();
}

void ReadLog(TableReader table, LogConfig* log) {
  table.Choice<LogLevel>("level",
                         {{"debug", LogLevel::kDebug},
                          {"info", LogLevel::kInfo},
                          {"warn", LogLevel::kWarn},
                          {"error", LogLevel::kError}},
                         &log->level);
  if (const std::optional<Place> place = ReadPath(table, "file", true, &log->file)) {
    log->line = place->line;
    log->column = place->column;
  }
  // Files are removed and cut by these.
  table.Size("rotate_bytes", 4 * kKb, 1024 * kGb, &log->rotate_bytes);
  table.Protect("rotate_bytes");
  table.Integer("rotate_files", 0, 1000, &log->rotate_files);
  table.Protect("rotate_files");
  table.Finish();
}

}  // namespace

void ReadSections(const toml::table& file, Config* config, PoolPlaces* places, Mistakes* mistakes,
                  std::vector<OptionInfo>* options) {
  PoolConfig& pool = config->pool();
  TableReader root(&file, "", mistakes);
  auto section = [&](const char* key) {
    TableReader reader(root.Section(key), "[" + std::string(key) + "]", mistakes);
    reader.Record(options);
    return reader;
  };
  ReadProxy(section("proxy"), config, places);
  ReadRing(section("ring"), &pool.ring, places);
  for (const toml::table* table : root.Sections("shard", kMaxShards)) {
    ReadShard(TableReader(table, "[[shard]]", mistakes), &pool.shards.emplace_back(),
              &places->shards.emplace_back());
  }
  ReadUsers(&root, &pool, mistakes);
  ReadWrite(section("write"), &pool.write);
  ReadRead(section("read"), &pool.read);
  ReadHealth(section("health"), &pool.health);
  ReadLimits(section("limits"), &pool.limits);
  ReadTimeouts(section("timeouts"), &pool.timeouts);
  ReadResync(section("resync"), &pool.resync);
  ReadAudit(section("audit"), &pool.audit);
  ReadRemovals(section("removals"), &pool.removals);
  ReadCommands(section("commands"), &pool.command_rules);
  ReadFleet(section("fleet"), &config->fleet, &places->coordinator);
  ReadSlowlog(section("slowlog"), &pool.slowlog);
  ReadLatency(section("latency"), &pool.latency);
  ReadMetrics(section("metrics"), !pool.users.empty() || !pool.password.empty(), &config->metrics);
  for (const toml::table* table : root.Sections("command", kMaxConfigCommands)) {
    ReadCommand(TableReader(table, "[[command]]", mistakes), &pool.commands.emplace_back(),
                &places->commands.emplace_back());
  }
  ReadTls(section("tls"), &config->tls);
  for (const toml::table* table : root.Sections("tls_cert", kMaxListens)) {
    ReadTlsCert(TableReader(table, "[[tls_cert]]", mistakes), &config->tls.others.emplace_back());
  }
  ReadNodeTls(section("node_tls"), &config->node_tls);
  ReadNodeTls(section("coordinator_tls"), &config->coordinator_tls);
  ReadLog(section("log"), &config->log);
  root.Finish();
}

}  // namespace gemel
