#include "tests/e2e/reply_oracle_excuses.h"

#include <span>

namespace gemel::e2e::reply_oracle_test {
namespace {

// What proxy/CLIENTS.md and backend/command/COMMANDS.md say of it.
constexpr Excuse kByDesign[] = {
    {"", "CROSSSLOT", "", "keys of one command lie on one shard, unless it is split"},
    {"config|get", "maxclients", "maxclients", "the options are gemel's own"},
    {"config|set", "failed (possibly", "Unknown option",
     "the nodes are asked for their names last"},
    {"client|reply", "not supported by gemel", "", "each request has its reply"},
    {"sort", "SORT with BY or GET patterns", "", "patterns name keys that may be on other shards"},
    {"sort_ro", "SORT with BY or GET patterns", "",
     "patterns name keys that may be on other shards"},
    {"", "it is about all shards", "", "a transaction goes to one shard"},
    {"scan", "it goes through all shards", "", "a transaction goes to one shard"},
    {"", "cannot be in the same one", "+QUEUED", "it is written first on one copy, or on all"},
    {"command|getkeys", "Invalid arguments", "*", "what Redis guesses of malformed keys is no key"},
    {"command|getkeysandflags", "Invalid arguments", "*", "the same"},
};

struct Silent {
  std::string_view row;
  bool sent;
  std::string_view why;
};

constexpr Silent kSilent[] = {
    {"acl|load", false, "gemel's users are in its config file: Users.* looks at it"},
    {"acl|save", false, "the same"},
    {"acl|genpass", false, "it is random: AclOracle.* looks at it"},
    {"acl|log", false, "whose clients it tells of is each server's own: AclOracle.* compares it"},
    {"acl|dryrun", true, "it needs a user who is there: AclOracle.* compares it"},
    {"client|pause", false, "everything would wait: LocalCommands.ClientPause looks at it"},
    {"client|setinfo", false, "of Redis 7.2"},
    {"client|caching", true, "it needs OPTIN or OPTOUT: Tracking.* compares it"},
    {"client|tracking", false, "what it brings comes at any time: Tracking.* compares it"},
    {"latency|graph", false, "which events there were is each one's own: Slowlog.* looks at it"},
    {"monitor", false, "what it shows comes at any time: Monitor.* compares it"},
    {"save", false, "when one ends is each server's own: NodeOptions.* looks at it"},
    {"bgsave", false, "the same"},
    {"bgrewriteaof", false, "the same"},
    {"function|kill", true, "no function runs"},
    {"script|kill", true, "no script runs"},
    {"config|rewrite", false, "it writes gemel's file, and the redis-server has none"},
    {"blmove", false, "who waits cannot be compared in turns: Blocking.* does that"},
    {"blmpop", false, "the same"},
    {"blpop", false, "the same"},
    {"brpop", false, "the same"},
    {"brpoplpush", false, "the same"},
    {"bzmpop", false, "the same"},
    {"bzpopmax", false, "the same"},
    {"bzpopmin", false, "the same"},
    {"subscribe", false, "what it brings comes at any time: Channels.* compares it"},
    {"psubscribe", false, "the same"},
    {"ssubscribe", false, "the same"},
    {"unsubscribe", false, "the same"},
    {"punsubscribe", false, "the same"},
    {"sunsubscribe", false, "the same"},
    {"wait", false, "it may wait for ever: SyncWait.* compares it"},
    {"client|unblock", true, "nobody waits"},
    {"quit", false, "it is played by the duel itself"},
    {"asking", true, "an error where there is no cluster"},
    {"readonly", true, "an error where there is no cluster"},
    {"cluster|countkeysinslot", true, "an error where there is no cluster"},
    {"cluster|getkeysinslot", true, "an error where there is no cluster"},
    {"cluster|info", true, "an error where there is no cluster"},
    {"cluster|keyslot", true, "an error where there is no cluster"},
    {"cluster|myid", true, "an error where there is no cluster"},
    {"cluster|nodes", true, "an error where there is no cluster"},
    {"cluster|shards", true, "an error where there is no cluster"},
    {"cluster|slots", true, "an error where there is no cluster"},
    {"readwrite", true, "an error where there is no cluster"},
};

const Excuse* FindIn(std::span<const Excuse> excuses, std::string_view row, std::string_view gemel,
                     std::string_view redis) {
  for (const Excuse& excuse : excuses) {
    if ((excuse.row.empty() || excuse.row == row) &&
        gemel.find(excuse.gemel) != std::string_view::npos &&
        redis.find(excuse.redis) != std::string_view::npos) {
      return &excuse;
    }
  }
  return nullptr;
}

}  // namespace

const Excuse* FindExcuse(std::string_view row, std::string_view gemel, std::string_view redis) {
  return FindIn(kByDesign, row, gemel, redis);
}

std::string_view WhyNeverAnswered(std::string_view row) {
  if (row.starts_with("proxy|")) return "gemel's own";
  for (const Silent& silent : kSilent) {
    if (silent.row == row) return silent.why;
  }
  return {};
}

bool IsSent(std::string_view row) {
  if (row.starts_with("proxy|")) return false;
  for (const Silent& silent : kSilent) {
    if (silent.row == row && !silent.sent) return false;
  }
  return true;
}

}  // namespace gemel::e2e::reply_oracle_test
