#include "tests/e2e/free_port.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <random>
#include <stdexcept>
#include <string>

namespace gemel::e2e {
namespace {

constexpr uint16_t kFirst = 12000;
constexpr uint16_t kLast = 31999;

bool NobodyListens(uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int yes = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  const bool free = bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  close(fd);
  return free;
}

}  // namespace

FreePort::FreePort() {
  const std::filesystem::path folder = std::filesystem::temp_directory_path() / "gemel-e2e-ports";
  std::filesystem::create_directories(folder);
  std::random_device random;
  for (int attempt = 0; attempt < 2000; ++attempt) {
    const auto port = static_cast<uint16_t>(kFirst + random() % (kLast - kFirst + 1));
    const std::string path = folder / std::to_string(port);
    const int lock = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) == 0 && NobodyListens(port)) {
      number_ = port;
      lock_ = lock;
      return;
    }
    if (lock >= 0) close(lock);
  }
  throw std::runtime_error("no free port");
}

FreePort::~FreePort() { close(lock_); }

}  // namespace gemel::e2e
