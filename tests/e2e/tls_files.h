// Certificates and keys of a test, made by openssl(1).

#ifndef GEMEL_TESTS_E2E_TLS_FILES_H_
#define GEMEL_TESTS_E2E_TLS_FILES_H_

#include <cstdint>
#include <string>

#include "tests/e2e/child_process.h"
#include "tests/e2e/client.h"

namespace gemel::e2e {

// A CA, and what it has signed, in a folder of its own.
class TlsFiles {
 public:
  TlsFiles();

  std::string ca() const { return folder_.path() + "/ca.pem"; }
  // Where the certificate and the key of that name are, if they were made.
  std::string cert(const std::string& name) const { return folder_.path() + "/" + name + ".pem"; }
  std::string key(const std::string& name) const { return folder_.path() + "/" + name + ".key"; }

  // Makes a certificate of that name, or another one in its place. `names`: of whom it is, as in
  // "DNS:localhost,IP:127.0.0.1". `password` encrypts the key.
  void Make(const std::string& name, const std::string& names = "DNS:localhost,IP:127.0.0.1",
            const std::string& password = "");

  // The section [tls] that shows the certificate of that name.
  std::string Section(const std::string& name, const std::string& further = "") const;
  // Lines of a section that shows that one, and trusts the CA.
  std::string Lines(const std::string& name) const;
  // Of a redis-server that shows that one on a port for TLS, beside its plain one, and wants none.
  Words RedisOptions(const std::string& name, uint16_t port) const;

 private:
  TempFolder folder_;
};

}  // namespace gemel::e2e

#endif  // GEMEL_TESTS_E2E_TLS_FILES_H_
