// TLS of one connection, in memory alone: bytes of the wire go in and plain ones come out, and the
// other way round. Who owns the socket moves them.

#ifndef GEMEL_BACKEND_TLS_OPENSSL_CHANNEL_H_
#define GEMEL_BACKEND_TLS_OPENSSL_CHANNEL_H_

#include <openssl/ssl.h>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "backend/bytes/byte_buffer.h"
#include "backend/bytes/out_queue.h"
#include "backend/tls/openssl_context.h"

namespace gemel {

// One thread. Throws nothing but bad_alloc.
class OpensslChannel {
 public:
  enum class State {
    kShaking,  // the handshake goes on: nothing can be said yet
    kOpen,
    kEnded,   // the other end has said that it says no more
    kFailed,  // see error(); what is in wire() may still be sent, for it says why
  };

  // `context` lives as long as the channel. `host`: what a server is called, a name or an address
  // in numbers; of a client nothing. Null if there is no memory.
  static std::unique_ptr<OpensslChannel> Make(std::shared_ptr<const OpensslContext> context,
                                              std::string host = {});
  ~OpensslChannel();
  OpensslChannel(const OpensslChannel&) = delete;
  OpensslChannel& operator=(const OpensslChannel&) = delete;

  // Who dials begins: wire() has its first words.
  void Begin();
  // These came from the wire. Appends to *plain what they say; wire() may have an answer.
  State OnBytes(std::string_view bytes, ByteBuffer* plain);
  // Puts the front of `out`, which stays as it is, into wire(), up to `most` bytes. Returns how
  // many; 0 if nothing can be said.
  size_t Seal(const OutQueue& out, size_t most);
  size_t Seal(std::string_view plain);
  // Says that no more will be said.
  void SayGoodbye();

  State state() const { return state_; }
  // What the wire is to be given, and was not yet.
  std::string_view wire() const { return wire_.view().substr(sent_); }
  void OnSent(size_t bytes);

  // kFailed: why, a phrase.
  const std::string& error() const { return error_; }
  // What was agreed: "TLSv1.3", "TLS_AES_256_GCM_SHA384", and whether a session was taken up again.
  std::string_view version() const { return SSL_get_version(ssl_); }
  std::string_view cipher() const { return SSL_get_cipher_name(ssl_); }
  bool resumed() const { return SSL_session_reused(ssl_) == 1; }

 private:
  friend struct OpensslWire;  // the BIO between them
  OpensslChannel(std::shared_ptr<const OpensslContext> context, SSL* ssl, std::string host);
  // The other end may have said its last and listen still.
  bool MaySay() const { return state_ == State::kOpen || state_ == State::kEnded; }
  bool Expect();
  void Shake();
  void ReadAll(ByteBuffer* plain);
  // A call did not succeed: maybe only more bytes are needed.
  void OnLess(int result);
  void Fail(int code);

  const std::shared_ptr<const OpensslContext> context_;
  SSL* const ssl_;  // freed by the destructor
  const std::string host_;
  State state_ = State::kShaking;
  std::string_view in_;  // during OnBytes
  ByteBuffer wire_;
  size_t sent_ = 0;
  std::string error_;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_TLS_OPENSSL_CHANNEL_H_
