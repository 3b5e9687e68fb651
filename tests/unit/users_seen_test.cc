// What clients asked as each user.

#include "proxy/seen/users_seen.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "config/config_load.h"

namespace gemel::users_seen_test {
namespace {

class UsersSeenTest : public ::testing::Test {
 protected:
  AclUserPtr Make(const std::string& name) {
    ConfigError error;
    const std::optional<Config> config = LoadConfigText(
        "[[shard]]\nname = \"s\"\nprimary = \"127.0.0.1:7001\"\n[[user]]\nname = \"" + name +
            "\"\nrules = [\"on\", \">p\", \"~*\", \"+@all\"]\n",
        "gemel.toml", &error);
    EXPECT_TRUE(config) << error.ToString();
    return AclUsers(config->pool(), &table_, nullptr).Find(name);
  }

  CommandTable table_;
  UsersSeen seen_;
};

TEST_F(UsersSeenTest, EachForItself) {
  const AclUserPtr a = Make("a");
  const AclUserPtr b = Make("b");
  ASSERT_NE(a, nullptr);
  seen_.OnDone(a, 100, 5, false);
  seen_.OnDone(b, 200, 6, true);
  seen_.OnDone(a, 300, 7, false);
  seen_.OnDone(Make("a"), 400, 8, false);  // the same user after a reload
  ASSERT_EQ(seen_.all().size(), 2U);
  EXPECT_EQ(seen_.all().at("a").times.sum_us(), 800U);
  EXPECT_EQ(seen_.all().at("a").reply_bytes, 20U);
  EXPECT_EQ(seen_.all().at("a").failed, 0U);
  EXPECT_EQ(seen_.all().at("b").failed, 1U);
  seen_.Forget();
  EXPECT_TRUE(seen_.all().empty());
  seen_.OnDone(a, 1, 1, false);
  EXPECT_EQ(seen_.all().at("a").times.total(), 1U);
}

TEST_F(UsersSeenTest, AreBounded) {
  for (size_t i = 0; i < UsersSeen::kMost + 20; ++i) {
    seen_.OnDone(Make("u" + std::to_string(i)), 1, 1, false);
  }
  EXPECT_EQ(seen_.all().size(), UsersSeen::kMost + 1);
  EXPECT_EQ(seen_.all().at("...").times.total(), 20U);
}

}  // namespace
}  // namespace gemel::users_seen_test
