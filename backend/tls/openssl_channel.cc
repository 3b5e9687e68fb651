#include "backend/tls/openssl_channel.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include "backend/names/node_addresses.h"

namespace gemel {

namespace {

constexpr size_t kRecord = 16 * 1024;  // the most plain bytes of one (RFC 8446, 5.1)
// Kept of a wire that has been sent.
constexpr size_t kKeptWire = 4 * 1024;

}  // namespace

// OpenSSL's way to the wire: reads what the channel was given, writes to what it has to give.
struct OpensslWire {
  static int Read(BIO* bio, char* to, int size) {
    auto* self = static_cast<OpensslChannel*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    if (self->in_.empty()) {
      BIO_set_retry_read(bio);
      return -1;
    }
    const size_t taken = std::min(self->in_.size(), static_cast<size_t>(size));
    std::memcpy(to, self->in_.data(), taken);
    self->in_.remove_prefix(taken);
    return static_cast<int>(taken);
  }
  // OpenSSL is C: nothing is thrown through it.
  static int Write(BIO* bio, const char* from, int size) {
    auto* self = static_cast<OpensslChannel*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    try {
      self->wire_.Append({from, static_cast<size_t>(size)});
    } catch (const std::bad_alloc&) {
      return -1;
    }
    return size;
  }
  static long Control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }
  static BIO_METHOD* Method() {
    static BIO_METHOD* const method = [] {
      BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "gemel");
      BIO_meth_set_read(made, Read);
      BIO_meth_set_write(made, Write);
      BIO_meth_set_ctrl(made, Control);
      return made;
    }();
    return method;
  }
};

OpensslChannel::OpensslChannel(std::shared_ptr<const OpensslContext> context, SSL* ssl,
                               std::string host)
    : context_(std::move(context)), ssl_(ssl), host_(std::move(host)) {}

OpensslChannel::~OpensslChannel() {
  SSL_set_app_data(ssl_, nullptr);
  SSL_free(ssl_);
}

std::unique_ptr<OpensslChannel> OpensslChannel::Make(std::shared_ptr<const OpensslContext> context,
                                                     std::string host) {
  ERR_clear_error();
  SSL* const ssl = SSL_new(context->get());
  if (ssl == nullptr) return nullptr;
  std::unique_ptr<OpensslChannel> made(
      new OpensslChannel(std::move(context), ssl, std::move(host)));
  BIO* const bio = BIO_new(OpensslWire::Method());
  if (bio == nullptr) return nullptr;
  BIO_set_data(bio, made.get());
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl, bio, bio);
  if (!made->context_->dials()) {
    SSL_set_accept_state(ssl);
    return made;
  }
  SSL_set_connect_state(ssl);
  return made->Expect() ? std::move(made) : nullptr;
}

// Who the server has to be, by what it is asked for as.
bool OpensslChannel::Expect() {
  const std::string& name = context_->server_name().empty() ? host_ : context_->server_name();
  SSL_set_app_data(ssl_, const_cast<std::string*>(&host_));
  if (SSL_SESSION* session = context_->SessionOf(host_)) {
    SSL_set_session(ssl_, session);
    SSL_SESSION_free(session);
  }
  if (name.empty()) return true;  // a Unix socket
  const bool number = IsNumber(name);
  if (!number && SSL_set_tlsext_host_name(ssl_, name.c_str()) != 1) return false;
  if (context_->verify() != TlsVerify::kFull) return true;
  if (number) return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_), name.c_str()) == 1;
  SSL_set_hostflags(ssl_, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  return SSL_set1_host(ssl_, name.c_str()) == 1;
}

void OpensslChannel::Begin() { Shake(); }

void OpensslChannel::Shake() {
  ERR_clear_error();
  const int result = SSL_do_handshake(ssl_);
  if (result == 1) {
    state_ = State::kOpen;
  } else {
    OnLess(result);
  }
}

OpensslChannel::State OpensslChannel::OnBytes(std::string_view bytes, ByteBuffer* plain) {
  if (state_ == State::kFailed || state_ == State::kEnded) return state_;
  in_ = bytes;
  if (state_ == State::kShaking) Shake();
  if (state_ == State::kOpen) ReadAll(plain);
  in_ = {};
  return state_;
}

