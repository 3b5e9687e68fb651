#include "backend/figures/metric_name.h"

namespace gemel {

namespace {

constexpr std::string_view kTotal = "_total";

bool TakeEnd(std::string_view* text, std::string_view end) {
  if (!text->ends_with(end)) return false;
  text->remove_suffix(end.size());
  return true;
}

}  // namespace

MetricName MetricNameOf(std::string_view head, std::string_view figure, FigureType type) {
  MetricName metric;
  if (figure.ends_with("_per_sec")) return metric;
  if (figure.starts_with("total_")) figure.remove_prefix(6);
  TakeEnd(&figure, kTotal);
  metric.name = head;
  if (TakeEnd(&figure, "_ms")) {
    metric.unit = 1e-3;
  } else if (TakeEnd(&figure, "_us")) {
    metric.unit = 1e-6;
  }
  metric.name += figure;
  if (metric.unit != 1) metric.name += "_seconds";
  if (type == FigureType::kCounter) metric.name += kTotal;
  return metric;
}

}  // namespace gemel
