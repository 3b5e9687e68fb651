// Whether what clients were told of one key can be true: is there an order of the operations, each
// at a moment between its call and its return, in which one register would have answered so?
//
// After Wing and Gong, with Lowe's memory of what was tried.

#ifndef GEMEL_TESTS_FLEET_SIM_LINEARIZABLE_H_
#define GEMEL_TESTS_FLEET_SIM_LINEARIZABLE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace gemel::fleet_sim {

struct Op {
  enum class Kind : uint8_t { kGet, kSet, kIncr, kDel };
  enum class Outcome : uint8_t {
    kPending,
    kOk,
    kNotDone,  // the client was told that it was not carried out
    kUnknown,  // it may be at any later time, or never
  };

  size_t number = 0;
  uint32_t client = 0;
  Kind kind = Kind::kGet;
  std::string key;
  int64_t value = 0;               // of a SET
  std::optional<int64_t> told;     // by a GET (nothing: no such key), INCR or DEL
  uint64_t called = 0;             // moments: of all calls and returns no two are the same
  uint64_t returned = UINT64_MAX;  // of one that is not kOk: never
  Outcome outcome = Outcome::kPending;
  // For people.
  uint64_t called_us = 0;
  uint64_t returned_us = 0;
  uint64_t over_us = 0;  // until when it was under way, though its client had given it up
  std::string by;        // the member that was asked
  std::string reply;     // as it came
};

enum class Verdict : uint8_t { kYes, kNo, kTooMany };

// `ops`: of one key, in any order. kTooMany: so many steps did not tell.
Verdict IsLinearizable(const std::vector<const Op*>& ops, size_t most_steps = 500'000);

// Without the reads that may have seen a write under way of which it was never known what became:
// a second fault may undo it (see tests/sim/README.md).
std::vector<const Op*> WithoutReadsOfWhatIsUnknown(const std::vector<const Op*>& ops);

// One line each, in the order of their calls.
std::string Describe(const std::vector<const Op*>& ops);

}  // namespace gemel::fleet_sim

#endif  // GEMEL_TESTS_FLEET_SIM_LINEARIZABLE_H_
