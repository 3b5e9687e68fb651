#include "tests/e2e/hostile_clients.h"

#include <array>
#include <chrono>
#include <memory>
#include <random>
#include <stdexcept>

#include "tests/e2e/client.h"
#include "tests/e2e/proxy_process.h"
#include "tests/e2e/raw_socket.h"

namespace gemel::e2e {
namespace {

constexpr size_t kValueBytes = 1'000'000;
constexpr unsigned kValues = 16;

std::string ValueKey(unsigned number) { return "hostile:" + std::to_string(number); }

class Visit {
 public:
  Visit(uint16_t port, std::mt19937* random) : port_(port), random_(random) {}

  unsigned Below(unsigned bound) { return static_cast<unsigned>((*random_)()) % bound; }
  std::string GetValue() { return Encode({"GET", ValueKey(Below(kValues))}); }
  // Sends what the other side takes of it; the connection stays until the visit ends.
  void Push(const std::string& bytes) { Open().SendSome(bytes); }
  RawSocket& Open() {
    sockets_.push_back(std::make_unique<RawSocket>(port_));
    return *sockets_.back();
  }
  Visit Another() const { return Visit(port_, random_); }
  // How long a client stays: nothing is waited for.
  void Stay(unsigned most_ms) {
    std::this_thread::sleep_for(std::chrono::milliseconds(Below(most_ms)));
  }