void OpensslChannel::ReadAll(ByteBuffer* plain) {
  ERR_clear_error();
  for (;;) {
    // A record at a time comes, so that so much always suffices.
    char* const to = plain->Grow(kRecord);
    const int got = SSL_read(ssl_, to, kRecord);
    if (got <= 0) {
      OnLess(got);
      return;
    }
    plain->Commit(static_cast<size_t>(got));
    // To ask in vain costs nearly as much as a short record.
    if (in_.empty() && SSL_pending(ssl_) == 0) return;
  }
}

size_t OpensslChannel::Seal(std::string_view plain) {
  size_t sealed = 0;
  ERR_clear_error();
  while (MaySay() && sealed < plain.size()) {
    const size_t part = std::min(plain.size() - sealed, kRecord);
    const int result = SSL_write(ssl_, plain.data() + sealed, static_cast<int>(part));
    if (result <= 0) {
      OnLess(result);
      break;
    }
    sealed += static_cast<size_t>(result);
  }
  return sealed;
}

// What lies in many pieces is put together: a record costs more than a copy.
size_t OpensslChannel::Seal(const OutQueue& out, size_t most) {
  char together[kRecord];
  size_t filled = 0;
  size_t sealed = 0;
  size_t left = most;
  bool good = MaySay();
  const auto flush = [&] {
    const size_t done = Seal({together, filled});
    good = done == filled;
    sealed += done;
    filled = 0;
  };
  out.ForEach([&](const char* data, size_t size) {
    size = std::min(size, left);
    left -= size;
    while (size > 0 && good) {
      if (filled == 0 && size >= kRecord) {
        const size_t whole = size - size % kRecord;
        const size_t done = Seal({data, whole});
        good = done == whole;
        sealed += done;
        data += done;
        size -= done;
        continue;
      }
      const size_t part = std::min(size, kRecord - filled);
      std::memcpy(together + filled, data, part);
      filled += part;
      data += part;
      size -= part;
      if (filled == kRecord) flush();
    }
    return good && left > 0;
  });
  if (good && filled > 0) flush();
  return sealed;
}

void OpensslChannel::SayGoodbye() {
  if (!MaySay()) return;
  ERR_clear_error();
  SSL_shutdown(ssl_);
  ERR_clear_error();
}

void OpensslChannel::OnSent(size_t bytes) {
  sent_ += bytes;
  if (sent_ < wire_.size()) return;
  sent_ = 0;
  wire_.Clear(kKeptWire);
}

void OpensslChannel::OnLess(int result) {
  const int code = SSL_get_error(ssl_, result);
  if (code == SSL_ERROR_WANT_READ || code == SSL_ERROR_WANT_WRITE) return;
  if (code == SSL_ERROR_ZERO_RETURN) {
    state_ = State::kEnded;
  } else {
    Fail(code);
  }
}

void OpensslChannel::Fail(int code) {
  const bool shaking = state_ == State::kShaking;
  state_ = State::kFailed;
  const unsigned long first = ERR_peek_error();
  const int reason = ERR_GET_REASON(first);
  const long verified = SSL_get_verify_result(ssl_);
  if (shaking && ERR_GET_LIB(first) == ERR_LIB_SSL && reason == SSL_R_CERTIFICATE_VERIFY_FAILED) {
    error_ =
        std::string("its certificate is not accepted: ") + X509_verify_cert_error_string(verified);
  } else if (shaking && ERR_GET_LIB(first) == ERR_LIB_SSL &&
             (reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_HTTP_REQUEST ||
              reason == SSL_R_HTTPS_PROXY_REQUEST || reason == SSL_R_BAD_PACKET_LENGTH)) {
    error_ = "it does not speak TLS";
  } else if (code == SSL_ERROR_SYSCALL && first == 0) {
    error_ = "the connection was cut off";
  } else {
    error_ = TakeOpensslError();
  }
  ERR_clear_error();
}

}  // namespace gemel
