// What TLS connections of one kind are made with: certificates, keys, CAs, versions, ciphers. Made
// of files once and shared by all connections of that kind; a reload makes another one.

#ifndef GEMEL_BACKEND_TLS_OPENSSL_CONTEXT_H_
#define GEMEL_BACKEND_TLS_OPENSSL_CONTEXT_H_

#include <openssl/ssl.h>

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "config/tls_config.h"

namespace gemel {

// Safe to share between threads once made.
class OpensslContext {
 public:
  // Reads files. Null and *error, a sentence that names the file and what is wrong with it, if
  // connections could not be made with them.
  //
  // For who connects to gemel's listeners. `before`: the one that it takes the place of, whose
  // clients may take up their sessions again; null: there is none.
  static std::shared_ptr<OpensslContext> ForClients(const TlsConfig& config,
                                                    const OpensslContext* before,
                                                    std::string* error);
  // For other members of the fleet that connect, and that are connected to: both show certificates
  // of `config.ca`.
  static std::shared_ptr<OpensslContext> ForMembers(const TlsConfig& config, bool dials,
                                                    std::string* error);
  // For nodes, or servers of a coordinator, that are connected to.
  static std::shared_ptr<OpensslContext> ForNodes(const NodeTlsConfig& config, std::string* error);

  ~OpensslContext();
  OpensslContext(const OpensslContext&) = delete;
  OpensslContext& operator=(const OpensslContext&) = delete;

  SSL_CTX* get() const { return context_; }
  bool dials() const { return dials_; }
  // What a server that is called `host` has to be: see TlsVerify.
  TlsVerify verify() const { return verify_; }
  const std::string& server_name() const { return server_name_; }
  // Has `other`, which a library has made for itself, use the same: what is shown and trusted,
  // versions and ciphers; but not `verify`. False if OpenSSL does not take it.
  bool LendTo(SSL_CTX* other) const;

  // The session of the last connection to `host`, to be taken up again; null: none. The caller
  // frees it. Any thread.
  SSL_SESSION* SessionOf(const std::string& host) const;
  // Keeps that one instead. Takes it. Any thread.
  void Keep(const std::string& host, SSL_SESSION* session) const;

 private:
  OpensslContext(SSL_CTX* context, const TlsChoices& choices, bool dials)
      : context_(context), choices_(choices), dials_(dials) {}
  static std::shared_ptr<OpensslContext> Make(const TlsChoices& choices, bool dials,
                                              std::string* error);
  static bool Choose(SSL_CTX* context, const TlsChoices& choices, std::string* error);
  bool Show(const std::string& cert, const std::string& key, const std::string& password,
            std::string* error);
  bool Trust(const std::string& ca, std::string* error);
  void KeepSessions();
  // One of `others_` is shown where its name is asked for.
  static int OnServerName(SSL* ssl, int*, void* self);

  SSL_CTX* const context_;  // freed by the destructor
  const TlsChoices choices_;
  const bool dials_;
  TlsVerify verify_ = TlsVerify::kFull;
  std::string server_name_;
  std::vector<std::shared_ptr<OpensslContext>> others_;
  mutable std::mutex mutex_;
  mutable std::map<std::string, SSL_SESSION*> sessions_;  // by host; freed by the destructor
};

// What OpenSSL's queue of errors says, emptied: a phrase.
std::string TakeOpensslError();

}  // namespace gemel

#endif  // GEMEL_BACKEND_TLS_OPENSSL_CONTEXT_H_
