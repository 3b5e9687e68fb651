// Users with key spaces of their own: each finds what a Redis of its own would say, whatever others
// do under the same names on the same shards; and nobody else's keys are seen or changed.

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>

#include "tests/e2e/client_script.h"
#include "tests/e2e/look.h"
#include "tests/e2e/reload_world.h"
#include "tests/e2e/wait.h"
#include "tests/e2e/wire.h"

namespace gemel::e2e::tenants_test {
namespace {

// With all that means something in a pattern.
constexpr char kPrefixes[2][16] = {"t[12]?*:", "t1x\\:"};

std::string Quoted(const std::string& text) {
  std::string quoted;
  for (const char c : text) quoted += c == '\\' ? std::string("\\\\") : std::string(1, c);
  return '"' + quoted + '"';
}

std::string Table(const std::string& name, const std::string& prefix,
                  const std::string& rules = "on >p ~* &* +@all") {
  return "[[user]]\nname = \"" + name + "\"\nrules = \"" + rules +
         "\"\nprefix = " + Quoted(prefix) + "\n";
}

// Of replies whose order is nobody's business.
void Sort(Reply* reply) {
  for (Reply& item : reply->items) Sort(&item);
  std::sort(reply->items.begin(), reply->items.end(),
            [](const Reply& a, const Reply& b) { return a.Text() < b.Text(); });
}
std::string Sorted(Reply reply) {
  Sort(&reply);
  return reply.Text();
}

// Shards and workers.
class Tenants : public testing::TestWithParam<std::pair<int, int>> {
 protected:
  Tenants()
      : world_({.shards = GetParam().first,
                .copies = 2,
                .workers = GetParam().second,
                .redis_options = {"--notify-keyspace-events", "KEA"}}) {
    SetUsers(Table("one", kPrefixes[0]) + Table("two", kPrefixes[1]));
  }
  void SetUsers(const std::string& tables) {
    world_.file().end = tables;
    const std::string answer = world_.Reload();
    ASSERT_FALSE(answer.starts_with("-")) << answer;
  }
  Client As(const std::string& user) {
    Client client = world_.Connect();
    EXPECT_EQ(client("AUTH", user, "p"), "OK");
    return client;
  }
  std::unique_ptr<Wire> WireAs(const std::string& user) {
    auto wire = std::make_unique<Wire>(world_.port());
    EXPECT_EQ(wire->Ask({"HELLO", "3", "AUTH", user, "p"})[0], '%');
    return wire;
  }
  // All that there is, as who sees all of it.
  std::string All() {
    std::string all;
    Reply keys = plain_("KEYS", "*");
    std::sort(keys.items.begin(), keys.items.end(),
              [](const Reply& a, const Reply& b) { return a.bytes < b.bytes; });
    for (const Reply& key : keys.items) {
      all += key.bytes + "=" + plain_("DUMP", key.bytes).bytes + "\n";
    }
    return all;
  }

