#include "proxy/metrics/status_json.h"

#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "backend/bytes/budget.h"
#include "backend/resync/resync_board.h"
#include "proxy/log/event_log.h"
#include "proxy/seen/clients_seen.h"

namespace gemel {

namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kEvents = 100;
constexpr size_t kKeysOfShard = 8;

// What is no UTF-8 is shown as such.
std::string Text(const Json& json) {
  return json.dump(-1, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace);
}

Json Numbers(const std::vector<FigureReading>& numbers) {
  Json json = Json::object();
  for (const FigureReading& number : numbers) json[std::string(number.name)] = number.value;
  return json;
}

Json Times(const LatencyBuckets& times) {
  Json counts = Json::array();
  for (size_t i = 0; i < LatencyBuckets::kPlaces; ++i) counts.push_back(times.at(i));
  return counts;
}

Json NodeJson(const NodeReadings& node) {
  return {{"address", node.address},
          {"role", node.role},
          {"state", node.state},
          {"health", node.health},
          {"reason", node.reason},
          {"resync", node.resync},
          {"numbers", Numbers(node.numbers)},
          {"times", Times(node.answers)}};
}

Json HotJson(const std::vector<HotKey>& keys) {
  Json json = Json::array();
  for (const HotKey& key : keys) {
    if (json.size() == kKeysOfShard) break;
    json.push_back({{"key", key.key},
                    {"database", key.database},
                    {"kind", key.write ? "write" : "read"},
                    {"per_s", key.per_s},
                    {"part", key.part}});
  }
  return json;
}

Json BigJson(const std::vector<BigKey>& keys) {
  Json json = Json::array();
  for (const BigKey& key : keys) {
    if (json.size() == kKeysOfShard) break;
    json.push_back({{"key", key.key},
                    {"database", key.database},
                    {"kind", BigKeyWord(key.by)},
                    {"bytes", key.bytes},
                    {"age_s", key.age_ms / 1000}});
  }
  return json;
}

Json ShardJson(const ShardReadings& shard, const LatencyBuckets& times) {
  Json nodes = Json::array();
  for (const NodeReadings& node : shard.nodes) nodes.push_back(NodeJson(node));
  return {{"name", shard.name},        {"members", shard.members},
          {"sweep", shard.sweep},      {"numbers", Numbers(shard.numbers)},
          {"times", Times(times)},     {"nodes", std::move(nodes)},
          {"hot", HotJson(shard.hot)}, {"big", BigJson(shard.big)}};
}

Json EventsJson(const ProcessInfo& process) {
  Json json = Json::array();
  if (process.events == nullptr) return json;
  for (const Event& event : process.events->Last(kEvents)) {
    json.push_back({{"time", IsoTime(event.unix_us)},
                    {"level", NoteLevelName(event.level)},
                    {"shard", event.shard},
                    {"text", event.text}});
  }
  return json;
}

Json ResyncsJson(const ProcessInfo& process) {
  Json json = Json::array();
  if (process.resyncs == nullptr) return json;
  for (const ResyncBoard::Running& resync : process.resyncs->running()) {
    const ResyncProgress& progress = resync.progress;
    json.push_back({{"shard", resync.shard},
                    {"source", resync.source},
                    {"node", resync.copy},
                    {"phase", progress.phase.empty() ? "preparing" : progress.phase},
                    {"percent", progress.percent},
                    {"text", ProgressText(progress)}});
  }
  return json;
}

Json ProcessJson(const ProcessInfo& process, std::span<const WorkerReadings> workers) {
  Json json = {{"version", process.version},
               {"uptime_s", process.uptime_s()},
               {"workers", workers.size()},
               {"pool", workers[0].pool->config().name},
               {"clients_limit", workers[0].pool->config().limits.max_clients},
               {"resident_bytes", process.resident_bytes()},
               {"held_bytes", Budget::Held()},
               {"held_limit_bytes", Budget::limit()}};
  uint64_t in_flight = 0;
  for (const WorkerReadings& worker : workers) in_flight += worker.in_flight;
  json["in_flight"] = in_flight;
  ForEachFigure(process.stats, [&json](const FigureSample& sample) {
    if (!sample.of_shards) json[std::string(sample.info.name)] = sample.value;
  });
  std::map<std::string, uint64_t> errors;
  for (const ClientsSeen* worker : process.seen) worker->errors().AddTo(&errors);
  json["errors"] = errors;
  return json;
}

}  // namespace

std::string StatusJson(const ProcessInfo& process, std::span<const WorkerReadings> workers,
                       bool actions) {
  const WorkerReadings& first = workers[0];
  Json shards = Json::array();
  for (const PoolShard& shard : first.pool->shards()) {
    LatencyBuckets times;
    const ShardReadings* found = nullptr;
    for (const WorkerReadings& worker : workers) {
      if (shard.slot < worker.seen.size()) times.Add(worker.seen[shard.slot].times);
      for (const ShardReadings& readings : worker.shards) {
        if (found == nullptr && readings.name == shard.name) found = &readings;
      }
    }
    if (found != nullptr) {
      shards.push_back(ShardJson(*found, times));
    } else {
      shards.push_back({{"name", shard.name}, {"elsewhere", true}});
    }
  }
  Json bounds = Json::array();
  for (size_t i = 0; i < LatencyBuckets::kBounds; ++i) bounds.push_back(LatencyBuckets::BoundUs(i));
  const Json json = {{"process", ProcessJson(process, workers)}, {"actions", actions},
                     {"bounds_us", std::move(bounds)},           {"shards", std::move(shards)},
                     {"resyncs", ResyncsJson(process)},          {"events", EventsJson(process)}};
  return Text(json);
}

std::string PlacesJson(const CommandPlaces& places) {
  Json keys = Json::array();
  for (const KeyPlace& place : places.keys) {
    char hash[40];
    std::snprintf(hash, sizeof(hash), "%016llx at %016llx",
                  static_cast<unsigned long long>(place.hash),
                  static_cast<unsigned long long>(place.point));
    keys.push_back({{"key", place.key},
                    {"hashed", place.hashed},
                    {"hash", hash},
                    {"shard", place.shard},
                    {"write_to", place.told.write_to},
                    {"read_from", place.told.read_from},
                    {"why", place.told.why}});
  }
  return Text({{"error", places.error}, {"refused", places.refused}, {"keys", std::move(keys)}});
}

}  // namespace gemel
