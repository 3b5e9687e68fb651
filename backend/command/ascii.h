// Letters' case, without the locale.

#ifndef GEMEL_BACKEND_COMMAND_ASCII_H_
#define GEMEL_BACKEND_COMMAND_ASCII_H_

#include <string>
#include <string_view>

namespace gemel {

constexpr char AsciiLower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
constexpr char AsciiUpper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; }

// Is `text` equal to `lower`, which is in lower case, whatever the case of `text`?
constexpr bool EqualsLower(std::string_view text, std::string_view lower) {
  if (text.size() != lower.size()) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (AsciiLower(text[i]) != lower[i]) return false;
  }
  return true;
}

inline std::string InLowerCase(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = AsciiLower(c);
  return lower;
}

}  // namespace gemel

#endif  // GEMEL_BACKEND_COMMAND_ASCII_H_
