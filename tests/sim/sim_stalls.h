// How long a client may wait for a reply while there is one fault, in virtual time.

#ifndef GEMEL_TESTS_SIM_SIM_STALLS_H_
#define GEMEL_TESTS_SIM_SIM_STALLS_H_

#include <cstdint>
#include <map>
#include <string>

#include "tests/sim/sim_file.h"
#include "tests/sim/sim_history.h"
#include "tests/sim/sim_scene.h"

namespace gemel::sim {

enum class FaultKind : uint8_t {
  kNoticed,  // at once
  kSilent,   // by a timeout
  kReset,    // a connection was lost, and the node lives
};

// The longest waits while there was one kind of fault.
struct Stall {
  uint64_t write_us = 0;
  uint64_t read_us = 0;
  uint64_t hedged_us = 0;  // of the reads, those that hedging is there for
};

class Stalls {
 public:
  Stalls(Scene* scene, const ConfigFile* file) : scene_(scene), file_(file) {}

  // There is one fault at a time, so that it is known what it may cost.
  bool known() const { return scene_->plan.mode == Mode::kOneFault && scene_->disk.crash_at == 0; }
  // Another one begins: nobody says what it may cost, but one of these.
  void Forget() { bound_ = {}; }
  void Expect(const char* fault, FaultKind kind);
  void ExpectPeace(const std::string& what, uint64_t while_us);

  // Once it is answered.
  void Check(const SimOp& op);
  const std::map<std::string, Stall>& longest() const { return longest_; }

 private:
  // What the one fault under way may cost; "": nobody says.
  struct Bound {
    std::string fault;
    uint64_t write_us = 0;
    uint64_t read_us = 0;
    uint64_t hedged_us = 0;  // of reads with no write of their session behind them; 0: as others
  };

  Scene* scene_;
  const ConfigFile* file_;
  Bound bound_;
  std::map<std::string, Stall> longest_;
};

}  // namespace gemel::sim

#endif  // GEMEL_TESTS_SIM_SIM_STALLS_H_
