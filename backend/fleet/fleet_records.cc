#include "backend/fleet/fleet_records.h"

#include <charconv>
#include <cstdio>
#include <utility>

#include "backend/topology/topology_text.h"

namespace gemel {

namespace {

constexpr std::string_view kFleetHead = "gemel-fleet";
constexpr std::string_view kLifeHead = "gemel-life";
constexpr std::string_view kShardHead = "gemel-shard";
constexpr std::string_view kVersion = "1";
constexpr std::string_view kNone = "-";

bool IsPlain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '-';
}

// The first line: words with a space between them.
std::string HeadLine(std::string_view head, const std::vector<std::string>& words) {
  std::string line = std::string(head) + " " + std::string(kVersion);
  for (const std::string& word : words) {
    line += " ";
    line += word.empty() ? kNone : std::string_view(word);
  }
  return line + "\n";
}

// Splits the first line off. False and *error if it is not one of `head` with `count` words.
bool TakeHeadLine(std::string_view* text, std::string_view head, size_t count,
                  std::vector<std::string>* words, std::string* error) {
  const size_t end = text->find('\n');
  std::string_view line = text->substr(0, end);
  while (!line.empty()) {
    const size_t space = std::min(line.find(' '), line.size());
    words->emplace_back(line.substr(0, space) == kNone ? std::string_view()
                                                       : line.substr(0, space));
    line.remove_prefix(std::min(space + 1, line.size()));
  }
  if (end == std::string_view::npos || words->size() < 2 || (*words)[0] != head) {
    *error = "it is not what a fleet of gemels keeps there";
    return false;
  }
  if ((*words)[1] != kVersion || words->size() != count + 2) {
    *error = "it is of another version of gemel";
    return false;
  }
  words->erase(words->begin(), words->begin() + 2);
  text->remove_prefix(end + 1);
  return true;
}

bool ParseNumber(const std::string& text, uint64_t* number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *number);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

std::string Flag(bool value) { return value ? "1" : "0"; }

}  // namespace

std::string LifeRegister(std::string_view member) {
  return std::string(kLifePrefix) + std::string(member);
}

std::string ShardRegister(std::string_view shard) {
  std::string name(kShardPrefix);
  for (const char c : shard) {
    if (IsPlain(c)) {
      name += c;
    } else {
      char hex[4];
      std::snprintf(hex, sizeof(hex), "_%02X", static_cast<unsigned>(static_cast<uint8_t>(c)));
      name += hex;
    }
  }
  return name;
}

bool IsMemberName(std::string_view name) {
  if (name.empty() || name.size() > 64 || name == kNone) return false;
  for (const char c : name) {
    if (!IsPlain(c) && c != '_') return false;
  }
  return true;
}

std::string EncodeFleet(const FleetRecord& record) {
  const std::string plan = EncodePlan(record.plan);
  std::string before;
  for (const std::string& each : record.before) before += (before.empty() ? "" : ",") + each;
  return HeadLine(kFleetHead,
                  {record.id, std::to_string(record.last), before, std::to_string(plan.size())}) +
         plan + (record.next ? EncodePlan(*record.next) : std::string());
}

std::string EncodeLife(const LifeRecord& record) {
  return HeadLine(kLifeHead,
                  {std::to_string(record.number), record.id, std::to_string(record.beat),
                   Flag(record.ended), Flag(record.witness), Flag(record.draining), record.address,
                   std::to_string(record.route), std::to_string(record.agreed)});
}

Topology AloneOf(const ShardInfo& info, const std::vector<RingSpec>& rings) {
  Topology topology;
  topology.shards.push_back(info);
  for (const RingSpec& ring : rings) {
    if (ring.IndexOf(info.name) < 0) continue;
    RingSpec& only = topology.rings.emplace_back(ring);
    std::erase_if(only.shards, [&](const auto& shard) { return shard.name != info.name; });
  }
  return topology;
}

std::string EncodeShard(const ShardRecord& record, const std::vector<RingSpec>& rings) {
  return HeadLine(kShardHead,
                  {record.owner, std::to_string(record.owner_life), record.owner_life_id,
                   std::to_string(record.owner_epoch), record.next, record.stamp}) +
         EncodeTopology(AloneOf(record.info, rings));
}

std::optional<FleetRecord> DecodeFleet(std::string_view text, std::string* error) {
  std::vector<std::string> words;
  if (!TakeHeadLine(&text, kFleetHead, 4, &words, error)) return std::nullopt;
  FleetRecord record;
  uint64_t size = 0;
  if (!ParseNumber(words[1], &record.last) || !ParseNumber(words[3], &size) || size > text.size()) {
    *error = "it has no number where one must be";
    return std::nullopt;
  }
  record.id = words[0];
  for (std::string_view rest = words[2]; !rest.empty();) {
    const size_t end = std::min(rest.find(','), rest.size());
    record.before.emplace_back(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  std::optional<FleetPlan> plan = DecodePlan(text.substr(0, size), error);
  if (!plan) return std::nullopt;
  record.plan = *std::move(plan);
  text.remove_prefix(size);
  if (text.empty()) return record;
  record.next = DecodePlan(text, error);
  return record.next ? std::optional(std::move(record)) : std::nullopt;
}

std::optional<LifeRecord> DecodeLife(std::string_view text, std::string* error) {
  std::vector<std::string> words;
  if (!TakeHeadLine(&text, kLifeHead, 9, &words, error)) return std::nullopt;
  LifeRecord record;
  if (!ParseNumber(words[0], &record.number) || !ParseNumber(words[2], &record.beat) ||
      !ParseNumber(words[7], &record.route) || !ParseNumber(words[8], &record.agreed)) {
    *error = "it has no number where one must be";
    return std::nullopt;
  }
  record.id = words[1];
  record.ended = words[3] == "1";
  record.witness = words[4] == "1";
  record.draining = words[5] == "1";
  record.address = words[6];
  return record;
}

std::optional<ShardRecord> DecodeShard(std::string_view text, std::string* error) {
  std::vector<std::string> words;
  if (!TakeHeadLine(&text, kShardHead, 6, &words, error)) return std::nullopt;
  ShardRecord record;
  if (!ParseNumber(words[1], &record.owner_life) || !ParseNumber(words[3], &record.owner_epoch)) {
    *error = "it has no number where one must be";
    return std::nullopt;
  }
  std::optional<Topology> topology = DecodeTopology(text, error);
  if (!topology) return std::nullopt;
  if (topology->shards.size() != 1) {
    *error = "it has not one shard";
    return std::nullopt;
  }
  record.owner = words[0];
  record.owner_life_id = words[2];
  record.next = words[4];
  record.stamp = words[5];
  record.info = std::move(topology->shards[0]);
  return record;
}

}  // namespace gemel
