// Prometheus' text format: https://prometheus.io/docs/instrumenting/exposition_formats/

#ifndef GEMEL_PROXY_METRICS_METRICS_TEXT_H_
#define GEMEL_PROXY_METRICS_METRICS_TEXT_H_

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "backend/figures/figures.h"
#include "backend/figures/latency_buckets.h"
#include "proxy/metrics/http_exchange.h"

namespace gemel {

// `pool="default",shard="a"`, made once for many samples.
std::string LabelsOf(std::initializer_list<std::pair<std::string_view, std::string_view>> labels);

class MetricsText {
 public:
  // About as many bytes of a piece: what is written is still near when it is sent.
  static constexpr size_t kPiece = 128 * 1024;

  // `sink` gets the text in pieces of whole lines, none empty; false: it wants no more.
  explicit MetricsText(PageSink sink);
  // Gives the last piece.
  void Finish();
  // Nobody wants what comes: it may be left out.
  bool unwanted() const { return unwanted_; }

  // A family begins: what comes until the next is of it. Each has a name of its own.
  void Begin(std::string_view name, std::string_view help, std::string_view type);
  void Begin(std::string_view name, std::string_view help, FigureType type) {
    Begin(name, help, type == FigureType::kCounter ? "counter" : "gauge");
  }
  // `labels`: of LabelsOf, may be empty.
  void Sample(std::string_view labels, uint64_t value);
  void Sample(std::string_view labels, double value);
  // Of a number that is text already.
  void SampleText(std::string_view labels, std::string_view value);
  // In microseconds; told in seconds. Of a family of the type "histogram".
  void Histogram(std::string_view labels, const LatencyBuckets& buckets);
  // The same of counts that are sums already: cumulative, by LatencyBuckets::BoundUs.
  void Histogram(std::string_view labels, std::span<const uint64_t> cumulative, uint64_t total,
                 double sum_s);

 private:
  void GiveIfLong() {
    if (text_.size() >= kPiece) Give();
  }
  void Give();
  void Head(std::string_view labels);
  template <typename Number>
  void End(std::string_view before, Number value);

  const PageSink sink_;
  bool unwanted_ = false;
  std::string text_;
  std::string name_;
  std::string head_;  // scratch
};

}  // namespace gemel

#endif  // GEMEL_PROXY_METRICS_METRICS_TEXT_H_
