#include "backend/tls/openssl_tls.h"

#include <algorithm>
#include <mutex>
#include <utility>
#include <vector>

namespace gemel {

namespace {

struct InEffect {
  std::mutex mutex;
  std::shared_ptr<const Tls> tls = std::make_shared<Tls>();
};

InEffect& Effect() {
  static InEffect effect;
  return effect;
}

std::shared_ptr<const Tls> Now() {
  InEffect& effect = Effect();
  const std::lock_guard<std::mutex> lock(effect.mutex);
  return effect.tls;
}

std::unique_ptr<OpensslChannel> Dial(std::shared_ptr<const OpensslContext> context,
                                     const Address& address) {
  if (!address.tls || context == nullptr) return nullptr;
  return OpensslChannel::Make(std::move(context), address.host);
}

std::unique_ptr<OpensslChannel> Serve(std::shared_ptr<const OpensslContext> context) {
  return context == nullptr ? nullptr : OpensslChannel::Make(std::move(context));
}

bool AnyTls(const std::vector<Address>& addresses) {
  return std::any_of(addresses.begin(), addresses.end(),
                     [](const Address& address) { return address.tls; });
}

std::vector<Address> ServersOf(const FleetConfig& fleet) {
  std::vector<Address> servers;
  std::string ignored;
  for (const std::string& server : fleet.servers) {
    servers.push_back(ParseAddress(server, &ignored).value_or(Address()));
  }
  return servers;
}

}  // namespace

std::shared_ptr<const Tls> MakeTls(const Config& config, std::string* error) {
  auto tls = std::make_shared<Tls>();
  const PoolConfig& pool = config.pool();
  if (AnyTls(pool.listen)) {
    const std::shared_ptr<const Tls> before = Now();
    tls->clients = OpensslContext::ForClients(config.tls, before->clients.get(), error);
    if (tls->clients == nullptr) return nullptr;
  }
  const bool nodes = std::any_of(pool.shards.begin(), pool.shards.end(),
                                 [](const ShardConfig& shard) { return AnyTls(shard.Nodes()); });
  // A fleet's shards may come by another member's file.
  if (nodes || config.fleet.active()) {
    tls->nodes = OpensslContext::ForNodes(config.node_tls, error);
    if (tls->nodes == nullptr) return nullptr;
  }
  if (config.fleet.active() && config.fleet.listen.tls) {
    tls->members_come = OpensslContext::ForMembers(config.tls, /*dials=*/false, error);
    if (tls->members_come == nullptr) return nullptr;
    tls->members_dialled = OpensslContext::ForMembers(config.tls, /*dials=*/true, error);
    if (tls->members_dialled == nullptr) return nullptr;
  }
  if (config.fleet.active() && AnyTls(ServersOf(config.fleet))) {
    tls->coordinator = OpensslContext::ForNodes(config.coordinator_tls, error);
    if (tls->coordinator == nullptr) return nullptr;
  }
  return tls;
}

void UseTls(std::shared_ptr<const Tls> tls) {
  InEffect& effect = Effect();
  const std::lock_guard<std::mutex> lock(effect.mutex);
  effect.tls.swap(tls);
}

std::unique_ptr<OpensslChannel> TlsToNode(const Address& node) { return Dial(Now()->nodes, node); }

std::unique_ptr<OpensslChannel> TlsToCoordinator(const Address& server) {
  return Dial(Now()->coordinator, server);
}

std::unique_ptr<OpensslChannel> TlsToMember(const Address& member) {
  return Dial(Now()->members_dialled, member);
}

std::unique_ptr<OpensslChannel> TlsOfClient() { return Serve(Now()->clients); }

std::unique_ptr<OpensslChannel> TlsOfMember() { return Serve(Now()->members_come); }

std::shared_ptr<const OpensslContext> CoordinatorTls(const Address& server) {
  return server.tls ? Now()->coordinator : nullptr;
}

}  // namespace gemel
