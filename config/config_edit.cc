#include "config/config_edit.h"

#include <toml++/toml.h>

#include <algorithm>
#include <exception>
#include <optional>

#include "config/config_scan.h"
#include "config/config_text.h"

namespace gemel {

namespace {

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

std::optional<toml::table> Parse(std::string_view text, std::string* error) {
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

bool IsBareKey(std::string_view key) {
  return !key.empty() && std::all_of(key.begin(), key.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  });
}

bool IsBlank(char c) { return c == ' ' || c == '\t'; }

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

Splice ReplaceValue(const Layout& layout, std::string_view text, const toml::node& node,
                    const std::string& value) {
  const size_t begin = layout.Offset(node.source().begin);
  size_t end = std::max(begin, layout.Offset(node.source().end));
  while (end > begin &&
         (IsBlank(text[end - 1]) || text[end - 1] == '\r' || text[end - 1] == '\n')) {
    --end;
  }
  return {begin, end - begin, value};
}

// The key is new; the section is there.
Splice AddToSection(const Layout& layout, std::string_view text, const toml::table& section,
                    const std::string& section_name, const std::string& assignment) {
  const size_t head = layout.Offset(section.source().begin);
  const bool with_braces = section.is_inline();
  const bool with_header = !with_braces && head < text.size() && text[head] == '[';
  size_t last = 0;  // the end of the last value
  size_t last_key = head;
  for (auto&& [key, node] : section) {
    const size_t end = layout.Offset(node.source().end);
    if (end <= last) continue;
    last = end;
    last_key = layout.Offset(key.source().begin);
  }
  if (with_braces) {
    if (last == 0) {
      const bool closed = head + 1 < text.size() && text[head + 1] == '}';
      return {head + 1, 0, " " + assignment + (closed ? " " : "")};
    }
    while (last > head && IsBlank(text[last - 1])) --last;
    return {last, 0, ", " + assignment};
  }
  std::string line = layout.line_end() + std::string(layout.Indent(last_key));
  if (!with_header) line += section_name + ".";
  return {layout.EndWithComment(std::max(last, head)), 0, line + assignment};
}

Splice AddSection(const Layout& layout, std::string_view text, const std::string& section_name,
                  const std::string& assignment) {
  const std::string& line_end = layout.line_end();
  const bool ended = text.empty() || text.ends_with('\n');
  std::string added = ended ? "" : line_end;
  if (!text.empty()) added += line_end;
  added += "[" + section_name + "]" + line_end + assignment;
  if (ended) added += line_end;
  return {text.size(), 0, std::move(added)};
}

// The table with the one value set.
toml::table With(const toml::table& file, const std::string& section, const std::string& key,
                 const toml::node& value) {
  toml::table changed = file;
  if (changed.get(section) == nullptr) changed.insert(section, toml::table());
  toml::table* table = changed.get(section)->as_table();
  value.visit([&](const auto& concrete) { table->insert_or_assign(key, concrete); });
  return changed;
}

bool Edit(std::string* text, const std::string& section_name, const std::string& key,
          const std::string& value, std::string* error) {
  const std::string name = section_name + "." + key;
  const std::string prefix = "x = ";
  const std::optional<toml::table> alone = Parse(prefix + value, error);
  const toml::node* wanted = alone && alone->size() == 1 ? alone->get("x") : nullptr;
  // No more than a value: no comment, no line behind it.
  if (wanted == nullptr || wanted->is_table() ||
      Layout(prefix + value).Offset(wanted->source().end) != prefix.size() + value.size() ||
      value.empty() || IsBlank(value.back()) || value.back() == '\n') {
    *error = "what " + name + " is to be set to is no value in TOML";
    return false;
  }

  const std::optional<toml::table> file = Parse(*text, error);
  if (!file) {
    *error = "the file cannot be edited, it is " + *error;
    return false;
  }
  const toml::node* found = file->get(section_name);
  const toml::table* section = found == nullptr ? nullptr : found->as_table();
  const toml::node* old_value = section == nullptr ? nullptr : section->get(key);
  if ((found != nullptr && section == nullptr) ||
      (old_value != nullptr && (old_value->is_table() || old_value->is_array_of_tables()))) {
    *error = name + " cannot be set, because the file has something else under that name";
    return false;
  }

  const Layout layout(*text);
  const std::string assignment = key + " = " + value;
  const Splice splice = old_value != nullptr ? ReplaceValue(layout, *text, *old_value, value)
                        : section != nullptr
                            ? AddToSection(layout, *text, *section, section_name, assignment)
                            : AddSection(layout, *text, section_name, assignment);
  std::string edited = *text;
  edited.replace(splice.at, splice.length, splice.text);
  const std::optional<toml::table> result = Parse(edited, error);
  if (!result || !(*result == With(*file, section_name, key, *wanted))) {
    *error =
        name + " cannot be set without a change of something else in the file, edit it by hand";
    return false;
  }
  *text = std::move(edited);
  return true;
}

}  // namespace

bool SetOption(std::string* text, std::string_view name, const std::string& value,
               std::string* error) {
  const size_t dot = name.find('.');
  const std::string section(name.substr(0, dot));
  const std::string key(dot == std::string_view::npos ? "" : name.substr(dot + 1));
  if (!IsBareKey(section) || !IsBareKey(key)) {
    *error = "bad option name " + Quote(name) + ", expected a section and a key with a dot between";
    return false;
  }
  return Edit(text, section, key, value, error);
}

}  // namespace gemel