 private:
  const uint16_t port_;
  std::mt19937* const random_;
  std::vector<std::unique_ptr<RawSocket>> sockets_;
};

std::string Times(const std::string& text, unsigned count) {
  std::string all;
  all.reserve(text.size() * count);
  for (unsigned i = 0; i < count; ++i) all += text;
  return all;
}

void NeverRead(Visit& visit) {
  for (int i = 0; i < 20; ++i) visit.Push(Times(visit.GetValue(), 100));
  visit.Stay(1000);
}

void EchoUnread(Visit& visit) {
  const std::string echoes = Times(Encode({"ECHO", std::string(8000, 'e')}), 64);
  for (int i = 0; i < 100; ++i) visit.Push(echoes);
  visit.Stay(1000);
}

void AskProxyUnread(Visit& visit) {
  const std::string questions =
      Times(Encode({"COMMAND"}) + Encode({"CONFIG", "GET", "*"}) + Encode({"INFO"}) +
                Encode({"CLIENT", "LIST"}) + Encode({"PROXY", "EVENTS"}),
            100);
  for (int i = 0; i < 20; ++i) visit.Push(questions);
  visit.Stay(500);
}

void StopInTheMiddle(Visit& visit) {
  const std::string head = "*3\r\n$3\r\nSET\r\n$4\r\nhalf\r\n$900000\r\n";
  for (int i = 0; i < 100; ++i) visit.Push(head + std::string(visit.Below(900'000), 'h'));
  visit.Stay(1000);
}

// Deeper than a reply may be.
void AskForNestedReply(Visit& visit) {
  RawSocket& socket = visit.Open();
  socket.Send(Encode({"EVAL_RO", "local t={} for i=1,40 do t={t} end return t", "1",
                      "k" + std::to_string(visit.Below(100))}));
  if (visit.Below(2) == 0) socket.Read(1);
}

// Beyond what these nodes take.
void SendHugeValue(Visit& visit) {
  RawSocket& socket = visit.Open();
  socket.Send(Encode({"SET", "hostile:huge", std::string((2 + visit.Below(4)) << 20, 'h')}));
  socket.Read(1);
}

// More than the nodes hold for a client that does not read.
void LeaveInTheMiddle(Visit& visit) {
  visit.Push(Times(visit.GetValue(), 300));
  visit.Stay(1000);
}

void ComeAndGo(Visit& visit) {
  for (int i = 0; i < 100; ++i) {
    Visit one = visit.Another();
    one.Push(Times(Encode({"PING"}), visit.Below(3)));
  }
}

void SendGarbage(Visit& visit) {
  for (int i = 0; i < 20; ++i) {
    std::string bytes = Times(Encode({"GET", "hostile:none"}), 3);
    for (int j = 0; j < 3; ++j) bytes[visit.Below(80)] = static_cast<char>(visit.Below(256));
    visit.Push(bytes);
  }
}

void PostPage(Visit& visit) {
  RawSocket& socket = visit.Open();
  socket.Send("POST / HTTP/1.1\r\nHost: localhost\r\n\r\nSET hostile:http written\r\n");
  socket.CloseWriting();
  socket.ReadUntilClosed();
}

void AskForRefused(Visit& visit) {
  RawSocket& socket = visit.Open();
  for (const Words& words : std::vector<Words>{{"MULTI"},
                                               {"EXEC"},
                                               {"BLPOP", "hostile:list", "0.01"},
                                               {"SUBSCRIBE", "channel"},
                                               {"PUBLISH", "channel", "in the wrong mode"},
                                               {"RESET"},
                                               {"SHUTDOWN"},
                                               {"SYNC"},
                                               {"REPLICAOF", "localhost", "1"},
                                               {"DEBUG", "SLEEP", "5"},
                                               {"AUTH", "guess"}}) {
    socket.Send(Times(Encode(words), 20));
  }
  visit.Stay(20);
}

void HalfClose(Visit& visit) {
  RawSocket& socket = visit.Open();
  socket.Send(Times(visit.GetValue(), 3));
  socket.CloseWriting();
  socket.ReadUntilClosed();
}

void GiveOrders(Visit& visit) {
  const std::string hedge = std::to_string(49 + visit.Below(3));
  visit.Push(
      Times(Encode({"PROXY", "RELOAD"}) + Encode({"CONFIG", "SET", "read.hedge_ms", hedge}), 50));
  visit.Stay(500);
}

void SendManyArguments(Visit& visit) {
  const std::string count = std::to_string(100'001);
  visit.Push("*" + count + "\r\n$6\r\nEXISTS\r\n" + Times("$9\r\nhostile:x\r\n", 100'000));
  visit.Stay(200);
}

struct Kind {
  const char* name;
  void (*visit)(Visit&);
};
constexpr std::array kKinds{
    Kind{"never read", NeverRead},
    Kind{"echo unread", EchoUnread},
    Kind{"ask the proxy unread", AskProxyUnread},
    Kind{"stop in the middle", StopInTheMiddle},
    Kind{"nested replies", AskForNestedReply},
    Kind{"huge values", SendHugeValue},
    Kind{"leave in the middle", LeaveInTheMiddle},
    Kind{"come and go", ComeAndGo},
    Kind{"garbage", SendGarbage},
    Kind{"HTTP", PostPage},
    Kind{"refused", AskForRefused},
    Kind{"half-closed", HalfClose},
    Kind{"orders", GiveOrders},
    Kind{"many arguments", SendManyArguments},
};

}  // namespace

HostileClients::HostileClients(uint16_t port, unsigned seed)
    : port_(port), visitors_(kKinds.size()) {
  for (size_t i = 0; i < visitors_.size(); ++i) {
    visitors_[i].thread =
        std::thread([this, i, seed] { Work(i, seed + static_cast<unsigned>(i)); });
  }
}

void HostileClients::Fill(uint16_t port) {
  Client client(port);
  for (unsigned i = 0; i < kValues; ++i) {
    if (!(client("SET", ValueKey(i), std::string(kValueBytes, 'v')) == "OK")) {
      throw std::runtime_error("the values of the hostile clients cannot be written");
    }
  }
}

void HostileClients::Stop() {
  stop_ = true;
  for (Visitor& visitor : visitors_) {
    if (visitor.thread.joinable()) visitor.thread.join();
  }
}

std::string HostileClients::Unseen() const {
  std::string names;
  for (size_t i = 0; i < visitors_.size(); ++i) {
    if (visitors_[i].visits == 0) names += std::string(names.empty() ? "" : ", ") + kKinds[i].name;
  }
  return names;
}

void HostileClients::Work(size_t kind, unsigned seed) {
  std::mt19937 random(seed);
  while (!stop_) {
    try {
      Visit visit(port_, &random);
      kKinds[kind].visit(visit);
    } catch (const std::runtime_error&) {
      // The proxy closed it, which it may.
    }
    ++visitors_[kind].visits;
    // Like a machine that does something else, too: the polite ones need the processors as well,
    // and a proxy with a sanitizer is ten times slower than they are.
    std::this_thread::sleep_for(
        std::chrono::milliseconds(ProxySanitizer() == Sanitizer::kNone ? 10 : 100));
  }
}

}  // namespace gemel::e2e
