#include "tests/io/raw_server.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include <stdexcept>

namespace gemel {

RawServer::RawServer() : listener_(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
  const int yes = 1;
  setsockopt(listener_.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port_.number());
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0 ||
      listen(listener_.get(), 16) != 0) {
    throw std::runtime_error("cannot listen");
  }
}

size_t RawServer::Accept() {
  while (true) {
    UniqueFd fd(accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!fd.valid()) return accepted_;
    connections_.push_back(std::move(fd));
    ++accepted_;
  }
}

void RawServer::Send(std::string_view bytes) {
  const int fd = connections_.back().get();
  if (send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(bytes.size())) {
    throw std::runtime_error("cannot send");
  }
}

std::string RawServer::Received() {
  std::string bytes(4096, '\0');
  if (connections_.empty()) return {};
  const ssize_t size = recv(connections_.back().get(), bytes.data(), bytes.size(), 0);
  bytes.resize(size > 0 ? static_cast<size_t>(size) : 0);
  return bytes;
}

}  // namespace gemel
