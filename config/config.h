// The configuration of one gemel process, as plain values.
//
// A Config is what config_load.h makes of a TOML file: every value is checked and has its default.
// It is immutable once loaded; a reload makes a new one.

#ifndef GEMEL_CONFIG_CONFIG_H_
#define GEMEL_CONFIG_CONFIG_H_

#include <cstdint>
#include <string>
#include <vector>

#include "config/address.h"
#include "config/tls_config.h"

namespace gemel {

enum class Ack : uint8_t {
  kAll,      // every in-sync copy has applied the write
  kPrimary,  // the primary has applied it
  kAny,      // the first copy to apply it
};

enum class ReadFrom : uint8_t { kPrimary, kReplica, kBalanced };

enum class LogLevel : uint8_t { kDebug, kInfo, kWarn, kError };

enum class Failback : uint8_t {
  kNever,       // a promoted copy stays primary
  kWhenInSync,  // the configured primary gets its role back once it is in sync
};

// [[shard]]: one slice of the keys, held by a primary and its replicas.
struct ShardConfig {
  std::string name;
  Address primary;
  std::vector<Address> replicas;
  uint32_t weight = 1;
  std::string user;      // ACL user for AUTH; empty: the default user
  std::string password;  // empty: no AUTH
  uint32_t database = 0;

  // Primary first, then the replicas, as in the file.
  std::vector<Address> Nodes() const;

  bool operator==(const ShardConfig&) const = default;
};

// What becomes of a key's copy at the shard that lost it, when the ring changes.
enum class OnRingChange : uint8_t {
  kForget,  // deleted in the background; until the client fills it again the key is a miss
};

// [ring]
struct RingConfig {
  std::string distribution = "ring";
  uint32_t points = 1024;  // virtual nodes of a shard of weight 1
  std::string hash = "xxh3";
  std::string hash_tag = "{}";  // exactly two characters, or empty for none
  OnRingChange on_change = OnRingChange::kForget;
  uint32_t forget_keys_per_s = 20000;  // deleted, of each shard; ten looked at count as one

  bool operator==(const RingConfig&) const = default;
};

// What becomes of a shard of which only copies are left that may lack writes.
enum class OnDataLoss : uint8_t {
  kRefuse,  // CLUSTERDOWN, until the copy in sync is back or an operator decides
  kMiss,    // one is promoted after every key was deleted there that it may have wrong
};

// [write]
struct WriteConfig {
  Ack ack = Ack::kAll;
  OnDataLoss on_data_loss = OnDataLoss::kRefuse;

  bool operator==(const WriteConfig&) const = default;
};

// [read]
struct ReadConfig {
  ReadFrom from = ReadFrom::kPrimary;
  uint32_t hedge_ms = 50;  // reads of a copy silent for so long are sent to another too; 0: never

  bool operator==(const ReadConfig&) const = default;
};

// [health]
struct HealthConfig {
  uint32_t interval_ms = 500;     // between PING probes of a node
  uint32_t timeout_ms = 1000;     // a probe not answered in this time has failed
  uint32_t min_timeout_ms = 500;  // the least silence, with requests waiting, that is a hang
  uint32_t failures = 3;          // failed probes in a row that make a silent node count as down
  Failback failback = Failback::kNever;
  uint32_t resolve_s = 30;  // between two resolutions of the nodes' names; 0: only at a reload and
                            // when a connection fails

