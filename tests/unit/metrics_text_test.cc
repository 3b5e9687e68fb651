// The text format of metrics, and what figures are called in it.

#include "proxy/metrics/metrics_text.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "backend/figures/metric_name.h"

namespace gemel::metrics_text_test {
namespace {

PageSink AddTo(std::string* page) {
  return [page](std::string_view piece) {
    *page += piece;
    return true;
  };
}

TEST(MetricsText, Families) {
  std::string page;
  MetricsText text(AddTo(&page));
  text.Begin("gemel_a_total", "What it is,\nin \\ two lines with \"quotes\"", FigureType::kCounter);
  text.Sample({}, uint64_t{18446744073709551615U});
  text.Sample(LabelsOf({{"pool", "p"}, {"shard", "a\"b\\c\nd"}}), uint64_t{0});
  text.Begin("gemel_b", "Another", FigureType::kGauge);
  text.Sample(LabelsOf({{"x", ""}}), 0.25);
  text.SampleText({}, "12.5");
  text.Finish();
  EXPECT_EQ(page,
            "# HELP gemel_a_total What it is,\\nin \\\\ two lines with \"quotes\"\n"
            "# TYPE gemel_a_total counter\n"
            "gemel_a_total 18446744073709551615\n"
            "gemel_a_total{pool=\"p\",shard=\"a\\\"b\\\\c\\nd\"} 0\n"
            "# HELP gemel_b Another\n"
            "# TYPE gemel_b gauge\n"
            "gemel_b{x=\"\"} 0.25\n"
            "gemel_b 12.5\n");
}

TEST(MetricsText, Histograms) {
  LatencyBuckets buckets;
  buckets.Add(64);
  buckets.Add(65, 2);
  buckets.Add(60'000'000);
  std::string page;
  MetricsText text(AddTo(&page));
  text.Begin("d_seconds", "How long", "histogram");
  text.Histogram(LabelsOf({{"n", "1"}}), buckets);
  text.Finish();
  EXPECT_NE(page.find("d_seconds_bucket{n=\"1\",le=\"0.000064\"} 1\n"
                      "d_seconds_bucket{n=\"1\",le=\"0.000128\"} 3\n"),
            std::string::npos)
      << page;
  EXPECT_NE(page.find("d_seconds_bucket{n=\"1\",le=\"4.194304\"} 3\n"
                      "d_seconds_bucket{n=\"1\",le=\"+Inf\"} 4\n"
                      "d_seconds_sum{n=\"1\"} 60.000194\n"
                      "d_seconds_count{n=\"1\"} 4\n"),
            std::string::npos)
      << page;
}

TEST(MetricsText, PlacesOfTimes) {
  EXPECT_EQ(LatencyBuckets::PlaceOf(0), 0U);
  for (size_t i = 0; i < LatencyBuckets::kBounds; ++i) {
    const uint64_t bound = LatencyBuckets::BoundUs(i);
    EXPECT_EQ(LatencyBuckets::PlaceOf(bound), i);
    EXPECT_EQ(LatencyBuckets::PlaceOf(bound + 1), i + 1);
  }
  EXPECT_EQ(LatencyBuckets::PlaceOf(~uint64_t{0}), LatencyBuckets::kBounds);
  LatencyBuckets sum;
  LatencyBuckets one;
  one.Add(100, 3);
  sum.Add(one);
  sum.Add(one);
  EXPECT_EQ(sum.total(), 6U);
  EXPECT_EQ(sum.sum_us(), 600U);
}

TEST(MetricName, FollowsTheConventions) {
  const struct {
    const char* figure;
    FigureType type;
    const char* name;
    double unit;
  } kCases[] = {
      {"reads", FigureType::kCounter, "g_reads_total", 1},
      {"total_net_input_bytes", FigureType::kCounter, "g_net_input_bytes_total", 1},
      {"clients_total", FigureType::kCounter, "g_clients_total", 1},
      {"connected_clients", FigureType::kGauge, "g_connected_clients", 1},
      {"longest_turn_ms", FigureType::kGauge, "g_longest_turn_seconds", 1e-3},
      {"spent_us", FigureType::kCounter, "g_spent_seconds_total", 1e-6},
      {"instantaneous_ops_per_sec", FigureType::kGauge, "", 1},
  };
  for (const auto& one : kCases) {
    const MetricName name = MetricNameOf("g_", one.figure, one.type);
    EXPECT_EQ(name.name, one.name);
    EXPECT_EQ(name.unit, one.unit) << one.figure;
  }
}

}  // namespace
}  // namespace gemel::metrics_text_test
