#include "config/config_users.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "config/config_text.h"

namespace gemel {

namespace {

constexpr size_t kMaxUsers = 4096;
constexpr size_t kMaxRules = 4096;
constexpr size_t kMaxUser = 256;
constexpr char kRules[] =
    "Redis's ACL rules, such as \"on >password ~cache:* +@read\", or an array of them";
constexpr char kUserName[] =
    "expected at most 256 characters without spaces and control characters";

bool IsUserName(std::string_view text) {
  return text.size() <= kMaxUser && std::none_of(text.begin(), text.end(), [](char c) {
           return c == ' ' || static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
         });
}

Place ReadTable(TableReader table, UserConfig* user) {
  const std::optional<Place> name = table.String("name", "a string", &user->name);
  if (name && (user->name.empty() || !IsUserName(user->name))) {
    table.Reject("name", *name, "bad user name " + Quote(user->name) + ", " + kUserName);
  } else if (!table.Has("name")) {
    table.Missing("name", "the user's name");
  }
  std::vector<TableReader::Item> rules;
  const std::optional<Place> place = table.Words("rules", kRules, kMaxRules, &rules);
  for (TableReader::Item& rule : rules) user->rules.push_back(std::move(rule.text));
  user->line = place.value_or(table.place()).line;
  user->column = place.value_or(table.place()).column;
  table.Bool("trusted_scripts", &user->trusted_scripts);
  const std::optional<Place> prefix = table.String("prefix", "a string", &user->prefix);
  if (prefix && !IsUserName(user->prefix)) {
    table.Reject("prefix", *prefix, "bad prefix " + Quote(user->prefix) + ", " + kUserName);
  }
  table.Integer("max_clients", 0, 1000 * 1000, &user->limits.max_clients);
  table.Integer("requests_per_s", 0, 1000 * 1000 * 1000, &user->limits.requests_per_s);
  table.Size("bytes_per_s", 0, uint64_t{1} << 40, &user->limits.bytes_per_s);
  table.Finish();
  return name.value_or(table.place());
}

// Else one would see what is another's.
void CheckPrefixes(const std::vector<UserConfig>& users, const std::map<std::string, Place>& places,
                   Mistakes* mistakes) {
  std::vector<const UserConfig*> sorted;
  for (const UserConfig& user : users) {
    if (!user.prefix.empty()) sorted.push_back(&user);
  }
  std::sort(sorted.begin(), sorted.end(),
            [](const auto* a, const auto* b) { return a->prefix < b->prefix; });
  for (size_t i = 1; i < sorted.size(); ++i) {
    const UserConfig& outer = *sorted[i - 1];
    const UserConfig& inner = *sorted[i];
    if (outer.prefix == inner.prefix || !inner.prefix.starts_with(outer.prefix)) continue;
    mistakes->Add(places.at(inner.name),
                  "prefix " + Quote(inner.prefix) + " of user " + Quote(inner.name) +
                      " begins with prefix " + Quote(outer.prefix) + " of user " +
                      Quote(outer.name) + ", who would see its keys, expected prefixes of which " +
                      "none begins with another (end each with \":\")");
  }
}

}  // namespace

void ReadCredentials(TableReader* table, std::string* user, std::string* password) {
  std::optional<Place> place = table->String("user", "a string", user);
  const bool has_password = table->Secret("password", password) && !password->empty();
  if (!place) return;
  if (!IsUserName(*user)) {
    table->Reject("user", *place, "bad user name " + Quote(*user) + ", " + kUserName);
  } else if (!user->empty() && !has_password && !table->IsWrong("password")) {
    table->Reject("user", *place,
                  "user " + Quote(*user) + " has no password, expected one beside it");
  }
}

void ReadUsers(TableReader* root, PoolConfig* pool, Mistakes* mistakes) {
  std::map<std::string, Place> seen;
  for (const toml::table* table : root->Sections("user", kMaxUsers)) {
    UserConfig& user = pool->users.emplace_back();
    const Place place = ReadTable(TableReader(table, "[[user]]", mistakes), &user);
    const auto [first, fresh] = seen.emplace(user.name, place);
    if (fresh) continue;
    mistakes->Add(place, "user " + Quote(user.name) + " is given twice, first at line " +
                             std::to_string(first->second.line) + ", expected each one once");
  }
  CheckPrefixes(pool->users, seen, mistakes);
}

}  // namespace gemel
