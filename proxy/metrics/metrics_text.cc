#include "proxy/metrics/metrics_text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>
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

// `le="0.000064"} ` of each bound, and of none.
const std::vector<std::string>& BoundLabels() {
  static const std::vector<std::string> labels = [] {
    std::vector<std::string> made;
    for (size_t i = 0; i < LatencyBuckets::kBounds; ++i) {
      std::string label = "le=\"";
      char text[40];
      const double seconds = static_cast<double>(LatencyBuckets::BoundUs(i)) / 1e6;
      label.append(text,
                   std::to_chars(text, text + sizeof(text), seconds, std::chars_format::fixed).ptr);
      made.push_back(label + "\"} ");
    }
    made.emplace_back("le=\"+Inf\"} ");
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

MetricsText::MetricsText(PageSink sink) : sink_(std::move(sink)) {
  text_.reserve(kPiece + kPiece / 8);
}

void MetricsText::Finish() {
  if (!text_.empty()) Give();
}

void MetricsText::Give() {
  if (!unwanted_ && !sink_(text_)) unwanted_ = true;
  text_.clear();
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

// What stands behind the labels, in few pieces: there are a hundred lines for each shard.
template <typename Number>
void MetricsText::End(std::string_view before, Number value) {
  char text[64];
  char* end = std::copy(before.begin(), before.end(), text);
  end = std::to_chars(end, text + sizeof(text) - 1, value).ptr;
  *end++ = '\n';
  text_.append(text, end);
}

void MetricsText::Sample(std::string_view labels, uint64_t value) {
  Head(labels);
  End(labels.empty() ? " " : "} ", value);
  GiveIfLong();
}

void MetricsText::Sample(std::string_view labels, double value) {
  Head(labels);
  End(labels.empty() ? " " : "} ", value);
  GiveIfLong();
}

void MetricsText::SampleText(std::string_view labels, std::string_view value) {
  Head(labels);
  text_ += labels.empty() ? " " : "} ";
  text_ += value;
  text_ += '\n';
  GiveIfLong();
}

void MetricsText::Head(std::string_view labels) {
  text_ += name_;
  if (labels.empty()) return;
  text_ += '{';
  text_ += labels;
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
  head_.assign(name_).append("_bucket{").append(labels);
  if (!labels.empty()) head_ += ',';
  for (size_t i = 0; i < bounds.size(); ++i) {
    text_ += head_;
    End(bounds[i], i < cumulative.size() ? cumulative[i] : total);
  }
  for (const bool sum : {true, false}) {
    head_.assign(name_).append(sum ? "_sum" : "_count");
    if (!labels.empty()) head_.append("{").append(labels).append("}");
    text_ += head_;
    if (sum) {
      End(" ", sum_s);
    } else {
      End(" ", total);
    }
  }
  GiveIfLong();
}

}  // namespace gemel
