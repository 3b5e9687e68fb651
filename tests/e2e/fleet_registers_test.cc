// A fleet whose registers are on the nodes of its own shards: clients neither see nor hurt them.

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/e2e/fleet_world.h"
#include "tests/e2e/kept_registers.h"
#include "tests/e2e/look.h"
#include "tests/e2e/proxy_process.h"
#include "tests/e2e/wait.h"

namespace gemel::e2e::fleet_registers_test {
namespace {

class FleetRegisters : public ::testing::Test {
 protected:
  FleetRegisters() {
    for (int i = 0; i < 4; ++i) before_.push_back(NonceOf(node(i)));
  }
  RedisNode& node(int i) { return fleet_.node(i / 2, i % 2); }
  // Each node is the acceptor that it was: nothing of it was ever removed.
  void ExpectUntouched() {
    for (int i = 0; i < 4; ++i) {
      EXPECT_NE(before_[static_cast<size_t>(i)], "");
      EXPECT_EQ(NonceOf(node(i)), before_[static_cast<size_t>(i)]) << i;
    }
  }

  FleetWorld fleet_{{.workers = 2, .lease_ms = 3000, .on_nodes = true}};
  std::vector<std::string> before_;
};

TEST_F(FleetRegisters, FlushallIsOfTheClientsDatabases) {
  for (int i = 0; i < fleet_.members(); ++i) {
    for (const Words& flush :
         {Words{"FLUSHALL"}, Words{"FLUSHALL", "ASYNC"}, Words{"flushall", "sync"}}) {
      Client client = fleet_.Connect(i);
      for (int shard = 0; shard < 2; ++shard) {
        const std::string key = fleet_.KeyOn(shard);
        for (const char* database : {"0", "3", "14"}) {
          ASSERT_EQ(client("SELECT", database), "OK");
          ASSERT_EQ(client("SET", key, "v"), "OK");
        }
      }
      EXPECT_EQ(client("DBSIZE"), ":2");
      ASSERT_EQ(client("SELECT", "3"), "OK");
      EXPECT_EQ(client.Run(flush), "OK");
      EXPECT_EQ(client("DBSIZE"), ":0");
      EXPECT_EQ(client("SET", "there", "v"), "OK") << "in the database that was selected";
      for (const char* database : {"0", "14"}) {
        ASSERT_EQ(client("SELECT", database), "OK");
        EXPECT_EQ(client("DBSIZE"), ":0");
      }
      EXPECT_EQ(client("FLUSHALL"), "OK");
    }
    Client client = fleet_.Connect(i);
    EXPECT_TRUE(client("FLUSHALL", "now").Text().starts_with("-ERR syntax error"));
  }
  ExpectUntouched();
  fleet_.ExpectCopiesEqual();
}

TEST_F(FleetRegisters, NobodySeesThem) {
  Client client = fleet_.Connect(1);
  ASSERT_EQ(client("FLUSHALL"), "OK");
  EXPECT_EQ(client("DBSIZE"), ":0");
  EXPECT_EQ(client("RANDOMKEY"), "(nil)");
  EXPECT_EQ(client("KEYS", "*"), "[]");
  std::string cursor = "0";
  do {
    const Reply found = client("SCAN", cursor, "COUNT", "1000");
    ASSERT_EQ(found.items.size(), 2u) << found;
    EXPECT_EQ(found.items[1], "[]");
    cursor = found.items[0].bytes;
  } while (cursor != "0");
  EXPECT_EQ(client("SET", "k", "v"), "OK");
  const std::string info = client("INFO", "keyspace").bytes;
  EXPECT_TRUE(Has(info, "db0:keys=1")) << info;
  EXPECT_FALSE(Has(info, "db15")) << info;
  EXPECT_EQ(client("CONFIG", "GET", "databases"), "[databases 15]");
  EXPECT_TRUE(client("SELECT", "15").Text().starts_with("-ERR DB index is out of range"));
  EXPECT_TRUE(client("SWAPDB", "0", "15").IsError());
  EXPECT_TRUE(client("MOVE", "k", "15").IsError());
  EXPECT_TRUE(client("COPY", "k", "k", "DB", "15").IsError());
  EXPECT_EQ(client("SWAPDB", "0", "14"), "OK");
  EXPECT_EQ(client("SWAPDB", "14", "0"), "OK");
  EXPECT_EQ(client("GET", "k"), "v");
  ExpectUntouched();
}

TEST_F(FleetRegisters, NorDoScripts) {
  Client client = fleet_.Connect(2);
  const std::string key = fleet_.KeyOn(1);
  ASSERT_EQ(client("SET", key, "v"), "OK");
  const std::string look = "redis.call('SELECT', 15) return redis.call('KEYS', '*')";
  for (const char* call : {"EVAL", "EVAL_RO"}) {
    for (const std::string& script :
         {look, "#!lua flags=no-writes\n" + look, std::string("return redis.call('FLUSHALL')"),
          std::string("return redis.call('SWAPDB', 0, 15)"),
          std::string("return redis.call('COPY', KEYS[1], 'x', 'DB', 15)")}) {
      EXPECT_TRUE(client(call, script, "1", key).IsError()) << call << " " << script;
      EXPECT_TRUE(client(call, script, "0").IsError()) << call << " " << script;
    }
  }
  EXPECT_EQ(client("EVAL_RO", "return redis.call('GET', KEYS[1])", "1", key), "v");
  EXPECT_EQ(client("EVAL", "#!lua flags=no-writes\nreturn redis.call('GET', KEYS[1])", "1", key),
            "v");
  EXPECT_EQ(
      client("FUNCTION", "LOAD",
             "#!lua name=lib\n"
             "redis.register_function('flush', function() return redis.call('FLUSHALL') end)\n"
             "redis.register_function{function_name='look', flags={'no-writes'}, "
             "callback=function() " +
                 look + " end}"),
      "lib");
  for (const char* call : {"FCALL", "FCALL_RO"}) {
    for (const char* function : {"flush", "look"}) {
      EXPECT_TRUE(client(call, function, "1", key).IsError()) << call << " " << function;
      EXPECT_TRUE(client(call, function, "0").IsError()) << call << " " << function;
    }
  }
  // What nodes know of scripts is nothing that the registers would need.
  EXPECT_EQ(client("SCRIPT", "FLUSH"), "OK");
  EXPECT_EQ(client("FUNCTION", "FLUSH"), "OK");
  EXPECT_EQ(client("GET", key), "v");
  ExpectUntouched();
  fleet_.ExpectCopiesEqual();
}

TEST(FleetRegistersOfOneShard, NorDoTransactions) {
  FleetWorld fleet({.shards = 1, .copies = 3, .lease_ms = 3000, .on_nodes = true});
  std::vector<std::string> before;
  for (int i = 0; i < 3; ++i) before.push_back(NonceOf(fleet.node(0, i)));
  for (int i = 0; i < fleet.members(); ++i) {
    Client client = fleet.Connect(i);
    EXPECT_EQ(client("SET", "k", "v"), "OK");
    ASSERT_EQ(client("SELECT", "2"), "OK");
    EXPECT_EQ(client("SET", "k", "v"), "OK");
    EXPECT_EQ(client("MULTI"), "OK");
    EXPECT_EQ(client("SET", "gone", "v"), "QUEUED");
    EXPECT_EQ(client("FLUSHALL"), "QUEUED");
    EXPECT_EQ(client("SET", "there", "v"), "QUEUED");
    EXPECT_EQ(client("EXEC"), "[OK OK OK]");
    EXPECT_EQ(client("KEYS", "*"), "[there]");
    ASSERT_EQ(client("SELECT", "0"), "OK");
    EXPECT_EQ(client("DBSIZE"), ":0");
    EXPECT_EQ(client("MULTI"), "OK");
    EXPECT_EQ(client("SELECT", "15"), "QUEUED");
    EXPECT_EQ(client("KEYS", "*"), "QUEUED");
    const Reply whole = client("EXEC");
    EXPECT_TRUE(Has(whole.Text(), "DB index is out of range")) << whole;
    EXPECT_FALSE(Has(whole.Text(), "gemel:paxos")) << whole;
  }
  for (int i = 0; i < 3; ++i) EXPECT_EQ(NonceOf(fleet.node(0, i)), before[static_cast<size_t>(i)]);
  fleet.ExpectCopiesEqual();
}

TEST_F(FleetRegisters, NorAreTheyHeardOf) {
  for (int i = 0; i < 4; ++i) node(i).Connect()("CONFIG", "SET", "notify-keyspace-events", "KEA");
  Client client = fleet_.Connect(0);
  client.Append({"PSUBSCRIBE", "__key*__:*", "*"});
  EXPECT_EQ(client.Read().items.at(0), "psubscribe");
  EXPECT_EQ(client.Read().items.at(0), "psubscribe");
  // While members renew their leases, of which the nodes tell.
  const auto value = [&] { return LifeOn(node(0), "m1"); };
  for (int i = 0; i < 3; ++i) {
    const std::string now = value();
    ASSERT_TRUE(Eventually([&] { return value() != now; }));
  }
  EXPECT_EQ(fleet_.Connect(1)("SET", fleet_.KeyOn(0), "v"), "OK");
  const Reply first = client.Read();
  ASSERT_EQ(first.items.size(), 4u) << first;
  EXPECT_TRUE(Has(first.items[2].bytes, "@0__:")) << first;
}

TEST_F(FleetRegisters, AnAuditFindsNoDifference) {
  Client client = fleet_.Connect(0);
  for (int i = 0; i < 200; ++i) client("SET", "key:" + std::to_string(i), std::to_string(i));
  int64_t compared = 0;
  for (int i = 0; i < fleet_.members(); ++i) {
    for (const Reply& shard : fleet_.Connect(i)("PROXY", "AUDIT").items) {
      if (shard.kind != Reply::Kind::kArray) continue;
      compared += shard.Field("compared").integer;
      EXPECT_EQ(shard.Field("differences").integer, 0) << shard;
    }
  }
  EXPECT_GE(compared, 200);
  ExpectUntouched();
}

TEST(FleetRegistersConfig, SaysWhatItBears) {
  FleetWorld fleet({.started = 0, .on_nodes = true});
  const auto check = [&](const std::string& text) {
    WriteFile(fleet.member(0).config_path(), text);
    return RunProgram({GemelBinary(), "-t", "-c", fleet.member(0).config_path()}, "",
                      std::chrono::seconds(60));
  };
  Finished good = check(fleet.Config(0));
  EXPECT_EQ(good.exit_code, 0);
  EXPECT_TRUE(Has(good.output, "4 nodes of the shards, of which any 1 may be down")) << good.output;
  EXPECT_TRUE(Has(good.output, "clients have 15, 0 to 14")) << good.output;
  std::string one = fleet.Config(0);
  one = one.substr(0, one.rfind("[[shard]]"));
  Finished bad = check(one);
  EXPECT_NE(bad.exit_code, 0);
  EXPECT_TRUE(Has(bad.output, "expected at least 3")) << bad.output;
}

TEST(FleetRegistersServers, MayBeNodesOfShards) {
  FleetWorld fleet({.started = 0, .on_nodes = true});
  const std::string servers = "[\"" + fleet.node(0, 0).address() + "\", \"" +
                              fleet.node(0, 1).address() + "\", \"" + fleet.node(1, 0).address() +
                              "\"]";
  for (int i = 0; i < fleet.members(); ++i) {
    WriteFile(fleet.member(i).config_path(), fleet.Config(i, {{"fleet.servers", servers}}));
    fleet.member(i).Launch();
  }
  for (int i = 0; i < fleet.members(); ++i) fleet.member(i).WaitUntilServes();
  ASSERT_TRUE(fleet.WaitUntilServed(0));
  ASSERT_TRUE(fleet.WaitUntilInSync());
  EXPECT_EQ(fleet.Keepers(1).size(), 3u);
  const std::string before = NonceOf(fleet.node(1, 0));
  EXPECT_EQ(fleet.Connect(0)("FLUSHALL"), "OK");
  EXPECT_EQ(NonceOf(fleet.node(1, 0)), before);
  EXPECT_EQ(NonceOf(fleet.node(1, 1)), "");
  fleet.node(1, 0).Kill();
  EXPECT_TRUE(fleet.WaitUntilServed(2));
  fleet.node(1, 0).Start();
  EXPECT_TRUE(fleet.WaitUntilInSync());
  EXPECT_TRUE(Eventually([&] { return !NonceOf(fleet.node(1, 0)).empty(); }));
  fleet.ExpectCopiesEqual();
}

}  // namespace
}  // namespace gemel::e2e::fleet_registers_test
