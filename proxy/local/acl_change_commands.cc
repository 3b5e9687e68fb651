// ACL SETUSER, DELUSER, LOAD and SAVE. Users are of the config: what changes them is a reload of
// the text in effect, as CONFIG SET is, and all workers go over to it at once.

#include <algorithm>

#include "backend/acl/acl_users.h"
#include "backend/resp/resp_writer.h"
#include "proxy/local/local_commands.h"
#include "proxy/local/order_process.h"
#include "proxy/session/session.h"

namespace gemel {

namespace {

constexpr char kOk[] = "+OK\r\n";

void Order(Session& session, const CommandRow& row, ReloadOrder order, std::string answer) {
  Request* place = session.Reserve(&row);
  session.Await(place);
  OrderProcess(session, place, std::move(order),
               [answer = std::move(answer)](const ReloadOutcome& outcome) {
                 return outcome.ok ? answer : OrderError(outcome.text);
               });
}

void AclSetUser(LocalCommands&, Session& session, const CommandRow& row, LocalArgs args) {
  const PoolConfig& config = session.context().pool->config();
  AclOrder user{std::string(args[2]), {args.begin() + 3, args.end()}};
  if (!IsAclUserName(user.name) || user.name.empty()) {
    session.ReplyError("ERR Usernames can't contain spaces or null characters");
    return;
  }
  if (user.name == config.user) {
    session.ReplyError("ERR '" + user.name +
                       "' is the user of [proxy]: it is changed in the config file, and its "
                       "password by CONFIG SET requirepass");
    return;
  }
  if (!FitsAnOrder(session, args)) return;
  std::optional<std::string> rules;
  std::string error;
  if (!CarryOut(user, config, &rules, &error)) {
    session.ReplyError("ERR " + error);
    return;
  }
  ReloadOrder order;
  order.cause = "ACL SETUSER " + user.name;
  order.users.push_back(std::move(user));
  Order(session, row, std::move(order), kOk);
}

void AclDelUser(LocalCommands&, Session& session, const CommandRow& row, LocalArgs args) {
  const Pool& pool = *session.context().pool;
  for (const std::string_view name : args.subspan(2)) {
    if (name != AclUsers::kDefault && (name.empty() || name != pool.config().user)) continue;
    session.ReplyError("ERR The '" + std::string(name) + "' user cannot be removed");
    return;
  }
  if (!FitsAnOrder(session, args)) return;
  ReloadOrder order;
  order.cause = "ACL DELUSER";
  int64_t removed = 0;
  for (const std::string_view name : args.subspan(2)) {
    const auto same = [name](const AclOrder& known) { return known.name == name; };
    const bool twice = std::any_of(order.users.begin(), order.users.end(), same);
    if (twice || pool.users().Find(name) == nullptr) continue;
    order.cause += " " + std::string(name);
    order.users.push_back({std::string(name), {}, /*remove=*/true});
    ++removed;
  }
  std::string answer;
  AppendInteger(&answer, removed);
  if (removed == 0) {
    session.ReplyNow(answer);
    return;
  }
  Order(session, row, std::move(order), std::move(answer));
}

// The file of the users is the config's, and all of it is loaded.
void AclLoad(LocalCommands&, Session& session, const CommandRow& row, LocalArgs) {
  ReloadOrder order;
  order.cause = "ACL LOAD";
  Order(session, row, std::move(order), kOk);
}

// And all that was set since it was read is written.
void AclSave(LocalCommands&, Session& session, const CommandRow& row, LocalArgs) {
  ReloadOrder order;
  order.cause = "ACL SAVE";
  order.rewrite = true;
  Order(session, row, std::move(order), kOk);
}

}  // namespace

LocalHandler AclChangeHandler(LocalCommand command) {
  switch (command) {
    case LocalCommand::kAclDelUser:
      return AclDelUser;
    case LocalCommand::kAclLoad:
      return AclLoad;
    case LocalCommand::kAclSave:
      return AclSave;
    case LocalCommand::kAclSetUser:
      return AclSetUser;
    default:
      return nullptr;
  }
}

}  // namespace gemel
