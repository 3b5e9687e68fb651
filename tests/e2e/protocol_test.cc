// Nodes that speak RESP2 alone, beside others, and clients of both protocols in front of them.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/e2e/cluster.h"
#include "tests/e2e/load.h"
#include "tests/e2e/raw_socket.h"
#include "tests/e2e/redis_node.h"
#include "tests/e2e/wait.h"
#include "tests/e2e/wire.h"

namespace gemel::e2e::protocol_test {
namespace {

// As a server before 6.0.
const Words kNoHello = {"--rename-command", "HELLO", ""};

class OldNodes : public ::testing::Test {
 protected:
  void StartProxy(const RedisNode& primary, const RedisNode& replica) {
    proxy_.Start("[proxy]\nlisten = [\"127.0.0.1:" + std::to_string(proxy_.port()) +
                 "\"]\nstate_dir = \"state\"\n[health]\n" + kPatientProbes +
                 "\n[[shard]]\nname = \"a\"\nprimary = \"" + primary.address() +
                 "\"\nreplicas = [\"" + replica.address() + "\"]\n");
    ASSERT_TRUE(WaitUntilInSync()) << proxy_.Log();
  }
  bool WaitUntilInSync() {
    return Eventually([&] {
      const std::vector<ShardStatus> shards = ReadShards(Client(proxy_.port()));
      return shards.size() == 1 && shards[0].AllInSync();
    });
  }
  Client Connect() { return Client(proxy_.port()); }
  // How the answer begins.
  std::string Hello3() {
    RawSocket socket(proxy_.port());
    socket.Send(Encode({"HELLO", "3"}));
    return socket.Read(12);
  }
  std::string Diverged() {
    return Connect()("PROXY", "SHARDS").items.at(0).Field("diverged").Text();
  }

