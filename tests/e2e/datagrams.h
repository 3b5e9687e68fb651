// A Unix socket at which a service manager would listen (NOTIFY_SOCKET).

#ifndef GEMEL_TESTS_E2E_DATAGRAMS_H_
#define GEMEL_TESTS_E2E_DATAGRAMS_H_

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/e2e/child_process.h"
#include "tests/e2e/wait.h"

namespace gemel::e2e {

class Datagrams {
 public:
  Datagrams() : socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un own{};
    own.sun_family = AF_UNIX;
    std::strncpy(own.sun_path, address().c_str(), sizeof(own.sun_path) - 1);
    if (::bind(socket_, reinterpret_cast<sockaddr*>(&own), sizeof(own)) != 0) {
      throw std::runtime_error("cannot bind " + address());
    }
  }
  ~Datagrams() { ::close(socket_); }
  Datagrams(const Datagrams&) = delete;
  Datagrams& operator=(const Datagrams&) = delete;

  std::string address() const { return folder_.path() + "/notify"; }

  // The next one; empty if none comes within the time.
  std::string Read(int ms = static_cast<int>(
                       std::chrono::duration_cast<std::chrono::milliseconds>(kPatience).count())) {
    pollfd ready{socket_, POLLIN, 0};
    if (::poll(&ready, 1, ms) != 1) return {};
    char text[4096];
    const ssize_t size = ::recv(socket_, text, sizeof(text), 0);
    return size > 0 ? std::string(text, static_cast<size_t>(size)) : std::string();
  }
  // The next one that is no sign of life.
  std::string ReadNews() {
    std::string text = Read();
    while (text == "WATCHDOG=1") text = Read();
    return text;
  }

 private:
  TempFolder folder_;
  const int socket_;
};

}  // namespace gemel::e2e

#endif  // GEMEL_TESTS_E2E_DATAGRAMS_H_
