// Copies that REPLICAOF does not make, though nobody refuses it: they give their place back, are
// made key by key, and what is in the way is said.

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/e2e/cluster.h"
#include "tests/e2e/load.h"

namespace gemel::e2e::copy_by_keys_test {
namespace {

using Node = std::unique_ptr<RedisNode>;

struct Pair {
  Node primary;
  Node replica;
};

class CopyByKeys : public ::testing::Test {
 protected:
  void Start(const std::string& sections = "", const std::string& shard_lines = "") {
    std::string config = "[proxy]\nlisten = [\"127.0.0.1:" + std::to_string(proxy_.port()) +
                         "\"]\nstate_dir = \"state\"\n[health]\n" + kPatientProbes + "\n" +
                         (sections.empty() ? "[resync]\nretry_ms = 100\n" : sections);
    for (size_t i = 0; i < pairs_.size(); ++i) {
      config += "[[shard]]\nname = \"" + std::string(1, static_cast<char>('a' + i)) + "\"\n" +
                shard_lines + "primary = \"" + pairs_[i].primary->address() + "\"\nreplicas = [\"" +
                pairs_[i].replica->address() + "\"]\n";
    }
    proxy_.Start(config);
  }
  Client Connect() const { return Client(proxy_.port()); }
  Reply NodeOf(size_t shard, size_t copy) const {
    for (const Reply& reply : Connect()("PROXY", "SHARDS").items) {
      if (reply.Field("name").bytes == std::string(1, static_cast<char>('a' + shard))) {
        return reply.Field("nodes").items.at(copy);
      }
    }
    throw std::runtime_error("no such shard");
  }
  bool InSync(size_t shard) const {
    return NodeOf(shard, 0).Field("state") == "in-sync" &&
           NodeOf(shard, 1).Field("state") == "in-sync";
  }
  bool WaitUntilInSync(size_t shard) const {
    return Eventually([&] { return InSync(shard); }, std::chrono::seconds(60));
  }
  void ExpectEqual(size_t shard) const {
    EXPECT_TRUE(WaitUntilInSync(shard)) << NodeOf(shard, 1) << proxy_.Log();
    EXPECT_TRUE(Eventually(
        [&] { return pairs_[shard].primary->Digest() == pairs_[shard].replica->Digest(); }));
    EXPECT_EQ(pairs_[shard].replica->Connect()("INFO", "replication").bytes.find("role:slave"),
              std::string::npos);
  }
  bool Logged(const std::string& text) const {
    return proxy_.Log().find(text) != std::string::npos;
  }
  static void Fill(RedisNode* node, int keys = 500) {
    Client client = node->Connect();
    for (int i = 0; i < keys; ++i) client("SET", "k" + std::to_string(i), "v");
  }

