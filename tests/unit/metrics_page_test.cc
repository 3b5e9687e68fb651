// The page of metrics of a process whose nodes are a few lines each.

#include "proxy/metrics/metrics_page.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "backend/figures/metric_name.h"
#include "proxy/metrics/metrics_text.h"
#include "tests/unit/session_fakes.h"

namespace gemel::metrics_page_test {
namespace {

using session_test::FakeClient;
using session_test::FakeWorker;
using session_test::World;

std::vector<WorkerReadings> Read(World& world) {
  std::vector<WorkerReadings> readings;
  for (auto& worker : world.workers) {
    WorkerReadings& read = readings.emplace_back();
    read.config = std::make_shared<const Config>(*world.config);
    // The world's own: what is counted of commands goes by its table.
    read.pool = std::shared_ptr<const Pool>(std::shared_ptr<void>(), world.pool.get());
    for (auto& [slot, shard] : worker->shards)
      shard->Read(/*for_people=*/true, &read.shards.emplace_back());
    read.seen = worker->worker_seen.clients.shards().all();
    read.users = worker->worker_seen.clients.users().all();
    read.in_flight = worker->dispatcher.pending();
  }
  return readings;
}

// What has been looked at: its families in their order, and each sample's value.
struct Page {
  explicit Page(const std::string& text) : text(text) {
    std::istringstream lines(text);
    std::string family;
    for (std::string line; std::getline(lines, line);) {
      if (line.starts_with("# HELP ")) {
        family = line.substr(7, line.find(' ', 7) - 7);
        EXPECT_TRUE(families.insert(family).second) << family << " is there twice";
        continue;
      }
      if (line.starts_with("# TYPE ")) {
        EXPECT_TRUE(line.starts_with("# TYPE " + family + " ")) << line;
        continue;
      }
      EXPECT_TRUE(line.starts_with(family)) << line << " in " << family;
      const size_t space = line.rfind(' ');
      EXPECT_TRUE(samples.emplace(line.substr(0, space), line.substr(space + 1)).second) << line;
    }
  }
  std::string Of(const std::string& sample) const {
    const auto found = samples.find(sample);
    return found == samples.end() ? "none" : found->second;
  }

  const std::string text;
  std::set<std::string> families;
  std::map<std::string, std::string> samples;
};

// All pieces, each of whole lines.
std::string PageOf(const ProcessInfo& process, std::span<const WorkerReadings> readings) {
  std::string text;
  WriteMetricsPage(process, readings, [&text](std::string_view piece) {
    EXPECT_TRUE(piece.ends_with('\n'));
    text += piece;
    return true;
  });
  return text;
}

class MetricsPageTest : public ::testing::Test {
 protected:
  explicit MetricsPageTest() : world_(2, "", /*workers=*/2) {
    for (auto& worker : world_.workers) {
      worker->worker_seen.clients.shards().Use(world_.pool->NamesBySlot());
    }
  }
  Page Look() { return Page(PageOf(world_.process, Read(world_))); }

