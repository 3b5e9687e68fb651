#include "backend/bytes/printable.h"

#include <cstddef>
#include <cstdint>

namespace gemel {

namespace {

// A character of UTF-8 and its bytes; 0 bytes: what is there is none (cut short, longer than need
// be, a surrogate, beyond U+10FFFF).
struct Character {
  uint32_t code = 0;
  size_t bytes = 0;
};

Character FirstOf(std::string_view text) {
  const auto byte = [text](size_t at) { return static_cast<unsigned char>(text[at]); };
  const unsigned first = byte(0);
  if (first < 0x80) return {first, 1};
  const size_t bytes = first >= 0xf0 ? 4 : (first >= 0xe0 ? 3 : 2);
  if (first < 0xc2 || first > 0xf4 || text.size() < bytes) return {};
  uint32_t code = first & (0xffu >> (bytes + 1));
  for (size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xc0u) != 0x80u) return {};
    code = code << 6 | (byte(i) & 0x3fu);
  }
  constexpr uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  if (code < kLeast[bytes] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return {};
  return {code, bytes};
}

bool Within(uint32_t code, uint32_t first, uint32_t last) { return code >= first && code <= last; }

bool IsShown(uint32_t code) {
  if (code < 0x20 || Within(code, 0x7f, 0x9f)) return false;
  if (code < 0x200) return code != 0xad;
  return !Within(code, 0x200b, 0x200f) &&  // of no width, marks of direction
         !Within(code, 0x2028, 0x202e) &&  // separators, embeddings and overrides of direction
         !Within(code, 0x2060, 0x206f) &&  // invisible ones, isolates
         code != 0x061c && code != 0xfeff && !Within(code, 0xfff9, 0xfffb) &&
         !Within(code, 0xe0000, 0xe0fff);  // tags
}

void AppendEscaped(char c, std::string* out) {
  constexpr char kHex[] = "0123456789abcdef";
  const auto byte = static_cast<unsigned char>(c);
  if (c == '\n') {
    *out += "\\n";
  } else if (c == '\r') {
    *out += "\\r";
  } else if (c == '\t') {
    *out += "\\t";
  } else {
    *out += "\\x";
    *out += kHex[byte >> 4];
    *out += kHex[byte & 15];
  }
}

}  // namespace

std::string Printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Character character = FirstOf(text);
    const size_t bytes = character.bytes == 0 ? 1 : character.bytes;
    if (character.bytes > 0 && IsShown(character.code)) {
      out += text.substr(0, bytes);
    } else {
      for (size_t i = 0; i < bytes; ++i) AppendEscaped(text[i], &out);
    }
    text.remove_prefix(bytes);
  }
  return out;
}

}  // namespace gemel