  std::vector<Pair> pairs_;
  ProxyProcess proxy_;
};

TEST_F(CopyByKeys, ReplicasThatCannotReachTheirPrimariesKeepNobodyWaiting) {
  // As behind a NAT: gemel reaches both, the replica reaches nobody. And one shard is well.
  for (int i = 0; i < 3; ++i) {
    pairs_.push_back({std::make_unique<RedisNode>(), std::make_unique<RedisNode>(Words{}, i < 2)});
    Fill(pairs_.back().primary.get());
    pairs_.back().replica->Connect()("SET", "extra", "v");
  }
  Start();
  Load load(proxy_.port(), {.threads = 3, .pipeline = 4});
  EXPECT_TRUE(WaitUntilInSync(2)) << NodeOf(2, 1);
  for (size_t shard = 0; shard < 2; ++shard) {
    EXPECT_TRUE(WaitUntilInSync(shard)) << NodeOf(shard, 1) << proxy_.Log();
    EXPECT_TRUE(proxy_.Logs(pairs_[shard].replica->address() + " does not begin to copy from " +
                            pairs_[shard].primary->address()));
  }
  EXPECT_TRUE(load.WaitForMore(300));
  load.Stop();
  load.Verify(proxy_.port());
  for (size_t shard = 0; shard < 3; ++shard) ExpectEqual(shard);
  EXPECT_NE(Connect()("PROXY", "EVENTS").Text().find("does not begin to copy"), std::string::npos);
  // And again, when one restarts.
  pairs_[0].replica->Kill();
  ASSERT_TRUE(Eventually([&] { return NodeOf(0, 1).Field("state") == "stale"; }));
  pairs_[0].replica->Start();
  ExpectEqual(0);
}

TEST_F(CopyByKeys, APrimaryWithoutATcpPort) {
  pairs_.push_back(
      {std::make_unique<RedisNode>(Words{"--port", "0"}, true), std::make_unique<RedisNode>()});
  Fill(pairs_[0].primary.get());
  Start();
  ExpectEqual(0);
  EXPECT_TRUE(proxy_.Logs("listens on its Unix socket only")) << proxy_.Log();
}

TEST_F(CopyByKeys, AnAddressThatIsAnotherServerThere) {
  // The primary's TCP port, 6379 of its own network, is another server's in the replica's.
  RedisNode other;
  other.Connect()("SET", "wrong", "v");
  pairs_.push_back(
      {std::make_unique<RedisNode>(Words{"--port", std::to_string(other.port())}, true),
       std::make_unique<RedisNode>()});
  Fill(pairs_[0].primary.get());
  Start();
  ExpectEqual(0);
  EXPECT_EQ(Connect()("EXISTS", "wrong"), ":0");
  EXPECT_TRUE(proxy_.Logs("to another server than the primary")) << proxy_.Log();
}

TEST_F(CopyByKeys, AWrongMasterauth) {
  // gemel's user may not set it, and it was never set by hand.
  const Words rights = {"--user", "gemel", "on", ">secret", "~*", "&*", "+@all", "-config"};
  pairs_.push_back({std::make_unique<RedisNode>(rights), std::make_unique<RedisNode>(rights)});
  for (RedisNode* node : {pairs_[0].primary.get(), pairs_[0].replica.get()}) {
    node->Connect()("ACL", "SETUSER", "default", "-psync", "-sync");
  }
  Fill(pairs_[0].primary.get());
  Start("", "user = \"gemel\"\npassword = \"secret\"\n");
  ExpectEqual(0);
}

TEST_F(CopyByKeys, APrimaryThatCannotMakeASnapshot) {
  auto folder = std::make_unique<TempFolder>();
  pairs_.push_back(
      {std::make_unique<RedisNode>(Words{"--dir", folder->path(), "--repl-diskless-sync", "no"}),
       std::make_unique<RedisNode>()});
  std::filesystem::remove(folder->path());
  Fill(pairs_[0].primary.get());
  Start();
  ExpectEqual(0);
}

TEST_F(CopyByKeys, ACopyThatBeginsAgainAndAgain) {
  // What is written while a snapshot is sent is more than the primary keeps for its replica.
  pairs_.push_back({std::make_unique<RedisNode>(Words{"--client-output-buffer-limit",
                                                      "replica 64kb 64kb 1", "--repl-backlog-size",
                                                      "16kb", "--rdb-key-save-delay", "4000"}),
                    std::make_unique<RedisNode>()});
  Fill(pairs_[0].primary.get(), 1000);
  Start();
  Client client = Connect();
  const std::string value(20000, 'v');
  EXPECT_TRUE(Eventually(
      [&] {
        const std::string info = pairs_[0].replica->Connect()("INFO", "replication").bytes;
        if (info.find("master_sync_in_progress:1") != std::string::npos) {
          std::this_thread::sleep_for(std::chrono::milliseconds(700));  // some way into the copy
          for (int i = 0; i < 10; ++i) client("SET", "large" + std::to_string(i), value);
        }
        return Logged("begins again and again");
      },
      std::chrono::seconds(60)))
      << proxy_.Log();
  ExpectEqual(0);
}

TEST_F(CopyByKeys, ADelayOfTheSnapshotIsTakenAwayAndPutBack) {
  const Words delay = {"--repl-diskless-sync-delay", "600"};
  pairs_.push_back({std::make_unique<RedisNode>(delay), std::make_unique<RedisNode>(delay)});
  Fill(pairs_[0].primary.get());
  Start();
  ExpectEqual(0);
  EXPECT_FALSE(Logged("key by key")) << proxy_.Log();
  const auto setting = [&](const std::string& name) {
    return pairs_[0].primary->Connect()("CONFIG", "GET", name).Text();
  };
  const auto is_back = [&] {
    return setting("repl-diskless-sync-delay") == "[repl-diskless-sync-delay 600]" &&
           setting("repl-diskless-sync-max-replicas") == "[repl-diskless-sync-max-replicas 0]";
  };
  EXPECT_TRUE(Eventually(is_back));
  // A copy that comes to nothing: the node hangs, and dies. A gemel that is killed meanwhile.
  for (const bool killed : {false, true}) {
    pairs_[0].replica->Kill();
    ASSERT_TRUE(Eventually([&] { return NodeOf(0, 1).Field("state") == "stale"; }));
    pairs_[0].primary->Connect()("CONFIG", "SET", "rdb-key-save-delay", "10000");
    pairs_[0].replica->Start();
    ASSERT_TRUE(Eventually([&] { return !is_back(); }));
    if (killed) {
      proxy_.Kill();
      EXPECT_FALSE(is_back());
      pairs_[0].primary->Connect()("CONFIG", "SET", "rdb-key-save-delay", "0");
      proxy_.Restart();
    } else {
      pairs_[0].replica->Kill();
    }
    EXPECT_TRUE(Eventually(is_back));
    pairs_[0].primary->Connect()("CONFIG", "SET", "rdb-key-save-delay", "0");
    if (!killed) pairs_[0].replica->Start();
    ExpectEqual(0);
    EXPECT_TRUE(Eventually(is_back));
  }
}

TEST_F(CopyByKeys, ADelayThatMayNotBeTakenAway) {
  // And gemel cannot give the copy the password; the operator has.
  const Words options = {"--repl-diskless-sync-delay",
                         "600",
                         "--masteruser",
                         "gemel",
                         "--masterauth",
                         "secret",
                         "--user",
                         "gemel",
                         "on",
                         ">secret",
                         "~*",
                         "&*",
                         "+@all",
                         "-config"};
  pairs_.push_back({std::make_unique<RedisNode>(options), std::make_unique<RedisNode>(options)});
  Fill(pairs_[0].primary.get());
  Start("", "user = \"gemel\"\npassword = \"secret\"\n");
  ExpectEqual(0);
}

// --- rights ---

class NodeRights : public CopyByKeys {
 protected:
  void StartWith(const Words& rights) {
    Words options = {"--user", "gemel", "on", ">secret", "~*", "&*"};
    options.insert(options.end(), rights.begin(), rights.end());
    pairs_.push_back({std::make_unique<RedisNode>(options), std::make_unique<RedisNode>(options)});
    Start("", "user = \"gemel\"\npassword = \"secret\"\n");
  }
  bool Warns(size_t copy, const std::string& text) const {
    return NodeOf(0, copy).Field("warning").bytes.find(text) != std::string::npos;
  }
  void LoseConnections(RedisNode* node) const {
    node->Connect()("CLIENT", "KILL", "USER", "gemel");
  }
};

TEST_F(NodeRights, AUserWithoutDangerousCommandsIsWarnedOfAndItsCopyComesBack) {
  StartWith({"+@all", "-@dangerous", "+restore"});
  EXPECT_TRUE(Eventually([&] { return InSync(0); })) << proxy_.Log();
  for (size_t copy = 0; copy < 2; ++copy) {
    EXPECT_TRUE(Eventually([&] { return Warns(copy, "INFO"); })) << NodeOf(0, copy);
    EXPECT_TRUE(Warns(copy, "'gemel'")) << NodeOf(0, copy);
    EXPECT_TRUE(Warns(copy, "+info")) << NodeOf(0, copy);
    EXPECT_TRUE(Warns(copy, "+replicaof")) << NodeOf(0, copy);
    EXPECT_FALSE(Warns(copy, "+restore")) << NodeOf(0, copy);
  }
  EXPECT_TRUE(proxy_.Logs("warn")) << proxy_.Log();
  EXPECT_TRUE(proxy_.Logs("does not let gemel's user 'gemel' use INFO"));
  EXPECT_NE(Connect()("PROXY", "EVENTS").Text().find("does not let gemel's user"),
            std::string::npos);
  Load load(proxy_.port(), {.threads = 3, .pipeline = 4});
  for (size_t copy = 0; copy < 2; ++copy) {
    EXPECT_TRUE(load.WaitForMore(300));
    LoseConnections(copy == 0 ? pairs_[0].replica.get() : pairs_[0].primary.get());
    ASSERT_TRUE(Eventually([&] { return !InSync(0); }));
    EXPECT_TRUE(WaitUntilInSync(0)) << NodeOf(0, 1) << proxy_.Log();
  }
  load.Stop();
  load.Verify(proxy_.port());
  ExpectEqual(0);
}

TEST_F(NodeRights, WhereNothingCanMakeACopyEqualThatIsSaidAtOnce) {
  StartWith({"+@all", "-@dangerous"});
  EXPECT_TRUE(Eventually([&] { return Warns(1, "stays stale"); })) << NodeOf(0, 1);
  EXPECT_TRUE(Warns(1, "+restore")) << NodeOf(0, 1);
  // What is allowed later is seen, and the warning goes.
  for (Pair& pair : pairs_) {
    pair.primary->Connect()("ACL", "SETUSER", "gemel", "+@all");
    pair.replica->Connect()("ACL", "SETUSER", "gemel", "+@all");
  }
  for (size_t copy = 0; copy < 2; ++copy) {
    EXPECT_TRUE(Eventually([&] { return NodeOf(0, copy).Field("warning") == ""; }))
        << NodeOf(0, copy);
  }
}

TEST_F(NodeRights, ARightThatIsTakenAwayOnTheWay) {
  StartWith({"+@all"});
  EXPECT_TRUE(Eventually([&] { return InSync(0); }));
  Connect()("SET", "k", "v");
  EXPECT_EQ(NodeOf(0, 1).Field("warning"), "");
  for (const char* right : {"-replicaof", "-restore"}) {
    pairs_[0].replica->Connect()("ACL", "SETUSER", "gemel", right);
  }
  Connect()("PROXY", "RESYNC", pairs_[0].replica->address());
  EXPECT_TRUE(Eventually([&] {
    return NodeOf(0, 1).Field("resync").bytes.find("NOPERM") != std::string::npos;
  })) << NodeOf(0, 1);
  EXPECT_TRUE(proxy_.Logs("'restore'")) << proxy_.Log();
  pairs_[0].replica->Connect()("ACL", "SETUSER", "gemel", "+restore");
  ExpectEqual(0);
}

}  // namespace
}  // namespace gemel::e2e::copy_by_keys_test
