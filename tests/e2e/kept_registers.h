// What a node of a test has of the registers that it keeps for a fleet, as an operator may see it.

#ifndef GEMEL_TESTS_E2E_KEPT_REGISTERS_H_
#define GEMEL_TESTS_E2E_KEPT_REGISTERS_H_

#include <string>

#include "tests/e2e/redis_node.h"

namespace gemel::e2e {

// Of the hash of the fleet "test"; empty: there is none.
inline std::string FieldOn(const RedisNode& node, const std::string& field) {
  Client client = node.Connect();
  client("SELECT", "15");
  return client("HGET", "gemel:paxos:test", field).bytes;
}

// By which it counts; empty: it does not.
inline std::string NonceOf(const RedisNode& node) { return FieldOn(node, "nonce"); }

// The life of a member, which changes with each beat.
inline std::string LifeOn(const RedisNode& node, const std::string& member) {
  return FieldOn(node, "v:life/" + member);
}

}  // namespace gemel::e2e

#endif  // GEMEL_TESTS_E2E_KEPT_REGISTERS_H_
