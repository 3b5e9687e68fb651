// What Prometheus calls a figure: its own name, by that one's conventions.

#ifndef GEMEL_BACKEND_FIGURES_METRIC_NAME_H_
#define GEMEL_BACKEND_FIGURES_METRIC_NAME_H_

#include <string>
#include <string_view>

#include "backend/figures/figures.h"

namespace gemel {

struct MetricName {
  std::string name;
  double unit = 1;  // a figure's value times this is the metric's
};

// `head` + `figure`, without Redis's "total_" in front; "_ms" and "_us" become "_seconds", for
// there are base units alone; a counter ends with "_total". An empty name: it is none, since
// Prometheus makes rates ("..._per_sec") itself.
MetricName MetricNameOf(std::string_view head, std::string_view figure, FigureType type);

}  // namespace gemel

#endif  // GEMEL_BACKEND_FIGURES_METRIC_NAME_H_
