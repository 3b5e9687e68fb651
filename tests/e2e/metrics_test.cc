// Metrics over HTTP: with Prometheus' own checker, curl, and requests that are none.

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "tests/e2e/child_process.h"
#include "tests/e2e/cluster.h"
#include "tests/e2e/free_port.h"
#include "tests/e2e/own_address.h"
#include "tests/e2e/raw_socket.h"
#include "tests/e2e/web.h"

namespace gemel::e2e::metrics_test {
namespace {

TEST(Metrics, PrometheusUnderstandsThem) {
  Looked looked;
  Client client = looked.cluster().Connect();
  for (int i = 0; i < 50; ++i) {
    client("SET", "k" + std::to_string(i), "v");
    client("GET", "k" + std::to_string(i));
  }
  client("LPUSH", "k1", "x");
  client("CONFIG", "GET", "nonsense");
  const Scrape scrape = looked.Metrics();
  const Finished checked = RunProgram({"promtool", "check", "metrics"}, scrape.text());
  EXPECT_EQ(checked.exit_code, 0) << checked.output;
  EXPECT_EQ(checked.output, "");
  EXPECT_EQ(scrape.Sum("gemel_shard_reads_total", ""), 50);
  EXPECT_EQ(scrape.Sum("gemel_shard_writes_total", ""), 51);
  EXPECT_EQ(scrape.Sum("gemel_command_calls_total", "command=\"set\""), 50);
  EXPECT_EQ(scrape.Sum("gemel_command_duration_seconds_count", "command=\"set\""), 50);
  EXPECT_EQ(scrape.Sum("gemel_shard_duration_seconds_count", ""), 101);
  EXPECT_EQ(scrape.Sum("gemel_error_replies_total", "kind=\"WRONGTYPE\""), 1);
  EXPECT_EQ(scrape.Sum("gemel_shard_error_replies_total", "kind=\"WRONGTYPE\""), 1);
  EXPECT_EQ(scrape.Sum("gemel_node_error_replies_total", ""), 2);  // of both copies
  EXPECT_GE(scrape.Sum("gemel_connected_clients", ""), 1);
  for (const char* each : {"shard=\"a\"", "shard=\"b\""}) {
    EXPECT_EQ(scrape.Sum("gemel_node_primary", each), 1);
    EXPECT_EQ(scrape.Sum("gemel_node_in_sync", each), 2);
    EXPECT_EQ(scrape.Sum("gemel_node_up", each), 2);
    // Each command to a node was timed there, too.
    EXPECT_GT(scrape.Sum("gemel_node_duration_seconds_count", each), 0);
    EXPECT_GT(scrape.Sum("gemel_node_received_bytes_total", each), 0);
    EXPECT_GT(scrape.Sum("gemel_node_sent_bytes_total", each), 0);
  }
  EXPECT_GE(scrape.Sum("gemel_node_duration_seconds_count", ""), 152);
}

// They are sent while they are made, in chunks where the protocol has them.
TEST(Metrics, ComeWholeInEitherProtocol) {
  Looked looked;
  const WebAnswer chunked = looked.Get("/metrics", {"--raw"});
  EXPECT_NE(chunked.head.find("Transfer-Encoding: chunked"), std::string::npos) << chunked.head;
  EXPECT_TRUE(chunked.body.ends_with("\r\n0\r\n\r\n"));
  const WebAnswer old = looked.Get("/metrics", {"--http1.0"});
  EXPECT_EQ(old.head.find("Transfer-Encoding"), std::string::npos) << old.head;
  EXPECT_TRUE(old.body.starts_with("# HELP gemel_build_info"));
  const Scrape scrape = looked.Metrics();
  std::string last;
  std::istringstream lines(scrape.text());
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("# TYPE ")) last = line;
  }
  EXPECT_NE(old.body.find(last), std::string::npos) << last;
  const WebAnswer head = looked.Get("/metrics", {"-I"});
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.body, "");
}

