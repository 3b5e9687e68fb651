#include "config/percentiles.h"

#include <algorithm>
#include <charconv>
#include <cstdio>

namespace gemel {

bool ReadPercentiles(std::string_view text, std::vector<double>* percentiles) {
  percentiles->clear();
  while (true) {
    text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
    if (text.empty()) return true;
    const std::string_view word = text.substr(0, std::min(text.find(' '), text.size()));
    text.remove_prefix(word.size());
    double value = 0;
    const auto [end, error] =
        std::from_chars(word.data(), word.data() + word.size(), value, std::chars_format::fixed);
    if (error != std::errc() || end != word.data() + word.size()) return false;
    if (!(value >= 0 && value <= 100)) return false;
    percentiles->push_back(value);
  }
}

std::string PercentileName(double percentile) {
  char text[32];
  std::snprintf(text, sizeof(text), "%f", percentile);
  std::string name(text);
  name.erase(name.find_last_not_of('0') + 1);
  if (name.ends_with('.')) name.pop_back();
  return name;
}

std::string PercentilesText(const std::vector<double>& percentiles) {
  std::string text;
  for (const double percentile : percentiles) {
    text += (text.empty() ? "" : " ") + PercentileName(percentile);
  }
  return text;
}

}  // namespace gemel
