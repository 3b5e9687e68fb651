// Gemels that start on the same nodes: who is in whose way.

#include "proxy/server/uv_start_check.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "tests/e2e/redis_node.h"

namespace gemel {
namespace {

class UvStartCheckTest : public ::testing::Test {
 protected:
  UvStartCheckTest() {
    ShardConfig& shard = pool_.shards.emplace_back();
    shard.name = "a";
    shard.primary = Address{"127.0.0.1", node_.port(), {}};
  }
  // A gemel of this process, with a state folder of its own.
  struct Gemel {
    Gemel(const PoolConfig& pool, const std::string& fleet, const std::string& listen)
        : presence(folder.path(), listen) {
      if (!fleet.empty()) presence.set_fleet(fleet, "m-" + listen);
      check = std::make_unique<UvStartCheck>(pool, &presence);
    }
    // Empty: it may serve. Then it has connections that say so, until it is destroyed.
    std::string Start() {
      std::string error;
      EXPECT_EQ(check->Run(/*take_over=*/false, claims, [](const std::string&) {}, &error),
                error.empty());
      return error;
    }
    e2e::TempFolder folder;
    UvPresence presence;
    ServerClaims claims;
    std::unique_ptr<UvStartCheck> check;
  };

  e2e::RedisNode node_;
  PoolConfig pool_;
};

TEST_F(UvStartCheckTest, MembersOfAFleetStartOnTheSameNodes) {
  Gemel first(pool_, "f1", "1");
  Gemel second(pool_, "f1", "2");
  EXPECT_EQ(first.Start(), "");
  EXPECT_EQ(second.Start(), "");
}

TEST_F(UvStartCheckTest, StrangersAreInTheWayBothWays) {
  for (const auto& [there, comes] : {std::pair("f1", "f2"), {"f1", ""}, {"", "f1"}, {"", ""}}) {
    Gemel first(pool_, there, "1");
    Gemel second(pool_, comes, "2");
    EXPECT_EQ(first.Start(), "");
    const std::string error = second.Start();
    EXPECT_TRUE(error.starts_with("another gemel serves the same nodes")) << error;
    const bool tells = error.find(", member m-1 of fleet f1)") != std::string::npos;
    EXPECT_EQ(tells, std::string(there) == "f1") << error;
  }
}

}  // namespace
}  // namespace gemel
