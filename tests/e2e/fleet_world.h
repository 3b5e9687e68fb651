// Real redis-servers in shards, what the members agree by, and several gemels in front of them.

#ifndef GEMEL_TESTS_E2E_FLEET_WORLD_H_
#define GEMEL_TESTS_E2E_FLEET_WORLD_H_

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "tests/e2e/client.h"
#include "tests/e2e/free_port.h"
#include "tests/e2e/proxy_process.h"
#include "tests/e2e/redis_node.h"
#include "tests/e2e/tls_files.h"
#include "tests/io/engine_servers.h"

namespace gemel::e2e {

// Lines of TOML by section: {"limits", "max_clients = 5"}.
using Sections = std::map<std::string, std::string>;

struct FleetOptions {
  int shards = 2;
  int copies = 2;  // of each shard
  int members = 3;
  int started = -1;  // so many of them, the first; -1: all
  int workers = 1;
  int lease_ms = 500;
  std::string engine = "paxos";  // or "etcd", "zookeeper", "raft"
  int voters = 3;                // of raft: so many of the members, the first
  int joiners = 0;               // the next ones, who vote once they are added
  Sections sections = {};        // in place of the defaults here
  std::set<int> witnesses = {};  // of the members
  // Of paxos: the shards' own nodes keep the registers.
  bool on_nodes = false;
  Words redis_options = {};  // of these nodes
  // Nodes, servers of paxos and etcd, and members speak TLS and show these; null: they do not. Of
  // "server" and "member" there are certificates.
  const TlsFiles* tls = nullptr;
};

class FleetWorld {
 public:
  // Starts everything, and waits until every shard has an owner and its copies are in sync.
  explicit FleetWorld(FleetOptions options = {});
  // Who was paused goes on first, for it is to end in order.
  ~FleetWorld();
  FleetWorld(const FleetWorld&) = delete;
  FleetWorld& operator=(const FleetWorld&) = delete;

  int shards() const { return options_.shards; }
  int members() const { return options_.members; }
  // Shards are "a", "b", ...; copy 0 is the primary of the config.
  // Servers of paxos that hold no shard.
  RedisNode& acceptor(int index) { return *acceptors_[static_cast<size_t>(index)]; }
  RedisNode& node(int shard, int copy) {
    return *nodes_[static_cast<size_t>(shard * options_.copies + copy)];
  }
  // Members are "m0", "m1", ...
  ProxyProcess& member(int index) { return *members_[static_cast<size_t>(index)]; }
  const ProxyProcess& member(int index) const { return *members_[static_cast<size_t>(index)]; }
  uint16_t peer_port(int index) const { return peer_ports_[static_cast<size_t>(index)].number(); }
  Client Connect(int index) const { return Client(member(index).port()); }
  std::vector<uint16_t> Ports() const;  // of all members' clients

  // The file of that member, with these lines added to its sections. `shard_lines` come behind the
  // last shard.
  std::string Config(int index, const Sections& more = {},
                     const std::string& shard_lines = {}) const;
  void StartMember(int index, const Sections& more = {});
  // At once: of voters of raft none serves until most of them run.
  void StartMembers(const std::vector<int>& indexes);
  void RestartMembers(const std::vector<int>& indexes);

  // All servers of the coordinator at once; not of raft, whose servers are members.
  void PauseCoordinator();
  void ResumeCoordinator();

  // The shard of a key, and a key of a shard that begins with `prefix`.
  int ShardOf(const std::string& key) const;
  std::string KeyOn(int shard, const std::string& prefix = "key") const;
  // Of raft: what a member that votes, or may be added, is known by to the others.
  std::string VoterAddress(int index) const;
  // The members that vote, as the member `asked` sees it.
  std::set<int> Voters(int asked) const;
  // The voter that leads, as the member `asked` sees it; -1: it sees none.
  int VotesLeader(int asked) const;
  int WaitForVotesLeader(int asked) const;
  // Which member serves the shard itself; -1: none says so now.
  int OwnerOf(int shard) const;
  int WaitForOwner(int shard) const;
  // Of those who run and are no witness: each owns a shard if there are enough, and each shard is
  // owned.
  bool WaitUntilSpread() const;
  // A read and a write of the key are refused by all members with CLUSTERDOWN in the end. Each
  // waits for an owner for some seconds, so all are asked at once. *value, that of the key, is what
  // was acknowledged last; empty: it is not known whether a write was carried out.
  bool WaitUntilRefused(const std::string& key, std::string* value) const;
  // Over that member every shard takes a write and a read.
  bool WaitUntilServed(int index) const;
  // Every copy of every shard is, as the members know it.
  bool WaitUntilInSync() const;
  // The servers that keep the registers, as that member knows it.
  std::set<std::string> Keepers(int asked) const;

  // Test failures unless the copies of every shard hold the same data in the end.
  void ExpectCopiesEqual();

 private:
  // Of the node, or of the server of paxos, whose number is counted after all nodes.
  Words RedisOptions(size_t number) const;
  std::string RedisAddress(size_t number, const RedisNode& node) const;
  void StartCoordinator();
  std::string Coordinator() const;
  void WaitUntilMembersServe(const std::vector<int>& indexes);

  const FleetOptions options_;
  std::vector<std::unique_ptr<RedisNode>> nodes_;
  std::vector<std::unique_ptr<RedisNode>> acceptors_;
  std::vector<std::unique_ptr<EtcdServer>> etcd_;
  std::unique_ptr<ZookeeperServer> zookeeper_;
  std::vector<FreePort> peer_ports_;
  std::vector<FreePort> raft_ports_;
  std::vector<FreePort> tls_ports_;  // of nodes and servers of paxos
  std::vector<std::unique_ptr<ProxyProcess>> members_;
};

// The whole text of a member that is not expected to serve, once it has ended by itself.
Finished RunMember(const ProxyProcess& process, const std::string& config);

// The table of a shard of two copies.
std::string ShardLines(const std::string& name, const RedisNode& primary, const RedisNode& replica);

// Gives the member that config, and says PROXY RELOAD; again where the members do not agree in
// time, as on a machine that is busy.
Reply Reload(FleetWorld* fleet, int member, const std::string& config);

}  // namespace gemel::e2e

#endif  // GEMEL_TESTS_E2E_FLEET_WORLD_H_
