// Counts up a register again and again, as one of several.

#ifndef GEMEL_TESTS_IO_REGISTER_COUNTER_H_
#define GEMEL_TESTS_IO_REGISTER_COUNTER_H_

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "backend/fleet/registers.h"

namespace gemel {

// Each adds one to a number in a register, over and over.
class RegisterCounter {
 public:
  RegisterCounter(std::unique_ptr<Registers> view, const bool* go)
      : view_(std::move(view)), go_(go) {}

  void Turn() {
    if (!*go_) {
      idle_ = true;
      return;
    }
    view_->Read("n", [this](RegisterOutcome outcome, const RegisterValue& value) {
      if (outcome != RegisterOutcome::kDone) {
        Turn();
        return;
      }
      const int number = value.text.empty() ? 0 : std::stoi(value.text);
      view_->Write("n", value.version, std::to_string(number + 1),
                   [this](RegisterOutcome written, uint64_t) {
                     done_ += written == RegisterOutcome::kDone;
                     unknown_ += written == RegisterOutcome::kUnknown;
                     Turn();
                   });
    });
  }
  uint64_t done() const { return done_; }
  uint64_t unknown() const { return unknown_; }
  bool idle() const { return idle_; }

 private:
  const std::unique_ptr<Registers> view_;
  const bool* const go_;
  uint64_t done_ = 0;
  uint64_t unknown_ = 0;
  bool idle_ = false;
};

// Several of them, until they are told to stop.
class RegisterCounters {
 public:
  void Add(std::unique_ptr<Registers> view) {
    counters_.push_back(std::make_unique<RegisterCounter>(std::move(view), &go_));
    counters_.back()->Turn();
  }
  // What is under way comes to its end.
  void Stop() { go_ = false; }
  bool idle() const {
    return std::all_of(counters_.begin(), counters_.end(),
                       [](const auto& counter) { return counter->idle(); });
  }
  // Of all.
  uint64_t done() const { return Sum(&RegisterCounter::done); }
  uint64_t unknown() const { return Sum(&RegisterCounter::unknown); }

 private:
  uint64_t Sum(uint64_t (RegisterCounter::*of)() const) const {
    uint64_t sum = 0;
    for (const auto& counter : counters_) sum += (*counter.*of)();
    return sum;
  }

  bool go_ = true;
  std::vector<std::unique_ptr<RegisterCounter>> counters_;
};

}  // namespace gemel

#endif  // GEMEL_TESTS_IO_REGISTER_COUNTER_H_
