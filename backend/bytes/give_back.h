// Scratch memory is kept for the next turn, unless a rare one made it large.

#ifndef GEMEL_BACKEND_BYTES_GIVE_BACK_H_
#define GEMEL_BACKEND_BYTES_GIVE_BACK_H_

#include <cstddef>

namespace gemel {

// Frees the memory of a vector or string that is not in use now, if it is more than a little.
template <typename Container>
void GiveBack(Container* scratch) {
  constexpr size_t kKeepBytes = 64 * 1024;
  if (scratch->capacity() * sizeof(*scratch->data()) <= kKeepBytes) return;
  Container().swap(*scratch);
}

}  // namespace gemel

#endif  // GEMEL_BACKEND_BYTES_GIVE_BACK_H_
