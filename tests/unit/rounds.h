// How many rounds a test of random ones makes.

#ifndef GEMEL_TESTS_UNIT_ROUNDS_H_
#define GEMEL_TESTS_UNIT_ROUNDS_H_

#include <cstdint>

#include "tests/setting.h"

namespace gemel {

// GEMEL_ROUNDS times as many as usual, for a night's run.
inline uint64_t Rounds(uint64_t usual) {
  return usual * Setting("GEMEL_ROUNDS", 1);
}

}  // namespace gemel

#endif  // GEMEL_TESTS_UNIT_ROUNDS_H_
