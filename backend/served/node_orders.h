// Carries out what clients ask of the nodes themselves (nodes_order.h), over their control
// connections.

#ifndef GEMEL_BACKEND_SERVED_NODE_ORDERS_H_
#define GEMEL_BACKEND_SERVED_NODE_ORDERS_H_

#include <cstdint>
#include <map>
#include <vector>

#include "backend/life/alive.h"
#include "backend/resync/control_port.h"
#include "backend/served/nodes_order.h"
#include "backend/settings/node_settings.h"
#include "backend/shard/shard.h"

namespace gemel {

// Logic only, on the shard's thread.
class NodeOrders {
 public:
  // All must outlive it. Takes the shard's requests of kind kNodes until Stop.
  NodeOrders(Shard* shard, ControlPort* port, ShardEnv* env);

  // What gemel itself sets on the nodes; null: nothing is known of it.
  void set_settings(const NodeSettings* settings) { settings_ = settings; }
  // Time passes; to be called every 10 to 100 ms.
  void Tick(uint64_t now_ms);
  // What was asked of this copy is not answered any more, and another node may take its place.
  void ForgetCopy(uint32_t copy);
  // Answers who waits.
  void Stop();

 private:
  struct Running {
    Request* request;
    uint64_t due_ms = 0;                 // of one that waits
    uint64_t poll_ms = 0;                // when the nodes are asked again
    std::map<uint32_t, size_t> answers;  // by copy, of those that are asked
    std::map<uint32_t, uint32_t> left;   // replies that are to come
    std::map<uint32_t, bool> polled;     // of nodes that have not ended yet: it is being asked

    NodesOrder& order() const { return static_cast<NodesOrder&>(*request->extra->cargo); }
  };
  using Iterator = std::map<uint64_t, Running>::iterator;

  void Take(Request* request);
  void Ask(uint64_t id, uint32_t copy, const std::vector<NodesOrder::Command>& commands);
  void OnReply(uint64_t id, uint32_t copy, size_t command, const ControlReply& reply);
  void Poll(uint64_t id, uint32_t copy);
  void OnPolled(uint64_t id, uint32_t copy, const ControlReply& reply);
  // If nothing is to come any more; it may be gone then.
  void Settle(Iterator running);
  std::string WithOwnValues(uint32_t copy, const std::vector<std::string>& names,
                            const std::string& text) const;

  Shard* shard_;
  ControlPort* port_;
  ShardEnv* env_;
  const NodeSettings* settings_ = nullptr;
  std::map<uint64_t, Running> running_;
  uint64_t next_ = 0;
  std::vector<uint64_t>
      rounds_;  // by copy: answers to what was asked in an earlier one are not heard
  Alive alive_;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SERVED_NODE_ORDERS_H_
