// Nodes, and other members of a fleet, that are spoken to with TLS.

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/e2e/cluster.h"
#include "tests/e2e/fleet_world.h"
#include "tests/e2e/tls_files.h"
#include "tests/e2e/wait.h"

namespace gemel::e2e {
namespace {

// A redis-server with a port for TLS beside its plain one, which the test alone uses.
struct TlsNode {
  explicit TlsNode(const TlsFiles& files, const Words& further = {}) {
    Words options = {"--tls-port",         std::to_string(port.number()),
                     "--tls-cert-file",    files.cert("node"),
                     "--tls-key-file",     files.key("node"),
                     "--tls-ca-cert-file", files.ca(),
                     "--tls-auth-clients", "no"};
    options.insert(options.end(), further.begin(), further.end());
    node = std::make_unique<RedisNode>(options);
  }
  std::string address() const { return "tls:127.0.0.1:" + std::to_string(port.number()); }
  // Connections that came to the plain port, but for the one that asks.
  int PlainClients() const {
    const std::string list = node->Connect()("CLIENT", "LIST").bytes;
    const std::string local = " laddr=127.0.0.1:" + std::to_string(node->port()) + " ";
    int count = -1;
    for (size_t at = list.find(local); at != std::string::npos; at = list.find(local, at + 1)) {
      ++count;
    }
    return count;
  }

  FreePort port;
  std::unique_ptr<RedisNode> node;
};

class TlsNodes : public testing::Test {
 protected:
  TlsNodes() {
    files_.Make("node");
    files_.Make("gemel");
  }
  void Start(const std::string& node_tls, const Words& further = {}) {
    for (int i = 0; i < 2; ++i) nodes_.push_back(std::make_unique<TlsNode>(files_, further));
    proxy_.Start(Config(node_tls));
  }
  std::string Config(const std::string& node_tls) const {
    return "[proxy]\nlisten = [\"127.0.0.1:" + std::to_string(proxy_.port()) +
           "\"]\nstate_dir = \"state\"\n[health]\n" + kPatientProbes +
           "\n[timeouts]\nrequest_ms = 30000\nreconnect_max_ms = 200\n[resync]\nretry_ms = 100\n" +
           "[node_tls]\n" + node_tls + "\n[[shard]]\nname = \"a\"\nprimary = \"" +
           nodes_[0]->address() + "\"\nreplicas = [\"" + nodes_[1]->address() + "\"]\n";
  }
  std::string Trusting() const { return "ca = \"" + files_.ca() + "\""; }
  Client Connect() const { return Client(proxy_.port()); }
  ShardStatus Status() const { return ReadShards(Connect()).at(0); }
  bool WaitUntilInSync() const {
    return Eventually([this] { return Status().AllInSync(); });
  }
  void ExpectEqual() const {
    ASSERT_TRUE(WaitUntilInSync());
    EXPECT_EQ(nodes_[0]->node->Digest(), nodes_[1]->node->Digest());
  }

