// A client that treats a Redis as a cache, faster than Python could: it reads keys by a Zipf law
// and writes what it misses, or it writes keys that expire at once. Only the benchmark uses it.
//
// Usage: cache_load zipf PORT SEED SKIP READS TTL    GETs, a SET for each miss; SKIP draws of the
// seed's trace were
//                                                    taken before. TTL: 1 if what is written
//                                                    expires some day
//        cache_load expire PORT SEED RATE SECONDS    RATE SETs a second of new keys, with PX 20 to
//        400
//
// It prints one line: NAME=NUMBER of what it counted. It ends with 1 if a connection breaks.

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

constexpr int kKeys = 100'000;
constexpr double kExponent = 0.8;
// Few, because what a server holds for its clients counts against maxmemory.
constexpr int kConnections = 4;
constexpr int kDepth = 16;

[[noreturn]] void Die(const char* what) {
  std::perror(what);
  std::exit(1);
}

class Connection {
 public:
  enum class Reply { kNothing, kSomething, kError };

  explicit Connection(uint16_t port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int one = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) Die("connect");
  }
  ~Connection() { close(fd_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void Append(std::initializer_list<std::string_view> words) {
    out_ += "*" + std::to_string(words.size()) + "\r\n";
    for (const std::string_view word : words) {
      out_ += "$" + std::to_string(word.size()) + "\r\n";
      out_ += word;
      out_ += "\r\n";
    }
  }

  void Send() {
    for (size_t sent = 0; sent < out_.size();) {
      const ssize_t size = send(fd_, out_.data() + sent, out_.size() - sent, MSG_NOSIGNAL);
      if (size <= 0) Die("send");
      sent += static_cast<size_t>(size);
    }
    out_.clear();
  }

  // A status, an integer, a bulk or an error.
  Reply Read() {
    size_t end;
    while ((end = in_.find("\r\n", at_)) == std::string::npos) Receive();
    const char kind = in_[at_];
    const long length = kind == '$' ? std::atol(in_.c_str() + at_ + 1) : -1;
    if (kind == '-' && ++errors_ <= 3) {
      std::fprintf(stderr, "%s\n", in_.substr(at_, end - at_).c_str());
    }
    at_ = end + 2;
    if (length >= 0) {
      const size_t next = at_ + static_cast<size_t>(length) + 2;
      while (in_.size() < next) Receive();
      at_ = next;
    }
    if (kind == '-') return Reply::kError;
    return kind == '$' && length < 0 ? Reply::kNothing : Reply::kSomething;
  }

 private:
  void Receive() {
    in_.erase(0, at_);
    at_ = 0;
    char bytes[65536];
    const ssize_t size = recv(fd_, bytes, sizeof(bytes), 0);
    if (size == 0) errno = ECONNRESET;
    if (size <= 0) Die("recv");
    in_.append(bytes, static_cast<size_t>(size));
  }

  const int fd_;
  std::string out_;
  std::string in_;
  size_t at_ = 0;
  int errors_ = 0;
};

class Zipf {
 public:
  explicit Zipf(uint64_t seed, unsigned long long skip) : dice_(seed) {
    double sum = 0;
    for (int rank = 1; rank <= kKeys; ++rank) below_.push_back(sum += std::pow(rank, -kExponent));
    dice_.discard(skip);
  }
  // One draw of the dice each.
  int Next() {
    const double at = static_cast<double>(dice_() >> 11) * 0x1p-53 * below_.back();
    return static_cast<int>(std::upper_bound(below_.begin(), below_.end(), at) - below_.begin());
  }

 private:
  std::mt19937_64 dice_;
  std::vector<double> below_;
};

// 50 to 249 bytes, always the same for a key.
std::string_view ValueOf(int key) {
  static const std::string bytes(250, 'v');
  return std::string_view(bytes).substr(0,
                                        50 + (static_cast<uint32_t>(key) * 2654435761U >> 8) % 200);
}

double Seconds(std::chrono::steady_clock::time_point since) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - since).count();
}

