// MULTI, EXEC and DISCARD against what the installed redis-server says to the same commands, byte
// for byte, in both protocols; and the copies hold the same data afterwards, which is Redis's.

#include <gtest/gtest.h>

#include <string>
#include <tuple>
#include <vector>

#include "tests/e2e/cluster.h"
#include "tests/e2e/redis_node.h"
#include "tests/e2e/wire.h"

namespace gemel::e2e::transactions_test {
namespace {

// Commands of one client, in their order. "~" before one: its numbers are others each time.
struct Conversation {
  const char* what;
  std::vector<std::string> lines;
};

bool IsMasked(const std::string& line) { return line[0] == '~'; }
Words CommandOf(const std::string& line) { return WordsOf(IsMasked(line) ? line.substr(1) : line); }

// What is refused while commands are queued, and what EXEC says then.
const std::vector<Conversation> kRefusals = {
    {"unknown command", {"MULTI", "SET {t}a 1", "NOSUCH {t}a x", "SET {t}b 1", "EXEC", "GET {t}a"}},
    {"unknown subcommand", {"MULTI", "OBJECT NOSUCH {t}a", "EXEC", "GET {t}a"}},
    {"subcommand missing", {"MULTI", "OBJECT", "EXEC", "PING"}},
    {"arity", {"MULTI", "SET {t}a 1", "GET", "EXEC", "GET {t}a"}},
    {"arity of a subcommand", {"MULTI", "OBJECT ENCODING", "EXEC"}},
    {"arity of a command of the proxy's", {"MULTI", "SET {t}a 1", "ECHO", "EXEC", "GET {t}a"}},
    {"arity of WATCH", {"MULTI", "SET {t}a 1", "WATCH", "EXEC", "GET {t}a"}},
    {"arity of MULTI", {"MULTI x", "SET {t}a 1", "EXEC", "GET {t}a"}},
    {"arity of MULTI inside", {"MULTI", "MULTI x", "SET {t}a 1", "EXEC", "GET {t}a"}},
    {"nested", {"MULTI", "SET {t}a 1", "MULTI", "SET {t}b 1", "EXEC", "MGET {t}a {t}b", "EXEC"}},
    {"WATCH inside", {"MULTI", "WATCH {t}a", "SET {t}a 1", "EXEC", "GET {t}a"}},
    {"EXEC alone", {"EXEC", "SET {t}a 1", "EXEC"}},
    {"DISCARD alone", {"DISCARD", "SET {t}a 1", "DISCARD"}},
    {"EXEC with arguments", {"EXEC x"}},
    {"EXEC with arguments inside", {"MULTI", "SET {t}a 1", "EXEC x", "EXEC", "GET {t}a"}},
    {"DISCARD with arguments",
     {"DISCARD x", "MULTI", "SET {t}a 1", "DISCARD x", "EXEC", "GET {t}a"}},
    {"a refusal and DISCARD",
     {"MULTI", "NOSUCH", "DISCARD", "MULTI", "SET {t}a 1", "EXEC", "GET {t}a"}},
    {"a refusal is over with EXEC",
     {"MULTI", "NOSUCH", "EXEC", "EXEC", "MULTI", "SET {t}a 1", "EXEC"}},
    {"refusals one after the other", {"MULTI", "NOSUCH", "GET", "NEITHER a b", "EXEC", "EXEC"}},
    {"only refusals of a kind", {"MULTI", "GET", "EXEC"}},
    {"not inside", {"MULTI", "SET {t}a 1", "SAVE", "EXEC", "GET {t}a"}},
    {"not inside, with arity", {"MULTI", "SET {t}a 1", "PSYNC", "EXEC", "GET {t}a"}},
    {"arguments that are wrong are not known before EXEC",
     {"MULTI", "SET {t}a 1 NOSUCH", "SET {t}b 1 EX 0", "EXPIRE {t}b x", "ZADD {t}z x m",
      "HSET {t}h f", "SET {t}c 1", "EXEC", "MGET {t}a {t}b {t}c"}},
};

// What they say at EXEC, and what ends a transaction otherwise.
const std::vector<Conversation> kBlocks = {
    {"errors in their places",
     {"SET {t}s x", "MULTI", "LPUSH {t}s 1", "SET {t}a 1", "INCR {t}s", "INCR {t}a", "GET {t}a",
      "HGET {t}a f", "EXEC", "MGET {t}s {t}a"}},
    {"nothing inside", {"MULTI", "EXEC", "MULTI", "EXEC", "PING"}},
    {"DISCARD",
     {"MULTI", "SET {t}a 1", "DISCARD", "GET {t}a", "EXEC", "MULTI", "INCR {t}a", "EXEC"}},
    {"only reads",
     {"SET {t}a 1", "MULTI", "GET {t}a", "STRLEN {t}a", "GET {t}none", "LRANGE {t}none 0 -1",
      "MGET {t}a {t}none", "LPOP {t}none", "EXEC"}},
    {"RESET inside",
     {"SELECT 2", "MULTI", "SET {t}a 1", "RESET", "EXEC", "GET {t}a", "SET {t}b 1"}},
    {"RESET after a refusal", {"MULTI", "NOSUCH", "RESET", "MULTI", "SET {t}a 1", "EXEC"}},
    {"strings",
     {"MULTI",
      "SET {t}a 1",
      "APPEND {t}a 23",
      "SETRANGE {t}a 1 x",
      "GETRANGE {t}a 0 1",
      "STRLEN {t}a",
      "SET {t}a new GET",
      "SET {t}a x NX",
      "SET {t}b y XX",
      "SET {t}b y NX GET",
      "SETNX {t}b z",
      "GETSET {t}b 5",
      "INCRBYFLOAT {t}b 0.5",
      "GETDEL {t}b",
      "GETDEL {t}b",
      "MSET {t}c 1 {t}d 2",
      "MSETNX {t}c 1 {t}e 2",
      "MGET {t}c {t}d {t}e",
      "SETBIT {t}bits 7 1",
      "BITFIELD {t}bits SET u8 0 255 GET u4 0",
      "BITCOUNT {t}bits",
      "BITOP NOT {t}not {t}bits",
      "PFADD {t}p a b",
      "PFCOUNT {t}p",
      "PFMERGE {t}q {t}p",
      "LCS {t}c {t}d IDX",
      "DEL {t}c {t}none",
      "UNLINK {t}d",
      "EXISTS {t}c {t}a {t}a",
      "TYPE {t}a",
      "RENAME {t}a {t}aa",
      "RENAME {t}no {t}x",
      "RENAMENX {t}aa {t}a",
      "COPY {t}a {t}aa",
      "OBJECT ENCODING {t}a",
      "TOUCH {t}a {t}none",
      "EXEC"}},
    {"lists",
     {"MULTI",
      "RPUSH {t}l 1 2 3 4 5",
      "LPUSH {t}l 0",
      "LPUSHX {t}none x",
      "LLEN {t}l",
      "LRANGE {t}l 0 -1",
      "LPOP {t}l",
      "LPOP {t}l 2",
      "LPOP {t}none",
      "LPOP {t}none 2",
      "RPOPLPUSH {t}l {t}m",
      "LMOVE {t}l {t}m LEFT RIGHT",
      "LMOVE {t}none {t}m LEFT RIGHT",
      "LMPOP 1 {t}m LEFT COUNT 2",
      "LMPOP 1 {t}none LEFT",
      "LINSERT {t}l BEFORE 4 x",
      "LSET {t}l 0 z",
      "LPOS {t}l z",
      "LREM {t}l 1 z",
      "LTRIM {t}l 0 1",
      "RPUSH {t}s 3 1 2",
      "SORT {t}s",
      "SORT {t}s STORE {t}sorted",
      "LRANGE {t}sorted 0 -1",
      "EXEC"}},
    {"sets",
     {"MULTI",
      "SADD {t}x 1 2 3",
      "SADD {t}y 2 3 4",
      "SREM {t}x 1 9",
      "SISMEMBER {t}x 2",
      "SMISMEMBER {t}x 2 9",
      "SMEMBERS {t}x",
      "SCARD {t}x",
      "SINTER {t}x {t}y",
      "SUNION {t}x {t}y",
      "SDIFF {t}y {t}x",
      "SUNIONSTORE {t}u {t}x {t}y",
      "SINTERSTORE {t}i {t}x {t}y",
      "SDIFFSTORE {t}x {t}x {t}y",
      "SMEMBERS {t}u",
      "SINTERCARD 2 {t}u {t}y",
      "SMOVE {t}y {t}u 4",
      "SMEMBERS {t}none",
      "SSCAN {t}u 0",
      "EXEC"}},
    {"sorted sets",
     {"MULTI",
      "ZADD {t}z 1 a 2.5 b inf c",
      "ZADD {t}z INCR 0.1 a",
      "ZADD {t}z NX INCR 1 a",
      "ZSCORE {t}z a",
      "ZSCORE {t}z none",
      "ZMSCORE {t}z a none",
      "ZINCRBY {t}z 0.2 a",
      "ZRANGE {t}z 0 -1 WITHSCORES",
      "ZRANGEBYSCORE {t}z -inf 5 WITHSCORES",
      "ZRANK {t}z b",
      "ZADD {t}w 5 a",
      "ZUNION 2 {t}z {t}w WITHSCORES",
      "ZDIFF 2 {t}z {t}w",
      "ZUNIONSTORE {t}o 2 {t}z {t}w",
      "ZRANGESTORE {t}r {t}z 0 1",
      "ZPOPMIN {t}z",
      "ZPOPMAX {t}z 2",
      "ZPOPMIN {t}none",
      "ZMPOP 1 {t}o MIN COUNT 1",
      "ZMPOP 1 {t}none MIN",
      "ZRANDMEMBER {t}w",
      "ZRANDMEMBER {t}w 1 WITHSCORES",
      "ZSCAN {t}w 0",
      "ZREMRANGEBYRANK {t}o 0 0",
      "EXEC"}},
    {"hashes",
     {"MULTI", "HSET {t}h f 1 g 2", "HSETNX {t}h f 9", "HINCRBY {t}h f 4",
      "HINCRBYFLOAT {t}h g 0.5", "HGETALL {t}h", "HGETALL {t}none", "HMGET {t}h f none",
      "HGET {t}none f", "HKEYS {t}h", "HVALS {t}h", "HSTRLEN {t}h g", "HDEL {t}h g",
      "HRANDFIELD {t}h", "HRANDFIELD {t}h 1 WITHVALUES", "HSCAN {t}h 0", "HEXISTS {t}h f", "EXEC"}},
    {"streams",
     {"MULTI", "XADD {t}x 1-1 a 1", "XADD {t}x 2-1 b 2 c 3", "XADD {t}none NOMKSTREAM 1-1 a 1",
      "XADD {t}x 1-1 late 1", "XRANGE {t}x - +", "XREAD STREAMS {t}x 0", "XREAD STREAMS {t}x 9",
      "XGROUP CREATE {t}x g 0", "XREADGROUP GROUP g c COUNT 1 STREAMS {t}x >", "XPENDING {t}x g",
      "XACK {t}x g 1-1", "XDEL {t}x 1-1", "XLEN {t}x", "XTRIM {t}x MAXLEN 1", "XSETID {t}x 5-0",
      "XGROUP DESTROY {t}x g", "EXEC"}},
    {"places on earth",
     {"MULTI", "GEOADD {t}g 13.361389 38.115556 P 15.087269 37.502669 C", "GEODIST {t}g P C",
      "GEOPOS {t}g P none", "GEOHASH {t}g P", "GEORADIUS {t}g 15 37 200 km WITHDIST WITHCOORD",
      "GEOSEARCHSTORE {t}near {t}g FROMMEMBER P BYRADIUS 200 km", "EXEC"}},
    {"scripts with keys",
     {"MULTI", "EVAL return\\_redis.call('incrby',KEYS[1],ARGV[1]) 1 {t}n 5", "GET {t}n",
      "EVAL return\\_redis.error_reply('MY\\_ERR') 1 {t}n",
      "EVAL return\\_{1,'a',{2,false}} 1 {t}n", "EVAL_RO return\\_redis.call('get',KEYS[1]) 1 {t}n",
      "SET {t}after 1", "EXEC", "GET {t}n"}},
    {"scripts in RESP3",
     {"MULTI", "HSET {t}h f v",
      "EVAL redis.setresp(3)return\\_redis.call('hgetall',KEYS[1]) 1 {t}h",
      "EVAL redis.setresp(3)return\\_true 1 {t}h", "EXEC"}},
    {"how long keys live",
     {"MULTI",
      "SET {t}a 1 EX 100",
      "TTL {t}a",
      "PEXPIRE {t}a 200000",
      "TTL {t}a",
      "PERSIST {t}a",
      "SETEX {t}b 100 x",
      "PSETEX {t}c 100000 x",
      "GETEX {t}a EX 1000",
      "TTL {t}a",
      "EXPIRE {t}none 5",
      "EXPIRE {t}b 0",
      "GET {t}b",
      "EXPIREAT {t}c 4000000000",
      "EXPIRETIME {t}c",
      "EXPIRE {t}c 10 NX",
      "SET {t}d 1",
      "PEXPIRE {t}d -5",
      "EXEC",
      "EXISTS {t}a {t}b {t}c {t}d"}},
    {"a member that chance chooses",
     {"SADD {t}s 1 2 3", "MULTI", "SPOP {t}s", "SCARD {t}s", "SRANDMEMBER {t}s", "SPOP {t}s 1",
      "SRANDMEMBER {t}s -2", "~EXEC", "SCARD {t}s", "MULTI", "SPOP {t}s", "SPOP {t}s",
      "SPOP {t}s 2", "EXISTS {t}s", "~EXEC"}},
    {"IDs that are made up",
     {"MULTI", "XADD {t}x * f v", "XADD {t}x MAXLEN ~ 10 * f w", "XLEN {t}x", "XRANGE {t}x - +",
      "~EXEC", "~XRANGE {t}x - +"}},
    {"chance, made up IDs, scripts, and others around them",
     {"SADD {t}s 7", "MULTI", "SET {t}a 1", "SPOP {t}s", "XADD {t}x * f v", "INCR {t}a",
      "EVAL return\\_redis.call('rpush',KEYS[1],KEYS[2]) 2 {t}l {t}a", "LPUSH {t}a wrong",
      "DEL {t}none", "RENAME {t}a {t}b", "TTL {t}b", "EXPIRE {t}b 100", "~EXEC", "MGET {t}a {t}b"}},
    {"a script that is loaded in it",
     {"MULTI", "SCRIPT LOAD return\\_redis.call('incr',KEYS[1])",
      "EVALSHA 6f5ade10a69975e903c6d07b10ea44c6382381a5 1 {t}n",
      "EVALSHA 6F5ADE10A69975E903C6D07B10EA44C6382381A5 1 {t}n",
      "SCRIPT EXISTS 6f5ade10a69975e903c6d07b10ea44c6382381a5",
      "EVALSHA 0f5ade10a69975e903c6d07b10ea44c6382381a5 1 {t}n", "EXEC", "GET {t}n",
      "EVALSHA 6f5ade10a69975e903c6d07b10ea44c6382381a5 1 {t}n"}},
    {"the time, and others that are of no key", {"MULTI", "~TIME", "SET {t}a 1", "~EXEC"}},
};

// SELECT inside, and what reaches into other databases.
const std::vector<Conversation> kDatabases = {
    {"SELECT inside",
     {"SET {t}k zero", "MULTI", "SELECT 2", "SET {t}k two", "GET {t}k", "SELECT 3", "INCR {t}n",
      "SELECT 0", "GET {t}k", "EXEC", "GET {t}k", "SELECT 2", "GET {t}k"}},
    {"the database stays selected",
     {"MULTI", "SELECT 2", "EXEC", "SET {t}k two", "MULTI", "SELECT 3", "SET {t}k three", "EXEC",
      "GET {t}k", "MULTI", "GET {t}k", "SELECT 0", "GET {t}k", "EXEC", "SET {t}k zero"}},
    {"out of range",
     {"SELECT 1", "MULTI", "SET {t}k one", "SELECT 99", "APPEND {t}k 1", "SELECT x", "SELECT -1",
      "APPEND {t}k 2", "SELECT 2", "SET {t}k two", "SELECT 16", "GET {t}k", "EXEC", "GET {t}k"}},
    {"arity of SELECT", {"MULTI", "SELECT", "SET {t}k x", "EXEC", "GET {t}k"}},
    {"SELECT alone and twice", {"MULTI", "SELECT 1", "SELECT 1", "SELECT 3", "EXEC", "SET {t}k 3"}},
    {"DISCARD takes SELECT back", {"MULTI", "SELECT 2", "DISCARD", "SET {t}k zero"}},
    {"MOVE and COPY",
     {"SET {t}a 1", "MULTI", "MOVE {t}a 3", "EXISTS {t}a", "SELECT 3", "GET {t}a",
      "COPY {t}a {t}b DB 1", "COPY {t}a {t}a DB 2", "MOVE {t}none 1", "EXEC", "MULTI", "SELECT 1",
      "GET {t}b", "SELECT 2", "GET {t}a", "EXEC"}},
    {"MOVE and COPY out of range",
     {"SET {t}a 1", "MULTI", "MOVE {t}a 99", "COPY {t}a {t}b DB 99", "INCR {t}a", "EXEC"}},
    {"by chance, in several",
     {"MULTI", "SADD {t}s 1 2 3", "SPOP {t}s", "SELECT 2", "SADD {t}s 4 5", "SPOP {t}s", "SELECT 3",
      "XADD {t}x * f v", "SET {t}k 3", "MOVE {t}k 1", "SELECT 99",
      "EVAL return\\_redis.call('get',KEYS[1]) 1 {t}k", "~EXEC", "SET {t}k last", "SELECT 1",
      "GET {t}k"}},
};

// What the proxy answers itself.
const std::vector<Conversation> kLocal = {
    {"PING and ECHO", {"MULTI", "PING", "SET {t}a 1", "PING hello", "ECHO x", "GET {t}a", "EXEC"}},
    {"nothing else", {"MULTI", "PING", "ECHO x", "EXEC"}},
    {"names",
     {"MULTI", "CLIENT GETNAME", "CLIENT SETNAME me", "CLIENT GETNAME", "CLIENT SETNAME a\\_b",
      "GET {t}a", "EXEC", "CLIENT GETNAME"}},
    {"settings", {"MULTI", "SET {t}a 1", "CONFIG GET nothing*", "EXEC"}},
    {"commands",
     {"MULTI", "COMMAND GETKEYS MSET a 1 b 2", "GET {t}a", "COMMAND GETKEYS PING", "EXEC"}},
    {"UNWATCH inside", {"MULTI", "UNWATCH", "SET {t}a 1", "EXEC"}},
    {"AUTH without a password", {"MULTI", "AUTH secret", "SET {t}a 1", "EXEC"}},
    {"HELLO 3 inside",
     {"HSET {t}h f v", "ZADD {t}z 1.5 m", "MULTI", "HGETALL {t}h", "ZSCORE {t}z m", "GET {t}none",
      "HELLO 3", "HGETALL {t}h", "ZSCORE {t}z m", "GET {t}none", "PING", "~EXEC", "HGETALL {t}h",
      "GET {t}none"}},
    {"HELLO 2 inside",
     {"HSET {t}h f v", "ZADD {t}z 1.5 m", "MULTI", "HGETALL {t}h", "ZSCORE {t}z m", "GET {t}none",
      "HELLO 2", "HGETALL {t}h", "ZSCORE {t}z m", "GET {t}none", "PING", "~EXEC", "HGETALL {t}h",
      "GET {t}none"}},
    {"HELLO there and back",
     {"MULTI", "HSET {t}h f v", "HELLO 3", "HGETALL {t}h", "HELLO 2", "HGETALL {t}h",
      "HELLO 3 SETNAME me", "HGETALL {t}h", "CLIENT GETNAME", "HELLO 9", "HELLO x", "HGETALL {t}h",
      "~EXEC", "HGETALL {t}h"}},
    {"HELLO and nothing else",
     {"MULTI", "HELLO 3", "~EXEC", "HGETALL {t}none", "MULTI", "HELLO 2", "~EXEC"}},
};

// What is about all keys: of one shard alone.
const std::vector<Conversation> kWholeServer = {
    {"DBSIZE and FLUSHDB",
     {"MULTI", "SET {t}a 1", "DBSIZE", "SELECT 1", "SET {t}a 1", "FLUSHDB", "DBSIZE", "SELECT 0",
      "DBSIZE", "KEYS *", "RANDOMKEY", "EXEC"}},
    {"FLUSHALL",
     {"MULTI", "SET {t}a 1", "FLUSHALL", "SET {t}b 1", "SELECT 3", "FLUSHALL ASYNC", "DBSIZE",
      "EXEC"}},
    {"SWAPDB",
     {"MULTI", "SET {t}k zero", "SWAPDB 0 2", "GET {t}k", "SELECT 2", "GET {t}k", "SWAPDB 1 1",
      "EXEC", "APPEND {t}k 2"}},
};

const std::vector<Conversation> kSwapOutOfRange = {
    {"SWAPDB out of range",
     {"MULTI", "SET {t}k zero", "SWAPDB 0 99", "SWAPDB x 1", "EXEC", "GET {t}k"}},
};

enum class Way { kOneByOne, kAtOnce };

// Shards, workers.
class Transactions : public ::testing::TestWithParam<std::tuple<int, int>> {
 protected:
  Transactions()
      : cluster_({.shards = std::get<0>(GetParam()), .workers = std::get<1>(GetParam())}),
        shard_(cluster_.ShardOf("{t}")) {}

