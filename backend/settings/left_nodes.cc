#include "backend/settings/left_nodes.h"

#include <algorithm>
#include <string_view>

namespace gemel {

namespace {

bool HasNode(const Topology& topology, std::string_view node) {
  return std::any_of(topology.shards.begin(), topology.shards.end(),
                     [&](const ShardInfo& shard) { return shard.IndexOf(node) >= 0; });
}

}  // namespace

std::vector<std::string> LeftWithSettings(const Topology& stored, const Topology& now) {
  std::vector<std::string> sentences;
  for (const ShardInfo& shard : stored.shards) {
    for (const CopyInfo& copy : shard.copies) {
      if (copy.settings.empty() || HasNode(now, copy.node)) continue;
      for (const NodeSetting& setting : copy.settings) {
        sentences.push_back("shard '" + shard.name + "': " + copy.node +
                            " left it while gemel was stopped: unless it restarted its " +
                            setting.name + " is still '" + setting.set +
                            "', which gemel set; its own was '" + setting.own + "'");
      }
    }
  }
  return sentences;
}

}  // namespace gemel
