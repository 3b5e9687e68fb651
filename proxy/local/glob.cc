#include "proxy/local/glob.h"

#include <algorithm>

#include "backend/command/ascii.h"

namespace gemel {

namespace {

// Does a character fit the class that begins behind its '['? *at is left behind the ']'.
bool InClass(std::string_view pattern, size_t* at, char c) {
  size_t i = *at;
  const bool negated = i < pattern.size() && pattern[i] == '^';
  if (negated) ++i;
  bool found = false;
  for (; i < pattern.size() && pattern[i] != ']'; ++i) {
    if (pattern[i] == '\\' && i + 1 < pattern.size()) {
      ++i;
      found |= AsciiLower(pattern[i]) == c;
    } else if (i + 2 < pattern.size() && pattern[i + 1] == '-') {
      const auto [low, high] = std::minmax(pattern[i], pattern[i + 2]);
      found |= AsciiLower(low) <= c && c <= AsciiLower(high);
      i += 2;
    } else {
      found |= AsciiLower(pattern[i]) == c;
    }
  }
  *at = i < pattern.size() ? i + 1 : i;
  return found != negated;
}

}  // namespace

bool GlobMatches(std::string_view pattern, std::string_view text) {
  // The usual two-pointer walk: on a mismatch only the last '*' takes one character more, so that
  // the work is bounded by the product of the lengths.
  size_t p = 0;
  size_t t = 0;
  size_t star = std::string_view::npos;
  size_t star_text = 0;
  while (t < text.size()) {
    const char c = AsciiLower(text[t]);
    size_t next = p;
    bool fits = false;
    if (p < pattern.size()) {
      switch (pattern[p]) {
        case '*':
          star = p++;
          star_text = t;
          continue;
        case '?':
          fits = true;
          next = p + 1;
          break;
        case '[':
          next = p + 1;
          fits = InClass(pattern, &next, c);
          break;
        case '\\':
          if (p + 1 < pattern.size()) {
            fits = AsciiLower(pattern[p + 1]) == c;
            next = p + 2;
            break;
          }
          [[fallthrough]];
        default:
          fits = AsciiLower(pattern[p]) == c;
          next = p + 1;
      }
    }
    if (fits) {
      p = next;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++star_text;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace gemel
