// `gemel top` before a gemel that serves.

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "tests/e2e/cluster.h"
#include "tests/e2e/look.h"

namespace gemel::e2e::top_test {
namespace {

Words Top(uint16_t port, const Words& more) {
  Words words = {GemelBinary(), "top", "--port", std::to_string(port), "--interval", "0.2"};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

size_t Count(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += part.size()) ++count;
  return count;
}

TEST(Top, ShowsShardsNodesCommandsAndHotKeys) {
  Cluster cluster;
  std::atomic<bool> end = false;
  std::thread load([&, port = cluster.proxy().port()] {
    Client client(port);
    for (int i = 0; !end; ++i) {
      client("GET", i % 4 == 0 ? "some:" + std::to_string(i) : "the hot one");
      client("SET", "written", "v");
    }
  });
  const Finished top = RunProgram(Top(cluster.proxy().port(), {"--count", "3"}));
  end = true;
  load.join();
  EXPECT_EQ(top.exit_code, 0) << top.output;
  EXPECT_EQ(Count(top.output, "\nSHARD "), 3u) << top.output;
  for (int shard = 0; shard < cluster.shards(); ++shard) {
    for (int copy = 0; copy < cluster.copies(); ++copy) {
      EXPECT_EQ(Count(top.output, cluster.node(shard, copy).address() + " "), 3u) << top.output;
    }
  }
  // Its place among the others is the load's; it is there, and so is how often.
  for (const char* part : {"pid ", "\nget ", "\nset ", "\nthe hot one ", "\nwritten ", "in-sync"}) {
    EXPECT_TRUE(Has(top.output, part)) << part << top.output;
  }
  EXPECT_FALSE(Has(top.output, "\033")) << top.output;
}

TEST(Top, TakesATerminalAndGivesItBack) {
  Cluster cluster({.shards = 1, .copies = 1});
  std::string command;
  for (const std::string& word : Top(cluster.proxy().port(), {"--count", "2"}))
    command += word + " ";
  const Finished top = RunProgram({"script", "-qec", command, "/dev/null"});
  EXPECT_EQ(top.exit_code, 0) << top.output;
  const size_t begin = top.output.find("\033[?1049h");
  const size_t end = top.output.find("\033[?1049l");
  ASSERT_NE(begin, std::string::npos) << top.output;
  ASSERT_NE(end, std::string::npos) << top.output;
  EXPECT_EQ(Count(top.output.substr(begin, end - begin), "\033[H"), 2u);
}

TEST(Top, SaysWhyItCannot) {
  FreePort free;
  const Finished nobody = RunProgram(Top(free.number(), {}));
  EXPECT_EQ(nobody.exit_code, 1);
  EXPECT_EQ(nobody.output,
            "gemel top: cannot connect to 127.0.0.1:" + std::to_string(free.number()) +
                ": Connection refused; is a gemel running there? --host and --port "
                "say where\n");
  RedisNode node;
  const Finished redis = RunProgram(Top(node.port(), {}));
  EXPECT_EQ(redis.exit_code, 1);
  EXPECT_TRUE(Has(redis.output, "what answers there is no gemel")) << redis.output;
}

TEST(Top, GivesThePassword) {
  RedisNode node;
  ProxyProcess proxy;
  proxy.Start("[proxy]\npassword = \"long enough to last\"\nlisten = [\"127.0.0.1:" +
              std::to_string(proxy.port()) + "\"]\n[[shard]]\nname = \"a\"\nprimary = \"" +
              node.address() + "\"\n");
  const Finished without = RunProgram(Top(proxy.port(), {"--count", "1"}));
  EXPECT_EQ(without.exit_code, 1);
  EXPECT_TRUE(Has(without.output, "NOAUTH") && Has(without.output, "GEMEL_PASSWORD"))
      << without.output;
  Words words = {"env", "GEMEL_PASSWORD=long enough to last"};
  const Words top = Top(proxy.port(), {"--count", "1"});
  words.insert(words.end(), top.begin(), top.end());
  const Finished with = RunProgram(words);
  EXPECT_EQ(with.exit_code, 0) << with.output;
  EXPECT_TRUE(Has(with.output, node.address())) << with.output;
}

}  // namespace
}  // namespace gemel::e2e::top_test
