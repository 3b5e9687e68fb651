// The hang detector on traces of latency.

#include "backend/health/hang_detector.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace gemel::hang_detector_test {
namespace {

using Verdict = HangDetector::Verdict;

// A node under load, seen every tick: it answers requests and probes unless it is silent.
class Node {
 public:
  explicit Node(HangLimits limits = {500, 1000}) : detector(limits) {}

  // It answers all that comes for a while.
  void Answers(uint64_t ms) {
    if (silent_) {
      silent_ = false;
      heard_ms_ = since_ms_ = now_ms_;
      if (probe_out_) detector.OnProbeAnswer(now_ms_);
      probe_out_ = false;
    }
    for (const uint64_t end_ms = now_ms_ + ms; now_ms_ < end_ms;) {
      now_ms_ += tick_ms;
      heard_ms_ = since_ms_ = now_ms_;
      Look();
      EXPECT_EQ(detector.Judge(), Verdict::kWell);
    }
  }
  // Nothing comes from it until the detector says that it hangs, at most so long. For how long it
  // was silent.
  uint64_t Silent(uint64_t ms, uint64_t patience_ms = 0) {
    silent_ = true;
    const uint64_t start_ms = now_ms_;
    while (now_ms_ < start_ms + ms) {
      now_ms_ += tick_ms;
      Look();
      if (detector.Judge(patience_ms) == Verdict::kHangs) break;
    }
    return now_ms_ - start_ms;
  }

  HangDetector detector;
  uint64_t tick_ms = 10;
  bool waiting = true;
  bool probe_answered = false;  // at once, also while the link is silent
  uint64_t probes = 0;

 private:
  void Look() {
    detector.Observe(now_ms_, {waiting, since_ms_, heard_ms_});
    if (detector.Judge() != Verdict::kAsk) return;
    ++probes;
    detector.OnProbeSent();
    probe_out_ = !probe_answered;
    if (probe_answered) detector.OnProbeAnswer(now_ms_);
  }

