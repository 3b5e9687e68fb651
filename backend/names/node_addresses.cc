#include "backend/names/node_addresses.h"

#include <arpa/inet.h>

#include <algorithm>
#include <utility>

namespace gemel {

namespace {

bool ParseV6(const std::string& host, in6_addr* bytes) {
  return inet_pton(AF_INET6, host.substr(0, host.find('%')).c_str(), bytes) == 1;
}

}  // namespace

bool IsLoopback(const std::string& number) {
  in_addr v4;
  in6_addr v6;
  if (inet_pton(AF_INET, number.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  return ParseV6(number, &v6) && IN6_IS_ADDR_LOOPBACK(&v6);
}

bool IsNumber(const std::string& host) {
  in_addr v4;
  in6_addr v6;
  return inet_pton(AF_INET, host.c_str(), &v4) == 1 || ParseV6(host, &v6);
}

NodeAddresses::Known* NodeAddresses::Find(const std::string& number) {
  const auto found = std::find_if(known_.begin(), known_.end(),
                                  [&](const Known& known) { return known.number == number; });
  return found == known_.end() ? nullptr : &*found;
}

void NodeAddresses::Learn(const std::vector<std::string>& found) {
  if (found.empty()) return;
  std::erase_if(known_, [&](const Known& known) {
    return std::find(found.begin(), found.end(), known.number) == found.end();
  });
  for (const std::string& number : found) {
    if (Find(number) == nullptr) known_.push_back({number});
  }
}

std::vector<std::string> NodeAddresses::ToTry() const {
  if (!held_.empty()) return {held_};
  std::vector<const Known*> order;
  for (const Known& known : known_) order.push_back(&known);
  std::stable_sort(order.begin(), order.end(), [this](const Known* one, const Known* other) {
    if (one->failed_ms != other->failed_ms) return one->failed_ms < other->failed_ms;
    return one->number == last_ && other->number != last_;
  });
  std::vector<std::string> numbers;
  for (const Known* known : order) numbers.push_back(known->number);
  return numbers;
}

uint64_t NodeAddresses::PatienceMs(const std::string& number) const {
  for (const Known& known : known_) {
    if (known.number != number) continue;
    return std::min(kMaxPatienceMs, kPatienceMs << std::min(known.failures, 10u));
  }
  return kPatienceMs;
}

void NodeAddresses::OnConnected(const std::string& number) {
  last_ = number;
  if (Known* known = Find(number)) {
    known->failed_ms = 0;
    known->failures = 0;
  }
}

void NodeAddresses::OnFailed(const std::string& number, uint64_t now_ms) {
  if (Known* known = Find(number)) {
    known->failed_ms = std::max<uint64_t>(now_ms, 1);
    ++known->failures;
  }
}

bool NodeAddresses::Hold(const std::string& number) {
  const bool other = !last_.empty() && last_ != number;
  OnConnected(number);
  held_ = number;
  return other;
}

}  // namespace gemel
