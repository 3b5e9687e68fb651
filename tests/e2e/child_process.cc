#include "tests/e2e/child_process.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace gemel::e2e {
namespace {

// A descriptor from which `input` can be read.
int InputDescriptor(const std::string& input) {
  if (input.empty()) return open("/dev/null", O_RDONLY | O_CLOEXEC);
  const int fd = memfd_create("input", MFD_CLOEXEC);
  if (fd < 0) return -1;
  size_t written = 0;
  while (written < input.size()) {
    const ssize_t n = write(fd, input.data() + written, input.size() - written);
    if (n <= 0) break;
    written += static_cast<size_t>(n);
  }
  lseek(fd, 0, SEEK_SET);
  return fd;
}

}  // namespace

void ChildProcess::Start(const std::vector<std::string>& command, const std::string& log,
                         const std::string& input) {
  if (running()) throw std::logic_error("the process runs already");
  std::vector<char*> argv;
  for (const std::string& word : command) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  const int in = InputDescriptor(input);
  const int out = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (in < 0 || out < 0) throw std::runtime_error("cannot open " + log);
  const pid_t parent = getpid();
  exit_code_ = -1;
  pid_ = fork();
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(126);
    dup2(in, 0);
    dup2(out, 1);
    dup2(out, 2);
    execvp(argv[0], argv.data());
    const std::string error = std::string(argv[0]) + ": " + strerror(errno) + "\n";
    if (write(2, error.data(), error.size()) < 0) _exit(126);
    _exit(127);
  }
  close(in);
  close(out);
  if (pid_ < 0) throw std::runtime_error(std::string("fork: ") + strerror(errno));
}

bool ChildProcess::running() {
  if (pid_ <= 0) return false;
  int status = 0;
  const pid_t ended = waitpid(pid_, &status, WNOHANG);
  if (ended == 0) return true;
  exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  pid_ = -1;
  return false;
}

void ChildProcess::Signal(int signal) {
  if (pid_ > 0) kill(pid_, signal);
}

int ChildProcess::Wait(std::chrono::milliseconds patience) {
  if (!Eventually([this] { return !running(); }, patience)) return -1;
  return exit_code_;
}

void ChildProcess::Kill() {
  if (!running()) return;
  Signal(SIGKILL);
  Wait();
}

Finished RunProgram(const std::vector<std::string>& command, const std::string& input,
                    std::chrono::seconds patience) {
  TempFolder folder;
  const std::string log = folder.path() + "/output";
  ChildProcess child;
  child.Start(command, log, input);
  Finished finished;
  finished.exit_code = child.Wait(patience);
  child.Kill();
  finished.output = ReadFile(log);
  return finished;
}

TempFolder::TempFolder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "gemel-e2e-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("cannot make a folder");
  path_ = pattern;
}

TempFolder::~TempFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

void WriteFile(const std::string& path, const std::string& text) {
  // A new one is for its owner alone: a config may have passwords.
  const int fd = ::open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
  if (fd >= 0) ::close(fd);
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << text;
  if (!file.flush()) throw std::runtime_error("cannot write " + path);
}

}  // namespace gemel::e2e
