// What the tests of the reload share: a config that is changed and written, real nodes that come
// and go, and what gemel says of it.

#ifndef GEMEL_TESTS_E2E_RELOAD_WORLD_H_
#define GEMEL_TESTS_E2E_RELOAD_WORLD_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/e2e/client.h"
#include "tests/e2e/cluster.h"
#include "tests/e2e/proxy_process.h"
#include "tests/e2e/redis_node.h"

namespace gemel::e2e {

// The config file as values; tests change them and write it.
struct ConfigFile {
  struct Shard {
    std::string name;
    std::vector<std::string> nodes;  // the primary first
    int weight = 1;
    std::string user = {};
    std::string password = {};
    std::string lines = {};  // further ones
  };
  // Section, key, value in TOML.
  std::map<std::string, std::map<std::string, std::string>> options;
  std::vector<std::string> listen;
  std::vector<Shard> shards;
  std::string end;  // further lines

  std::string Text() const;
  Shard& shard(const std::string& name);  // throws if there is none
  void RemoveShard(const std::string& name);
};

// Written beside it, and renamed over it.
void WriteOver(const std::string& path, const std::string& text);

struct ReloadOptions {
  int shards = 2;
  int copies = 2;
  int workers = 1;
  Words redis_options = {};
};

// The watch of the file is off, so that only what a test asks for reloads.
class ReloadWorld {
 public:
  explicit ReloadWorld(ReloadOptions options = {});

  // The next file; what is written last is what gemel was told.
  ConfigFile& file() { return file_; }
  // A further redis-server; lives until the end, whoever uses it. Returns its address.
  std::string NewNode();
  RedisNode& node(const std::string& address);
  // A node of the file: its shard and its place there.
  RedisNode& node(const std::string& shard, size_t copy) {
    return node(file_.shard(shard).nodes.at(copy));
  }

  ProxyProcess& proxy() { return proxy_; }
  uint16_t port() const { return proxy_.port(); }
  Client Connect() const { return Client(port()); }

  void Write() { WriteOver(proxy_.config_path(), file_.Text()); }
  // PROXY RELOAD with further words: the lines of its answer, or "-ERR ...".
  std::string AskReload(const Words& words = {}) const;
  // Writes the file and asks.
  std::string Reload(const Words& words = {});
  // The same, and waits until nothing is outstanding. A test failure if it is refused or does not
  // come to an end.
  void ReloadAndSettle(const Words& words = {});
  // The same as often as it is refused only for a moment (a shard or node that is leaving still).
  std::string PatientReload(const Words& words = {});

  std::vector<ShardStatus> Shards() const { return ReadShards(Connect()); }
  ShardStatus Shard(const std::string& name) const;
  // PROXY SHARDS shows the members of the file, all in sync and up, and nothing outstanding.
  bool Settled() const;
  bool WaitUntilSettled() const {
    return Eventually([this] { return Settled(); });
  }
  // Test failures unless it settles, and all nodes of each shard hold the same data.
  void ExpectCopiesEqual();

  std::string Owner(const std::string& key) const;
  // A key of that shard.
  std::string KeyOn(const std::string& shard, const std::string& prefix = "key") const;
  std::string Setting(const std::string& name) const;  // CONFIG GET
  std::string Status(const std::string& field) const;  // PROXY STATUS
  std::string Info(const std::string& field) const;    // INFO reload
  size_t OpenFiles() const;                            // descriptors of gemel

 private:
  ReloadOptions options_;
  std::map<std::string, std::unique_ptr<RedisNode>> nodes_;
  ConfigFile file_;
  ProxyProcess proxy_;
};

// Clients of a node other than the one that asks.
int ClientsOf(const RedisNode& node);
// Whether a connection to the port is accepted.
bool Accepts(uint16_t port);

}  // namespace gemel::e2e

#endif  // GEMEL_TESTS_E2E_RELOAD_WORLD_H_
