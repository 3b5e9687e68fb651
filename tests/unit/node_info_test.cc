// INFO of the nodes, as one.

#include "proxy/local/node_info.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

namespace gemel::node_info_test {
namespace {

std::map<std::string, std::string> Summed(const std::vector<ShardInfoText>& shards,
                                          const NodeBaseline* baseline = nullptr) {
  std::map<std::string, std::string> fields;
  for (const InfoLine& line : SumNodes(shards, baseline)) fields[line.name] = line.text;
  for (const InfoLine& line : SumKeyspace(shards)) fields[line.name] = line.text;
  return fields;
}

const char kA[] =
    "# Server\r\nrun_id:aa\r\n# Memory\r\nused_memory:1000\r\nused_memory_rss:3000\r\n"
    "maxmemory:5000\r\nmaxmemory_policy:allkeys-lru\r\nmem_allocator:jemalloc\r\n"
    "# Persistence\r\nrdb_last_save_time:50\r\nrdb_last_bgsave_status:ok\r\naof_enabled:0\r\n"
    "# Stats\r\nexpired_keys:7\r\nkeyspace_hits:100\r\nlatest_fork_usec:9\r\n"
    "# Keyspace\r\ndb0:keys=2,expires=1,avg_ttl=100\r\ndb3:keys=1,expires=0,avg_ttl=0\r\n";
const char kB[] =
    "run_id:bb\r\nused_memory:500\r\nused_memory_rss:600\r\nmaxmemory:100\r\n"
    "maxmemory_policy:noeviction\r\nmem_allocator:jemalloc\r\n"
    "rdb_last_save_time:40\r\nrdb_last_bgsave_status:err\r\naof_enabled:1\r\n"
    "expired_keys:1\r\nkeyspace_hits:5\r\nlatest_fork_usec:3\r\n"
    "db0:keys=3,expires=3,avg_ttl=200\r\n";

TEST(NodeInfoTest, EachFieldInItsWay) {
  auto fields = Summed({{kA, 0}, {kB, 0}});
  EXPECT_EQ(fields["used_memory"], "1500");
  EXPECT_EQ(fields["used_memory_human"], "1.46K");
  EXPECT_EQ(fields["mem_fragmentation_ratio"], "2.40");
  EXPECT_EQ(fields["maxmemory"], "5100");
  EXPECT_FALSE(fields.contains("maxmemory_policy"));
  EXPECT_EQ(fields["mem_allocator"], "jemalloc");
  EXPECT_EQ(fields["rdb_last_save_time"], "40");
  EXPECT_EQ(fields["rdb_last_bgsave_status"], "err");
  EXPECT_EQ(fields["aof_enabled"], "1");
  EXPECT_EQ(fields["expired_keys"], "8");
  EXPECT_EQ(fields["keyspace_hits"], "105");
  EXPECT_EQ(fields["latest_fork_usec"], "9");
  EXPECT_EQ(fields["db0"], "keys=5,expires=4,avg_ttl=175");
  EXPECT_EQ(fields["db3"], "keys=1,expires=0,avg_ttl=0");
  EXPECT_FALSE(fields.contains("evicted_keys"));  // nobody says so
}

TEST(NodeInfoTest, ADatabaseThatIsNotTheClientsIsLeftOut) {
  auto fields = Summed({{kA, 0, 3}, {kB, 0, 3}});
  EXPECT_EQ(fields["db0"], "keys=5,expires=4,avg_ttl=175");
  EXPECT_FALSE(fields.contains("db3"));
}

TEST(NodeInfoTest, NoLimitOfOneIsNoLimitOfAll) {
  auto fields = Summed({{kA, 0}, {"used_memory:1\r\nmaxmemory:0\r\n", 0}});
  EXPECT_EQ(fields["maxmemory"], "0");
  EXPECT_EQ(fields["maxmemory_policy"], "allkeys-lru");
}

TEST(NodeInfoTest, WhoDoesNotAnswerIsLeftOut) {
  auto fields = Summed({{"", 0}, {kB, 0}});
  EXPECT_EQ(fields["used_memory"], "500");
  EXPECT_TRUE(Summed({{"", 0}}).empty());
  EXPECT_TRUE(Summed({}).empty());
  EXPECT_TRUE(Summed({{"nonsense\r\n:\r\nx", 0}}).empty());
}

TEST(NodeInfoTest, AShardThatHasOneDatabaseForItself) {
  auto fields = Summed({{kA, 3}});
  EXPECT_EQ(fields["db0"], "keys=1,expires=0,avg_ttl=0");
  EXPECT_FALSE(fields.contains("db3"));
}

TEST(NodeInfoTest, SinceTheCountersWereReset) {
  NodeBaseline baseline;
  baseline.Set(CountersOf({{kA, 0}, {"", 0}}));
  auto fields = Summed({{kA, 0}, {kB, 0}}, &baseline);
  EXPECT_EQ(fields["expired_keys"], "1");  // b was not heard then
  EXPECT_EQ(fields["keyspace_hits"], "5");
  EXPECT_EQ(fields["used_memory"], "1500");
  EXPECT_EQ(fields["latest_fork_usec"], "9");
  // It was started anew, or counts from 0 again.
  EXPECT_EQ(Summed({{"run_id:aa\r\nexpired_keys:6\r\n", 0}}, &baseline)["expired_keys"], "6");
  EXPECT_EQ(Summed({{"run_id:cc\r\nexpired_keys:9\r\n", 0}}, &baseline)["expired_keys"], "9");
}

TEST(NodeInfoTest, SizesForPeople) {
  EXPECT_EQ(HumanBytes(1023), "1023B");
  EXPECT_EQ(HumanBytes(1536), "1.50K");
  EXPECT_EQ(HumanBytes(3 << 20), "3.00M");
  EXPECT_EQ(HumanBytes(uint64_t{5} << 30), "5.00G");
}

}  // namespace
}  // namespace gemel::node_info_test
