// CONFIG GET and SET of options that only the nodes have: all nodes of all shards are asked, and
// answer as one.

#ifndef GEMEL_PROXY_LOCAL_NODE_OPTIONS_H_
#define GEMEL_PROXY_LOCAL_NODE_OPTIONS_H_

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "backend/served/nodes_order.h"
#include "proxy/local/local_commands.h"

namespace gemel {

class KeptOptions;

using NodeOptionList = std::vector<std::pair<std::string, std::string>>;

// Why a client may not set that option of the nodes through gemel, the end of a sentence; empty: it
// may.
std::string_view WhyOfEachNode(std::string_view option);

// The options that match the patterns and are the same on all nodes (of what each copy needs
// another value of, on all primaries), but for `own`, which gemel answers, and passwords. *error:
// one was named in full, and it differs, or no node tells it.
void GetNodeOptions(LocalCommands& local, Session& session, const Request& place,
                    std::vector<std::string> patterns, std::set<std::string> own,
                    std::function<void(NodeOptionList, const std::string& error)> then);

// Options that all nodes that are up have now, though it is not said yet that they stay: as long as
// one is there, no node is set back to what was kept before (KeptOptions::changing). Its end keeps
// them, unless they were taken back.
class NodeOptionChange {
 public:
  // `keep`: null: nothing is kept. Outlives it.
  explicit NodeOptionChange(KeptOptions* keep);
  ~NodeOptionChange();
  NodeOptionChange(const NodeOptionChange&) = delete;
  NodeOptionChange& operator=(const NodeOptionChange&) = delete;

  // To be called before anybody is told of it.
  void Keep();

  NodeOptionList options;
  std::map<std::string, std::vector<NodesOrder::Command>> undo;  // by node
  bool stays = false;

 private:
  KeptOptions* keep_;
};
using NodeOptionChangePtr = std::shared_ptr<NodeOptionChange>;

// Sets the options on all nodes that are up; the others get them when they come. If one refuses it
// is taken back everywhere, `error` says why, and there is no change.
void SetNodeOptions(LocalCommands& local, Session& session, const Request& place,
                    NodeOptionList options,
                    std::function<void(const std::string& error, NodeOptionChangePtr change)> then);

// Takes it back. Nobody waits for it.
void UndoNodeOptions(SessionContext* context, const Request& place, NodeOptionChangePtr change);

}  // namespace gemel

#endif  // GEMEL_PROXY_LOCAL_NODE_OPTIONS_H_
