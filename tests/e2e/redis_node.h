// A real redis-server of a test.

#ifndef GEMEL_TESTS_E2E_REDIS_NODE_H_
#define GEMEL_TESTS_E2E_REDIS_NODE_H_

#include <string>

#include "tests/e2e/child_process.h"
#include "tests/e2e/client.h"
#include "tests/e2e/free_port.h"

namespace gemel::e2e {

// Keeps its port, whatever happens to its process. It saves nothing: a process that ends takes its
// data with it.
class RedisNode {
 public:
  // Starts it.
  explicit RedisNode(Words options = {});

  uint16_t port() const { return port_.number(); }
  std::string address() const { return "127.0.0.1:" + std::to_string(port()); }

  void Start();  // after Stop or Kill: a new, empty process on the same port
  void Stop();   // SIGTERM
  void Kill();   // kill -9
  void Pause();  // SIGSTOP: hangs, with its connections open
  void Resume();
  bool running() { return process_.running(); }

  Client Connect() const { return Client(port()); }
  // DEBUG DIGEST: equal for equal data.
  std::string Digest() const;

 private:
  Words options_;
  FreePort port_;
  TempFolder folder_;
  ChildProcess process_;
};

}  // namespace gemel::e2e

#endif  // GEMEL_TESTS_E2E_REDIS_NODE_H_
