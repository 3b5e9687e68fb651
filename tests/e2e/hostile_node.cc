#include "tests/e2e/hostile_node.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>

namespace gemel::e2e {
namespace {

constexpr int kLookMs = 50;  // whether it is time to stop

sockaddr_in Loopback(uint16_t port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

// False once the connection has ended, or `stop` is set.
bool SendAll(int socket, const std::string& bytes, const std::atomic<bool>& stop) {
  for (size_t sent = 0; sent < bytes.size();) {
    pollfd watched = {socket, POLLOUT, 0};
    if (poll(&watched, 1, kLookMs) == 0) {
      if (stop) return false;
      continue;
    }
    const ssize_t n =
        send(socket, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN) continue;
    if (n <= 0) return false;
    sent += static_cast<size_t>(n);
  }
  return true;
}

}  // namespace

HostileNode::HostileNode(std::map<std::string, Poison> poisons) : poisons_(std::move(poisons)) {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int yes = 1;
  setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
  const sockaddr_in address = Loopback(port_.number());
  if (bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 ||
      listen(listener_, 64) != 0) {
    close(listener_);
    throw std::runtime_error("the hostile node cannot listen");
  }
  acceptor_ = std::thread([this] { Accept(); });
}

HostileNode::~HostileNode() {
  stop_ = true;
  acceptor_.join();
  for (std::thread& connection : connections_) connection.join();
  close(listener_);
}

void HostileNode::Accept() {
  while (!stop_) {
    pollfd watched = {listener_, POLLIN, 0};
    if (poll(&watched, 1, kLookMs) <= 0) continue;
    const int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (client >= 0) connections_.emplace_back([this, client] { Serve(client); });
  }
}

void HostileNode::Serve(int client) {
  const int node = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = Loopback(node_.port());
  bool open = connect(node, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  while (open && !stop_) {
    pollfd watched[] = {{client, POLLIN, 0}, {node, POLLIN, 0}};
    if (poll(watched, 2, kLookMs) <= 0) continue;
    for (int i = 0; i < 2 && open; ++i) {
      if (watched[i].revents == 0) continue;
      std::string bytes(64 * 1024, '\0');
      const ssize_t n = recv(watched[i].fd, bytes.data(), bytes.size(), 0);
      if (n <= 0) {
        open = false;
        break;
      }
      bytes.resize(static_cast<size_t>(n));
      const Poison* poison = nullptr;
      for (const auto& [key, said] : poisons_) {
        if (i == 0 && bytes.find(key) != std::string::npos) poison = &said;
      }
      if (poison == nullptr) {
        open = SendAll(watched[1 - i].fd, bytes, stop_);
        continue;
      }
      ++poisoned_;
      std::string rest;
      while (rest.size() < 256 * 1024) rest += poison->rest;
      open = SendAll(client, poison->head, stop_);
      while (open && !stop_) open = SendAll(client, rest, stop_);
    }
  }
  close(client);
  close(node);
}

}  // namespace gemel::e2e