  uint64_t now_ms_ = 100000;
  uint64_t heard_ms_ = 100000;
  uint64_t since_ms_ = 100000;
  bool silent_ = false;
  bool probe_out_ = false;
};

TEST(HangDetector, ASteadyNodeThatHangsIsFoundAtTheLeastTimeout) {
  Node node;
  node.Answers(60 * 1000);
  EXPECT_EQ(node.probes, 0u);
  const uint64_t silence = node.Silent(5000);
  EXPECT_GE(silence, 500u);
  EXPECT_LE(silence, 520u);
  EXPECT_EQ(node.probes, 1u);
}

TEST(HangDetector, ANodeThatPausesIsGivenTime) {
  Node node;
  node.Answers(1000);
  EXPECT_LE(node.Silent(600), 520u);  // the first pause is taken for a hang: its link ends
  node.waiting = false;
  node.Silent(80);
  node.waiting = true;
  for (int i = 0; i < 20; ++i) {
    node.Answers(20 * 1000);
    EXPECT_EQ(node.Silent(600), 600u) << "after " << i;
  }
  node.Answers(1000);
  const uint64_t silence = node.Silent(5000);  // a real hang has its end all the same
  EXPECT_GE(silence, 1000u);
  EXPECT_LE(silence, 1020u);
}

TEST(HangDetector, PausesAreForgotten) {
  Node node;
  node.Answers(1000);
  EXPECT_EQ(node.Silent(450), 450u);
  node.Answers(1000);
  EXPECT_GT(node.detector.LimitMs(), 880u);
  node.Answers(HangDetector::kHalfLifeMs * 2);
  EXPECT_EQ(node.detector.LimitMs(), 500u);
}

TEST(HangDetector, PatienceMayBeGreaterThanItsLimit) {
  Node node;
  node.Answers(1000);
  EXPECT_EQ(node.Silent(950, /*patience_ms=*/1000), 950u);
  node.Answers(1000);
  EXPECT_LE(node.Silent(5000, /*patience_ms=*/1000), 1020u);
}

TEST(HangDetector, FlappingIsFoundEachTimeAndAHangIsNoPause) {
  Node node;
  for (int i = 0; i < 20; ++i) {
    node.Answers(1000);
    EXPECT_LE(node.Silent(1500), 520u) << i;
    // It goes on being silent after the verdict, its link ended.
    node.waiting = false;
    node.Silent(1500);
    node.waiting = true;
  }
  EXPECT_EQ(node.detector.LimitMs(), 500u);
}

TEST(HangDetector, ALostConnectionIsNoHang) {
  Node node;
  node.Answers(1000);
  node.probe_answered = true;
  EXPECT_EQ(node.Silent(60 * 1000), 60u * 1000);
  EXPECT_GT(node.probes, 60u);   // it goes on asking,
  EXPECT_LT(node.probes, 600u);  // not at each tick
  node.probe_answered = false;
  const uint64_t silence = node.Silent(5000);
  EXPECT_GE(silence, 370u);  // the last probe was answered a moment before
  EXPECT_LE(silence, 700u);
}

TEST(HangDetector, AnUnansweredProbeAloneIsNoHang) {
  Node node;
  node.detector.OnProbeSent();
  node.Answers(10 * 1000);
  node.waiting = false;
  EXPECT_EQ(node.Silent(10 * 1000), 10u * 1000);
  // With a request the link is given time of its own, less than usual.
  Node idle;
  idle.waiting = false;
  idle.detector.OnProbeSent();
  idle.Silent(2000);
  idle.waiting = true;
  const uint64_t silence = idle.Silent(5000);
  EXPECT_GE(silence, 250u);
  EXPECT_LE(silence, 520u);
}

TEST(HangDetector, AProbeThatCouldNotBeSentIsNoEvidence) {
  HangDetector detector({500, 1000});
  uint64_t now_ms = 1000;
  detector.OnProbeSent();
  detector.OnProbeVoid();
  for (int i = 0; i < 500; ++i) {
    detector.Observe(now_ms += 10, {true, 1000, 1000});
    ASSERT_NE(detector.Judge(), Verdict::kHangs);
    if (detector.Judge() != Verdict::kAsk) continue;
    detector.OnProbeSent();
    detector.OnProbeVoid();
  }
}

TEST(HangDetector, WhatIsExcusedDoesNotCount) {
  Node node;
  node.Answers(1000);
  EXPECT_EQ(node.Silent(400), 400u);
  node.detector.Excuse();
  const uint64_t more = node.Silent(5000);
  EXPECT_GE(more, 500u);
  EXPECT_LE(more, 520u);
  node.Answers(1000);
  EXPECT_LE(node.Silent(5000), 1020u);  // of the next silence nothing is excused
}

TEST(HangDetector, RemembersHowLongANodeWasBusy) {
  Node node;
  node.Answers(1000);
  uint64_t now_ms = 200000;
  EXPECT_EQ(node.Silent(3000, 5000), 3000u);
  node.Answers(10);
  EXPECT_GE(node.detector.BusyMs(0), 2990u);
  EXPECT_LE(node.detector.BusyMs(0), 3010u);
  EXPECT_EQ(node.detector.BusyMs(now_ms), 0u);
  EXPECT_LE(node.Silent(5000), 520u);  // no pause: nothing is learnt of how long it may pause
  // What it is silent about when its link ends it never answers.
  node.detector.OnLinkEnd();
  node.Silent(2000, 5000);
  node.Answers(10);
  EXPECT_LE(node.detector.BusyMs(0), 3010u);
}

TEST(HangDetector, LimitsOfTheConfig) {
  EXPECT_EQ(HangDetector({500, 200}).LimitMs(), 200u);
  Node quick({100, 200});
  quick.Answers(1000);
  EXPECT_LE(quick.Silent(5000), 120u);
  Node patient({10000, 10000});
  patient.Answers(1000);
  EXPECT_EQ(patient.Silent(9000), 9000u);
  patient.Answers(1000);
  EXPECT_LE(patient.Silent(60000), 10020u);
}

// Whatever is seen: never a hang without requests that wait, nor within the least timeout of
// anything heard, and always one when both ways are silent for the whole timeout.
TEST(HangDetector, RandomTracesFollowTheRule) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    std::mt19937_64 random(seed);
    HangDetector detector({50, 100});
    uint64_t now_ms = 1000, heard_ms = 1000, since_ms = 1000;
    uint64_t sign_ms = 1000;        // of life, on either way
    uint64_t both_since_ms = 1000;  // both ways are asked and silent
    bool waiting = false, probe = false, silent = false;
    for (int i = 0; i < 5000; ++i) {
      now_ms += 1 + random() % 10;
      if (random() % 40 == 0) silent = !silent;
      if (!silent && random() % 3 == 0) {
        sign_ms = heard_ms = since_ms = now_ms;
        waiting = random() % 4 != 0;
      }
      if (!waiting && random() % 8 == 0) {
        waiting = true;
        since_ms = now_ms;
      }
      if (!probe && random() % 30 == 0) {
        probe = true;
        detector.OnProbeSent();
      }
      if (probe && !silent && random() % 2 == 0) {
        probe = false;
        sign_ms = now_ms;
        detector.OnProbeAnswer(now_ms);
      }
      if (!waiting || !probe) both_since_ms = now_ms;
      both_since_ms = std::max(both_since_ms, std::max(sign_ms, since_ms));
      detector.Observe(now_ms, {waiting, since_ms, heard_ms});
      const bool hangs = detector.Judge() == Verdict::kHangs;
      if (hangs) {
        ASSERT_TRUE(waiting && probe) << seed;
        ASSERT_GE(now_ms, sign_ms + 50) << seed;
      }
      if (now_ms >= both_since_ms + 100 + 20) {
        ASSERT_TRUE(hangs) << seed << " at " << now_ms;
      }
      ASSERT_GE(detector.LimitMs(), 50u);
      ASSERT_LE(detector.LimitMs(), 100u);
    }
  }
}

}  // namespace
}  // namespace gemel::hang_detector_test
