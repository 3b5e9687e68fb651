// What applications do with the libraries that people use, on their default options: pools,
// pipelines, transactions, subscribers, queues, stream groups, scripts, scans, binary and large
// values, connections that are cut; and what is built on these libraries.

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <tuple>

#include "tests/e2e/client_script.h"
#include "tests/e2e/cluster.h"

namespace gemel::e2e::client_work_test {
namespace {

// A script ends by itself before that, and says where it hangs.
constexpr std::chrono::seconds kScriptPatience{120};

// How a script is run. What is not there is a test failure.
Words Node(const char* needs) {
  UseModule(needs);
  return {"node"};
}
Words Plain(const char* interpreter) { return {interpreter}; }
Words Python(const char*) { return {"/usr/bin/python3"}; }  // Debian's, for which its packages are
Words Ruby(const char*) { return Plain("ruby"); }
Words Php(const char*) { return Plain("php"); }
Words Perl(const char*) { return Plain("perl"); }
Words NewerPython(const char*) {
  return {"env", "PYTHONPATH=" + NewerPackages("usr/lib/python3/dist-packages"),
          "/usr/bin/python3"};
}
Words NewerRuby(const char*) {
  Words words = {"ruby"};
  for (const char* gem : {"redis-5.3.0", "redis-client-0.22.2", "connection_pool-2.4.1"}) {
    words.push_back("-I");
    words.push_back(
        NewerPackages("usr/share/rubygems-integration/all/gems/" + std::string(gem) + "/lib"));
  }
  return words;
}

struct Program {
  const char* name;
  Words (*runner)(const char* needs);
  const char* needs;  // what scripts/test installs for it
  const char* script;
  const char* argument;  // behind the port
  const char* says;      // and nothing else
};
constexpr const char* kHashTag = "a hash tag where there are several shards";
constexpr Program kPrograms[] = {
    {"RedisPy", Python, "python3-redis", "work_redis_py.py", "2", "redis-py: ok\n"},
    {"RedisPyResp3", NewerPython, "python3-redis of Debian 13", "work_redis_py.py", "3",
     "redis-py: ok\n"},
    {"Ioredis", Node, "ioredis", "work_ioredis.js", "", "ioredis: ok\n"},
    {"NodeRedis4", Node, "redis4", "work_node_redis.js", "redis4", "node-redis 4: ok\n"},
    {"NodeRedis", Node, "redis", "work_node_redis.js", "redis", "node-redis: ok\n"},
    {"RedisRb4", Ruby, "ruby-redis", "work_ruby.rb", "", "redis-rb: ok\n"},
    {"RedisRb5", NewerRuby, "ruby-redis of Debian 13", "work_ruby.rb", "", "redis-rb: ok\n"},
    {"RedisClientRb", NewerRuby, "ruby-redis-client of Debian 13", "work_redis_client.rb", "",
     "redis-client: ok\n"},
    {"PhpRedis", Php, "php-cli and php-redis", "work_php.php", "", "phpredis: ok\n"},
    {"PerlRedis", Perl, "libredis-perl", "work_perl.pl", "", "redis perl: ok\n"},
    {"ConnectRedis", Node, "connect-redis", "web_sessions.js", "", "connect-redis: ok\n"},
    {"RateLimiterFlexible", Node, "rate-limiter-flexible", "rate_limits.js", "",
     "rate-limiter-flexible: ok\n"},
    {"Redlock", Node, "redlock", "locks.js", "", "redlock: ok\n"},
    {"Celery", Python, "python3-celery", "celery_work.py", kHashTag, "celery: ok\n"},
};

struct Setup {
  const char* name;
  int shards, workers;
};
constexpr Setup kSetups[] = {{"OneShard", 1, 1}, {"TwoShardsThreaded", 2, 2}};

class ClientWork : public testing::TestWithParam<std::tuple<Program, Setup>> {};
INSTANTIATE_TEST_SUITE_P(With, ClientWork,
                         testing::Combine(testing::ValuesIn(kPrograms), testing::ValuesIn(kSetups)),
                         [](const auto& info) {
                           return std::string(std::get<Program>(info.param).name) +
                                  std::get<Setup>(info.param).name;
                         });

TEST_P(ClientWork, DoesWhatApplicationsDo) {
  const auto& [program, setup] = GetParam();
  Words command = program.runner(program.needs);
  if (HasFailure()) return;
  Cluster cluster({.shards = setup.shards, .workers = setup.workers});
  command.push_back(ClientScript(program.script));
  command.push_back(std::to_string(cluster.proxy().port()));
  const bool tag = program.argument == kHashTag;
  command.push_back(!tag ? program.argument : setup.shards > 1 ? "{work}" : "");
  const Finished finished = RunProgram(command, "", kScriptPatience);
  EXPECT_EQ(finished.exit_code, 0) << finished.output;
  EXPECT_EQ(finished.output, program.says)
      << "It needs " << program.needs << ", which scripts/test installs.";
  cluster.ExpectCopiesEqual();
}

// What operators look at: as this library reads it of a redis-server.
TEST(RedisPyOperators, ReadWhatTheyReadOfRedis) {
  struct {
    Words command;
    const char* protocol;
  } const versions[] = {{Python(""), "2"}, {NewerPython(""), "3"}};
  for (const auto& [runner, protocol] : versions) {
    Cluster cluster({.shards = 1});
    RedisNode bare;
    Words command = runner;
    for (const std::string& word :
         {ClientScript("operators_redis_py.py"), std::to_string(cluster.proxy().port()),
          std::string(protocol), std::to_string(bare.port())}) {
      command.push_back(word);
    }
    const Finished finished = RunProgram(command, "", kScriptPatience);
    EXPECT_EQ(finished.output, "redis-py: ok\n");
    EXPECT_EQ(finished.exit_code, 0);
  }
}

}  // namespace
}  // namespace gemel::e2e::client_work_test
