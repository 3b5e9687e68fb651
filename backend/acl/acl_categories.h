// The categories of commands that users are given rights to (+@read), as Redis 7.0 has them.

#ifndef GEMEL_BACKEND_ACL_ACL_CATEGORIES_H_
#define GEMEL_BACKEND_ACL_ACL_CATEGORIES_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "backend/command/command_table.h"

namespace gemel {

// Their names, in Redis's order; that of place i is bit i of a set.
std::span<const std::string_view> AclCategories();

// The bit of a name, whatever its letters' case; nothing if there is no such category.
std::optional<uint32_t> AclCategoryBit(std::string_view name);

// Those of a command: Redis's own; of gemel's PROXY "admin", "slow" and "dangerous", but for its
// HELP; of a module's command none, as with Redis.
uint32_t AclCategoriesOf(const CommandRow& row);

}  // namespace gemel

#endif  // GEMEL_BACKEND_ACL_ACL_CATEGORIES_H_
