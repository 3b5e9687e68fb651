#include "proxy/metrics/metrics_text.h"

#include <array>
#include <charconv>
#include <vector>

namespace gemel {

namespace {

void AppendEscaped(std::string* out, std::string_view text, bool quotes) {
  for (const char c : text) {
    if (c == '\n') {
      *out += "\\n";
    } else if (c == '\\' || (quotes && c == '"')) {
      *out += '\\';
      *out += c;
    } else {
      *out += c;
    }
  }
}

template <typename Number>
void AppendNumber(std::string* out, Number value) {
  char text[40];
  const auto [end, error] = std::to_chars(text, text + sizeof(text), value);
  out->append(text, end);
}

// `le="0.000064"` of each bound, and of none.
const std::vector<std::string>& BoundLabels() {
  static const std::vector<std::string> labels = [] {
    std::vector<std::string> made;
    for (size_t i = 0; i < LatencyBuckets::kBounds; ++i) {
      std::string label = "le=\"";
      char text[40];
      const double seconds = static_cast<double>(LatencyBuckets::BoundUs(i)) / 1e6;
      label.append(text,
                   std::to_chars(text, text + sizeof(text), seconds, std::chars_format::fixed).ptr);
      made.push_back(label + "\"");
    }
    made.emplace_back("le=\"+Inf\"");
    return made;
  }();
  return labels;
}

}  // namespace

std::string LabelsOf(std::initializer_list<std::pair<std::string_view, std::string_view>> labels) {
  std::string text;
  for (const auto& [name, value] : labels) {
    if (!text.empty()) text += ',';
    text += name;
    text += "=\"";
    AppendEscaped(&text, value, /*quotes=*/true);
    text += '"';
  }
  return text;
}

void MetricsText::Begin(std::string_view name, std::string_view help, std::string_view type) {
  name_ = name;
  text_ += "# HELP ";
  text_ += name;
  text_ += ' ';
  AppendEscaped(&text_, help, /*quotes=*/false);
  text_ += "\n# TYPE ";
  text_ += name;
  text_ += ' ';
  text_ += type;
  text_ += '\n';
}

void MetricsText::Head(std::string_view end, std::string_view labels, std::string_view more) {
  text_ += name_;
  text_ += end;
  if (!labels.empty() || !more.empty()) {
    text_ += '{';
    text_ += labels;
    if (!labels.empty() && !more.empty()) text_ += ',';
    text_ += more;
    text_ += '}';
  }
  text_ += ' ';
}

void MetricsText::Sample(std::string_view labels, uint64_t value) {
  Head({}, labels, {});
  AppendNumber(&text_, value);
  text_ += '\n';
}

void MetricsText::Sample(std::string_view labels, double value) {
  Head({}, labels, {});
  AppendNumber(&text_, value);
  text_ += '\n';
}

void MetricsText::SampleText(std::string_view labels, std::string_view value) {
  Head({}, labels, {});
  text_ += value;
  text_ += '\n';
}

void MetricsText::Histogram(std::string_view labels, const LatencyBuckets& buckets) {
  std::array<uint64_t, LatencyBuckets::kBounds> cumulative;
  uint64_t count = 0;
  for (size_t i = 0; i < cumulative.size(); ++i) cumulative[i] = count += buckets.at(i);
  Histogram(labels, cumulative, count + buckets.at(LatencyBuckets::kBounds),
            static_cast<double>(buckets.sum_us()) / 1e6);
}

void MetricsText::Histogram(std::string_view labels, std::span<const uint64_t> cumulative,
                            uint64_t total, double sum_s) {
  const std::vector<std::string>& bounds = BoundLabels();
  for (size_t i = 0; i < bounds.size(); ++i) {
    Head("_bucket", labels, bounds[i]);
    AppendNumber(&text_, i < cumulative.size() ? cumulative[i] : total);
    text_ += '\n';
  }
  Head("_sum", labels, {});
  AppendNumber(&text_, sum_s);
  text_ += '\n';
  Head("_count", labels, {});
  AppendNumber(&text_, total);
  text_ += '\n';
}

}  // namespace gemel
