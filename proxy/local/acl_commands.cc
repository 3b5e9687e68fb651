// ACL, but for what changes users. Source: aclCommand of acl.c, Redis 7.0.

#include <algorithm>

#include "backend/acl/acl_categories.h"
#include "backend/acl/acl_users.h"
#include "backend/acl/password_hash.h"
#include "backend/command/ascii.h"
#include "backend/resp/request_reader.h"
#include "backend/resp/resp_writer.h"
#include "backend/spaces/space_args.h"
#include "proxy/local/help_reply.h"
#include "proxy/local/local_commands.h"
#include "proxy/session/session.h"

namespace gemel {

namespace {

constexpr int64_t kMostBits = 4096;
constexpr int64_t kBitsByDefault = 256;
constexpr int64_t kShownByDefault = 10;
constexpr char kNoInteger[] = "ERR value is not an integer or out of range";
// Of what a client sent, in an answer to it.
constexpr size_t kMaxQuoted = 128;

const AclUsers& UsersOf(Session& session) { return session.context().pool->users(); }

std::string Quoted(std::string_view text) { return std::string(text.substr(0, kMaxQuoted)); }

void AclWhoAmI(LocalCommands&, Session& session, const CommandRow&, LocalArgs) {
  std::string out;
  AppendBulk(&out, session.state().access.user());
  session.ReplyNow(out);
}

void AclUsersList(LocalCommands&, Session& session, const CommandRow&, LocalArgs) {
  const AclUsers& users = UsersOf(session);
  std::string out;
  AppendArrayHeader(&out, static_cast<int64_t>(users.all().size()));
  for (const auto& [name, user] : users.all()) AppendBulk(&out, name);
  session.ReplyNow(out);
}

void AclList(LocalCommands&, Session& session, const CommandRow&, LocalArgs) {
  const AclUsers& users = UsersOf(session);
  std::string out;
  AppendArrayHeader(&out, static_cast<int64_t>(users.all().size()));
  for (const auto& [name, user] : users.all()) {
    AppendBulk(&out, "user " + name + " " + user->Describe(users.catalog()));
  }
  session.ReplyNow(out);
}

void AppendSelector(const AclCatalog& catalog, const AclSelector& selector, std::string* out) {
  AppendBulk(out, "commands");
  AppendBulk(out, selector.DescribeCommands(catalog));
  AppendBulk(out, "keys");
  AppendBulk(out, selector.DescribeKeys());
  AppendBulk(out, "channels");
  AppendBulk(out, selector.DescribeChannels());
}

void AclGetUser(LocalCommands&, Session& session, const CommandRow&, LocalArgs args) {
  const AclUsers& users = UsersOf(session);
  const AclUserPtr user = users.Find(args[2]);
  std::string out;
  if (user == nullptr) {
    AppendNull(&out);
    session.ReplyNow(out);
    return;
  }
  AppendMapHeader(&out, user->prefix.empty() ? 6 : 7);
  AppendBulk(&out, "flags");
  const std::vector<std::string_view> flags = user->Flags();
  AppendSetHeader(&out, static_cast<int64_t>(flags.size()));
  for (const std::string_view flag : flags) AppendBulk(&out, flag);
  AppendBulk(&out, "passwords");
  AppendArrayHeader(&out, static_cast<int64_t>(user->passwords().size()));
  for (const std::string& password : user->passwords()) AppendBulk(&out, password);
  AppendSelector(users.catalog(), user->selectors()[0], &out);
  AppendBulk(&out, "selectors");
  const std::span<const AclSelector> others = user->selectors().subspan(1);
  AppendArrayHeader(&out, static_cast<int64_t>(others.size()));
  for (const AclSelector& selector : others) {
    AppendMapHeader(&out, 3);
    AppendSelector(users.catalog(), selector, &out);
  }
  if (!user->prefix.empty()) {  // Redis has no such field
    AppendBulk(&out, "prefix");
    AppendBulk(&out, user->prefix);
  }
  session.ReplyNow(out);
}

void AclCat(LocalCommands&, Session& session, const CommandRow&, LocalArgs args) {
  std::string out;
  if (args.size() == 2) {
    AppendArrayHeader(&out, static_cast<int64_t>(AclCategories().size()));
    for (const std::string_view name : AclCategories()) AppendBulk(&out, name);
    session.ReplyNow(out);
    return;
  }
  if (args.size() > 3) {
    session.ReplyError(SubcommandSyntaxError(args));
    return;
  }
  const std::optional<uint32_t> bit = AclCategoryBit(args[2]);
  if (!bit) {
    session.ReplyError("ERR Unknown category '" + Quoted(args[2]) + "'");
    return;
  }
  std::vector<std::string_view> names;
  for (const AclCatalog::Command& command : UsersOf(session).catalog().commands()) {
    if ((command.categories & *bit) != 0) names.push_back(command.row->name);
  }
  AppendArrayHeader(&out, static_cast<int64_t>(names.size()));
  for (const std::string_view name : names) AppendBulk(&out, name);
  session.ReplyNow(out);
}

void AclGenPass(LocalCommands&, Session& session, const CommandRow&, LocalArgs args) {
  int64_t bits = kBitsByDefault;
  std::string password;
  if (args.size() > 3) {
    session.ReplyError(SubcommandSyntaxError(args));
  } else if (args.size() == 3 && !ParseInteger(args[2], &bits)) {
    session.ReplyError(kNoInteger);
  } else if (bits <= 0 || bits > kMostBits) {
    session.ReplyError(
        "ERR ACL GENPASS argument must be the number of bits for the output password, a positive "
        "number up to " +
        std::to_string(kMostBits));
  } else if (!RandomPassword(static_cast<size_t>(bits + 3) / 4, &password)) {
    session.ReplyError("ERR the system has no random numbers");
  } else {
    std::string out;
    AppendBulk(&out, password);
    session.ReplyNow(out);
  }
}

void AclLogCommand(LocalCommands&, Session& session, const CommandRow&, LocalArgs args) {
  AccessGuard* access = session.context().access;
  int64_t count = kShownByDefault;
  if (args.size() > 3) {
    session.ReplyError(SubcommandSyntaxError(args));
    return;
  }
  if (args.size() == 3 && EqualsLower(args[2], "reset")) {
    if (access != nullptr) access->acl_log().Reset();
    session.ReplyNow("+OK\r\n");
    return;
  }
  if (args.size() == 3 && !ParseInteger(args[2], &count)) {
    session.ReplyError(kNoInteger);
    return;
  }
  std::string out;
  if (access == nullptr) {
    AppendArrayHeader(&out, 0);
  } else {
    access->acl_log().AppendReply(static_cast<size_t>(std::max<int64_t>(count, 0)),
                                  session.context().seen->UnixUs() / 1000, &out);
  }
  session.ReplyNow(out);
}

// What a user may, without doing it.
void AclDryRun(LocalCommands&, Session& session, const CommandRow&, LocalArgs args) {
  const AclUsers& users = UsersOf(session);
  const AclUserPtr user = users.Find(args[2]);
  if (user == nullptr) {
    session.ReplyError("ERR User '" + Quoted(args[2]) + "' not found");
    return;
  }
  const LocalArgs command = args.subspan(3);
  const CommandRow* row = session.context().pool->table().Find(command);
  if (row == nullptr) {
    session.ReplyError("ERR Command '" + Quoted(command[0]) + "' not found");
    return;
  }
  if (!ArityFits(*row, command.size())) {
    session.ReplyError(ArityError(*row));
    return;
  }
  uint32_t at = 0;
  const AclDenied denied =
      user->Check(users.catalog(), *row, command, &session.context().acl_keys, &at);
  const AclCatalog& catalog = users.catalog();
  const bool script = row->script != ScriptRule::kNone && !user->AllowsScripts(catalog);
  const bool beyond = !user->prefix.empty() && !RefusalInSpace(*row).empty();
  if (denied == AclDenied::kNothing && !script && !beyond) {
    session.ReplyNow("+OK\r\n");
    return;
  }
  std::string text = "This user has no permissions to ";
  if (denied == AclDenied::kNothing && beyond) {
    text += "run the '" + std::string(row->name) + "' command, which goes beyond its key space";
  } else if (denied == AclDenied::kNothing) {
    text += "run scripts and functions (see trusted_scripts of its [[user]] table)";
  } else if (denied == AclDenied::kCommand) {
    text += "run the '" + std::string(catalog.commands()[catalog.NumberOf(*row)].row->name) +
            "' command";
  } else {
    text += "access the '" + std::string(command[at]) +
            (denied == AclDenied::kKey ? "' key" : "' channel");
  }
  std::string out;
  AppendBulk(&out, text);
  session.ReplyNow(out);
}

void AclHelp(LocalCommands&, Session& session, const CommandRow&, LocalArgs) {
  session.ReplyNow(HelpReply(
      "ACL",
      {"CAT [<category>]",
       "    List all commands that belong to <category>, or all command categories",
       "    when no category is specified.",
       "DELUSER <username> [<username> ...]",
       "    Delete a list of users.",
       "DRYRUN <username> <command> [<arg> ...]",
       "    Returns whether the user can execute the given command without executing the command.",
       "GETUSER <username>",
       "    Get the user's details.",
       "GENPASS [<bits>]",
       "    Generate a secure 256-bit user password. The optional `bits` argument can",
       "    be used to specify a different size.",
       "LIST",
       "    Show users details in config file format.",
       "LOAD",
       "    Reload users from the ACL file.",
       "LOG [<count> | RESET]",
       "    Show the ACL log entries.",
       "SAVE",
       "    Save the current config to the ACL file.",
       "SETUSER <username> <attribute> [<attribute> ...]",
       "    Create or modify a user with the specified attributes.",
       "USERS",
       "    List all the registered usernames.",
       "WHOAMI",
       "    Return the current connection username."}));
}

}  // namespace

LocalHandler AclHandler(LocalCommand command) {
  switch (command) {
    case LocalCommand::kAclCat:
      return AclCat;
    case LocalCommand::kAclDryRun:
      return AclDryRun;
    case LocalCommand::kAclGenPass:
      return AclGenPass;
    case LocalCommand::kAclGetUser:
      return AclGetUser;
    case LocalCommand::kAclHelp:
      return AclHelp;
    case LocalCommand::kAclList:
      return AclList;
    case LocalCommand::kAclLog:
      return AclLogCommand;
    case LocalCommand::kAclUsers:
      return AclUsersList;
    case LocalCommand::kAclWhoAmI:
      return AclWhoAmI;
    default:
      return nullptr;
  }
}

}  // namespace gemel
