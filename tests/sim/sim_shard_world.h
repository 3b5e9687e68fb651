// What a simulated shard needs of the process that serves it.

#ifndef GEMEL_TESTS_SIM_SIM_SHARD_WORLD_H_
#define GEMEL_TESTS_SIM_SIM_SHARD_WORLD_H_

#include <memory>
#include <string>

#include "backend/bytes/chunk.h"
#include "backend/link/other_proxies.h"
#include "backend/resync/resync_board.h"
#include "backend/shard/shard_env.h"
#include "tests/sim/sim_node.h"
#include "tests/sim/sim_process.h"
#include "tests/sim/sim_road.h"

namespace gemel::sim {

class ShardWorld : public ShardEnv {
 public:
  virtual Process& process() = 0;
  virtual Loop* loop() = 0;
  virtual ChunkPool* pool() = 0;
  virtual ResyncBoard* resyncs() = 0;
  // See ServedShard::World.
  virtual bool after_crash() const = 0;
  virtual OtherProxies* others() { return nullptr; }
  // False: it is going, and nothing of it is to happen any more.
  virtual bool serving() const = 0;
  virtual Node* FindNode(const std::string& address) const = 0;
  // The way to that node; null: it is never cut.
  virtual std::shared_ptr<Road> RoadTo(const Node*) { return nullptr; }
  // No read may be sent there.
  virtual bool IsStale(const std::string& shard, const std::string& node) const = 0;
  // What must not be.
  virtual void Fail(const std::string& text) = 0;
};

}  // namespace gemel::sim

#endif  // GEMEL_TESTS_SIM_SIM_SHARD_WORLD_H_
