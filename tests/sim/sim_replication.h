// Redis's own replication between simulated nodes, for as long as a resync borrows it.

#ifndef GEMEL_TESTS_SIM_SIM_REPLICATION_H_
#define GEMEL_TESTS_SIM_SIM_REPLICATION_H_

#include <cstdint>
#include <string>
#include <vector>

#include "tests/sim/sim_condition.h"
#include "tests/sim/sim_key_commands.h"

namespace gemel::sim {

// One node's part in it: whose replica it is, and who are its.
class Replication {
 public:
  Replication(Loop* loop, const std::string& address, const Condition* condition, Keyspace* keys,
              KeyCommands* commands);

  bool is_replica() const { return master_ != nullptr; }
  bool has_replicas() const { return !replicas_.empty(); }
  // A REPLICAOF; null: NO ONE. One that changes nothing is none.
  void Follow(Replication* master);
  void FollowAnew(Replication* master);
  // What came of a write goes to the replicas.
  void Send(std::vector<std::vector<std::string>> effect);
  // The process died; another one began.
  void OnKill();
  void OnStart();
  // Its section of INFO.
  std::string Info() const;

 private:
  struct Replica {
    Replication* node;
    uint64_t sync_number;
    uint64_t last_us;
  };

  void LoseReplicas();
  void Sync();
  void NewId() { id_ = address_ + "/" + std::to_string(++ids_); }

  Loop* loop_;
  const std::string address_;
  const Condition* condition_;
  Keyspace* keys_;
  KeyCommands* commands_;
  Replication* master_ = nullptr;
  bool synced_ = false;
  std::string id_;
  uint64_t ids_ = 0;
  uint64_t sync_number_ = 0;  // to tell an old stream from the present one
  uint64_t offset_ = 0;
  std::vector<Replica> replicas_;
};

}  // namespace gemel::sim

#endif  // GEMEL_TESTS_SIM_SIM_REPLICATION_H_
