#include "tests/io/raft_wires.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <list>
#include <optional>
#include <stdexcept>

namespace gemel::raft_test {

struct Wires::Shared {
  std::array<std::array<std::atomic<bool>, kMostPlaces>, kMostPlaces> cut{};  // from, to
};

namespace {

constexpr int kTurnMs = 2;  // so soon it is noticed that a line is cut
constexpr size_t kMostHeld = 4 << 20;

using Cuts = std::array<std::array<std::atomic<bool>, Wires::kMostPlaces>, Wires::kMostPlaces>;

sockaddr_in Loopback(uint16_t port) {
  sockaddr_in place{};
  place.sin_family = AF_INET;
  place.sin_port = htons(port);
  place.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return place;
}

int NewSocket() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  return fd;
}

// One direction of a connection.
struct Way {
  int from = -1;
  int to = -1;
  std::string held;
  bool ended = false;

  // False: the connection is over.
  bool Step(bool cut) {
    char bytes[65536];
    while (!ended && held.size() < kMostHeld) {
      const ssize_t size = ::read(from, bytes, sizeof(bytes));
      if (size > 0) {
        held.append(bytes, static_cast<size_t>(size));
      } else if (size == 0 || (errno != EAGAIN && errno != EINTR)) {
        ended = true;
      } else {
        break;
      }
    }
    if (cut) return true;
    while (!held.empty()) {
      const ssize_t size = ::send(to, held.data(), held.size(), MSG_NOSIGNAL);
      if (size < 0) return errno == EAGAIN || errno == EINTR || errno == ENOTCONN;
      held.erase(0, static_cast<size_t>(size));
    }
    return !ended;
  }
};

struct Line {
  size_t target = 0;
  std::optional<size_t> dialer;  // unknown until its first words are there
  Way there;
  Way back;
};

class WiresLoop {
 public:
  WiresLoop(std::vector<uint16_t> outer, std::vector<uint16_t> inner, const Cuts* cuts)
      : outer_(std::move(outer)), inner_(std::move(inner)), cuts_(cuts) {}

  bool Listen() {
    for (const uint16_t port : outer_) {
      const sockaddr_in place = Loopback(port);
      listeners_.push_back(NewSocket());
      const int fd = listeners_.back();
      if (::bind(fd, reinterpret_cast<const sockaddr*>(&place), sizeof(place)) != 0) return false;
      if (::listen(fd, 128) != 0) return false;
    }
    return true;
  }

  [[noreturn]] void Run() {
    for (;;) {
      Wait();
      for (size_t i = 0; i < listeners_.size(); ++i) Accept(i);
      for (auto line = lines_.begin(); line != lines_.end();) {
        const auto each = line++;
        if (StepLine(&*each)) continue;
        ::close(each->there.from);
        ::close(each->there.to);
        lines_.erase(each);
      }
    }
  }

 private:
  void Wait() {
    std::vector<pollfd> all;
    for (const int fd : listeners_) all.push_back({fd, POLLIN, 0});
    for (const Line& line : lines_) {
      for (const Way* way : {&line.there, &line.back}) {
        if (!way->ended && way->held.empty()) all.push_back({way->from, POLLIN, 0});
      }
    }
    ::poll(all.data(), all.size(), kTurnMs);
  }

  void Accept(size_t target) {
    for (;;) {
      const int fd = ::accept4(listeners_[target], nullptr, nullptr, SOCK_NONBLOCK);
      if (fd < 0) return;
      const sockaddr_in place = Loopback(inner_[target]);
      const int other = NewSocket();
      ::connect(other, reinterpret_cast<const sockaddr*>(&place), sizeof(place));
      Line& line = lines_.emplace_back();
      line.target = target;
      line.there.from = line.back.to = fd;
      line.there.to = line.back.from = other;
    }
  }

  bool StepLine(Line* line) {
    if (!line->dialer) line->dialer = DialerOf(line->there.held);
    const bool known = line->dialer.has_value();
    const bool there_cut = !known || (*cuts_)[*line->dialer][line->target];
    const bool back_cut = !known || (*cuts_)[line->target][*line->dialer];
    // Who leaves before it has said who it is was nobody.
    if (!known && line->there.ended) return false;
    return line->there.Step(there_cut) && line->back.Step(back_cut);
  }

  // Of its handshake, whose first words name who dials.
  std::optional<size_t> DialerOf(const std::string& bytes) const {
    std::optional<size_t> dialer;
    size_t first = std::string::npos;
    for (size_t i = 0; i < outer_.size(); ++i) {
      for (const std::string& name :
           {"voter:127.0.0.1:" + std::to_string(outer_[i]), "guest:" + Wires::PlaceName(i)}) {
        const size_t at = bytes.find(name);
        if (at >= first) continue;
        first = at;
        dialer = i;
      }
    }
    return dialer;
  }

  const std::vector<uint16_t> outer_;
  const std::vector<uint16_t> inner_;
  const Cuts* const cuts_;
  std::vector<int> listeners_;
  std::list<Line> lines_;
};

}  // namespace

Wires::Wires(const std::vector<uint16_t>& outer, const std::vector<uint16_t>& inner) {
  void* memory =
      ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::runtime_error("no memory to share");
  shared_ = new (memory) Shared;
  WiresLoop loop(outer, inner, &shared_->cut);
  int report[2];
  if (::pipe(report) != 0) throw std::runtime_error("no pipe");
  pid_ = ::fork();
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int kept = ::dup2(report[1], 3);
    ::close_range(4, ~0U, 0);
    const bool listens = loop.Listen();
    const bool said = ::write(kept, "1", listens ? 1 : 0) == 1;
    ::close(kept);
    if (!said) ::_exit(1);
    loop.Run();
  }
  ::close(report[1]);
  char byte = 0;
  const bool listens = ::read(report[0], &byte, 1) == 1;
  ::close(report[0]);
  if (!listens) throw std::runtime_error("the wires between the voters cannot listen");
}

Wires::~Wires() {
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  ::munmap(shared_, sizeof(Shared));
}

void Wires::Cut(size_t from, size_t to) { shared_->cut[from][to] = true; }

void Wires::Heal() {
  for (auto& row : shared_->cut) {
    for (std::atomic<bool>& cut : row) cut = false;
  }
}

}  // namespace gemel::raft_test
