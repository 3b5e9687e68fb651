// The running clock of a loop whose process is stopped for a while.

#include "backend/uv/uv_clock.h"

#include <chrono>
#include <optional>
#include <thread>

#include "backend/uv/hiredis_control.h"
#include "backend/uv/uv_timer.h"
#include "tests/e2e/redis_node.h"
#include "tests/io/loop_fixture.h"

namespace gemel {
namespace {

// The loop's thread does nothing: as far as the loop can tell, the process was stopped.
void Pause() { std::this_thread::sleep_for(std::chrono::milliseconds(1000)); }

class UvClockTest : public LoopTest {
 protected:
  UvClockTest() {
    uv_timer_init(&loop_, &beat_);
    beat_.data = &clock_;
    uv_timer_start(
        &beat_, [](uv_timer_t* timer) { static_cast<UvClock*>(timer->data)->NowMs(); }, 5, 5);
  }
  ~UvClockTest() override { uv_close(reinterpret_cast<uv_handle_t*>(&beat_), nullptr); }

  UvClock clock_{&loop_};

 private:
  uv_timer_t beat_;  // as a worker's tick
};

TEST_F(UvClockTest, APauseAgesNothing) {
  RunFor(50);
  EXPECT_EQ(UvClock::NowMs(&loop_), clock_.NowMs());
  const uint64_t before_ms = clock_.NowMs();
  Pause();
  RunFor(100);
  EXPECT_LE(clock_.NowMs(), before_ms + 500);  // on a busy machine, too
  EXPECT_GT(clock_.NowMs(), before_ms);
}

TEST_F(UvClockTest, APauseLetsNoTimerFire) {
  uint64_t fired_ms = 0;
  UvTimer timer(&loop_, [&] { fired_ms = clock_.NowMs(); });
  const uint64_t set_ms = clock_.NowMs();
  timer.Set(300);
  RunFor(20);
  Pause();
  uv_run(&loop_, UV_RUN_NOWAIT);
  EXPECT_EQ(fired_ms, 0u);
  EXPECT_TRUE(RunUntil([&] { return fired_ms != 0; }));
  EXPECT_GE(fired_ms, set_ms + 300);
}

TEST_F(UvClockTest, AnAnswerThatCameMeanwhileIsInTime) {
  e2e::RedisNode node;
  HiredisControl control(&loop_, {HiredisNode{{"127.0.0.1", node.port(), {}}, {}, {}, 0}}, 600);
  std::optional<ControlReply> got;
  const auto keep = [&](const ControlReply& reply) { got = reply; };
  control.Command(0, {"PING"}, keep);
  ASSERT_TRUE(RunUntil([&] { return got.has_value(); }));
  got.reset();
  control.Command(0, {"DEBUG", "SLEEP", "0.3"}, keep);
  RunFor(30);  // it goes out
  ASSERT_FALSE(got.has_value());
  Pause();
  ASSERT_TRUE(RunUntil([&] { return got.has_value(); }));
  EXPECT_TRUE(got->ok) << got->error;
}

// Where nothing comes, a timeout is one all the same.
TEST_F(UvClockTest, WhatIsNotAnsweredEndsAfterThePause) {
  e2e::RedisNode node;
  HiredisControl control(&loop_, {HiredisNode{{"127.0.0.1", node.port(), {}}, {}, {}, 0}}, 600);
  node.Pause();
  std::optional<ControlReply> got;
  control.Command(0, {"PING"}, [&](const ControlReply& reply) { got = reply; });
  RunFor(30);
  Pause();
  uv_run(&loop_, UV_RUN_NOWAIT);
  EXPECT_FALSE(got.has_value());
  ASSERT_TRUE(RunUntil([&] { return got.has_value(); }));
  EXPECT_FALSE(got->ok);
  node.Resume();
}

}  // namespace
}  // namespace gemel
