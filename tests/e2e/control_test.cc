// What an operator does while clients go on: PROXY PROMOTE, DRAIN, UNDRAIN, RESYNC, the failback,
// and what PROXY EVENTS tells of it.

#include <gtest/gtest.h>

#include <sstream>
#include <string>

#include "tests/e2e/cluster.h"
#include "tests/e2e/load.h"

namespace gemel::e2e::control_test {
namespace {

ClusterOptions Options(int workers, int copies = 2) {
  return {.shards = 2,
          .copies = copies,
          .workers = workers,
          .sections = {{"timeouts", "request_ms = 30000\nreconnect_max_ms = 100"},
                       {"resync", "retry_ms = 100\npause_ms = 10000"}}};
}

std::string StateOf(const Cluster& cluster, int shard, const RedisNode& node) {
  return cluster.Status(shard).Node(node.address()).state;
}

// The texts of a shard's events, one a line, oldest first.
std::string Events(const Cluster& cluster, const std::string& shard) {
  std::string texts;
  for (const Reply& event : cluster.Connect()("PROXY", "EVENTS").items) {
    if (event.Field("shard") == shard) texts += event.Field("event").bytes + "\n";
  }
  return texts;
}

class Control : public testing::TestWithParam<int> {};  // workers
INSTANTIATE_TEST_SUITE_P(Workers, Control, testing::Values(1, 2), [](const auto& info) {
  return std::string(info.param == 1 ? "One" : "TwoThreaded");
});

TEST_P(Control, PromoteUnderLoad) {
  Cluster cluster(Options(GetParam()));
  Client client = cluster.Connect();
  Load load(cluster.proxy().port(), {.threads = 4, .pipeline = 8});
  EXPECT_TRUE(load.WaitForMore(500));
  const int64_t epoch = cluster.Status(1).epoch;
  for (int i = 1; i <= 6; ++i) {
    // With and without a name.
    const RedisNode& next = cluster.node(1, i % 2);
    EXPECT_EQ(i % 3 == 0 ? client("PROXY", "PROMOTE", "b")
                         : client("PROXY", "PROMOTE", "b", next.address()),
              "OK");
    const ShardStatus shard = cluster.Status(1);
    EXPECT_EQ(shard.primary, next.address());
    EXPECT_EQ(shard.epoch, epoch + i);
    EXPECT_TRUE(shard.AllInSync());
    EXPECT_TRUE(load.WaitForMore(200));
  }
  EXPECT_EQ(cluster.Status(0).primary, cluster.node(0, 0).address());
  load.Stop();
  load.Verify(cluster.proxy().port());
  cluster.ExpectCopiesEqual();
}

TEST_P(Control, DrainedPrimaryIsStoppedUnderLoad) {
  Cluster cluster(Options(GetParam()));
  Client client = cluster.Connect();
  RedisNode& node = cluster.node(0, 0);
  Load load(cluster.proxy().port(), {.threads = 4, .pipeline = 8});
  EXPECT_TRUE(load.WaitForMore(500));
  EXPECT_EQ(client("PROXY", "DRAIN", node.address()), "OK");
  EXPECT_EQ(cluster.Status(0).primary, cluster.node(0, 1).address());
  EXPECT_EQ(StateOf(cluster, 0, node), "drained");
  EXPECT_TRUE(cluster.proxy().Logs(node.address() + " is drained (epoch "));
  const std::string log = cluster.proxy().Log();
  node.Kill();
  EXPECT_TRUE(load.WaitForMore(500));
  // Nobody lets it in, and nobody complains, whether it is there or not.
  node.Start();
  EXPECT_TRUE(load.WaitForMore(500));
  EXPECT_EQ(StateOf(cluster, 0, node), "drained");
  EXPECT_EQ(node.Connect()("DBSIZE"), ":0");
  const std::string added = cluster.proxy().Log().substr(log.size());
  // But that it is to tell what it removes, which it forgot.
  std::istringstream lines(added);
  for (std::string line; std::getline(lines, line);) {
    EXPECT_TRUE(line.find(node.address()) == std::string::npos ||
                line.find("has notify-keyspace-events") != std::string::npos)
        << line;
  }
  EXPECT_EQ(added.find(" warning "), std::string::npos) << added;
  EXPECT_EQ(client("PROXY", "UNDRAIN", node.address()), "OK");
  EXPECT_TRUE(cluster.WaitUntilInSync());
  EXPECT_EQ(cluster.Status(0).primary, cluster.node(0, 1).address());
  EXPECT_TRUE(load.WaitForMore(500));
  load.Stop();
  load.Verify(cluster.proxy().port());
  cluster.ExpectCopiesEqual();
}

TEST_P(Control, EachNodeInItsTurnUnderLoad) {
  // A rolling maintenance: drained, stopped, started empty, let in again.
  Cluster cluster(Options(GetParam()));
  Client client = cluster.Connect();
  Load load(cluster.proxy().port(), {.threads = 3, .pipeline = 4});
  for (int shard = 0; shard < 2; ++shard) {
    for (int copy = 0; copy < 2; ++copy) {
      RedisNode& node = cluster.node(shard, copy);
      EXPECT_TRUE(load.WaitForMore(200));
      ASSERT_EQ(client("PROXY", "DRAIN", node.address()), "OK");
      node.Stop();
      EXPECT_TRUE(load.WaitForMore(200));
      node.Start();
      ASSERT_EQ(client("PROXY", "UNDRAIN", node.address()), "OK");
      ASSERT_TRUE(cluster.WaitUntilInSync());
    }
  }
  load.Stop();
  load.Verify(cluster.proxy().port());
  cluster.ExpectCopiesEqual();
}

TEST_P(Control, ResyncUnderLoad) {
  Cluster cluster(Options(GetParam()));
  Client client = cluster.Connect();
  Load load(cluster.proxy().port(), {.threads = 3, .pipeline = 4});
  EXPECT_TRUE(load.WaitForMore(500));
  // Somebody tampers with a replica; a full copy puts it right.
  const std::string key = cluster.KeyOn(0, "tampered");
  EXPECT_EQ(client("SET", key, "right"), "OK");
  cluster.node(0, 1).Connect()("SET", key, "wrong");
  EXPECT_EQ(client("PROXY", "RESYNC", cluster.node(0, 1).address()), "OK");
  EXPECT_TRUE(cluster.WaitUntilInSync());
  EXPECT_EQ(cluster.node(0, 1).Connect()("GET", key), "right");
  EXPECT_NE(Events(cluster, "a").find("a resync was asked for"), std::string::npos);
  EXPECT_TRUE(load.WaitForMore(500));
  load.Stop();
  load.Verify(cluster.proxy().port());
  cluster.ExpectCopiesEqual();
}

TEST(ControlOfADrainedNode, OutlivesTheProxy) {
  for (const bool in_order : {true, false}) {
    Cluster cluster(Options(1));
    const RedisNode& node = cluster.node(0, 1);
    EXPECT_EQ(cluster.Connect()("PROXY", "DRAIN", node.address()), "OK");
    EXPECT_EQ(cluster.Connect()("SET", "k", "v"), "OK");
    if (in_order) {
      EXPECT_EQ(cluster.proxy().Stop(), 0);
    } else {
      cluster.proxy().Kill();
    }
    cluster.proxy().Restart();
    EXPECT_EQ(cluster.Connect()("GET", "k"), "v");
    EXPECT_TRUE(Eventually([&] { return cluster.Status(1).AllInSync(); }));
    EXPECT_EQ(StateOf(cluster, 0, node), "drained");
    EXPECT_EQ(cluster.Connect()("PROXY", "UNDRAIN", node.address()), "OK");
    cluster.ExpectCopiesEqual();
  }
}

TEST(ControlWhereAllIsLost, ForcePromotesTheStaleCopy) {
  Cluster cluster({.shards = 2,
                   .sections = {{"health", kImpatientProbes},
                                {"timeouts", "request_ms = 1000\nreconnect_max_ms = 100"},
                                {"resync", "retry_ms = 3600000"}}});
  Client client = cluster.Connect();
  const std::string key = cluster.KeyOn(0);
  RedisNode& primary = cluster.node(0, 0);
  RedisNode& stale = cluster.node(0, 1);
  EXPECT_EQ(client("SET", key, "old"), "OK");
  stale.Pause();
  EXPECT_EQ(client("SET", key, "new"), "OK");  // answered by the primary alone
  EXPECT_EQ(StateOf(cluster, 0, stale), "stale");
  const std::string force =
      "-ERR shard 'a': " + stale.address() + " is stale and " + primary.address() +
      " is in sync and up, so that nothing need be lost; FORCE is for when no copy that is in sync "
      "is up";
  EXPECT_EQ(client("PROXY", "PROMOTE", "a", stale.address(), "FORCE"), force);
  primary.Kill();
  EXPECT_TRUE(Eventually([&] {
    return client("PROXY", "PROMOTE", "a", stale.address(), "force")
               .Text()
               .find(stale.address() + " cannot be reached") != std::string::npos;
  }));
  stale.Resume();
  EXPECT_TRUE(Eventually([&] { return cluster.Status(0).Node(stale.address()).health == "up"; }));
  EXPECT_TRUE(client("GET", key).IsError());
  const std::string refusal = client("PROXY", "PROMOTE", "a", stale.address()).Text();
  EXPECT_TRUE(refusal.starts_with("-ERR shard 'a': " + stale.address() + " is stale: ")) << refusal;
  EXPECT_NE(refusal.find("PROXY PROMOTE a " + stale.address() + " FORCE"), std::string::npos);

  Reply forced;
  EXPECT_TRUE(Eventually([&] {
    forced = client("PROXY", "PROMOTE", "a", stale.address(), "FORCE");
    return !forced.IsError();
  })) << forced;
  EXPECT_TRUE(forced.Text().starts_with("OK " + stale.address() +
                                        " is primary with the data that "
                                        "it has: what was written while it was stale ("))
      << forced;
  EXPECT_FALSE(client("GET", key).IsError());
  EXPECT_EQ(client("SET", key, "newer"), "OK");
  EXPECT_EQ(client("GET", key), "newer");
  EXPECT_EQ(cluster.Status(0).primary, stale.address());
  EXPECT_NE(Events(cluster, "a").find("PROXY PROMOTE FORCE"), std::string::npos);
  // The old primary comes back and counts for nothing until it is copied.
  primary.Start();
  EXPECT_EQ(client("GET", key), "newer");
  EXPECT_EQ(StateOf(cluster, 0, primary), "stale");
}

TEST(ControlWhereAllIsLost, ForceEndsABrokenResync) {
  // The primary dies in the middle of a resync: the copy is left a read-only replica of it.
  Cluster cluster(Options(1));
  Client client = cluster.Connect();
  const std::string key = cluster.KeyOn(0);
  EXPECT_EQ(client("SET", key, "v"), "OK");
  RedisNode& copy = cluster.node(0, 1);
  EXPECT_EQ(client("PROXY", "DRAIN", copy.address()), "OK");
  copy.Connect()("REPLICAOF", "127.0.0.1", std::to_string(cluster.node(0, 0).port()));
  EXPECT_TRUE(Eventually([&] {
    return copy.Connect()("INFO", "replication").bytes.find("master_link_status:up") !=
           std::string::npos;
  }));
  cluster.node(0, 0).Kill();
  Reply forced;
  EXPECT_TRUE(Eventually([&] {
    forced = client("PROXY", "PROMOTE", "a", copy.address(), "FORCE");
    return !forced.IsError();
  })) << forced;
  EXPECT_EQ(client("GET", key), "v");
  EXPECT_EQ(client("SET", key, "w"), "OK");
  cluster.node(0, 0).Start();
  cluster.ExpectCopiesEqual();
}

TEST(ControlMistakes, AreToldBySentence) {
  Cluster cluster(Options(2));
  Client client = cluster.Connect();
  const std::string a0 = cluster.node(0, 0).address();
  const std::string a1 = cluster.node(0, 1).address();
  const std::string b0 = cluster.node(1, 0).address();
  EXPECT_EQ(client("PROXY", "PROMOTE", "z"), "-ERR there is no shard 'z'; PROXY SHARDS names them");
  EXPECT_EQ(client("PROXY", "PROMOTE", "b", a0), "-ERR shard 'b': it has no node " + a0 +
                                                     "; its nodes are " + b0 + ", " +
                                                     cluster.node(1, 1).address());
  EXPECT_EQ(client("PROXY", "DRAIN", "127.0.0.1:1"),
            "-ERR no shard has a node 127.0.0.1:1; PROXY SHARDS names them");
  EXPECT_EQ(client("PROXY", "RESYNC", a0),
            "-ERR shard 'a': " + a0 +
                " is the primary, whose data the others are copied from; promote another first "
                "(PROXY PROMOTE a)");
  EXPECT_EQ(client("PROXY", "UNDRAIN", a0), "OK");
  EXPECT_EQ(client("PROXY", "DRAIN", a1), "OK");
  EXPECT_EQ(client("PROXY", "DRAIN", a0),
            "-ERR shard 'a': " + a0 +
                " cannot be drained, no other copy can take its place: " + a1 + " is drained");
  EXPECT_EQ(client("PROXY", "PROMOTE", "a"),
            "-ERR shard 'a': there is no copy to promote: " + a1 + " is drained");
  EXPECT_EQ(
      client("PROXY", "RESYNC", a1),
      "-ERR shard 'a': " + a1 + " is drained and is not resynced; PROXY UNDRAIN " + a1 + " first");
  EXPECT_TRUE(client("PROXY", "EVENTS", "0").IsError());
}

TEST(ControlEvents, TellWhatHappened) {
  Cluster cluster({.shards = 2, .sections = {{"health", kImpatientProbes}}});
  Client client = cluster.Connect();
  const std::string primary = cluster.node(0, 0).address();
  const std::string replica = cluster.node(0, 1).address();
  EXPECT_EQ(client("SET", cluster.KeyOn(0), "v"), "OK");  // empty copies need no resync
  cluster.node(0, 0).Kill();
  EXPECT_TRUE(cluster.WaitUntilPrimary(0, cluster.node(0, 1)));
  cluster.node(0, 0).Start();
  EXPECT_TRUE(cluster.WaitUntilInSync());
  EXPECT_EQ(client("PROXY", "PROMOTE", "a", primary), "OK");
  EXPECT_EQ(client("PROXY", "DRAIN", replica), "OK");
  EXPECT_EQ(client("PROXY", "UNDRAIN", replica), "OK");
  EXPECT_TRUE(cluster.WaitUntilInSync());
  const std::string events = Events(cluster, "a");
  size_t at = 0;
  for (const std::string& part :
       {"lost the connection to " + primary, "promoted " + replica + " to primary (epoch ",
        primary + " is stale: ",
        std::string("resync of ") + primary + " from " + replica + " begins",
        primary + " is in sync (epoch ", primary + " was resynced from " + replica,
        replica + " handed the primary's role over to " + primary, replica + " is drained (epoch ",
        replica + " is undrained (epoch ", replica + " is in sync (epoch "}) {
    const size_t found = events.find(part, at);
    EXPECT_NE(found, std::string::npos) << "no \"" << part << "\" behind byte " << at << " of\n"
                                        << events;
    if (found != std::string::npos) at = found;
  }
  std::string last;
  for (const Reply& event : client("PROXY", "EVENTS").items) {
    std::string shape = event.Field("time").bytes;
    for (char& c : shape) c = c >= '0' && c <= '9' ? '0' : c;
    EXPECT_EQ(shape, "0000-00-00T00:00:00.000Z") << event;
    EXPECT_GE(event.Field("time").bytes, last);
    last = event.Field("time").bytes;
    EXPECT_TRUE(event.Field("level") == "info" || event.Field("level") == "warn" ||
                event.Field("level") == "error")
        << event;
  }
  const Reply two = client("PROXY", "EVENTS", "2");
  ASSERT_EQ(two.items.size(), 2u);
  EXPECT_EQ(two.items[1].Field("time"), last);
}

TEST(ControlFailback, TheConfiguredPrimaryGetsItsRoleBack) {
  ClusterOptions options = Options(2);
  options.sections["health"] = std::string(kPatientProbes) + "\nfailback = \"when-in-sync\"";
  Cluster cluster(options);
  Load load(cluster.proxy().port(), {.threads = 3, .pipeline = 4});
  EXPECT_TRUE(load.WaitForMore(300));
  cluster.node(0, 0).Kill();
  EXPECT_TRUE(cluster.WaitUntilPrimary(0, cluster.node(0, 1)));
  cluster.node(0, 0).Start();
  EXPECT_TRUE(cluster.WaitUntilPrimary(0, cluster.node(0, 0)));
  EXPECT_TRUE(cluster.Status(0).AllInSync());
  EXPECT_TRUE(load.WaitForMore(300));
  load.Stop();
  load.Verify(cluster.proxy().port());
  cluster.ExpectCopiesEqual();
  EXPECT_NE(Events(cluster, "a")
                .find("handed the primary's role over to " + cluster.node(0, 0).address()),
            std::string::npos);
}

}  // namespace
}  // namespace gemel::e2e::control_test
