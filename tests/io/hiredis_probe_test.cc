// Health probes of real servers, and of some that misbehave.

#include "backend/uv/hiredis_probe.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/e2e/redis_node.h"
#include "tests/io/loop_fixture.h"
#include "tests/io/raw_server.h"

namespace gemel {
namespace {

using e2e::RedisNode;
using Probe = ProbeOutcome;

class HiredisProbeTest : public LoopTest {
 protected:
  void Make(uint16_t port, uint32_t interval_ms, uint32_t timeout_ms) {
    Make(Address{"127.0.0.1", port, {}}, interval_ms, timeout_ms);
  }
  void Make(Address address, uint32_t interval_ms, uint32_t timeout_ms) {
    HealthConfig health;
    health.interval_ms = interval_ms;
    health.timeout_ms = timeout_ms;
    probe_ = std::make_unique<HiredisProbe>(
        &loop_, HiredisNode{std::move(address), {}, {}, 0}, health,
        [this](Probe probe, uint64_t began_ms) {
          EXPECT_LE(began_ms, uv_now(&loop_));
          if (probe == Probe::kSent) {
            ++sent_;
            return;
          }
          seen_.push_back(probe);
          if (on_report_) on_report_();
        },
        [this](NoteLevel, const std::string& text) { notes_.push_back(text); });
    probe_->Start(0);
  }

  size_t Count(Probe probe) const {
    return static_cast<size_t>(std::count(seen_.begin(), seen_.end(), probe));
  }
  bool Saw(Probe probe, size_t times = 1) {
    return RunUntil([&] { return Count(probe) >= times; });
  }

