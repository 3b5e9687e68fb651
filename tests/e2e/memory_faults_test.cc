// Whatever a node says is bounded, and memory that is not there costs a connection, not the
// process.

#include <gtest/gtest.h>

#include <thread>

#include "tests/e2e/cluster.h"
#include "tests/e2e/hostile_node.h"
#include "tests/e2e/raw_socket.h"

namespace gemel::e2e::memory_faults_test {
namespace {

constexpr uint64_t kMb = 1 << 20;
uint64_t Slack() { return ProxySanitizer() == Sanitizer::kNone ? 32 * kMb : 700 * kMb; }

class MemoryFaults : public testing::Test {
 protected:
  void Start(const std::string& node, const std::string& limits, const std::string& ulimit = "") {
    if (!ulimit.empty()) {
      proxy_.set_prefix({"sh", "-c", "ulimit " + ulimit + " && exec \"$0\" \"$@\""});
    }
    proxy_.Start("[proxy]\nlisten = [\"127.0.0.1:" + std::to_string(proxy_.port()) +
                 "\"]\n[health]\n" + kPatientProbes +
                 "\n[timeouts]\nreconnect_max_ms = 100\nrequest_ms = 60000\n[limits]\n" + limits +
                 "\n[[shard]]\nname = \"a\"\nprimary = \"" + node + "\"\n");
    ASSERT_TRUE(Served());
  }
  bool Served() {
    return Eventually([this] {
      try {
        return Client(proxy_.port())("SET", "k", "v") == "OK";
      } catch (const std::runtime_error&) {
        return false;
      }
    });
  }
  ProxyProcess proxy_;
};

TEST_F(MemoryFaults, RepliesWithoutAnEnd) {
  HostileNode node({
      {"poison:bulk", {"$1000000000000\r\n", std::string(1000, 'x')}},
      {"poison:large", {"$400000000\r\n", std::string(1000, 'x')}},
      {"poison:array", {"*100000000000\r\n", "$3\r\nabc\r\n"}},
      {"poison:tree", {"", "*1\r\n"}},
      {"poison:map", {"", "%1\r\n+k\r\n"}},
      {"poison:attribute", {"", "|1\r\n+k\r\n+v\r\n"}},
      {"poison:line", {"+", std::string(1000, 'x')}},
      {"poison:error", {"-ERR ", std::string(1000, 'x')}},
      {"poison:nothing", {"", std::string(1000, '?')}},
  });
  Start(node.address(), "max_reply = \"16mb\"\nbuffered = \"128mb\"");
  const uint64_t before = proxy_.ResidentBytes();
  for (const char* key :
       {"poison:bulk", "poison:large", "poison:array", "poison:tree", "poison:map",
        "poison:attribute", "poison:line", "poison:error", "poison:nothing"}) {
    SCOPED_TRACE(key);
    std::atomic<bool> done = false;
    uint64_t most = 0;
    std::thread watch([&] {
      while (!done) {
        most = std::max(most, proxy_.ResidentBytes());
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
      }
    });
    std::string answer;
    try {
      answer = Client(proxy_.port())("GET", key).Text();
    } catch (const std::runtime_error& failure) {
      answer = failure.what();
    }
    done = true;
    watch.join();
    EXPECT_EQ(answer.substr(0, 4), "-ERR") << answer.substr(0, 200);
    EXPECT_NE(answer.find(node.address()), std::string::npos) << answer.substr(0, 200);
    EXPECT_LT(most, before + 32 * kMb + Slack());
    EXPECT_TRUE(Served());
  }
}

// On the connections that are none of the clients': of probes, and of what is asked of a node
// besides. The other shard does not notice, nor does this one, whose link is well.
TEST_F(MemoryFaults, ControlRepliesWithoutAnEnd) {
  for (const HostileNode::Poison& poison :
       {HostileNode::Poison{"$1000000000000\r\n", std::string(1000, 'x')},
        HostileNode::Poison{"*2000000000\r\n", ":1\r\n"},
        HostileNode::Poison{"*60000\r\n", "*60000\r\n:1\r\n"}}) {
    SCOPED_TRACE(poison.head);
    HostileNode hostile({{"$11\r\nreplication", poison}});
    RedisNode good;
    ProxyProcess proxy;
    proxy.Start("[proxy]\nlisten = [\"127.0.0.1:" + std::to_string(proxy.port()) +
                "\"]\n[health]\n" + kPatientProbes + "\n[[shard]]\nname = \"a\"\nprimary = \"" +
                hostile.address() + "\"\n[[shard]]\nname = \"b\"\nprimary = \"" + good.address() +
                "\"\n");
    ASSERT_TRUE(Eventually([&] {
      for (const ShardStatus& shard : ReadShards(Client(proxy.port()))) {
        if (!shard.AllInSync()) return false;
      }
      return true;
    }));
    Client client(proxy.port());
    const uint64_t before = proxy.ResidentBytes();
    uint64_t most = 0;
    int64_t n = 0;
    EXPECT_TRUE(Eventually([&] {
      most = std::max(most, proxy.ResidentBytes());
      ++n;
      for (const char* key : {"a", "b", "c", "d", "e", "f"}) {
        EXPECT_EQ(client("INCR", key), ":" + std::to_string(n));
      }
      return hostile.poisoned() >= 4;
    }));
    EXPECT_LT(most, before + 100 * kMb + Slack());
  }
}

// One that is too large, but ends, costs who asked for it an error and nobody anything else.
TEST_F(MemoryFaults, AReplyThatIsTooLargeIsSkipped) {
  RedisNode node;
  Start(node.address(), "max_reply = \"8mb\"");
  Client client(proxy_.port());
  EXPECT_EQ(client("SET", "large", std::string(12 * kMb, 'v')), "OK");
  for (int i = 0; i < 1000; ++i) client.Append({"RPUSH", "list", std::string(10000, 'v')});
  for (int i = 0; i < 1000; ++i) EXPECT_FALSE(client.Read().IsError());
  const std::string before = node.Connect()("CLIENT", "LIST", "TYPE", "normal").bytes;
  for (const Words& words :
       {Words{"GET", "large"}, Words{"LRANGE", "list", "0", "-1"},
        Words{"EVAL_RO", "return {1, {redis.call('GET', KEYS[1]), 2}, 3}", "1", "large"}}) {
    client.Append({"GET", "k"});
    client.Append(words);
    client.Append({"GET", "k"});
    EXPECT_EQ(client.Read(), "v");
    const Reply reply = client.Read();
    EXPECT_TRUE(reply.IsError()) << words[0];
    EXPECT_NE(reply.bytes.find("max_reply"), std::string::npos) << reply.Text().substr(0, 100);
    EXPECT_EQ(client.Read(), "v");
  }
  EXPECT_EQ(proxy_.Log().find("lost the connection"), std::string::npos) << proxy_.Log();
}

// By [limits] buffered alone: it is less than a reply may have. (The limit on addresses is for a
// proxy that does not know it.)
TEST_F(MemoryFaults, AReplyWithoutAnEndIsNotHeld) {
  if (ProxySanitizer() != Sanitizer::kNone) GTEST_SKIP() << "which takes terabytes of addresses";
  HostileNode node({{"poison:array", {"*100000000000\r\n", "$3\r\nabc\r\n"}},
                    {"poison:line", {"+", std::string(1000, 'x')}}});
  Start(node.address(), "buffered = \"128mb\"\nmax_bulk = \"64mb\"\nmax_reply = \"256mb\"",
        "-v 2000000");
  for (const char* key : {"poison:array", "poison:line"}) {
    EXPECT_EQ(Client(proxy_.port())("GET", key).Text().substr(0, 4), "-ERR");
    EXPECT_TRUE(Served());
  }
  EXPECT_LT(proxy_.ResidentBytes(), 128 * kMb + Slack());
}

// By far less than what clients ask for: they get errors or are closed, the others are served.
TEST_F(MemoryFaults, AnAddressLimit) {
  if (ProxySanitizer() != Sanitizer::kNone) GTEST_SKIP() << "which takes terabytes of addresses";
  RedisNode node;
  Start(node.address(), "", "-v 600000");
  EXPECT_TRUE(proxy_.Logs("limit on address space")) << proxy_.Log();
  const auto attempt = [this](const std::function<void(RawSocket&)>& ask) {
    try {
      RawSocket socket(proxy_.port());
      ask(socket);
    } catch (const std::runtime_error&) {
    }
    EXPECT_TRUE(Served());
  };
  // A value that has no room, and its like in many connections.
  attempt([](RawSocket& socket) {
    socket.Send(Encode({"SET", "huge", std::string(400 * kMb, 'v')}));
    socket.Read(5);
  });
  ASSERT_EQ(node.Connect()("SET", "big", std::string(40 * kMb, 'v')), "OK");
  attempt([](RawSocket& socket) {
    std::string all;
    for (int i = 0; i < 50; ++i) all += Encode({"GET", "big"});
    socket.Send(all);
    std::this_thread::sleep_for(std::chrono::seconds(2));
  });
  attempt([](RawSocket& socket) {
    std::vector<std::string> mget = {"MGET"};
    for (int i = 0; i < 12; ++i) mget.push_back("big");
    socket.Send(Encode(mget));
    EXPECT_EQ(socket.Read(4), "-ERR");
  });
  std::vector<std::unique_ptr<RawSocket>> sockets;
  const std::string part = Encode({"SET", "huge", std::string(40 * kMb, 'v')}).substr(0, 30 * kMb);
  for (int i = 0; i < 30; ++i) {
    attempt([&](RawSocket& socket) { socket.Send(part); });
    sockets.push_back(std::make_unique<RawSocket>(proxy_.port()));
    for (size_t sent = 0, tries = 0; sent < part.size() && tries < 50; ++tries) {
      try {
        sent += sockets.back()->SendSome(std::string_view(part).substr(sent));
      } catch (const std::runtime_error&) {
        break;
      }
    }
  }
  EXPECT_TRUE(proxy_.running());
  EXPECT_TRUE(Served());
}

}  // namespace
}  // namespace gemel::e2e::memory_faults_test