  ProxyProcess proxy_;
};

// Whatever the links speak, a client of RESP2 gets the same.
void ExpectRepliesOfResp2(Client client) {
  client("DEL", "h", "s", "z", "none");
  EXPECT_EQ(client("HSET", "h", "f", "v"), ":1");
  EXPECT_EQ(client("HGETALL", "h"), "[f v]");
  EXPECT_EQ(client("SADD", "s", "m"), ":1");
  EXPECT_EQ(client("SMEMBERS", "s"), "[m]");
  EXPECT_EQ(client("ZADD", "z", "0.5", "a", "2", "b"), ":2");
  EXPECT_EQ(client("ZRANGE", "z", "0", "-1", "WITHSCORES"), "[a 0.5 b 2]");
  EXPECT_EQ(client("ZINCRBY", "z", "1", "a"), "1.5");
  EXPECT_EQ(client("ZPOPMIN", "z", "2"), "[a 1.5 b 2]");
  EXPECT_EQ(client("ZPOPMIN", "z"), "[]");
  EXPECT_EQ(client("LPOP", "none"), "(nil)");
  EXPECT_EQ(client("LPOP", "none", "2"), "(nil)");
  EXPECT_EQ(client("GETDEL", "none"), "(nil)");
  EXPECT_EQ(client("SET", "none", "v", "XX"), "(nil)");
  EXPECT_EQ(client("SPOP", "s"), "m");
  EXPECT_EQ(client("SPOP", "s"), "(nil)");
  EXPECT_EQ(client("LMPOP", "1", "none", "LEFT"), "(nil)");
  EXPECT_EQ(client("MGET", "none", "nobody"), "[(nil) (nil)]");
}

TEST_F(OldNodes, AnswerClientsOfResp2AndHello3IsRefused) {
  RedisNode primary(kNoHello);
  RedisNode replica(kNoHello);
  StartProxy(primary, replica);
  Client client = Connect();
  const std::string refusal = client("HELLO", "3").Text();
  EXPECT_TRUE(refusal.starts_with("-NOPROTO unsupported protocol version: 127.0.0.1:")) << refusal;
  EXPECT_TRUE(refusal.ends_with(" of shard 'a' speaks RESP2 alone, or does not allow HELLO"))
      << refusal;
  EXPECT_EQ(client("HELLO", "2").Field("proto"), ":2");
  EXPECT_EQ(client("HELLO", "4"), "-NOPROTO unsupported protocol version");
  ExpectRepliesOfResp2(Connect());
  EXPECT_EQ(Diverged(), ":0");
}

class OldNodesBesideOthers : public OldNodes, public ::testing::WithParamInterface<bool> {};

TEST_P(OldNodesBesideOthers, NothingIsTakenForADifference) {
  const bool old_primary = GetParam();
  RedisNode old(kNoHello);
  RedisNode fresh;
  StartProxy(old_primary ? old : fresh, old_primary ? fresh : old);
  ExpectRepliesOfResp2(Connect());
  Client client = Connect();
  // Each type that the audit reads in another form.
  client("RPUSH", "list", "a", "b");
  client("HSET", "hash", "a", "1", "b", "2");
  client("SADD", "set", "a", "b");
  client("ZADD", "zset", "0.1", "a", "2", "b");
  client("XADD", "stream", "1-1", "f", "v");
  client("XGROUP", "CREATE", "stream", "g", "0");
  const Reply audit = client("PROXY", "AUDIT", "a").items.at(0);
  EXPECT_EQ(audit.Field("differences"), ":0") << audit << proxy_.Log();
  EXPECT_EQ(Diverged(), ":0");
  EXPECT_EQ(old.Digest(), fresh.Digest());
  EXPECT_EQ(Hello3().substr(0, 8), "-NOPROTO");
}

INSTANTIATE_TEST_SUITE_P(OldPrimary, OldNodesBesideOthers, ::testing::Bool());

TEST_F(OldNodes, OnceTheyAreReplacedHello3IsTaken) {
  RedisNode primary;
  RedisNode replica(kNoHello);
  StartProxy(primary, replica);
  EXPECT_EQ(Hello3().substr(0, 8), "-NOPROTO");
  replica.Stop();
  replica.set_options({});
  replica.Start();
  ASSERT_TRUE(WaitUntilInSync());
  EXPECT_TRUE(Eventually([&] { return Hello3().starts_with("%7\r\n"); })) << proxy_.Log();
}

// Options of HELLO take effect in their order: what is wrong behind one does not undo it.
TEST(Hello, OptionsAreThoseOfRedis) {
  Cluster cluster({.shards = 1});
  RedisNode alone;
  const std::vector<std::string> lines = {"HELLO 3 SETNAME one AUTH nobody wrong",
                                          "CLIENT GETNAME",
                                          "HELLO 3 AUTH nobody wrong SETNAME two",
                                          "CLIENT GETNAME",
                                          "HELLO 3 AUTH default any SETNAME three NOTHING",
                                          "CLIENT GETNAME",
                                          "HELLO 2 SETNAME four SETNAME fi\tve",
                                          "CLIENT GETNAME",
                                          "HELLO 2 SETNAME four SETNAME",
                                          "CLIENT GETNAME",
                                          "HELLO 2 SETNAME \"\"",
                                          "CLIENT GETNAME"};
  Wire gemel(cluster.proxy().port());
  Wire redis(alone.port());
  for (const std::string& line : lines) {
    const std::string ours = gemel.Ask(WordsOf(line));
    const std::string theirs = redis.Ask(WordsOf(line));
    if (theirs[0] == '-' || theirs[0] == '$' || theirs[0] == '_')
      EXPECT_EQ(ours, theirs) << line;
    else
      EXPECT_EQ(ours[0], theirs[0]) << line;
  }
}

// What was asked in RESP2 is answered in it, though HELLO came behind it in one write.
TEST(Protocol, ChangesBetweenTwoRequestsOfAPipeline) {
  for (const int workers : {1, 2}) {
    Cluster cluster({.shards = 2, .workers = workers});
    Client filler = cluster.Connect();
    for (const std::string& key : {cluster.KeyOn(0, "h"), cluster.KeyOn(1, "h")}) {
      EXPECT_EQ(filler("HSET", key, "f", "v"), ":1");
      RawSocket socket(cluster.proxy().port());
      const std::string two = "*2\r\n$1\r\nf\r\n$1\r\nv\r\n*2\r\n$-1\r\n$-1\r\n";
      const std::string three = "%1\r\n$1\r\nf\r\n$1\r\nv\r\n*2\r\n_\r\n_\r\n";
      const std::string asked = Encode({"HGETALL", key}) + Encode({"MGET", "no-1", "no-2"});
      socket.Send(asked + Encode({"HELLO", "3"}) + asked + Encode({"RESET"}) + asked);
      EXPECT_EQ(socket.Read(two.size()), two);
      std::string hello;
      while (!hello.ends_with("$7\r\nmodules\r\n*0\r\n")) hello += socket.Read(1);
      EXPECT_TRUE(hello.starts_with("%7\r\n$6\r\nserver\r\n")) << hello;
      EXPECT_EQ(socket.Read(three.size()), three);
      EXPECT_EQ(socket.Read(8), "+RESET\r\n");
      EXPECT_EQ(socket.Read(two.size()), two);
    }
  }
}

// A large reply whose bytes are mostly the same in both protocols, and one of which none are.
TEST(Protocol, LargeRepliesOfBothProtocols) {
  Cluster cluster({.shards = 1});
  Client client = cluster.Connect();
  const std::string value(100000, 'v');
  for (int i = 0; i < 100; ++i) client.Append({"HSET", "h", "f" + std::to_string(i), value});
  for (int i = 0; i < 100; ++i) EXPECT_EQ(client.Read(), ":1");
  Words add = {"ZADD", "z"};
  for (int i = 0; i < 50000; ++i) {
    add.insert(add.end(), {std::to_string(i) + ".5", "m" + std::to_string(i)});
  }
  EXPECT_EQ(client.Run(add), ":50000");
  for (int round = 0; round < 3; ++round) {
    const Reply hash = client("HGETALL", "h");
    ASSERT_EQ(hash.items.size(), 200u);
    EXPECT_EQ(hash.items.at(199).bytes, value);
    const Reply scores = client("ZRANGE", "z", "0", "-1", "WITHSCORES");
    ASSERT_EQ(scores.items.size(), 100000u);
    EXPECT_EQ(scores.items.at(99999), "49999.5");
  }
}

}  // namespace
}  // namespace gemel::e2e::protocol_test
