// The harness itself, on a bare redis-server.

#include <gtest/gtest.h>

#include "tests/e2e/load.h"
#include "tests/e2e/raw_socket.h"
#include "tests/e2e/redis_node.h"

namespace gemel::e2e::harness_test {
namespace {

TEST(Harness, RepliesHaveOneText) {
  RedisNode node;
  Client client = node.Connect();
  EXPECT_EQ(client("SET", "k", "v"), "OK");
  EXPECT_EQ(client("MGET", "k", "none"), "[v (nil)]");
  EXPECT_EQ(client("INCR", "n"), ":1");
  EXPECT_EQ(client("INCR", "k"), "-ERR value is not an integer or out of range");
  EXPECT_EQ(client("GET", "none"), "(nil)");
}

TEST(Harness, NodeLivesAndDiesAsTold) {
  RedisNode node;
  node.Connect()("SET", "k", "v");
  const std::string digest = node.Digest();
  node.Kill();
  EXPECT_FALSE(node.running());
  EXPECT_THROW(node.Connect(), std::runtime_error);
  node.Start();
  EXPECT_EQ(node.Connect()("GET", "k"), "(nil)");
  EXPECT_NE(node.Digest(), digest);
  node.Pause();
  RawSocket socket(node.port());
  socket.Send("PING\r\n");
  node.Resume();
  EXPECT_EQ(socket.Read(7), "+PONG\r\n");
}

TEST(Harness, LoadKnowsTheData) {
  RedisNode node;
  Load load(node.port(), {.threads = 3, .keys = 4, .pipeline = 7});
  EXPECT_TRUE(load.WaitForMore(2000));
  load.Stop();
  load.Verify(node.port());
}

}  // namespace
}  // namespace gemel::e2e::harness_test
