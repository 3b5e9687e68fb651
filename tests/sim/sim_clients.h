// The clients of a run: pipelined requests, and what becomes of them.

#ifndef GEMEL_TESTS_SIM_SIM_CLIENTS_H_
#define GEMEL_TESTS_SIM_SIM_CLIENTS_H_

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "proxy/session/read_fence.h"
#include "tests/sim/sim_history.h"
#include "tests/sim/sim_lives.h"
#include "tests/sim/sim_refusals.h"
#include "tests/sim/sim_removals.h"
#include "tests/sim/sim_stalls.h"

namespace gemel::sim {

class Clients : public RequestSink {
 public:
  // `refusals` and `stalls` know what one may be told, and how late. `removals`: null if nothing
  // goes by itself.
  Clients(Scene* scene, const Lives* lives, Removals* removals, const Refusals* refusals,
          Stalls* stalls);

  void Begin();
  // Every request is answered in bounded time.
  void CheckBounds();
  // A command that keeps its nodes busy for so long, of nobody's.
  void SubmitLong(uint16_t shard, bool is_read, uint64_t for_us);
  // One more write to a key of each shard that may have been tampered with.
  void TouchTampered();
  // Nothing is outstanding.
  bool Idle() const;

  // From now on nothing is heard: the proxy dies. And it is dead, with what was outstanding.
  void Ignore() { ignoring_ = true; }
  void OnCrashed();

  size_t requests() const { return requests_; }
  const History& history() const { return history_; }

  void OnReply(Request* request, const Reply& reply) override;

 private:
  struct Client {
    uint64_t id = 0;
    uint64_t place = 0;
    uint32_t outstanding = 0;
    uint32_t window = 1;
    // What is not answered yet, or stands behind such, as a session keeps it.
    std::deque<const SimOp*> line;
    ReadFence fence;
  };

  bool Over() const { return scene_->loop.now_us() >= scene_->plan.clients.end_us; }
  uint8_t DatabaseOf(std::string_view key) const;
  void Turn(size_t client);
  void Submit(Client* client);
  void SubmitCopy();
  void Choose(const Client& client, SimOp* op);
  void ChooseBlock(SimOp* op);
  std::vector<std::string> CommandOf(SimOp* op);
  void SubmitOp(SimOp* op, const std::vector<std::string>& args);
  void Take(SimOp* op, const Reply& reply);
  void OnError(SimOp* op);

  Scene* scene_;
  const Lives* lives_;
  Removals* removals_;
  const Refusals* refusals_;
  Stalls* stalls_;
  History history_;
  // Writes of two keys: only that they come to the same everywhere is checked.
  std::deque<SimOp> copies_;
  std::vector<Client> clients_;
  size_t requests_ = 0;
  size_t oldest_pending_ = 0;
  bool ignoring_ = false;
};

}  // namespace gemel::sim

#endif  // GEMEL_TESTS_SIM_SIM_CLIENTS_H_
