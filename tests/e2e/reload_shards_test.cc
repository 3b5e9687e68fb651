// Nodes, shards and the ring of a config file change under load: keys and copies move, and no
// client notices anything else.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <sstream>

#include "tests/e2e/reload_under_load.h"

namespace gemel::e2e::reload_test {
namespace {

TEST_P(Reload, ReplicaAdded) {
  Begin({.copies = 1});
  const std::string added = world().NewNode();
  RedisNode& node = world().node(added);
  node.Connect()("SET", "left over", "from another life");
  node.Pause();  // as long as it hangs it is stale, and counts for nothing
  file().shard("a").nodes.push_back(added);
  const std::string answer = world().Reload();
  EXPECT_TRUE(Has(answer, "shard a: node " + added + " added")) << answer;
  EXPECT_TRUE(Eventually([&] { return world().Shard("a").nodes.size() == 2; }));
  EXPECT_EQ(world().Shard("a").Node(added).state, "stale");
  EXPECT_TRUE(load().WaitForMore(300));
  EXPECT_EQ(world().Shard("a").Node(added).state, "stale");
  node.Resume();
  ASSERT_TRUE(world().WaitUntilSettled());
  EXPECT_EQ(node.Connect()("EXISTS", "left over"), ":0");
  EXPECT_TRUE(load().WaitForMore(300));
  // Now it counts.
  world().node("a", 0).Kill();
  EXPECT_TRUE(Eventually([&] { return world().Shard("a").primary == added; }));
  EXPECT_TRUE(load().WaitForMore(300));
  world().node("a", 0).Start();
  End();
}

TEST_P(Reload, ReplicaRemoved) {
  Begin();
  const std::string removed = file().shard("a").nodes[1];
  file().shard("a").nodes.pop_back();
  const std::string answer = world().Reload();
  EXPECT_TRUE(Has(answer, "shard a: node " + removed + " removed")) << answer;
  ASSERT_TRUE(world().WaitUntilSettled());
  EXPECT_TRUE(Eventually([&] { return ClientsOf(world().node(removed)) == 0; }));
  const auto lines_of_it = [&] {
    std::istringstream log(world().proxy().Log());
    std::string lines;
    for (std::string line; std::getline(log, line);) {
      if (Has(line, removed)) lines += line + "\n";
    }
    return lines;
  };
  EXPECT_TRUE(world().proxy().Logs("shard a: node " + removed + " removed"));
  const std::string log = lines_of_it();
  world().node(removed).Kill();
  EXPECT_TRUE(load().WaitForMore(500));
  EXPECT_EQ(lines_of_it(), log);
  End();
}

TEST_P(Reload, PrimaryReplacedByANewNode) {
  Begin();
  for (int round = 0; round < 2; ++round) {
    std::vector<std::string>& nodes = file().shard("a").nodes;
    const std::string old = world().Shard("a").primary;
    const std::string added = world().NewNode();
    *std::find(nodes.begin(), nodes.end(), old) = added;
    world().ReloadAndSettle();
    EXPECT_NE(world().Shard("a").primary, old);
    EXPECT_TRUE(Eventually([&] { return ClientsOf(world().node(old)) == 0; }));
    world().node(old).Kill();
    EXPECT_TRUE(load().WaitForMore(300));
  }
  End();
}

TEST_P(Reload, TheOnlyCopyInSyncStaysUnlessForced) {
  Begin({.copies = 1});
  const std::string old = file().shard("a").nodes[0];
  const std::string added = world().NewNode();
  file().shard("a").nodes = {added};
  const std::string answer = world().Reload();
  EXPECT_TRUE(answer.starts_with("-ERR ")) << answer;
  EXPECT_TRUE(Has(answer, "shard 'a' would lose its only copy in sync, " + old)) << answer;
  EXPECT_TRUE(Has(world().AskReload({"DRYRUN"}), "would lose its only copy in sync"));
  EXPECT_EQ(world().Shard("a").nodes.size(), 1u);
  EXPECT_EQ(world().Shard("a").primary, old);
  EXPECT_TRUE(load().WaitForMore(300));
  // It can be reached, so nothing is lost by force either.
  world().ReloadAndSettle({"FORCE"});
  EXPECT_EQ(world().Shard("a").primary, added);
  world().node(old).Kill();
  // The other shard in two steps, without force.
  const std::string second = world().NewNode();
  file().shard("b").nodes.push_back(second);
  world().ReloadAndSettle();
  file().shard("b").nodes = {second};
  world().ReloadAndSettle();
  EXPECT_EQ(world().Shard("b").primary, second);
  End();
}

TEST_P(Reload, BothNodesReplacedByForce) {
  Begin();
  const std::vector<std::string> old = file().shard("a").nodes;
  file().shard("a").nodes = {world().NewNode(), world().NewNode()};
  EXPECT_TRUE(Has(world().Reload(), "would lose its only copies in sync"));
  world().ReloadAndSettle({"FORCE"});
  for (const std::string& node : old) world().node(node).Kill();
  End();
}

TEST_P(Reload, ShardAdded) {
  Begin();
  file().shards.push_back({"c", {world().NewNode(), world().NewNode()}});
  load().WhileOwnersChange([&] {
    const std::string answer = world().Reload();
    EXPECT_TRUE(Has(answer, "shard c added")) << answer;
    EXPECT_TRUE(Has(answer, "of the keys change their owner")) << answer;
  });
  ASSERT_TRUE(world().WaitUntilSettled());
  EXPECT_EQ(world().Owner(world().KeyOn("c")), "c");
  EXPECT_TRUE(load().WaitForMore(300));
  world().node("c", 0).Kill();
  EXPECT_TRUE(load().WaitForMore(300));
  world().node("c", 0).Start();
  End();
  EXPECT_GT(load().allowed_misses(), 0u);
}

TEST_P(Reload, ShardRemoved) {
  Begin({.shards = 3});
  const std::vector<std::string> nodes = file().shard("c").nodes;
  file().RemoveShard("c");
  load().WhileOwnersChange([&] {
    const std::string answer = world().Reload();
    EXPECT_TRUE(Has(answer, "shard c removed")) << answer;
  });
  ASSERT_TRUE(world().WaitUntilSettled());
  for (const std::string& node : nodes) {
    EXPECT_TRUE(Eventually([&] { return ClientsOf(world().node(node)) == 0; }));
    world().node(node).Kill();
  }
  End();
  EXPECT_GT(load().allowed_misses(), 0u);
}

TEST_P(Reload, ShardReweighted) {
  Begin();
  file().shard("b").weight = 3;
  load().WhileOwnersChange([&] {
    const std::string answer = world().Reload();
    EXPECT_TRUE(Has(answer, "shard b: weight 1 -> 3")) << answer;
    EXPECT_TRUE(Has(answer, "from a to b")) << answer;
  });
  End();
  EXPECT_GT(load().allowed_misses(), 0u);
}

TEST_P(Reload, Points) {
  Begin();
  file().options["ring"]["points"] = "100";
  load().WhileOwnersChange([&] {
    const std::string answer = world().Reload();
    EXPECT_TRUE(Has(answer, "ring.points: 1024 -> 100")) << answer;
    EXPECT_TRUE(Has(answer, "of the keys change their owner")) << answer;
  });
  End();
  EXPECT_GT(load().allowed_misses(), 0u);
}

TEST_P(Reload, HashTag) {
  Begin();
  // The keys of the load have such a tag in their middle.
  file().options["ring"]["hash_tag"] = "\"::\"";
  load().WhileOwnersChange([&] {
    const std::string answer = world().Reload();
    EXPECT_TRUE(Has(answer, "ring.hash_tag: {} -> ::")) << answer;
    EXPECT_TRUE(Has(answer, "hash_tag marks another part")) << answer;
  });
  EXPECT_EQ(world().Owner("x:tag:1"), world().Owner("y:tag:2"));
  End();
  EXPECT_GT(load().allowed_misses(), 0u);
}

}  // namespace
}  // namespace gemel::e2e::reload_test
