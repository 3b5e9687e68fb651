#include "proxy/session/rights.h"

#include "backend/command/ascii.h"
#include "backend/resp/request_reader.h"
#include "backend/spaces/space_args.h"
#include "proxy/seen/clients_seen.h"
#include "proxy/seen/monitor_line.h"
#include "proxy/session/session.h"
#include "proxy/session/session_commands.h"

namespace gemel {

namespace {

constexpr char kNoScripts[] =
    "NOPERM this user has no permissions to run scripts and functions: gemel does not look what "
    "they do, so the user's rules must allow all keys, all channels and each command that scripts "
    "can call, or its [[user]] table must say trusted_scripts = true";

// SORT's option that names keys which it does not show; empty: there is none.
std::string_view UnnamedKeys(const CommandRow& row, std::span<const std::string_view> args) {
  if (row.arg_rule != ArgRule::kSort && row.arg_rule != ArgRule::kSortRo) return {};
  for (size_t at = 2; at + 1 < args.size(); ++at) {
    if (EqualsLower(args[at], "limit")) {
      at += 2;
    } else if (EqualsLower(args[at], "get")) {
      return "GET";
    } else if (EqualsLower(args[at], "by")) {
      if (args[++at].find('*') != std::string_view::npos) return "BY";
    } else if (EqualsLower(args[at], "store")) {
      ++at;
    }
  }
  return {};
}

std::string ErrorOf(AclDenied denied, std::string_view command) {
  switch (denied) {
    case AclDenied::kCommand:
      return "NOPERM this user has no permissions to run the '" + std::string(command) +
             "' command";
    case AclDenied::kKey:
      return "NOPERM this user has no permissions to access one of the keys used as arguments";
    case AclDenied::kChannel:
      return "NOPERM this user has no permissions to access one of the channels used as arguments";
    case AclDenied::kNothing:
      break;
  }
  return {};
}

}  // namespace

Refusal RefusalOf(const AclUsers& users, const AclUser& user, bool scripts, const CommandRow& row,
                  std::span<const std::string_view> args, std::vector<uint32_t>* keys) {
  const AclCatalog& catalog = users.catalog();
  const std::string_view name = catalog.commands()[catalog.NumberOf(row)].row->name;
  uint32_t at = 0;
  Refusal refusal;
  refusal.denied = user.Check(catalog, row, args, keys, &at);
  if (refusal.denied != AclDenied::kNothing) {
    refusal.object = refusal.denied == AclDenied::kCommand ? name : args[at];
    refusal.error = ErrorOf(refusal.denied, name);
    return refusal;
  }
  if (!user.prefix.empty() && !RefusalInSpace(row).empty()) {
    return {AclDenied::kCommand, name, RefusalInSpace(row)};
  }
  if (row.script != ScriptRule::kNone && !scripts) {
    return {AclDenied::kCommand, name, kNoScripts};
  }
  const std::string_view unnamed = UnnamedKeys(row, args);
  if (!unnamed.empty() && !user.AllowsUnnamedKeys(catalog, row, args, keys)) {
    return {AclDenied::kKey, args[1],
            "ERR " + std::string(unnamed) +
                " option of SORT denied due to insufficient ACL permissions."};
  }
  return refusal;
}

Refusal RefusalOf(SessionContext* context, const SessionState& state, const CommandRow& row,
                  std::span<const std::string_view> args) {
  return RefusalOf(context->pool->users(), *state.access.account(), state.access.allows_scripts(),
                   row, args, &context->acl_keys);
}

Refusal RefusalOfQueued(SessionContext* context, const SessionState& state, const CommandRow& row,
                        std::vector<std::string_view>* args) {
  if (!state.access.prefixed()) return RefusalOf(context, state, row, *args);
  std::vector<std::string> room;
  OutOfSpace(row, state.access.prefix(), &context->acl_keys, args, &room);
  Refusal refusal = RefusalOf(context, state, row, *args);
  if (!room.empty()) refusal.object = {};  // it lies there
  return refusal;
}

std::string RefusalAtExec(AclDenied denied) {
  std::string_view reason = "no permission to execute the command or subcommand";
  if (denied == AclDenied::kKey) reason = "no permission to touch the specified keys";
  if (denied == AclDenied::kChannel) {
    reason = "no permission to access one of the channels used as arguments";
  }
  return "NOPERM ACLs rules changed between the moment the transaction was accumulated and the "
         "EXEC "
         "call. This command is no longer allowed for the following reason: " +
         std::string(reason);
}

void NoteDenied(Session* session, AclDenied denied, std::string_view object,
                std::string_view user) {
  SessionContext& context = session->context();
  std::string_view reason = "auth";  // which Access has counted
  if (denied == AclDenied::kCommand) {
    reason = "command";
    context.stats->denied_cmd.Add(1);
  } else if (denied == AclDenied::kKey) {
    reason = "key";
    context.stats->denied_key.Add(1);
  } else if (denied == AclDenied::kChannel) {
    reason = "channel";
    context.stats->denied_channel.Add(1);
  }
  if (context.access == nullptr) return;
  AclLog::Entry entry;
  entry.reason = reason;
  entry.context = session->state().transaction.open() ? "multi" : "toplevel";
  entry.object = object.substr(0, AclLog::kMostText);
  entry.user = user.substr(0, AclLog::kMostText);
  entry.client = context.local->Describe(*session);
  entry.unix_ms = context.seen->UnixUs() / 1000;
  context.access->acl_log().Add(std::move(entry));
}

// Else the client has been answered.
bool SessionCommands::HasRights(const CommandRow& row) {
  Refusal refusal;
  if (IsInSpace()) [[unlikely]] {
    std::vector<std::string_view> args(context_->args);
    refusal = RefusalOfQueued(context_, state_, row, &args);
  } else {
    refusal = RefusalOf(context_, state_, row, context_->args);
  }
  if (refusal.error.empty()) return true;
  NoteDenied(&session_, refusal.denied, refusal.object, state_.access.user());
  Reject(&row, refusal.error);
  return false;
}

// What the client says becomes what the nodes are sent; else it has been answered.
bool SessionCommands::EnterSpace(const CommandRow& row, std::string_view* frame) {
  SessionContext& context = *context_;
  replies_.set_names(row.names);
  if ((row.key_rule == KeyRule::kNone && row.space == SpaceRule::kKeys) || IsInSpace()) return true;
  const std::string wrong =
      IntoSpace(row, context.args, state_.access.prefix(), &context.acl_keys, &context.space_frame);
  if (!wrong.empty()) {
    NoteDenied(&session_, AclDenied::kCommand, row.name, state_.access.user());
    Reject(&row, wrong);
    return false;
  }
  context.args.clear();
  SplitFrame(context.space_frame, &context.args);
  *frame = context.space_frame;
  MonitorFeed* feed = context.monitor;
  if (feed->any() && !feed->draft().empty()) {  // operators see whole names
    feed->Drop();
    AppendMonitorArgs(row, context.args, &feed->draft());
  }
  return true;
}

}  // namespace gemel
