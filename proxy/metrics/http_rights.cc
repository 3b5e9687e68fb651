#include "proxy/metrics/http_rights.h"

#include <span>
#include <vector>

#include "proxy/session/rights.h"

namespace gemel {

namespace {

using Command = std::vector<std::string_view>;

struct PathCommands {
  std::string_view path;
  std::vector<Command> commands;
};

// Which commands tell what is shown there.
const std::vector<PathCommands>& AllPaths() {
  static const std::vector<Command> page = {{"INFO"},
                                            {"PROXY", "SHARDS"},
                                            {"PROXY", "EVENTS"},
                                            {"PROXY", "HOTKEYS"},
                                            {"PROXY", "BIGKEYS"}};
  static const std::vector<PathCommands> paths = {{"/", page},
                                                  {"/status.json", page},
                                                  {"/metrics", {{"INFO"}, {"PROXY", "SHARDS"}}},
                                                  {"/explain", {{"PROXY", "EXPLAIN"}}}};
  return paths;
}

// As a session asks, whatever lets it in.
HttpDenial DenialOf(const Pool& pool, const AclUser& user, const Command& command) {
  const CommandRow* row = pool.table().Find(command);
  if (row == nullptr) return {std::string(command.back()), pool.table().NotFoundError(command)};
  const AclUsers& users = pool.users();
  std::vector<uint32_t> keys;
  const bool scripts = user.AllowsScripts(users.catalog());
  Refusal refusal = RefusalOf(users, user, scripts, *row, command, &keys);
  if (refusal.error.empty()) return {};
  return {std::string(row->name), std::move(refusal.error)};
}

}  // namespace

HttpDenial DenialOfPath(const Pool& pool, const AclUser& user, std::string_view path) {
  for (const PathCommands& known : AllPaths()) {
    if (known.path != path) continue;
    for (const Command& command : known.commands) {
      HttpDenial denial = DenialOf(pool, user, command);
      if (denial.command.empty()) continue;
      if (user.prefix.empty()) denial.error += ", which tells what is shown here";
      return denial;
    }
  }
  return {};
}

HttpDenial DenialOfOrder(const Pool& pool, const AclUser& user, const PageOrder& order) {
  return DenialOf(pool, user, Command(order.command.begin(), order.command.end()));
}

bool MayOrder(const Pool& pool, const AclUser& user) {
  for (const std::string_view verb : {"PROMOTE", "RESYNC", "DRAIN", "UNDRAIN"}) {
    if (DenialOf(pool, user, {"PROXY", verb}).command.empty()) return true;
  }
  return false;
}

}  // namespace gemel
