// Does a node hang? A pure function of what is waited for and when something was heard.
//
// Two ways lead to a node: the link with the requests, and the probe's own connection. One that is
// silent may be lost alone, or its node be busy with one client; a node hangs when both were asked
// and nothing came from either for longer than it ever takes. How long that is follows the node's
// own latency: the longest silences of the past (they are forgotten slowly) times two, but no less
// than `least_ms` and no more than `most_ms`.
//
// Times are those of a running clock (running_clock.h): a pause of this process is not one of every
// node.

#ifndef GEMEL_BACKEND_HEALTH_HANG_DETECTOR_H_
#define GEMEL_BACKEND_HEALTH_HANG_DETECTOR_H_

#include <cstdint>

namespace gemel {

struct HangLimits {
  uint32_t least_ms = 500;
  uint32_t most_ms = 1000;  // counts where it is below least_ms
};

class HangDetector {
 public:
  // A silence that was remembered counts half after this time.
  static constexpr uint64_t kHalfLifeMs = 5 * 60 * 1000;
  // So long it is remembered that the node was busy.
  static constexpr uint64_t kBusyMs = 10 * 1000;

  enum class Verdict : uint8_t {
    kWell,
    kAsk,    // the link is silent for a while: a probe must go out now
    kHangs,  // both are silent for too long
  };
  // The link as it is now. Times are milliseconds of the running clock.
  struct Line {
    bool waiting = false;           // requests are unanswered
    uint64_t waiting_since_ms = 0;  // when that began, or when it last answered
    uint64_t heard_ms = 0;          // when the last bytes came
  };

  explicit HangDetector(HangLimits limits) : limits_(limits) {}
  void set_limits(HangLimits limits) { limits_ = limits; }

  // A probe went out; it was answered; it came to nothing that says anything of the node. A probe
  // that has timed out is still unanswered.
  void OnProbeSent();
  void OnProbeAnswer(uint64_t now_ms);
  void OnProbeVoid() { probe_out_ = false; }
  // Its link ended: whatever comes next is no answer to what it was silent about.
  void OnLinkEnd() { gave_up_ = true; }
  // Nobody could take its place up to now: the silence so far is not held against it.
  void Excuse() { excused_ms_ = silent_ms_; }

  // Time passes. To be called every few milliseconds while requests wait, and often else.
  void Observe(uint64_t now_ms, const Line& line);
  // As of the last Observe. Its limit is at least `patience_ms`.
  Verdict Judge(uint64_t patience_ms = 0) const;

  // The silence that is too long for this node.
  uint64_t LimitMs() const;
  // For how long, in observed time, the link has made no progress with requests waiting.
  uint64_t stalled_ms() const { return stalled_ms_; }
  // For how long nothing at all was heard while something was unanswered.
  uint64_t silent_ms() const { return silent_ms_; }
  uint64_t most_ms() const { return limits_.most_ms; }
  // It was silent for so long, longer than least_ms, a short while ago, and then answered what it
  // was silent about: it was busy. Else 0.
  uint64_t BusyMs(uint64_t now_ms) const { return now_ms < busy_at_ms_ + kBusyMs ? busy_ms_ : 0; }

 private:
  void Heard(uint64_t now_ms);
  void EndSilence();
  double Longest(uint64_t now_ms) const;

  HangLimits limits_;
  uint64_t now_ms_ = 0;  // of the last Observe
  uint64_t heard_ms_ = 0;
  uint64_t waiting_since_ms_ = 0;
  uint64_t stalled_ms_ = 0;
  uint64_t silent_ms_ = 0;
  bool probe_out_ = false;
  bool asked_again_ = false;      // a probe went out since the link heard last
  uint64_t probe_silent_ms_ = 0;  // since a probe went out, with none answered
  uint64_t since_probe_ms_ = 0;   // since the last one went out
  uint64_t excused_ms_ = 0;       // of the present silence
  bool gave_up_ = false;          // its link ended within the present silence
  uint64_t busy_ms_ = 0;
  uint64_t busy_at_ms_ = 0;
  double longest_ms_ = 0;  // of the silences, as of longest_at_ms_
  uint64_t longest_at_ms_ = 0;
};

}  // namespace gemel

#endif  // GEMEL_BACKEND_HEALTH_HANG_DETECTOR_H_
