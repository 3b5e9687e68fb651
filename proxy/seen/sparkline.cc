// Source: sparkline.c of Redis 7.0.

#include "proxy/seen/sparkline.h"

#include <algorithm>
#include <string_view>
#include <vector>

namespace gemel {

namespace {

constexpr int kRows = 4;
constexpr std::string_view kLevels = "_o#";  // of one row

char CurveAt(int step, int row) {
  const int level = step - (kRows - row - 1) * static_cast<int>(kLevels.size());
  if (level < 0) return ' ';
  return level < static_cast<int>(kLevels.size()) ? kLevels[static_cast<size_t>(level)] : '|';
}

}  // namespace

std::string Sparkline(std::span<const SparkSample> samples, double low, double high) {
  constexpr int kSteps = kRows * static_cast<int>(kLevels.size());
  const double range = high > low ? high - low : 1;
  size_t longest = 0;
  std::vector<int> steps;
  for (const SparkSample& sample : samples) {
    const int step = static_cast<int>(static_cast<int>((sample.value - low) * kSteps) / range);
    steps.push_back(std::clamp(step, 0, kSteps - 1));
    longest = std::max(longest, sample.label.size());
  }
  std::string text;
  for (int row = 0; row < kRows; ++row) {
    for (const int step : steps) text += CurveAt(step, row);
    text += '\n';
  }
  if (longest == 0) return text;
  text += std::string(samples.size(), ' ') + '\n';
  for (size_t at = 0; at < longest; ++at) {
    for (const SparkSample& sample : samples) {
      text += at < sample.label.size() ? sample.label[at] : ' ';
    }
    text += '\n';
  }
  return text;
}

}  // namespace gemel
