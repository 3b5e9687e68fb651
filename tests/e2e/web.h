// The HTTP listener of a gemel, as curl and Prometheus see it.

#ifndef GEMEL_TESTS_E2E_WEB_H_
#define GEMEL_TESTS_E2E_WEB_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "tests/e2e/cluster.h"
#include "tests/e2e/free_port.h"

namespace gemel::e2e {

struct WebAnswer {
  int status = 0;  // 0: nobody answered
  std::string head;
  std::string body;
};
// By curl, with further arguments of it.
WebAnswer WebGet(uint16_t port, const std::string& path, const Words& curl = {},
                 const std::string& host = "127.0.0.1");

// A page of metrics.
class Scrape {
 public:
  explicit Scrape(std::string text);
  const std::string& text() const { return text_; }
  // Of all samples of that name that have the label.
  double Sum(const std::string& name, const std::string& label) const;
  // A sample is of it, or would be if there were any.
  bool HasFamily(const std::string& name) const { return families_.contains(name); }

 private:
  std::string text_;
  std::multimap<std::string, std::pair<std::string, double>> samples_;  // labels and value
  std::set<std::string> families_;  // of histograms also what their samples are called
};

// All words there that begin as gemel's metrics do.
std::set<std::string> MetricsNamedIn(const std::string& text);
std::string Replaced(std::string text, const std::string& what, const std::string& by);
// Of the project.
std::string SourceFolder();

// A cluster that somebody looks at.
class Looked {
 public:
  explicit Looked(ClusterOptions options = {}, const std::string& lines = "",
                  const std::string& host = "127.0.0.1");
  Cluster& cluster() { return cluster_; }
  uint16_t port() const { return port_.number(); }
  WebAnswer Get(const std::string& path, const Words& curl = {}) const {
    return WebGet(port(), path, curl, host_);
  }
  // Adds a test failure if there are none.
  Scrape Metrics() const;

 private:
  const std::string host_;
  FreePort port_;
  Cluster cluster_;
};

}  // namespace gemel::e2e

#endif  // GEMEL_TESTS_E2E_WEB_H_
