#include "config/config_text.h"

#include <algorithm>
#include <charconv>
#include <numeric>

namespace gemel {

namespace {

constexpr size_t kMaxQuoted = 64;
constexpr size_t kMaxWord = 32;  // the longest name that is looked for; bounds EditDistance

struct Unit {
  std::string_view name;
  uint64_t bytes;
};
constexpr Unit kUnits[] = {
    {"gb", 1ull << 30},    {"mb", 1ull << 20}, {"kb", 1ull << 10}, {"g", 1000ull * 1000 * 1000},
    {"m", 1000ull * 1000}, {"k", 1000},        {"b", 1},           {"", 1}};

void AppendEscaped(char c, std::string* out) {
  constexpr char kHex[] = "0123456789abcdef";
  unsigned char byte = static_cast<unsigned char>(c);
  if (byte < 0x20 || byte == 0x7f) {
    *out += "\\x";
    *out += kHex[byte >> 4];
    *out += kHex[byte & 15];
  } else {
    *out += c;
  }
}

// Levenshtein's distance, where swapping two neighbours counts as one.
size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> before(b.size() + 1);
  std::vector<size_t> last(b.size() + 1);
  std::vector<size_t> row(b.size() + 1);
  std::iota(last.begin(), last.end(), 0);
  for (size_t i = 1; i <= a.size(); i++) {
    row[0] = i;
    for (size_t j = 1; j <= b.size(); j++) {
      bool same = a[i - 1] == b[j - 1];
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (same ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
    before.swap(last);
    last.swap(row);
  }
  return last[b.size()];
}

}  // namespace

std::string OneLine(std::string_view text) {
  std::string line;
  for (char c : text) AppendEscaped(c, &line);
  return line;
}

std::string Quote(std::string_view text) {
  bool cut = text.size() > kMaxQuoted;
  if (cut) {
    size_t end = kMaxQuoted;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) end--;
    text = text.substr(0, end);  // not within a UTF-8 character
  }
  std::string quoted = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    AppendEscaped(c, &quoted);
  }
  return quoted + (cut ? "...\"" : "\"");
}

std::string LowerCase(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

bool IsControl(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

bool HasControl(std::string_view text) { return std::any_of(text.begin(), text.end(), IsControl); }

bool IsName(std::string_view text, std::string_view punctuation, bool upper) {
  auto allowed = [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (upper && c >= 'A' && c <= 'Z') ||
           punctuation.find(c) != std::string_view::npos;
  };
  return !text.empty() && text.size() <= kMaxConfigName &&
         std::all_of(text.begin(), text.end(), allowed);
}

std::optional<uint64_t> ParseSize(std::string_view text) {
  uint64_t count = 0;
  const char* end = text.data() + text.size();
  auto [rest, code] = std::from_chars(text.data(), end, count);
  if (code != std::errc()) return std::nullopt;
  std::string unit(rest, end);
  for (char& c : unit) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  for (const Unit& known : kUnits) {
    if (unit != known.name) continue;
    uint64_t bytes = 0;
    if (__builtin_mul_overflow(count, known.bytes, &bytes)) return std::nullopt;
    return bytes;
  }
  return std::nullopt;
}

std::string FormatSize(uint64_t bytes) {
  for (std::string_view name : {"gb", "mb", "kb"}) {
    for (const Unit& unit : kUnits) {
      if (unit.name != name || bytes == 0 || bytes % unit.bytes != 0) continue;
      return std::to_string(bytes / unit.bytes) + std::string(name);
    }
  }
  return std::to_string(bytes);
}

std::string_view Nearest(std::string_view word, const std::vector<std::string>& candidates) {
  if (word.size() > kMaxWord) return {};
  std::string_view nearest;
  size_t least = 1 + std::min<size_t>(2, word.size() / 2);
  for (const std::string& candidate : candidates) {
    size_t distance = EditDistance(word, candidate);
    if (distance >= least) continue;
    least = distance;
    nearest = candidate;
  }
  return nearest;
}

std::string Join(const std::vector<std::string>& words) {
  std::string all;
  for (const std::string& word : words) {
    if (!all.empty()) all += ", ";
    all += word;
  }
  return all;
}

}  // namespace gemel
