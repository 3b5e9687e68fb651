#include "backend/engines/uv_engines.h"

#include <optional>
#include <string_view>
#include <utility>

#include "backend/engines/uv_etcd_registers.h"
#include "backend/engines/uv_zookeeper_registers.h"
#include "backend/engines/znode_names.h"
#include "config/address.h"
#if GEMEL_RAFT
#include "backend/raft/uv_raft_engine.h"
#endif

namespace gemel {

namespace {

std::unique_ptr<Registers> OpenEtcd(uv_loop_t* loop, const EngineOptions& options, std::string*) {
  return std::make_unique<UvEtcdRegisters>(loop, options);
}

std::unique_ptr<Registers> OpenZookeeper(uv_loop_t* loop, const EngineOptions& options,
                                         std::string* error) {
  std::string expected;
  std::optional<std::string> path = ZnodePath(options.prefix, &expected);
  if (!path) {
    *error = "\"" + options.prefix + "\" is no prefix for ZooKeeper: " + expected;
    return nullptr;
  }
  return std::make_unique<UvZookeeperRegisters>(loop, options, *std::move(path));
}

#if GEMEL_RAFT
std::unique_ptr<Registers> OpenRaft(uv_loop_t* loop, const EngineOptions& options,
                                    std::string* error) {
  return OpenRaftRegisters(loop, options, error);
}
#else
std::unique_ptr<Registers> OpenRaft(uv_loop_t*, const EngineOptions&, std::string* error) {
  *error =
      "this gemel was built without the engine \"raft\": that needs libraft 0.22 or later, which "
      "Debian 12 has in bookworm-backports (libraft-dev)";
  return nullptr;
}
#endif

struct EngineRow {
  std::string_view name;
  std::unique_ptr<Registers> (*open)(uv_loop_t* loop, const EngineOptions& options,
                                     std::string* error);
};

constexpr EngineRow kEngines[] = {
    {"etcd", OpenEtcd},
    {"raft", OpenRaft},
    {"zookeeper", OpenZookeeper},
};

bool CheckServers(const EngineOptions& options, std::string* error) {
  if (options.servers.empty()) {
    *error = "the engine \"" + options.name + "\" needs at least one server";
    return false;
  }
  for (const std::string& server : options.servers) {
    std::string expected;
    const std::optional<Address> address = ParseAddress(server, &expected);
    if (!address || address->IsUnix()) {
      *error = "\"" + server + "\" is no server of the engine \"" + options.name +
               "\": " + (address ? "expected host:port or [v6]:port" : expected);
      return false;
    }
  }
  return true;
}

}  // namespace

std::string EngineNames() {
  std::string names;
  for (const EngineRow& row : kEngines)
    names += (names.empty() ? "" : ", ") + std::string(row.name);
  return names;
}

std::unique_ptr<Registers> OpenRegisters(uv_loop_t* loop, const EngineOptions& options,
                                         std::string* error) {
  for (const EngineRow& row : kEngines) {
    if (row.name != options.name) continue;
    EngineOptions checked = options;
    if (checked.prefix.empty()) checked.prefix = "gemel/" + checked.fleet;
    if (checked.prefix.back() != '/') checked.prefix += '/';
    if (checked.time_limit_ms == 0) checked.time_limit_ms = 1;
    if (!CheckServers(checked, error)) return nullptr;
    return row.open(loop, checked, error);
  }
  *error = "there is no engine \"" + options.name + "\", only: " + EngineNames();
  return nullptr;
}

}  // namespace gemel
