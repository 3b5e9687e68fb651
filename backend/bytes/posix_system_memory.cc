#include "backend/bytes/posix_system_memory.h"

#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <new>

#include "backend/bytes/budget.h"

namespace gemel {

namespace {

// From here on a buffer has pages of its own: it grows without being copied, and leaves no hole.
constexpr int kOwnPages = 256 * 1024;

void OnNoMemory() {
  if (!Budget::SpendReserve()) throw std::bad_alloc();
}

// Of address space, in use now.
uint64_t AddressSpaceUsed() {
  unsigned long pages = 0;
  std::FILE* file = std::fopen("/proc/self/statm", "re");
  if (file == nullptr) return 0;
  const int read = std::fscanf(file, "%lu", &pages);
  std::fclose(file);
  return read == 1 ? uint64_t{pages} * static_cast<uint64_t>(sysconf(_SC_PAGESIZE)) : 0;
}

}  // namespace

void PrepareMemory(uint32_t threads) {
#ifdef __GLIBC__
  mallopt(M_MMAP_THRESHOLD, kOwnPages);
  mallopt(M_TRIM_THRESHOLD, 1024 * 1024);
  mallopt(M_ARENA_MAX, static_cast<int>(std::clamp(threads, 1u, 64u)));
#else
  (void)threads;
#endif
  std::set_new_handler(OnNoMemory);
  Budget::KeepReserve();
}

void ReturnFreeMemory() {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

uint64_t AddressSpaceLeft() {
  rlimit limit{};
  if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return ~uint64_t{0};
  const uint64_t used = AddressSpaceUsed();
  return limit.rlim_cur > used ? limit.rlim_cur - used : 0;
}

}  // namespace gemel
