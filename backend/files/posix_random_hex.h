// What nobody can guess, as text.

#ifndef GEMEL_BACKEND_FILES_POSIX_RANDOM_HEX_H_
#define GEMEL_BACKEND_FILES_POSIX_RANDOM_HEX_H_

#include <cstddef>
#include <string>

namespace gemel {

// So many hex digits of the system's randomness. Any thread.
std::string RandomHex(size_t digits);

}  // namespace gemel

#endif  // GEMEL_BACKEND_FILES_POSIX_RANDOM_HEX_H_