  void ExpectRediss(const std::vector<Conversation>& conversations) {
    for (const char* protocol : {"2", "3"}) {
      for (const Way way : {Way::kOneByOne, Way::kAtOnce}) {
        for (const Conversation& conversation : conversations) {
          SCOPED_TRACE(std::string(conversation.what) + " in RESP" + protocol +
                       (way == Way::kAtOnce ? ", at once" : ", one by one"));
          ExpectRediss(conversation.lines, protocol, way);
        }
      }
    }
    cluster_.ExpectCopiesEqual();
  }

  void ExpectRediss(const std::vector<std::string>& lines, const std::string& protocol, Way way) {
    Wire gemel(cluster_.proxy().port());
    Wire redis(alone_.port());
    ASSERT_EQ(gemel.Ask({"FLUSHALL"}), redis.Ask({"FLUSHALL"}));
    gemel.Ask({"HELLO", protocol});
    redis.Ask({"HELLO", protocol});
    bool masked = false;
    if (way == Way::kAtOnce) {
      std::string all;
      for (const std::string& line : lines) all += Encode(CommandOf(line));
      gemel.Send(all);
      redis.Send(all);
    }
    for (const std::string& line : lines) {
      masked |= IsMasked(line);
      const Words words = CommandOf(line);
      std::string got = way == Way::kAtOnce ? gemel.Read() : gemel.Ask(words);
      std::string expected = way == Way::kAtOnce ? redis.Read() : redis.Ask(words);
      if (IsMasked(line)) {
        got = WithoutDigits(got);
        expected = WithoutDigits(expected);
      }
      EXPECT_EQ(got, expected) << line;
    }
    const std::string digest = cluster_.node(shard_, 0).Digest();
    EXPECT_EQ(cluster_.node(shard_, 1).Digest(), digest);
    if (!masked) {
      EXPECT_EQ(alone_.Digest(), digest);
    }
  }

