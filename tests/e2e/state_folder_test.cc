// The state folder cannot be written: what would need it is refused and shown, everything else goes
// on.

#include <gtest/gtest.h>

#include <filesystem>

#include "tests/e2e/cluster.h"

namespace gemel::e2e::state_folder_test {
namespace {

std::string PersistenceField(const Cluster& cluster, const std::string& name) {
  const std::string text = cluster.Connect()("INFO", "persistence").bytes;
  const size_t at = text.find(name + ":");
  if (at == std::string::npos) throw std::runtime_error("INFO has no " + name);
  const size_t begin = at + name.size() + 1;
  return text.substr(begin, text.find("\r\n", begin) - begin);
}

// Of shard a.
std::string ShardField(const Cluster& cluster, const std::string& name) {
  const Reply shards = cluster.Connect()("PROXY", "SHARDS");
  for (const Reply& shard : shards.items) {
    if (shard.Field("name") == "a") return shard.Field(name).Text();
  }
  throw std::runtime_error("no shard a");
}

TEST(StateFolder, CannotBeWritten) {
  Cluster cluster({.shards = 2, .sections = {{"health", kImpatientProbes}}});
  const std::string a = cluster.KeyOn(0);
  const std::string b = cluster.KeyOn(1);
  Client client = cluster.Connect();
  EXPECT_EQ(client("MSET", a, "1", b, "1"), "OK");
  EXPECT_EQ(PersistenceField(cluster, "state_unsaved_shards"), "0");
  EXPECT_EQ(PersistenceField(cluster, "state_edits_failed"), "0");
  EXPECT_EQ(ShardField(cluster, "edit_error"), "");

  // A folder where the next state is to be written stops root, too.
  const std::string in_the_way = cluster.proxy().folder() + "/state/topology.toml.tmp";
  // What is being written at the moment comes first: the nodes' settings are kept, too.
  std::error_code busy;
  ASSERT_TRUE(Eventually([&] { return std::filesystem::create_directory(in_the_way, busy); }))
      << busy.message();
  cluster.node(0, 1).Kill();
  EXPECT_TRUE(Eventually([&] { return !ShardField(cluster, "edit_error").empty(); }));
  const std::string told = client("SET", a, "2").Text();
  EXPECT_TRUE(told.starts_with("-CLUSTERDOWN shard 'a'")) << told;
  EXPECT_EQ(client("GET", a), "1");
  EXPECT_EQ(client("SET", b, "2"), "OK");
  EXPECT_TRUE(Eventually([&] {
    return PersistenceField(cluster, "state_unsaved_shards") == "1" &&
           PersistenceField(cluster, "state_edits_failed") != "0";
  }));
  EXPECT_NE(ShardField(cluster, "edits_failed"), ":0");
  EXPECT_TRUE(Eventually([&] { return cluster.proxy().Logs("could not mark"); }))
      << cluster.proxy().Log();
  EXPECT_EQ(cluster.Status(0).Node(cluster.node(0, 1).address()).state, "in-sync");

  std::filesystem::remove(in_the_way);
  EXPECT_TRUE(Eventually([&] { return client("SET", a, "3") == "OK"; }));
  EXPECT_TRUE(Eventually([&] { return ShardField(cluster, "edit_error").empty(); }));
  EXPECT_TRUE(Eventually([&] { return PersistenceField(cluster, "state_unsaved_shards") == "0"; }));
  cluster.node(0, 1).Start();
  cluster.ExpectCopiesEqual();
  EXPECT_EQ(client("GET", a), "3");
}

}  // namespace
}  // namespace gemel::e2e::state_folder_test
