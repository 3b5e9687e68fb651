// Small text helpers of the config reader: quoting, sizes with units, near misses. Private to
// config.

#ifndef GEMEL_CONFIG_CONFIG_TEXT_H_
#define GEMEL_CONFIG_CONFIG_TEXT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gemel {

// The text in quotes, for a message of one line: what a terminal might take for more than text is
// escaped, and a long text is cut.
std::string Quote(std::string_view text);

// The text on one line: control characters are escaped as in Quote.
std::string OneLine(std::string_view text);

// ASCII's letters alone.
std::string LowerCase(std::string_view text);

bool IsControl(char c);
bool HasControl(std::string_view text);

// 1 to kMaxConfigName of a-z, 0-9, the punctuation and, if `upper`, A-Z.
constexpr size_t kMaxConfigName = 64;
bool IsName(std::string_view text, std::string_view punctuation, bool upper);

// A size in Redis's units, in any case: "100", "100b", "1k" = 1000, "1kb" = 1024, m, mb, g, gb.
// Nothing if it is none or does not fit.
std::optional<uint64_t> ParseSize(std::string_view text);

// The shortest text that ParseSize reads as `bytes`: "64mb", "1000".
std::string FormatSize(uint64_t bytes);

// The candidate that `word` is most likely a misspelling of; empty if none is near.
std::string_view Nearest(std::string_view word, const std::vector<std::string>& candidates);

// "a, b, c".
std::string Join(const std::vector<std::string>& words);

}  // namespace gemel

#endif  // GEMEL_CONFIG_CONFIG_TEXT_H_
