// Cuts what comes over a peer link into frames: four bytes of length, and so many bytes.

#ifndef GEMEL_PROXY_PEERS_PEER_INPUT_H_
#define GEMEL_PROXY_PEERS_PEER_INPUT_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "backend/bytes/byte_buffer.h"
#include "backend/peer/peer_wire.h"

namespace gemel {

class PeerInput {
 public:
  static constexpr size_t kHeader = 4;
  enum class Status : uint8_t {
    kMore,     // all whole frames were handed on
    kStopped,  // the visitor did not want more; the rest waits
    kBad,      // a frame is empty, or longer than may be: the link cannot go on
  };

  // `most`: bytes of a frame. It holds one that is not whole, and grows as that comes, not as it is
  // announced.
  explicit PeerInput(size_t most) : most_(most) {}

  // Takes bytes, which need not outlive the call, and calls visit(body) for each whole frame, until
  // that returns false.
  template <typename Visit>
  Status Feed(std::string_view bytes, Visit visit) {
    if (held_.empty()) {
      const Status status = Cut(&bytes, visit);
      held_.Append(bytes);
      return status;
    }
    held_.Append(bytes);
    std::string_view rest = held_.view();
    const Status status = Cut(&rest, visit);
    // What is left is moved, so a long frame that comes in pieces is not touched before it is
    // whole.
    if (rest.size() != held_.size()) held_.Consume(held_.size() - rest.size());
    if (held_.empty()) held_.Clear(kKeep);
    return status;
  }
  size_t held() const { return held_.size(); }

 private:
  static constexpr size_t kKeep = 64 * 1024;

  template <typename Visit>
  Status Cut(std::string_view* rest, Visit& visit) {
    while (rest->size() >= kHeader) {
      const size_t size = WireReader(*rest).U32();
      if (size == 0 || size > most_) return Status::kBad;
      if (rest->size() - kHeader < size) return Status::kMore;
      const std::string_view body = rest->substr(kHeader, size);
      rest->remove_prefix(kHeader + size);
      if (!visit(body)) return Status::kStopped;
    }
    return Status::kMore;
  }

  const size_t most_;
  ByteBuffer held_;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_PEERS_PEER_INPUT_H_
