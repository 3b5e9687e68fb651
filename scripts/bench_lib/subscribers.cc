// Subscribers of one channel that read what comes and count its bytes, and one who publishes to
// them: so many messages, of which so many are on their way at a time. Only the benchmark uses it.
//
// Usage: subscribers PORT SUBSCRIBERS MESSAGES WINDOW
// Prints the seconds from the first PUBLISH to the last byte of the last subscriber.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace {

const std::string kPayload(64, 'x');
const std::string kConfirmation = "*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n";
const std::string kMessage = "*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$64\r\n" + kPayload + "\r\n";
const std::string kPublish = "*3\r\n$7\r\nPUBLISH\r\n$4\r\nnews\r\n$64\r\n" + kPayload + "\r\n";

[[noreturn]] void Fail(const char* what) {
  perror(what);
  exit(1);
}

int Connect(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int one = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) Fail("connect");
  return fd;
}

void Send(int fd, const std::string& bytes) {
  if (send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(bytes.size())) {
    Fail("send");
  }
}

void ReadExactly(int fd, size_t size) {
  std::vector<char> buffer(size);
  for (size_t done = 0; done < size;) {
    const ssize_t n = recv(fd, buffer.data() + done, size - done, 0);
    if (n <= 0) Fail("recv");
    done += static_cast<size_t>(n);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  const int port = atoi(argv[1]);
  const int count = atoi(argv[2]);
  const int64_t messages = atoll(argv[3]);
  const int64_t window = atoll(argv[4]);
  const int loop = epoll_create1(EPOLL_CLOEXEC);
  const int publisher = Connect(port);
  for (int i = 0; i < count; ++i) {
    const int fd = Connect(port);
    Send(fd, "*2\r\n$9\r\nSUBSCRIBE\r\n$4\r\nnews\r\n");
    ReadExactly(fd, kConfirmation.size());
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    epoll_ctl(loop, EPOLL_CTL_ADD, fd, &event);
  }
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = publisher;
  epoll_ctl(loop, EPOLL_CTL_ADD, publisher, &event);

  const auto started = std::chrono::steady_clock::now();
  int64_t published = 0;
  int64_t answered = 0;
  int64_t left = messages * count * static_cast<int64_t>(kMessage.size());
  const int64_t each = count * static_cast<int64_t>(kMessage.size());
  const int64_t all = left;
  std::vector<char> buffer(1 << 16);
  std::vector<epoll_event> events(1024);
  while (left > 0 || answered < messages) {
    // So many are on their way: neither answered nor heard by all.
    std::string burst;
    while (published < messages && published - answered < window &&
           published * each - (all - left) < window * each) {
      burst += kPublish;
      ++published;
    }
    if (!burst.empty()) Send(publisher, burst);
    const int ready = epoll_wait(loop, events.data(), static_cast<int>(events.size()), 60000);
    if (ready <= 0) Fail("nothing came for a minute");
    for (int i = 0; i < ready; ++i) {
      const ssize_t n = recv(events[i].data.fd, buffer.data(), buffer.size(), 0);
      if (n <= 0) Fail("recv");
      if (events[i].data.fd != publisher) {
        left -= n;
        continue;
      }
      for (ssize_t at = 0; at < n; ++at) answered += buffer[at] == '\n';
      if (buffer[0] == '-') Fail("PUBLISH was refused");
    }
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - started;
  printf("%.6f\n", took.count());
  return 0;
}
