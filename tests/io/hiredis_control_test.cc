// The control port against real servers, and against some that misbehave.

#include "backend/uv/hiredis_control.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/e2e/hostile_node.h"
#include "tests/e2e/redis_node.h"
#include "tests/io/loop_fixture.h"
#include "tests/io/raw_server.h"
#include "tests/sanitized.h"

namespace gemel {
namespace {

using e2e::RedisNode;
using e2e::TempFolder;
using e2e::Words;

HiredisNode At(uint16_t port) { return {{"127.0.0.1", port, {}}, {}, {}, 0}; }

class HiredisControlTest : public LoopTest {
 protected:
  void Make(HiredisNode node, uint32_t timeout_ms = 2000) {
    control_ = std::make_unique<HiredisControl>(&loop_, std::vector<HiredisNode>{std::move(node)},
                                                timeout_ms);
  }

  ControlReply Run(Words words) {
    std::optional<ControlReply> got;
    control_->Command(0, std::move(words), [&](const ControlReply& reply) {
      EXPECT_FALSE(got.has_value());
      got = reply;
    });
    EXPECT_FALSE(got.has_value()) << "called back inside Command";
    EXPECT_TRUE(RunUntil([&] { return got.has_value(); }));
    return got.value_or(ControlReply());
  }

  // "ok TEXT" or "failed ERROR"
  std::string Say(Words words) {
    const ControlReply reply = Run(std::move(words));
    return reply.ok ? "ok " + reply.text : "failed " + reply.error;
  }

