#include "proxy/top/top_snapshot.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "backend/resp/reply_reader.h"

namespace gemel {

namespace {

uint64_t NumberOf(std::string_view text) {
  uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

std::vector<std::string_view> ItemsOf(std::string_view reply) {
  std::vector<std::string_view> items;
  SplitArray(reply, &items);
  return items;
}

// The value of a name in a flat array; empty: there is none.
std::string_view FieldOf(const std::vector<std::string_view>& fields, std::string_view name) {
  for (size_t i = 0; i + 1 < fields.size(); i += 2) {
    if (ReplyText(fields[i]) == name) return fields[i + 1];
  }
  return {};
}

std::string TextOf(const std::vector<std::string_view>& fields, std::string_view name) {
  return std::string(ReplyText(FieldOf(fields, name)));
}

uint64_t NumberOf(const std::vector<std::string_view>& fields, std::string_view name) {
  return NumberOf(ReplyText(FieldOf(fields, name)));
}

// The first error is told.
bool TakeError(std::string_view reply, char type, TopSnapshot* snapshot) {
  if (!reply.empty() && reply[0] == type) return false;
  if (snapshot->error.empty()) {
    snapshot->error = reply.starts_with('-') ? ReplyText(reply) : "an answer that is no gemel's";
  }
  return true;
}

// "calls" of "calls=1,usec=2".
std::string_view PartOf(std::string_view value, std::string_view name) {
  while (!value.empty()) {
    const size_t end = std::min(value.find(','), value.size());
    const std::string_view part = value.substr(0, end);
    value.remove_prefix(std::min(end + 1, value.size()));
    if (part.starts_with(name) && part.substr(name.size()).starts_with('=')) {
      return part.substr(name.size() + 1);
    }
  }
  return {};
}

void AddCommand(std::string_view name, std::string_view value, TopSnapshot* snapshot) {
  snapshot->commands.push_back(
      {std::string(name), NumberOf(PartOf(value, "calls")), NumberOf(PartOf(value, "usec")), ""});
}

void AddLine(std::string_view line, TopSnapshot* snapshot) {
  constexpr std::string_view kStats = "cmdstat_";
  constexpr std::string_view kLatency = "latency_percentiles_usec_";
  const size_t colon = line.find(':');
  if (line.starts_with('#') || colon == std::string_view::npos) return;
  const std::string_view name = line.substr(0, colon);
  const std::string_view value = line.substr(colon + 1);
  if (name.starts_with(kStats)) {
    AddCommand(name.substr(kStats.size()), value, snapshot);
  } else if (name.starts_with(kLatency)) {
    for (TopCommand& command : snapshot->commands) {
      if (command.name == name.substr(kLatency.size())) command.p99 = PartOf(value, "p99");
    }
  } else {
    snapshot->info.emplace(name, value);
  }
}

TopNode NodeOf(std::string_view reply) {
  const std::vector<std::string_view> fields = ItemsOf(reply);
  TopNode node{TextOf(fields, "address"), TextOf(fields, "role"),   TextOf(fields, "state"),
               TextOf(fields, "health"),  TextOf(fields, "resync"), NumberOf(fields, "pending")};
  if (node.note.empty() && node.state != "in-sync") node.note = TextOf(fields, "reason");
  return node;
}

}  // namespace

uint64_t TopSnapshot::Number(std::string_view field) const { return NumberOf(Text(field)); }

std::string_view TopSnapshot::Text(std::string_view field) const {
  const auto found = info.find(field);
  return found == info.end() ? std::string_view() : std::string_view(found->second);
}

void ReadTopInfo(std::string_view reply, TopSnapshot* snapshot) {
  if (TakeError(reply, '$', snapshot)) return;
  std::string_view text = ReplyText(reply);
  while (!text.empty()) {
    const size_t end = std::min(text.find("\r\n"), text.size());
    AddLine(text.substr(0, end), snapshot);
    text.remove_prefix(std::min(end + 2, text.size()));
  }
}

void ReadTopShards(std::string_view reply, TopSnapshot* snapshot) {
  if (TakeError(reply, '*', snapshot)) return;
  for (const std::string_view item : ItemsOf(reply)) {
    const std::vector<std::string_view> fields = ItemsOf(item);
    TopShard shard;
    shard.name = TextOf(fields, "name");
    shard.owner = TextOf(fields, "owner");
    shard.members = TextOf(fields, "members");
    shard.epoch = NumberOf(fields, "epoch");
    shard.reads = NumberOf(fields, "reads");
    shard.writes = NumberOf(fields, "writes");
    for (const std::string_view node : ItemsOf(FieldOf(fields, "nodes"))) {
      shard.nodes.push_back(NodeOf(node));
    }
    snapshot->shards.push_back(std::move(shard));
  }
}

void ReadTopKeys(std::string_view reply, TopSnapshot* snapshot) {
  if (TakeError(reply, '*', snapshot)) return;
  std::map<std::string, uint64_t> counts;
  for (const std::string_view item : ItemsOf(FieldOf(ItemsOf(reply), "requests"))) {
    const std::string key = TextOf(ItemsOf(item), "key");
    if (key.empty()) continue;
    ++counts[key];
    ++snapshot->sampled;
  }
  for (const auto& [key, requests] : counts) snapshot->keys.push_back({key, requests});
  std::stable_sort(
      snapshot->keys.begin(), snapshot->keys.end(),
      [](const TopKey& one, const TopKey& other) { return one.requests > other.requests; });
}

}  // namespace gemel
