#include "backend/tls/openssl_context.h"

#include <openssl/err.h>
#include <openssl/x509err.h>
#include <openssl/x509v3.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace gemel {

namespace {

// Of hosts whose sessions are kept.
constexpr size_t kMostSessions = 4096;

// SSL_CTX_set_session_id_context: sessions of one kind are not taken up by another.
constexpr unsigned char kSessionKind[] = "gemel";

constexpr size_t kTicketKeys = 80;  // bytes, of OpenSSL 3

std::string WhyUnreadable(const std::string& file) {
  std::FILE* const opened = std::fopen(file.c_str(), "re");
  if (opened == nullptr) return std::strerror(errno);
  std::fclose(opened);
  return {};
}

// "the [tls] cert ... cannot be used: ...".
std::string CannotUse(const char* what, const std::string& file) {
  std::string why = WhyUnreadable(file);
  const std::string said = TakeOpensslError();
  if (why.empty()) why = said;
  return std::string("the ") + what + " in " + file + " cannot be used: " + why;
}

// OpenSSL asks for the password of an encrypted key; without one it would ask on the terminal.
int GivePassword(char* to, int size, int, void* password) {
  const std::string& text = *static_cast<const std::string*>(password);
  if (text.empty() || text.size() > static_cast<size_t>(size)) return 0;
  std::memcpy(to, text.data(), text.size());
  return static_cast<int>(text.size());
}

int VersionOf(TlsVersion version) {
  return version == TlsVersion::k12 ? TLS1_2_VERSION : TLS1_3_VERSION;
}

// Of both versions.
void GiveNoTickets(SSL_CTX* context) {
  SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
  SSL_CTX_set_num_tickets(context, 0);
}

}  // namespace

std::string TakeOpensslError() {
  std::string text;
  while (const unsigned long code = ERR_get_error()) {
    const char* reason = ERR_reason_error_string(code);
    if (text.empty()) text = reason != nullptr ? reason : "error " + std::to_string(code);
  }
  return text.empty() ? "OpenSSL does not say why" : text;
}

OpensslContext::~OpensslContext() {
  for (const auto& [host, session] : sessions_) SSL_SESSION_free(session);
  SSL_CTX_free(context_);
}

std::shared_ptr<OpensslContext> OpensslContext::Make(const TlsChoices& choices, bool dials,
                                                     std::string* error) {
  ERR_clear_error();
  SSL_CTX* const made = SSL_CTX_new(dials ? TLS_client_method() : TLS_server_method());
  if (made == nullptr) {
    *error = "OpenSSL cannot be used: " + TakeOpensslError();
    return nullptr;
  }
  std::shared_ptr<OpensslContext> context(new OpensslContext(made, choices, dials));
  SSL_CTX_set_options(made, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_IGNORE_UNEXPECTED_EOF);
  // A connection that rests keeps no buffers.
  SSL_CTX_set_mode(made, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                             SSL_MODE_RELEASE_BUFFERS);
  return Choose(made, choices, error) ? context : nullptr;
}

bool OpensslContext::Choose(SSL_CTX* context, const TlsChoices& choices, std::string* error) {
  SSL_CTX_set_min_proto_version(context, VersionOf(choices.min_version));
  SSL_CTX_set_max_proto_version(context, VersionOf(choices.max_version));
  if (!choices.ciphers.empty() && SSL_CTX_set_cipher_list(context, choices.ciphers.c_str()) != 1) {
    *error = "the ciphers \"" + choices.ciphers + "\" cannot be used: " + TakeOpensslError() +
             " (openssl ciphers -v shows what there is)";
    return false;
  }
  if (!choices.ciphersuites.empty() &&
      SSL_CTX_set_ciphersuites(context, choices.ciphersuites.c_str()) != 1) {
    *error = "the ciphersuites \"" + choices.ciphersuites +
             "\" cannot be used: " + TakeOpensslError() +
             " (openssl ciphers -v -tls1_3 shows what there is)";
    return false;
  }
  return true;
}

