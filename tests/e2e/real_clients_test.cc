// The clients and tools people use connect with their default options and see nothing odd.

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/e2e/client_script.h"
#include "tests/e2e/cluster.h"

namespace gemel::e2e::real_clients_test {
namespace {

class RealClients : public testing::Test {
 protected:
  // redis-cli against the proxy.
  Finished Cli(const Words& arguments, const std::string& input = "") {
    Words command = {"redis-cli", "-p", std::to_string(cluster().proxy().port())};
    command.insert(command.end(), arguments.begin(), arguments.end());
    return RunProgram(command, input);
  }
  // One of the scripts of clients/.
  Finished RunClient(const std::string& interpreter, const std::string& script) {
    return RunProgram(
        {interpreter, ClientScript(script), std::to_string(cluster().proxy().port())});
  }
  Cluster& cluster() { return cluster_; }

 private:
  Cluster cluster_;
};

void ExpectNoComplaint(const std::string& output) {
  for (const char* word : {"rror", "arning", "WARNING", "ERR", "not supported"}) {
    EXPECT_EQ(output.find(word), std::string::npos) << word << " in:\n" << output;
  }
}

TEST_F(RealClients, RedisCliPrompt) {
  const Finished finished =
      Cli({}, "SET k \"a b\"\nGET k\nMGET k none\nINCR n\nHSET h f v\nHGETALL h\nDEL k n h\n");
  EXPECT_EQ(finished.exit_code, 0);
  EXPECT_EQ(finished.output, "OK\na b\na b\n\n1\n1\nf\nv\n3\n");
}

TEST_F(RealClients, RedisCliPromptOnATerminal) {
  const Finished finished = RunClient("/usr/bin/python3", "redis_cli_terminal.py");
  EXPECT_EQ(finished.exit_code, 0) << finished.output;
  EXPECT_EQ(finished.output.find("arning"), std::string::npos) << finished.output;
}

TEST_F(RealClients, RedisCliScanAndBigkeys) {
  Client client = cluster().Connect();
  for (int i = 0; i < 300; ++i) client("SET", "key:" + std::to_string(i), std::string(10, 'v'));
  client("SET", "biggest", std::string(1000, 'v'));
  client("RPUSH", "list", "a", "b", "c");
  client("HSET", "hash", "a", "1");
  const Finished scan = Cli({"--scan"});
  EXPECT_EQ(scan.exit_code, 0);
  EXPECT_EQ(std::count(scan.output.begin(), scan.output.end(), '\n'), 303) << scan.output;
  const Finished pattern = Cli({"--scan", "--pattern", "b*"});
  EXPECT_EQ(pattern.output, "biggest\n");
  const Finished big = Cli({"--bigkeys"});
  EXPECT_EQ(big.exit_code, 0);
  EXPECT_NE(big.output.find("Sampled 303 keys in the keyspace!"), std::string::npos) << big.output;
  EXPECT_NE(big.output.find("'\"biggest\"' has 1000 bytes"), std::string::npos) << big.output;
  ExpectNoComplaint(big.output);
}

TEST_F(RealClients, RedisCliStat) {
  cluster().Connect()("SET", "k", "v");
  const Finished finished =
      RunProgram({"timeout", "3", "stdbuf", "-oL", "redis-cli", "-p",
                  std::to_string(cluster().proxy().port()), "--stat", "-i", "0.2"});
  EXPECT_EQ(finished.exit_code, 124);  // it goes on until it is stopped
  EXPECT_GE(std::count(finished.output.begin(), finished.output.end(), '\n'), 4) << finished.output;
  ExpectNoComplaint(finished.output);
}

TEST_F(RealClients, RedisCliLatency) {
  const Finished finished = Cli({"--raw", "--latency", "-i", "1"});
  EXPECT_EQ(finished.exit_code, 0);
  EXPECT_FALSE(finished.output.empty());
  ExpectNoComplaint(finished.output);
}

TEST_F(RealClients, RedisBenchmark) {
  for (const char* pipeline : {"1", "16"}) {
    const Finished finished =
        RunProgram({"redis-benchmark", "-p", std::to_string(cluster().proxy().port()), "-t",
                    "ping,set,get,incr,lpush,rpush,lpop,rpop,sadd,hset,zadd,zpopmin,lrange,mset",
                    "-n", "1000", "-c", "10", "-P", pipeline, "-r", "100", "-q"});
    EXPECT_EQ(finished.exit_code, 0) << finished.output;
    EXPECT_NE(finished.output.find("MSET"), std::string::npos) << finished.output;
    ExpectNoComplaint(finished.output);
  }
  cluster().ExpectCopiesEqual();
}

TEST_F(RealClients, RedisPy) {
  // Debian's own Python, for which python3-redis is installed.
  const Finished finished = RunClient("/usr/bin/python3", "redis_py_client.py");
  EXPECT_EQ(finished.exit_code, 0) << finished.output;
  EXPECT_EQ(finished.output, "redis-py: ok\n");
}

TEST_F(RealClients, NodeRedisInBothProtocols) {
  ASSERT_NO_FATAL_FAILURE(UseModule("@redis/client"));
  const Finished finished = RunClient("node", "node_redis_client.js");
  EXPECT_EQ(finished.exit_code, 0) << finished.output;
  EXPECT_EQ(finished.output, "node-redis: ok\n");
}

TEST_F(RealClients, Ioredis) {
  ASSERT_NO_FATAL_FAILURE(UseModule("ioredis"));
  const Finished finished = RunClient("node", "ioredis_client.js");
  EXPECT_EQ(finished.exit_code, 0) << finished.output;
  EXPECT_EQ(finished.output, "ioredis: ok\n");
}

}  // namespace
}  // namespace gemel::e2e::real_clients_test