  Cluster cluster_;
  RedisNode alone_;
  const int shard_;  // of the keys that are tagged {t}
};

INSTANTIATE_TEST_SUITE_P(Ways, Transactions, ::testing::Values(std::tuple(1, 1), std::tuple(2, 2)),
                         [](const auto& info) {
                           return std::string(std::get<1>(info.param) == 1 ? "One" : "TwoThreaded");
                         });

TEST_P(Transactions, RefusalsAreRediss) { ExpectRediss(kRefusals); }
TEST_P(Transactions, BlocksAreRediss) { ExpectRediss(kBlocks); }
TEST_P(Transactions, DatabasesAreRediss) { ExpectRediss(kDatabases); }
TEST_P(Transactions, WhatTheProxyAnswersIsRediss) { ExpectRediss(kLocal); }
TEST_P(Transactions, WhatIsAboutAllKeysIsRediss) {
  if (cluster_.shards() == 1) ExpectRediss(kWholeServer);
}
TEST_P(Transactions, DatabasesThatAreNoneAreFoundOutByExec) {
  if (cluster_.shards() == 1) ExpectRediss(kSwapOutOfRange);
}

// A node whose user may not: the client is told which, and all else is served.
TEST(TransactionsRefused, WhereANodeTakesNone) {
  Cluster cluster({.shards = 1, .redis_options = {"--rename-command", "MULTI", ""}});
  Client client = cluster.Connect();
  for (const Words& words : {Words{"MULTI"}, Words{"WATCH", "k"}}) {
    const std::string reply = client.Run(words).Text();
    EXPECT_TRUE(reply.starts_with("-ERR transactions are not to be had: 127.0.0.1:")) << reply;
    EXPECT_NE(reply.find("does not allow MULTI and EXEC"), std::string::npos) << reply;
  }
  EXPECT_EQ(client("EXEC"), "-ERR EXEC without MULTI");
  EXPECT_EQ(client("SET", "k", "v"), "OK");
  EXPECT_EQ(client("GET", "k"), "v");
  cluster.ExpectCopiesEqual();
}

}  // namespace
}  // namespace gemel::e2e::transactions_test
