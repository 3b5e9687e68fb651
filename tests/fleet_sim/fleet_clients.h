// The clients of a fleet: what they ask at which member, and what they are told.

#ifndef GEMEL_TESTS_FLEET_SIM_FLEET_CLIENTS_H_
#define GEMEL_TESTS_FLEET_SIM_FLEET_CLIENTS_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "tests/fleet_sim/fleet_plan.h"
#include "tests/fleet_sim/linearizable.h"
#include "tests/sim/sim_findings.h"

namespace gemel::fleet_sim {

class FleetClients {
 public:
  struct World {
    sim::Loop* loop;
    const FleetPlan* plan;
    sim::Findings* findings;
    // To the process that the member has now; false: it has none.
    std::function<bool(size_t member, size_t op, uint32_t session,
                       const std::vector<std::string>& args)>
        submit;
    std::function<void(size_t member, uint32_t session)> gone;
  };

  FleetClients(World world, std::vector<std::string> keys);

  void Begin();
  // Of a member, that it has said so.
  void OnAnswered(size_t op, const std::string& reply);
  // Its process is gone, and what was asked there with it.
  void OnMemberEnd(size_t member);
  // Everybody has been answered.
  bool Idle() const;
  // Reads a key there, and no more is asked before that is answered.
  void Read(size_t member, const std::string& key);

  const std::vector<std::string>& keys() const { return keys_; }
  std::vector<const Op*> OpsOf(const std::string& key) const;
  std::map<Op::Outcome, size_t> Count() const;

 private:
  struct Client {
    uint32_t session = 0;
    size_t member = 0;
    size_t window = 1;
    size_t outstanding = 0;
    uint64_t lives = 0;  // grows when it comes anew
  };
  struct Sent {
    size_t client = 0;
    size_t member = 0;
    uint64_t life = 0;
  };

  void Turn(size_t client);
  void Ask(size_t client, Op op);
  Op Choose();
  void Connect(Client* client);
  void Take(Op* op, const std::string& reply);
  void End(size_t op, Op::Outcome outcome);
  bool Over() const { return world_.loop->now_us() >= world_.plan->end_us; }

  const World world_;
  const std::vector<std::string> keys_;
  std::vector<Client> clients_;  // the last is the one of Read
  std::deque<Op> ops_;
  std::vector<Sent> sent_;  // by op
  uint64_t moment_ = 0;
  uint32_t last_session_ = 0;
};

}  // namespace gemel::fleet_sim

#endif  // GEMEL_TESTS_FLEET_SIM_FLEET_CLIENTS_H_
