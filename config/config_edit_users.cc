#include "config/config_edit_users.h"

#include "config/config_layout.h"
#include "config/config_options.h"

namespace gemel {

namespace {

constexpr char kSection[] = "user";

// The place of the user's table among them; their count if there is none.
size_t PlaceOfUser(const toml::array& users, std::string_view name) {
  size_t place = 0;
  for (; place < users.size(); ++place) {
    const toml::table* user = users.get(place)->as_table();
    const auto* found = user == nullptr ? nullptr : user->get_as<std::string>("name");
    if (found != nullptr && found->get() == name) break;
  }
  return place;
}

// Behind its values, and the comments that go on below them.
size_t EndOf(const Layout& layout, const toml::table& table) {
  size_t last = layout.Offset(table.source().begin);
  for (auto&& [key, node] : table) last = std::max(last, layout.Offset(node.source().end));
  return layout.EndWithComment(last);
}

Splice Remove(const Layout& layout, std::string_view text, const toml::table& table) {
  size_t begin = layout.LineBegin(layout.Offset(table.source().begin));
  size_t end = EndOf(layout, table);
  if (end < text.size() && text[end] == '\r') ++end;
  if (end < text.size() && text[end] == '\n') ++end;
  // An empty line before it was its own.
  if (begin > 0 && text.substr(0, begin).ends_with("\n\n")) --begin;
  return {begin, end - begin, {}};
}

Splice Replace(const Layout& layout, std::string_view text, const toml::table& table,
               const std::string& value) {
  const toml::node* old = table.get("rules");
  if (old == nullptr) {
    const size_t name_end = layout.Offset(table.get("name")->source().end);
    return {layout.EndWithComment(name_end), 0, layout.line_end() + "rules = " + value};
  }
  const size_t begin = layout.Offset(old->source().begin);
  size_t end = std::max(begin, layout.Offset(old->source().end));
  while (end > begin && (IsBlank(text[end - 1]) || text[end - 1] == '\r' || text[end - 1] == '\n'))
    --end;
  return {begin, end - begin, value};
}

Splice Add(const Layout& layout, std::string_view text, const std::string& name,
           const std::string& value) {
  const std::string& line_end = layout.line_end();
  std::string added = text.empty() || text.ends_with('\n') ? "" : line_end;
  added += line_end + "[[user]]" + line_end + "name = " + name + line_end + "rules = " + value +
           line_end;
  return {text.size(), 0, std::move(added)};
}

// What the file is to mean.
void ChangeTable(toml::table* file, size_t place, std::string_view name,
                 const std::optional<std::string>& rules) {
  if (file->get(kSection) == nullptr) file->insert(kSection, toml::array());
  toml::array& users = *file->get(kSection)->as_array();
  if (!rules) {
    users.erase(users.begin() + static_cast<ptrdiff_t>(place));
    if (users.empty()) file->erase(kSection);
    return;
  }
  if (place == users.size()) {
    toml::table user;
    user.insert("name", std::string(name));
    users.push_back(std::move(user));
  }
  users.get(place)->as_table()->insert_or_assign("rules", *rules);
}

}  // namespace

bool SetUserRules(std::string* text, std::string_view name, const std::optional<std::string>& rules,
                  std::string* error) {
  const std::optional<std::string> quoted_name = TomlValue(OptionKind::kText, name, error);
  const std::optional<std::string> value =
      rules ? TomlValue(OptionKind::kText, *rules, error) : std::string();
  if (!quoted_name || !value) return false;
  std::optional<toml::table> file = ParseToml(*text, error);
  if (!file) {
    *error = "the file cannot be edited, it is " + *error;
    return false;
  }
  const toml::node* found = file->get(kSection);
  if (found != nullptr && !found->is_array_of_tables()) {
    *error = "the file has something else than [[user]] tables under \"user\"";
    return false;
  }
  static const toml::array kNoUsers;
  const toml::array& users = found != nullptr ? *found->as_array() : kNoUsers;
  const size_t place = PlaceOfUser(users, name);
  const bool known = place < users.size();
  if (!known && !rules) return true;
  const Layout layout(*text);
  const toml::table* table = known ? users.get(place)->as_table() : nullptr;
  const Splice splice = !known  ? Add(layout, *text, *quoted_name, *value)
                        : rules ? Replace(layout, *text, *table, *value)
                                : Remove(layout, *text, *table);
  std::string edited = *text;
  edited.replace(splice.at, splice.length, splice.text);
  ChangeTable(&*file, place, name, rules);
  std::string wrong;
  const std::optional<toml::table> result = ParseToml(edited, &wrong);
  if (!result || !(*result == *file)) {
    *error =
        "the user's table cannot be changed without a change of something else in the file, "
        "edit it by hand";
    return false;
  }
  *text = std::move(edited);
  return true;
}

}  // namespace gemel