  bool operator==(const HealthConfig&) const = default;
};

// [limits]: every queue, buffer, table and wait has its bound here (sizes in bytes).
struct LimitsConfig {
  uint32_t max_clients = 10000;                 // over all workers
  uint64_t max_bulk = 512ull << 20;             // proto-max-bulk-len
  uint32_t max_args = 1024 * 1024;              // arguments of one command
  uint32_t max_inline = 64 * 1024;              // an inline command's line
  uint64_t max_request = 1024ull << 20;         // one whole command
  uint64_t max_reply = 1024ull << 20;           // one whole reply; a larger one is not kept
  uint32_t client_pending = 16 * 1024;          // requests of one client not answered yet; above it
                                                // the client is not read from
  uint32_t client_watched = 16 * 1024;          // keys that one client watches (WATCH)
  uint32_t client_subscriptions = 256 * 1024;   // channels and patterns of one client (SUBSCRIBE)
  uint32_t tracking_table_max_keys = 1000000;   // keys that clients track (CLIENT TRACKING); above
                                                // it some are forgotten, and their clients told so
  uint64_t client_output = 512ull << 20;        // replies a slow client has not taken; above it the
                                                // client is not read from
  uint64_t client_output_hard = 2048ull << 20;  // above it the client is closed
  uint64_t subscriber_output = 32ull << 20;     // messages a subscriber has not taken; above it it
                                                // is closed (client-output-buffer-limit pubsub)
  uint64_t subscriber_output_soft = 8ull << 20;  // the same if it is above that for a minute
  uint64_t scripts = 64ull << 20;                // texts of scripts that are kept for EVALSHA
  uint64_t buffered = 4096ull << 20;  // all bytes that are held for clients and nodes; above
                                      // half of it who asks for more waits, above it who
                                      // holds the most is closed
  uint64_t node_pending_bytes = 64ull << 20;  // bytes waiting for or unanswered by one node; above
                                              // it the clients of that node are not read from
  uint32_t node_pending = 256 * 1024;         // requests waiting for or unanswered by one node
  uint32_t shard_held = 64 * 1024;  // requests held while a shard changes its roles; above
                                    // it they are answered with TRYAGAIN

  bool operator==(const LimitsConfig&) const = default;
};

// [timeouts], milliseconds unless named otherwise; 0 means none (but a reconnect always waits).
struct TimeoutsConfig {
  uint32_t connect_ms = 1000;        // a connection to a node
  uint32_t request_ms = 5000;        // a request a node has not answered: the link is given up
  uint32_t idle_s = 0;               // Redis's "timeout": a client that says nothing
  uint32_t drain_ms = 5000;          // after SIGTERM, to answer what is in flight
  uint32_t reconnect_min_ms = 20;    // the first wait before a reconnect; doubles, with jitter
  uint32_t reconnect_max_ms = 1000;  // the longest wait before a reconnect
  uint32_t keepalive_s = 60;         // TCP keepalive on clients and nodes

  bool operator==(const TimeoutsConfig&) const = default;
};

// [resync]
struct ResyncConfig {
  uint32_t pause_ms = 1000;   // the longest pause of a shard's writes at the hand-over
  uint32_t timeout_s = 3600;  // a whole copy that takes longer starts again
  uint32_t retry_ms = 1000;   // between attempts
  // A copy that missed writes, and did not restart, has only the keys of these writes repaired, if
  // they are not more than so many, or take more memory; else all is copied.
  uint64_t journal_keys = 1000000;
  uint64_t journal_bytes = 64ull << 20;
  uint32_t repair_keys_per_s = 20000;
  uint32_t max_parallel = 2;  // resyncs at a time, of all shards

  bool operator==(const ResyncConfig&) const = default;
};

// [audit]
struct AuditConfig {
  uint32_t keys_per_s = 1000;       // of each shard, compared in the background
  uint32_t interval_s = 3600;       // from one round over all keys to the next; 0: none
  uint64_t max_value = 4ull << 20;  // bytes of memory; larger values are compared by length only

  bool operator==(const AuditConfig&) const = default;
};

// [removals]: keys that a copy expired or evicted by itself.
struct RemovalsConfig {
  bool follow = true;      // what is gone on one copy is deleted on the others
  bool set_limits = true;  // maxmemory of the nodes is set so that the primary evicts first

  bool operator==(const RemovalsConfig&) const = default;
};

// [slowlog]: which commands of clients SLOWLOG keeps.
struct SlowlogConfig {
  int64_t log_slower_than = 10000;  // microseconds; -1: none, 0: all
  uint32_t max_len = 128;           // entries kept

  bool operator==(const SlowlogConfig&) const = default;
};

// [latency]: how long clients wait for their answers.
struct LatencyConfig {
  uint32_t monitor_threshold = 0;          // milliseconds, from which on LATENCY notes it; 0: never
  bool tracking = true;                    // a histogram for each command
  std::string percentiles = "50 99 99.9";  // of them, in INFO latencystats

