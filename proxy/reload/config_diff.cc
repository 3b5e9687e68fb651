#include "proxy/reload/config_diff.h"

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>

#include "config/config_names.h"

namespace gemel {

namespace {

constexpr char kListen[] = "proxy.listen";

// Those of `all` that `others` has not, in their order.
std::vector<Address> Without(const std::vector<Address>& all, const std::vector<Address>& others) {
  std::vector<Address> rest;
  for (const Address& address : all) {
    if (std::find(others.begin(), others.end(), address) == others.end()) rest.push_back(address);
  }
  return rest;
}

// The dotted options by name; Redis's names show the same values again.
std::map<std::string, std::string> OptionsByName(const Config& config) {
  std::map<std::string, std::string> options;
  for (ConfigValue& value : ConfigValues(config, config.pool())) {
    if (value.name.find('.') != std::string::npos) {
      options.emplace(std::move(value.name), std::move(value.value));
    }
  }
  return options;
}

// Their rules may have passwords.
void DiffUsers(const PoolConfig& from, const PoolConfig& to, ConfigDiff* diff) {
  const auto by_name = [](const PoolConfig& pool) {
    std::map<std::string_view, const UserConfig*> users;
    for (const UserConfig& user : pool.users) users.emplace(user.name, &user);
    return users;
  };
  const auto old_users = by_name(from);
  const auto new_users = by_name(to);
  for (const auto& [name, user] : new_users) {
    const auto old_user = old_users.find(name);
    const bool fresh = old_user == old_users.end();
    if (!fresh && *old_user->second == *user) continue;
    diff->options.push_back({"user " + std::string(name), "", fresh ? "(added)" : "(changed)"});
  }
  for (const auto& [name, user] : old_users) {
    if (!new_users.contains(name)) {
      diff->options.push_back({"user " + std::string(name), "", "(removed)"});
    }
  }
}

// The voters change while all serve, by PROXY FLEET VOTER; the file says who they are to the next
// start alone.
bool IsForTheNextStart(const std::string& option, const Config& from, const Config& to) {
  return option == "fleet.servers" && from.fleet.coordinator == "raft" &&
         to.fleet.coordinator == "raft";
}

void DiffOptions(const Config& from, const Config& to, ConfigDiff* diff) {
  const std::map<std::string, std::string> old_values = OptionsByName(from);
  for (const ConfigValue& value : ConfigValues(to, to.pool())) {
    const auto old_value = old_values.find(value.name);
    if (old_value == old_values.end() || old_value->second == value.value) continue;
    const bool only_order = diff->listeners_added.empty() && diff->listeners_removed.empty();
    if (value.name == kListen && !only_order) continue;
    if (IsForTheNextStart(value.name, from, to)) {
      diff->options.push_back(
          {value.name, old_value->second, value.value + " (at the next start)"});
      continue;
    }
    if (value.name == "proxy.workers" || value.name == "proxy.state_dir" ||
        value.name == "proxy.databases" || value.name.starts_with("fleet.")) {
      diff->needs_restart.push_back(value.name + " cannot change from " + old_value->second +
                                    " to " + value.value + " while gemel runs: it needs a restart");
      continue;
    }
    diff->options.push_back({value.name, old_value->second, value.value});
  }
  if (from.fleet.secret != to.fleet.secret || from.fleet.password != to.fleet.password) {
    diff->needs_restart.push_back(
        "the secret or password of [fleet] cannot change while gemel runs: it needs a restart");
  }
  if (from.pool().password != to.pool().password) {
    diff->options.push_back({"proxy.password", "", "(changed)"});
  }
  if (from.metrics.password != to.metrics.password) {
    diff->options.push_back({"metrics.password", "", "(changed)"});
  }
  DiffUsers(from.pool(), to.pool(), diff);
  // The second names are shown nowhere.
  const auto same = [&](auto key) {
    return std::ranges::equal(from.pool().command_rules.names, to.pool().command_rules.names, {},
                              key, key);
  };
  if (same(&CommandAlias::command) && !same(&CommandAlias::alias)) {
    diff->options.push_back({"commands.renamed", "", "(changed)"});
  }
}

void DiffShards(const PoolConfig& from, const PoolConfig& to, ConfigDiff* diff) {
  std::map<std::string_view, const ShardConfig*> old_shards;
  for (const ShardConfig& shard : from.shards) old_shards.emplace(shard.name, &shard);
  for (const ShardConfig& shard : to.shards) {
    const auto found = old_shards.find(shard.name);
    if (found == old_shards.end()) {
      diff->shards_added.push_back(shard);
      continue;
    }
    const ShardConfig& old_shard = *found->second;
    ShardChange change;
    change.name = shard.name;
    change.nodes_added = Without(shard.Nodes(), old_shard.Nodes());
    change.nodes_removed = Without(old_shard.Nodes(), shard.Nodes());
    change.keeps_none = change.nodes_removed.size() == old_shard.Nodes().size();
    change.primary_from = old_shard.primary;
    change.primary_to = shard.primary;
    change.weight_from = old_shard.weight;
    change.weight_to = shard.weight;
    change.credentials_changed =
        old_shard.user != shard.user || old_shard.password != shard.password;
    diff->ring_changed |= change.reweighted();
    if (!change.empty()) diff->shards_changed.push_back(std::move(change));
    if (old_shard.database != shard.database) {
      diff->needs_restart.push_back("the database of shard " + shard.name + " cannot change from " +
                                    std::to_string(old_shard.database) + " to " +
                                    std::to_string(shard.database) +
                                    " while gemel runs: it needs a restart");
    }
    old_shards.erase(found);
  }
  for (const ShardConfig& shard : from.shards) {
    if (old_shards.contains(shard.name)) diff->shards_removed.push_back(shard);
  }
  diff->hash_tag_changed = from.ring.hash_tag != to.ring.hash_tag;
  diff->ring_changed |= diff->hash_tag_changed || !diff->shards_added.empty() ||
                        !diff->shards_removed.empty() ||
                        from.ring.distribution != to.ring.distribution ||
                        from.ring.points != to.ring.points || from.ring.hash != to.ring.hash;
}

void DiffCommands(const PoolConfig& from, const PoolConfig& to, ConfigDiff* diff) {
  const auto by_name = [](const PoolConfig& pool) {
    std::map<std::string, ExtraCommand> commands;
    for (const ExtraCommand& command : pool.commands) commands.emplace(command.name, command);
    return commands;
  };
  const std::map<std::string, ExtraCommand> old_rows = by_name(from);
  const std::map<std::string, ExtraCommand> new_rows = by_name(to);
  const auto refuse = [diff](const std::string& name, const char* what) {
    diff->needs_restart.push_back("[[command]] " + name + " cannot be " + what +
                                  " while gemel runs: it needs a restart");
  };
  for (const auto& [name, row] : new_rows) {
    const auto old_row = old_rows.find(name);
    if (old_row == old_rows.end()) {
      refuse(name, "added");
    } else if (!(old_row->second == row)) {
      refuse(name, "changed");
    }
  }
  for (const auto& [name, row] : old_rows) {
    if (!new_rows.contains(name)) refuse(name, "removed");
  }
}

std::vector<std::string> ShardNames(const PoolConfig& pool) {
  std::vector<std::string> names;
  for (const ShardConfig& shard : pool.shards) names.push_back(shard.name);
  return names;
}

Ring MakeRing(const PoolConfig& pool) {
  std::vector<RingShard> shards;
  for (const ShardConfig& shard : pool.shards) shards.push_back({shard.name, shard.weight});
  return Ring(shards, pool.ring.points);
}

}  // namespace

bool ConfigDiff::empty() const {
  return options.empty() && listeners_added.empty() && listeners_removed.empty() &&
         shards_added.empty() && shards_removed.empty() && shards_changed.empty() &&
         !ring_changed && needs_restart.empty();
}

ConfigDiff DiffConfigs(const Config& from, const Config& to) {
  ConfigDiff diff;
  diff.listeners_added = Without(to.pool().listen, from.pool().listen);
  diff.listeners_removed = Without(from.pool().listen, to.pool().listen);
  DiffOptions(from, to, &diff);
  DiffShards(from.pool(), to.pool(), &diff);
  DiffCommands(from.pool(), to.pool(), &diff);
  return diff;
}

RingMoves DiffRings(const PoolConfig& from, const PoolConfig& to) {
  return CompareRings(MakeRing(from), ShardNames(from), MakeRing(to), ShardNames(to));
}

}  // namespace gemel
