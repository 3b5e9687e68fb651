// Nodes that are spoken to with TLS.

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/e2e/cluster.h"
#include "tests/e2e/tls_files.h"
#include "tests/e2e/wait.h"

namespace gemel::e2e {
namespace {

// A redis-server with a port for TLS beside its plain one, which the test alone uses.
struct TlsNode {
  explicit TlsNode(const TlsFiles& files, const Words& further = {}) {
    Words options = files.RedisOptions("node", port.number());
    options.insert(options.end(), further.begin(), further.end());
    node = std::make_unique<RedisNode>(options);
  }
  std::string address() const { return "tls:127.0.0.1:" + std::to_string(port.number()); }
  int PlainClients() const { return e2e::PlainClients(*node); }

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

}  // namespace
}  // namespace gemel::e2e
