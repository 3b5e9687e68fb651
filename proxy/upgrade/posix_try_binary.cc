#include "proxy/upgrade/posix_try_binary.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <string_view>
#include <thread>
#include <vector>

#include "backend/bytes/printable.h"
#include "backend/files/unique_fd.h"
#include "proxy/upgrade/hand_over.h"

namespace gemel {

namespace {

constexpr size_t kMostWords = 4096;
constexpr size_t kMostShown = 300;
constexpr std::string_view kForm = " takes over clients, form ";

struct Answer {
  int code = -1;      // with which it ended; -1: it did not, or not by itself
  std::string words;  // that it said
  std::string error;  // it could not be started
};

// What a child is started with: no signal of ours held back, nothing to read, one place to write.
class Setup {
 public:
  explicit Setup(int to) {
    posix_spawnattr_init(&attributes_);
    posix_spawn_file_actions_init(&files_);
    sigset_t none;
    sigemptyset(&none);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGMASK);
    posix_spawn_file_actions_addopen(&files_, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files_, to, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&files_, to, STDERR_FILENO);
  }
  ~Setup() {
    posix_spawn_file_actions_destroy(&files_);
    posix_spawnattr_destroy(&attributes_);
  }
  Setup(const Setup&) = delete;
  Setup& operator=(const Setup&) = delete;

  int Spawn(pid_t* pid, std::vector<char*>* argv) {
    return posix_spawn(pid, argv->front(), &files_, &attributes_, argv->data(), environ);
  }

 private:
  posix_spawnattr_t attributes_;
  posix_spawn_file_actions_t files_;
};

Answer Ask(std::vector<std::string> words, uint64_t most_ms) {
  using Clock = std::chrono::steady_clock;
  Answer answer;
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) {
    answer.error = std::strerror(errno);
    return answer;
  }
  const UniqueFd from(ends[0]);
  UniqueFd to(ends[1]);
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  pid_t pid = -1;
  if (const int error = Setup(to.get()).Spawn(&pid, &argv); error != 0) {
    answer.error = std::strerror(error);
    return answer;
  }
  to = UniqueFd();
  const auto end = Clock::now() + std::chrono::milliseconds(most_ms);
  bool open = true;
  for (;;) {
    int status = 0;
    const pid_t ended = pid < 0 ? 0 : ::waitpid(pid, &status, WNOHANG);
    if (ended != 0 && (ended > 0 || errno != EINTR)) {
      if (ended > 0 && WIFEXITED(status)) answer.code = WEXITSTATUS(status);
      pid = -1;
    } else if (pid > 0 && Clock::now() >= end) {
      ::kill(pid, SIGKILL);
      while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
      }
      pid = -1;
    }
    pollfd poll_from{from.get(), POLLIN, 0};
    const int ready = open ? ::poll(&poll_from, 1, pid < 0 ? 0 : 10) : 0;
    if (ready > 0) {
      char part[1024];
      const ssize_t got = ::read(from.get(), part, sizeof(part));
      open = got > 0;
      if (open && answer.words.size() < kMostWords) {
        answer.words.append(part, static_cast<size_t>(got));
      }
      continue;
    }
    if (pid < 0) return answer;
    if (!open) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

std::string FirstLine(const std::string& words) {
  return Printable(std::string_view(words).substr(0, std::min(words.find('\n'), kMostShown)));
}

}  // namespace

std::string HandOverWords(const std::string& version) {
  return "gemel " + version + std::string(kForm) + std::to_string(kHandOverForm);
}

TriedBinary TryBinary(const std::string& binary, const std::string& config, uint64_t most_ms) {
  TriedBinary tried;
  const Answer form = Ask({binary, "--hand-over"}, most_ms);
  if (!form.error.empty()) {
    tried.error = "the binary " + binary + " cannot be started: " + form.error;
    return tried;
  }
  const std::string line = FirstLine(form.words);
  const size_t at = line.find(kForm);
  if (form.code != 0 || at == std::string::npos) {
    tried.error = "the binary " + binary +
                  " is no gemel that takes over clients: it is to be started anew in order";
    return tried;
  }
  tried.version = line.substr(0, at);
  if (line.substr(at + kForm.size()) != std::to_string(kHandOverForm)) {
    tried.error = "the binary " + binary + " (" + tried.version +
                  ") takes over no clients of this version: it is to be started anew in order";
    return tried;
  }
  const Answer test = Ask({binary, "-t", "-c", config}, most_ms);
  if (test.code == 0) return tried;
  tried.error = "the binary " + binary + " (" + tried.version + ") does not take the config file " +
                config + ": " +
                (test.code < 0 ? "it does not come to an end" : FirstLine(test.words));
  return tried;
}

}  // namespace gemel
