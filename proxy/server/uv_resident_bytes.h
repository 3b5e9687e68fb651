// How much memory the process has.

#ifndef GEMEL_PROXY_SERVER_UV_RESIDENT_BYTES_H_
#define GEMEL_PROXY_SERVER_UV_RESIDENT_BYTES_H_

#include <uv.h>

#include <cstddef>
#include <cstdint>

namespace gemel {

// 0: not known. Any thread.
inline uint64_t ResidentBytes() {
  size_t bytes = 0;
  return uv_resident_set_memory(&bytes) == 0 ? bytes : 0;
}

}  // namespace gemel

#endif  // GEMEL_PROXY_SERVER_UV_RESIDENT_BYTES_H_
