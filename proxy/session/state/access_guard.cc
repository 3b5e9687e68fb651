#include "proxy/session/state/access_guard.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

namespace gemel {

namespace {

constexpr std::string_view kUnix = "unix:";
constexpr unsigned char kMapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

// An address without its port: four bytes of v4 (also of one that is mapped into v6), sixteen of
// v6, none of anything else.
std::string BytesOf(std::string_view peer) {
  const size_t colon = peer.rfind(':');
  if (colon == std::string_view::npos) return {};
  std::string host(peer.substr(0, colon));
  in_addr v4{};
  if (inet_pton(AF_INET, host.c_str(), &v4) == 1) {
    return {reinterpret_cast<const char*>(&v4), sizeof(v4)};
  }
  if (host.size() < 2 || host.front() != '[' || host.back() != ']') return {};
  host = host.substr(1, host.size() - 2);
  host = host.substr(0, host.find('%'));
  in6_addr v6{};
  if (inet_pton(AF_INET6, host.c_str(), &v6) != 1) return {};
  const std::string bytes(reinterpret_cast<const char*>(&v6), sizeof(v6));
  return std::memcmp(bytes.data(), kMapped, sizeof(kMapped)) == 0 ? bytes.substr(sizeof(kMapped))
                                                                  : bytes;
}

std::string Sentence(Rejection rejection, std::string_view peer) {
  const std::string client(peer);
  switch (rejection) {
    case Rejection::kPassword:
      return "the client " + client + " gave a wrong user or password";
    case Rejection::kProtectedMode:
      return "the client " + client +
             " was turned away: there is no [proxy] password, so only clients on this machine are "
             "served (protected_mode)";
    case Rejection::kCrossProtocol:
      return "Possible SECURITY ATTACK detected. It looks like somebody is sending POST or Host: "
             "commands to gemel. This is likely due to an attacker attempting to use Cross "
             "Protocol Scripting to compromise your gemel instance. Connection from " +
             client + " aborted.";
  }
  return {};
}

}  // namespace

bool IsLocalPeer(std::string_view peer) {
  if (peer.starts_with(kUnix)) return true;
  const std::string bytes = BytesOf(peer);
  if (bytes.size() == 4) return bytes[0] == 127;
  return bytes == std::string(15, '\0') + '\1';
}

std::string NetworkOf(std::string_view peer) {
  if (peer.starts_with(kUnix)) return std::string(kUnix);
  return BytesOf(peer).substr(0, 8);
}

AccessGuard::Network& AccessGuard::Find(std::string_view peer, uint64_t now_ms) {
  std::string name = NetworkOf(peer);
  if (const auto found = by_name_.find(name); found != by_name_.end()) {
    networks_.splice(networks_.begin(), networks_, found->second);
  } else {
    if (networks_.size() >= kMaxNetworks) {
      by_name_.erase(networks_.back().name);
      networks_.pop_back();
    }
    networks_.emplace_front().name = std::move(name);
    networks_.front().then_ms = now_ms;
    by_name_.emplace(networks_.front().name, networks_.begin());
  }
  Network& network = networks_.front();
  if (now_ms > network.then_ms) {
    network.failures -= static_cast<double>(now_ms - network.then_ms) / 1000;
    network.failures = std::max(network.failures, 0.0);
    network.then_ms = now_ms;
  }
  return network;
}

uint64_t AccessGuard::WaitMs(std::string_view peer, uint32_t failures, uint64_t now_ms) {
  uint64_t wait_ms = 0;
  if (failures > 0) {
    wait_ms = std::min(kFirstWaitMs << std::min(failures - 1, 16u), kLongestWaitMs);
  }
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = by_name_.find(NetworkOf(peer));
  if (found == by_name_.end()) return wait_ms;  // only those with a wrong one are remembered
  const double more = Find(peer, now_ms).failures - kFree;
  if (more <= 0) return wait_ms;
  return std::max(wait_ms, std::min(static_cast<uint64_t>(more * kStepMs), kLongestNetworkWaitMs));
}

void AccessGuard::Note(Rejection rejection, std::string_view peer, uint64_t now_ms) {
  constexpr double kMost = kFree + 2 * static_cast<double>(kLongestNetworkWaitMs) / kStepMs;
  std::string line;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    Network& network = Find(peer, now_ms);
    if (rejection == Rejection::kPassword) network.failures = std::min(network.failures + 1, kMost);
    Lines& lines = network.lines[static_cast<size_t>(rejection)];
    if (now_ms >= second_ms_ + 1000) {
      second_ms_ = now_ms;
      lines_ = 0;
    }
    if ((lines.any && now_ms < lines.last_ms + kLineEveryMs) || lines_ >= kLinesPerSecond) {
      ++lines.untold;
      return;
    }
    ++lines_;
    line = Sentence(rejection, peer);
    if (lines.untold > 0) {
      line += "; from its address there were " + std::to_string(lines.untold) +
              " more since the last such line";
    }
    lines = {true, now_ms, 0};
  }
  if (say_) say_(line);
}

size_t AccessGuard::networks() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return networks_.size();
}

}  // namespace gemel
