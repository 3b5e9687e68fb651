// What users may see and order over HTTP.

#include "proxy/metrics/http_rights.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace gemel::http_rights_test {
namespace {

class HttpRights : public testing::Test {
 protected:
  // A pool of one shard whose user "u" has these rules.
  Pool Make(std::vector<std::string> rules, const std::string& prefix = "") {
    PoolConfig config;
    config.shards.emplace_back().name = "a";
    config.shards[0].primary = {"127.0.0.1", 7001, ""};
    config.shards[0].replicas = {{"127.0.0.1", 7002, ""}};
    UserConfig& user = config.users.emplace_back();
    user.name = "u";
    user.rules = std::move(rules);
    user.prefix = prefix;
    return Pool(config, 1);
  }
  static std::string Denied(const Pool& pool, const std::string& path) {
    return DenialOfPath(pool, *pool.users().Find("u"), path).command;
  }
  static HttpDenial DeniedOrder(const Pool& pool, const std::string& text) {
    return DenialOfOrder(pool, *pool.users().Find("u"), ReadPageOrder(pool, text).value());
  }
};

TEST_F(HttpRights, LookingIsWhatTheCommandsAre) {
  const Pool scraper = Make({"on", ">p", "+info", "+proxy|shards"});
  EXPECT_EQ(Denied(scraper, "/metrics"), "");
  EXPECT_EQ(Denied(scraper, "/"), "proxy|events");
  EXPECT_EQ(Denied(scraper, "/status.json"), "proxy|events");
  EXPECT_EQ(Denied(scraper, "/explain"), "proxy|explain");
  EXPECT_EQ(Denied(scraper, "/nothing"), "");
  EXPECT_EQ(DenialOfPath(scraper, *scraper.users().Find("u"), "/").error,
            "NOPERM this user has no permissions to run the 'proxy|events' command, which tells "
            "what is shown here");
  EXPECT_EQ(Denied(Make({"on", ">p", "+@all", "-@admin"}), "/metrics"), "proxy|shards");
  EXPECT_EQ(Denied(Make({"on", ">p", "+proxy"}), "/metrics"), "info");
  const Pool operators = Make({"on", ">p", "+@admin", "+info"});
  for (const char* path : {"/", "/status.json", "/metrics", "/explain"}) {
    EXPECT_EQ(Denied(operators, path), "") << path;
  }
}

TEST_F(HttpRights, AnOrderIsItsCommand) {
  const Pool pool = Make({"on", ">p", "+@all", "-@admin", "+proxy|drain", "+proxy|undrain"});
  EXPECT_EQ(DeniedOrder(pool, "drain 127.0.0.1:7002").command, "");
  EXPECT_EQ(DeniedOrder(pool, "undrain 127.0.0.1:7002").command, "");
  EXPECT_EQ(DeniedOrder(pool, "resync 127.0.0.1:7002").command, "proxy|resync");
  EXPECT_EQ(DeniedOrder(pool, "promote a").error,
            "NOPERM this user has no permissions to run the 'proxy|promote' command");
  EXPECT_TRUE(MayOrder(pool, *pool.users().Find("u")));
  const Pool reader = Make({"on", ">p", "+@all", "-@admin", "+proxy|shards"});
  EXPECT_FALSE(MayOrder(reader, *reader.users().Find("u")));
  EXPECT_TRUE(MayOrder(reader, *reader.users().Find("default")));
}

// A tenant sees its own keys alone, whatever its rules are.
TEST_F(HttpRights, NothingForWhoHasAKeySpaceOfItsOwn) {
  const Pool pool = Make({"on", ">p", "+@all", "~*", "&*"}, "t:");
  for (const char* path : {"/", "/status.json", "/metrics", "/explain"}) {
    EXPECT_NE(Denied(pool, path), "") << path;
  }
  EXPECT_NE(DeniedOrder(pool, "promote a").command, "");
  EXPECT_FALSE(MayOrder(pool, *pool.users().Find("u")));
}

}  // namespace
}  // namespace gemel::http_rights_test
