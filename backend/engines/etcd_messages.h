// What is said to etcd (3.4 and later) over its JSON gateway, and what it answers. Text alone.
//
// The gateway ignores fields that it does not know: a compare that is misspelt is none, and its
// write is done whatever is there. So the texts are made here alone, and their test has them
// letter by letter.

#ifndef GEMEL_BACKEND_ENGINES_ETCD_MESSAGES_H_
#define GEMEL_BACKEND_ENGINES_ETCD_MESSAGES_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backend/fleet/registers.h"

namespace gemel {

inline constexpr std::string_view kEtcdRange = "/v3/kv/range";
inline constexpr std::string_view kEtcdTxn = "/v3/kv/txn";
inline constexpr std::string_view kEtcdWatch = "/v3/watch";
inline constexpr std::string_view kEtcdLogin = "/v3/auth/authenticate";
inline constexpr std::string_view kEtcdStatus = "/v3/maintenance/status";

std::string Base64(std::string_view bytes);
std::optional<std::string> FromBase64(std::string_view text);

// The first key behind all that begin with `prefix`; "\0" (one byte) if there is no such key, which
// etcd takes for the end of all keys.
std::string EndOfPrefix(std::string_view prefix);

// Of a key; linearizable.
std::string EtcdReadRequest(std::string_view key);
// At most `limit` of those from `from` (a key) to below `end`, in their order; linearizable.
std::string EtcdListRequest(std::string_view from, std::string_view end, uint32_t limit);
// Puts the text if the key's last change was at `expected` (0: there is none), and asks for that
// revision if it was not.
std::string EtcdWriteRequest(std::string_view key, uint64_t expected, std::string_view text);
// From now on, of all from `from` to below `end`.
std::string EtcdWatchRequest(std::string_view from, std::string_view end);
std::string EtcdLoginRequest(std::string_view user, std::string_view password);

struct EtcdRange {
  std::vector<NamedRegister> found;  // their names are keys
  bool more = false;                 // there are some behind the last
};
// Nullopt: it is no such answer. So with all that follow.
std::optional<EtcdRange> ReadEtcdRange(std::string_view body);

struct EtcdWritten {
  bool done = false;
  uint64_t version = 0;  // the one written, or the one that is there; 0: there is none
};
std::optional<EtcdWritten> ReadEtcdWritten(std::string_view body);

std::optional<std::string> ReadEtcdToken(std::string_view body);

// What a server says of itself.
struct EtcdStanding {
  uint64_t member = 0;   // its own number
  uint64_t leader = 0;   // the number of the one that leads; 0: it knows none
  uint64_t term = 0;     // later ones are higher
  uint64_t index = 0;    // the last entry of the log that it knows to be agreed
  uint64_t applied = 0;  // that it has applied
};
// Of an answer to kEtcdStatus, whose request is "{}".
std::optional<EtcdStanding> ReadEtcdStanding(std::string_view body);

// A line of a watch.
struct EtcdWatched {
  bool created = false;
  bool changed = false;
  bool ended = false;
  std::string why;  // of the end, if it said so
};
std::optional<EtcdWatched> ReadEtcdWatched(std::string_view line);

struct EtcdError {
  enum class Kind : uint8_t {
    kTrouble,  // it could not do it now; a write may be done all the same
    kRefused,  // nothing was done, nor will it be by asking again
    kLogin,    // the token is not good any more
  };
  Kind kind = Kind::kTrouble;
  std::string why;  // as etcd says it
};
// Of an answer whose status is not 200.
EtcdError ReadEtcdError(uint32_t status, std::string_view body);

}  // namespace gemel

#endif  // GEMEL_BACKEND_ENGINES_ETCD_MESSAGES_H_
