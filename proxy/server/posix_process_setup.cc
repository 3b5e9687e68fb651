#include "proxy/server/posix_process_setup.h"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <iterator>

namespace gemel {

namespace {

// Ends of the process that are meant, and faults; and what does nothing by default.
constexpr int kLeft[] = {SIGTERM, SIGINT,  SIGQUIT, SIGHUP, SIGKILL, SIGSTOP,
                         SIGSEGV, SIGBUS,  SIGFPE,  SIGILL, SIGABRT, SIGTRAP,
                         SIGSYS,  SIGCHLD, SIGCONT, SIGURG, SIGWINCH};

}  // namespace

void OpenStandardStreams() {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    if (::fcntl(fd, F_GETFD) >= 0) continue;
    // The lowest number that is free: this one.
    [[maybe_unused]] const int opened = ::open("/dev/null", O_RDWR);
  }
}

void IgnoreSignals() {
  for (int number = 1; number <= SIGRTMAX; ++number) {
    if (number > SIGSYS && number < SIGRTMIN) continue;  // the C library's
    if (std::find(std::begin(kLeft), std::end(kLeft), number) != std::end(kLeft)) continue;
    struct sigaction action {};
    if (::sigaction(number, nullptr, &action) != 0 || action.sa_handler != SIG_DFL) continue;
    std::signal(number, SIG_IGN);
  }
  sigset_t hangup;
  sigemptyset(&hangup);
  sigaddset(&hangup, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &hangup, nullptr);
}

}  // namespace gemel
