// The seam between who asks (a session, a gatherer of parts) and the shard that answers.

#ifndef GEMEL_BACKEND_SHARD_REQUEST_H_
#define GEMEL_BACKEND_SHARD_REQUEST_H_

#include <cstdint>
#include <string_view>

#include "backend/bytes/byte_buffer.h"

namespace gemel {

struct CommandRow;
struct Request;

// A reply's bytes, one whole frame (or, for kReport requests, a fragment of one).
struct Reply {
  std::string_view bytes;
  // If set: a buffer that holds the bytes and nothing else, and that the receiver may take over.
  ByteBuffer* buffer = nullptr;
};

// Who gets a reply. Called once a request, on the thread that submitted it.
class RequestSink {
 public:
  virtual ~RequestSink() = default;
  // `reply` is valid during the call. The request is the sink's again.
  virtual void OnReply(Request* request, const Reply& reply) = 0;
};

enum class RequestKind : uint8_t {
  kRead,
  kWrite,
  kReport,   // asks the shard itself: its part of PROXY SHARDS; nothing is sent
  kExplain,  // asks the shard itself: where a write and a read would go now; nothing is sent
  kWorker,   // asks a worker, no shard
};

// What every request needs on its way lies in the first cache line: thousands are in flight at a time,
// and the rest is touched only where flags say so.
struct alignas(64) Request {
  RequestSink* sink = nullptr;
  Request* next = nullptr;  // for its maker, while it waits in a queue
  const CommandRow* row = nullptr;
  // What is to be sent: one multibulk command. Set for Submit, which copies or takes it.
  std::string_view frame;
  uint64_t session = 0;     // requests of one session keep their order
  uint32_t shard = 0;       // index in the pool
  uint32_t sent_bytes = 0;  // what its dispatcher counted
  RequestKind kind = RequestKind::kRead;
  bool primary_only = false;
  bool submitted = false;    // to a shard: its answer must be counted off
  bool answered = false;     // its reply waits in `reply` for its turn
  bool has_buffers = false;  // `owned` or `reply` may hold something

  // --- the second line ---
  // Owns the frame's memory when it is set: requests that are large, or on their way to another
  // worker, or made by the proxy. A shard may take it over.
  ByteBuffer owned;
  ByteBuffer reply;  // kept until its turn comes
  RequestSink* origin_sink = nullptr;  // of one that came from another worker (see Dispatcher)
  uint32_t origin_worker = 0;
  uint32_t part = 0;  // of a split command: which part this is

  // The two, to be filled: whoever frees the request looks only if these were called.
  ByteBuffer& OwnedForWriting() {
    has_buffers = true;
    return owned;
  }
  ByteBuffer& ReplyForWriting() {
    has_buffers = true;
    return reply;
  }
  bool owns_frame() const { return has_buffers && !owned.empty(); }
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_SHARD_REQUEST_H_
