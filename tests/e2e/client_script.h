// Programs of clients/ in other languages, which use gemel with the libraries that people use.

#ifndef GEMEL_TESTS_E2E_CLIENT_SCRIPT_H_
#define GEMEL_TESTS_E2E_CLIENT_SCRIPT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "tests/e2e/child_process.h"

namespace gemel::e2e {

// The path of one of them.
std::string ClientScript(const std::string& name);

// So that node finds that package from now on; a fatal test failure if it is not installed.
void UseModule(const std::string& name);

// A file or folder of Debian packages newer than the system's; a test failure if it is not there.
std::string NewerPackages(const std::string& path);

// One that runs until it is told to stop, by SIGTERM. It prints "begun" once it is at work, and
// ": ok, " in the end.
class Script {
 public:
  // Its arguments are the port and `further`. Waits until it has begun.
  Script(const std::string& interpreter, const std::string& name, uint16_t port,
         const std::vector<std::string>& further = {});
  // Ends it. A test failure if it had ended before, or is not content.
  void ExpectGood();

 private:
  bool Says(const std::string& part) const;

  TempFolder folder_;
  std::string name_;
  std::string log_;
  ChildProcess child_;
};

}  // namespace gemel::e2e

#endif  // GEMEL_TESTS_E2E_CLIENT_SCRIPT_H_
