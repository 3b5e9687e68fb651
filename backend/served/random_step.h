// A number that looks like chance, for what is not to happen at the same time everywhere.

#ifndef GEMEL_BACKEND_SERVED_RANDOM_STEP_H_
#define GEMEL_BACKEND_SERVED_RANDOM_STEP_H_

#include <cstdint>

namespace gemel {

// Takes *state one step on and returns it. The upper bits are the better ones. No secret.
inline uint32_t NextRandom(uint32_t* state) { return *state = *state * 1664525u + 1013904223u; }

}  // namespace gemel

#endif  // GEMEL_BACKEND_SERVED_RANDOM_STEP_H_
