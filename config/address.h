// Where something listens: host:port, [v6]:port or unix:/path; with TLS tls:host:port.

#ifndef GEMEL_CONFIG_ADDRESS_H_
#define GEMEL_CONFIG_ADDRESS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace gemel {

// As ParseAddress makes it, so that two spellings of one address are equal: a name is in lower
// case, a v6 address in its shortest form.
struct Address {
  std::string host;   // without brackets; empty for a Unix socket
  uint16_t port = 0;  // 0 for a Unix socket
  std::string path;   // of a Unix socket, else empty
  bool tls = false;   // TLS is spoken there
  // Where the config file says it, from 1; 0 if it does not. No part of what it is equal to.
  uint32_t line = 0;
  uint32_t column = 0;

  bool IsUnix() const { return !path.empty(); }
  // The text that ParseAddress reads: "127.0.0.1:7101", "[::1]:7101", "unix:/tmp/a.sock",
  // "tls:cache.example.org:7101".
  std::string ToString() const;
  bool operator==(const Address& other) const {
    return host == other.host && port == other.port && path == other.path && tls == other.tls;
  }
};

// Reads an address. The port is 1 to 65535, a Unix path absolute. No name is resolved. On failure
// returns nothing and sets *error to a phrase that says what was expected, fit for the end of a
// sentence ("expected host:port, [v6]:port or unix:/path").
std::optional<Address> ParseAddress(std::string_view text, std::string* error);

}  // namespace gemel

#endif  // GEMEL_CONFIG_ADDRESS_H_
