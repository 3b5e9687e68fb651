// A real redis-server of a test, or another program of its kind.

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
  // Starts it. `own_network`: it lives in a network of its own, as in a container, and is reached
  // from outside by its Unix socket alone; it reaches nobody.
  explicit RedisNode(Words options = {}, bool own_network = false);

  uint16_t port() const { return port_.number(); }
  std::string address() const {
    return own_network_ ? "unix:" + socket() : "127.0.0.1:" + std::to_string(port());
  }
  // What the next Start runs.
  void set_program(std::string program) { program_ = std::move(program); }
  void set_options(Words options) { options_ = std::move(options); }

  // `with_dump`: with what it saved by SAVE.
  void Start(bool with_dump = false);  // after Stop or Kill: a new, empty process on the same port
  void Stop();                         // SIGTERM
  void Kill();                         // kill -9
  void Pause();                        // SIGSTOP: hangs, with its connections open
  void Resume();
  bool running() { return process_.running(); }

  Client Connect() const { return own_network_ ? Client::OnUnixSocket(socket()) : Client(port()); }
  // DEBUG DIGEST: equal for equal data.
  std::string Digest() const;

 private:
  std::string socket() const { return folder_.path() + "/socket"; }

  Words options_;
  const bool own_network_;
  std::string program_ = "redis-server";
  FreePort port_;
  TempFolder folder_;
  ChildProcess process_;
};

// Connections that clients have to its plain port, but for the one that asks.
int PlainClients(const RedisNode& node);

// Valkey's server: the system's, or the one that scripts/test unpacks under build/. Throws if there
// is none.
std::string ValkeyServer();

}  // namespace gemel::e2e

#endif  // GEMEL_TESTS_E2E_REDIS_NODE_H_
