// [commands] of the config: what clients cannot call, or call otherwise; DEBUG.

#include <gtest/gtest.h>

#include <string>

#include "tests/e2e/cluster.h"
#include "tests/e2e/look.h"
#include "tests/e2e/reload_world.h"

namespace gemel::e2e::command_rules_test {
namespace {

TEST(CommandRules, DisabledAndRenamedThreaded) {
  Cluster cluster({.workers = 2,
                   .sections = {{"commands",
                                 "disabled = [\"FLUSHALL\", \"config|set\", \"shutdown\"]\n"
                                 "renamed = [\"keys=slow-keys\", \"get=fetch\", \"mget=mfetch\", "
                                 "\"eval=run\", \"config=c0nfig\"]"}}});
  for (int i = 0; i < 4; ++i) {  // of both workers
    Client client = cluster.Connect();
    const std::string key = "key:" + std::to_string(i);
    ASSERT_EQ(client("SET", key, "v"), "OK");
    EXPECT_EQ(client("FLUSHALL"),
              "-ERR unknown command 'flushall': it is disabled here, by [commands] disabled in the "
              "config of gemel");
    EXPECT_EQ(client("GET", key),
              "-ERR unknown command 'GET', with args beginning with: '" + key + "' ");
    EXPECT_EQ(client("Fetch", key), "v");
    EXPECT_EQ(client("Fetch"), "-ERR wrong number of arguments for 'get' command");
    EXPECT_EQ(client("MFETCH", key, "{" + key + "}other"), "[v (nil)]") << "of one shard or of two";
    EXPECT_EQ(client("run", "return redis.call('get', KEYS[1])", "1", key), "v")
        << "the nodes know nothing of it";
    EXPECT_EQ(client("slow-keys", key).items.size(), 1u);
    EXPECT_TRUE(client("c0nfig", "get", "maxclients").items.size() == 2);
    EXPECT_TRUE(client("c0nfig", "set", "maxclients", "9").IsError());
    EXPECT_TRUE(client("config", "get", "maxclients").IsError());
    // In a transaction as outside.
    ASSERT_EQ(client("MULTI"), "OK");
    EXPECT_EQ(client("fetch", key), "QUEUED");
    EXPECT_EQ(client("EXEC"), "[v]");
    ASSERT_EQ(client("MULTI"), "OK");
    EXPECT_TRUE(client("GET", key).IsError());
    EXPECT_TRUE(Has(client("EXEC").bytes, "EXECABORT"));
    // COMMAND tells neither of them, nor the other names.
    EXPECT_EQ(client("COMMAND", "INFO", "get", "flushall", "fetch"), "[(nil) (nil) (nil)]");
    const std::string list = client("COMMAND", "LIST").Text();
    EXPECT_FALSE(Has(list, " keys ") || Has(list, "slow-keys") || Has(list, "flushall"));
    EXPECT_TRUE(Has(list, " set "));
  }
  // Nor does the config.
  Client client = cluster.Connect();
  EXPECT_EQ(
      client("c0nfig", "get", "commands.*"),
      "[commands.disabled flushall config|set shutdown commands.renamed keys get mget eval config "
      "commands.debug no commands.node_options true]");
  cluster.ExpectCopiesEqual();
}

TEST(CommandRules, AreReloadedAndOnlyByTheFile) {
  ReloadWorld world({.shards = 1, .workers = 2});
  std::vector<Client> clients;
  for (int i = 0; i < 4; ++i) clients.push_back(world.Connect());
  for (Client& client : clients) ASSERT_EQ(client("SET", "k", "v"), "OK");
  world.file().options["commands"]["disabled"] = "[\"get\"]";
  world.file().options["commands"]["renamed"] = "[\"set=put\"]";
  EXPECT_TRUE(Has(world.Reload(), "commands.disabled"));
  for (Client& client : clients) {
    EXPECT_TRUE(client("GET", "k").IsError());
    EXPECT_TRUE(client("SET", "k", "v").IsError());
    EXPECT_EQ(client("PUT", "k", "w"), "OK");
    EXPECT_TRUE(Has(client("CONFIG", "SET", "commands.disabled", "").bytes, "only the config file"))
        << client("CONFIG", "SET", "commands.disabled", "");
  }
  // Another second name is a change, too, though none is told.
  world.file().options["commands"]["renamed"] = "[\"set=store\"]";
  const std::string told = world.Reload();
  EXPECT_TRUE(Has(told, "commands.renamed")) << told;
  EXPECT_FALSE(Has(told, "store"));
  for (Client& client : clients) {
    EXPECT_TRUE(client("PUT", "k", "w").IsError());
    EXPECT_EQ(client("store", "k", "x"), "OK");
  }
  world.file().options.erase("commands");
  world.Reload();
  for (Client& client : clients) EXPECT_EQ(client("GET", "k"), "x");
  // What cannot be is refused, with its place.
  world.file().options["commands"]["disabled"] = "[\"flushal\"]";
  const std::string refused = world.Reload();
  EXPECT_TRUE(Has(refused, "there is no command \"flushal\"")) << refused;
  for (Client& client : clients) EXPECT_EQ(client("GET", "k"), "x");
}

TEST(CommandRules, Debug) {
  Cluster off;
  EXPECT_TRUE(Has(off.Connect()("DEBUG", "SLEEP", "0").bytes, "DEBUG command not allowed"));
  EXPECT_EQ(off.Connect()("COMMAND", "INFO", "debug"), "[(nil)]");

  Cluster cluster({.sections = {{"commands", "debug = \"local\""}},
                   .redis_options = {"--enable-debug-command", "yes"}});
  RedisNode bare({"--enable-debug-command", "yes"});
  Client client = cluster.Connect();
  Client redis = bare.Connect();
  for (int i = 0; i < 50; ++i) {
    const std::string n = std::to_string(i);
    for (Client* each : {&client, &redis}) {
      (*each)("RPUSH", "list:" + n, "a", n);
      (*each)("SADD", "set:" + n, n, "b");
    }
  }
  for (const Words& words :
       {Words{"DEBUG", "DIGEST-VALUE", "list:1"}, Words{"DEBUG", "SLEEP", "0.05"},
        Words{"DEBUG", "ERROR", "ERR mine"}, Words{"DEBUG", "PROTOCOL", "map"},
        Words{"DEBUG", "PROTOCOL", "bignum"}, Words{"DEBUG", "PROTOCOL", "null"},
        Words{"DEBUG", "OBJECT", "nosuch"}, Words{"DEBUG", "SDSLEN", "list:1"}, Words{"DEBUG"}}) {
    EXPECT_EQ(client.Run(words), redis.Run(words).Text()) << words.back();
  }
  EXPECT_TRUE(Has(client("DEBUG", "OBJECT", "list:7").bytes, "encoding:quicklist"));
  EXPECT_EQ(client("DEBUG", "DIGEST-VALUE", "list:1", "nosuch", "list:2").items.size(), 0u)
      << "of two shards";
  EXPECT_EQ(client("DEBUG", "DIGEST").bytes.size(), 40u);
  Cluster one({.shards = 1,
               .sections = {{"commands", "debug = \"yes\""}},
               .redis_options = {"--enable-debug-command", "yes"}});
  ASSERT_EQ(one.Connect()("SET", "k", "v"), "OK");
  EXPECT_EQ(one.Connect()("DEBUG", "DIGEST"), one.node(0, 1).Digest());
  EXPECT_TRUE(client("DEBUG", "SEGFAULT").IsError());
  EXPECT_EQ(client("PING"), "PONG");
  cluster.ExpectCopiesEqual();
}

}  // namespace
}  // namespace gemel::e2e::command_rules_test
