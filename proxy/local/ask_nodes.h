// Asks the nodes of all shards something beside the data path, for a handler that goes on with what
// they said.

#ifndef GEMEL_PROXY_LOCAL_ASK_NODES_H_
#define GEMEL_PROXY_LOCAL_ASK_NODES_H_

#include <functional>
#include <string>
#include <vector>

#include "backend/served/nodes_order.h"
#include "proxy/session/session_context.h"

namespace gemel {

// What a node of a shard said.
struct NodeSaid {
  std::string shard;
  NodesOrder::Answer answer;
};

// `then` runs once, on the worker's thread, maybe before this returns; also if the client has left.
// `place` is the client's, and stays so.
void AskNodes(SessionContext* context, const Request& place, const NodesOrder& order,
              std::function<void(std::vector<NodeSaid>)> then);

// The whole answer to a client's place.
void AnswerPlace(Request* place, std::string_view frame);

// ": node N of shard 'S'".
std::string OfNode(const NodeSaid& said);

}  // namespace gemel

#endif  // GEMEL_PROXY_LOCAL_ASK_NODES_H_
