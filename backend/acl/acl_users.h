// All users of a pool: those of the config's [[user]] tables, and the one who has [proxy] password.

#ifndef GEMEL_BACKEND_ACL_ACL_USERS_H_
#define GEMEL_BACKEND_ACL_ACL_USERS_H_

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backend/acl/acl_user.h"
#include "config/config.h"
#include "config/config_load.h"

namespace gemel {

using AclUserPtr = std::shared_ptr<const AclUser>;

// ACL SETUSER of a user, whether it is there or not; or DELUSER.
struct AclOrder {
  std::string name;
  std::vector<std::string> rules;
  bool remove = false;
};

// Immutable once made: any thread.
class AclUsers {
 public:
  static constexpr std::string_view kDefault = "default";

  // Those of that config, which CheckUsers has found good. `table` outlives it. A user that
  // `before` has just so is the same object here; `before` may be null.
  AclUsers(const PoolConfig& config, const CommandTable* table, const AclUsers* before);

  const AclCatalog& catalog() const { return *catalog_; }
  // In the order of their names' bytes.
  const std::map<std::string, AclUserPtr, std::less<>>& all() const { return users_; }
  // Null: there is none of that name.
  AclUserPtr Find(std::string_view name) const;
  // Who a client is before it says otherwise, and whose password AUTH with one argument gives: the
  // default user, or that of [proxy] user.
  const AclUserPtr& first() const { return first_; }
  // Is that the password of that user, who is on? Takes as long for a name that nobody has.
  bool Authenticates(std::string_view name, std::string_view password) const;

 private:
  std::shared_ptr<const AclCatalog> catalog_;
  std::map<std::string, AclUserPtr, std::less<>> users_;
  AclUserPtr first_;
};

// What is wrong with the config's [[user]] tables, with its place; nothing if all is well. The
// sentence shows no password.
std::optional<ConfigError> CheckUsers(const Config& config);

// What the order makes of the users of that config: the rules of the user's table from then on, or
// nothing where it is gone or was not there. False and *error: a rule is wrong.
bool CarryOut(const AclOrder& order, const PoolConfig& config, std::optional<std::string>* rules,
              std::string* error);

// Redis takes it for a name: no spaces and no NUL.
bool IsAclUserName(std::string_view name);

}  // namespace gemel

#endif  // GEMEL_BACKEND_ACL_ACL_USERS_H_
