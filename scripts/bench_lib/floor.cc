// The least that any proxy of one thread can cost on this machine: an epoll loop that reads a
// client's requests, counts them, and answers each GET with a value of 64 bytes, each SET with OK,
// out of its own memory. No forwarding, no parsing worth the name. Only the benchmark uses it, as a
// measure of the machine.
//
// Usage: floor PORT

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace {

const std::string kValue = "$64\r\n" + std::string(64, 'x') + "\r\n";

// Line ends of one request, by its first byte and the length of its command: *2 GET key, *3 SET key
// value.
constexpr int kLinesOfGet = 5;
constexpr int kLinesOfSet = 7;

struct Client {
  int lines = 0;  // of the request that has begun
  int lines_wanted = 0;
};

void Answer(std::string_view in, Client* client, std::string* out) {
  size_t at = 0;
  while (at < in.size()) {
    if (client->lines == 0) client->lines_wanted = 0;
    const size_t end = in.find('\n', at);
    if (end == std::string_view::npos) return;  // redis-benchmark's writes end with whole lines
    if (client->lines_wanted == 0) {
      client->lines_wanted = in.substr(at, 2) == "*2" ? kLinesOfGet : kLinesOfSet;
    }
    if (++client->lines == client->lines_wanted) {
      *out += client->lines_wanted == kLinesOfGet ? std::string_view(kValue) : "+OK\r\n";
      client->lines = 0;
    }
    at = end + 1;
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int one = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(std::atoi(argv[1])));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0 ||
      listen(listener, 511) != 0) {
    std::perror("floor");
    return 1;
  }
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = listener;
  epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
  std::vector<epoll_event> events(1024);
  std::vector<Client> clients(65536);
  std::vector<char> in(65536);
  std::string out;
  for (;;) {
    const int ready = epoll_wait(epoll, events.data(), static_cast<int>(events.size()), -1);
    for (int i = 0; i < std::max(ready, 0); ++i) {
      const int fd = events[static_cast<size_t>(i)].data.fd;
      if (fd == listener) {
        const int accepted = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
        if (accepted < 0 || accepted >= 65536) continue;
        setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        clients[static_cast<size_t>(accepted)] = Client();
        event.data.fd = accepted;
        epoll_ctl(epoll, EPOLL_CTL_ADD, accepted, &event);
        continue;
      }
      const ssize_t size = recv(fd, in.data(), in.size(), MSG_DONTWAIT);
      if (size <= 0) {
        close(fd);
        continue;
      }
      out.clear();
      Answer({in.data(), static_cast<size_t>(size)}, &clients[static_cast<size_t>(fd)], &out);
      if (!out.empty() && send(fd, out.data(), out.size(), MSG_NOSIGNAL) < 0) close(fd);
    }
  }
}
