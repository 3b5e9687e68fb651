// The clock that leases are measured by: it runs while the machine sleeps and is never set.

#ifndef GEMEL_BACKEND_UV_UV_BOOT_CLOCK_H_
#define GEMEL_BACKEND_UV_UV_BOOT_CLOCK_H_

#include <cstdint>
#include <ctime>

namespace gemel {

// Milliseconds of CLOCK_BOOTTIME (clock_gettime(2)). Any thread.
inline uint64_t BootMs() {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1000 + static_cast<uint64_t>(now.tv_nsec) / 1000000;
}

}  // namespace gemel

#endif  // GEMEL_BACKEND_UV_UV_BOOT_CLOCK_H_
