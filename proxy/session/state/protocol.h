// The protocol that a client is answered in: HELLO chooses it.

#ifndef GEMEL_PROXY_SESSION_STATE_PROTOCOL_H_
#define GEMEL_PROXY_SESSION_STATE_PROTOCOL_H_

#include <cstdint>

namespace gemel {

class Protocol {
 public:
  static constexpr uint8_t kFirst = 2;
  static constexpr uint8_t kLast = 3;

  // Of RESP.
  int64_t version() const { return version_; }
  bool is_resp3() const { return version_ == kLast; }
  static bool IsSpoken(int64_t version) { return version == kFirst || version == kLast; }
  // One that is spoken; of what is asked from now on.
  void Choose(int64_t version) { version_ = static_cast<uint8_t>(version); }
  void Reset() { version_ = kFirst; }

 private:
  uint8_t version_ = kFirst;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SESSION_STATE_PROTOCOL_H_
