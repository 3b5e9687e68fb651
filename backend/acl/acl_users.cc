#include "backend/acl/acl_users.h"

#include <algorithm>
#include <utility>

#include "backend/acl/password_hash.h"

namespace gemel {

namespace {

// The default user of a Redis whose config says nothing of users.
AclUser OpenUser(const AclCatalog& catalog, const std::string& name) {
  AclUser user(catalog, name);
  for (const char* rule : {"+@all", "~*", "&*", "on", "nopass"}) user.Apply(catalog, rule);
  return user;
}

// Its rules count on top of Redis's "reset", which is what a new user is.
std::string MakeUser(const AclCatalog& catalog, const UserConfig& config, AclUser* user) {
  user->trusted_scripts = config.trusted_scripts;
  user->prefix = config.prefix;
  user->limits = config.limits;
  return user->ApplyAll(catalog, config.rules);
}

const UserConfig* TableOf(const PoolConfig& config, std::string_view name) {
  for (const UserConfig& user : config.users) {
    if (user.name == name) return &user;
  }
  return nullptr;
}

// Rules of the table, if there is one; then the password of [proxy], if it is that user's.
AclUser UserOf(const AclCatalog& catalog, const PoolConfig& config, const std::string& name) {
  AclUser user = OpenUser(catalog, name);
  const std::string first(config.user.empty() ? AclUsers::kDefault : config.user);
  if (const UserConfig* table = TableOf(config, name)) {
    user = AclUser(catalog, name);
    MakeUser(catalog, *table, &user);
  } else if (name != first) {
    // Clients are to be the one of [proxy] user; who came before that is let be.
    user.Apply(catalog, "off");
    user.Apply(catalog, "resetpass");
  }
  if (name == first && !config.password.empty()) {
    user.Apply(catalog, "resetpass");
    user.Apply(catalog, ">" + config.password);
  }
  return user;
}

// The rule that is wrong is shown if it can be no password.
std::string Shown(const AclCatalog& catalog, const UserConfig& config) {
  std::vector<std::string> rules;
  size_t at = 0;
  if (!MergeAclSelectors(config.rules, &rules, &at)) {
    return "a selector is not closed: \"(\" without \")\"";
  }
  AclUser user(catalog, config.name);
  for (const std::string& rule : rules) {
    const AclMistake mistake = user.Apply(catalog, rule);
    if (mistake == AclMistake::kNone) continue;
    std::string shown(AclMistakeText(mistake));
    if (rule.find_first_of("><#!") == std::string::npos) shown += ": '" + rule.substr(0, 100) + "'";
    return shown;
  }
  return {};
}

}  // namespace

bool IsAclUserName(std::string_view name) {
  return std::none_of(name.begin(), name.end(),
                      [](char c) { return c == ' ' || (c >= '\t' && c <= '\r') || c == '\0'; });
}

AclUsers::AclUsers(const PoolConfig& config, const CommandTable* table, const AclUsers* before)
    : catalog_(before != nullptr ? before->catalog_ : std::make_shared<const AclCatalog>(table)) {
  std::vector<std::string> names = {std::string(kDefault)};
  if (!config.user.empty()) names.push_back(config.user);
  for (const UserConfig& user : config.users) names.push_back(user.name);
  for (const std::string& name : names) {
    if (users_.contains(name)) continue;
    AclUser user = UserOf(*catalog_, config, name);
    const AclUserPtr known = before != nullptr ? before->Find(name) : nullptr;
    user.meter = known != nullptr ? known->meter : std::make_shared<UserMeter>();
    users_.emplace(name, known != nullptr && *known == user
                             ? known
                             : std::make_shared<const AclUser>(std::move(user)));
  }
  first_ = users_.find(config.user.empty() ? kDefault : std::string_view(config.user))->second;
}

AclUserPtr AclUsers::Find(std::string_view name) const {
  const auto found = users_.find(name);
  return found == users_.end() ? nullptr : found->second;
}

bool AclUsers::Authenticates(std::string_view name, std::string_view password) const {
  const std::string hash = PasswordHash(password);
  const auto found = users_.find(name);
  return found != users_.end() && found->second->Takes(hash);
}

std::optional<ConfigError> CheckUsers(const Config& config) {
  const PoolConfig& pool = config.pool();
  if (pool.users.empty()) return std::nullopt;
  const CommandTable table(pool.commands);
  const AclCatalog catalog(&table);
  for (const UserConfig& user : pool.users) {
    const std::string wrong = Shown(catalog, user);
    if (wrong.empty()) continue;
    return ConfigError{config.file, user.line, user.column,
                       "[[user]] rules of '" + user.name + "': " + wrong};
  }
  return std::nullopt;
}

bool CarryOut(const AclOrder& order, const PoolConfig& config, std::optional<std::string>* rules,
              std::string* error) {
  rules->reset();
  if (order.remove) return true;
  const CommandTable table(config.commands);
  const AclCatalog catalog(&table);
  const bool known = order.name == AclUsers::kDefault || order.name == config.user ||
                     TableOf(config, order.name) != nullptr;
  AclUser user = known ? UserOf(catalog, config, order.name) : AclUser(catalog, order.name);
  *error = user.ApplyAll(catalog, order.rules);
  if (!error->empty()) return false;
  *rules = user.Describe(catalog);
  return true;
}

}  // namespace gemel
