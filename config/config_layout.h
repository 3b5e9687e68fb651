// Where things stand in the text of a config file, for those who change it. Private to config.

#ifndef GEMEL_CONFIG_CONFIG_LAYOUT_H_
#define GEMEL_CONFIG_CONFIG_LAYOUT_H_

#include <toml++/toml.h>

#include <algorithm>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/config_scan.h"
#include "config/config_text.h"

namespace gemel {

inline constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

// Nothing, and *error, if it is no TOML.
inline std::optional<toml::table> ParseToml(std::string_view text, std::string* error) {
  if (const std::optional<Unsafe> unsafe = FindUnsafe(text)) {
    *error = unsafe->message;
    return std::nullopt;
  }
  try {
    return toml::parse(text);
  } catch (const std::exception& bad) {
    *error = "not TOML: " + OneLine(bad.what());
    return std::nullopt;
  }
}

inline bool IsBlank(char c) { return c == ' ' || c == '\t'; }

// From toml++'s places, which count lines and characters, to bytes of the text.
class Layout {
 public:
  explicit Layout(std::string_view text) : text_(text) {
    lines_.push_back(text.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0);
    for (size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '\n') lines_.push_back(i + 1);
    }
    const size_t first = text.find('\n');
    line_end_ =
        first != std::string_view::npos && first > 0 && text[first - 1] == '\r' ? "\r\n" : "\n";
  }

  size_t Offset(toml::source_position place) const {
    size_t at = lines_[std::min<size_t>(place.line == 0 ? 0 : place.line - 1, lines_.size() - 1)];
    for (uint32_t column = 1; column < place.column && at < text_.size(); ++column) {
      do {
        ++at;
      } while (at < text_.size() && (static_cast<unsigned char>(text_[at]) & 0xc0) == 0x80);
    }
    return at;
  }

  // Where the line of `at` begins, and where it ends, before its line end.
  size_t LineBegin(size_t at) const {
    return *(std::upper_bound(lines_.begin(), lines_.end(), std::max(at, lines_[0])) - 1);
  }
  size_t LineEnd(size_t at) const {
    size_t end = std::min(text_.find('\n', at), text_.size());
    if (end < text_.size() && end > at && text_[end - 1] == '\r') --end;
    return end;
  }

  // The white space that the line of `at` begins with.
  std::string_view Indent(size_t at) const {
    const size_t begin = LineBegin(at);
    size_t end = begin;
    while (end < text_.size() && IsBlank(text_[end])) ++end;
    return text_.substr(begin, end - begin);
  }

  // The end of the line of `at`, which is behind its value, with the lines below in which its
  // comment goes on.
  size_t EndWithComment(size_t at) const {
    size_t end = LineEnd(at);
    if (text_.substr(at, end - at).find('#') == std::string_view::npos) return end;
    const size_t indent = Indent(at).size();
    while (true) {
      const size_t line_break = text_.find('\n', end);
      if (line_break == std::string_view::npos) return end;
      const size_t next = line_break + 1;
      const size_t deep = Indent(next).size();
      if (deep <= indent || next + deep >= text_.size() || text_[next + deep] != '#') return end;
      end = LineEnd(next + deep);
    }
  }

  const std::string& line_end() const { return line_end_; }

 private:
  std::string_view text_;
  std::vector<size_t> lines_;
  std::string line_end_;
};

// One change of the text: so many bytes at a place are replaced.
struct Splice {
  size_t at;
  size_t length;
  std::string text;
};

}  // namespace gemel

#endif  // GEMEL_CONFIG_CONFIG_LAYOUT_H_