bool OpensslContext::Show(const std::string& cert, const std::string& key,
                          const std::string& password, std::string* error) {
  SSL_CTX_set_default_passwd_cb(context_, GivePassword);
  SSL_CTX_set_default_passwd_cb_userdata(context_, const_cast<std::string*>(&password));
  const std::string& key_file = key.empty() ? cert : key;
  bool good = false;
  if (SSL_CTX_use_certificate_chain_file(context_, cert.c_str()) != 1) {
    *error = CannotUse("certificate", cert);
  } else if (SSL_CTX_use_PrivateKey_file(context_, key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
    const unsigned long why = ERR_peek_error();
    if (ERR_GET_LIB(why) == ERR_LIB_X509 && ERR_GET_REASON(why) == X509_R_KEY_VALUES_MISMATCH) {
      TakeOpensslError();
      *error = "the key in " + key_file + " is not the one of the certificate in " + cert;
    } else {
      *error = CannotUse("key", key_file);
    }
  } else {
    good = true;
  }
  SSL_CTX_set_default_passwd_cb_userdata(context_, nullptr);
  return good;
}

bool OpensslContext::Trust(const std::string& ca, std::string* error) {
  if (ca.empty()) {
    SSL_CTX_set_default_verify_paths(context_);
    return true;
  }
  if (SSL_CTX_load_verify_locations(context_, ca.c_str(), nullptr) == 1) return true;
  *error = CannotUse("CA's certificate", ca);
  return false;
}

std::shared_ptr<OpensslContext> OpensslContext::ForClients(const TlsConfig& config,
                                                           const OpensslContext* before,
                                                           std::string* error) {
  std::shared_ptr<OpensslContext> context = Make(config.choices, /*dials=*/false, error);
  if (context == nullptr) return nullptr;
  SSL_CTX* const made = context->context_;
  if (!context->Show(config.cert, config.key, config.key_password, error)) return nullptr;
  for (const TlsCert& other : config.others) {
    context->others_.push_back(Make(config.choices, /*dials=*/false, error));
    if (context->others_.back() == nullptr ||
        !context->others_.back()->Show(other.cert, other.key, other.key_password, error)) {
      return nullptr;
    }
  }
  if (!config.others.empty()) {
    SSL_CTX_set_tlsext_servername_callback(made, OnServerName);
    SSL_CTX_set_tlsext_servername_arg(made, context.get());
  }
  if (config.client_certs != ClientCerts::kNo) {
    if (!context->Trust(config.ca, error)) return nullptr;
    SSL_CTX_set_client_CA_list(made, SSL_load_client_CA_file(config.ca.c_str()));
    SSL_CTX_set_verify(
        made,
        SSL_VERIFY_PEER |
            (config.client_certs == ClientCerts::kRequired ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
        nullptr);
  }
  SSL_CTX_set_session_id_context(made, kSessionKind, sizeof(kSessionKind) - 1);
  // Clients keep what there is to keep, in tickets: nothing is held here for one that is gone.
  SSL_CTX_set_session_cache_mode(made, SSL_SESS_CACHE_OFF);
  if (config.resume_s == 0) {
    GiveNoTickets(made);
  } else {
    SSL_CTX_set_timeout(made, static_cast<long>(config.resume_s));
    SSL_CTX_set_num_tickets(made, 1);
    unsigned char keys[kTicketKeys];
    if (before != nullptr &&
        SSL_CTX_get_tlsext_ticket_keys(before->context_, keys, sizeof(keys)) == 1) {
      SSL_CTX_set_tlsext_ticket_keys(made, keys, sizeof(keys));
    }
    OPENSSL_cleanse(keys, sizeof(keys));
  }
  ERR_clear_error();
  return context;
}

std::shared_ptr<OpensslContext> OpensslContext::ForMembers(const TlsConfig& config, bool dials,
                                                           std::string* error) {
  std::shared_ptr<OpensslContext> context = Make(config.choices, dials, error);
  if (context == nullptr || !context->Show(config.cert, config.key, config.key_password, error) ||
      !context->Trust(config.ca, error)) {
    return nullptr;
  }
  // Whose name it is the secret of the fleet tells (peer_handshake.h).
  context->verify_ = TlsVerify::kCa;
  SSL_CTX_set_verify(context->context_, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  SSL_CTX_set_session_cache_mode(context->context_, SSL_SESS_CACHE_OFF);
  if (!dials) GiveNoTickets(context->context_);
  return context;
}

std::shared_ptr<OpensslContext> OpensslContext::ForNodes(const NodeTlsConfig& config,
                                                         std::string* error) {
  std::shared_ptr<OpensslContext> context = Make(config.choices, /*dials=*/true, error);
  if (context == nullptr) return nullptr;
  if (!config.cert.empty() && !context->Show(config.cert, config.key, config.key_password, error)) {
    return nullptr;
  }
  context->verify_ = config.verify;
  context->server_name_ = config.server_name;
  if (config.verify != TlsVerify::kNone) {
    if (!context->Trust(config.ca, error)) return nullptr;
    SSL_CTX_set_verify(context->context_, SSL_VERIFY_PEER, nullptr);
  }
  context->KeepSessions();
  ERR_clear_error();
  return context;
}

bool OpensslContext::LendTo(SSL_CTX* other) const {
  std::string ignored;  // it was good when this was made
  if (!Choose(other, choices_, &ignored)) return false;
  SSL_CTX_set1_cert_store(other, SSL_CTX_get_cert_store(context_));
  X509* const cert = SSL_CTX_get0_certificate(context_);
  if (cert == nullptr) return true;
  STACK_OF(X509)* chain = nullptr;
  SSL_CTX_get0_chain_certs(context_, &chain);
  return SSL_CTX_use_certificate(other, cert) == 1 &&
         SSL_CTX_use_PrivateKey(other, SSL_CTX_get0_privatekey(context_)) == 1 &&
         SSL_CTX_set1_chain(other, chain) == 1;
}

int OpensslContext::OnServerName(SSL* ssl, int*, void* self) {
  const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  if (name == nullptr) return SSL_TLSEXT_ERR_OK;
  for (const auto& other : static_cast<const OpensslContext*>(self)->others_) {
    X509* const shown = SSL_CTX_get0_certificate(other->context_);
    if (X509_check_host(shown, name, 0, 0, nullptr) != 1) continue;
    SSL_set_SSL_CTX(ssl, other->context_);
    break;
  }
  return SSL_TLSEXT_ERR_OK;
}

void OpensslContext::KeepSessions() {
  SSL_CTX_set_session_cache_mode(context_,
                                 SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
  SSL_CTX_set_app_data(context_, this);
  SSL_CTX_sess_set_new_cb(context_, [](SSL* ssl, SSL_SESSION* session) {
    const auto* self =
        static_cast<const OpensslContext*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
    const auto* host = static_cast<const std::string*>(SSL_get_app_data(ssl));
    if (host == nullptr) return 0;
    self->Keep(*host, session);
    return 1;
  });
}

SSL_SESSION* OpensslContext::SessionOf(const std::string& host) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = sessions_.find(host);
  if (found == sessions_.end()) return nullptr;
  SSL_SESSION_up_ref(found->second);
  return found->second;
}

void OpensslContext::Keep(const std::string& host, SSL_SESSION* session) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (sessions_.size() >= kMostSessions && !sessions_.contains(host)) {
    SSL_SESSION_free(sessions_.begin()->second);
    sessions_.erase(sessions_.begin());
  }
  SSL_SESSION*& kept = sessions_[host];
  if (kept != nullptr) SSL_SESSION_free(kept);
  kept = session;
}

}  // namespace gemel
