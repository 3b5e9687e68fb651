#include "tests/e2e/tls_client.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>

#include "tests/e2e/raw_socket.h"

namespace gemel::e2e {
namespace {

[[noreturn]] void Throw(const std::string& what) {
  const unsigned long code = ERR_get_error();
  const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  throw std::runtime_error(what + ": " + (reason != nullptr ? reason : std::strerror(errno)));
}

std::string TextOf(const redisReply& reply) {
  switch (reply.type) {
    case REDIS_REPLY_INTEGER:
      return ":" + std::to_string(reply.integer);
    case REDIS_REPLY_NIL:
      return "(nil)";
    case REDIS_REPLY_ARRAY:
      return "[" + std::to_string(reply.elements) + "]";
    default: {
      const std::string text(reply.str, static_cast<size_t>(reply.len));
      return reply.type == REDIS_REPLY_ERROR ? "-" + text : text;
    }
  }
}

}  // namespace

TlsClient::Socket::~Socket() {
  if (fd >= 0) ::close(fd);
}

TlsClient::TlsClient(uint16_t port, const Options& options)
    : context_(SSL_CTX_new(TLS_client_method())), reader_(redisReaderCreate()) {
  ERR_clear_error();
  SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, nullptr);
  SSL_CTX_load_verify_locations(context_.get(), options.ca.c_str(), nullptr);
  if (options.version != 0) {
    SSL_CTX_set_min_proto_version(context_.get(), options.version);
    SSL_CTX_set_max_proto_version(context_.get(), options.version);
  }
  if (!options.cert.empty()) {
    SSL_CTX_use_certificate_chain_file(context_.get(), options.cert.c_str());
    SSL_CTX_use_PrivateKey_file(context_.get(), options.key.c_str(), SSL_FILETYPE_PEM);
  }
  ssl_.reset(SSL_new(context_.get()));
  SSL_set1_host(ssl_.get(), "localhost");
  SSL_set_tlsext_host_name(ssl_.get(), "localhost");
  if (options.resumes != nullptr) SSL_set_session(ssl_.get(), options.resumes);
  socket_.fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const timeval patience{60, 0};
  setsockopt(socket_.fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(socket_.fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    Throw("connect");
  }
  SSL_set_fd(ssl_.get(), socket_.fd);
  if (SSL_connect(ssl_.get()) != 1) Throw("TLS");
}

void TlsClient::Append(const Words& words) {
  const std::string bytes = Encode(words);
  for (size_t sent = 0; sent < bytes.size();) {
    const int some = SSL_write(ssl_.get(), bytes.data() + sent,
                               static_cast<int>(std::min<size_t>(bytes.size() - sent, 1 << 20)));
    if (some <= 0) Throw("write");
    sent += static_cast<size_t>(some);
  }
}

std::string TlsClient::Read() {
  void* reply = nullptr;
  for (;;) {
    if (redisReaderGetReply(reader_.get(), &reply) != REDIS_OK) {
      throw std::runtime_error(reader_->errstr);
    }
    if (reply != nullptr) break;
    char bytes[16 * 1024];
    const int got = SSL_read(ssl_.get(), bytes, sizeof(bytes));
    if (got <= 0) Throw("read");
    redisReaderFeed(reader_.get(), bytes, static_cast<size_t>(got));
  }
  std::string text = TextOf(*static_cast<const redisReply*>(reply));
  freeReplyObject(reply);
  return text;
}

std::string TlsClient::Run(const Words& words) {
  Append(words);
  return Read();
}

std::string TlsClient::serial() const {
  X509* const shown = SSL_get0_peer_certificate(ssl_.get());
  const ASN1_INTEGER* number = X509_get0_serialNumber(shown);
  return std::string(reinterpret_cast<const char*>(number->data),
                     static_cast<size_t>(number->length));
}

}  // namespace gemel::e2e