  std::unique_ptr<HiredisControl> control_;
};

TEST_F(HiredisControlTest, Replies) {
  RedisNode node;
  Make(At(node.port()));
  EXPECT_EQ(Say({"SET", "k", "v\r\n"}), "ok OK");
  EXPECT_EQ(Say({"GET", "k"}), "ok v\r\n");
  EXPECT_EQ(Say({"GET", "none"}), "ok ");
  EXPECT_EQ(Say({"DBSIZE"}), "ok 1");
  EXPECT_EQ(Say({"CONFIG", "GET", "port"}), "ok port\n" + std::to_string(node.port()));
  EXPECT_EQ(Say({"ROLE"}), "ok master\n0\n");
  EXPECT_TRUE(Say({"NONSENSE"}).starts_with("failed ERR unknown command"));
  EXPECT_NE(Say({"INFO", "replication"}).find("role:master"), std::string::npos);
}

TEST_F(HiredisControlTest, InOrder) {
  RedisNode node;
  Make(At(node.port()));
  std::vector<std::string> got;
  for (int i = 0; i < 100; ++i) {
    control_->Command(0, {"INCR", "n"},
                      [&](const ControlReply& reply) { got.push_back(reply.text); });
  }
  ASSERT_TRUE(RunUntil([&] { return got.size() == 100; }));
  for (int i = 0; i < 100; ++i) EXPECT_EQ(got[static_cast<size_t>(i)], std::to_string(i + 1));
  EXPECT_NE(Say({"INFO", "clients"}).find("connected_clients:1\r"), std::string::npos);
}

TEST_F(HiredisControlTest, PasswordAndDatabase) {
  RedisNode node({"--requirepass", "secret"});
  HiredisNode right = At(node.port());
  right.password = "secret";
  right.database = 3;
  Make(right);
  EXPECT_EQ(Say({"SET", "k", "v"}), "ok OK");
  EXPECT_NE(Say({"INFO", "keyspace"}).find("db3:keys=1"), std::string::npos);
  HiredisNode with_user = right;
  with_user.user = "default";
  Make(with_user);
  EXPECT_EQ(Say({"GET", "k"}), "ok v");
  HiredisNode wrong = right;
  wrong.password = "wrong";
  Make(wrong);
  EXPECT_TRUE(Say({"GET", "k"}).starts_with("failed WRONGPASS"));
  EXPECT_TRUE(Say({"GET", "k"}).starts_with("failed WRONGPASS")) << "again, on a new connection";
  Make(At(node.port()));
  EXPECT_TRUE(Say({"GET", "k"}).starts_with("failed NOAUTH"));
}

TEST_F(HiredisControlTest, NobodyListens) {
  e2e::FreePort port;
  Make(At(port.number()), 60000);
  EXPECT_EQ(Say({"PING"}), "failed Connection refused");
  EXPECT_EQ(Say({"PING"}), "failed Connection refused");
}

TEST_F(HiredisControlTest, NameThatIsNone) {
  Make({{"no-such-host.invalid", 1, {}}, {}, {}, 0});
  EXPECT_TRUE(Say({"PING"}).starts_with("failed "));
}

TEST_F(HiredisControlTest, UnixSocket) {
  TempFolder folder;
  const std::string path = folder.path() + "/redis.sock";
  Make({{{}, 0, path}, {}, {}, 0});
  EXPECT_EQ(Say({"PING"}), "failed No such file or directory");
  RedisNode node({"--unixsocket", path});
  EXPECT_EQ(Say({"PING"}), "ok PONG");
}

TEST_F(HiredisControlTest, HangingNode) {
  RedisNode node;
  Make(At(node.port()), 1000);  // a busy machine may need some of it to connect
  EXPECT_EQ(Say({"PING"}), "ok PONG");
  node.Pause();
  int failed = 0;
  for (int i = 0; i < 3; ++i) {
    control_->Command(0, {"PING"}, [&](const ControlReply& reply) {
      EXPECT_EQ(reply.error, "no answer within 1000 ms");
      ++failed;
    });
  }
  EXPECT_TRUE(RunUntil([&] { return failed == 3; }));
  node.Resume();
  EXPECT_EQ(Say({"PING"}), "ok PONG");
}

TEST_F(HiredisControlTest, NodeDiesAndComesBack) {
  RedisNode node;
  Make(At(node.port()));
  EXPECT_EQ(Say({"PING"}), "ok PONG");
  node.Pause();
  std::optional<ControlReply> got;
  control_->Command(0, {"PING"}, [&](const ControlReply& reply) { got = reply; });
  RunFor(20);
  node.Kill();
  ASSERT_TRUE(RunUntil([&] { return got.has_value(); }));
  EXPECT_FALSE(got->ok);
  EXPECT_TRUE(got->error.starts_with("the connection was lost")) << got->error;
  node.Start();
  EXPECT_EQ(Say({"PING"}), "ok PONG");
  // The next end comes while nothing is asked.
  node.Kill();
  node.Start();
  RunFor(20);
  EXPECT_EQ(Say({"PING"}), "ok PONG");
}

TEST_F(HiredisControlTest, DestroyedWhileCommandsWait) {
  RedisNode node;
  e2e::FreePort nobody;
  for (const uint16_t port : {node.port(), nobody.number()}) {
    for (int turns = 0; turns < 5; ++turns) {
      Make(At(port));
      for (int i = 0; i < 3; ++i) {
        control_->Command(0, {"DEBUG", "SLEEP", "0.05"}, [](const ControlReply& reply) {
          EXPECT_FALSE(reply.ok) << "destroyed before it could answer";
        });
      }
      for (int i = 0; i < turns; ++i) uv_run(&loop_, UV_RUN_NOWAIT);
      control_.reset();
    }
  }
  RunFor(100);
}

TEST_F(HiredisControlTest, DestroyedByItsCallback) {
  RedisNode node;
  e2e::FreePort nobody;
  for (const uint16_t port : {node.port(), nobody.number()}) {
    Make(At(port));
    int calls = 0;
    for (int i = 0; i < 3; ++i) {
      control_->Command(0, {"PING"}, [&](const ControlReply&) {
        ++calls;
        control_.reset();
      });
    }
    EXPECT_TRUE(RunUntil([&] { return calls > 0; }));
    RunFor(50);
    EXPECT_EQ(calls, 1);
  }
}

TEST_F(HiredisControlTest, CommandsFromCallbacks) {
  RedisNode node;
  Make(At(node.port()));
  int left = 50;
  std::function<void(const ControlReply&)> next = [&](const ControlReply& reply) {
    EXPECT_TRUE(reply.ok);
    if (--left > 0) control_->Command(0, {"PING"}, next);
  };
  control_->Command(0, {"PING"}, next);
  EXPECT_TRUE(RunUntil([&] { return left == 0; }));
}

TEST_F(HiredisControlTest, FailureLeadsToTheNextCommand) {
  e2e::FreePort nobody;
  Make(At(nobody.number()));
  int left = 20;
  std::function<void(const ControlReply&)> next = [&](const ControlReply& reply) {
    EXPECT_FALSE(reply.ok);
    if (--left > 0) control_->Command(0, {"PING"}, next);
  };
  control_->Command(0, {"PING"}, next);
  EXPECT_TRUE(RunUntil([&] { return left == 0; }));
}

TEST_F(HiredisControlTest, ServerThatSaysMoreThanItWasAsked) {
  RawServer server;
  Make(At(server.port()));
  for (const char* reply :
       {"+OK\r\n+more\r\n", "+OK\r\n", "+OK\r\n:1\r\n$", "+OK\r\n-ERR more\r\n"}) {
    std::optional<ControlReply> got;
    control_->Command(0, {"PING"}, [&](const ControlReply& answer) { got = answer; });
    ASSERT_TRUE(RunUntil([&] { return server.Accept() > 0 && !server.Received().empty(); }));
    server.Send(reply);
    ASSERT_TRUE(RunUntil([&] { return got.has_value(); }));
    EXPECT_TRUE(got->ok);
    EXPECT_EQ(got->text, "OK");
    if (std::string_view(reply) == "+OK\r\n") server.Send("+unasked\r\n");
    RunFor(20);
  }
}

TEST_F(HiredisControlTest, ServerThatSpeaksNoRedis) {
  RawServer server;
  Make(At(server.port()));
  std::optional<ControlReply> got;
  control_->Command(0, {"PING"}, [&](const ControlReply& answer) { got = answer; });
  ASSERT_TRUE(RunUntil([&] { return server.Accept() > 0; }));
  server.Send("HTTP/1.1 400 Bad Request\r\n\r\n");
  ASSERT_TRUE(RunUntil([&] { return got.has_value(); }));
  EXPECT_FALSE(got->ok);
  EXPECT_TRUE(got->error.starts_with("the connection was lost: Protocol error")) << got->error;
}

uint64_t ResidentBytes() {
  std::ifstream file("/proc/self/statm");
  uint64_t pages = 0;
  file >> pages >> pages;
  return pages * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
}

// Each ends its connection, and takes little memory until then. The next one is as good as ever.
TEST_F(HiredisControlTest, RepliesWithoutAnEnd) {
  constexpr uint64_t kMb = 1 << 20;
  constexpr uint64_t kMost = (kSanitized ? 1000 : 200) * kMb;  // with shadow memory, and quarantine
  const std::string text(1000, 'x');
  e2e::HostileNode node({
      {"poison:bulk", {"$1000000000000\r\n", text}},
      {"poison:line", {"+", text}},
      {"poison:error", {"-ERR ", text}},
      {"poison:length", {"$", std::string(1000, '1')}},
      {"poison:count", {"*", std::string(1000, '1')}},
      {"poison:numbers", {"*2000000000\r\n", ":1\r\n"}},
      {"poison:strings", {"*60000\r\n", "$1\r\nx\r\n*60000\r\n"}},
      {"poison:texts", {"*60000\r\n", "$1000\r\n" + text + "\r\n"}},
      {"poison:tree", {"", "*60000\r\n"}},
      {"poison:nothing", {"", std::string(1000, '?')}},
  });
  const Address address{"127.0.0.1", node.port(), {}};
  Make({address, {}, {}, 0}, 60000);
  for (const char* key :
       {"poison:bulk", "poison:line", "poison:error", "poison:length", "poison:count",
        "poison:numbers", "poison:strings", "poison:texts", "poison:tree", "poison:nothing"}) {
    SCOPED_TRACE(key);
    const uint64_t before = ResidentBytes();
    std::optional<ControlReply> got;
    uint64_t most = 0;
    control_->Command(0, {"GET", key}, [&](const ControlReply& reply) { got = reply; });
    EXPECT_TRUE(RunUntil([&] {
      most = std::max(most, ResidentBytes());
      return got.has_value();
    }));
    ASSERT_TRUE(got.has_value());
    EXPECT_FALSE(got->ok);
    EXPECT_FALSE(got->refused);
    EXPECT_TRUE(got->error.starts_with("the connection was lost: ")) << got->error;
    EXPECT_LT(most, before + kMost);
    EXPECT_EQ(Say({"SET", "k", "v"}), "ok OK");
  }
}

}  // namespace
}  // namespace gemel
