// What a client has sent and is not handled yet: an unfinished request, or what a paused session
// has not come to.

#ifndef GEMEL_PROXY_SESSION_SESSION_INPUT_H_
#define GEMEL_PROXY_SESSION_SESSION_INPUT_H_

#include <cstddef>
#include <string_view>
#include <utility>

#include "backend/bytes/byte_buffer.h"
#include "backend/bytes/chunk.h"
#include "backend/resp/request_reader.h"

namespace gemel {

class SessionInput {
 public:
  RequestReader& reader() { return reader_; }
  const RequestReader& reader() const { return reader_; }

  bool empty() const { return bytes_.empty(); }
  size_t size() const { return bytes_.size(); }
  size_t capacity() const { return bytes_.capacity(); }

  // Bytes that were not handled, behind those that are kept. `more_of_it`: they begin the request
  // that the reader wants more of.
  void Keep(std::string_view bytes, bool more_of_it) {
    if (more_of_it && reader_.needed() >= bytes.size() + kLarge) bytes_.Expect(reader_.needed());
    bytes_.Append(bytes);
  }
  void Append(std::string_view bytes) { bytes_.Append(bytes); }

  // Where the rest of a large request can be read to, *size bytes of it; null: nowhere. Committed
  // by Commit.
  char* DirectSpace(size_t* size);
  void Commit(size_t size) { bytes_.Commit(size); }

  // Gives what is kept to `parse`, which says how much of it is used up; meanwhile a request that
  // is all of it may be handed on.
  template <typename Parse>
  void Use(Parse parse) {
    lent_ = true;
    const size_t used = parse(bytes_.data(), bytes_.size());
    lent_ = false;
    if (bytes_.empty()) return;  // handed on
    bytes_.Consume(std::min(used, bytes_.size()));
    if (bytes_.empty()) bytes_.Clear();
  }
  // The memory of what is kept, if that is all in use and the frame is all of it.
  bool HandOn(std::string_view frame, ByteBuffer* to) {
    if (!lent_ || frame.size() != bytes_.size() || frame.data() != bytes_.data()) return false;
    *to = std::move(bytes_);
    return true;
  }

  // Puts these in front of what is kept, to be read from there.
  void PutBack(std::string_view frames) {
    ByteBuffer all;
    all.Append(frames);
    all.Append(bytes_.view());
    bytes_ = std::move(all);
    reader_ = RequestReader();
  }
  std::string_view view() const { return bytes_.view(); }

  // Of a large request that has not come whole, how many bytes are missing; 0: there is none.
  size_t Missing() const;
  void Clear() { bytes_.Clear(); }

  // The client will send no more.
  void End() { ended_ = true; }
  bool ended() const { return ended_; }

 private:
  // Requests from here on are read to where they will lie.
  static constexpr size_t kLarge = ChunkPool::kStandard;

  RequestReader reader_;
  ByteBuffer bytes_;
  bool lent_ = false;
  bool ended_ = false;
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SESSION_SESSION_INPUT_H_
