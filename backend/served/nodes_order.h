// What a client asks of the nodes of a shard themselves, beside the data path: their own options
// (CONFIG GET and SET), BGSAVE, LASTSAVE, ... The cargo of a request of kind kNodes.

#ifndef GEMEL_BACKEND_SERVED_NODES_ORDER_H_
#define GEMEL_BACKEND_SERVED_NODES_ORDER_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "backend/resync/control_port.h"
#include "backend/shard/request.h"

namespace gemel {

struct NodesOrder : RequestCargo {
  using Command = std::vector<std::string>;

  // --- what is asked ---
  std::vector<Command> commands;  // of each node, in their order; none waits for another
  // Where there are any: of these nodes, by name, and of no others.
  std::map<std::string, std::vector<Command>> of_nodes;
  // Options that gemel may have changed: in the replies to CONFIG GET they are as without it.
  std::vector<std::string> own_values;
  // Asked of each node again and again behind `commands`, for as long as its answer has that text
  // in it; empty: nothing is. Until then, or until the node is away, the order is not answered.
  Command poll;
  std::string while_has;
  // Nothing is asked, and it is answered so much later.
  uint64_t delay_ms = 0;

  // --- what they said, once the request is answered ---
  struct Answer {
    std::string node;
    bool primary = false;
    bool away = false;                  // it was not asked: there is no connection
    std::vector<ControlReply> replies;  // one a command
  };
  std::vector<Answer> answers;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SERVED_NODES_ORDER_H_
