// Between a connection and its session: every byte passes here, both ways. Without a filter bytes
// go through as they are, and where they are (one branch a read or write). With one, as TLS will
// be, what is on the wire is not what the session reads and writes.

#ifndef GEMEL_PROXY_SESSION_BYTE_PIPE_H_
#define GEMEL_PROXY_SESSION_BYTE_PIPE_H_

#include <cstddef>
#include <memory>
#include <string_view>

#include "backend/bytes/byte_buffer.h"
#include "backend/bytes/out_queue.h"
#include "proxy/session/session.h"

namespace gemel {

// Of one connection. Keeps what it needs from one call to the next; never throws but bad_alloc.
class ByteFilter {
 public:
  virtual ~ByteFilter() = default;
  // Bytes came from the wire. Appends to *plain what they say, maybe nothing yet, and to *wire what
  // the peer is to be told for them (a handshake). False: the peer is not to be listened to any
  // more.
  virtual bool Decode(std::string_view bytes, ByteBuffer* plain, OutQueue* wire) = 0;
  // No more will come: appends to *plain what was kept back.
  virtual void DecodeEnd(ByteBuffer* plain) = 0;
  // Appends to *wire what says `plain`, which is not empty.
  virtual void Encode(std::string_view plain, OutQueue* wire) = 0;
};

class BytePipe {
 public:
  // `session` outlives it, and has its transport. `filter`: null for none.
  explicit BytePipe(Session* session, std::unique_ptr<ByteFilter> filter = nullptr);
  ~BytePipe();
  BytePipe(const BytePipe&) = delete;
  BytePipe& operator=(const BytePipe&) = delete;

  // --- from the wire ---
  // Where the next bytes should be read to, *size of them; null: anywhere.
  char* Space(size_t* size) {
    char* const direct = filtered_ == nullptr ? session_->DirectSpace(size) : nullptr;
    direct_ = direct != nullptr;
    return direct;
  }
  // They came, to that place or to one that is good during this call.
  void OnBytes(const char* data, size_t size) {
    if (filtered_ != nullptr) [[unlikely]] {
      DecodeBytes({data, size});
    } else if (direct_) {
      session_->OnDirect(size);
    } else {
      session_->OnData(data, size);
    }
  }
  // No more will.
  void OnEnd() {
    if (filtered_ != nullptr) [[unlikely]]
      DecodeEnd();
    session_->OnInputEnd();
  }

  // --- to the wire ---
  // What is to be sent now. Who has sent some of it consumes that, and asks again if MoreToSend.
  OutQueue& ToWire() { return filtered_ == nullptr ? session_->replies().out() : EncodeSome(); }
  // All of ToWire is sent, and there is more behind it.
  bool MoreToSend() const { return filtered_ != nullptr && MoreToEncode(); }
  // All is sent that will be, and the connection is to be ended.
  bool WantsClose() const {
    return session_->WantsClose() && (filtered_ == nullptr || AllSent() || session_->cut_off());
  }

 private:
  struct Filtered;

  void DecodeBytes(std::string_view bytes);
  void DecodeEnd();
  void PassPlain();
  OutQueue& EncodeSome();
  bool MoreToEncode() const;
  bool AllSent() const;

  Session* session_;
  std::unique_ptr<Filtered> filtered_;  // null: there is no filter
  bool direct_ = false;                 // the last Space was the session's
};

}  // namespace gemel

#endif  // GEMEL_PROXY_SESSION_BYTE_PIPE_H_
