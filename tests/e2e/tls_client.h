// A Redis client for tests that speaks TLS: OpenSSL as an application would use it.

#ifndef GEMEL_TESTS_E2E_TLS_CLIENT_H_
#define GEMEL_TESTS_E2E_TLS_CLIENT_H_

#include <hiredis/hiredis.h>
#include <openssl/ssl.h>

#include <cstdint>
#include <memory>
#include <string>

#include "tests/e2e/client.h"

namespace gemel::e2e {

// A connection. Every function throws std::runtime_error with OpenSSL's reason when it fails.
class TlsClient {
 public:
  struct Options {
    std::string ca;         // of the server's certificate
    std::string cert = {};  // shown, if the server asks
    std::string key = {};
    int version = 0;                 // of TLS, OpenSSL's number; 0: the best
    SSL_SESSION* resumes = nullptr;  // a session of another client
  };
  TlsClient(uint16_t port, const Options& options);

  // The reply as Reply::Text would have it; of an array the number of its items.
  std::string Run(const Words& words);
  template <typename... Rest>
  std::string operator()(std::string first, Rest... rest) {
    return Run(Words{std::move(first), std::string(rest)...});
  }
  void Append(const Words& words);  // and sends
  std::string Read();

  bool resumed() const { return SSL_session_reused(ssl_.get()) == 1; }
  std::string version() const { return SSL_get_version(ssl_.get()); }
  // The serial number of the server's certificate.
  std::string serial() const;
  // To be taken up by another one: the caller frees it. What the server sent of it has been read.
  SSL_SESSION* session() const { return SSL_get1_session(ssl_.get()); }

 private:
  template <auto kFree>
  struct Free {
    template <typename T>
    void operator()(T* freed) const {
      kFree(freed);
    }
  };
  std::unique_ptr<SSL_CTX, Free<SSL_CTX_free>> context_;
  struct Socket {
    ~Socket();
    int fd = -1;
  } socket_;
  std::unique_ptr<SSL, Free<SSL_free>> ssl_;
  std::unique_ptr<redisReader, Free<redisReaderFree>> reader_;
};

}  // namespace gemel::e2e

#endif  // GEMEL_TESTS_E2E_TLS_CLIENT_H_
