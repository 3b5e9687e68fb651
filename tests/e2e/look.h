// What tests ask again and again of texts and files.

#ifndef GEMEL_TESTS_E2E_LOOK_H_
#define GEMEL_TESTS_E2E_LOOK_H_

#include <sys/stat.h>

#include <stdexcept>
#include <string>

namespace gemel::e2e {

inline bool Has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// Of the file itself, not of what a link leads to. Throws std::runtime_error if there is none.
inline struct stat Look(const std::string& path) {
  struct stat found {};
  if (::lstat(path.c_str(), &found) != 0) throw std::runtime_error("no " + path);
  return found;
}

}  // namespace gemel::e2e

#endif  // GEMEL_TESTS_E2E_LOOK_H_
