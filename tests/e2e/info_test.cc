// INFO: Redis's names, sums over the shards, what becomes of commands.

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>

#include "tests/e2e/cluster.h"
#include "tests/e2e/redis_node.h"
#include "tests/e2e/wait.h"

namespace gemel::e2e::info_test {
namespace {

std::map<std::string, std::string> Fields(const std::string& text) {
  std::map<std::string, std::string> fields;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find("\r\n", at), text.size());
    const std::string line = text.substr(at, end - at);
    const size_t colon = line.find(':');
    if (colon != std::string::npos) fields[line.substr(0, colon)] = line.substr(colon + 1);
    at = end + 2;
  }
  return fields;
}

std::vector<std::string> Heads(const std::string& text) {
  std::vector<std::string> heads;
  for (size_t at = text.find("# "); at != std::string::npos; at = text.find("# ", at + 1)) {
    heads.push_back(text.substr(at, text.find("\r\n", at) - at));
  }
  return heads;
}

std::map<std::string, std::string> Info(Client* client, const std::string& section) {
  return Fields((*client)("INFO", section).bytes);
}

// Fields of Redis's that gemel has not, and why.
const std::map<std::string, std::string> kLeftOut = {
    {"redis_build_id", "it is another program"},
    {"atomicvar_api", "of Redis's build"},
    {"gcc_version", "of Redis's build"},
    {"client_recent_max_input_buffer", "its buffers are others"},
    {"client_recent_max_output_buffer", "its buffers are others"},
    {"clients_in_timeout_table", "a table of Redis's own"},
    {"total_system_memory", "of one machine: the shards may be on several"},
    {"total_system_memory_human", "the same"},
    {"used_memory_scripts_eval", "used_memory_scripts are gemel's"},
    {"total_net_repl_input_bytes", "replication is the nodes' own"},
    {"total_net_repl_output_bytes", "the same"},
    {"instantaneous_input_repl_kbps", "the same"},
    {"instantaneous_output_repl_kbps", "the same"},
    {"sync_full", "the same"},
    {"sync_partial_ok", "the same"},
    {"sync_partial_err", "the same"},
    {"slave_expires_tracked_keys", "the same"},
    {"master_replid", "the same"},
    {"master_replid2", "the same"},
    {"second_repl_offset", "the same"},
    {"current_fork_perc", "a share, of which there is no sum"},
    {"expired_stale_perc", "a share, of which there is no sum"},
    {"evicted_clients", "no client is evicted"},
    {"migrate_cached_sockets", "no MIGRATE"},
    {"unexpected_error_replies", "of Redis's replication"},
    {"total_reads_processed", "calls of the system of another program"},
    {"total_writes_processed", "the same"},
    {"io_threaded_reads_processed", "the same"},
    {"io_threaded_writes_processed", "the same"},
    {"reply_buffer_shrinks", "its buffers are others"},
    {"reply_buffer_expands", "the same"},
};

TEST(Info, EachFieldOfRedisIsThereOrLeftOutForAReason) {
  RedisNode bare;
  Cluster cluster({.shards = 2, .workers = 2});
  Client redis = bare.Connect();
  Client client = cluster.Connect();
  for (Client* one : {&redis, &client}) {
    (*one)("SET", "k", "v");
    (*one)("NOSUCH");
  }
  const std::string got_text = client("INFO", "everything").bytes;
  const auto got = Fields(got_text);
  const std::string text = redis("INFO", "everything").bytes;
  for (const auto& [name, value] : Fields(text)) {
    if (name.starts_with("cmdstat_") || name.starts_with("latency_")) continue;
    EXPECT_NE(got.contains(name), kLeftOut.contains(name)) << name;
  }
  // All heads of Redis's, in its order; gemel's own are between them.
  std::vector<std::string> heads = Heads(got_text);
  std::erase_if(heads, [](const std::string& head) {
    return head == "# Reload" || head == "# Resync" || head == "# Proxy";
  });
  EXPECT_EQ(heads, Heads(text));
}

