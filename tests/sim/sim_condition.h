// What is wrong with a simulated node at the moment.

#ifndef GEMEL_TESTS_SIM_SIM_CONDITION_H_
#define GEMEL_TESTS_SIM_SIM_CONDITION_H_

#include <cstdint>
#include <string>
#include <utility>

#include "tests/sim/sim_key_commands.h"
#include "tests/sim/sim_loop.h"

namespace gemel::sim {

class Condition {
 public:
  explicit Condition(const Loop* loop) : loop_(loop) {}

  void Die() {
    alive_ = hung_ = false;
    refusal_.clear();
    loading_until_us_ = 0;
  }
  void Live() { alive_ = true; }
  bool alive() const { return alive_; }

  void Hang() { hung_ = alive_; }
  void Wake() { hung_ = false; }
  bool hung() const { return hung_; }

  // Nothing comes through, in both ways.
  void set_cut_off(bool cut_off) { cut_off_ = cut_off; }
  bool cut_off() const { return cut_off_; }

  // Of connections.
  void set_refusing(bool refusing) { refusing_ = refusing; }
  bool refusing() const { return refusing_; }

  // The error that writes are answered with; "": none.
  void set_refusal(std::string error) { refusal_ = std::move(error); }
  const std::string& refusal() const { return refusal_; }
  bool Refuses(const std::string& command) const {
    if (refusal_.empty()) return false;
    if (refusal_.starts_with("-BUSY")) return command != "AUTH";
    const bool frees = command == "DEL" || command == "UNLINK" || command == "FLUSHDB";
    return KeyCommands::IsWrite(command) && !(frees && refusal_.starts_with("-OOM"));
  }

  // Whatever comes or goes takes so much longer.
  void set_extra_us(uint64_t extra_us) { extra_us_ = extra_us; }
  uint64_t extra_us() const { return extra_us_; }

  void Load(uint64_t for_us) { loading_until_us_ = loop_->now_us() + for_us; }
  bool Loading() const { return loop_->now_us() < loading_until_us_; }

  bool Answers() const { return alive_ && !hung_ && !cut_off_ && !refusing_ && !Loading(); }
  bool healthy() const { return Answers() && refusal_.empty(); }

 private:
  const Loop* loop_;
  bool alive_ = true;
  bool hung_ = false;
  bool cut_off_ = false;
  bool refusing_ = false;
  std::string refusal_;
  uint64_t extra_us_ = 0;
  uint64_t loading_until_us_ = 0;
};

}  // namespace gemel::sim

#endif  // GEMEL_TESTS_SIM_SIM_CONDITION_H_
