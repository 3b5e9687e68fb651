#include "tests/e2e/reply_oracle_excuses.h"

#include <span>

namespace gemel::e2e::reply_oracle_test {
namespace {

// What README.md says of it.
constexpr Excuse kByDesign[] = {
    {"", "CROSSSLOT", "", "keys of one command lie on one shard, unless it is split"},
    {"config|resetstat", "not supported by gemel", "", "gemel's counters only grow"},
    {"config|get", "maxclients", "maxclients", "the options are gemel's own"},
    {"client|reply", "not supported by gemel", "", "each request has its reply"},
    {"sort", "SORT with BY or GET patterns", "", "patterns name keys that may be on other shards"},
    {"sort_ro", "SORT with BY or GET patterns", "",
     "patterns name keys that may be on other shards"},
    {"dbsize", "it is about all shards", "", "a transaction goes to one shard"},
    {"flushall", "it is about all shards", "", "a transaction goes to one shard"},
    {"flushdb", "it is about all shards", "", "a transaction goes to one shard"},
    {"keys", "it is about all shards", "", "a transaction goes to one shard"},
    {"randomkey", "it is about all shards", "", "a transaction goes to one shard"},
    {"swapdb", "it is about all shards", "", "a transaction goes to one shard"},
    {"", "cannot be in the same one", "+QUEUED", "it is written first on one copy, or on all"},
    {"command|getkeys", "Invalid arguments", "*", "what Redis guesses of malformed keys is no key"},
};

// What is to be put right: this table is best empty.
constexpr Excuse kKnownDeviations[] = {
    // In a block: what loads it is answered when the block is, and what calls it is judged before.
    {"fcall", "Function not found", "", "FUNCTION LOAD before it in the block is not done yet"},
    {"fcall_ro", "Function not found", "", "FUNCTION LOAD before it in the block is not done yet"},
    {"scan", "its cursor is gemel's own", "", "refused in a block, also with one shard"},
    {"command|getkeysandflags", "Invalid arguments", "*", "what Redis guesses is no key"},
    {"function|dump", "$", "$", "not compressed"},
    {"config|set", "; CONFIG GET * names them", "Unknown option", "the sentence goes on"},
    {"config|set", "expected an integer", "couldn't be parsed", "another sentence and name"},
    {"config|set", "+OK", "couldn't be parsed", "01 is taken for a number"},
};

struct Silent {
  std::string_view row;
  bool sent;
  std::string_view why;
};

constexpr Silent kSilent[] = {
    {"client|pause", false, "gemel refuses it, and redis-server would pause"},
    {"config|resetstat", true, "refused: counters only grow"},
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
  const Excuse* excuse = FindIn(kByDesign, row, gemel, redis);
  return excuse != nullptr ? excuse : FindIn(kKnownDeviations, row, gemel, redis);
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
