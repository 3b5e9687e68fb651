// Two nodes compared wholly.

#ifndef GEMEL_TESTS_E2E_WHOLE_H_
#define GEMEL_TESTS_E2E_WHOLE_H_

#include <string>

#include "tests/e2e/redis_node.h"

namespace gemel::e2e {

// How their keys, types, values and who has a TTL differ, with examples; empty: in nothing.
std::string Differences(const RedisNode& first, const RedisNode& second);

// Waits until they do not differ; what Differences last said. Writing must have stopped.
std::string DifferencesInTheEnd(const RedisNode& first, const RedisNode& second);

}  // namespace gemel::e2e

#endif  // GEMEL_TESTS_E2E_WHOLE_H_