  bool operator==(const LatencyConfig&) const = default;
};

// [metrics]: the HTTP listener for Prometheus and the status page.
struct MetricsConfig {
  std::vector<Address>
      listen;            // IP addresses; empty: there is none, and nothing is measured for it
  std::string password;  // who looks gives it, or a user's; without one this machine may look, too
  bool actions = false;  // who gives one may promote, drain and resync: of users those who may

  bool operator==(const MetricsConfig&) const = default;
};

// [[command]]: a module's command that the built-in table does not know.
struct ExtraCommand {
  std::string name;  // lower case
  int arity = -1;    // as COMMAND says it: negative is "at least"
  bool write = false;
  int first_key = 1;  // 0: no keys; then last_key and key_step are 0 too
  int last_key = 1;   // negative counts from the end; a file without it means first_key
  int key_step = 1;
  bool deterministic = false;  // a write that gives the same outcome on every copy

  bool operator==(const ExtraCommand&) const = default;
};

// [commands] disabled and renamed: a command that clients do not have by its name.
struct CommandAlias {
  std::string command;  // in lower case; "config|set" of a subcommand
  std::string alias;    // what it is called instead; empty: nothing
  // Where the config file says so, from 1. No part of what it is equal to.
  uint32_t line = 0;
  uint32_t column = 0;

  bool operator==(const CommandAlias& other) const {
    return command == other.command && alias == other.alias;
  }
};

// Who may call what looks into the nodes: nobody, all, or clients on this machine.
enum class DebugFor : uint8_t { kNo, kYes, kLocal };

// [commands]
struct CommandsConfig {
  std::vector<CommandAlias> names;
  DebugFor debug = DebugFor::kNo;
  bool node_options = true;  // CONFIG GET and SET of what only the nodes have

  bool operator==(const CommandsConfig&) const = default;
};

// What a user may have at most, over all workers; 0: as much as it likes.
struct UserLimits {
  uint32_t max_clients = 0;
  uint64_t requests_per_s = 0;
  uint64_t bytes_per_s = 0;  // that it sends and is answered

  bool any() const { return max_clients != 0 || requests_per_s != 0 || bytes_per_s != 0; }
  bool operator==(const UserLimits&) const = default;
};

// [[user]]: who clients may be, and what they may do.
struct UserConfig {
  std::string name;
  // Of Redis's ACL, one after the other: "on", ">password", "~cache:*", "+@read", ...
  std::vector<std::string> rules;
  bool trusted_scripts = false;  // its scripts may do what gemel may on the nodes
  std::string prefix;            // of the keys that are its own, and which it does not see
  UserLimits limits;
  // Where the config file has its rules, from 1. No part of what it is equal to.
  uint32_t line = 0;
  uint32_t column = 0;

  bool operator==(const UserConfig& other) const {
    return name == other.name && rules == other.rules && limits == other.limits &&
           trusted_scripts == other.trusted_scripts && prefix == other.prefix;
  }
};

// A pool: its own listeners, ring and shards. The file of today describes one.
struct PoolConfig {
  std::string name = "default";
  std::vector<Address> listen;  // default 127.0.0.1:6380
  std::string user;             // clients must AUTH with these when password is not empty
  std::string password;
  std::vector<UserConfig> users;
  bool protected_mode = true;  // without a password only clients on this machine are served
  uint32_t databases = 16;     // that clients may SELECT; see Databases
  // Of the nodes: there a fleet keeps what it agrees on, and clients have those below it alone; 0:
  // the nodes keep nothing (see config_registers.h).
  uint32_t registers_database = 0;
  bool cluster = false;  // clients are told that it is a Redis Cluster of one node,
  Address announce;      // at this address; without a host: the one that they came to
  RingConfig ring;
  std::vector<ShardConfig> shards;
  WriteConfig write;
  ReadConfig read;
  HealthConfig health;
  LimitsConfig limits;
  TimeoutsConfig timeouts;
  ResyncConfig resync;
  AuditConfig audit;
  RemovalsConfig removals;
  SlowlogConfig slowlog;
  LatencyConfig latency;
  std::vector<ExtraCommand> commands;
  CommandsConfig command_rules;

