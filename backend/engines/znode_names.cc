#include "backend/engines/znode_names.h"

#include <algorithm>

namespace gemel {

namespace {

bool IsDots(std::string_view name) { return name == "." || name == ".."; }

}  // namespace

std::string ZnodeName(std::string_view name) {
  if (IsDots(name)) return "=" + std::string(name);
  std::string znode(name);
  std::replace(znode.begin(), znode.end(), '/', ':');
  return znode;
}

std::string RegisterName(std::string_view znode) {
  if (znode.starts_with('=')) return std::string(znode.substr(1));
  std::string name(znode);
  std::replace(name.begin(), name.end(), ':', '/');
  return name;
}

std::optional<std::string> ZnodePath(std::string_view prefix, std::string* error) {
  std::string path;
  while (!prefix.empty()) {
    const size_t end = std::min(prefix.find('/'), prefix.size());
    const std::string_view part = prefix.substr(0, end);
    prefix.remove_prefix(std::min(end + 1, prefix.size()));
    if (part.empty() && path.empty()) continue;  // it may begin with '/'
    const bool printable = std::all_of(part.begin(), part.end(), [](char c) {
      return static_cast<unsigned char>(c) > 0x20 && static_cast<unsigned char>(c) < 0x7f;
    });
    if (part.empty() || IsDots(part) || !printable) {
      *error =
          "expected names of printable characters between single '/', none of them \".\" or "
          "\"..\"";
      return std::nullopt;
    }
    path += "/" + std::string(part);
  }
  if (path.empty()) {
    *error = "expected a name";
    return std::nullopt;
  }
  return path;
}

std::vector<std::string> ZnodeParents(std::string_view path) {
  std::vector<std::string> parents;
  for (size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    parents.emplace_back(path.substr(0, end));
    if (end == std::string_view::npos) return parents;
  }
}

}  // namespace gemel
