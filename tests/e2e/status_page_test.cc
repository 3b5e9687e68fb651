// The status page in a real browser: headless Chromium.

#include <gtest/gtest.h>

#include <string>

#include "tests/e2e/child_process.h"
#include "tests/e2e/cluster.h"
#include "tests/e2e/wait.h"
#include "tests/e2e/web.h"

namespace gemel::e2e::status_page_test {
namespace {

// What the browser has made of a page once it was live.
std::string Shown(uint16_t port, const Words& flags = {}) {
  const TempFolder profile;
  Words command = {"chromium",
                   "--headless",
                   "--no-sandbox",
                   "--disable-gpu",
                   "--no-first-run",
                   "--disable-extensions",
                   "--disable-dev-shm-usage",
                   "--user-data-dir=" + profile.path(),
                   "--virtual-time-budget=9000"};
  command.insert(command.end(), flags.begin(), flags.end());
  command.insert(command.end(), {"--dump-dom", "http://127.0.0.1:" + std::to_string(port) + "/"});
  const Finished finished = RunProgram(command, "", std::chrono::seconds(120));
  EXPECT_EQ(finished.exit_code, 0) << finished.output;
  return finished.output;
}

bool Has(const std::string& page, const std::string& text) {
  return page.find(text) != std::string::npos;
}

TEST(StatusPage, ShowsShardsNodesAndRoles) {
  Looked looked;
  Cluster& cluster = looked.cluster();
  Client client = cluster.Connect();
  for (int i = 0; i < 2000; ++i) client.Append({"SET", "hot<b>key", "v"});
  for (int i = 0; i < 2000; ++i) client.Read();
  const std::string page = Shown(looked.port());
  EXPECT_TRUE(Has(page, ">live</span>")) << page;
  for (int shard = 0; shard < 2; ++shard) {
    EXPECT_TRUE(Has(page, std::string("<h3>") + static_cast<char>('a' + shard) + "</h3>"));
    for (int copy = 0; copy < 2; ++copy) {
      EXPECT_TRUE(Has(page, "<code>" + cluster.node(shard, copy).address() + "</code>")) << page;
    }
  }
  EXPECT_TRUE(Has(page, ">primary</span>"));
  EXPECT_TRUE(Has(page, ">replica</span>"));
  EXPECT_TRUE(Has(page, ">in-sync</span>"));
  EXPECT_TRUE(Has(page, ">healthy</span>"));
  // What others have named is text.
  EXPECT_TRUE(Has(page, "hot&lt;b&gt;key")) << page;
  EXPECT_FALSE(Has(page, "<b>key"));
  EXPECT_FALSE(Has(page, ">Drain</button>"));
}

TEST(StatusPage, ShowsWhatIsWrong) {
  Looked looked;
  Cluster& cluster = looked.cluster();
  cluster.node(0, 0).Kill();
  ASSERT_TRUE(cluster.WaitUntilPrimary(0, cluster.node(0, 1)));
  const std::string page = Shown(looked.port());
  EXPECT_TRUE(Has(page, ">degraded</span>"));
  EXPECT_TRUE(Has(page, ">stale</span>"));
  EXPECT_TRUE(Has(page, "1 with trouble"));
  EXPECT_TRUE(Has(page, "epoch "));
  cluster.node(0, 0).Start();
  ASSERT_TRUE(cluster.WaitUntilInSync());
}

// Light and dark, on a desk and on a phone: it fits, and it is another colour.
TEST(StatusPage, LightAndDarkOnADeskAndAPhone) {
  Looked looked;
  for (const char* size : {"--window-size=1280,900", "--window-size=360,780"}) {
    const std::string light = Shown(looked.port(), {size});
    const std::string dark =
        Shown(looked.port(), {size, "--blink-settings=preferredColorScheme=0"});
    EXPECT_TRUE(Has(light, "data-back=\"rgb(244, 245, 247)\"")) << light.substr(0, 300);
    EXPECT_TRUE(Has(dark, "data-back=\"rgb(18, 22, 28)\"")) << dark.substr(0, 300);
    EXPECT_TRUE(Has(light, "data-fits=\"yes\"")) << size;
    EXPECT_TRUE(Has(dark, "data-fits=\"yes\"")) << size;
  }
}

TEST(StatusPage, NothingOfItComesFromElsewhere) {
  Looked looked;
  const WebAnswer answer = looked.Get("/");
  EXPECT_EQ(answer.status, 200);
  EXPECT_TRUE(Has(answer.head, "Content-Security-Policy: default-src 'none'; connect-src 'self';"));
  EXPECT_FALSE(Has(answer.head, "unsafe-inline"));
  EXPECT_TRUE(Has(answer.head, "frame-ancestors 'none'"));
  EXPECT_FALSE(Has(answer.body, "src=\"http"));
  EXPECT_FALSE(Has(answer.body, "https://"));
  for (const char* path : {"/status.json", "/"}) {
    EXPECT_TRUE(Has(looked.Get(path).head, "X-Content-Type-Options: nosniff"));
  }
}

TEST(StatusPage, ExplainsWhereAKeyGoes) {
  Looked looked;
  const std::string key = looked.cluster().KeyOn(1);
  const WebAnswer answer = looked.Get("/explain", {"--data-binary", "GET " + key});
  EXPECT_EQ(answer.status, 200);
  EXPECT_TRUE(Has(answer.body, "\"shard\":\"b\"")) << answer.body;
  EXPECT_TRUE(Has(answer.body, "\"read_from\":\"" + looked.cluster().node(1, 0).address() + "\""))
      << answer.body;
  EXPECT_TRUE(Has(looked.Get("/explain", {"--data-binary", "SET " + key + " 'a b'"}).body,
                  "a write goes to every copy in sync"));
  EXPECT_TRUE(Has(looked.Get("/explain", {"--data-binary", "NOSUCH"}).body, "unknown command"));
  EXPECT_TRUE(Has(looked.Get("/explain", {"--data-binary", "GET \"x"}).body, "a quote"));
  EXPECT_EQ(looked.Get("/explain").status, 405);
}

TEST(StatusPage, OrdersNeedLeaveAndThePassword) {
  Looked plain({}, "password = \"p\"");
  EXPECT_EQ(plain.Get("/act", {"-u", "x:p", "--data-binary", "promote a"}).status, 403);
  Looked looked({}, "password = \"p\"\nactions = true");
  Cluster& cluster = looked.cluster();
  const Words order = {"--data-binary", "promote a"};
  EXPECT_EQ(looked.Get("/act", order).status, 401);
  EXPECT_EQ(looked
                .Get("/act", {"-u", "x:p", "-H", "Origin: http://evil.example", "--data-binary",
                              "promote a"})
                .status,
            403);
  EXPECT_EQ(looked.Get("/act", {"-u", "x:p", "--data-binary", "promote nosuch"}).status, 400);
  EXPECT_EQ(looked.Get("/act", {"-u", "x:p"}).status, 405);
  const WebAnswer done = looked.Get("/act", {"-u", "x:p", "--data-binary", "promote a"});
  EXPECT_EQ(done.status, 200) << done.body;
  EXPECT_TRUE(cluster.WaitUntilPrimary(0, cluster.node(0, 1)));
  const std::string replica = cluster.node(0, 0).address();
  EXPECT_EQ(looked.Get("/act", {"-u", "x:p", "--data-binary", "drain " + replica}).status, 200);
  EXPECT_EQ(cluster.Status(0).Node(replica).state, "drained");
  EXPECT_EQ(looked.Get("/act", {"-u", "x:p", "--data-binary", "undrain " + replica}).status, 200);
  ASSERT_TRUE(cluster.WaitUntilInSync());
  EXPECT_TRUE(Has(looked.Get("/status.json", {"-u", "x:p"}).body, "orders over HTTP: promote a"));
}

}  // namespace
}  // namespace gemel::e2e::status_page_test
