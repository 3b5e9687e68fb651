// What was found wrong in a run, and its trace.

#ifndef GEMEL_TESTS_SIM_SIM_FINDINGS_H_
#define GEMEL_TESTS_SIM_SIM_FINDINGS_H_

#include <cstdio>
#include <string>
#include <vector>

#include "tests/sim/sim_loop.h"

namespace gemel::sim {

class Findings {
 public:
  Findings(Loop* loop, bool trace) : loop_(loop), trace_(trace) {}

  // Ends the run.
  void Problem(const std::string& text) {
    if (problems_.size() >= 3) return;  // the rest follows from these
    Trace("PROBLEM: " + text);
    problems_.push_back(text);
    loop_->Stop();
  }
  void Trace(const std::string& text) const {
    if (trace_) std::printf("%9.3f ms  %s\n", loop_->now_us() / 1000.0, text.c_str());
  }
  bool trace() const { return trace_; }
  const std::vector<std::string>& problems() const { return problems_; }

 private:
  Loop* loop_;
  const bool trace_;
  std::vector<std::string> problems_;
};

}  // namespace gemel::sim

#endif  // GEMEL_TESTS_SIM_SIM_FINDINGS_H_
