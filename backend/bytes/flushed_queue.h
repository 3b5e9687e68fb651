// Output of a connection: a queue whose transport is asked once to flush it.

#ifndef GEMEL_BACKEND_BYTES_FLUSHED_QUEUE_H_
#define GEMEL_BACKEND_BYTES_FLUSHED_QUEUE_H_

#include "backend/bytes/out_queue.h"

namespace gemel {

// `Transport` has WantFlush(), which may not call back from inside.
template <typename Transport>
class FlushedQueue : public OutQueue {
 public:
  explicit FlushedQueue(ChunkPool* pool) : OutQueue(pool) {}

  // It outlives the queue, or what is still asked of it.
  void set_transport(Transport* transport) { transport_ = transport; }
  Transport* transport() const { return transport_; }
  void WantFlush() {
    if (wanted_) return;
    wanted_ = true;
    transport_->WantFlush();
  }
  // The transport has flushed, or dropped, what was queued: it is asked again.
  void FlushDone() { wanted_ = false; }

 private:
  Transport* transport_ = nullptr;
  bool wanted_ = false;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_BYTES_FLUSHED_QUEUE_H_
