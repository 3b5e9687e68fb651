// Any bytes from a client where TLS is spoken, in any pieces: before the handshake, instead of it,
// and in place of what it would have said after it.

#include <openssl/pem.h>
#include <openssl/x509.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "backend/tls/openssl_channel.h"

namespace {

using gemel::OpensslChannel;
using gemel::OpensslContext;

void Check(bool holds) {
  if (!holds) std::abort();
}

// A certificate that has signed itself, with its key in one file.
std::string MakeCert() {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* cert = X509_new();
  ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
  X509_gmtime_adj(X509_getm_notBefore(cert), 0);
  X509_gmtime_adj(X509_getm_notAfter(cert), 24 * 3600 * 365L);
  X509_set_pubkey(cert, key);
  X509_sign(cert, key, EVP_sha256());
  char name[] = "/tmp/gemel-fuzz-XXXXXX";
  const int fd = ::mkstemp(name);
  Check(fd >= 0);
  FILE* const file = ::fdopen(fd, "w");
  Check(PEM_write_X509(file, cert) == 1);
  Check(PEM_write_PrivateKey(file, key, nullptr, nullptr, 0, nullptr, nullptr) == 1);
  std::fclose(file);
  X509_free(cert);
  EVP_PKEY_free(key);
  return name;
}

struct World {
  World() {
    gemel::TlsConfig config;
    config.cert = MakeCert();
    std::string error;
    serves = OpensslContext::ForClients(config, nullptr, &error);
    Check(serves != nullptr);
    gemel::NodeTlsConfig node;
    node.verify = gemel::TlsVerify::kNone;
    dials = OpensslContext::ForNodes(node, &error);
    ::unlink(config.cert.c_str());
  }
  std::shared_ptr<const OpensslContext> serves;
  std::shared_ptr<const OpensslContext> dials;
};

void Carry(OpensslChannel* from, OpensslChannel* to, gemel::ByteBuffer* heard) {
  const std::string bytes(from->wire());
  from->OnSent(bytes.size());
  to->OnBytes(bytes, heard);
}

// In pieces of that size. What is decrypted is never more than what came.
void Give(OpensslChannel* server, std::string_view bytes, size_t piece) {
  gemel::ByteBuffer heard;
  const size_t all = bytes.size();
  while (!bytes.empty()) {
    const size_t size = std::min(piece, bytes.size());
    server->OnBytes(bytes.substr(0, size), &heard);
    server->OnSent(server->wire().size());
    bytes.remove_prefix(size);
  }
  Check(heard.size() <= all);
  Check((server->state() == OpensslChannel::State::kFailed) == !server->error().empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const World world;
  if (size < 2) return 0;
  const size_t piece = 1 + data[0];
  const bool shaken = (data[1] & 1) != 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  const auto server = OpensslChannel::Make(world.serves);
  if (!shaken) {
    Give(server.get(), bytes, piece);
    Check(server->state() != OpensslChannel::State::kOpen);
    return 0;
  }
  const auto client = OpensslChannel::Make(world.dials, "localhost");
  client->Begin();
  gemel::ByteBuffer heard;
  for (int i = 0; i < 4; ++i) {
    Carry(client.get(), server.get(), &heard);
    Carry(server.get(), client.get(), &heard);
  }
  Check(server->state() == OpensslChannel::State::kOpen);
  if ((data[1] & 2) == 0) {
    Give(server.get(), bytes, piece);
    return 0;
  }
  // What is said goes through whole, in any pieces.
  client->Seal(bytes);
  const std::string wire(client->wire());
  for (size_t at = 0; at < wire.size(); at += piece) {
    server->OnBytes(std::string_view(wire).substr(at, piece), &heard);
  }
  Check(heard.view() == bytes);
  return 0;
}
