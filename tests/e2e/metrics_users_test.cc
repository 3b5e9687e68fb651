// Users over HTTP: what they see and order is what their commands may.

#include <gtest/gtest.h>

#include <string>

#include "tests/e2e/cluster.h"
#include "tests/e2e/own_address.h"
#include "tests/e2e/wait.h"
#include "tests/e2e/web.h"

namespace gemel::e2e::metrics_users_test {
namespace {

std::string User(const std::string& name, const std::string& rules) {
  return "[[user]]\nname = \"" + name + "\"\nrules = \"" + rules + "\"\n";
}

// Comes behind [metrics], as the last lines.
std::string Users() {
  return User("root", "on >secret ~* &* +@all") +
         User("scraper", "on >scrape +info +proxy|shards") +
         User("keeper", "on >keep +@all -@admin +proxy|drain +proxy|undrain") +
         User("guest", "on nopass +@all");
}

bool Has(const std::string& text, const std::string& what) {
  return text.find(what) != std::string::npos;
}

Words As(const std::string& pair, const std::string& order = "") {
  Words words = {"-u", pair};
  if (!order.empty()) words.insert(words.end(), {"--data-binary", order});
  return words;
}

TEST(MetricsUsers, SeeWhatTheirCommandsTell) {
  Looked looked({}, "password = \"open\"\n" + Users());
  EXPECT_EQ(looked.Get("/metrics").status, 401);
  EXPECT_EQ(looked.Get("/metrics", As("x:open")).status, 200);
  for (const char* path : {"/", "/metrics", "/status.json"}) {
    EXPECT_EQ(looked.Get(path, As("root:secret")).status, 200) << path;
    EXPECT_EQ(looked.Get(path, As("keeper:keep")).status, 403) << path;
    EXPECT_EQ(looked.Get(path, As("guest:any")).status, 401) << path;
    EXPECT_EQ(looked.Get(path, As("default:")).status, 401) << path;
  }
  EXPECT_EQ(looked.Get("/metrics", As("scraper:scrape")).status, 200);
  const WebAnswer refused = looked.Get("/status.json", As("scraper:scrape"));
  EXPECT_EQ(refused.status, 403);
  EXPECT_EQ(refused.body,
            "NOPERM this user has no permissions to run the 'proxy|events' command, which tells "
            "what is shown here\n");
  EXPECT_EQ(looked.Get("/explain", As("root:secret", "GET k")).status, 200);
  EXPECT_EQ(looked.Get("/explain", As("scraper:scrape", "GET k")).status, 403);
  // Changed rules hold at once.
  Client client = looked.cluster().Connect();
  EXPECT_EQ(client("ACL", "SETUSER", "keeper", "+info", "+proxy|shards", ">new"), "OK");
  EXPECT_EQ(looked.Get("/metrics", As("keeper:new")).status, 200);
  EXPECT_EQ(client("ACL", "SETUSER", "root", "off"), "OK");
  EXPECT_EQ(looked.Get("/metrics", As("root:secret")).status, 401);
  // As for a client.
  const Reply log = client("ACL", "LOG");
  EXPECT_TRUE(Has(log.Text(),
                  "reason command context toplevel object proxy|explain username "
                  "scraper"))
      << log;
  EXPECT_TRUE(Has(log.Text(), "reason auth context toplevel object HTTP username root")) << log;
  EXPECT_TRUE(Has(client("INFO", "stats").bytes, "acl_access_denied_cmd:"));
  EXPECT_FALSE(Has(client("INFO", "stats").bytes, "acl_access_denied_cmd:0"));
  EXPECT_FALSE(Has(client("INFO", "stats").bytes, "acl_access_denied_auth:0"));
}

TEST(MetricsUsers, OrderWhatTheirCommandsMay) {
  Looked looked({}, "actions = true\n" + Users());
  Cluster& cluster = looked.cluster();
  const std::string node = cluster.node(0, 1).address();
  // This machine may look without a password, and order nothing.
  EXPECT_TRUE(Has(looked.Get("/status.json").body, "\"actions\":true"));
  const WebAnswer unknown = looked.Get("/act", {"--data-binary", "promote a"});
  EXPECT_EQ(unknown.status, 401);
  EXPECT_TRUE(Has(unknown.head, "WWW-Authenticate: Basic")) << unknown.head;
  EXPECT_EQ(looked.Get("/act", As("root:wrong", "promote a")).status, 401);
  EXPECT_EQ(looked.Get("/act", As("guest:", "promote a")).status, 401);
  const WebAnswer refused = looked.Get("/act", As("keeper:keep", "promote a"));
  EXPECT_EQ(refused.status, 403);
  EXPECT_EQ(refused.body,
            "NOPERM this user has no permissions to run the 'proxy|promote' command\n");
  EXPECT_EQ(looked.Get("/act", As("scraper:scrape", "drain " + node)).status, 403);
  EXPECT_EQ(cluster.Status(0).Node(node).state, "in-sync");
  EXPECT_EQ(looked.Get("/act", As("keeper:keep", "drain " + node)).status, 200);
  EXPECT_EQ(cluster.Status(0).Node(node).state, "drained");
  EXPECT_EQ(looked.Get("/act", As("root:secret", "undrain " + node)).status, 200);
  ASSERT_TRUE(cluster.WaitUntilInSync());
  EXPECT_EQ(looked
                .Get("/act", {"-u", "root:secret", "-H", "Origin: http://evil.example",
                              "--data-binary", "promote a"})
                .status,
            403);
  // With who it was.
  for (const std::string& text :
       {cluster.proxy().Log(), cluster.Connect()("PROXY", "EVENTS").Text()}) {
    EXPECT_TRUE(Has(text, "user 'keeper' at 127.0.0.1:")) << text;
    EXPECT_TRUE(Has(text, " orders over HTTP: drain " + node)) << text;
    EXPECT_TRUE(Has(text, "user 'root' at 127.0.0.1:")) << text;
  }
  EXPECT_TRUE(Has(cluster.proxy().Log(), "gave a wrong user or password")) << cluster.proxy().Log();
  EXPECT_FALSE(Has(looked.Get("/status.json", As("root:secret")).body, "secret"));
  // The page offers orders to who may give one.
  EXPECT_TRUE(Has(looked.Get("/status.json", As("root:secret")).body, "\"actions\":true"));
  EXPECT_EQ(cluster.Connect()("ACL", "SETUSER", "root", "-proxy|promote", "-proxy|drain",
                              "-proxy|undrain", "-proxy|resync"),
            "OK");
  EXPECT_TRUE(Has(looked.Get("/status.json", As("root:secret")).body, "\"actions\":false"));
}

TEST(MetricsUsers, FromElsewhereWithAPasswordAlone) {
  const std::string address = OwnAddress();
  ASSERT_NE(address, "") << "this machine has no address but loopback";
  Looked looked({}, Users(), address);
  EXPECT_EQ(looked.Get("/metrics").status, 401);
  EXPECT_EQ(looked.Get("/metrics", As("scraper:wrong")).status, 401);
  EXPECT_EQ(looked.Get("/metrics", As("scraper:scrape")).status, 200);
  EXPECT_FALSE(Has(looked.cluster().proxy().Log(), "protected mode: there is no [metrics]"));
}

}  // namespace
}  // namespace gemel::e2e::metrics_users_test
