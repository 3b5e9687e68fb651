#include "tests/e2e/cluster.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>

namespace gemel::e2e {
namespace {

std::string ShardName(int shard) { return std::string(1, static_cast<char>('a' + shard)); }

NodeStatus ParseNode(const Reply& reply) {
  NodeStatus node;
  node.address = reply.Field("address").bytes;
  node.role = reply.Field("role").bytes;
  node.state = reply.Field("state").bytes;
  node.health = reply.Field("health").bytes;
  node.pending = reply.Field("pending").integer;
  node.run_id = reply.Field("run_id").bytes;
  node.reason = reply.Field("reason").bytes;
  return node;
}

ShardStatus ParseShard(const Reply& reply) {
  ShardStatus shard;
  shard.name = reply.Field("name").bytes;
  shard.primary = reply.Field("primary").bytes;
  shard.config_primary = reply.Field("config_primary").bytes;
  shard.members = reply.Field("members").bytes;
  shard.epoch = reply.Field("epoch").integer;
  shard.held = reply.Field("held").integer;
  for (const Reply& node : reply.Field("nodes").items) shard.nodes.push_back(ParseNode(node));
  return shard;
}

}  // namespace

std::vector<ShardStatus> ReadShards(Client client) {
  const Reply reply = client("PROXY", "SHARDS");
  if (reply.kind != Reply::Kind::kArray) throw std::runtime_error("PROXY SHARDS: " + reply.Text());
  std::vector<ShardStatus> shards;
  for (const Reply& shard : reply.items) shards.push_back(ParseShard(shard));
  std::sort(shards.begin(), shards.end(),
            [](const ShardStatus& a, const ShardStatus& b) { return a.name < b.name; });
  return shards;
}

bool ShardStatus::AllInSync() const {
  return std::all_of(nodes.begin(), nodes.end(), [](const NodeStatus& node) {
    return node.state == "in-sync" && node.health == "up";
  });
}

const NodeStatus& ShardStatus::Node(const std::string& address) const {
  for (const NodeStatus& node : nodes) {
    if (node.address == address) return node;
  }
  throw std::runtime_error("no node " + address + " in shard " + name);
}

Cluster::Cluster(ClusterOptions options)
    : options_(std::move(options)), shards_(options_.shards), copies_(options_.copies) {
  for (int i = 0; i < shards_ * copies_; ++i) {
    nodes_.push_back(std::make_unique<RedisNode>(options_.redis_options));
  }
  proxy_.Start(Config());
  if (!WaitUntilInSync()) {
    throw std::runtime_error("the copies do not get in sync; the proxy's log:\n" + proxy_.Log());
  }
}

std::string Cluster::Config() const {
  std::map<std::string, std::string> sections = options_.sections;
  sections.try_emplace("health", kPatientProbes);
  sections.try_emplace("timeouts", "request_ms = 30000\nreconnect_max_ms = 200");
  sections.try_emplace("resync", "retry_ms = 100");
  sections["proxy"] += "\nlisten = [\"127.0.0.1:" + std::to_string(proxy_.port()) +
                       "\"]\nworkers = " + std::to_string(options_.workers) +
                       "\nstate_dir = \"state\"";
  std::string text;
  for (const auto& [name, lines] : sections) text += "[" + name + "]\n" + lines + "\n";
  for (int shard = 0; shard < shards_; ++shard) {
    text += "[[shard]]\nname = \"" + ShardName(shard) + "\"\n" + options_.shard_lines + "\n";
    for (int copy = 0; copy < copies_; ++copy) {
      const std::string address =
          "\"" + nodes_[static_cast<size_t>(shard * copies_ + copy)]->address() + "\"";
      if (copy == 0) {
        text += "primary = " + address + "\nreplicas = [";
      } else {
        text += (copy > 1 ? ", " : "") + address;
      }
    }
    text += "]\n";
  }
  return text;
}

std::vector<ShardStatus> Cluster::Status() const {
  std::vector<ShardStatus> shards = ReadShards(Connect());
  if (shards.size() != static_cast<size_t>(shards_)) {
    throw std::runtime_error("PROXY SHARDS tells of " + std::to_string(shards.size()) + " shards");
  }
  return shards;
}

int64_t Cluster::Figure(const std::string& name) const {
  const std::string text = "\n" + Connect()("INFO", "stats").bytes;
  const size_t at = text.find("\n" + name + ":");
  if (at == std::string::npos) throw std::runtime_error("INFO stats has no " + name);
  return std::stoll(text.substr(at + name.size() + 2));
}

int Cluster::ShardOf(const std::string& key) const {
  const Reply reply = Connect()("PROXY", "EXPLAIN", "GET", key);
  if (reply.items.size() != 1) throw std::runtime_error("PROXY EXPLAIN: " + reply.Text());
  return reply.items[0].Field("shard").bytes.at(0) - 'a';
}

std::string Cluster::KeyOn(int shard, const std::string& prefix) const {
  for (int i = 0; i < 1000; ++i) {
    const std::string key = prefix + ":" + std::to_string(i);
    if (ShardOf(key) == shard) return key;
  }
  throw std::runtime_error("no key on shard " + std::to_string(shard));
}

bool Cluster::WaitUntilInSync() const {
  return Eventually([this] {
    const std::vector<ShardStatus> shards = Status();
    return std::all_of(shards.begin(), shards.end(),
                       [](const ShardStatus& shard) { return shard.AllInSync(); });
  });
}

bool Cluster::WaitUntilPrimary(int shard, const RedisNode& node) const {
  return Eventually([&] { return Status(shard).primary == node.address(); });
}

void Cluster::ExpectCopiesEqual() {
  EXPECT_TRUE(WaitUntilInSync()) << Connect()("PROXY", "SHARDS");
  for (int shard = 0; shard < shards_; ++shard) {
    const std::string digest = node(shard, 0).Digest();
    for (int copy = 1; copy < copies_; ++copy) {
      EXPECT_EQ(node(shard, copy).Digest(), digest)
          << "shard " << ShardName(shard) << ", copy " << copy;
    }
  }
}

}  // namespace gemel::e2e
