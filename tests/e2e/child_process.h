// A child process whose output goes to a file; and a whole run of a program.

#ifndef GEMEL_TESTS_E2E_CHILD_PROCESS_H_
#define GEMEL_TESTS_E2E_CHILD_PROCESS_H_

#include <sys/types.h>

#include <chrono>
#include <string>
#include <vector>

#include "tests/e2e/wait.h"

namespace gemel::e2e {

// Not for threads: a child dies with the thread that started it (PR_SET_PDEATHSIG), so that nothing
// is left over when a test is killed. Start children on the test's own thread.
class ChildProcess {
 public:
  ChildProcess() = default;
  ~ChildProcess() { Kill(); }
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  // Standard input is `input`'s bytes, standard output and error are appended to `log`. Throws
  // std::runtime_error if the process cannot be made.
  void Start(const std::vector<std::string>& command, const std::string& log,
             const std::string& input = "");

  pid_t pid() const { return pid_; }
  // False once it has ended, whoever ended it.
  bool running();
  void Signal(int signal);
  // As Wait gives it, of one that has ended; -1 before that.
  int exit_code() const { return exit_code_; }
  // Waits until it has ended. Returns its exit code, 128 + n if signal n ended it, -1 if it still
  // runs when patience ends.
  int Wait(std::chrono::milliseconds patience = kPatience);
  // SIGKILL, and waits. Does nothing if it does not run.
  void Kill();

 private:
  pid_t pid_ = -1;
  int exit_code_ = -1;
};

struct Finished {
  int exit_code = -1;  // -1: killed because it did not end in time
  std::string output;  // standard output and error
};

// Runs a program to its end.
Finished RunProgram(const std::vector<std::string>& command, const std::string& input = "",
                    std::chrono::seconds patience = std::chrono::seconds(60));

// A folder under the system's temporary folder, removed with all that is in it.
class TempFolder {
 public:
  TempFolder();
  ~TempFolder();
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

std::string ReadFile(const std::string& path);  // empty if there is none
void WriteFile(const std::string& path, const std::string& text);

}  // namespace gemel::e2e

#endif  // GEMEL_TESTS_E2E_CHILD_PROCESS_H_
