// A key's name for people: quoted, on one line, and not long.

#ifndef GEMEL_BACKEND_EVENTS_PRINTABLE_KEY_H_
#define GEMEL_BACKEND_EVENTS_PRINTABLE_KEY_H_

#include <cstdio>
#include <string>
#include <string_view>

namespace gemel {

inline std::string PrintableKey(std::string_view key) {
  constexpr size_t kMost = 64;
  std::string text = "\"";
  for (char c : key.substr(0, kMost)) {
    if (c == '"' || c == '\\') {
      text += '\\';
      text += c;
    } else if (c >= 0x20 && c < 0x7f) {
      text += c;
    } else {
      char hex[8];
      std::snprintf(hex, sizeof(hex), "\\x%02x", static_cast<unsigned char>(c));
      text += hex;
    }
  }
  text += '"';
  if (key.size() > kMost) text += "... (" + std::to_string(key.size()) + " bytes)";
  return text;
}

}  // namespace gemel

#endif  // GEMEL_BACKEND_EVENTS_PRINTABLE_KEY_H_
