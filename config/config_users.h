// [[user]] of the config file, and the users and passwords of other sections. Private to config.

#ifndef GEMEL_CONFIG_CONFIG_USERS_H_
#define GEMEL_CONFIG_CONFIG_USERS_H_

#include <string>

#include "config/config.h"
#include "config/config_table.h"

namespace gemel {

// Reads `user` and `password` of a section.
void ReadCredentials(TableReader* table, std::string* user, std::string* password);

// Reads all [[user]] tables, and looks that no name comes twice. What their rules mean is another's
// to tell (backend/acl).
void ReadUsers(TableReader* root, PoolConfig* pool, Mistakes* mistakes);

}  // namespace gemel

#endif  // GEMEL_CONFIG_CONFIG_USERS_H_