int RunZipf(uint16_t port, uint64_t seed, double rate, unsigned long long skip, long reads,
            bool ttl) {
  struct Asked {
    int key;
    bool is_read;
  };
  struct Client {
    Connection connection;
    std::deque<Asked> asked;
    explicit Client(uint16_t at) : connection(at) {}
  };
  Zipf trace(seed, skip);
  std::deque<Client> clients;
  for (int i = 0; i < kConnections; ++i) clients.emplace_back(port);
  long left = reads, hits = 0, sets = 0, errors = 0;
  bool busy = true;
  const auto began = std::chrono::steady_clock::now();
  while (busy) {
    busy = false;
    for (Client& client : clients) {
      // The clock by which Redis knows what was used last ticks once a second: who reads faster has
      // a worse cache.
      while (static_cast<double>(reads - left) > Seconds(began) * rate) {
        std::this_thread::sleep_for(std::chrono::microseconds(100));
      }
      std::vector<int> missed;
      for (; !client.asked.empty(); client.asked.pop_front()) {
        const Asked asked = client.asked.front();
        const Connection::Reply reply = client.connection.Read();
        if (reply == Connection::Reply::kError) {
          ++errors;
        } else if (asked.is_read && reply == Connection::Reply::kNothing) {
          missed.push_back(asked.key);
        } else if (asked.is_read) {
          ++hits;
        }
      }
      for (const int key : missed) {
        const std::string name = "key:" + std::to_string(key);
        if (ttl) {
          const std::string seconds = std::to_string(600 + key % 3000);
          client.connection.Append({"SET", name, ValueOf(key), "EX", seconds});
        } else {
          client.connection.Append({"SET", name, ValueOf(key)});
        }
        client.asked.push_back({key, false});
        ++sets;
      }
      for (int i = 0; i < kDepth && left > 0; ++i, --left) {
        const int key = trace.Next();
        client.connection.Append({"GET", "key:" + std::to_string(key)});
        client.asked.push_back({key, true});
      }
      if (client.asked.empty()) continue;
      client.connection.Send();
      busy = true;
    }
  }
  std::printf("reads=%ld hits=%ld sets=%ld errors=%ld seconds=%.3f\n", reads, hits, sets, errors,
              Seconds(began));
  return 0;
}

int RunExpire(uint16_t port, uint64_t seed, double rate, double seconds) {
  std::mt19937_64 dice(seed);
  std::deque<Connection> connections;
  for (int i = 0; i < kConnections; ++i) connections.emplace_back(port);
  std::vector<int> waiting(kConnections);
  const std::string value(64, 'v');
  long sets = 0, errors = 0;
  const auto began = std::chrono::steady_clock::now();
  for (size_t turn = 0;; turn = (turn + 1) % connections.size()) {
    const double passed = Seconds(began);
    Connection& connection = connections[turn];
    for (; waiting[turn] > 0; --waiting[turn]) {
      errors += connection.Read() == Connection::Reply::kError;
    }
    if (passed >= seconds) {
      if (std::all_of(waiting.begin(), waiting.end(), [](int one) { return one == 0; })) break;
      continue;
    }
    const long due = std::min(static_cast<long>(passed * rate) - sets, 500L);
    for (long i = 0; i < due; ++i, ++sets, ++waiting[turn]) {
      const std::string name = "e:" + std::to_string(seed) + ":" + std::to_string(sets);
      connection.Append({"SET", name, value, "PX", std::to_string(20 + dice() % 381)});
    }
    connection.Send();
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  std::printf("sets=%ld errors=%ld seconds=%.3f\n", sets, errors, Seconds(began));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view mode = argc > 1 ? argv[1] : "";
  const auto number = [&](int at) { return std::strtoull(argv[at], nullptr, 10); };
  if (mode == "zipf" && argc == 8) {
    return RunZipf(static_cast<uint16_t>(number(2)), number(3), static_cast<double>(number(4)),
                   number(5), static_cast<long>(number(6)), number(7) != 0);
  }
  if (mode == "expire" && argc == 6) {
    return RunExpire(static_cast<uint16_t>(number(2)), number(3), static_cast<double>(number(4)),
                     static_cast<double>(number(5)));
  }
  std::fputs("cache_load zipf PORT SEED RATE SKIP READS TTL | expire PORT SEED RATE SECONDS\n",
             stderr);
  return 2;
}
