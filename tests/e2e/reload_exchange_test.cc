// Nodes that change their shards in one reload: what is taken on comes to its end, and what would
// not is refused with a sentence.

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

#include "tests/e2e/reload_world.h"

namespace gemel::e2e::reload_exchange_test {
namespace {

class ReloadExchange : public ::testing::Test {
 protected:
  void Make(int shards, int copies) {
    world_ = std::make_unique<ReloadWorld>(ReloadOptions{.shards = shards, .copies = copies});
    Client client = world_->Connect();
    for (int i = 0; i < 200; ++i) ASSERT_EQ(client("SET", Key(i), std::to_string(i)), "OK");
    before_ = world_->file();
  }
  static std::string Key(int i) { return "key:" + std::to_string(i); }
  std::string& NodeOf(const std::string& shard, size_t copy) {
    return world_->file().shard(shard).nodes.at(copy);
  }
  void Exchange(const std::string& one, size_t copy, const std::string& other, size_t other_copy) {
    std::swap(NodeOf(one, copy), NodeOf(other, other_copy));
  }
  void ExpectCarriedOut(const Words& words = {}) {
    world_->ReloadAndSettle(words);
    world_->ExpectCopiesEqual();
    Client client = world_->Connect();
    for (int i = 0; i < 200; ++i) ASSERT_EQ(client("GET", Key(i)), std::to_string(i));
    before_ = world_->file();
  }
  // And nothing has changed.
  void ExpectRefused(const Words& words, const std::string& part) {
    const std::string answer = world_->Reload(words);
    EXPECT_TRUE(answer.starts_with("-ERR")) << answer;
    EXPECT_NE(answer.find(part), std::string::npos) << answer;
    world_->file() = before_;
    EXPECT_TRUE(world_->WaitUntilSettled());
  }

  std::unique_ptr<ReloadWorld> world_;
  ConfigFile before_;
};

TEST_F(ReloadExchange, OfTwoPrimaries) {
  Make(2, 2);
  Exchange("a", 0, "b", 0);
  ExpectCarriedOut();
  Exchange("a", 0, "b", 0);
  ExpectCarriedOut({"FORCE"});
}

TEST_F(ReloadExchange, OfThreePrimariesInARing) {
  Make(3, 2);
  Exchange("a", 0, "b", 0);
  Exchange("b", 0, "c", 0);
  ExpectCarriedOut();
}

TEST_F(ReloadExchange, OfAPrimaryWithAReplicaOfAnother) {
  Make(2, 2);
  Exchange("a", 0, "b", 1);
  ExpectCarriedOut();
}

TEST_F(ReloadExchange, ANodeMovesWithAndWithoutItsShard) {
  Make(3, 2);
  // A replica goes to another shard, and a whole shard is spread over the others.
  std::vector<std::string>& from = world_->file().shard("a").nodes;
  world_->file().shard("b").nodes.push_back(from.back());
  from.pop_back();
  ExpectCarriedOut();
  const std::vector<std::string> left = world_->file().shard("c").nodes;
  world_->file().RemoveShard("c");
  world_->file().shard("a").nodes.push_back(left[0]);
  world_->file().shard("b").nodes.push_back(left[1]);
  // The keys of a removed shard are misses.
  world_->ReloadAndSettle();
  world_->ExpectCopiesEqual();
}

TEST_F(ReloadExchange, OfOnlyCopiesIsRefused) {
  Make(3, 1);
  Exchange("a", 0, "b", 0);
  ExpectRefused({}, "would lose its only copy in sync");
  Exchange("a", 0, "b", 0);
  ExpectRefused({"FORCE"}, "shard 'a' would wait for node ");
  Exchange("a", 0, "b", 0);
  Exchange("b", 0, "c", 0);
  ExpectRefused({"FORCE"}, ", and shard 'c' would wait for node ");
  // A chain has an end.
  NodeOf("a", 0) = NodeOf("b", 0);
  NodeOf("b", 0) = world_->NewNode();
  ExpectCarriedOut({"FORCE"});
}

TEST_F(ReloadExchange, OfAllNodesIsRefused) {
  Make(2, 2);
  std::swap(world_->file().shard("a").nodes, world_->file().shard("b").nodes);
  ExpectRefused({}, "would lose its only copies in sync");
  std::swap(world_->file().shard("a").nodes, world_->file().shard("b").nodes);
  ExpectRefused({"FORCE"}, "would wait for node ");
}

// One of them cannot be reached: the others go on, and it does once it is back.
TEST_F(ReloadExchange, WithANodeThatIsDown) {
  Make(2, 2);
  const std::string down = NodeOf("b", 0);
  world_->node(down).Kill();
  ASSERT_TRUE(Eventually([&] { return world_->Shard("b").primary == NodeOf("b", 1); }));
  Exchange("a", 0, "b", 0);
  const std::string answer = world_->Reload();
  ASSERT_FALSE(answer.starts_with("-")) << answer;
  EXPECT_TRUE(Eventually([&] {
    const ShardStatus shard = world_->Shard("b");
    return shard.AllInSync() && shard.nodes.size() == 2 && shard.members.empty();
  })) << world_->Connect()("PROXY", "SHARDS");
  world_->node(down).Start();
  EXPECT_TRUE(world_->WaitUntilSettled()) << world_->Connect()("PROXY", "SHARDS");
  world_->ExpectCopiesEqual();
}

}  // namespace
}  // namespace gemel::e2e::reload_exchange_test
