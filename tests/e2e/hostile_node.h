// A node that behaves, until a request names a poison: it is a real redis-server, in front of which
// stands who passes bytes on and says what no Redis would say.

#ifndef GEMEL_TESTS_E2E_HOSTILE_NODE_H_
#define GEMEL_TESTS_E2E_HOSTILE_NODE_H_

#include <atomic>
#include <cstdint>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "tests/e2e/free_port.h"
#include "tests/e2e/redis_node.h"

namespace gemel::e2e {

class HostileNode {
 public:
  // What is said, `head` once and then `rest` without an end, to a request in which a key stands.
  struct Poison {
    std::string head;
    std::string rest;
  };
  explicit HostileNode(std::map<std::string, Poison> poisons);
  ~HostileNode();
  HostileNode(const HostileNode&) = delete;
  HostileNode& operator=(const HostileNode&) = delete;

  uint16_t port() const { return port_.number(); }
  // How often a poison was said.
  int poisoned() const { return poisoned_; }
  std::string address() const { return "127.0.0.1:" + std::to_string(port()); }

 private:
  void Accept();
  void Serve(int client);

  const std::map<std::string, Poison> poisons_;
  RedisNode node_;
  FreePort port_;
  int listener_ = -1;
  std::atomic<bool> stop_{false};
  std::atomic<int> poisoned_{0};
  std::thread acceptor_;
  std::vector<std::thread> connections_;  // the acceptor's, until it has ended
};

}  // namespace gemel::e2e

#endif  // GEMEL_TESTS_E2E_HOSTILE_NODE_H_
