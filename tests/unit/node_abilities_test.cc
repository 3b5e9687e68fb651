#include "backend/shard/node_abilities.h"

#include <gtest/gtest.h>

namespace gemel::node_abilities_test {
namespace {

TEST(NodeAbilities, WhoSpeaksRESP2Alone) {
  NodeAbilities abilities;
  EXPECT_EQ(abilities.WithoutResp3(), std::nullopt);
  abilities.Note({"a", "one:1"}, {true, true});
  EXPECT_EQ(abilities.WithoutResp3(), std::nullopt);
  abilities.Note({"a", "two:1"}, {false, true});
  abilities.Note({"b", "two:1"}, {false, true});
  EXPECT_EQ(abilities.WithoutResp3(), (ServerUser{"a", "two:1"}));
  // It came back, and is another.
  abilities.Note({"a", "two:1"}, {true, true});
  EXPECT_EQ(abilities.WithoutResp3(), (ServerUser{"b", "two:1"}));
  abilities.Forget({"b", "two:1"});
  EXPECT_EQ(abilities.WithoutResp3(), std::nullopt);
  abilities.Note({"b", "two:1"}, {false, true});
  abilities.Note({"b", "one:1"}, {false, true});
  abilities.ForgetShard("b");
  EXPECT_EQ(abilities.WithoutResp3(), std::nullopt);
}

TEST(NodeAbilities, WhoHasFewerDatabases) {
  NodeAbilities abilities;
  EXPECT_EQ(abilities.WithoutDatabases(), std::nullopt);
  abilities.Note({"a", "one:1"}, {true, true});
  abilities.Note({"a", "two:1"}, {true, false});
  EXPECT_EQ(abilities.WithoutDatabases(), (ServerUser{"a", "two:1"}));
  EXPECT_EQ(abilities.WithoutResp3(), std::nullopt);
}

TEST(NodeAbilities, WhoCannotConfineScripts) {
  NodeAbilities abilities;
  abilities.Note({"a", "one:1"}, {true, true, true, true});
  EXPECT_EQ(abilities.WithoutConfinement(), std::nullopt);
  abilities.Note({"a", "two:1"}, {true, true, true, false});
  EXPECT_EQ(abilities.WithoutConfinement(), (ServerUser{"a", "two:1"}));
  EXPECT_EQ(abilities.WithoutBlocks(), std::nullopt);
}

}  // namespace
}  // namespace gemel::node_abilities_test
