#include "backend/health/hang_detector.h"

#include <algorithm>
#include <cmath>

namespace gemel {

namespace {

// A silence is too long if it is so many times the longest of the past.
constexpr double kFactor = 2;
// A link that was silent for this part of the limit has the node asked on the other way.
constexpr uint64_t kAskPart = 4;
// Each way by itself must be silent for this part of the limit.
constexpr uint64_t kEachPart = 2;

}  // namespace

void HangDetector::OnProbeSent() {
  since_probe_ms_ = 0;
  asked_again_ = true;
  if (probe_out_) return;  // the one before it is unanswered, too
  probe_out_ = true;
  probe_silent_ms_ = 0;
}

void HangDetector::OnProbeAnswer(uint64_t now_ms) {
  probe_out_ = false;
  heard_ms_ = std::max(heard_ms_, now_ms);
  Heard(now_ms);
}

// What lasted longer than most_ms was a hang, or a long piece of work, and no pause: of how long it
// pauses nothing is learnt from it.
void HangDetector::Heard(uint64_t now_ms) {
  const double silence = static_cast<double>(silent_ms_);
  if (silent_ms_ > std::min(limits_.least_ms, limits_.most_ms) && !gave_up_) {
    busy_ms_ = silent_ms_;
    busy_at_ms_ = now_ms;
  }
  EndSilence();
  if (silence > limits_.most_ms || silence <= Longest(now_ms)) return;
  longest_ms_ = silence;
  longest_at_ms_ = now_ms;
}

double HangDetector::Longest(uint64_t now_ms) const {
  if (longest_ms_ == 0 || now_ms <= longest_at_ms_) return longest_ms_;
  return longest_ms_ * std::exp2(-static_cast<double>(now_ms - longest_at_ms_) / kHalfLifeMs);
}

void HangDetector::Observe(uint64_t now_ms, const Line& line) {
  const uint64_t step = now_ms > now_ms_ && now_ms_ != 0 ? now_ms - now_ms_ : 0;
  now_ms_ = now_ms;
  since_probe_ms_ += step;
  if (probe_out_) probe_silent_ms_ += step;
  if (line.heard_ms > heard_ms_) {
    heard_ms_ = line.heard_ms;
    asked_again_ = false;
    Heard(now_ms);
  }
  // A probe alone that is older than what came over the link says something of its connection.
  if (!line.waiting && !(probe_out_ && asked_again_)) {
    EndSilence();
  } else if (silent_ms_ == 0) {
    // It began within this step.
    const uint64_t since = std::max(heard_ms_, line.waiting ? line.waiting_since_ms : 0);
    silent_ms_ = now_ms > since ? std::min(now_ms - since, step) : 0;
  } else {
    silent_ms_ += step;
  }
  if (!line.waiting) {
    stalled_ms_ = 0;
  } else if (line.waiting_since_ms != waiting_since_ms_ || stalled_ms_ == 0) {
    // It began, or made progress, within this step.
    waiting_since_ms_ = line.waiting_since_ms;
    stalled_ms_ =
        now_ms > line.waiting_since_ms ? std::min(now_ms - line.waiting_since_ms, step) : 0;
  } else {
    stalled_ms_ += step;
  }
}

uint64_t HangDetector::LimitMs() const {
  const uint64_t learnt = static_cast<uint64_t>(kFactor * Longest(now_ms_));
  return std::min<uint64_t>(std::max<uint64_t>(learnt, limits_.least_ms), limits_.most_ms);
}

void HangDetector::EndSilence() {
  silent_ms_ = excused_ms_ = 0;
  gave_up_ = false;
}

HangDetector::Verdict HangDetector::Judge(uint64_t patience_ms) const {
  if (stalled_ms_ == 0) return Verdict::kWell;
  const uint64_t limit = std::max(LimitMs(), patience_ms);
  if (silent_ms_ - excused_ms_ >= limit && stalled_ms_ >= limit / kEachPart && probe_out_ &&
      probe_silent_ms_ >= limit / kEachPart) {
    return Verdict::kHangs;
  }
  if (stalled_ms_ >= limit / kAskPart && !probe_out_ && since_probe_ms_ >= limit / kAskPart) {
    return Verdict::kAsk;
  }
  return Verdict::kWell;
}

}  // namespace gemel
