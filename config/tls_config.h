// [tls] and [node_tls] of the config, as plain values.

#ifndef GEMEL_CONFIG_TLS_CONFIG_H_
#define GEMEL_CONFIG_TLS_CONFIG_H_

#include <cstdint>
#include <string>
#include <vector>

namespace gemel {

enum class TlsVersion : uint8_t { k12, k13 };

// What both ends of a connection may choose.
struct TlsChoices {
  TlsVersion min_version = TlsVersion::k12;
  TlsVersion max_version = TlsVersion::k13;
  std::string ciphers;       // of TLS 1.2, as openssl-ciphers(1) spells them; empty: the library's
  std::string ciphersuites;  // of TLS 1.3; empty: the library's

  bool operator==(const TlsChoices&) const = default;
};

// [[tls_cert]]: shown in place of the one of [tls] to clients that ask for one of its names (SNI).
struct TlsCert {
  std::string cert;
  std::string key;
  std::string key_password;

  bool operator==(const TlsCert&) const = default;
};

// Whether clients show certificates.
enum class ClientCerts : uint8_t {
  kNo,        // they are not asked for
  kOptional,  // one that is shown must be good
  kRequired,
};

// [tls]: what gemel shows to those who connect to "tls:" addresses of [proxy] listen, and of
// [fleet] listen, where it is also what it shows to other members that it connects to.
struct TlsConfig {
  std::string cert;          // the file of the certificate and those between it and the CA's
  std::string key;           // the file of its key; empty: the same
  std::string key_password;  // of an encrypted key
  std::string ca;            // the file of the CAs that clients' and members' certificates are of
  ClientCerts client_certs = ClientCerts::kNo;
  TlsChoices choices;
  std::vector<TlsCert> others;
  uint32_t resume_s = 300;  // so long a client may take up a session again; 0: never

  bool operator==(const TlsConfig&) const = default;
};

// What a node's certificate has to be.
enum class TlsVerify : uint8_t {
  kFull,  // of a known CA, and of the node's host name or address
  kCa,    // of a known CA
  kNone,  // whatever: nobody who listens only can read along, who stands between can
};

// [node_tls]: to nodes whose address is "tls:". [coordinator_tls]: to such servers of what a fleet
// agrees by that are no nodes of shards.
struct NodeTlsConfig {
  std::string ca;    // the file of the CAs; empty: those of the system
  std::string cert;  // what gemel shows, if nodes ask; empty: nothing
  std::string key;   // empty: in the same file
  std::string key_password;
  TlsVerify verify = TlsVerify::kFull;
  std::string server_name;  // that is asked for and verified; empty: the host of the address
  TlsChoices choices;

  bool operator==(const NodeTlsConfig&) const = default;
};

}  // namespace gemel

#endif  // GEMEL_CONFIG_TLS_CONFIG_H_
