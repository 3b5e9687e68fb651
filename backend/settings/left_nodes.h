// Nodes that the config lost while no gemel ran: nobody gave them back what they had of their own.

#ifndef GEMEL_BACKEND_SETTINGS_LEFT_NODES_H_
#define GEMEL_BACKEND_SETTINGS_LEFT_NODES_H_

#include <string>
#include <vector>

#include "backend/topology/topology.h"

namespace gemel {

// A sentence for each setting of a node that is in `stored` and in no shard of `now`.
std::vector<std::string> LeftWithSettings(const Topology& stored, const Topology& now);

}  // namespace gemel

#endif  // GEMEL_BACKEND_SETTINGS_LEFT_NODES_H_