  TlsFiles files_;
  std::vector<std::unique_ptr<TlsNode>> nodes_;
  ProxyProcess proxy_;
};

TEST_F(TlsNodes, ServeThroughDeathAndResync) {
  Start(Trusting());
  ASSERT_TRUE(WaitUntilInSync());
  Client client = Connect();
  const std::string large(8 << 20, 'x');
  for (int i = 0; i < 300; ++i) {
    EXPECT_EQ(client("SET", "key:" + std::to_string(i), std::to_string(i)), "OK");
  }
  EXPECT_EQ(client("SET", "large", large), "OK");
  EXPECT_TRUE(client("GET", "large").bytes == large);
  ExpectEqual();
  nodes_[0]->node->Kill();
  for (int i = 0; i < 300; ++i) {
    EXPECT_EQ(client("APPEND", "key:" + std::to_string(i), "."),
              ":" + std::to_string(std::to_string(i).size() + 1));
  }
  EXPECT_EQ(Status().primary, nodes_[1]->address());
  // It comes back empty: Redis's own replication, with TLS, copies all to it.
  nodes_[0]->node->Start();
  ExpectEqual();
  EXPECT_EQ(client("GET", "key:7"), "7.");
  EXPECT_EQ(proxy_.Log().find("key by key"), std::string::npos) << proxy_.Log();
  for (const auto& node : nodes_) {
    EXPECT_EQ(node->PlainClients(), 0) << node->node->Connect()("CLIENT", "LIST").bytes;
  }
}

TEST_F(TlsNodes, AreShownACertificateWhereTheyAskForOne) {
  Start(Trusting() + "\ncert = \"" + files_.cert("gemel") + "\"\nkey = \"" + files_.key("gemel") +
            "\"",
        {"--tls-auth-clients", "yes"});
  ASSERT_TRUE(WaitUntilInSync());
  EXPECT_EQ(Connect()("SET", "key", "1"), "OK");
  ExpectEqual();
}

TEST_F(TlsNodes, WhoIsSomebodyElseIsNotSpokenTo) {
  TlsFiles others;
  Start("ca = \"" + others.ca() + "\"");
  EXPECT_TRUE(Eventually([this] {
    return proxy_.Log().find("its certificate is not accepted: ") != std::string::npos;
  })) << proxy_.Log();
  EXPECT_TRUE(Connect()("GET", "key").IsError());
  // The file is put right while it serves.
  WriteFile(proxy_.config_path(), Config(Trusting()));
  EXPECT_FALSE(Connect()("PROXY", "RELOAD").IsError());
  EXPECT_TRUE(Eventually([this] { return !Connect()("GET", "key").IsError(); }));
  ASSERT_TRUE(WaitUntilInSync());
}

// It takes the first words for a line without an end, and says nothing.
TEST_F(TlsNodes, APlainNodeIsNoneWithTls) {
  nodes_.push_back(std::make_unique<TlsNode>(files_));
  RedisNode plain;
  proxy_.Start("[proxy]\nlisten = [\"127.0.0.1:" + std::to_string(proxy_.port()) +
               "\"]\nstate_dir = \"state\"\n[node_tls]\n" + Trusting() +
               "\n[[shard]]\nname = \"a\"\nprimary = \"tls:" + plain.address() + "\"\n");
  EXPECT_TRUE(Eventually([this] {
    return proxy_.Log().find("tls:127.0.0.1:") != std::string::npos &&
           proxy_.Log().find(" is down") != std::string::npos;
  })) << proxy_.Log();
  EXPECT_TRUE(Connect()("GET", "key").IsError());
}

TEST(TlsFleet, MembersSpeakItAmongThemselves) {
  TlsFiles files;
  files.Make("member");
  FleetOptions options{.started = 0};
  options.engine = "raft";
  FleetWorld world(options);
  const std::string tls = "cert = \"" + files.cert("member") + "\"\nkey = \"" +
                          files.key("member") + "\"\nca = \"" + files.ca() + "\"";
  const auto sections = [&](int index) {
    return Sections{
        {"fleet.listen", "\"tls:127.0.0.1:" + std::to_string(world.peer_port(index)) + "\""},
        {"tls", tls}};
  };
  for (int i = 0; i < 3; ++i) {
    WriteFile(world.member(i).config_path(), world.Config(i, sections(i)));
    world.member(i).Launch();
  }
  for (int i = 0; i < 3; ++i) world.member(i).WaitUntilServes();
  ASSERT_TRUE(world.WaitUntilSpread());
  ASSERT_TRUE(world.WaitUntilInSync());
  const std::string large(3 << 20, 'x');
  for (int shard = 0; shard < 2; ++shard) {
    const std::string key = world.KeyOn(shard);
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(world.Connect(i)("SET", key, std::to_string(i)), "OK");
      EXPECT_EQ(world.Connect((i + 1) % 3)("GET", key), std::to_string(i));
    }
    EXPECT_EQ(world.Connect(0)("SET", key, large), "OK");
    EXPECT_TRUE(world.Connect(1)("GET", key).bytes == large);
    EXPECT_TRUE(world.Connect(2)("GET", key).bytes == large);
  }
  // The owner of a shard dies: another one takes over, by links with TLS.
  const int owner = world.WaitForOwner(0);
  world.member(owner).Kill();
  for (int i = 0; i < 3; ++i) {
    if (i == owner) continue;
    EXPECT_TRUE(world.WaitUntilServed(i)) << i;
  }
  world.ExpectCopiesEqual();
}

TEST(TlsFleet, WhoHasNoCertificateOfTheFleetsCaIsNoMember) {
  TlsFiles files;
  TlsFiles others;
  files.Make("member");
  others.Make("member");
  FleetOptions options{.started = 0};
  options.engine = "raft";
  FleetWorld world(options);
  const auto sections = [&](int index, const TlsFiles& of) {
    return Sections{
        {"fleet.listen", "\"tls:127.0.0.1:" + std::to_string(world.peer_port(index)) + "\""},
        {"tls", "cert = \"" + of.cert("member") + "\"\nkey = \"" + of.key("member") +
                    "\"\nca = \"" + of.ca() + "\""}};
  };
  for (int i = 0; i < 3; ++i) {
    WriteFile(world.member(i).config_path(), world.Config(i, sections(i, i == 2 ? others : files)));
    world.member(i).Launch();
  }
  for (int i = 0; i < 3; ++i) world.member(i).WaitUntilServes();
  // What is another member's it cannot bring there, and says so, also where it is asked why.
  for (int i = 0; i < 3; ++i) {
    const Reply all = world.Connect(i)("PROXY", "EXPLAIN", "MGET", "a", "b", "c", "d", "e", "f");
    EXPECT_EQ(all.items.size(), 6U) << all;
    for (const Reply& key : all.items) EXPECT_FALSE(key.Field("why").bytes.empty()) << all;
  }
  EXPECT_TRUE(Eventually([&] {
    for (int shard = 0; shard < 2; ++shard) {
      const Reply reply = world.Connect(2)("GET", world.KeyOn(shard));
      if (reply.IsError()) return reply.bytes.find("TLS: ") != std::string::npos;
    }
    return false;
  }));
}

}  // namespace
}  // namespace gemel::e2e