TEST(Info, SectionsAreChosenAsInRedis) {
  RedisNode bare;
  Cluster cluster({.shards = 1, .copies = 1});
  Client redis = bare.Connect();
  Client client = cluster.Connect();
  const std::set<std::string> own = {"# Reload", "# Resync", "# Proxy"};
  for (const Words& words : std::vector<Words>{{"INFO"},
                                               {"INFO", "all"},
                                               {"INFO", "Everything"},
                                               {"INFO", "default"},
                                               {"INFO", "MEMORY"},
                                               {"INFO", "commandstats"},
                                               {"INFO", "default", "commandstats"},
                                               {"INFO", "keyspace", "cpu"},
                                               {"INFO", "modules"},
                                               {"INFO", "nosuch"}}) {
    std::vector<std::string> heads = Heads(client.Run(words).bytes);
    std::erase_if(heads, [&own](const std::string& head) { return own.contains(head); });
    EXPECT_EQ(heads, Heads(redis.Run(words).bytes)) << words.back();
  }
}

TEST(Info, SumsOverThePrimaries) {
  Cluster cluster({.shards = 3, .copies = 1, .workers = 2});
  Client client = cluster.Connect();
  for (int i = 0; i < 60; ++i) client("SET", "k" + std::to_string(i), "v");
  for (int i = 0; i < 90; ++i) client("GET", "k" + std::to_string(i));
  auto fields = Fields(client("INFO").bytes);
  EXPECT_EQ(fields["keyspace_hits"], "60");
  EXPECT_EQ(fields["keyspace_misses"], "30");
  for (int i = 0; i < 60; i += 2) client("PEXPIRE", "k" + std::to_string(i), "1");
  EXPECT_TRUE(Eventually([&] { return Info(&client, "stats")["expired_keys"] == "30"; }));
  fields = Fields(client("INFO").bytes);
  EXPECT_TRUE(fields["db0"].starts_with("keys=30,expires=0,")) << fields["db0"];
  EXPECT_EQ(fields["evicted_keys"], "0");
  int64_t peaks = 0;
  for (int i = 0; i < 3; ++i) {
    Client node = cluster.node(i, 0).Connect();
    peaks += std::stoll(Info(&node, "memory")["used_memory_startup"]);
  }
  EXPECT_EQ(fields["used_memory_startup"], std::to_string(peaks));
  EXPECT_GT(std::stoll(fields["used_memory"]), peaks);
  EXPECT_EQ(fields["maxmemory_policy"], "noeviction");
  EXPECT_FALSE(fields.contains("shards_without_answer"));

  ASSERT_EQ(client("CONFIG", "RESETSTAT"), "OK");
  fields = Fields(client("INFO").bytes);
  EXPECT_EQ(fields["expired_keys"], "0");
  EXPECT_EQ(fields["keyspace_hits"], "0");
  EXPECT_EQ(fields["total_commands_processed"], "1");
  EXPECT_EQ(fields["total_connections_received"], "0");
  EXPECT_EQ(fields["total_error_replies"], "0");
  client("GET", "k1");
  EXPECT_EQ(Info(&client, "stats")["keyspace_hits"], "1");
  EXPECT_EQ(Info(&client, "commandstats").count("cmdstat_set"), 0u);
}

TEST(Info, AShardThatDoesNotAnswerIsLeftOutAndSaidSo) {
  Cluster cluster({.shards = 2, .copies = 1});
  Client client = cluster.Connect();
  cluster.node(1, 0).Pause();
  for (const char* section : {"default", "memory", "keyspace"}) {
    auto fields = Info(&client, section);
    EXPECT_EQ(fields["shards_without_answer"], "1") << section;
  }
  EXPECT_GT(std::stoll(Info(&client, "memory")["used_memory"]), 0);
  EXPECT_FALSE(Info(&client, "server").contains("shards_without_answer"));
  cluster.node(1, 0).Resume();
  EXPECT_TRUE(
      Eventually([&] { return !Info(&client, "memory").contains("shards_without_answer"); }));
  // Down, not hung.
  cluster.node(1, 0).Kill();
  EXPECT_TRUE(Eventually([&] { return Info(&client, "stats")["shards_without_answer"] == "1"; }));
}

