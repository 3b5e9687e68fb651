// A curve of characters, as LATENCY GRAPH draws it.

#ifndef GEMEL_PROXY_SEEN_SPARKLINE_H_
#define GEMEL_PROXY_SEEN_SPARKLINE_H_

#include <span>
#include <string>

namespace gemel {

struct SparkSample {
  double value;
  std::string label;  // written below it, from top to bottom
};

// Four rows high, filled below; a column a sample. The scale goes from `low` to `high`.
std::string Sparkline(std::span<const SparkSample> samples, double low, double high);

}  // namespace gemel

#endif  // GEMEL_PROXY_SEEN_SPARKLINE_H_
