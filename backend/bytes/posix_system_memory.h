// How memory is had from the system, and given back to it.

#ifndef GEMEL_BACKEND_BYTES_POSIX_SYSTEM_MEMORY_H_
#define GEMEL_BACKEND_BYTES_POSIX_SYSTEM_MEMORY_H_

#include <cstdint>

namespace gemel {

// Once, before threads are made: large buffers come from the system one by one and go back to it
// when they are freed; `threads` of them will allocate much. An allocation that fails is tried once
// more with what was put aside (Budget::KeepReserve).
void PrepareMemory(uint32_t threads);

// Gives back what the C library keeps of freed memory.
void ReturnFreeMemory();

// How much more the process may have, by its limit on address space (ulimit -v); the largest number
// if there is none.
uint64_t AddressSpaceLeft();

}  // namespace gemel

#endif  // GEMEL_BACKEND_BYTES_POSIX_SYSTEM_MEMORY_H_
