// What gemel knows of the addresses that clients come from: which are its own machine's, and from
// which wrong passwords came of late. Wrong passwords slow down whoever tries more of them, on the
// same connection and from the same address; what is refused is logged with the address, at a rate.

#ifndef GEMEL_PROXY_SESSION_STATE_ACCESS_GUARD_H_
#define GEMEL_PROXY_SESSION_STATE_ACCESS_GUARD_H_

#include <array>
#include <cstdint>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "proxy/session/state/acl_log.h"

namespace gemel {

// Of a client's address as CLIENT LIST shows it: a Unix socket's or a loopback one. What cannot be
// told is none.
bool IsLocalPeer(std::string_view peer);

// What counts as one address: a v4 address, or the 64 bits of a v6 one that one customer has.
std::string NetworkOf(std::string_view peer);

// Why a client is turned away.
enum class Rejection : uint8_t {
  kPassword,       // wrong user or password
  kProtectedMode,  // no password is asked for, and it is not on this machine
  kCrossProtocol,  // it sent a browser's request
};

// Shared by all workers. Any thread.
class AccessGuard {
 public:
  static constexpr size_t kMaxNetworks = 4096;  // remembered; the one not heard of for longest goes
  // Of one connection: this after its first wrong password, doubled with each, up to the longest.
  static constexpr uint64_t kFirstWaitMs = 100;
  static constexpr uint64_t kLongestWaitMs = 4000;
  // Of one address: none for so many wrong ones, then so much more for each, up to the longest.
  // Each second one is forgotten, and no more are remembered than make the longest wait twice.
  static constexpr double kFree = 10;
  static constexpr double kStepMs = 20;
  static constexpr uint64_t kLongestNetworkWaitMs = 1000;
  // Lines about one address and kind, and about all of them in a second.
  static constexpr uint64_t kLineEveryMs = 10000;
  static constexpr uint32_t kLinesPerSecond = 10;

  // `say` writes a warning to the log.
  explicit AccessGuard(std::function<void(const std::string& line)> say) : say_(std::move(say)) {}

  // For how long a password from there waits before it is looked at, right or wrong: otherwise the
  // wait would tell. `failures`: wrong ones on this connection. A client with the right one on a
  // new connection waits for kLongestNetworkWaitMs at most, whatever others at its address do.
  uint64_t WaitMs(std::string_view peer, uint32_t failures, uint64_t now_ms);
  // A client was turned away.
  void Note(Rejection rejection, std::string_view peer, uint64_t now_ms);

  // What users were refused.
  AclLog& acl_log() { return acl_log_; }

  size_t networks() const;

 private:
  struct Lines {
    bool any = false;
    uint64_t last_ms = 0;
    uint64_t untold = 0;
  };
  struct Network {
    std::string name;
    double failures = 0;  // at `then_ms`
    uint64_t then_ms = 0;
    std::array<Lines, 3> lines;
  };

  Network& Find(std::string_view peer, uint64_t now_ms);

  AclLog acl_log_;
  std::function<void(const std::string&)> say_;
  mutable std::mutex mutex_;
  std::list<Network> networks_;  // heard of last in front
  std::unordered_map<std::string_view, std::list<Network>::iterator> by_name_;
  uint64_t second_ms_ = 0;
  uint32_t lines_ = 0;  // in that second
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SESSION_STATE_ACCESS_GUARD_H_