  // A shard that has one database of its nodes for itself; null: none has.
  const ShardConfig* ShardWithDatabase() const {
    for (const ShardConfig& shard : shards) {
      if (shard.database != 0) return &shard;
    }
    return nullptr;
  }
  // How many databases clients have: one, if there is such a shard.
  uint32_t Databases() const { return ShardWithDatabase() != nullptr ? 1 : databases; }

  bool operator==(const PoolConfig&) const = default;
};

// [log]
struct LogConfig {
  LogLevel level = LogLevel::kInfo;
  std::string file;                     // empty: stderr
  uint64_t rotate_bytes = 64ull << 20;  // the size at which the file is rotated
  uint32_t rotate_files = 5;            // rotated files kept
  // Where the config file says `file`, from 1; 0 if it does not. No part of what it is equal to.
  uint32_t line = 0;
  uint32_t column = 0;

  bool operator==(const LogConfig& other) const {
    return level == other.level && file == other.file && rotate_bytes == other.rotate_bytes &&
           rotate_files == other.rotate_files;
  }
};

// How the system is asked to share the processors.
enum class Scheduling : uint8_t {
  kBatch,   // gemel interrupts nobody who runs when work comes for it: fewer switches, larger
            // batches
  kNormal,  // as any process
};

// Who may set, over a connection, an option that names files or listeners or opens the door wider.
enum class ProtectedConfigs : uint8_t {
  kNo,
  kYes,
  kLocal,  // clients on this machine
};

// [fleet]: several gemels in front of the same shards.
struct FleetConfig {
  std::string coordinator = "file";  // "file": this gemel is alone
  std::string name = "gemel";        // of the fleet, the same at all members
  std::string member;                // of this one, unlike all others
  std::string secret;                // by which members know each other
  Address listen;                    // where other members reach this one
  Address announce;                  // what they are told to reach it by; without a host: listen
  bool witness = false;              // owns no shard, and counts for a majority where the
                                     // coordinator's servers are the members' nodes
  uint32_t lease_ms = 500;           // a member that is silent for so long loses its shards
  // Of the coordinator, "tls:" before those that speak it. Of paxos: Redis servers, with shards or
  // without; none: all nodes of shards.
  std::vector<std::string> servers;
  std::string prefix;  // of its keys there; empty: "gemel/<name>/"
  std::string user;    // for the servers
  std::string password;
  uint32_t database = 15;  // of the servers or nodes, for paxos
  // Of raft: which of the servers this member is, or one that may be added; without a host: none.
  Address raft_listen;

  bool active() const { return coordinator != "file"; }

  bool operator==(const FleetConfig&) const = default;
};

struct Config {
  std::string file;      // where it was read from, for messages
  uint32_t workers = 1;  // event-loop threads; the file's 0 is already resolved to the cores
  // Paths here and in `log` are absolute or relative to the process: a relative path in the file
  // starts from the file's folder and is already joined with it.
  std::string state_dir = "state";
  Scheduling scheduling = Scheduling::kBatch;
  bool io_uring = true;  // many sends and receives in one system call, where the kernel has it
  bool allow_readable_secrets = false;  // passwords in a file that everybody can read
  bool watch_config = true;             // a change of the file takes effect by itself
  ProtectedConfigs protected_configs = ProtectedConfigs::kNo;
  LogConfig log;
  MetricsConfig metrics;
  FleetConfig fleet;
  TlsConfig tls;
  NodeTlsConfig node_tls;
  NodeTlsConfig coordinator_tls;
  std::vector<PoolConfig> pools;
  // The pool: a file that was read has one.
  PoolConfig& pool() { return pools[0]; }
  const PoolConfig& pool() const { return pools[0]; }

  bool operator==(const Config&) const = default;
};

// A password in clear is in it, of clients, nodes or members of the fleet. What is in the file as a
// hash is none.
bool HasSecrets(const Config& config);

}  // namespace gemel

#endif  // GEMEL_CONFIG_CONFIG_H_
