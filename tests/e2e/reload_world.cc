#include "tests/e2e/reload_world.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <stdexcept>

namespace gemel::e2e {
namespace {

std::string Quoted(const std::vector<std::string>& words, size_t from = 0) {
  std::string text = "[";
  for (size_t i = from; i < words.size(); ++i) {
    text += (i > from ? ", \"" : "\"") + words[i] + "\"";
  }
  return text + "]";
}

}  // namespace

std::string ConfigFile::Text() const {
  std::map<std::string, std::map<std::string, std::string>> sections = options;
  sections["proxy"]["listen"] = Quoted(listen);
  std::string text;
  for (const auto& [section, values] : sections) {
    text += "[" + section + "]\n";
    for (const auto& [key, value] : values) text += key + " = " + value + "\n";
  }
  for (const Shard& shard : shards) {
    text += "[[shard]]\nname = \"" + shard.name + "\"\nprimary = \"" + shard.nodes.at(0) +
            "\"\nreplicas = " + Quoted(shard.nodes, 1) +
            "\nweight = " + std::to_string(shard.weight) + "\n";
    if (!shard.user.empty()) text += "user = \"" + shard.user + "\"\n";
    if (!shard.password.empty()) text += "password = \"" + shard.password + "\"\n";
    text += shard.lines;
  }
  return text + end;
}

ConfigFile::Shard& ConfigFile::shard(const std::string& name) {
  for (Shard& shard : shards) {
    if (shard.name == name) return shard;
  }
  throw std::runtime_error("the file has no shard " + name);
}

void ConfigFile::RemoveShard(const std::string& name) {
  std::erase_if(shards, [&](const Shard& shard) { return shard.name == name; });
}

void WriteOver(const std::string& path, const std::string& text) {
  WriteFile(path + ".new", text);
  std::filesystem::rename(path + ".new", path);
}

ReloadWorld::ReloadWorld(ReloadOptions options) : options_(std::move(options)) {
  file_.options = {{"health",
                    {{"interval_ms", "200"},
                     {"timeout_ms", "10000"},
                     {"min_timeout_ms", "10000"},
                     {"failures", "5"}}},
                   {"timeouts", {{"request_ms", "30000"}, {"reconnect_max_ms", "100"}}},
                   {"resync", {{"retry_ms", "100"}, {"pause_ms", "10000"}}},
                   {"proxy",
                    {{"workers", std::to_string(options_.workers)},
                     {"state_dir", "\"state\""},
                     {"watch_config", "false"}}}};
  file_.listen = {"127.0.0.1:" + std::to_string(port())};
  for (int shard = 0; shard < options_.shards; ++shard) {
    file_.shards.push_back({std::string(1, static_cast<char>('a' + shard)), {}});
    for (int copy = 0; copy < options_.copies; ++copy) {
      file_.shards.back().nodes.push_back(NewNode());
    }
  }
  proxy_.Start(file_.Text());
  if (!WaitUntilSettled()) {
    throw std::runtime_error("the copies do not get in sync; the proxy's log:\n" + proxy_.Log());
  }
}

std::string ReloadWorld::NewNode() {
  auto node = std::make_unique<RedisNode>(options_.redis_options);
  const std::string address = node->address();
  nodes_[address] = std::move(node);
  return address;
}

RedisNode& ReloadWorld::node(const std::string& address) { return *nodes_.at(address); }

std::string ReloadWorld::AskReload(const Words& words) const {
  Words order = {"PROXY", "RELOAD"};
  order.insert(order.end(), words.begin(), words.end());
  const Reply reply = Connect().Run(order);
  if (reply.kind != Reply::Kind::kArray) return reply.Text();
  std::string lines;
  for (const Reply& line : reply.items) lines += line.Text() + "\n";
  return lines;
}

std::string ReloadWorld::Reload(const Words& words) {
  Write();
  return AskReload(words);
}

void ReloadWorld::ReloadAndSettle(const Words& words) {
  const std::string answer = Reload(words);
  ASSERT_FALSE(answer.starts_with("-")) << answer;
  ASSERT_TRUE(WaitUntilSettled()) << file_.Text() << Connect()("PROXY", "SHARDS");
}

std::string ReloadWorld::PatientReload(const Words& words) {
  Write();
  std::string answer;
  Eventually([&] {
    answer = AskReload(words);
    return !answer.starts_with("-") || (answer.find("a moment ago") == std::string::npos &&
                                        answer.find("still belongs") == std::string::npos &&
                                        answer.find("only cop") == std::string::npos &&
                                        answer.find("until the old ones") == std::string::npos);
  });
  return answer;
}

ShardStatus ReloadWorld::Shard(const std::string& name) const {
  for (const ShardStatus& shard : Shards()) {
    if (shard.name == name) return shard;
  }
  throw std::runtime_error("PROXY SHARDS does not show " + name);
}

bool ReloadWorld::Settled() const {
  const std::vector<ShardStatus> shown = Shards();
  if (shown.size() != file_.shards.size()) return false;
  for (const ConfigFile::Shard& shard : file_.shards) {
    const auto at = std::find_if(shown.begin(), shown.end(), [&](const ShardStatus& status) {
      return status.name == shard.name;
    });
    if (at == shown.end() || !at->AllInSync() || !at->members.empty()) return false;
    std::set<std::string> nodes;
    for (const NodeStatus& node : at->nodes) nodes.insert(node.address);
    if (nodes != std::set<std::string>(shard.nodes.begin(), shard.nodes.end())) return false;
  }
  return true;
}

void ReloadWorld::ExpectCopiesEqual() {
  EXPECT_TRUE(WaitUntilSettled()) << Connect()("PROXY", "SHARDS");
  for (const ConfigFile::Shard& shard : file_.shards) {
    for (const std::string& address : shard.nodes) {
      // Keys that moved away may be being deleted still, which are writes.
      EXPECT_TRUE(Eventually([&] {
        return node(address).Digest() == node(shard.nodes[0]).Digest();
      })) << "shard "
          << shard.name << ", node " << address;
    }
  }
}

std::string ReloadWorld::Owner(const std::string& key) const {
  const Reply reply = Connect()("PROXY", "EXPLAIN", "GET", key);
  if (reply.items.size() != 1) throw std::runtime_error("PROXY EXPLAIN: " + reply.Text());
  return reply.items[0].Field("shard").bytes;
}

std::string ReloadWorld::KeyOn(const std::string& shard, const std::string& prefix) const {
  for (int i = 0; i < 1000; ++i) {
    const std::string key = prefix + ":" + std::to_string(i);
    if (Owner(key) == shard) return key;
  }
  throw std::runtime_error("no key on shard " + shard);
}

std::string ReloadWorld::Setting(const std::string& name) const {
  const Reply reply = Connect()("CONFIG", "GET", name);
  if (reply.items.size() != 2) throw std::runtime_error("CONFIG GET " + name + reply.Text());
  return reply.items[1].bytes;
}

std::string ReloadWorld::Status(const std::string& field) const {
  return Connect()("PROXY", "STATUS").Field(field).bytes;
}

std::string ReloadWorld::Info(const std::string& field) const {
  const std::string info = Connect()("INFO", "reload").bytes;
  const size_t at = info.find("\n" + field + ":");
  if (at == std::string::npos) throw std::runtime_error("INFO has no " + field + ":\n" + info);
  const size_t from = at + field.size() + 2;
  return info.substr(from, info.find('\r', from) - from);
}

size_t ReloadWorld::OpenFiles() const {
  size_t count = 0;
  for ([[maybe_unused]] const auto& entry :
       std::filesystem::directory_iterator("/proc/" + std::to_string(proxy_.pid()) + "/fd")) {
    ++count;
  }
  return count;
}

int ClientsOf(const RedisNode& node) {
  const std::string list = node.Connect()("CLIENT", "LIST").bytes;
  return static_cast<int>(std::count(list.begin(), list.end(), '\n')) - 1;
}

bool Accepts(uint16_t port) {
  try {
    Client client(port);
    return true;
  } catch (const std::runtime_error&) {
    return false;
  }
}

}  // namespace gemel::e2e
