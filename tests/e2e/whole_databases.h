// Two nodes compared wholly, database by database, with what DEBUG DIGEST leaves out.

#ifndef GEMEL_TESTS_E2E_WHOLE_DATABASES_H_
#define GEMEL_TESTS_E2E_WHOLE_DATABASES_H_

#include <string>

#include "tests/e2e/redis_node.h"

namespace gemel::e2e {

// What of the groups of streams is compared.
enum class Groups {
  kWholly,
  // known: to its replicas Redis 7.0 does not tell of a consumer who read nothing new, nor that
  // what is pending was read again, nor rightly how many entries a group has read. A copy that is
  // resynced by REPLICAOF lacks what clients did of this kind meanwhile.
  kAsReplicated,
};

// How the keys of the first `databases` differ in type, value, who has a TTL, and the groups of
// streams; empty: in nothing. With examples.
std::string DatabasesDiffer(const RedisNode& first, const RedisNode& second, int databases,
                            Groups groups = Groups::kWholly);

// Whether a key of theirs expires within a minute.
bool ExpiresSoon(const RedisNode& node, int databases);

}  // namespace gemel::e2e

#endif  // GEMEL_TESTS_E2E_WHOLE_DATABASES_H_
