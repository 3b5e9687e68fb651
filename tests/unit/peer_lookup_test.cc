#include "proxy/peers/peer_lookup.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>

#include "config/config_load.h"

namespace gemel::peer_lookup_test {

// A pool of that shard, in which GET is called so.
std::unique_ptr<const Pool> PoolWith(const std::string& shard, const std::string& get) {
  const std::string text = "[commands]\nrenamed = [\"get=" + get + "\"]\n[[shard]]\nname = \"" +
                           shard + "\"\nprimary = \"127.0.0.1:7000\"\n";
  ConfigError error;
  const std::optional<Config> config = LoadConfigText(text, "/tmp/gemel.toml", &error);
  EXPECT_TRUE(config) << error.ToString();
  return std::make_unique<const Pool>(config->pool(), 1);
}

TEST(PeerLookup, WhatIsRememberedIsOfThePoolInEffect) {
  std::unique_ptr<const Pool> pool = PoolWith("a", "mget1");
  Dispatcher dispatcher(pool.get(), 0, 1);
  PeerLookup lookup(&dispatcher);
  for (int turn = 0; turn < 2; ++turn) {
    EXPECT_EQ(lookup.Shard("a"), pool->Find("a"));
    EXPECT_EQ(lookup.Row("set"), pool->table().FindByName("set"));
    EXPECT_NE(lookup.Row("set"), nullptr);
  }
  EXPECT_EQ(lookup.Shard("b"), nullptr);
  EXPECT_EQ(lookup.Row("nonsense"), nullptr);
  EXPECT_EQ(lookup.Row("set"), pool->table().FindByName("set"));
  EXPECT_EQ(lookup.Shard("a"), pool->Find("a"));
  const std::unique_ptr<const Pool> next = PoolWith("b", "mget2");
  dispatcher.SetPool(next.get());
  pool.reset();
  EXPECT_EQ(lookup.Shard("a"), nullptr);
  EXPECT_EQ(lookup.Shard("b"), next->Find("b"));
  EXPECT_EQ(lookup.Row("set"), next->table().FindByName("set"));
}

}  // namespace gemel::peer_lookup_test
