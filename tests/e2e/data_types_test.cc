// Every data type through the proxy answers as Redis itself does, and both copies end equal.

#include <gtest/gtest.h>

#include "tests/e2e/cluster.h"

namespace gemel::e2e::data_types_test {
namespace {

// Each command's reply must be that of a redis-server which is asked the same.
const std::vector<Words>& Script() {
  static const std::vector<Words> script = {
      // strings
      {"SET", "s", "hello"},
      {"GET", "s"},
      {"GET", "none"},
      {"APPEND", "s", " world"},
      {"STRLEN", "s"},
      {"GETRANGE", "s", "0", "4"},
      {"SETRANGE", "s", "6", "there"},
      {"SUBSTR", "s", "0", "-1"},
      {"SET", "s", "x", "NX"},
      {"SET", "s", "x", "XX", "GET"},
      {"GETSET", "s", "y"},
      {"SETNX", "s", "z"},
      {"GETDEL", "s"},
      {"INCR", "n"},
      {"INCRBY", "n", "41"},
      {"DECR", "n"},
      {"DECRBY", "n", "3"},
      {"INCRBYFLOAT", "n", "0.5"},
      {"SET", "empty", ""},
      {"GET", "empty"},
      {"INCR", "empty"},
      {"SET", "s"},
      {"SET", "s", "1", "BADOPTION"},
      {"PSETEX", "p", "1000000", "v"},
      {"SETEX", "p2", "1000", "v"},
      {"GETEX", "p2", "PERSIST"},
      {"TTL", "p2"},
      {"LCS", "{l}1", "{l}2"},
      // bits
      {"SETBIT", "bits", "7", "1"},
      {"GETBIT", "bits", "7"},
      {"BITCOUNT", "bits"},
      {"BITPOS", "bits", "1"},
      {"BITFIELD", "bits", "SET", "u8", "0", "200", "INCRBY", "u8", "0", "10"},
      {"BITFIELD_RO", "bits", "GET", "u8", "0"},
      {"SET", "{b}1", "abc"},
      {"SET", "{b}2", "abd"},
      {"BITOP", "AND", "{b}3", "{b}1", "{b}2"},
      {"GET", "{b}3"},
      // hashes
      {"HSET", "h", "a", "1", "b", "2"},
      {"HGET", "h", "a"},
      {"HMGET", "h", "a", "none", "b"},
      {"HMSET", "h", "c", "3"},
      {"HGETALL", "h"},
      {"HKEYS", "h"},
      {"HVALS", "h"},
      {"HLEN", "h"},
      {"HEXISTS", "h", "a"},
      {"HINCRBY", "h", "a", "5"},
      {"HINCRBYFLOAT", "h", "a", "1.5"},
      {"HSETNX", "h", "a", "9"},
      {"HSTRLEN", "h", "a"},
      {"HDEL", "h", "a", "none"},
      {"HSCAN", "h", "0"},
      // lists
      {"RPUSH", "l", "a", "b", "c"},
      {"LPUSH", "l", "z"},
      {"RPUSHX", "l", "d"},
      {"LPUSHX", "nolist", "d"},
      {"LRANGE", "l", "0", "-1"},
      {"LINDEX", "l", "1"},
      {"LINSERT", "l", "BEFORE", "b", "ab"},
      {"LSET", "l", "0", "first"},
      {"LREM", "l", "1", "c"},
      {"LPOS", "l", "b"},
      {"LLEN", "l"},
      {"LTRIM", "l", "0", "3"},
      {"LPOP", "l"},
      {"RPOP", "l", "2"},
      {"RPUSH", "{q}1", "1", "2", "3"},
      {"LMOVE", "{q}1", "{q}2", "LEFT", "RIGHT"},
      {"RPOPLPUSH", "{q}1", "{q}2"},
      {"LMPOP", "2", "{q}1", "{q}2", "LEFT"},
      {"LRANGE", "{q}2", "0", "-1"},
      // sets
      {"SADD", "set", "1", "2", "3", "2"},
      {"SCARD", "set"},
      {"SISMEMBER", "set", "2"},
      {"SMISMEMBER", "set", "2", "9"},
      {"SMEMBERS", "set"},
      {"SREM", "set", "3", "9"},
      {"SRANDMEMBER", "none"},
      {"SADD", "{u}1", "1", "2", "3"},
      {"SADD", "{u}2", "2", "3", "4"},
      {"SINTER", "{u}1", "{u}2"},
      {"SUNION", "{u}1", "{u}2"},
      {"SDIFF", "{u}1", "{u}2"},
      {"SINTERCARD", "2", "{u}1", "{u}2"},
      {"SINTERSTORE", "{u}3", "{u}1", "{u}2"},
      {"SUNIONSTORE", "{u}4", "{u}1", "{u}2"},
      {"SDIFFSTORE", "{u}5", "{u}1", "{u}2"},
      {"SMOVE", "{u}1", "{u}2", "1"},
      {"SSCAN", "{u}2", "0"},
      // sorted sets
      {"ZADD", "z", "1", "a", "2", "b", "3", "c"},
      {"ZADD", "z", "XX", "CH", "5", "a"},
      {"ZINCRBY", "z", "1.5", "b"},
      {"ZSCORE", "z", "b"},
      {"ZMSCORE", "z", "a", "none"},
      {"ZCARD", "z"},
      {"ZCOUNT", "z", "-inf", "+inf"},
      {"ZRANK", "z", "b"},
      {"ZREVRANK", "z", "b"},
      {"ZRANGE", "z", "0", "-1", "WITHSCORES"},
      {"ZREVRANGE", "z", "0", "0"},
      {"ZRANGEBYSCORE", "z", "(1", "5"},
      {"ZRANGEBYLEX", "z", "-", "+"},
      {"ZLEXCOUNT", "z", "-", "+"},
      {"ZRANGESTORE", "{z}1", "{z}0", "0", "-1"},
      {"ZADD", "{z}2", "1", "a", "2", "b"},
      {"ZADD", "{z}3", "3", "b", "4", "c"},
      {"ZUNION", "2", "{z}2", "{z}3", "WITHSCORES"},
      {"ZINTER", "2", "{z}2", "{z}3"},
      {"ZDIFF", "2", "{z}2", "{z}3"},
      {"ZUNIONSTORE", "{z}4", "2", "{z}2", "{z}3", "WEIGHTS", "2", "3"},
      {"ZINTERSTORE", "{z}5", "2", "{z}2", "{z}3", "AGGREGATE", "MAX"},
      {"ZDIFFSTORE", "{z}6", "2", "{z}2", "{z}3"},
      {"ZPOPMIN", "z"},
      {"ZPOPMAX", "z"},
      {"ZMPOP", "1", "{z}4", "MIN"},
      {"ZREM", "z", "none"},
      {"ZREMRANGEBYRANK", "{z}4", "0", "0"},
      {"ZREMRANGEBYSCORE", "{z}4", "0", "1"},
      {"ZSCAN", "{z}2", "0"},
      // geo, HyperLogLog
      {"GEOADD", "geo", "13.361389", "38.115556", "Palermo", "15.087269", "37.502669", "Catania"},
      {"GEODIST", "geo", "Palermo", "Catania", "km"},
      {"GEOPOS", "geo", "Palermo"},
      {"GEOHASH", "geo", "Palermo"},
      {"GEOSEARCH", "geo", "FROMLONLAT", "15", "37", "BYRADIUS", "200", "km", "ASC"},
      {"GEORADIUS", "geo", "15", "37", "200", "km", "ASC"},
      {"PFADD", "{hll}1", "a", "b", "c"},
      {"PFADD", "{hll}2", "c", "d"},
      {"PFCOUNT", "{hll}1"},
      {"PFCOUNT", "{hll}1", "{hll}2"},
      {"PFMERGE", "{hll}3", "{hll}1", "{hll}2"},
      // streams, with explicit ids
      {"XADD", "x", "1-1", "f", "v"},
      {"XADD", "x", "2-1", "f", "v2"},
      {"XADD", "x", "1-1", "f", "late"},
      {"XLEN", "x"},
      {"XRANGE", "x", "-", "+"},
      {"XREVRANGE", "x", "+", "-", "COUNT", "1"},
      {"XREAD", "COUNT", "10", "STREAMS", "x", "0"},
      {"XDEL", "x", "1-1"},
      {"XTRIM", "x", "MAXLEN", "1"},
      {"XGROUP", "CREATE", "x", "g", "0"},
      {"XINFO", "GROUPS", "x"},
      {"XACK", "x", "g", "2-1"},
      // keys
      {"TYPE", "h"},
      {"TYPE", "none"},
      {"OBJECT", "ENCODING", "h"},
      {"EXPIRE", "h", "100000"},
      {"PERSIST", "h"},
      {"EXPIREAT", "h", "99999999999"},
      {"EXPIRETIME", "h"},
      {"PEXPIREAT", "h", "99999999999000"},
      {"PEXPIRETIME", "h"},
      {"SET", "{r}1", "v"},
      {"RENAME", "{r}1", "{r}2"},
      {"RENAME", "{r}1", "{r}2"},
      {"RENAMENX", "{r}2", "{r}3"},
      {"COPY", "{r}3", "{r}4"},
      {"SORT", "set"},
      {"SORT_RO", "set", "DESC"},
      {"SORT", "{u}2", "STORE", "{u}6"},
      {"EXISTS", "{r}3", "{r}4"},
      {"DUMP", "none"},
      {"UNLINK", "{r}3"},
      {"DEL", "{r}4", "none"},
      // errors of the servers come through as they are
      {"LPUSH", "h", "x"},
      {"INCR", "h"},
      {"GET", "h"},
      {"HSET", "h", "odd"},
      {"EXPIRE", "h", "notanumber"},
      {"GET"},
      {"GET", "a", "b"},
      {"NOSUCHCOMMAND", "a", "b"},
      {"OBJECT", "NOSUCH", "h"},
      {"ZADD", "z", "notanumber", "m"},
  };
  return script;
}

void RunScript(const ClusterOptions& options) {
  RedisNode oracle;
  Cluster cluster(options);
  Client expected = oracle.Connect();
  Client actual = cluster.Connect();
  for (const Words& words : Script()) {
    std::string line;
    for (const std::string& word : words) line += word + " ";
    EXPECT_EQ(actual.Run(words), expected.Run(words).Text()) << line;
  }
  cluster.ExpectCopiesEqual();
}

TEST(DataTypes, PairsAnswerAsRedis) { RunScript({.shards = 2, .copies = 2}); }
TEST(DataTypes, SingleCopiesAnswerAsRedis) { RunScript({.shards = 2, .copies = 1}); }
TEST(DataTypes, ThreeCopiesAnswerAsRedis) { RunScript({.shards = 1, .copies = 3}); }
TEST(DataTypes, TwoWorkersThreadedAnswerAsRedis) {
  RunScript({.shards = 3, .copies = 2, .workers = 2});
}
TEST(DataTypes, BalancedReadsAnswerAsRedis) {
  RunScript({.shards = 1, .copies = 2, .sections = {{"read", "from = \"balanced\""}}});
}
TEST(DataTypes, ReplicaReadsAnswerAsRedis) {
  RunScript({.shards = 1, .copies = 2, .sections = {{"read", "from = \"replica\""}}});
}

TEST(DataTypes, KeysAndValuesMayHoldAnyByte) {
  Cluster cluster;
  Client client = cluster.Connect();
  std::string every;
  for (int i = 0; i < 256; ++i) every += static_cast<char>(i);
  for (int i = 0; i < 256; ++i) {
    const std::string key = every.substr(static_cast<size_t>(i)) + std::string(1, '\0') + "\r\n";
    EXPECT_EQ(client.Run({"SET", key, every + key}), "OK");
    EXPECT_EQ(client.Run({"GET", key}).bytes, every + key);
  }
  EXPECT_EQ(client.Run({"SET", "", "of the empty key"}), "OK");
  EXPECT_EQ(client.Run({"GET", ""}), "of the empty key");
  cluster.ExpectCopiesEqual();
}

TEST(DataTypes, PasswordAndDatabaseOfTheNodes) {
  Cluster cluster({.shards = 1,
                   .shard_lines = "password = \"secret\"\ndatabase = 3",
                   .redis_options = {"--requirepass", "secret", "--masterauth", "secret"}});
  EXPECT_EQ(cluster.Connect()("SET", "k", "v"), "OK");
  for (int copy = 0; copy < 2; ++copy) {
    Client direct = cluster.node(0, copy).Connect();
    EXPECT_EQ(direct("AUTH", "secret"), "OK");
    EXPECT_EQ(direct("SELECT", "3"), "OK");
    EXPECT_EQ(direct("GET", "k"), "v");
  }
}

}  // namespace
}  // namespace gemel::e2e::data_types_test
