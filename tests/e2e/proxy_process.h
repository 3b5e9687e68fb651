// gemel itself, as a child process.

#ifndef GEMEL_TESTS_E2E_PROXY_PROCESS_H_
#define GEMEL_TESTS_E2E_PROXY_PROCESS_H_

#include <string>

#include "tests/e2e/child_process.h"
#include "tests/e2e/client.h"
#include "tests/e2e/free_port.h"

namespace gemel::e2e {

// The program under test.
std::string GemelBinary();

// What the program under test was built with: other bounds hold for the memory of such a one.
enum class Sanitizer { kNone, kAddress, kThread };
Sanitizer ProxySanitizer();

// Listens on one port as long as the object lives, over restarts too. Its destructor stops the
// proxy and adds a test failure if that did not go in order, or if a sanitizer said something.
class ProxyProcess {
 public:
  ProxyProcess() = default;
  ~ProxyProcess();

  uint16_t port() const { return port_.number(); }
  // The folder for its config, log and state.
  const std::string& folder() const { return folder_.path(); }
  std::string config_path() const { return folder() + "/gemel.toml"; }
  pid_t pid() const { return process_.pid(); }
  bool running() { return process_.running(); }

  // Writes the config and starts; returns once the port accepts. Throws std::runtime_error with the
  // log if it does not.
  void Start(const std::string& config);
  void Restart();  // with the config it had; must not run
  // The two halves of it, for processes that serve once several of them run.
  void Launch();
  void WaitUntilServes();
  int Stop();  // SIGTERM; returns the exit code
  void Kill() { process_.Kill(); }
  void Signal(int signal) { process_.Signal(signal); }
  int Wait() { return process_.Wait(); }

  // A command that begins what is started and ends with exec of its arguments.
  void set_prefix(Words prefix) { prefix_ = std::move(prefix); }

  std::string Log() const { return ReadFile(folder() + "/log"); }
  // Whether `text` comes into the log, after its first `from` bytes: what is logged before an
  // answer is sent may be written after it.
  bool Logs(const std::string& text, size_t from = 0) const;
  uint64_t ResidentBytes() const;

 private:
  FreePort port_;
  TempFolder folder_;
  Words prefix_;
  ChildProcess process_;
};

}  // namespace gemel::e2e

#endif  // GEMEL_TESTS_E2E_PROXY_PROCESS_H_
