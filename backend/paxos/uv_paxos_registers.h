// PaxosRegisters on a libuv loop, with the nodes reached by hiredis.

#ifndef GEMEL_BACKEND_PAXOS_UV_PAXOS_REGISTERS_H_
#define GEMEL_BACKEND_PAXOS_UV_PAXOS_REGISTERS_H_

#include <uv.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "backend/fleet/registers.h"
#include "backend/paxos/uv_paxos_port.h"

namespace gemel {

inline constexpr uint32_t kPaxosDatabase = 15;

struct UvPaxosOptions {
  // Three or more, the same for all members when they found the fleet.
  std::vector<std::string> nodes;
  // Of these, and of nodes that the fleet's plan brings.
  PaxosNodeOf node_of;
  uint32_t database = kPaxosDatabase;  // of them, that of the registers alone
  // Whether the acceptors go with the fleet's plan (Registers::Follow), or stay.
  bool follows = false;
  // Whether shards have nodes among them (Registers::Release).
  bool shared = false;
  std::string fleet;              // part of the name of the hash that each node has
  uint64_t proposer = 0;          // random, of this object alone; 0: drawn
  uint32_t time_limit_ms = 1000;  // of a question; half of that of one command to a node
  // For people: a sentence, once for each node that it is about. Null: nobody.
  std::function<void(const std::string&)> on_warning = nullptr;
};

// Asks nothing yet. One loop, one thread; after it is destroyed, the loop must turn until its
// handles are closed.
std::unique_ptr<Registers> OpenPaxosRegisters(uv_loop_t* loop, UvPaxosOptions options);

// The key of the hash that is an acceptor.
std::string PaxosKey(const std::string& fleet);

}  // namespace gemel

#endif  // GEMEL_BACKEND_PAXOS_UV_PAXOS_REGISTERS_H_
