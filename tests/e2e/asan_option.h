// Options of AddressSanitizer for the programs that a test starts.

#ifndef GEMEL_TESTS_E2E_ASAN_OPTION_H_
#define GEMEL_TESTS_E2E_ASAN_OPTION_H_

#include <cstdlib>
#include <string>

namespace gemel::e2e {

// Adds `option` (name=value) to those in the environment. To be made before the programs.
struct AsanOption {
  explicit AsanOption(const std::string& option) {
    const char* before = std::getenv("ASAN_OPTIONS");
    const std::string options = before == nullptr ? "" : std::string(before) + ":";
    ::setenv("ASAN_OPTIONS", (options + option).c_str(), 1);
  }
};

}  // namespace gemel::e2e

#endif  // GEMEL_TESTS_E2E_ASAN_OPTION_H_