  World world_;
};

TEST_F(MetricsPageTest, HasWhatClientsDid) {
  FakeClient& client = world_.Connect(0);
  const std::string of_a = world_.Key(0);
  const std::string of_b = world_.Key(1);
  world_.Ask(client, {"SET", of_a, "v"});
  world_.Ask(client, {"GET", of_b});
  world_.Ask(client, {"GET", of_b});
  world_.Ask(client, {"HSET", of_b, "f", "v"});  // which the node does not know
  const Page page = Look();
  EXPECT_EQ(page.Of("gemel_build_info{version=\"test\"}"), "1");
  EXPECT_EQ(page.Of("gemel_shard_writes_total{pool=\"default\",shard=\"a\"}"), "1");
  EXPECT_EQ(page.Of("gemel_shard_reads_total{pool=\"default\",shard=\"b\"}"), "2");
  EXPECT_EQ(page.Of("gemel_command_calls_total{pool=\"default\",command=\"get\"}"), "2");
  EXPECT_EQ(page.Of("gemel_command_failed_total{pool=\"default\",command=\"hset\"}"), "1");
  EXPECT_EQ(page.Of("gemel_command_duration_seconds_count{pool=\"default\",command=\"get\"}"), "2");
  EXPECT_EQ(page.Of("gemel_error_replies_total{pool=\"default\",kind=\"ERR\"}"), "1");
  EXPECT_EQ(page.Of("gemel_shard_error_replies_total{pool=\"default\",shard=\"b\",kind=\"ERR\"}"),
            "1");
  EXPECT_EQ(page.Of("gemel_shard_duration_seconds_count{pool=\"default\",shard=\"a\"}"), "1");
  EXPECT_EQ(page.Of("gemel_shard_duration_seconds_count{pool=\"default\",shard=\"b\"}"), "3");
  const std::string user = "{pool=\"default\",user=\"default\"}";
  EXPECT_EQ(page.Of("gemel_user_duration_seconds_count" + user), "4");
  EXPECT_EQ(page.Of("gemel_user_failed_total" + user), "1");
  EXPECT_NE(page.Of("gemel_user_reply_bytes_total" + user), "0");
  const std::string node = "{pool=\"default\",shard=\"b\",node=\"n\"}";
  EXPECT_EQ(page.Of("gemel_node_error_replies_total" + node), "1");
  EXPECT_EQ(page.Of("gemel_node_primary" + node), "1");
  EXPECT_EQ(page.Of("gemel_node_in_sync" + node), "1");
  EXPECT_EQ(page.Of("gemel_node_stale" + node), "0");
  EXPECT_EQ(page.Of("gemel_node_link_up" + node), "1");
  EXPECT_EQ(page.Of("gemel_node_pending" + node), "0");
  EXPECT_EQ(page.Of("gemel_requests_in_flight{pool=\"default\"}"), "0");
  EXPECT_EQ(page.Of("gemel_node_pending_limit{pool=\"default\"}"), "262144");
}

TEST_F(MetricsPageTest, HasWhatIsInFlight) {
  FakeClient& client = world_.Connect(0);
  client.Command({"SET", world_.Key(0), "v"});
  const Page page = Look();
  EXPECT_EQ(page.Of("gemel_requests_in_flight{pool=\"default\"}"), "1");
  EXPECT_EQ(page.Of("gemel_node_pending{pool=\"default\",shard=\"a\",node=\"n\"}"), "1");
  EXPECT_NE(page.Of("gemel_shard_in_flight_bytes{pool=\"default\",shard=\"a\"}"), "0");
}

// What INFO and PROXY SHARDS show of numbers, the page has.
TEST_F(MetricsPageTest, HasAllThatIsDeclared) {
  const Page page = Look();
  size_t figures = 0;
  for (auto& worker : world_.workers) {
    for (auto& [slot, shard] : worker->shards) {
      for (const Figure* figure : shard->figures().all()) {
        const MetricName name = MetricNameOf("gemel_shard_", figure->name(), figure->type());
        EXPECT_TRUE(page.families.contains(name.name)) << name.name;
        ++figures;
      }
    }
  }
  EXPECT_GT(figures, 40U);
  for (const CounterList::Entry& entry : world_.workers[0]->stats.counters()) {
    const MetricName name = MetricNameOf("gemel_", entry.info.info.name, entry.info.type);
    EXPECT_TRUE(name.name.empty() || page.families.contains(name.name)) << name.name;
  }
  for (const ShardNumber& number : ShardNumbers()) {
    EXPECT_TRUE(page.families.contains(MetricNameOf("gemel_shard_", number.name, number.type).name))
        << number.name;
  }
  for (const NodeNumber& number : NodeNumbers()) {
    EXPECT_TRUE(page.families.contains(MetricNameOf("gemel_node_", number.name, number.type).name))
        << number.name;
  }
  EXPECT_EQ(page.text, PageOf(world_.process, Read(world_)));
}

// A shard that is going may lack figures that others have.
TEST_F(MetricsPageTest, ShardsMayHaveOtherFigures) {
  std::vector<WorkerReadings> readings = Read(world_);
  std::vector<FigureReading>& numbers = readings[0].shards[0].numbers;
  std::erase_if(numbers, [](const FigureReading& number) { return number.name == "epoch"; });
  readings[1].shards[0].numbers.push_back({"odd", "Of one alone", FigureType::kCounter, 7});
  const Page page(PageOf(world_.process, readings));
  EXPECT_EQ(page.Of("gemel_shard_epoch{pool=\"default\",shard=\"a\"}"), "none");
  EXPECT_NE(page.Of("gemel_shard_epoch{pool=\"default\",shard=\"b\"}"), "none");
  EXPECT_EQ(page.Of("gemel_shard_odd_total{pool=\"default\",shard=\"b\"}"), "7");
  EXPECT_EQ(page.Of("gemel_shard_reads_total{pool=\"default\",shard=\"a\"}"), "0");
}

// What is long is given while it is made, and no more of it once nobody listens.
TEST_F(MetricsPageTest, ItIsGivenInPieces) {
  std::vector<WorkerReadings> readings = Read(world_);
  for (int i = 0; i < 400; ++i) {
    ShardReadings shard = readings[0].shards[0];
    shard.name = "more" + std::to_string(i);
    readings[0].shards.push_back(shard);
  }
  const std::string page = PageOf(world_.process, readings);
  std::vector<size_t> sizes;
  std::string text;
  WriteMetricsPage(world_.process, readings, [&](std::string_view piece) {
    sizes.push_back(piece.size());
    text += piece;
    return sizes.size() < 3;
  });
  ASSERT_EQ(sizes.size(), 3U);
  for (const size_t size : sizes) {
    EXPECT_GE(size, MetricsText::kPiece);
    EXPECT_LE(size, MetricsText::kPiece * 9 / 8);
  }
  EXPECT_TRUE(page.starts_with(text));
  EXPECT_GT(page.size(), text.size() + MetricsText::kPiece);
}

}  // namespace
}  // namespace gemel::metrics_page_test
