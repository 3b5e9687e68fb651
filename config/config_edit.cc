#include "config/config_edit.h"

#include <toml++/toml.h>

#include <algorithm>
#include <optional>

#include "config/config_layout.h"
#include "config/config_text.h"

namespace gemel {

namespace {

bool IsBareKey(std::string_view key) {
  return !key.empty() && std::all_of(key.begin(), key.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  });
}

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
  const std::optional<toml::table> alone = ParseToml(prefix + value, error);
  const toml::node* wanted = alone && alone->size() == 1 ? alone->get("x") : nullptr;
  // No more than a value: no comment, no line behind it.
  if (wanted == nullptr || wanted->is_table() ||
      Layout(prefix + value).Offset(wanted->source().end) != prefix.size() + value.size() ||
      value.empty() || IsBlank(value.back()) || value.back() == '\n') {
    *error = "what " + name + " is to be set to is no value in TOML";
    return false;
  }

  const std::optional<toml::table> file = ParseToml(*text, error);
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
  const std::optional<toml::table> result = ParseToml(edited, error);
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
