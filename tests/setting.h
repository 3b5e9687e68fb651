// A number that whoever runs a test by hand sets in the environment.

#ifndef GEMEL_TESTS_SETTING_H_
#define GEMEL_TESTS_SETTING_H_

#include <cstdint>
#include <cstdlib>

namespace gemel {

inline uint64_t Setting(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

}  // namespace gemel

#endif  // GEMEL_TESTS_SETTING_H_