TEST(Metrics, FollowAPromotionAndWhatIsStale) {
  Looked looked;
  Cluster& cluster = looked.cluster();
  Client client = cluster.Connect();
  for (int i = 0; i < 100; ++i) client("SET", "k" + std::to_string(i), "v");
  cluster.node(0, 0).Kill();
  ASSERT_TRUE(cluster.WaitUntilPrimary(0, cluster.node(0, 1)));
  ASSERT_TRUE(Eventually([&] { return looked.Metrics().Sum("gemel_node_up", "") == 3; }));
  const Scrape scrape = looked.Metrics();
  EXPECT_EQ(scrape.Sum("gemel_shard_promotions_total", "shard=\"a\""), 1);
  EXPECT_EQ(scrape.Sum("gemel_node_primary", "node=\"" + cluster.node(0, 1).address() + "\""), 1);
  EXPECT_EQ(scrape.Sum("gemel_node_stale", "node=\"" + cluster.node(0, 0).address() + "\""), 1);
  EXPECT_EQ(scrape.Sum("gemel_node_link_up", "node=\"" + cluster.node(0, 0).address() + "\""), 0);
  EXPECT_EQ(scrape.Sum("gemel_shard_copies_in_sync", "shard=\"a\""), 1);
  cluster.node(0, 0).Start();
  ASSERT_TRUE(cluster.WaitUntilInSync());
  EXPECT_EQ(looked.Metrics().Sum("gemel_shard_copies_stale", ""), 0);
  EXPECT_GE(looked.Metrics().Sum("gemel_shard_resyncs_total", "shard=\"a\""), 1);
}

// Every metric that the files for Prometheus and Grafana name is there.
TEST(Metrics, RulesAndDashboardUseWhatIsThere) {
  Looked looked;
  looked.cluster().Connect()("SET", "k", "v");
  const Scrape scrape = looked.Metrics();
  const std::string folder = SourceFolder() + "/config/monitoring/";
  const Finished rules = RunProgram({"promtool", "check", "rules", folder + "alerts.yml"});
  EXPECT_EQ(rules.exit_code, 0) << rules.output;
  const Finished json = RunProgram({"python3", "-c",
                                    "import json,sys; d=json.load(open(sys.argv[1])); "
                                    "print(len([p for p in d['panels'] if p['type']!='row']))",
                                    folder + "grafana.json"});
  EXPECT_EQ(json.exit_code, 0) << json.output;
  EXPECT_GE(std::stoi(json.output), 15);
  for (const char* file : {"alerts.yml", "grafana.json"}) {
    const std::set<std::string> named = MetricsNamedIn(ReadFile(folder + file));
    EXPECT_GT(named.size(), 10U) << file;
    for (const std::string& name : named) {
      EXPECT_TRUE(scrape.HasFamily(name)) << name << " of " << file << " is not shown";
    }
  }
}

TEST(Metrics, APasswordIsAskedForAndAReloadChangesIt) {
  Looked looked({}, "password = \"open sesame\"");
  EXPECT_EQ(looked.Get("/metrics").status, 401);
  EXPECT_EQ(looked.Get("/metrics", {"-u", "x:wrong"}).status, 401);
  EXPECT_EQ(looked.Get("/metrics", {"-u", "prometheus:open sesame"}).status, 200);
  EXPECT_EQ(looked.Get("/metrics", {"-H", "Authorization: Bearer open sesame"}).status, 200);
  Client client = looked.cluster().Connect();
  EXPECT_EQ(client("CONFIG", "SET", "metrics.password", "another"), "OK");
  EXPECT_EQ(looked.Get("/metrics", {"-u", "x:open sesame"}).status, 401);
  EXPECT_EQ(looked.Get("/metrics", {"-u", "x:another"}).status, 200);
}

TEST(Metrics, AReloadChangesTheListener) {
  Looked looked;
  const FreePort other;
  const std::string file = looked.cluster().proxy().config_path();
  const std::string before = ReadFile(file);
  Client client = looked.cluster().Connect();
  WriteFile(file, Replaced(before, std::to_string(looked.port()), std::to_string(other.number())));
  EXPECT_FALSE(client("PROXY", "RELOAD").IsError());
  EXPECT_EQ(WebGet(other.number(), "/metrics").status, 200);
  EXPECT_TRUE(Eventually([&] { return looked.Get("/metrics").status == 0; }));
  // One that cannot be is refused, and what there was goes on.
  WriteFile(file, Replaced(before, std::to_string(looked.port()),
                           std::to_string(looked.cluster().proxy().port())));
  const Reply refused = client("PROXY", "RELOAD");
  EXPECT_NE(refused.Text().find("[metrics] listen: cannot listen on 127.0.0.1:"), std::string::npos)
      << refused;
  EXPECT_EQ(WebGet(other.number(), "/metrics").status, 200);
  // None at all.
  WriteFile(file, Replaced(before, "listen = [\"127.0.0.1:" + std::to_string(looked.port()) + "\"]",
                           "listen = []"));
  EXPECT_FALSE(client("PROXY", "RELOAD").IsError());
  EXPECT_TRUE(Eventually([&] { return WebGet(other.number(), "/metrics").status == 0; }));
}

