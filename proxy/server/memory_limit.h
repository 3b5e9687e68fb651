// How much clients and nodes may make the process hold.

#ifndef GEMEL_PROXY_SERVER_MEMORY_LIMIT_H_
#define GEMEL_PROXY_SERVER_MEMORY_LIMIT_H_

#include <cstdint>
#include <string>

namespace gemel {

// [limits] buffered, or less if the process may not have so much address space: *warning says so
// then, and is empty else. `held` is what they hold now.
uint64_t BufferedLimit(uint64_t buffered, uint64_t space_left, uint64_t held, std::string* warning);

}  // namespace gemel

#endif  // GEMEL_PROXY_SERVER_MEMORY_LIMIT_H_
