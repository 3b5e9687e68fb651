#include "config/config.h"

namespace gemel {

std::vector<Address> ShardConfig::Nodes() const {
  std::vector<Address> nodes;
  nodes.reserve(1 + replicas.size());
  nodes.push_back(primary);
  nodes.insert(nodes.end(), replicas.begin(), replicas.end());
  return nodes;
}

}  // namespace gemel
