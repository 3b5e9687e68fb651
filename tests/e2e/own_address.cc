#include "tests/e2e/own_address.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

#include <memory>
#include <stdexcept>

namespace gemel::e2e {

std::string OwnAddress() {
  ifaddrs* found = nullptr;
  if (getifaddrs(&found) != 0) throw std::runtime_error("getifaddrs failed");
  const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> all(found, freeifaddrs);
  for (const ifaddrs* at = found; at != nullptr; at = at->ifa_next) {
    if (at->ifa_addr == nullptr || at->ifa_addr->sa_family != AF_INET) continue;
    if ((at->ifa_flags & IFF_UP) == 0 || (at->ifa_flags & IFF_LOOPBACK) != 0) continue;
    char text[INET_ADDRSTRLEN] = "";
    const auto* address = reinterpret_cast<const sockaddr_in*>(at->ifa_addr);
    inet_ntop(AF_INET, &address->sin_addr, text, sizeof(text));
    return text;
  }
  throw std::runtime_error(
      "this machine has no v4 address but those of loopback; the test needs one (ip addr add)");
}

}  // namespace gemel::e2e
