// Prometheus's exporter for Redis finds in gemel what its dashboards show.

#include <gtest/gtest.h>

#include <sstream>
#include <string>

#include "tests/e2e/child_process.h"
#include "tests/e2e/cluster.h"
#include "tests/e2e/free_port.h"
#include "tests/e2e/raw_socket.h"
#include "tests/e2e/wait.h"

namespace gemel::e2e::exporter_test {
namespace {

class Exporter {
 public:
  // Looks at everything that it is able to look at.
  explicit Exporter(uint16_t redis) {
    child_.Start(
        {"prometheus-redis-exporter", "--redis.addr", "redis://127.0.0.1:" + std::to_string(redis),
         "--web.listen-address", "127.0.0.1:" + std::to_string(port_.number()),
         "--export-client-list", "--include-config-metrics", "--include-system-metrics",
         "--check-keys", "x:*", "--check-streams", "st*", "--count-keys", "x:*"},
        log());
    const bool listens = Eventually([this] {
      return !child_.running() || ReadFile(log()).find("Providing metrics") != std::string::npos;
    });
    EXPECT_TRUE(listens && child_.running())
        << "prometheus-redis-exporter, which scripts/test installs: " << ReadFile(log());
  }

  std::string Scrape() {
    std::string page;
    Eventually([&] {
      try {
        RawSocket socket(port_.number());
        socket.Send("GET /metrics HTTP/1.0\r\n\r\n");
        page = socket.ReadUntilClosed();
      } catch (const std::exception&) {
        page.clear();  // it says that it listens a moment before it does
      }
      return !page.empty();
    });
    return page;
  }
  // What it complains of, once in its life.
  std::string Complaints() const {
    std::istringstream lines(ReadFile(log()));
    std::string complaints;
    for (std::string line; std::getline(lines, line);) {
      // What monitors latency may be the nodes' own matter.
      const bool counts = line.find("level=error") != std::string::npos &&
                          line.find("LATENCY") == std::string::npos;
      if (counts) complaints += line + "\n";
    }
    return complaints;
  }

 private:
  std::string log() const { return folder_.path() + "/log"; }

  TempFolder folder_;
  FreePort port_;
  ChildProcess child_;
};

TEST(Exporter, ShowsWhatDashboardsShow) {
  Cluster cluster;
  Client client = cluster.Connect();
  for (int i = 0; i < 30; ++i) client("SET", "x:" + std::to_string(i), "v");
  client("EXPIRE", "x:0", "1000");
  client("XADD", "stream", "*", "f", "v");
  client("XGROUP", "CREATE", "stream", "workers", "0");
  Exporter exporter(cluster.proxy().port());
  ASSERT_FALSE(HasFailure());
  for (int i = 0; i < 2; ++i) {
    const std::string page = exporter.Scrape();
    for (const char* line :
         {"redis_up 1", "redis_exporter_last_scrape_error{err=\"\"} 0", "redis_db_keys{db=\"db0\"}",
          "redis_connected_clients ", "redis_commands_processed_total ", "redis_memory_used_bytes ",
          "redis_net_input_bytes_total ", "redis_uptime_in_seconds ", "redis_instance_info{",
          "redis_keys_count{db=\"db0\",key=\"x:*\"} 30", "redis_key_size{db=\"db0\",key=\"x:7\"} 1",
          "redis_stream_length{db=\"db0\",stream=\"stream\"} 1",
          "redis_stream_group_consumers{db=\"db0\",group=\"workers\",stream=\"stream\"} 0",
          "redis_config_key_value{key=\"maxmemory-policy\"", "redis_connected_clients_details{"}) {
      EXPECT_NE(page.find("\n" + std::string(line)), std::string::npos) << line << " is not in\n"
                                                                        << page;
    }
  }
  EXPECT_EQ(exporter.Complaints(), "");
}

}  // namespace
}  // namespace gemel::e2e::exporter_test