  size_t sent_ = 0;
  std::vector<Probe> seen_;
  std::vector<std::string> notes_;
  std::function<void()> on_report_;
  std::unique_ptr<HiredisProbe> probe_;
};

TEST_F(HiredisProbeTest, AnswersAtTheInterval) {
  RedisNode node;
  Make(node.port(), 50, 5000);
  const uint64_t start = uv_now(&loop_);
  ASSERT_TRUE(Saw(Probe::kAnswer, 5));
  EXPECT_GE(uv_now(&loop_) - start, 4 * 50U);
  EXPECT_EQ(Count(Probe::kAnswer), seen_.size());
  EXPECT_TRUE(notes_.empty());
}

TEST_F(HiredisProbeTest, ANewIntervalIsInEffectAtOnceOnTheSameConnection) {
  RedisNode node;
  Make(node.port(), 3600 * 1000, 3600 * 1000);
  ASSERT_TRUE(Saw(Probe::kAnswer));
  e2e::Client client = node.Connect();
  const std::string before = client("CLIENT", "LIST").Text();
  HealthConfig health;
  health.interval_ms = 20;
  health.timeout_ms = 100;
  probe_->SetHealth(health, 7);
  ASSERT_TRUE(Saw(Probe::kAnswer, 4));
  const auto id = [](const std::string& list) { return list.substr(0, list.find(" addr=")); };
  EXPECT_EQ(id(client("CLIENT", "LIST").Text()), id(before));
  node.Pause();
  EXPECT_TRUE(Saw(Probe::kTimeout)) << "long before the old timeout";
  node.Resume();
}

TEST_F(HiredisProbeTest, NodeThatDiesIsKnownAtOnce) {
  RedisNode node;
  Make(node.port(), 3600 * 1000, 5000);
  ASSERT_TRUE(Saw(Probe::kAnswer));
  node.Kill();
  ASSERT_TRUE(Saw(Probe::kHardError)) << "long before the next interval";
  EXPECT_EQ(seen_.size(), 2U);
}

TEST_F(HiredisProbeTest, NobodyListens) {
  e2e::FreePort nobody;
  Make(nobody.number(), 20, 5000);
  EXPECT_TRUE(Saw(Probe::kHardError, 3));
  RedisNode node;
  Make(node.port(), 20, 5000);
  EXPECT_TRUE(Saw(Probe::kAnswer));
}

TEST_F(HiredisProbeTest, HangingNode) {
  RedisNode node;
  Make(node.port(), 20, 100);
  ASSERT_TRUE(Saw(Probe::kAnswer));
  node.Pause();
  ASSERT_TRUE(Saw(Probe::kTimeout, 3));
  EXPECT_EQ(Count(Probe::kHardError), 0U);
  node.Resume();
  const size_t answers = Count(Probe::kAnswer);
  EXPECT_TRUE(Saw(Probe::kAnswer, answers + 1));
}

TEST_F(HiredisProbeTest, FailedProbesAreRepeatedAtOnceUntilTheyAreEnough) {
  RedisNode node;
  Make(node.port(), 3600 * 1000, 200);
  ASSERT_TRUE(Saw(Probe::kAnswer));
  node.Pause();
  probe_->ProbeNow();
  probe_->ProbeNow();  // one is under way
  ASSERT_TRUE(Saw(Probe::kTimeout, 3)) << "long before the next interval";
  EXPECT_EQ(sent_, 4U);
  RunFor(300);
  EXPECT_EQ(sent_, 4U);
  node.Resume();
  probe_->ProbeNow();
  EXPECT_TRUE(Saw(Probe::kAnswer, 2));
}

TEST_F(HiredisProbeTest, ConnectionThatIsKilledSaysNothingOfTheNode) {
  RedisNode node;
  Make(node.port(), 50, 5000);
  ASSERT_TRUE(Saw(Probe::kAnswer));
  for (int i = 0; i < 10; ++i) {
    node.Connect()("CLIENT", "KILL", "TYPE", "normal");
    const size_t answers = Count(Probe::kAnswer);
    ASSERT_TRUE(Saw(Probe::kAnswer, answers + 1));
  }
  EXPECT_EQ(Count(Probe::kAnswer), seen_.size());
}

TEST_F(HiredisProbeTest, NodeThatWantsAPassword) {
  RedisNode node({"--requirepass", "secret"});
  Make(node.port(), 20, 5000);
  ASSERT_TRUE(Saw(Probe::kAnswer, 5));
  ASSERT_EQ(notes_.size(), 1U) << "once, not at every probe";
  EXPECT_NE(notes_[0].find("refuses gemel's user or password (NOAUTH"), std::string::npos);
}

TEST_F(HiredisProbeTest, LoadingIsAnAnswer) {
  RawServer server;
  Make(server.port(), 20, 5000);
  for (size_t i = 1; i <= 3; ++i) {
    ASSERT_TRUE(RunUntil([&] { return server.Accept() > 0 && !server.Received().empty(); }));
    server.Send("-LOADING Redis is loading the dataset in memory\r\n");
    ASSERT_TRUE(Saw(Probe::kAnswer, i));
  }
  EXPECT_TRUE(notes_.empty());
}

TEST_F(HiredisProbeTest, AScriptThatRunsForTooLongIsTold) {
  RawServer server;
  Make(server.port(), 20, 5000);
  for (size_t i = 1; i <= 3; ++i) {
    ASSERT_TRUE(RunUntil([&] { return server.Accept() > 0 && !server.Received().empty(); }));
    server.Send("-BUSY Redis is busy running a script. You can only call SCRIPT KILL.\r\n");
    ASSERT_TRUE(Saw(Probe::kBusy, i));
  }
  EXPECT_EQ(Count(Probe::kAnswer), 0u);
  EXPECT_TRUE(notes_.empty());
}

TEST_F(HiredisProbeTest, ServerThatClosesEveryConnection) {
  RawServer server;
  Make(server.port(), 100, 5000);
  const uint64_t start = uv_now(&loop_);
  ASSERT_TRUE(RunUntil([&] {
    server.Accept();
    server.CloseAll();
    return Count(Probe::kHardError) >= 5;
  }));
  const uint64_t probes = (uv_now(&loop_) - start) / 100 + 1;
  EXPECT_LE(server.Accept(), 3 * probes) << "no storm of connections";
}

TEST_F(HiredisProbeTest, ServerThatAnswersAndCloses) {
  RawServer server;
  Make(server.port(), 3600 * 1000, 5000);
  const uint64_t start = uv_now(&loop_);
  ASSERT_TRUE(RunUntil([&] {
    if (server.Accept() > 0 && !server.Received().empty()) {
      server.Send("+PONG\r\n");
      server.CloseAll();
    }
    return Count(Probe::kAnswer) >= 5;
  }));
  EXPECT_GE(uv_now(&loop_) - start, 4 * 40U);
}

TEST_F(HiredisProbeTest, NameThatDoesNotResolveIsNoEvidence) {
  // At once, or not within the time.
  Make(Address{"no-such-host.invalid", 7, {}}, 20, 200);
  ASSERT_TRUE(Saw(Probe::kVoid, 5));
  EXPECT_EQ(Count(Probe::kVoid), seen_.size());
}

TEST_F(HiredisProbeTest, ThreeFailuresWithinAMomentAreNotThree) {
  // A Unix socket whose queue is full is no timeout: it is told at once.
  const e2e::TempFolder folder;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  Address node;
  node.path = folder.path() + "/full.sock";
  std::memcpy(address.sun_path, node.path.c_str(), node.path.size() + 1);
  const UniqueFd listener(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  ASSERT_EQ(listen(listener.get(), 0), 0);
  std::vector<UniqueFd> waiting;
  int code = 0;
  while (code == 0) {
    waiting.emplace_back(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    code = connect(waiting.back().get(), reinterpret_cast<sockaddr*>(&address), sizeof(address));
  }
  std::vector<uint64_t> times_ms;
  on_report_ = [&] { times_ms.push_back(uv_now(&loop_)); };
  Make(node, 400, 5000);  // repeated after 500 ms: a tenth of the patience
  ASSERT_TRUE(Saw(Probe::kTimeout, 3));
  ASSERT_EQ(times_ms.size(), 3U);
  EXPECT_GE(times_ms[2], times_ms[0] + 2 * 400);
}

TEST_F(HiredisProbeTest, NothingComesAfterStop) {
  RedisNode node;
  Make(node.port(), 1, 5000);
  ASSERT_TRUE(Saw(Probe::kAnswer, 3));
  probe_->Stop();
  const size_t seen = seen_.size();
  RunFor(50);
  EXPECT_EQ(seen_.size(), seen);
}

TEST_F(HiredisProbeTest, DestroyedByItsReport) {
  RedisNode node;
  e2e::FreePort nobody;
  on_report_ = [this] { probe_.reset(); };
  Make(node.port(), 1, 5000);
  EXPECT_TRUE(Saw(Probe::kAnswer));
  Make(nobody.number(), 1, 5000);
  EXPECT_TRUE(Saw(Probe::kHardError));
  RunFor(20);
  EXPECT_EQ(seen_.size(), 2U);
}

}  // namespace
}  // namespace gemel
