#include "config/address.h"

#include <arpa/inet.h>
#include <sys/un.h>

#include <algorithm>
#include <charconv>

#include "config/config_text.h"

namespace gemel {

namespace {

constexpr std::string_view kUnixPrefix = "unix:";
constexpr std::string_view kTlsPrefix = "tls:";
constexpr size_t kMaxHost = 253;  // of a DNS name
constexpr size_t kMaxLabel = 63;  // of one part of it
constexpr size_t kMaxZone = 15;   // an interface's name: IFNAMSIZ less the NUL
constexpr size_t kMaxUnixPath = sizeof(sockaddr_un::sun_path) - 1;

constexpr char kExpected[] = "expected host:port, [v6]:port or unix:/path";

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsAlnum(char c) { return IsDigit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool AllDigits(std::string_view text) { return std::all_of(text.begin(), text.end(), IsDigit); }

std::optional<uint16_t> ParsePort(std::string_view text) {
  unsigned port = 0;
  const char* end = text.data() + text.size();
  if (text.empty() || text.size() > 5 || !AllDigits(text)) return std::nullopt;
  if (std::from_chars(text.data(), end, port).ptr != end) return std::nullopt;
  if (port < 1 || port > 65535) return std::nullopt;
  return static_cast<uint16_t>(port);
}

// The v6 address in its shortest form, so that two spellings of one address are equal.
std::optional<std::string> CanonicalV6(std::string_view text) {
  std::string address(text.substr(0, text.find('%')));
  std::string zone(text.substr(address.size()));  // with its '%'
  if (!zone.empty()) {
    std::string_view name = std::string_view(zone).substr(1);
    bool good = !name.empty() && name.size() <= kMaxZone &&
                std::all_of(name.begin(), name.end(),
                            [](char c) { return IsAlnum(c) || c == '-' || c == '_' || c == '.'; });
    if (!good) return std::nullopt;
  }
  if (address.find('\0') != std::string::npos) return std::nullopt;
  in6_addr bytes;
  if (inet_pton(AF_INET6, address.c_str(), &bytes) != 1) return std::nullopt;
  char shortest[INET6_ADDRSTRLEN];
  if (inet_ntop(AF_INET6, &bytes, shortest, sizeof(shortest)) == nullptr) return std::nullopt;
  return shortest + zone;
}

// True if a resolver would take the host for a number: "1.2.3", "0x7f.1" and the like mean other
// addresses to old resolvers than they seem to, so that only the four-number form is let through.
bool LooksNumeric(std::string_view host) {
  if (host.back() == '.') host.remove_suffix(1);
  std::string_view last = host.substr(host.rfind('.') + 1);
  return (!last.empty() && AllDigits(last)) || last.substr(0, 2) == "0x";
}

// The name or v4 address in lower case.
std::optional<std::string> CanonicalHost(std::string_view text, std::string* error) {
  if (text.empty()) {
    *error = "expected a host before the port (0.0.0.0 is every interface)";
    return std::nullopt;
  }
  if (text.size() > kMaxHost) {
    *error = "expected a host name of at most 253 characters";
    return std::nullopt;
  }
  std::string host = LowerCase(text);
  if (LooksNumeric(host)) {
    in_addr bytes;
    if (inet_pton(AF_INET, host.c_str(), &bytes) == 1) return host;
    *error = "expected a v4 address of four numbers from 0 to 255";
    return std::nullopt;
  }
  std::string_view rest = host;
  if (rest.back() == '.') rest.remove_suffix(1);  // an absolute DNS name
  for (;;) {
    std::string_view label = rest.substr(0, rest.find('.'));
    bool good = !label.empty() && label.size() <= kMaxLabel &&
                std::all_of(label.begin(), label.end(),
                            [](char c) { return IsAlnum(c) || c == '-' || c == '_'; });
    if (!good) {
      *error = "expected a host name of letters, digits, '-', '_' and single dots";
      return std::nullopt;
    }
    if (label.size() == rest.size()) return host;
    rest.remove_prefix(label.size() + 1);
  }
}

std::optional<Address> ParseUnix(std::string_view path, std::string* error) {
  if (path.empty() || path[0] != '/') {
    *error = "expected an absolute path after unix:, as in unix:/run/redis.sock";
  } else if (path.size() > kMaxUnixPath) {
    *error = "expected a socket path of at most " + std::to_string(kMaxUnixPath) + " bytes";
  } else if (std::any_of(path.begin(), path.end(), [](char c) {
               return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
             })) {
    *error = "expected a socket path without control characters";
  } else {
    Address address;
    address.path = path;
    return address;
  }
  return std::nullopt;
}

}  // namespace

std::string Address::ToString() const {
  if (IsUnix()) return std::string(kUnixPrefix) + path;
  bool v6 = host.find(':') != std::string::npos;
  return std::string(tls ? kTlsPrefix : "") + (v6 ? "[" + host + "]" : host) + ":" +
         std::to_string(port);
}

std::optional<Address> ParseAddress(std::string_view text, std::string* error) {
  if (LowerCase(text.substr(0, kUnixPrefix.size())) == kUnixPrefix) {
    return ParseUnix(text.substr(kUnixPrefix.size()), error);
  }
  // (There is a host of that name, too: "tls:6380".)
  const bool tls = LowerCase(text.substr(0, kTlsPrefix.size())) == kTlsPrefix &&
                   text.find(':', kTlsPrefix.size()) != std::string_view::npos;
  if (tls) text.remove_prefix(kTlsPrefix.size());
  size_t colon = text.rfind(':');
  bool bracket = !text.empty() && text[0] == '[';
  size_t close = text.find(']');
  if (colon == std::string_view::npos || (bracket && close == std::string_view::npos)) {
    *error = kExpected;
    return std::nullopt;
  }
  std::optional<std::string> host;
  if (bracket) {
    if (colon != close + 1) {
      *error = "expected ]:port after the v6 address, as in [::1]:6380";
      return std::nullopt;
    }
    host = CanonicalV6(text.substr(1, close - 1));
    if (!host) *error = "expected a v6 address between the brackets";
  } else if (text.find(':') != colon) {
    *error = "expected a v6 address to be in brackets, as in [::1]:6380";
  } else {
    host = CanonicalHost(text.substr(0, colon), error);
  }
  if (!host) return std::nullopt;
  std::optional<uint16_t> port = ParsePort(text.substr(colon + 1));
  if (!port) {
    *error = "expected a port from 1 to 65535";
    return std::nullopt;
  }
  Address address;
  address.host = std::move(*host);
  address.port = *port;
  address.tls = tls;
  return address;
}

}  // namespace gemel
