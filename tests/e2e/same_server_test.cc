// One server under two addresses is no pair.

#include <gtest/gtest.h>

#include "tests/e2e/proxy_process.h"
#include "tests/e2e/redis_node.h"
#include "tests/e2e/wait.h"

namespace gemel::e2e {
namespace {

TEST(SameServer, UnderTwoAddressesAppliesAWriteOnce) {
  RedisNode node({"--bind", "127.0.0.1", "127.0.0.2"});
  ProxyProcess proxy;
  proxy.Start("[proxy]\nlisten = [\"127.0.0.1:" + std::to_string(proxy.port()) +
              "\"]\n[[shard]]\nname = \"a\"\nprimary = \"" + node.address() +
              "\"\nreplicas = [\"127.0.0.2:" + std::to_string(node.port()) + "\"]\n");
  Client client(proxy.port());
  EXPECT_TRUE(Eventually([&] { return client("SET", "k", "v") == "OK"; })) << proxy.Log();
  for (int i = 1; i <= 5; ++i) EXPECT_EQ(client("INCR", "n"), ":" + std::to_string(i));
  EXPECT_TRUE(Eventually([&] {
    return proxy.Log().find("is not used: it is the same server as ") != std::string::npos;
  })) << proxy.Log();
}

TEST(SameServer, AGemelIsNoNode) {
  RedisNode node;
  ProxyProcess first;
  const auto config = [](const ProxyProcess& proxy, uint16_t port) {
    return "[proxy]\nlisten = [\"127.0.0.1:" + std::to_string(proxy.port()) +
           "\"]\n[[shard]]\nname = \"a\"\nprimary = \"127.0.0.1:" + std::to_string(port) + "\"\n";
  };
  first.Start(config(first, node.port()));
  ProxyProcess second;
  second.Start(config(second, first.port()));
  Client client(second.port());
  EXPECT_TRUE(Eventually([&] {
    return client("GET", "k").Text().find("it is a gemel, no Redis server") != std::string::npos;
  })) << client("GET", "k").Text();
}

}  // namespace
}  // namespace gemel::e2e
