#include "config/config_risks.h"

#include <toml++/toml.h>

#include <algorithm>
#include <exception>
#include <utility>

#include "config/config_load.h"
#include "config/config_mistakes.h"

namespace gemel {

namespace {

constexpr uint32_t kShortTimeoutMs = 100;
constexpr uint32_t kShortRequestMs = 100;
constexpr uint32_t kShortLeaseMs = 250;
constexpr size_t kShortPassword = 12;

bool IsBelow(std::string_view path, std::string_view folder) {
  return path == folder || (path.starts_with(folder) && path[folder.size()] == '/');
}

// Not if the file itself goes then.
bool StateIsEmptiedAtBoot(const Config& config) {
  for (const char* emptied : {"/tmp", "/run", "/var/run", "/dev/shm"}) {
    if (IsBelow(config.state_dir, emptied) && !IsBelow(config.file, emptied)) return true;
  }
  return false;
}

struct Risk {
  const char* section;
  const char* option;
  bool (*is_taken)(const Config& config);
  const char* text;
};

constexpr Risk kRisks[] = {
    {"proxy", "state_dir", StateIsEmptiedAtBoot,
     "this folder is emptied when the machine starts, and with it goes which copies are stale: "
     "they "
     "might be served again; take a folder that stays, such as /var/lib/gemel"},
    {"proxy", "protected_configs",
     [](const Config& c) { return c.protected_configs == ProtectedConfigs::kYes; },
     "whoever is let in may write files where gemel may, open listeners and switch protected_mode "
     "off; \"local\" lets only clients on this machine"},
    {"proxy", "password",
     [](const Config& c) {
       const std::string& password = c.pool().password;
       return !password.empty() && password.size() < kShortPassword;
     },
     "it is short enough to be guessed; take at least 12 characters"},
    {"write", "ack", [](const Config& c) { return c.pool().write.ack == Ack::kPrimary; },
     "a write is answered before the other copies have it: if gemel and the primary die together, "
     "the last ones are lost; \"all\" waits for them"},
    {"write", "ack", [](const Config& c) { return c.pool().write.ack == Ack::kAny; },
     "a write is answered as soon as any one copy has it: if gemel dies, the last ones may be "
     "lost; "
     "\"all\" waits for all copies"},
    {"write", "on_data_loss",
     [](const Config& c) { return c.pool().write.on_data_loss == OnDataLoss::kMiss; },
     "if only a copy is left that may lack writes, keys are deleted without asking; that suits a "
     "cache, for other data take \"refuse\""},
    {"health", "timeout_ms",
     [](const Config& c) { return c.pool().health.timeout_ms < kShortTimeoutMs; },
     "a node that pauses for so long (a fork, a slow disk) loses its role; take 1000 or more"},
    {"health", "min_timeout_ms",
     [](const Config& c) { return c.pool().health.min_timeout_ms < kShortTimeoutMs; },
     "a node that pauses for so long (a fork, a slow disk) loses its role; take 500 or more"},
    {"timeouts", "connect_ms", [](const Config& c) { return c.pool().timeouts.connect_ms == 0; },
     "a node whose machine is gone is dialled for minutes; take some seconds at most"},
    {"timeouts", "request_ms", [](const Config& c) { return c.pool().timeouts.request_ms == 0; },
     "clients of a node that never answers wait without an end; take some seconds"},
    {"timeouts", "request_ms",
     [](const Config& c) {
       const uint32_t request_ms = c.pool().timeouts.request_ms;
       return request_ms != 0 && request_ms < kShortRequestMs;
     },
     "a command that takes so long (KEYS, a script, a big DEL) ends the connection to its node; "
     "take some seconds"},
    {"timeouts", "drain_ms", [](const Config& c) { return c.pool().timeouts.drain_ms == 0; },
     "at a stop nothing that is in flight is answered, and every replica is resynced at the next "
     "start; take some seconds"},
    {"audit", "interval_s", [](const Config& c) { return c.pool().audit.interval_s == 0; },
     "copies that somebody else has made differ are never found; take 3600"},
    {"removals", "follow", [](const Config& c) { return !c.pool().removals.follow; },
     "what one copy expires or evicts lives on on the other, and is served from there after a "
     "promotion; leave it true unless the nodes allow no notifications"},
    {"commands", "debug",
     [](const Config& c) { return c.pool().command_rules.debug == DebugFor::kYes; },
     "every client may look into the nodes with DEBUG; \"local\" lets only clients on this "
     "machine"},
    {"fleet", "lease_ms",
     [](const Config& c) { return c.fleet.active() && c.fleet.lease_ms < kShortLeaseMs; },
     "a member that pauses for so long loses its shards; take 500 or more"},
};

// Where it stands in the file; the whole file, if it is not found.
Place PlaceOf(const toml::table& file, const Risk& risk) {
  const toml::node* node = file[risk.section][risk.option].node();
  if (node == nullptr) return {};
  const toml::source_position& at = node->source().begin;
  return {at.line, at.column};
}

// A machine that is both copies' end. Loopback is for who plays.
void AddSharedHosts(const PoolConfig& pool, std::vector<std::pair<Place, std::string>>* found) {
  for (const ShardConfig& shard : pool.shards) {
    for (const Address& replica : shard.replicas) {
      if (replica.IsUnix() || replica.host != shard.primary.host) continue;
      if (replica.host == "localhost" || replica.host == "::1") continue;
      if (replica.host.starts_with("127.")) continue;
      found->push_back({{replica.line, replica.column},
                        "[[shard]] replicas: '" + shard.name +
                            "' has this copy on the host of its "
                            "primary, and loses both with it; put it on another machine"});
    }
  }
}

}  // namespace

std::vector<std::string> ConfigRisks(const Config& config, std::string_view text) {
  toml::table file;
  try {
    file = toml::parse(text);
  } catch (const std::exception&) {
    // It was read before; a place is all that is lacking.
  }
  std::vector<std::pair<Place, std::string>> found;
  for (const Risk& risk : kRisks) {
    if (!risk.is_taken(config)) continue;
    found.push_back({PlaceOf(file, risk),
                     std::string("[") + risk.section + "] " + risk.option + ": " + risk.text});
  }
  AddSharedHosts(config.pool(), &found);
  std::stable_sort(found.begin(), found.end(),
                   [](const auto& one, const auto& other) { return one.first < other.first; });
  std::vector<std::string> lines;
  for (const auto& [place, what] : found) {
    lines.push_back(
        ConfigError{config.file, place.line, place.column, "warning: " + what}.ToString());
  }
  return lines;
}

}  // namespace gemel
