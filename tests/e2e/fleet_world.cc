#include "tests/e2e/fleet_world.h"

#include <signal.h>

#include <algorithm>
#include <chrono>
#include <sstream>
#include <stdexcept>

#include "tests/e2e/cluster.h"
#include "tests/e2e/look.h"
#include "tests/e2e/wait.h"
#include "tests/e2e/whole_databases.h"

namespace gemel::e2e {
namespace {

constexpr char kRaft[] = "raft";
constexpr size_t kAcceptors = 3;
constexpr int kClientsDatabases = 15;  // where the nodes keep the registers in another one

std::string FleetShardName(int shard) { return std::string(1, static_cast<char>('a' + shard)); }

// What the name of a connection at a node tells: the turn of its shard, and the member's name.
struct NodesOwner {
  uint64_t turn = 0;
  std::string member;
};

NodesOwner OwnerIn(const std::string& clients, const std::string& shard) {
  NodesOwner newest;
  std::istringstream words(clients);
  for (std::string word; words >> word;) {
    if (!word.starts_with("name=gemel:" + shard + ";")) continue;
    std::vector<std::string> parts;
    std::istringstream name(word);
    for (std::string part; std::getline(name, part, ';');) parts.push_back(part);
    if (parts.size() < 3) continue;
    const uint64_t turn = std::strtoull(parts[parts.size() - 2].c_str(), nullptr, 10);
    if (turn > newest.turn) newest = {turn, parts.back().substr(0, parts.back().find(':'))};
  }
  return newest;
}

}  // namespace

FleetWorld::FleetWorld(FleetOptions options)
    : options_(std::move(options)),
      peer_ports_(static_cast<size_t>(options_.members)),
      raft_ports_(options_.engine == kRaft ? static_cast<size_t>(options_.voters + options_.joiners)
                                           : 0),
      tls_ports_(options_.tls != nullptr
                     ? static_cast<size_t>(options_.shards * options_.copies) + kAcceptors
                     : 0) {
  StartCoordinator();
  for (size_t i = 0; i < static_cast<size_t>(options_.shards * options_.copies); ++i) {
    nodes_.push_back(std::make_unique<RedisNode>(RedisOptions(i)));
  }
  for (int i = 0; i < options_.members; ++i) members_.push_back(std::make_unique<ProxyProcess>());
  const int started = options_.started < 0 ? options_.members : options_.started;
  if (started == 0) return;
  std::vector<int> all;
  for (int i = 0; i < started; ++i) all.push_back(i);
  StartMembers(all);
  if (!WaitUntilSpread() || !WaitUntilServed(0) || !WaitUntilInSync()) {
    std::string logs;
    for (int i = 0; i < started; ++i) logs += member(i).Log();
    throw std::runtime_error("the fleet does not come to serve; its logs:\n" + logs);
  }
}

FleetWorld::~FleetWorld() {
  for (const auto& node : nodes_) node->Resume();
  ResumeCoordinator();
  for (const auto& member : members_) {
    if (!member->running()) continue;
    member->Signal(SIGCONT);
  }
  // The last two of three voters cannot both end in order: the second has nobody to agree with.
  for (size_t i = members_.size(); i-- > 0 && options_.engine == kRaft;) {
    if (i <= raft_ports_.size() / 2) {
      members_[i]->Kill();
    } else if (members_[i]->running()) {
      EXPECT_EQ(members_[i]->Stop(), 0) << "member " << i;
    }
  }
}

Words FleetWorld::RedisOptions(size_t number) const {
  Words options = number < static_cast<size_t>(options_.shards * options_.copies)
                      ? options_.redis_options
                      : Words();
  if (options_.tls == nullptr) return options;
  const Words tls = options_.tls->RedisOptions("server", tls_ports_[number].number());
  options.insert(options.end(), tls.begin(), tls.end());
  return options;
}

std::string FleetWorld::RedisAddress(size_t number, const RedisNode& node) const {
  if (options_.tls == nullptr) return node.address();
  return "tls:127.0.0.1:" + std::to_string(tls_ports_[number].number());
}

void FleetWorld::StartCoordinator() {
  if (options_.on_nodes) return;
  if (options_.engine == "paxos") {
    const auto nodes = static_cast<size_t>(options_.shards * options_.copies);
    for (size_t i = 0; i < kAcceptors; ++i) {
      acceptors_.push_back(std::make_unique<RedisNode>(RedisOptions(nodes + i)));
    }
  } else if (options_.engine == "etcd") {
    EtcdTls tls;
    if (options_.tls != nullptr) {
      tls = {options_.tls->cert("server"), options_.tls->key("server"), options_.tls->ca()};
    }
    etcd_ = StartEtcd(1, options_.tls != nullptr ? &tls : nullptr);
  } else if (options_.engine == "zookeeper") {
    zookeeper_ = std::make_unique<ZookeeperServer>();
    zookeeper_->Start();
  }
}

std::string FleetWorld::Coordinator() const {
  std::string servers;
  const auto nodes = static_cast<size_t>(options_.shards * options_.copies);
  for (size_t i = 0; i < acceptors_.size(); ++i) {
    servers += "\"" + RedisAddress(nodes + i, *acceptors_[i]) + "\", ";
  }
  const std::string tls = options_.tls != nullptr ? "tls:" : "";
  for (const auto& server : etcd_) servers += "\"" + tls + server->address() + "\", ";
  if (zookeeper_) servers += "\"" + zookeeper_->address() + "\"";
  for (int i = 0; i < options_.voters && !raft_ports_.empty(); ++i) {
    servers += "\"" + VoterAddress(i) + "\", ";
  }
  const std::string coordinator = "coordinator = \"" + options_.engine + "\"\n";
  return options_.on_nodes ? coordinator : coordinator + "servers = [" + servers + "]\n";
}

std::string FleetWorld::VoterAddress(int index) const {
  return "127.0.0.1:" + std::to_string(raft_ports_[static_cast<size_t>(index)].number());
}

void FleetWorld::PauseCoordinator() {
  for (const auto& node : acceptors_) node->Pause();
  for (const auto& server : etcd_) server->Pause();
  if (zookeeper_) zookeeper_->Pause();
}

void FleetWorld::ResumeCoordinator() {
  for (const auto& node : acceptors_) node->Resume();
  for (const auto& server : etcd_) server->Resume();
  if (zookeeper_) zookeeper_->Resume();
}

std::vector<uint16_t> FleetWorld::Ports() const {
  std::vector<uint16_t> ports;
  for (const auto& member : members_) ports.push_back(member->port());
  return ports;
}

std::string FleetWorld::Config(int index, const Sections& more,
                               const std::string& shard_lines) const {
  Sections sections = options_.sections;
  sections.try_emplace("health", kPatientProbes);
  sections.try_emplace("timeouts", "request_ms = 30000\nreconnect_max_ms = 200");
  sections.try_emplace("resync", "retry_ms = 100");
  sections["proxy"] += "\nlisten = [\"127.0.0.1:" + std::to_string(member(index).port()) +
                       "\"]\nworkers = " + std::to_string(options_.workers) +
                       "\nstate_dir = \"state\"";
  Sections fleet = {{"name", "\"test\""},
                    {"member", "\"m" + std::to_string(index) + "\""},
                    {"secret", "\"a secret of sixteen\""},
                    {"listen", "\"127.0.0.1:" + std::to_string(peer_port(index)) + "\""},
                    {"lease_ms", std::to_string(options_.lease_ms)},
                    {"witness", options_.witnesses.contains(index) ? "true" : "false"}};
  if (static_cast<size_t>(index) < raft_ports_.size()) {
    fleet["raft_listen"] = "\"" + VoterAddress(index) + "\"";
  }
  if (options_.tls != nullptr) {
    fleet["listen"].insert(1, "tls:");
    for (const char* section : {"tls", "node_tls", "coordinator_tls"}) {
      if (!more.contains(section)) sections[section] = options_.tls->Lines("member");
    }
  }
  for (const auto& [name, lines] : more) {
    if (name.starts_with("fleet.")) {
      fleet[name.substr(6)] = lines;
    } else {
      sections[name] += "\n" + lines;
    }
  }
  std::string text;
  for (const auto& [name, lines] : sections) text += "[" + name + "]\n" + lines + "\n";
  text +=
      "[fleet]\n" + (more.contains("fleet.servers") ? "coordinator = \"" + options_.engine + "\"\n"
                                                    : Coordinator());
  for (const auto& [name, value] : fleet) text += name + " = " + value + "\n";
  for (int shard = 0; shard < options_.shards; ++shard) {
    text += "[[shard]]\nname = \"" + FleetShardName(shard) + "\"\n";
    for (int copy = 0; copy < options_.copies; ++copy) {
      const auto number = static_cast<size_t>(shard * options_.copies + copy);
      const std::string address = "\"" + RedisAddress(number, *nodes_[number]) + "\"";
      text += copy == 0 ? "primary = " + address + "\nreplicas = [" : address + ", ";
    }
    text += "]\n";
  }
  return text + shard_lines;
}

void FleetWorld::StartMember(int index, const Sections& more) {
  member(index).Start(Config(index, more));
}

void FleetWorld::StartMembers(const std::vector<int>& indexes) {
  for (const int index : indexes) {
    WriteFile(member(index).config_path(), Config(index));
    member(index).Launch();
  }
  WaitUntilMembersServe(indexes);
}

void FleetWorld::RestartMembers(const std::vector<int>& indexes) {
  for (const int index : indexes) member(index).Launch();
  WaitUntilMembersServe(indexes);
}

void FleetWorld::WaitUntilMembersServe(const std::vector<int>& indexes) {
  for (const int index : indexes) member(index).WaitUntilServes();
}

int FleetWorld::ShardOf(const std::string& key) const {
  for (const auto& member : members_) {
    if (!member->running()) continue;
    const Reply reply = Client(member->port())("PROXY", "EXPLAIN", "GET", key);
    if (reply.items.size() != 1) throw std::runtime_error("PROXY EXPLAIN: " + reply.Text());
    return reply.items[0].Field("shard").bytes.at(0) - 'a';
  }
  throw std::runtime_error("no member runs");
}

std::string FleetWorld::KeyOn(int shard, const std::string& prefix) const {
  for (int i = 0; i < 1000; ++i) {
    const std::string key = prefix + ":" + std::to_string(i);
    if (ShardOf(key) == shard) return key;
  }
  throw std::runtime_error("no key on shard " + std::to_string(shard));
}

int FleetWorld::OwnerOf(int shard) const {
  NodesOwner newest;
  for (int copy = 0; copy < options_.copies; ++copy) {
    try {
      const RedisNode& node = *nodes_[static_cast<size_t>(shard * options_.copies + copy)];
      const NodesOwner here =
          OwnerIn(node.Connect()("CLIENT", "LIST").bytes, FleetShardName(shard));
      if (here.turn > newest.turn) newest = here;
    } catch (const std::runtime_error&) {
      // It is down.
    }
  }
  return newest.turn == 0 ? -1 : std::stoi(newest.member.substr(1));
}

std::set<std::string> FleetWorld::Keepers(int asked) const {
  std::set<std::string> keepers;
  const Reply fleet = Connect(asked)("PROXY", "FLEET");
  for (const Reply& server : fleet.Field("servers").items) {
    keepers.insert(server.Field("name").bytes);
  }
  return keepers;
}

std::set<int> FleetWorld::Voters(int asked) const {
  std::set<int> voters;
  const Reply fleet = Connect(asked)("PROXY", "FLEET");
  for (const Reply& server : fleet.Field("servers").items) {
    for (int i = 0; i < options_.voters + options_.joiners; ++i) {
      if (server.Field("name").bytes == VoterAddress(i)) voters.insert(i);
    }
  }
  return voters;
}

int FleetWorld::VotesLeader(int asked) const {
  const std::string leader = Connect(asked)("PROXY", "FLEET").Field("leader").bytes;
  for (int voter = 0; voter < options_.voters + options_.joiners; ++voter) {
    if (leader == VoterAddress(voter)) return voter;
  }
  return -1;
}

int FleetWorld::WaitForVotesLeader(int asked) const {
  int leader = -1;
  Eventually([&] { return (leader = VotesLeader(asked)) >= 0; });
  if (leader < 0) throw std::runtime_error("no voter leads");
  return leader;
}

int FleetWorld::WaitForOwner(int shard) const {
  int owner = -1;
  Eventually([&] { return (owner = OwnerOf(shard)) >= 0; });
  if (owner < 0) throw std::runtime_error("nobody owns shard " + FleetShardName(shard));
  return owner;
}

bool FleetWorld::WaitUntilSpread() const {
  return Eventually([this] {
    size_t able = 0;
    for (int i = 0; i < options_.members; ++i) {
      able += members_[static_cast<size_t>(i)]->running() && !options_.witnesses.contains(i);
    }
    std::set<int> owners;
    for (int shard = 0; shard < options_.shards; ++shard) {
      const int owner = OwnerOf(shard);
      if (owner < 0 || !members_[static_cast<size_t>(owner)]->running()) return false;
      owners.insert(owner);
    }
    return owners.size() == std::min(able, static_cast<size_t>(options_.shards));
  });
}

bool FleetWorld::WaitUntilServed(int index) const {
  return Eventually([&] {
    try {
      Client client = Connect(index);
      std::set<int> seen;
      for (int i = 0; i < 1000 && seen.size() < static_cast<size_t>(options_.shards); ++i) {
        const std::string key = "served:" + std::to_string(i);
        const Reply reply = client("PROXY", "EXPLAIN", "GET", key);
        if (reply.items.size() != 1) return false;
        if (!seen.insert(reply.items[0].Field("shard").bytes.at(0)).second) continue;
        if (!(client("SET", key, "v") == "OK") || !(client("GET", key) == "v")) return false;
      }
      return true;
    } catch (const std::runtime_error&) {
      return false;
    }
  });
}

bool FleetWorld::WaitUntilRefused(const std::string& key, std::string* value) const {
  return Eventually([&] {
    std::vector<Client> clients;
    for (const uint16_t port : Ports()) {
      Client& client = clients.emplace_back(port);
      client.Append({"GET", key});
      client.Append({"SET", key, "refused"});
      client.Flush();
    }
    bool all = true;
    for (Client& client : clients) {
      all &= client.Read().Text().starts_with("-CLUSTERDOWN ");
      const Reply written = client.Read();
      all &= written.Text().starts_with("-CLUSTERDOWN ");
      if (written == "OK") *value = "refused";
      if (written.Text().find("may or may not") != std::string::npos && *value != "refused") {
        value->clear();
      }
    }
    return all;
  });
}

bool FleetWorld::WaitUntilInSync() const {
  return Eventually([this] {
    for (const auto& member : members_) {
      if (!member->running()) continue;
      const std::vector<ShardStatus> shards = ReadShards(Client(member->port()));
      return static_cast<int>(shards.size()) >= options_.shards &&
             std::all_of(shards.begin(), shards.end(),
                         [](const ShardStatus& shard) { return shard.AllInSync(); });
    }
    return false;
  });
}

void FleetWorld::ExpectCopiesEqual() {
  EXPECT_TRUE(WaitUntilInSync());
  for (int shard = 0; shard < options_.shards; ++shard) {
    for (int copy = 1; copy < options_.copies && options_.on_nodes; ++copy) {
      EXPECT_EQ(DatabasesDiffer(node(shard, 0), node(shard, copy), kClientsDatabases), "")
          << "shard " << FleetShardName(shard) << ", copy " << copy;
    }
    if (options_.on_nodes) continue;
    const std::string digest = node(shard, 0).Digest();
    for (int copy = 1; copy < options_.copies; ++copy) {
      EXPECT_EQ(node(shard, copy).Digest(), digest)
          << "shard " << FleetShardName(shard) << ", copy " << copy;
    }
  }
}

Finished RunMember(const ProxyProcess& process, const std::string& config) {
  WriteFile(process.config_path(), config);
  return RunProgram({GemelBinary(), "-c", process.config_path()}, "", std::chrono::seconds(40));
}

std::string ShardLines(const std::string& name, const RedisNode& primary,
                       const RedisNode& replica) {
  return "[[shard]]\nname = \"" + name + "\"\nprimary = \"" + primary.address() +
         "\"\nreplicas = [\"" + replica.address() + "\"]\n";
}

Reply Reload(FleetWorld* fleet, int member, const std::string& config) {
  WriteFile(fleet->member(member).config_path(), config);
  Reply reply;
  Eventually([&] {
    reply = fleet->Connect(member)("PROXY", "RELOAD");
    return !Has(reply.Text(), "in time") && !Has(reply.Text(), "under way");
  });
  return reply;
}

}  // namespace gemel::e2e
