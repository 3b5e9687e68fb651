// The connections of one loop. What has come for them, and what is to go out on them, is read and
// written for many at a time, at two points of the loop turn, with as few system calls as there can
// be (see uring_socket_batch.h).

#ifndef GEMEL_BACKEND_UV_UV_STREAM_GROUP_H_
#define GEMEL_BACKEND_UV_UV_STREAM_GROUP_H_

#include <uv.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "backend/bytes/byte_buffer.h"
#include "backend/uv/uring_socket_batch.h"

namespace gemel {

class UvStream;

class UvStreamGroup {
 public:
  // `loop` outlives it, and it outlives its streams.
  explicit UvStreamGroup(uv_loop_t* loop);
  UvStreamGroup(const UvStreamGroup&) = delete;
  UvStreamGroup& operator=(const UvStreamGroup&) = delete;

  uv_loop_t* loop() const { return loop_; }
  // See SocketBatch::UseRing.
  bool UseRing(bool use, std::string* why) { return batch_.UseRing(use, why); }

  // Runs after each batch of reads: what was read may have to be made room for. While memory is
  // tight a batch ends with the first stream that reads to a buffer of its own.
  void set_after_batch(std::function<void()> after_batch) { after_batch_ = std::move(after_batch); }

  // Runs between the reading of each batch and the telling of its owners, and may end any stream.
  void set_before_batch(std::function<void()> before_batch) {
    before_batch_ = std::move(before_batch);
  }

  // After the loop has polled: reads once from each stream that has something, and tells its owner.
  void ReceiveAll();
  // Something is to be sent: what UvStream::Send was asked to, or a word of TLS.
  bool has_to_send() const { return !to_send_.empty(); }
  // At the end of the turn: sends what UvStream::Send was asked to, and tells the owners.
  void SendAll();

 private:
  friend class UvStream;
  static constexpr size_t kNowhere = ~size_t{0};
  // libuv asks the kernel again at once while it fills a whole array of events (1,024), and what
  // has not been read would be told again.
  static constexpr size_t kReadNow = 512;
  static constexpr size_t kPartsOfSend = 16;
  static constexpr size_t kSendFirst = 4;
  static constexpr size_t kBuffer = 64 * 1024;
  // Not a power of two, or the buffers would get in each other's way in the cache.
  static constexpr size_t kStride = kBuffer + 4096 + 192;

  // A stream in line: where it stands, so that it can leave.
  using Line = std::vector<UvStream*>;
  static void Enter(Line* line, UvStream* stream, size_t* at) {
    *at = line->size();
    line->push_back(stream);
  }
  static void Leave(Line* line, size_t* at) {
    if (*at != kNowhere) (*line)[*at] = nullptr;
    *at = kNowhere;
  }
  // Takes the next streams of the line from *next on, at most so many.
  size_t TakeSome(Line* line, size_t* next, size_t most);

  uv_loop_t* loop_;
  SocketBatch batch_;
  std::function<void()> after_batch_;
  std::function<void()> before_batch_;
  Line readable_;
  Line to_send_;
  // Scratch: what goes at once.
  size_t places_[SocketBatch::kMax];
  SocketOp ops_[SocketBatch::kMax];
  iovec parts_[SocketBatch::kMax][kPartsOfSend];
  std::unique_ptr<char[]> buffers_;
  ByteBuffer plain_;  // of what TLS says
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_UV_UV_STREAM_GROUP_H_
