// The TLS of the process: what its connections of each kind are made with, from now on.

#ifndef GEMEL_BACKEND_TLS_OPENSSL_TLS_H_
#define GEMEL_BACKEND_TLS_OPENSSL_TLS_H_

#include <memory>
#include <string>

#include "backend/tls/openssl_channel.h"
#include "backend/tls/openssl_context.h"
#include "config/address.h"
#include "config/config.h"

namespace gemel {

// Of one config. Immutable.
struct Tls {
  std::shared_ptr<const OpensslContext> clients;       // null: there is no "tls:" to listen on
  std::shared_ptr<const OpensslContext> nodes;         // null: there is no "tls:" node
  std::shared_ptr<const OpensslContext> members_come;  // null: members speak without
  std::shared_ptr<const OpensslContext> members_dialled;
  std::shared_ptr<const OpensslContext> coordinator;  // null: no server of it is "tls:"
};

// Reads the files that the config names, as far as it needs them. Null and *error, a sentence, if
// they are not good. Any thread but a loop's: files may take long.
std::shared_ptr<const Tls> MakeTls(const Config& config, std::string* error);

// What MakeTls made is in effect from now on, for connections to come. Any thread.
void UseTls(std::shared_ptr<const Tls> tls);

// Channels of connections that are made now. Null for an address without TLS, and where the config
// in effect has nothing for such a connection, which then may not be made. Any thread; the channel
// is the caller's thread's.
std::unique_ptr<OpensslChannel> TlsToNode(const Address& node);
// Of what a fleet agrees by, and no node of a shard.
std::unique_ptr<OpensslChannel> TlsToCoordinator(const Address& server);
std::unique_ptr<OpensslChannel> TlsToMember(const Address& member);
std::unique_ptr<OpensslChannel> TlsOfClient();
std::unique_ptr<OpensslChannel> TlsOfMember();

// For a library that makes such connections to the coordinator's servers itself. Null as above.
std::shared_ptr<const OpensslContext> CoordinatorTls(const Address& server);

}  // namespace gemel

#endif  // GEMEL_BACKEND_TLS_OPENSSL_TLS_H_