  ReloadWorld world_;
  Client plain_ = world_.Connect();
};

const std::vector<Words> kCommands = {
    {"SET", "{a}s", "v"},
    {"GET", "{a}s"},
    {"GETSET", "{a}s", "w"},
    {"APPEND", "{a}s", "x"},
    {"STRLEN", "{a}s"},
    {"MSET", "{a}m1", "1", "{a}m2", "2", "{b}m3", "3"},
    {"MGET", "{a}m1", "{a}m2", "{b}m3", "{a}none"},
    {"MSETNX", "{a}m1", "1", "{a}m9", "2"},
    {"EXISTS", "{a}m1", "{b}m3", "{a}m9"},
    {"TYPE", "{a}m1"},
    {"SETRANGE", "{a}s", "1", "y"},
    {"GETEX", "{a}s", "PERSIST"},
    {"LCS", "{a}s", "{a}m1"},
    {"INCR", "{a}m1"},
    {"SETBIT", "{a}bits", "3", "1"},
    {"BITOP", "NOT", "{a}bits2", "{a}bits"},
    {"BITFIELD", "{a}bits", "INCRBY", "u8", "0", "1"},
    {"PFADD", "{a}p1", "a", "b"},
    {"PFADD", "{a}p2", "c"},
    {"PFCOUNT", "{a}p1", "{a}p2"},
    {"PFMERGE", "{a}p3", "{a}p1", "{a}p2"},
    {"RPUSH", "{a}l", "c", "a", "b"},
    {"LMOVE", "{a}l", "{a}l2", "LEFT", "RIGHT"},
    {"LMPOP", "2", "{a}none", "{a}l", "LEFT"},
    {"BLPOP", "{a}none", "{a}l2", "1"},
    {"LPUSH", "{a}l", "z", "y"},
    {"BRPOP", "{a}l", "1"},
    {"BLMPOP", "1", "2", "{a}none", "{a}l", "LEFT"},
    {"RPUSH", "{a}l", "3", "1", "2"},
    {"BLMOVE", "{a}l", "{a}l2", "LEFT", "LEFT", "1"},
    {"RPOPLPUSH", "{a}l", "{a}l2"},
    {"MSET", "{a}w_1", "9", "{a}w_2", "1", "{a}g_1", "one", "{a}g_2", "two"},
    {"DEL", "{a}sl"},
    {"RPUSH", "{a}sl", "1", "2"},
    {"SORT", "{a}sl", "DESC"},
    {"SORT", "{a}sl", "STORE", "{a}sorted"},
    {"LRANGE", "{a}sorted", "0", "-1"},
    {"SORT_RO", "{a}sl", "GET", "#"},
    {"SADD", "{a}set", "a", "b"},
    {"SADD", "{a}set2", "b"},
    {"SINTERSTORE", "{a}set3", "{a}set", "{a}set2"},
    {"SINTERCARD", "2", "{a}set", "{a}set2"},
    {"SMOVE", "{a}set", "{a}set2", "a"},
    {"SMEMBERS", "{a}set3"},
    {"SSCAN", "{a}set3", "0"},
    {"ZADD", "{a}z", "1", "a", "2", "b", "3", "c"},
    {"ZADD", "{a}z2", "5", "a"},
    {"ZUNIONSTORE", "{a}z3", "2", "{a}z", "{a}z2", "WEIGHTS", "2", "1"},
    {"ZUNION", "2", "{a}z", "{a}z2", "WITHSCORES"},
    {"ZRANGESTORE", "{a}z4", "{a}z", "0", "1"},
    {"ZMPOP", "2", "{a}none", "{a}z", "MIN"},
    {"BZPOPMIN", "{a}none", "{a}z", "1"},
    {"BZPOPMAX", "{a}z3", "1"},
    {"BZMPOP", "1", "1", "{a}z3", "MAX"},
    {"ZINTERCARD", "2", "{a}z", "{a}z2"},
    {"HSET", "{a}h", "f", "v"},
    {"HGETALL", "{a}h"},
    {"HSCAN", "{a}h", "0"},
    {"GEOADD", "{a}geo", "13.361389", "38.115556", "P"},
    {"GEORADIUS", "{a}geo", "13", "38", "500", "km", "STORE", "{a}near"},
    {"GEOSEARCHSTORE", "{a}near2", "{a}geo", "FROMMEMBER", "P", "BYRADIUS", "1", "km"},
    {"ZCARD", "{a}near"},
    {"XADD", "{a}x", "1-1", "f", "v"},
    {"XADD", "{a}y", "1-1", "f", "v"},
    {"XREAD", "STREAMS", "{a}x", "{a}y", "0", "0"},
    {"XREAD", "COUNT", "1", "BLOCK", "1", "STREAMS", "{a}x", "9"},
    {"XGROUP", "CREATE", "{a}x", "g", "0"},
    {"XREADGROUP", "GROUP", "g", "c", "STREAMS", "{a}x", ">"},
    {"XREADGROUP", "GROUP", "none", "c", "STREAMS", "{a}x", ">"},
    {"XACK", "{a}x", "g", "1-1"},
    {"XPENDING", "{a}x", "none"},
    {"XGROUP", "SETID", "{a}x", "none", "0"},
    {"XINFO", "CONSUMERS", "{a}x", "none"},
    {"XLEN", "{a}x"},
    {"RENAME", "{a}s", "{a}s2"},
    {"RENAMENX", "{a}s2", "{a}m1"},
    {"COPY", "{a}s2", "{a}s3"},
    {"COPY", "{a}s2", "{a}s3", "DB", "1"},
    {"MOVE", "{a}s3", "2"},
    {"OBJECT", "ENCODING", "{a}m1"},
    {"TOUCH", "{a}m1", "{b}m3"},
    {"EXPIRE", "{a}m1", "1000"},
    {"PERSIST", "{a}m1"},
    {"TTL", "{a}m1"},
    {"COMMAND", "GETKEYS", "MSET", "{a}a", "1", "{a}b", "2"},
    {"MULTI"},
    {"SET", "{a}tx", "1"},
    {"RPUSH", "{a}txl", "1"},
    {"BLPOP", "{a}txl", "0"},
    {"LMPOP", "1", "{a}txl", "LEFT"},
    {"XREAD", "STREAMS", "{a}x", "0"},
    {"EXEC"},
    {"WATCH", "{a}tx"},
    {"MULTI"},
    {"INCR", "{a}tx"},
    {"EXEC"},
    {"KEYS", "*"},
    {"KEYS", "{a}m?"},
    {"KEYS", "t*"},
    {"KEYS", "{a}[mx]*"},
    {"SCAN", "0", "COUNT", "10000"},
    {"SCAN", "0", "MATCH", "{a}m*", "COUNT", "10000"},
    {"SCAN", "0", "MATCH", "none*", "COUNT", "10000"},
    {"SCAN", "0", "TYPE", "hash", "COUNT", "10000"},
    {"SCAN", "0", "BAD"},
    {"UNLINK", "{a}m2", "{b}m3", "{a}none"},
    {"DEL", "{a}l", "{b}none"},
    {"GET", "{a}m2"},
};

TEST_P(Tenants, EachHasWhatARedisOfItsOwnHas) {
  RedisNode alone;
  Client own = alone.Connect();
  Client one = As("one");
  Client two = As("two");
  // The others use the same names.
  for (Client* client : {&two, &plain_}) {
    for (const char* key : {"{a}s", "{a}m1", "{a}m2", "{b}m3"}) (*client)("SET", key, "other's");
    for (const char* key : {"{a}l", "{a}l2", "{a}txl"}) (*client)("RPUSH", key, "other's");
    (*client)("XADD", "{a}x", "1-1", "f", "other's");
  }
  const std::string before = All();
  for (const Words& words : kCommands) {
    // Of several shards SCAN takes more than one call.
    if (words[0] == "SCAN" && GetParam().first > 1) continue;
    const Reply expected = own.Run(words);
    const Reply reply = one.Run(words);
    EXPECT_EQ(Sorted(reply), Sorted(expected))
        << words[0] << " " << (words.size() > 1 ? words[1] : "");
  }
  EXPECT_EQ(one("SELECT", "1"), "OK");
  EXPECT_EQ(one("KEYS", "*"), "[{a}s3]");
  EXPECT_EQ(one("SELECT", "0"), "OK");
  // Cut up by cursors as well.
  const Finished scan =
      RunProgram({"redis-cli", "-p", std::to_string(world_.port()), "--user", "one", "--pass", "p",
                  "--no-auth-warning", "--scan", "--pattern", "{a}z*"});
  std::vector<std::string> lines;
  for (size_t at = 0, end; (end = scan.output.find('\n', at)) != std::string::npos; at = end + 1) {
    lines.push_back(scan.output.substr(at, end - at));
  }
  std::sort(lines.begin(), lines.end());
  EXPECT_EQ(lines, (std::vector<std::string>{"{a}z", "{a}z2", "{a}z3", "{a}z4"})) << scan.output;
  // And nobody else has lost or won anything.
  const Reply keys = one("KEYS", "*");
  for (const Reply& key : keys.items) EXPECT_EQ(one("DEL", key.bytes), ":1");
  EXPECT_EQ(All(), before);
  EXPECT_EQ(Sorted(two("KEYS", "*")), "[{a}l {a}l2 {a}m1 {a}m2 {a}s {a}txl {a}x {b}m3]");
  EXPECT_EQ(two("GET", std::string(kPrefixes[0]) + "{a}s"), "(nil)");
  if (GetParam().first == 2) world_.ExpectCopiesEqual();
}

TEST_P(Tenants, NothingGoesBeyond) {
  Client one = As("one");
  Client two = As("two");
  EXPECT_EQ(two("SET", "k", "v"), "OK");
  EXPECT_EQ(plain_("SET", "k", "v"), "OK");
  const std::string before = All();
  for (const Words& words : std::vector<Words>{{"FLUSHALL"},
                                               {"FLUSHDB"},
                                               {"SWAPDB", "0", "1"},
                                               {"DBSIZE"},
                                               {"RANDOMKEY"},
                                               {"EVAL", "return redis.call('keys', '*')", "0"},
                                               {"EVAL", "return 1", "1", "k"},
                                               {"FUNCTION", "FLUSH"},
                                               {"SCRIPT", "FLUSH"},
                                               {"MONITOR"},
                                               {"PROXY", "HOTKEYS"},
                                               {"SLOWLOG", "GET"},
                                               {"CONFIG", "SET", "requirepass", "x"},
                                               {"ACL", "SETUSER", "me", "on"},
                                               {"PUBSUB", "CHANNELS"},
                                               {"CLUSTER", "GETKEYSINSLOT", "1", "10"},
                                               {"DEBUG", "DIGEST"},
                                               {"PUBLISH", "__keyspace@0__:k", "x"},
                                               {"PSUBSCRIBE", "__key*k"},
                                               {"SORT", "k", "GET", "{k}*"},
                                               {"MIGRATE", "h", "1", "k", "0", "1"}}) {
    const Reply reply = one.Run(words);
    EXPECT_TRUE(reply.IsError()) << words[0] << ": " << reply;
  }
  EXPECT_EQ(All(), before);
  EXPECT_TRUE(Has(plain_("ACL", "DRYRUN", "one", "FLUSHALL").bytes, "goes beyond its key space"));
  EXPECT_EQ(plain_("ACL", "GETUSER", "one").Field("prefix"), kPrefixes[0]);
  EXPECT_EQ(plain_("ACL", "GETUSER", "default").items.size(), 12u);
}

TEST_P(Tenants, WaitsAreForTheirOwnKeys) {
  Client waits = As("one");
  waits.Append({"BLPOP", "q", "0"});
  waits.Flush();
  EXPECT_TRUE(
      Eventually([&] { return Has(plain_("INFO", "clients").bytes, "blocked_clients:1"); }));
  EXPECT_EQ(As("two")("RPUSH", "q", "two's"), ":1");
  EXPECT_EQ(plain_("RPUSH", "q", "plain"), ":1");
  EXPECT_EQ(As("one")("RPUSH", "q", "mine"), ":1");
  EXPECT_EQ(waits.Read(), "[q mine]");
  Client reads = As("one");
  reads.Append({"XREAD", "BLOCK", "0", "STREAMS", "x", "$"});
  reads.Flush();
  EXPECT_TRUE(
      Eventually([&] { return Has(plain_("INFO", "clients").bytes, "blocked_clients:1"); }));
  EXPECT_EQ(As("two")("XADD", "x", "1-1", "f", "two's"), "1-1");
  EXPECT_EQ(As("one")("XADD", "x", "2-1", "f", "mine"), "2-1");
  EXPECT_EQ(reads.Read(), "[[x [[2-1 [f mine]]]]]");
  // An optimistic lock knows of its own key alone.
  Client watches = As("one");
  EXPECT_EQ(watches("WATCH", "k"), "OK");
  EXPECT_EQ(As("two")("SET", "k", "two's"), "OK");
  EXPECT_EQ(watches("MULTI"), "OK");
  EXPECT_EQ(watches("SET", "k", "mine"), "QUEUED");
  EXPECT_EQ(watches("EXEC"), "[OK]");
  EXPECT_EQ(watches("WATCH", "k"), "OK");
  EXPECT_EQ(As("one")("SET", "k", "newer"), "OK");
  EXPECT_EQ(watches("MULTI"), "OK");
  EXPECT_EQ(watches("SET", "k", "mine"), "QUEUED");
  EXPECT_EQ(watches("EXEC"), "(nil)");
}

constexpr char kInvalidK[] = ">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n";

TEST_P(Tenants, AreToldOfTheirOwnKeys) {
  for (const Words& options : {Words{}, {"BCAST"}, {"BCAST", "PREFIX", "k"}}) {
    auto one = WireAs("one");
    Words words = {"CLIENT", "TRACKING", "ON"};
    words.insert(words.end(), options.begin(), options.end());
    ASSERT_EQ(one->Ask(words), "+OK\r\n");
    one->Ask({"GET", "k"});
    EXPECT_EQ(As("two")("SET", "k", "v"), "OK");
    EXPECT_EQ(plain_("SET", "k", "v"), "OK");
    EXPECT_EQ(As("one")("SET", "k", "v"), "OK");
    EXPECT_EQ(one->Read(), kInvalidK);
    const std::string info = one->Ask({"CLIENT", "TRACKINGINFO"});
    EXPECT_EQ(info.find("t["), std::string::npos) << info;
    EXPECT_EQ(one->Ask({"PING"}), "+PONG\r\n");
  }
}

// Errors show what the client said, and not what its keys are called in truth.
TEST_P(Tenants, AreToldOfTheirOwnPrefixes) {
  RedisNode alone;
  Wire own(alone.port());
  auto one = WireAs("one");
  own.Ask({"HELLO", "3"});
  for (const Words& options : std::vector<Words>{{"ON", "BCAST", "PREFIX", "ab", "PREFIX", "a"},
                                                 {"ON", "BCAST", "PREFIX", "a", "PREFIX", "a"},
                                                 {"ON", "BCAST", "PREFIX", "a", "PREFIX", ""},
                                                 {"ON", "PREFIX", "a"},
                                                 {"ON", "BCAST", "PREFIX"},
                                                 {"ON", "BCAST", "PREFIX", "a", "PREFIX", "b"},
                                                 {"ON", "BCAST", "PREFIX", "ab"},
                                                 {"ON", "BCAST", "PREFIX", "c", "PREFIX", "b"},
                                                 {"ON", "BCAST", "PREFIX", ""},
                                                 {"ON", "BCAST", "PREFIX", "c"},
                                                 {"ON", "BCAST"},
                                                 {"OFF"},
                                                 {"ON", "BCAST"},
                                                 {"ON", "BCAST"},
                                                 {"ON", "BCAST", "PREFIX", "a"},
                                                 {"OFF"}}) {
    Words words = {"CLIENT", "TRACKING"};
    words.insert(words.end(), options.begin(), options.end());
    EXPECT_EQ(one->Ask(words), own.Ask(words)) << words.back();
    EXPECT_EQ(one->Ask({"CLIENT", "TRACKINGINFO"}), own.Ask({"CLIENT", "TRACKINGINFO"}));
  }
}

TEST_P(Tenants, HearOfTheirOwnKeys) {
  Client one = As("one");
  Client writer = As("one");
  EXPECT_EQ(one("SUBSCRIBE", "__keyspace@0__:k"), "[subscribe __keyspace@0__:k :1]");
  EXPECT_EQ(one("SUBSCRIBE", "__keyevent@0__:set"), "[subscribe __keyevent@0__:set :2]");
  EXPECT_EQ(one("PSUBSCRIBE", "__keyspace@*__:k*"), "[psubscribe __keyspace@*__:k* :3]");
  EXPECT_EQ(one("PSUBSCRIBE", "*"), "[psubscribe * :4]");
  EXPECT_EQ(As("two")("SET", "k", "v"), "OK");
  EXPECT_EQ(plain_("SET", "k", "v"), "OK");
  EXPECT_EQ(plain_("PUBLISH", "news", "x"), ":1");
  EXPECT_EQ(one.Read(), "[pmessage * news x]");
  EXPECT_EQ(writer("SET", "k", "v"), "OK");
  std::vector<std::string> heard;
  for (int i = 0; i < 3; ++i) heard.push_back(one.Read().Text());
  std::sort(heard.begin(), heard.end());
  EXPECT_EQ(heard, (std::vector<std::string>{"[message __keyevent@0__:set k]",
                                             "[message __keyspace@0__:k set]",
                                             "[pmessage __keyspace@*__:k* __keyspace@0__:k set]"}));
  EXPECT_EQ(writer("PUBSUB", "NUMSUB", "__keyspace@0__:k"), "[__keyspace@0__:k :1]");
  EXPECT_EQ(one("UNSUBSCRIBE", "__keyspace@0__:k"), "[unsubscribe __keyspace@0__:k :3]");
  EXPECT_EQ(one("PUNSUBSCRIBE", "__keyspace@*__:k*"), "[punsubscribe __keyspace@*__:k* :2]");
  EXPECT_EQ(As("two")("SET", "k", "v"), "OK");
  EXPECT_EQ(writer("DEL", "k"), ":1");
  EXPECT_EQ(writer("SET", "l", "v"), "OK");
  EXPECT_EQ(one.Read(), "[message __keyevent@0__:set l]");
}

TEST_P(Tenants, AnotherPrefixEndsTheirConnections) {
  std::vector<Client> ends;
  std::vector<Client> stays;
  while (ends.size() < 6) {
    ends.push_back(As("one"));
    stays.push_back(As("two"));
  }
  EXPECT_EQ(ends[0]("SET", "k", "v"), "OK");
  EXPECT_EQ(ends[1]("MULTI"), "OK");
  EXPECT_EQ(ends[1]("SET", "k", "w"), "QUEUED");
  EXPECT_EQ(ends[2]("SUBSCRIBE", "__keyspace@0__:k").items[0], "subscribe");
  ends[3].Append({"BLPOP", "q", "0"});
  ends[3].Flush();
  EXPECT_TRUE(
      Eventually([&] { return Has(plain_("INFO", "clients").bytes, "blocked_clients:1"); }));
  SetUsers(Table("one", "new:") + Table("two", kPrefixes[1], "on >p ~k* &* +@all"));
  for (Client& client : ends) EXPECT_TRUE(client.IsClosed());
  Client one = As("one");
  EXPECT_EQ(one("GET", "k"), "(nil)");
  EXPECT_EQ(one("SET", "k", "new"), "OK");
  EXPECT_EQ(plain_("MGET", "new:k", std::string(kPrefixes[0]) + "k"), "[new v]");
  // Changed rules alone hold for the next command, about what the client says.
  for (Client& client : stays) {
    EXPECT_EQ(client("SET", "k", "v"), "OK");
    EXPECT_TRUE(client("SET", "x", "v").IsError());
  }
  // Also for what is queued.
  EXPECT_EQ(stays[0]("MULTI"), "OK");
  EXPECT_EQ(stays[0]("SET", "{k}", "v"),
            "-NOPERM this user has no permissions to access one of the keys used as arguments");
  EXPECT_TRUE(stays[0]("EXEC").IsError());
  EXPECT_EQ(stays[1]("MULTI"), "OK");
  EXPECT_EQ(stays[1]("SET", "k", "1"), "QUEUED");
  EXPECT_EQ(plain_("ACL", "SETUSER", "two", "-ping"), "OK");
  EXPECT_EQ(stays[1]("EXEC"), "[OK]");
  EXPECT_EQ(stays[2]("MULTI"), "OK");
  EXPECT_EQ(stays[2]("SET", "k", "2"), "QUEUED");
  EXPECT_EQ(plain_("ACL", "SETUSER", "two", "resetkeys", "~other"), "OK");
  EXPECT_TRUE(Has(stays[2]("EXEC").items.at(0).bytes, "no permission to touch the specified keys"));
}

// What is brought back has its prefix already, and gets no second one.
TEST_P(Tenants, GoOnWithAnotherBinary) {
  SetUsers(Table("one", kPrefixes[0], "on >p ~k* &* +@all") + Table("two", kPrefixes[1]));
  Client block = As("one");
  Client listens = As("one");
  Client waits = As("one");
  EXPECT_EQ(block("MULTI"), "OK");
  EXPECT_EQ(block("SET", "k", "1"), "QUEUED");
  EXPECT_EQ(listens("SUBSCRIBE", "__keyspace@0__:k"), "[subscribe __keyspace@0__:k :1]");
  waits.Append({"BLPOP", "kq", "0"});
  waits.Flush();
  EXPECT_TRUE(
      Eventually([&] { return Has(plain_("INFO", "clients").bytes, "blocked_clients:1"); }));
  ASSERT_TRUE(plain_("PROXY", "UPGRADE").Text().starts_with("OK gemel "));
  EXPECT_EQ(block("INCR", "k"), "QUEUED");
  EXPECT_EQ(block("EXEC"), "[OK :2]");
  EXPECT_EQ(listens.Read(), "[message __keyspace@0__:k set]");
  EXPECT_EQ(listens.Read(), "[message __keyspace@0__:k incrby]");
  EXPECT_EQ(listens("UNSUBSCRIBE", "__keyspace@0__:k"), "[unsubscribe __keyspace@0__:k :0]");
  EXPECT_EQ(As("one")("RPUSH", "kq", "x"), ":1");
  EXPECT_EQ(waits.Read(), "[kq x]");
  EXPECT_EQ(waits("GET", "k"), "2");
  EXPECT_TRUE(waits("GET", "other").IsError());
  EXPECT_EQ(plain_("KEYS", "*"), "[" + std::string(kPrefixes[0]) + "k]");
}

TEST_P(Tenants, OfARealClient) {
  const Finished finished = RunProgram(
      {"/usr/bin/python3", ClientScript("tenants_redis_py.py"), std::to_string(world_.port())});
  EXPECT_EQ(finished.exit_code, 0) << finished.output;
}

INSTANTIATE_TEST_SUITE_P(ShardsAndWorkers, Tenants,
                         testing::Values(std::pair(1, 1), std::pair(2, 2)));

}  // namespace
}  // namespace gemel::e2e::tenants_test
