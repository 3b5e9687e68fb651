#include "backend/resync/resync_progress.h"

#include <algorithm>
#include <cstdio>
#include <iterator>

namespace gemel {

namespace {

constexpr uint64_t kSampleMs = 1000;
constexpr uint64_t kFirstSampleMs = 100;
constexpr uint64_t kLineMs = 10 * 1000;
constexpr uint64_t kShortestLineMs = 500;
constexpr int kLinePercent = 10;

}  // namespace

std::string BytesText(int64_t bytes) {
  static constexpr const char* kUnits[] = {"KB", "MB", "GB", "TB"};
  if (bytes < 1024) return std::to_string(bytes) + " bytes";
  double size = static_cast<double>(bytes) / 1024;
  size_t unit = 0;
  for (; size >= 1024 && unit + 1 < std::size(kUnits); ++unit) size /= 1024;
  char text[32];
  std::snprintf(text, sizeof(text), "%.1f %s", size, kUnits[unit]);
  return text;
}

std::string ProgressText(const ResyncProgress& progress) {
  std::string text;
  const auto add = [&text](const std::string& part) {
    if (!text.empty()) text += ", ";
    text += part;
  };
  if (progress.keys) {
    add(std::to_string(progress.bytes) +
        (progress.total > 0 ? " of " + std::to_string(progress.total) : std::string()) + " keys");
  } else if (progress.total > 0) {
    add(BytesText(progress.bytes) + " of " + BytesText(progress.total));
  } else if (progress.bytes > 0) {
    add(BytesText(progress.bytes));
  }
  if (progress.percent >= 0) add(std::to_string(progress.percent) + " %");
  if (progress.rate > 0) {
    add(progress.keys ? std::to_string(progress.rate) + " keys/s"
                      : BytesText(progress.rate) + "/s");
  }
  if (progress.left_s >= 0) add(std::to_string(progress.left_s) + " s left");
  return text;
}

void ProgressMeter::Enter(const std::string& phase, uint64_t now_ms, bool keys) {
  if (progress_.phase == phase) return;
  progress_ = ResyncProgress();
  progress_.phase = phase;
  progress_.keys = keys;
  began_ms_ = sample_ms_ = line_ms_ = now_ms;
  sample_bytes_ = 0;
  line_percent_ = 0;
}

void ProgressMeter::See(int64_t bytes, int64_t total, double fraction, uint64_t now_ms) {
  bytes = std::max<int64_t>(0, bytes);
  if (bytes < progress_.bytes) {  // it began anew
    const std::string phase = std::move(progress_.phase);
    progress_.phase.clear();
    Enter(phase, now_ms, progress_.keys);
  }
  progress_.bytes = bytes;
  progress_.total = total > 0 ? std::max(total, bytes) : -1;
  if (progress_.total > 0) {
    fraction = static_cast<double>(bytes) / static_cast<double>(progress_.total);
  }
  progress_.percent = fraction < 0 ? -1 : static_cast<int>(std::clamp(fraction, 0.0, 1.0) * 100.0);

  const uint64_t past_ms = now_ms - sample_ms_;
  if (past_ms >= (progress_.rate == 0 ? kFirstSampleMs : kSampleMs)) {
    const int64_t rate = (bytes - sample_bytes_) * 1000 / static_cast<int64_t>(past_ms);
    // The last few seconds count most.
    progress_.rate = progress_.rate == 0 ? rate : (progress_.rate + rate) / 2;
    sample_ms_ = now_ms;
    sample_bytes_ = bytes;
  }
  progress_.left_s = -1;
  if (progress_.total > 0 && progress_.rate > 0) {
    progress_.left_s = (progress_.total - bytes + progress_.rate - 1) / progress_.rate;
  } else if (progress_.total <= 0 && fraction >= 0.01 && now_ms >= began_ms_ + kSampleMs) {
    const double gone_s = static_cast<double>(now_ms - began_ms_) / 1000;
    progress_.left_s = static_cast<int64_t>(gone_s / fraction * (1 - std::min(fraction, 1.0)) + 1);
  }
}

bool ProgressMeter::TakeLine(uint64_t now_ms) {
  const uint64_t past_ms = now_ms - line_ms_;
  const bool step = progress_.percent >= line_percent_ + kLinePercent && past_ms >= kShortestLineMs;
  if (!step && past_ms < kLineMs) return false;
  line_ms_ = now_ms;
  line_percent_ = std::max(0, progress_.percent / kLinePercent * kLinePercent);
  return true;
}

}  // namespace gemel
