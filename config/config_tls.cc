#include "config/config_tls.h"

#include <algorithm>
#include <string>

namespace gemel {

namespace {

constexpr char kPath[] = "a path as a string";
constexpr char kList[] = "a list as openssl-ciphers(1) spells it, or \"\"";

// Whom gemel trusts, and what may be read along: only the file says it.
void FileOnly(TableReader& table, std::string_view key) { table.Protect(key, Guard::kFileOnly); }

void ReadFile(TableReader& table, std::string_view key, std::string* path) {
  table.String(key, kPath, path);
  FileOnly(table, key);
}

void ReadChoices(TableReader& table, TlsChoices* choices) {
  const std::initializer_list<TableReader::Option<TlsVersion>> versions = {
      {"1.2", TlsVersion::k12}, {"1.3", TlsVersion::k13}};
  table.Choice<TlsVersion>("min_version", versions, &choices->min_version);
  FileOnly(table, "min_version");
  const auto most = table.Choice<TlsVersion>("max_version", versions, &choices->max_version);
  FileOnly(table, "max_version");
  if (most && choices->max_version < choices->min_version) {
    table.Reject("max_version", *most, "expected at least min_version, which is \"1.3\"");
  }
  table.String("ciphers", kList, &choices->ciphers);
  FileOnly(table, "ciphers");
  table.String("ciphersuites", kList, &choices->ciphersuites);
  FileOnly(table, "ciphersuites");
}

void NeedCert(TableReader& table, const std::optional<Place>& place, const std::string& password,
              const std::string& cert) {
  if (place && !password.empty() && cert.empty() && !table.IsWrong("cert")) {
    table.Reject("key_password", *place,
                 "there is no cert that it would be the key of, expected one beside it");
  }
}

}  // namespace

void ReadTls(TableReader table, TlsConfig* tls) {
  ReadFile(table, "cert", &tls->cert);
  ReadFile(table, "key", &tls->key);
  const std::optional<Place> secret = table.Secret("key_password", &tls->key_password);
  FileOnly(table, "key_password");
  NeedCert(table, secret, tls->key_password, tls->cert);
  ReadFile(table, "ca", &tls->ca);
  const auto place = table.Choice<ClientCerts>("client_certs",
                                               {{"no", ClientCerts::kNo},
                                                {"optional", ClientCerts::kOptional},
                                                {"required", ClientCerts::kRequired}},
                                               &tls->client_certs);
  FileOnly(table, "client_certs");
  if (place && tls->client_certs != ClientCerts::kNo && tls->ca.empty() && !table.IsWrong("ca")) {
    table.Reject("client_certs", *place,
                 "there is no ca that clients' certificates could be of, expected the file of one "
                 "beside it");
  }
  ReadChoices(table, &tls->choices);
  table.Integer("resume_s", 0, 24 * 60 * 60, &tls->resume_s);
  FileOnly(table, "resume_s");
  table.Finish();
}

void ReadTlsCert(TableReader table, TlsCert* cert) {
  ReadFile(table, "cert", &cert->cert);
  if (!table.Has("cert")) table.Missing("cert", kPath);
  ReadFile(table, "key", &cert->key);
  table.Secret("key_password", &cert->key_password);
  table.Finish();
}

void ReadNodeTls(TableReader table, NodeTlsConfig* tls) {
  ReadFile(table, "ca", &tls->ca);
  ReadFile(table, "cert", &tls->cert);
  ReadFile(table, "key", &tls->key);
  const std::optional<Place> secret = table.Secret("key_password", &tls->key_password);
  FileOnly(table, "key_password");
  NeedCert(table, secret, tls->key_password, tls->cert);
  table.Choice<TlsVerify>(
      "verify", {{"full", TlsVerify::kFull}, {"ca", TlsVerify::kCa}, {"none", TlsVerify::kNone}},
      &tls->verify);
  FileOnly(table, "verify");
  table.String("server_name", "a host name, or \"\"", &tls->server_name);
  FileOnly(table, "server_name");
  ReadChoices(table, &tls->choices);
  table.Finish();
}

void CheckTls(const Config& config, Mistakes* mistakes) {
  for (const Address& address : config.pool().listen) {
    if (!address.tls || !config.tls.cert.empty()) continue;
    mistakes->Add({address.line, address.column},
                  "listens with TLS on " + address.ToString() +
                      " and has nothing to show there, expected cert and key in [tls]");
    return;
  }
  const FleetConfig& fleet = config.fleet;
  if (!fleet.active() || !fleet.listen.tls) return;
  if (config.tls.cert.empty() || config.tls.ca.empty()) {
    mistakes->Add(
        {fleet.listen.line, fleet.listen.column},
        "[fleet] listen is with TLS, by which members know each other: expected cert, key "
        "and ca in [tls]");
  }
}

}  // namespace gemel
