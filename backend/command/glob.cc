#include "backend/command/glob.h"

#include <algorithm>

#include "backend/command/ascii.h"

namespace gemel {

namespace {

char FoldCase(char c) { return AsciiLower(c); }
char KeepCase(char c) { return c; }

// Does a character fit the class that begins behind its '['? *at is left behind the ']'.
template <char (*Fold)(char)>
bool InClass(std::string_view pattern, size_t* at, char c) {
  size_t i = *at;
  const bool negated = i < pattern.size() && pattern[i] == '^';
  if (negated) ++i;
  bool found = false;
  for (; i < pattern.size() && pattern[i] != ']'; ++i) {
    if (pattern[i] == '\\' && i + 1 < pattern.size()) {
      ++i;
      found |= Fold(pattern[i]) == c;
    } else if (i + 2 < pattern.size() && pattern[i + 1] == '-') {
      const auto [low, high] = std::minmax(pattern[i], pattern[i + 2]);
      found |= Fold(low) <= c && c <= Fold(high);
      i += 2;
    } else {
      found |= Fold(pattern[i]) == c;
    }
  }
  *at = i < pattern.size() ? i + 1 : i;
  return found != negated;
}

template <char (*Fold)(char)>
bool MatchesGlob(std::string_view pattern, std::string_view text) {
  // The usual two-pointer walk: on a mismatch only the last '*' takes one character more, so that
  // the work is bounded by the product of the lengths.
  size_t p = 0;
  size_t t = 0;
  size_t star = std::string_view::npos;
  size_t star_text = 0;
  while (t < text.size()) {
    const char c = Fold(text[t]);
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
          fits = InClass<Fold>(pattern, &next, c);
          break;
        case '\\':
          if (p + 1 < pattern.size()) {
            fits = Fold(pattern[p + 1]) == c;
            next = p + 2;
            break;
          }
          [[fallthrough]];
        default:
          fits = Fold(pattern[p]) == c;
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

}  // namespace

bool GlobMatches(std::string_view pattern, std::string_view text) {
  return MatchesGlob<FoldCase>(pattern, text);
}

bool GlobMatchesExactly(std::string_view pattern, std::string_view text) {
  return MatchesGlob<KeepCase>(pattern, text);
}

}  // namespace gemel
