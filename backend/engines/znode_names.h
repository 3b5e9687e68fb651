// What the registers of a fleet are called in ZooKeeper. Text alone.

#ifndef GEMEL_BACKEND_ENGINES_ZNODE_NAMES_H_
#define GEMEL_BACKEND_ENGINES_ZNODE_NAMES_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gemel {

// A register is a znode under the prefix, a child of it whatever its name: '/' is written as ':',
// and the names "." and "..", which ZooKeeper does not take, as "=." and "=..".
std::string ZnodeName(std::string_view name);
std::string RegisterName(std::string_view znode);

// "/gemel/f" of "gemel/f/". Nullopt and *error (a phrase) if ZooKeeper takes no such path.
std::optional<std::string> ZnodePath(std::string_view prefix, std::string* error);
// "/gemel", "/gemel/f" of "/gemel/f".
std::vector<std::string> ZnodeParents(std::string_view path);

}  // namespace gemel

#endif  // GEMEL_BACKEND_ENGINES_ZNODE_NAMES_H_