TEST(Metrics, APortThatIsTakenIsAnErrorAtTheStart) {
  Looked looked;
  ProxyProcess second;
  const RedisNode node;
  try {
    second.Start("[proxy]\nlisten = [\"127.0.0.1:" + std::to_string(second.port()) +
                 "\"]\n[metrics]\nlisten = [\"127.0.0.1:" + std::to_string(looked.port()) +
                 "\"]\n[[shard]]\nname = \"z\"\nprimary = \"" + node.address() + "\"\n");
    ADD_FAILURE() << "it started";
  } catch (const std::exception& error) {
    EXPECT_NE(std::string(error.what()).find("gemel.toml:4:"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("cannot listen on"), std::string::npos);
  }
}

TEST(Metrics, OthersThanThisMachineAreTurnedAwayWithoutAPassword) {
  const std::string address = OwnAddress();
  ASSERT_NE(address, "") << "this machine has no address but loopback";
  Looked looked({}, "", address);
  const WebAnswer answer = looked.Get("/metrics");
  EXPECT_EQ(answer.status, 403);
  EXPECT_NE(answer.body.find("protected mode"), std::string::npos) << answer.body;
}

TEST(Metrics, NoPageOfAnotherSiteReadsThem) {
  Looked looked;
  EXPECT_EQ(looked.Get("/metrics", {"-H", "Host: evil.example"}).status, 403);
  EXPECT_EQ(looked.Get("/metrics", {"-H", "Host: localhost"}).status, 200);
}

TEST(Metrics, OddHttpIsNoHarm) {
  Looked looked;
  const uint16_t port = looked.port();
  std::vector<std::unique_ptr<RawSocket>> silent;
  for (int i = 0; i < 3; ++i) silent.push_back(std::make_unique<RawSocket>(port));
  const std::vector<std::string> odd = {
      "\r\n\r\n",
      "GET\r\n\r\n",
      "GET /metrics\r\n\r\n",
      "GET /metrics HTTP/9.9\r\n\r\n",
      "GET " + std::string(100000, 'x') + " HTTP/1.1\r\n\r\n",
      "GET / HTTP/1.1\r\n" + std::string(100000, 'h') + ": x\r\n\r\n",
      "GET /../../etc/passwd HTTP/1.0\r\n\r\n",
      "GET /%00%ff%n HTTP/1.0\r\n\r\n",
      "POST /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99999999999\r\n\r\nx",
      "POST /metrics HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
      "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzzzz\r\n",
      "GET /metrics HTTP/1.1\r\nAuthorization: Basic " + std::string(5000, '=') + "\r\n\r\n",
      "*1\r\n$4\r\nPING\r\n\r\n",
      std::string("\x16\x03\x01\0\x05\r\n\r\n", 9),
  };
  for (const std::string& request : odd) {
    RawSocket socket(port);
    try {
      socket.Send(request);
      socket.CloseWriting();
      const std::string answer = socket.ReadUntilClosed();
      EXPECT_EQ(answer.find("root:"), std::string::npos);
    } catch (const std::exception&) {  // cut off is an answer
    }
  }
  EXPECT_EQ(looked.Get("/nothing").status, 404);
  EXPECT_EQ(looked.Get("/metrics", {"-X", "PUT"}).status, 405);
  EXPECT_EQ(looked.Get("/metrics", {"-I"}).status, 200);
  silent.clear();
  EXPECT_EQ(looked.Get("/metrics").status, 200);
  EXPECT_EQ(looked.cluster().Connect()("PING"), "PONG");
}

}  // namespace
}  // namespace gemel::e2e::metrics_test