// Without the times.
std::map<std::string, std::string> Counts(Client client) {
  std::map<std::string, std::string> counts;
  for (const auto& [name, value] : Fields(client("INFO", "commandstats", "errorstats").bytes)) {
    const size_t usec = value.find(",usec=");
    counts[name] = usec == std::string::npos
                       ? value
                       : value.substr(0, usec) + value.substr(value.find(",rejected_calls"));
  }
  return counts;
}

TEST(Info, CountsOfCommandsAndErrorsAreThoseOfRedis) {
  const std::vector<Words> commands = {
      {"SET", "a", "1"},
      {"GET", "a"},
      {"get", "b"},
      {"GET"},
      {"NOSUCH"},
      {"CLIENT", "NOSUCH"},
      {"LPUSH", "a", "x"},
      {"AUTH", "k"},
      {"CLIENT", "ID"},
      {"CONFIG", "GET", "maxclients"},
      {"EVALSHA", std::string(40, 'a'), "0"},
      {"EVAL", "return 1", "x"},
      {"MGET", "a", "b"},
      {"DBSIZE"},
      {"MULTI"},
      {"SET", "a", "b"},
      {"INCR", "a"},
      {"EXEC"},
      {"EXEC"},
      {"MULTI"},
      {"SET"},
      {"EXEC"},
      {"MULTI"},
      {"GET", "a"},
      {"DISCARD"},
      {"RPUSH", "l", "x"},
      {"BLPOP", "l", "0"},
      {"XADD", "s", "1-1", "f", "v"},
      {"XGROUP", "CREATECONSUMER", "s", "g", "c"},
  };
  RedisNode bare;
  const auto ask = [&](Client client) {
    client("CONFIG", "RESETSTAT");
    for (const Words& words : commands) client.Run(words);
  };
  ask(bare.Connect());
  const auto expected = Counts(bare.Connect());
  for (const int workers : {1, 2}) {
    SCOPED_TRACE(workers);
    Cluster cluster({.shards = 2, .copies = workers, .workers = workers});
    ask(cluster.Connect());
    EXPECT_EQ(Counts(cluster.Connect()), expected);
  }
}

// What is there at once takes the time that it takes; to wait for it takes none.
TEST(Info, ToWaitTakesNoTime) {
  Cluster cluster;
  Client client = cluster.Connect();
  const auto time_of_blpop = [&] {
    const std::string stats = Fields(client("INFO", "commandstats").bytes)["cmdstat_blpop"];
    const size_t at = stats.find(",usec=");
    return at == std::string::npos ? -1 : std::stoll(stats.substr(at + 6));
  };
  EXPECT_EQ(client("BLPOP", "nothing", "0.2"), "(nil)");
  EXPECT_EQ(time_of_blpop(), 0);
  client("RPUSH", "list", "a");
  EXPECT_EQ(client("BLPOP", "list", "0"), "[list a]");
  EXPECT_GT(time_of_blpop(), 0);
}

TEST(Info, LatencyPercentilesByTheOptions) {
  Cluster cluster({.shards = 1, .copies = 1});
  Client client = cluster.Connect();
  client("SET", "a", "b");
  EXPECT_NE(client("INFO", "latencystats").bytes.find("latency_percentiles_usec_set:p50="),
            std::string::npos);
  client("CONFIG", "SET", "latency-tracking-info-percentiles", "0.0 99.25 100");
  const std::string text = Info(&client, "latencystats")["latency_percentiles_usec_set"];
  EXPECT_TRUE(text.starts_with("p0=")) << text;
  EXPECT_NE(text.find(",p99.25="), std::string::npos) << text;
  EXPECT_NE(text.find(",p100="), std::string::npos) << text;
  client("CONFIG", "SET", "latency-tracking", "no");
  EXPECT_EQ(client("INFO", "latencystats"), "# Latencystats\r\n");
}

}  // namespace
}  // namespace gemel::e2e::info_test
