// The text of a state file: EncodeTopology and DecodeTopology.

#include "backend/topology/topology_text.h"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "backend/topology/checked_toml.h"
#include "backend/topology/saved_names.h"

namespace gemel {
namespace checked_toml {
namespace {

constexpr uint64_t kTopologyVersion = 1;

// Older files have neither cause nor drainer: they are what the reason says, in the words of then.
void CauseOfReason(CopyInfo* copy) {
  if (copy->reason == "the proxy did not stop in order") {
    copy->cause = StaleCause::kNotClean;
  } else if (copy->reason == "the proxy did not stop in order, and it was not made equal since") {
    copy->cause = StaleCause::kNotCleanBefore;
  }
}

DrainedBy DrainerOfReason(const CopyInfo& copy) {
  return copy.reason == "it leaves the shard" ? DrainedBy::kConfig : DrainedBy::kOperator;
}

// Reads a saved enum. The first name that is not known is kept as the error.
template <typename Enum, size_t kSize>
void GetNamed(const toml::table& table, std::string_view key, const SavedName<Enum> (&names)[kSize],
              Enum* value, std::string* error) {
  std::string name;
  Fields(table, error).Get(key, &name);
  const std::optional<Enum> found = ValueOf(names, name);
  if (found) {
    *value = *found;
  } else if (error->empty()) {
    *error = "\"" + std::string(key) + "\" of a copy is \"" + name +
             "\", which this gemel does not know";
  }
}

void DecodeCause(const toml::table& table, CopyInfo* copy, std::string* error) {
  if (table.contains("cause")) {
    GetNamed(table, "cause", kSavedCauses, &copy->cause, error);
  } else if (copy->state == CopyState::kStale) {
    CauseOfReason(copy);
  }
  bool drained = false;
  Fields(table, error).GetOptional("drained", &drained);
  if (table.contains("drained_by")) {
    GetNamed(table, "drained_by", kSavedDrainers, &copy->drained_by, error);
    if (error->empty() && drained != copy->drained()) {
      *error = "\"drained\" and \"drained_by\" of a copy contradict each other";
    }
  } else if (drained) {
    copy->drained_by = DrainerOfReason(*copy);
  }
}

CopyInfo DecodeCopy(const toml::table& table, std::string* error) {
  CopyInfo copy;
  std::string state;
  Fields fields(table, error);
  fields.Get("node", &copy.node);
  fields.Get("state", &state);
  fields.Get("run_id", &copy.run_id);
  fields.Get("reason", &copy.reason);
  if (state == "in sync") {
    copy.state = CopyState::kInSync;
  } else if (state == "stale") {
    copy.state = CopyState::kStale;
  } else if (error->empty()) {
    *error = "\"state\" of a copy is neither \"in sync\" nor \"stale\"";
  }
  DecodeCause(table, &copy, error);
  copy.settings = DecodeSettings(table, error);
  return copy;
}

ShardInfo DecodeShard(const toml::table& table, std::string* error) {
  ShardInfo shard;
  std::string primary;
  Fields fields(table, error);
  fields.Get("name", &shard.name);
  fields.Get("epoch", &shard.epoch);
  fields.Get("primary", &primary);
  fields.Get("adopted", &shard.adopted);
  fields.GetOptional("swept", &shard.swept);
  fields.ForEach("copy",
                 [&](const toml::table& copy) { shard.copies.push_back(DecodeCopy(copy, error)); });
  const int index = shard.IndexOf(primary);
  if (index >= 0) {
    shard.primary = static_cast<uint32_t>(index);
  } else if (error->empty()) {
    *error = "the primary of a shard is not one of its copies";
  }
  return shard;
}

}  // namespace
}  // namespace checked_toml

std::string EncodeTopology(const Topology& topology) {
  using namespace checked_toml;
  std::string out =
      "# The state of a gemel proxy: roles, epochs and stale marks of its shards; rings.\n"
      "# Written by the proxy; a file changed by hand is refused.\n";
  AppendEntry(&out, "version", kTopologyVersion);
  AppendEntry(&out, "epoch", topology.epoch);
  AppendFlag(&out, "clean", topology.clean);
  for (const ShardInfo& shard : topology.shards) {
    out += "\n[[shard]]\n";
    AppendEntry(&out, "name", shard.name);
    AppendEntry(&out, "epoch", shard.epoch);
    AppendEntry(&out, "primary", shard.copies[shard.primary].node);
    AppendFlag(&out, "adopted", shard.adopted);
    if (shard.swept > 0) AppendEntry(&out, "swept", shard.swept);
    for (const CopyInfo& copy : shard.copies) {
      out += "\n[[shard.copy]]\n";
      AppendEntry(&out, "node", copy.node);
      AppendEntry(&out, "state",
                  std::string_view(copy.state == CopyState::kInSync ? "in sync" : "stale"));
      AppendEntry(&out, "run_id", copy.run_id);
      AppendEntry(&out, "reason", copy.reason);
      if (copy.state == CopyState::kStale)
        AppendEntry(&out, "cause", NameOf(kSavedCauses, copy.cause));
      if (copy.drained()) {
        AppendFlag(&out, "drained", true);
        AppendEntry(&out, "drained_by", NameOf(kSavedDrainers, copy.drained_by));
      }
      AppendSettings(&out, "\n[[shard.copy.setting]]", copy.settings);
    }
  }
  for (const RingSpec& ring : topology.rings) {
    out += "\n[[ring]]\n";
    AppendRing(&out, ring);
  }
  out += '\n';
  out += Footer(out);
  return out;
}

std::optional<Topology> DecodeTopology(std::string_view text, std::string* error) {
  using namespace checked_toml;
  const std::optional<toml::table> table = Parse(text, kTopologyVersion, error);
  if (!table) return std::nullopt;
  Fields fields(*table, error);
  Topology topology;
  fields.Get("epoch", &topology.epoch);
  fields.Get("clean", &topology.clean);
  fields.ForEach("shard", [&](const toml::table& shard) {
    topology.shards.push_back(DecodeShard(shard, error));
  });
  fields.ForEach(
      "ring", [&](const toml::table& ring) { topology.rings.push_back(DecodeRing(ring, error)); });
  if (!error->empty() || !CheckTopology(topology, error)) return std::nullopt;
  return topology;
}

}  // namespace gemel
