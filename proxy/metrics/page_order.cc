#include "proxy/metrics/page_order.h"

#include "proxy/metrics/status_json.h"

namespace gemel {

namespace {

bool HasNode(const ShardConfig& shard, const std::string& node) {
  for (const Address& address : shard.Nodes()) {
    if (address.ToString() == node) return true;
  }
  return false;
}

}  // namespace

std::optional<PageOrder> ReadPageOrder(const Pool& pool, std::string_view text) {
  using Verb = ShardOrder::Verb;
  const std::optional<std::vector<std::string>> words = SplitCommand(text);
  if (!words || words->size() < 2 || words->size() > 3) return std::nullopt;
  const std::string& verb = (*words)[0];
  const std::string& what = (*words)[1];
  const std::vector<ShardConfig>& configs = pool.config().shards;
  PageOrder order;
  order.text = verb + " " + what + (words->size() == 3 ? " " + (*words)[2] : "");
  order.command = {"PROXY"};
  order.command.insert(order.command.end(), words->begin(), words->end());
  if (verb == "promote") {
    order.order.verb = Verb::kPromote;
    for (size_t i = 0; i < configs.size(); ++i) {
      if (configs[i].name != what) continue;
      if (words->size() == 3 && !HasNode(configs[i], (*words)[2])) return std::nullopt;
      order.slots.push_back(pool.shards()[i].slot);
    }
    if (words->size() == 3) order.order.node = (*words)[2];
  } else {
    if (words->size() == 3) return std::nullopt;
    if (verb == "resync") {
      order.order.verb = Verb::kResync;
    } else if (verb == "drain") {
      order.order.verb = Verb::kDrain;
    } else if (verb == "undrain") {
      order.order.verb = Verb::kUndrain;
    } else {
      return std::nullopt;
    }
    order.order.node = what;
    for (size_t i = 0; i < configs.size(); ++i) {
      if (HasNode(configs[i], what)) order.slots.push_back(pool.shards()[i].slot);
    }
  }
  if (order.slots.empty()) return std::nullopt;
  return order;
}

}  // namespace gemel
