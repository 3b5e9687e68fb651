// The protocol that a client is answered in: HELLO chooses it.

#ifndef GEMEL_PROXY_SESSION_STATE_PROTOCOL_H_
#define GEMEL_PROXY_SESSION_STATE_PROTOCOL_H_

#include <cstdint>

namespace gemel {

class Protocol {
 public:
  // Of RESP.
  int64_t version() const { return version_; }
  // The links to the nodes are shared by all clients, and speak RESP2.
  static bool IsSpoken(int64_t version) { return version == kFirst; }
  // One that is spoken.
  void Choose(int64_t version) { version_ = static_cast<uint8_t>(version); }
  void Reset() { version_ = kFirst; }

 private:
  static constexpr uint8_t kFirst = 2;
  uint8_t version_ = kFirst;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SESSION_STATE_PROTOCOL_H_
